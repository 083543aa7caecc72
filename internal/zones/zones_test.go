package zones

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What changed in 2026, which data of 2025 does not know.
func TestZonesAsTheyAreIn2026(t *testing.T) {
	for _, c := range []struct {
		zone, at, want string
	}{
		{"America/Vancouver", "2026-01-15T12:00:00Z", "-0800"}, {"America/Vancouver", "2026-12-15T12:00:00Z", "-0700"}, {"America/Vancouver", "2027-07-15T12:00:00Z", "-0700"},
		{"America/Edmonton", "2026-01-15T12:00:00Z", "-0700"}, {"America/Edmonton", "2026-12-15T12:00:00Z", "-0600"}, {"America/Edmonton", "2027-07-15T12:00:00Z", "-0600"},
		{"Africa/Casablanca", "2026-01-15T12:00:00Z", "+0100"}, {"Africa/Casablanca", "2026-12-15T12:00:00Z", "+0000"}, {"Africa/Casablanca", "2027-07-15T12:00:00Z", "+0000"},
		{"Europe/Berlin", "2026-12-15T12:00:00Z", "+0100"}, {"Europe/Berlin", "2027-07-15T12:00:00Z", "+0200"}, {"UTC", "2027-07-15T12:00:00Z", "+0000"}, {"", "2027-07-15T12:00:00Z", "+0000"},
	} {
		zone, err := own(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := at.In(zone).Format("-0700"); got != c.want {
			t.Errorf("%s at %s: %s, want %s", c.zone, c.at, got, c.want)
		}
	}
	for _, name := range []string{"Mars/Base", "Europe", "Europe/", "../etc/passwd", "europe/berlin"} {
		if _, err := own(name); err == nil {
			t.Errorf("%q is a zone", name)
		}
	}
}

func TestEveryZoneOfTheDataLoads(t *testing.T) {
	files, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range files.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		n++
		if _, err := own(f.Name); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	if n < 590 {
		t.Errorf("only %d zones", n)
	}
}

func TestTheDataIsWhatWasTakenIn(t *testing.T) {
	sum := sha256.Sum256(data)
	want, err := os.ReadFile("zoneinfo.zip.sha256")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(want), hex.EncodeToString(sum[:])+" ") {
		t.Errorf("zoneinfo.zip is %x", sum)
	}
}

func TestTheNewestDataIsTaken(t *testing.T) {
	system := func(file, content string) string {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "Europe"), 0o755); err != nil {
			t.Fatal(err)
		}
		if file != "" {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	for name, c := range map[string]struct {
		file, content string
		newer         bool
	}{
		"none said": {"", "", false}, "older": {"tzdata.zi", "# version 2025b\n# This\n", false}, "the same": {"+VERSION", Version + "\n", false},
		"newer": {"tzdata.zi", "# version 2027a\n", true}, "newer by letter": {"version", "2026d", true}, "changed by Debian": {"tzdata.zi", "# version 2099a-dirty\n", true}, "not a version": {"+VERSION", "new", false},
	} {
		dir := system(c.file, c.content)
		if got := choose("", []string{"/nonexistent", dir}); (got.From == dir) != c.newer || got.Older() {
			t.Errorf("%s: %+v", name, got)
		}
		// What ZONEINFO names is taken, and said to be older.
		if got := choose(dir, nil); got.From != dir || got.Older() == (c.newer || c.content == Version+"\n") {
			t.Errorf("ZONEINFO, %s: %+v", name, got)
		}
	}
	if got := choose("/nonexistent", nil); got.From != "the program" || got.Version != Version {
		t.Errorf("%+v", got)
	}
}
