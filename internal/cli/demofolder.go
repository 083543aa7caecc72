package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/policy"
)

// demoRecord is the file that says what a demo has written into its folder.
const demoRecord = "demo.json"

// demoFiles are the files of a demo by their path, with the SHA-256 of each.
type demoFiles struct {
	SchemaVersion int               `json:"schemaVersion"`
	Files         map[string]string `json:"files"`
}

// filesIn hashes every file of a folder, but for the record itself.
func filesIn(dir string) (map[string]string, error) {
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil || rel == demoRecord {
			return err
		}
		rel = filepath.ToSlash(rel)
		if !d.Type().IsRegular() {
			out[rel] = "no file"
			return nil
		}
		data, err := os.ReadFile(path)
		sum := sha256.Sum256(data)
		out[rel] = hex.EncodeToString(sum[:])
		return err
	})
	return out, err
}

// recordDemo notes what the demo has written.
func recordDemo(out string) error {
	files, err := filesIn(out)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(demoFiles{SchemaVersion: 1, Files: files}, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, demoRecord), append(text, '\n'), 0o644)
}

// emptyOrOurs refuses a folder that holds something else than a demo as the demo
// left it. Such a one is removed: its tenant is gone, and with it what its state
// speaks of.
func emptyOrOurs(out string) error {
	entries, err := os.ReadDir(out)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	var record demoFiles
	data, err := os.ReadFile(filepath.Join(out, demoRecord))
	if err != nil || json.Unmarshal(data, &record) != nil {
		return fmt.Errorf("--out %s holds other files; name another folder, or delete it", out)
	}
	files, err := filesIn(out)
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	var changed, foreign []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		switch sum, known := record.Files[name]; {
		case !known:
			foreign = append(foreign, name)
		case sum != files[name]:
			changed = append(changed, name)
		}
	}
	var why []string
	if len(changed) > 0 {
		why = append(why, "was changed since the last demo: "+policy.ShortList(changed))
	}
	if len(foreign) > 0 {
		why = append(why, "is not of the demo: "+policy.ShortList(foreign))
	}
	if len(why) > 0 {
		return fmt.Errorf("--out %s: a further demo would delete what %s; name another folder, or delete this one", out, strings.Join(why, ", and what "))
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(out, e.Name())); err != nil {
			return fmt.Errorf("--out: %w", err)
		}
	}
	return nil
}
