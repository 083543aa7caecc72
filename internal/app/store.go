package app

import (
	"context"
	"fmt"
	"strings"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/config"
)

// openStore opens the store that the configuration names.
func openStore(_ context.Context, cfg *config.Config, _ Options) (blobstore.Store, error) {
	if path, ok := strings.CutPrefix(cfg.Store.URL, "file:"); ok {
		return blobstore.OpenDir(path)
	}
	return nil, fmt.Errorf("no store is known for this address")
}
