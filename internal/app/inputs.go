package app

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/report"
)

// used notes a text that steers runs, under its name below the folder of the
// configuration.
func (a *App) used(to *[]ledger.InputText, kind, file string, data []byte) {
	if to == nil {
		return
	}
	name := filepath.Base(file)
	if abs, err := filepath.Abs(file); err == nil {
		if rel, err := filepath.Rel(a.Config.Dir, abs); err == nil && filepath.IsLocal(rel) {
			name = filepath.ToSlash(rel)
		}
	}
	*to = append(*to, ledger.InputText{Kind: kind, Name: name, Text: data, Names: true})
}

// settings are the effective values of the configuration, sorted once by whom they
// concern: many tenants have many of them.
type settings struct {
	before, after []setting // of all
	of            map[string][]setting
}

type setting struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Source string `json:"source"`
}

func sortedSettings(cfg *config.Config) settings {
	s := settings{of: map[string][]setting{}}
	own := map[string][]setting{} // by place in the list
	names := map[string]string{}
	for _, e := range cfg.Effective() {
		place, key, isOf := strings.Cut(e.Key, "].")
		switch {
		case isOf && strings.HasPrefix(place, "tenants["):
			own[place] = append(own[place], setting(e))
			if key == "name" {
				names[place] = e.Value
			}
		case len(own) == 0:
			s.before = append(s.before, setting(e))
		default:
			s.after = append(s.after, setting(e))
		}
	}
	for place, name := range names {
		s.of[name] = own[place]
	}
	return s
}

// settingsOf are the effective values of the configuration that concern one
// tenant, without secrets, in the form of config show -o json.
func (a *App) settingsOf(tenant string) ledger.InputText {
	a.sorting.Do(func() { a.settings = sortedSettings(a.Config) })
	text, err := report.Indented(slices.Concat([]setting{}, a.settings.before, a.settings.of[tenant], a.settings.after))
	if err != nil {
		panic(err) // texts
	}
	return ledger.InputText{Kind: ledger.InputConfiguration, Name: "configuration.json", Text: text}
}

// recording is Disk that tells of each file that was read whole.
type recording struct {
	read func(name string, data []byte)
}

// Open opens a file or a folder.
func (recording) Open(name string) (fs.File, error) { return Disk{}.Open(name) }

// ReadFile reads a file and tells of it.
func (r recording) ReadFile(name string) ([]byte, error) {
	data, err := os.ReadFile(name)
	if err == nil {
		r.read(name, data)
	}
	return data, err
}

// commit is the commit of the configuration: the one that was given, else the
// one that a git checkout of its folder stands at; empty if neither is known.
func (a *App) commit() string {
	if a.opt.ConfigCommit != "" {
		return a.opt.ConfigCommit
	}
	return checkedOut(a.Config.Dir)
}

var objectName = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)

// checkedOut reads from the files of a git checkout which commit a folder is of;
// empty where that does not show. The files may differ from that commit: what was
// really used stands among the inputs.
func checkedOut(dir string) string {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	for {
		if git := gitFolder(dir); git != "" {
			return headOf(git)
		}
		up := filepath.Dir(dir)
		if up == dir {
			return ""
		}
		dir = up
	}
}

// gitFolder is where the checkout at a folder keeps its state: .git, or where
// the file of that name leads.
func gitFolder(dir string) string {
	git := filepath.Join(dir, ".git")
	info, err := os.Stat(git)
	switch {
	case err != nil:
		return ""
	case info.IsDir():
		return git
	}
	to, found := strings.CutPrefix(firstLine(git), "gitdir: ")
	if !found {
		return ""
	}
	if !filepath.IsAbs(to) {
		to = filepath.Join(dir, to)
	}
	return to
}

func headOf(git string) string {
	head := firstLine(filepath.Join(git, "HEAD"))
	if objectName.MatchString(head) {
		return head
	}
	ref, found := strings.CutPrefix(head, "ref: ")
	if !found || !filepath.IsLocal(filepath.FromSlash(ref)) {
		return ""
	}
	folders := []string{git}
	if common := firstLine(filepath.Join(git, "commondir")); common != "" { // of a worktree
		if !filepath.IsAbs(common) {
			common = filepath.Join(git, common)
		}
		folders = append(folders, common)
	}
	for _, f := range folders {
		if at := firstLine(filepath.Join(f, filepath.FromSlash(ref))); objectName.MatchString(at) {
			return at
		}
		for line := range strings.Lines(beginning(filepath.Join(f, "packed-refs"), 16<<20)) {
			if at, name, _ := strings.Cut(strings.TrimSpace(line), " "); name == ref && objectName.MatchString(at) {
				return at
			}
		}
	}
	return ""
}

func firstLine(file string) string {
	line, _, _ := strings.Cut(beginning(file, 4096), "\n")
	return strings.TrimSpace(line)
}

// beginning is what a file begins with; empty if it cannot be read.
func beginning(file string, most int64) string {
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return ""
	}
	return string(data)
}
