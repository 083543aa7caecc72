package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/entra"
)

// adviceFor is what is known of an error: of the service, or of a store that is
// a folder. A blob container's errors say themselves what to do.
func adviceFor(err error) (entra.Advice, bool) {
	if a, ok := entra.AdviceFor(err); ok {
		return a, true
	}
	var typed usageError
	switch {
	case errors.As(err, &typed): // a file that was named on the command line
	case errors.Is(err, blobstore.ErrGone):
		return entra.Advice{Means: "the place where reports and state are kept was removed, replaced or unmounted, so nothing is known of HOLD and of earlier runs", Do: "mount it, or put it back from a backup, and run again; a run that finds no state takes the tenant for a new one"}, true
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return entra.Advice{Means: "this user may not write in the store's folder", Do: "make the folder of store.url writable for it, or name another; doctor tries it"}, true
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return entra.Advice{Means: "there is no room left in the store's folder", Do: "make room and run again: what this run left open, the next one settles"}, true
	case errors.Is(err, syscall.ENOTDIR):
		return entra.Advice{Means: "a file is where the store's folder should be", Do: "name a folder in store.url"}, true
	}
	return entra.Advice{}, false
}

// advise says what a known failure means, and what to do.
func (c *command) advise(err error) {
	if a, ok := adviceFor(err); ok {
		fmt.Fprintln(c.Err, printableLines("It means that "+a.Means+".\nWhat to do: "+a.Do+"."))
	}
}
