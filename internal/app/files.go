package app

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// baselineFiles are the texts of a baseline's files by their names.
type baselineFiles map[string][]byte

func readFiles(path string) (baselineFiles, *baseline.Baseline, yamldoc.Problems) {
	files := baselineFiles{}
	b, problems := baseline.Load(recording{func(name string, data []byte) { files[name] = data }}, Relative(path))
	return files, b, problems
}

// write puts other texts in the place of files, each whole or not at all. They are
// all written beside their places first, and nothing is replaced if one of them
// cannot be, or if a file is no longer what was read.
func (f baselineFiles) write(changed map[string][]byte) (err error) {
	ready := map[string]string{}
	defer func() {
		for _, temp := range ready {
			err = errors.Join(err, os.Remove(temp))
		}
	}()
	names := slices.Sorted(maps.Keys(changed))
	for _, name := range names {
		to, err := filepath.EvalSymlinks(name)
		if err != nil {
			return fmt.Errorf("writing ids into %s: %w", name, err)
		}
		if now, err := os.ReadFile(to); err != nil || !bytes.Equal(now, f[name]) {
			return fmt.Errorf("writing ids: %s was changed meanwhile and is left as it is; run the command again", name)
		}
		temp, err := beside(to, changed[name])
		if err != nil {
			return fmt.Errorf("writing ids into %s: %w", name, err)
		}
		ready[to] = temp
	}
	for _, to := range slices.Sorted(maps.Keys(ready)) {
		if err := os.Rename(ready[to], to); err != nil {
			return fmt.Errorf("writing ids into %s: %w; run the command again", Relative(to), err)
		}
		delete(ready, to)
	}
	return nil
}

// beside writes a text to a new file beside another, with its mode.
func beside(to string, text []byte) (name string, err error) {
	info, err := os.Stat(to)
	if err != nil {
		return "", err
	}
	temp, err := os.CreateTemp(filepath.Dir(to), ".risksweep-*")
	if err != nil {
		return "", err
	}
	_, err = temp.Write(text)
	if err == nil {
		err = temp.Chmod(info.Mode().Perm())
	}
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err != nil {
		return "", errors.Join(err, os.Remove(temp.Name()))
	}
	return temp.Name(), nil
}
