// Package zones gives time zones from the newest data at hand: that of the
// system or that within the program. Countries change their clocks at short
// notice, and images are renewed late or have no such data at all.
package zones

import (
	"archive/zip"
	"bytes"
	_ "embed" // the data
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Version is the release of the data within the program, as IANA names it;
// the script renew beside this file takes a newer one in.
const Version = "2026c"

// data is lib/time/zoneinfo.zip of Go 1.27.4.
//
//go:embed zoneinfo.zip
var data []byte

// Source says which data is in use.
type Source struct {
	// Version is the release; empty if the data does not say.
	Version string
	// From is where it is: a folder or file, or "the program".
	From string
}

// Older reports data that is not as new as the program's own, as far as it
// says.
func (s Source) Older() bool { return s.Version < Version }

var current = sync.OnceValue(func() Source { return choose(os.Getenv("ZONEINFO"), systemFolders) })

// Current is the data that Load takes zones from.
func Current() Source { return current() }

// systemFolders are where systems keep their data, as package time looks.
var systemFolders = []string{"/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/usr/lib/locale/TZ", "/etc/zoneinfo"}

// choose prefers what ZONEINFO names, which somebody set on purpose, then the
// newer of the system's and the program's.
func choose(named string, folders []string) Source {
	if named != "" {
		if _, err := os.Stat(named); err == nil {
			return Source{Version: version(named), From: named}
		}
	}
	for _, folder := range folders {
		if _, err := os.Stat(filepath.Join(folder, "Europe")); err != nil {
			continue
		}
		if v := version(folder); v > Version {
			return Source{Version: v, From: folder}
		}
		break // package time takes the first that there is
	}
	return Source{Version: Version, From: "the program"}
}

var release = regexp.MustCompile(`\b20\d\d[a-z]\b`)

// version reads the release of the data in a folder; empty if none is said.
func version(folder string) string {
	for _, name := range []string{"tzdata.zi", "+VERSION", "version"} {
		f, err := os.Open(filepath.Join(folder, name))
		if err != nil {
			continue
		}
		line, err := io.ReadAll(io.LimitReader(f, 64))
		_ = f.Close() // it was only read
		if found := release.Find(line); err == nil && found != nil {
			return string(found)
		}
	}
	return ""
}

// Load gives a zone by its IANA name; an empty name is UTC.
func Load(name string) (*time.Location, error) {
	if Current().From != "the program" {
		return time.LoadLocation(name)
	}
	return own(name)
}

// own gives a zone of the program's data.
func own(name string) (*time.Location, error) {
	if name == "" || name == "UTC" {
		return time.UTC, nil
	}
	files, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("the program's time zone data: %w", err)
	}
	for _, f := range files.File {
		if f.Name != name || strings.HasSuffix(name, "/") {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		defer r.Close()
		content, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		return time.LoadLocationFromTZData(name, content)
	}
	return nil, fmt.Errorf("unknown time zone %s", name)
}
