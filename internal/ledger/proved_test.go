package ledger_test

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
)

// Who decides by what a run says of itself reads no journal that was changed since,
// in whatever way, and none that is gone. A run that has not ended proves nothing.
func TestAChangedJournalIsNotRead(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{
		"as it was":        func(b []byte) []byte { return b },
		"without a line":   func(b []byte) []byte { return b[bytes.IndexByte(b, '\n')+1:] },
		"with one more":    func(b []byte) []byte { return append(b, b...) },
		"with another id":  func(b []byte) []byte { return bytes.Replace(b, []byte("a1"), []byte("a2"), 1) },
		"cut in its midst": func(b []byte) []byte { return b[:len(b)-3] },
		"gone":             func([]byte) []byte { return nil },
	} {
		for _, ended := range []bool{true, false} {
			w := newWorld(t, 0)
			r, err := w.Begin(t.Context(), ledger.BeginOptions{Mode: "apply"})
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Journal().Append(t.Context(), ledger.Entry{Type: ledger.EntryIntent, At: w.now, Run: r.ID(), Action: "a1", Kind: plan.CreatePolicy},
				ledger.Entry{Type: ledger.EntryOutcome, At: w.now, Run: r.ID(), Action: "a1", Kind: plan.CreatePolicy, Outcome: &plan.Outcome{Action: "a1", Status: plan.Done}}); err != nil {
				t.Fatal(err)
			}
			if ended {
				if _, err := r.Finish(t.Context(), ledger.Manifest{Status: "succeeded", FinishedAt: w.now, Counts: map[string]int{}}, "", ""); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			file := w.path(r.ID(), "journal.jsonl")
			was, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if now := change(bytes.Clone(was)); now == nil {
				err = os.Remove(file)
			} else {
				err = os.WriteFile(file, now, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			var found error
			n := 0
			for _, err := range w.ReadJournal(t.Context(), r.ID()) {
				if found = err; err == nil {
					n++
				}
			}
			refused := ended && name != "as it was"
			if (found != nil) != refused || refused && name != "gone" && !errors.Is(found, ledger.ErrChanged) {
				t.Errorf("%s, ended %t: %d entries, %v", name, ended, n, found)
			}
		}
	}
}
