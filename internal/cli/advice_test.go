package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/risksweep/risksweep/internal/entra"
)

func TestAdviceFor(t *testing.T) {
	broken := func(why error) error {
		return fmt.Errorf("opening the journal: %w", &fs.PathError{Op: "mkdir", Path: "/reports/contoso", Err: why})
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{broken(syscall.EACCES), "writable"},
		{broken(syscall.EROFS), "writable"},
		{broken(syscall.ENOSPC), "make room"},
		{broken(syscall.ENOTDIR), "name a folder"},
		{fmt.Errorf("x: %w", entra.ErrUnlicensed), "licence"},
		{usageError{fmt.Errorf("--out: %w", broken(syscall.EACCES))}, ""},
		{errors.New("something else"), ""},
	} {
		a, ok := adviceFor(c.err)
		if ok != (c.want != "") || !strings.Contains(a.Do, c.want) {
			t.Errorf("%v: %q", c.err, a.Do)
		}
	}
}
