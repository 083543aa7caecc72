package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/azcred"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/config"
)

// openStore opens the store that the configuration names: a folder, or a blob
// container, for which it signs in at the first request.
func openStore(ctx context.Context, cfg *config.Config, opt Options) (blobstore.Store, error) {
	if path, ok := strings.CutPrefix(cfg.Store.URL, "file:"); ok {
		return blobstore.OpenDir(path)
	}
	c := cfg.Store.Credential
	o := blobstore.AzureOptions{URL: cfg.Store.URL, Throttled: func(wait time.Duration) {
		opt.Log.Warn("the store is throttling; it is waited for", "store", cfg.Store.URL, "wait", wait)
	}}
	switch c.Kind {
	case config.KindConnectionString:
		o.ConnectionString, o.Reread = c.ConnectionString.Reveal(), c.ConnectionString.Reveal
	case config.KindSAS:
		o.SAS, o.Reread = c.SAS.Reveal(), c.SAS.Reveal
	default:
		cred, err := azcred.Store(cfg.Store, azcred.Options{Now: opt.Now})
		if err != nil {
			return nil, err
		}
		o.Credential = cred
	}
	store, err := blobstore.OpenAzure(ctx, o)
	if err != nil || cfg.Store.ImmutableDays == 0 {
		return store, err
	}
	if err := store.CheckImmutable(ctx); err != nil {
		return nil, fmt.Errorf("store.immutableDays: %w; switch it on, or take the key out", err)
	}
	return store, nil
}
