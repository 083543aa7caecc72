package ledger_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Whatever is there holds; its text is short and on one line.
func TestHold(t *testing.T) {
	write := func(text string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	must := func(t *testing.T, err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	const none = "no reason is given"
	for name, c := range map[string]struct {
		make func(t *testing.T, path string)
		want string
	}{
		"a text":         {write("incident 7\nask Ada\n"), "incident 7 ask Ada"},
		"empty":          {write(""), none},
		"blank":          {write(" \n\t"), none},
		"UTF-16":         {write("\xff\xfeh\x00e\x00l\x00d\x00\r\x00\n\x00"), "held"},
		"no text":        {write("\xff\xfe\xfd\x00\x01\x1b"), none},
		"large":          {write(strings.Repeat("stop now \n", 1<<20)), strings.Repeat("stop now ", 22) + "st…"},
		"large and torn": {write(strings.Repeat("é", 1<<20)), strings.Repeat("é", 200) + "…"},
		"a folder":       {func(t *testing.T, p string) { must(t, os.Mkdir(p, 0o700)) }, none},
		"a full folder": {func(t *testing.T, p string) {
			must(t, os.Mkdir(p, 0o700))
			must(t, os.WriteFile(filepath.Join(p, "why"), []byte("x"), 0o600))
		}, none},
		"a link":            {func(t *testing.T, p string) { write("linked")(t, p+".text"); must(t, os.Symlink(p+".text", p)) }, "linked"},
		"a dangling link":   {func(t *testing.T, p string) { must(t, os.Symlink("/nonexistent", p)) }, none},
		"a link to itself":  {func(t *testing.T, p string) { must(t, os.Symlink(p, p)) }, none},
		"a link to a file/": {func(t *testing.T, p string) { must(t, os.Symlink("/dev/null/x", p)) }, none},
		"a pipe":            {func(t *testing.T, p string) { must(t, syscall.Mkfifo(p, 0o600)) }, none},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 0)
			must(t, os.MkdirAll(filepath.Join(w.root, "contoso"), 0o700))
			c.make(t, filepath.Join(w.root, "contoso", "HOLD"))
			reason, held, err := w.Hold(t.Context())
			if !held || reason != c.want || err != nil {
				t.Errorf("%q, held %v, %v; want %q", reason, held, err, c.want)
			}
		})
	}
}

// Only what is plainly absent does not hold.
func TestNoHold(t *testing.T) {
	w := newWorld(t, 0)
	look := func(want bool) {
		t.Helper()
		if _, held, err := w.Hold(t.Context()); held || (err == nil) != want {
			t.Errorf("held %v, %v", held, err)
		}
	}
	look(true) // not even a folder of the tenant
	if err := os.Mkdir(filepath.Join(w.root, "contoso"), 0o700); err != nil {
		t.Fatal(err)
	}
	look(true)
	if err := os.WriteFile(filepath.Join(w.root, "contoso", "HOLD.old"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	look(true)
	if err := os.RemoveAll(w.root); err != nil {
		t.Fatal(err)
	}
	look(false) // the store is gone: nobody knows
	if err := os.WriteFile(w.root, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	look(false)
}
