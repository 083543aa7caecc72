package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The commit of a checkout is read from its files, however git keeps it.
func TestCheckedOut(t *testing.T) {
	one, two := strings.Repeat("1", 40), strings.Repeat("2", 40)
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"a branch":           {map[string]string{".git/HEAD": "ref: refs/heads/main\n", ".git/refs/heads/main": one + "\n"}, one},
		"a detached head":    {map[string]string{".git/HEAD": two + "\n"}, two},
		"packed":             {map[string]string{".git/HEAD": "ref: refs/heads/a/b\n", ".git/packed-refs": "# pack-refs with: peeled\n" + two + " refs/heads/a\n" + one + " refs/heads/a/b\n"}, one},
		"a worktree":         {map[string]string{".git": "gitdir: real/worktrees/w\n", "real/worktrees/w/HEAD": "ref: refs/heads/w\n", "real/worktrees/w/commondir": "../..\n", "real/refs/heads/w": two + "\n"}, two},
		"none yet":           {map[string]string{".git/HEAD": "ref: refs/heads/main\n"}, ""},
		"a path out of it":   {map[string]string{".git/HEAD": "ref: ../../outside\n", "outside": one}, ""},
		"no checkout at all": {map[string]string{"x": ""}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range c.files {
				path := filepath.Join(dir, filepath.FromSlash(file))
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			below := filepath.Join(dir, "config", "baseline")
			if err := os.MkdirAll(below, 0o755); err != nil {
				t.Fatal(err)
			}
			if got := checkedOut(below); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
