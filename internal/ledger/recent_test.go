package ledger_test

import (
	"os"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
)

func TestRecentActionsAndTornJournal(t *testing.T) {
	w := newWorld(t, 0)
	ctx := t.Context()
	r, err := w.Begin(ctx, ledger.BeginOptions{Mode: "apply"})
	if err != nil {
		t.Fatal(err)
	}
	entry := func(action, typ string, status plan.OutcomeStatus) ledger.Entry {
		e := ledger.Entry{Type: typ, At: w.now, Run: r.ID(), Action: action, Kind: plan.Dismiss}
		if typ == ledger.EntryOutcome {
			e.Outcome = &plan.Outcome{Action: action, Status: status}
		}
		return e
	}
	err = r.Journal().Append(ctx, entry("a1", "intent", ""), entry("a2", "intent", ""), entry("a3", "intent", ""),
		entry("a1", "outcome", plan.Done), entry("a2", "outcome", plan.Failed))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(ctx); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(w.path(r.ID(), "journal.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"type":"outc`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := w.RecentActions(ctx, w.now.Add(-time.Hour), nil)
	if err != nil || got[plan.Dismiss] != 2 {
		t.Errorf("recent %v, %v: want the done one and the one without an outcome", got, err)
	}
	if got, err := w.RecentActions(ctx, w.now.Add(time.Hour), nil); err != nil || got[plan.Dismiss] != 0 {
		t.Errorf("later %v, %v", got, err)
	}
}

// Whatever may have changed the tenant counts: also an answer that was lost.
func TestWhatCountsAsSent(t *testing.T) {
	for status, counts := range map[plan.OutcomeStatus]int{plan.Done: 1, plan.Processing: 1, plan.NotTaken: 1, plan.OverDismissed: 1, plan.Unknown: 1,
		plan.Moved: 0, plan.Failed: 0, plan.NotAttempted: 0, plan.SkippedAlready: 0} {
		w := newWorld(t, 0)
		r, err := w.Begin(t.Context(), ledger.BeginOptions{Mode: "apply"})
		if err != nil {
			t.Fatal(err)
		}
		e := ledger.Entry{Type: ledger.EntryIntent, At: w.now, Run: r.ID(), Action: "a1", Kind: plan.Dismiss}
		o := e
		o.Type, o.Outcome = ledger.EntryOutcome, &plan.Outcome{Action: "a1", Status: status}
		earlier := o // that of another run, with the same number
		earlier.Run, earlier.Outcome = "20261101T000000Z-000001", &plan.Outcome{Action: "a1", Status: plan.Failed}
		if err := r.Journal().Append(t.Context(), e, o, earlier); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, err := w.RecentActions(t.Context(), w.now.Add(-time.Hour), nil); err != nil || got[plan.Dismiss] != counts {
			t.Errorf("%s counts %d, %v; want %d", status, got[plan.Dismiss], err, counts)
		}
	}
}

// A run that was made up days after it was due acts now, whatever its id says.
func TestRecentActionsOfARunThatWasDueLongAgo(t *testing.T) {
	w := newWorld(t, 3)
	ctx := t.Context()
	late := ledger.RunID(w.now.Add(-10*24*time.Hour), [3]byte{1, 2, 3})
	r, err := w.Begin(ctx, ledger.BeginOptions{Mode: "apply", Run: late})
	if err != nil {
		t.Fatal(err)
	}
	s, version, err := w.State(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s.BeginsToWrite(late, w.now)
	s.OpenRuns = nil // settled meanwhile
	if _, err := w.SaveState(ctx, s, version); err != nil {
		t.Fatal(err)
	}
	if err := r.Journal().Append(ctx, ledger.Entry{Type: ledger.EntryIntent, At: w.now, Run: late, Action: "a1", Kind: plan.Dismiss}); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(ctx); err != nil {
		t.Fatal(err)
	}
	began := w.now
	w.run(t, "apply") // and moves the clock on
	if s, _, err = w.State(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Prune(ctx, s.Unpruned()...); err != nil {
		t.Fatal(err)
	}
	got, err := w.RecentActions(ctx, began, s.Writers)
	if err != nil || got[plan.Dismiss] != 1 {
		t.Errorf("recent %v, %v: want the dismissal of the run that was made up", got, err)
	}
	w.now = w.now.Add(100 * time.Hour)
	s.BeginsToWrite("20261129T000000Z-000001", w.now)
	if len(s.Writers) != 1 {
		t.Errorf("writers %v: the old one is of no use any more", s.Writers)
	}
}
