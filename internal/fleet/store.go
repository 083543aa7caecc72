package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/risksweep/risksweep/internal/blobstore"
)

// The files of a store that belong to no tenant alone.
const (
	Page     = "fleet/index.html"
	Document = "fleet/fleet.json"
	folder   = "fleet/tenants/"
	suffix   = ".json"
)

// attempts is how often a summary is put beside that of a run which ended at
// the same time, readers how many summaries are read at a time.
const (
	attempts = 10
	readers  = 16
)

// Put stores the summary of a run, unless that of a later run is there.
func Put(ctx context.Context, store blobstore.Store, s Summary) error {
	name := folder + s.Tenant + suffix
	for range attempts {
		data, version, err := store.Get(ctx, name)
		if err != nil && !errors.Is(err, blobstore.ErrNotFound) {
			return err
		}
		var before Summary
		if err == nil {
			// A damaged summary is replaced: the next runs fill it again.
			_ = json.Unmarshal(data, &before)
			if before.FinishedAt.After(s.FinishedAt) {
				return nil
			}
		}
		text, err := json.Marshal(s.After(before))
		if err != nil {
			return err
		}
		_, err = store.PutIf(ctx, name, append(text, '\n'), version)
		if !errors.Is(err, blobstore.ErrChanged) {
			return err
		}
	}
	return fmt.Errorf("%s: %w", name, blobstore.ErrChanged)
}

// Read puts the summaries of a store together. One that is damaged is named as
// a tenant that failed: it is not left out.
func Read(ctx context.Context, store blobstore.Store, view View) (Fleet, error) {
	var names []string
	for file, err := range store.List(ctx, folder) {
		if err != nil {
			return Fleet{}, err
		}
		if strings.HasSuffix(file.Name, suffix) {
			names = append(names, file.Name)
		}
	}
	list := make([]*Summary, len(names))
	var g errgroup.Group
	g.SetLimit(readers)
	for i, name := range names {
		g.Go(func() error {
			data, _, err := store.Get(ctx, name)
			if errors.Is(err, blobstore.ErrNotFound) {
				return nil // deleted while we looked
			}
			if err != nil {
				return err
			}
			tenant := strings.TrimSuffix(strings.TrimPrefix(name, folder), suffix)
			s := &Summary{}
			if err := json.Unmarshal(data, s); err != nil || s.Tenant != tenant {
				s = &Summary{SchemaVersion: SchemaVersion, Tenant: tenant, Status: "failed", Failures: []Failure{{"store", name + " is damaged; the next run writes it anew"}}}
			}
			list[i] = s
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return Fleet{}, err
	}
	var all []Summary
	for _, s := range list {
		if s != nil {
			all = append(all, *s)
		}
	}
	return Of(all, view), nil
}

// PublishedAt is when fleet.json was last written; zero if it never was.
func PublishedAt(ctx context.Context, store blobstore.Store) (time.Time, error) {
	body, info, err := store.Open(ctx, Document)
	if errors.Is(err, blobstore.ErrNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	return info.Modified, body.Close()
}

// Publish writes the page and fleet.json. Of two that publish at once the last
// one stays, and each holds what was in the store when it looked.
func Publish(ctx context.Context, store blobstore.Store, f Fleet) error {
	var doc bytes.Buffer
	enc := json.NewEncoder(&doc)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(f); err != nil {
		return err
	}
	var page bytes.Buffer
	if err := WriteHTML(&page, f, InStore); err != nil {
		return err
	}
	if err := store.Put(ctx, Document, doc.Bytes()); err != nil {
		return err
	}
	return store.Put(ctx, Page, page.Bytes())
}
