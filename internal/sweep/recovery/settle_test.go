package recovery_test

import (
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/sweep/recovery"
)

// An open run whose plan is gone has sent what its journal names: nobody knows what
// that was, and nothing goes on. Where the whole run is gone nothing is left to settle.
func TestTheLostPlanOfAnOpenRun(t *testing.T) {
	for name, wrote := range map[string]bool{"with an intent": true, "without a journal": false} {
		t.Run(name, func(t *testing.T) {
			store := blobstore.NewMemory()
			l := ledger.New(store, "contoso", ledger.Options{})
			r, err := l.Begin(t.Context(), ledger.BeginOptions{Mode: "apply"})
			if err != nil {
				t.Fatal(err)
			}
			if wrote {
				e := ledger.Entry{Type: ledger.EntryIntent, At: time.Now(), Run: r.ID(), Action: "a0001", Kind: plan.Dismiss}
				if err := r.Journal().Append(t.Context(), e); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			stored := recovery.Stored{State: ledger.State{OpenRuns: []string{r.ID()}}, Read: true}
			got, err := recovery.Recover(t.Context(), recovery.Options{Ledger: l, Scope: recovery.All, Patience: apply.Patience{Now: time.Now}}, stored)
			switch {
			case wrote && (err == nil || !strings.Contains(err.Error(), "plan.json of run "+r.ID()) || !strings.Contains(err.Error(), "a0001")):
				t.Errorf("got %v", err)
			case !wrote && (err != nil || len(got.State.OpenRuns) != 0):
				t.Errorf("open %v, %v", got.State.OpenRuns, err)
			}
		})
	}
}
