package sweep

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/ledger"
)

// TestGate: nothing leaves while HOLD is there or cannot be looked for, nor
// without a lease that lasts for the whole of the write, by either clock.
func TestGate(t *testing.T) {
	begin := time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		happens func(t *testing.T, store *blobstore.Memory, l *ledger.Ledger, now *time.Time)
		takes   time.Duration
		want    string
	}{
		"all is well": {takes: 20 * time.Second},
		"HOLD": {want: "HOLD: an audit", happens: func(t *testing.T, store *blobstore.Memory, _ *ledger.Ledger, _ *time.Time) {
			if err := store.Put(t.Context(), "contoso/HOLD", []byte("an audit\n")); err != nil {
				t.Fatal(err)
			}
		}},
		"HOLD cannot be looked for": {want: "looking for HOLD", happens: func(_ *testing.T, store *blobstore.Memory, _ *ledger.Ledger, _ *time.Time) {
			store.Fault = func(_, name string) error {
				if strings.HasSuffix(name, "HOLD") {
					return errors.New("no answer")
				}
				return nil
			}
		}},
		"the lease is another's": {want: "the lease is lost", happens: func(t *testing.T, _ *blobstore.Memory, l *ledger.Ledger, now *time.Time) {
			*now = now.Add(time.Hour)
			if _, err := l.Begin(t.Context(), ledger.BeginOptions{Mode: "apply"}); err != nil {
				t.Fatal(err)
			}
		}},
		"the lease ends before the write would": {takes: 2 * time.Minute, want: "too early to finish a write"},
	} {
		t.Run(name, func(t *testing.T) {
			now := begin
			store := blobstore.NewMemory()
			store.Now = func() time.Time { return now }
			l := ledger.New(store, "contoso", ledger.Options{Now: store.Now})
			run, err := l.Begin(t.Context(), ledger.BeginOptions{Mode: "apply"})
			if err != nil {
				t.Fatal(err)
			}
			if c.happens != nil {
				c.happens(t, store, l, &now)
			}
			hold := ""
			j := &job{Sweeper: &Sweeper{Ledger: l, Now: store.Now}, led: run}
			err = j.gate(t.Context(), c.takes, &hold)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if (hold != "") != (name == "HOLD") {
				t.Errorf("HOLD is said to be %q", hold)
			}
		})
	}
}

// TestMayReturn: what is in the tenant, may be in it, or would stand beside
// another of its name does not come back.
func TestMayReturn(t *testing.T) {
	w := Restore{Kind: entra.KindPolicy, ID: "p1", Name: "Legacy"}
	was := entra.Document{"id": "p1", "displayName": "Legacy"}
	for name, c := range map[string]struct {
		form entra.Document
		live drift.Live
		want string
	}{
		"it is gone":               {form: was, live: drift.Live{Policies: []entra.Document{{"id": "p2", "displayName": "Other"}}}},
		"of another kind":          {form: was, live: drift.Live{Locations: []entra.Document{{"id": "l1", "displayName": "legacy"}}, Unread: []drift.Unread{{Kind: entra.KindLocation, Reason: "refused"}}}},
		"it is there":              {form: was, live: drift.Live{Policies: []entra.Document{{"id": "P1", "displayName": "Renamed"}}}, want: "there is nothing to restore"},
		"nobody knows what it was": {live: drift.Live{}, want: "no run has stored what it was"},
		"another has its name":     {form: was, live: drift.Live{Policies: []entra.Document{{"id": "p2", "displayName": "LEGACY"}}}, want: `another policy named "LEGACY" (p2)`},
		"the list is not read":     {form: was, live: drift.Live{Unread: []drift.Unread{{Kind: entra.KindPolicy, Reason: "refused"}}}, want: "is not known: refused"},
	} {
		err := mayReturn(w, c.form, "it is gone", c.live)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
