package ledger_test

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
)

// begin begins an apply run and reads the state.
func (w *world) begin(t *testing.T) (*ledger.Run, ledger.State, string) {
	t.Helper()
	r, err := w.Begin(t.Context(), ledger.BeginOptions{Mode: "apply"})
	if err != nil {
		t.Fatal(err)
	}
	s, version, err := w.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r, s, version
}

// cut begins to write and dies.
func (w *world) cut(t *testing.T) string {
	t.Helper()
	ctx := t.Context()
	r, s, version := w.begin(t)
	s.BeginsToWrite(r.ID(), w.now)
	if _, err := w.SaveState(ctx, s, version); err != nil {
		t.Fatal(err)
	}
	err := errors.Join(r.Claim(ctx, "plan.json", []byte("{}\n")),
		r.Journal().Append(ctx, ledger.Entry{Type: ledger.EntryIntent, At: w.now, Run: r.ID(), Action: "a1", Kind: plan.Dismiss}), r.Close(ctx))
	if err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Hour)
	return r.ID()
}

// settle is the next run, which finds it.
func (w *world) settle(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	r, s, version := w.begin(t)
	m := ledger.Manifest{Status: "succeeded", FinishedAt: w.now, Counts: map[string]int{}}
	var err error
	if m.CutShort, err = w.CutShort(ctx, append(s.OpenRuns, r.ID())[:1]); err != nil || len(m.CutShort) != 1 {
		t.Fatal(m.CutShort, err)
	}
	if s.Head, err = r.Finish(ctx, m, s.Head, s.HeadRun); err != nil {
		t.Fatal(err)
	}
	s.HeadRun, s.OpenRuns, s.Writers = r.ID(), nil, nil
	if _, err := w.SaveState(ctx, s, version); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Latest(ctx, "succeeded"), r.Close(ctx)); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Hour)
}

// A run that began to write and was cut short is missed when it is gone, before a
// later run has found it and after that; and what it left may not change.
func TestARunThatWasCutShortIsMissed(t *testing.T) {
	for name, c := range map[string]struct {
		found bool
		do    func(w *world, id string) error
		want  string
	}{
		"there, not found yet": {false, func(*world, string) error { return nil }, ""},
		"there":                {true, func(*world, string) error { return nil }, ""},
		"gone, not found yet":  {false, func(w *world, id string) error { return os.RemoveAll(w.path(id, "")) }, "began to write to the tenant, as the state records, and is missing"},
		"gone":                 {true, func(w *world, id string) error { return os.RemoveAll(w.path(id, "")) }, "journal.jsonl is missing"},
		"its plan changed":     {true, func(w *world, id string) error { return os.WriteFile(w.path(id, "plan.json"), []byte("[]\n"), 0o600) }, "plan.json was changed"},
		"its journal is cut":   {true, func(w *world, id string) error { return os.Truncate(w.path(id, "journal.jsonl"), 9) }, "journal.jsonl is truncated: 9 of"},
		"it wrote on": {true, func(w *world, id string) error {
			f, err := os.OpenFile(w.path(id, "journal.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString("{}\n")
			return errors.Join(err, f.Close())
		}, ""},
	} {
		w := newWorld(t, 0)
		w.run(t, "apply")
		id := w.cut(t)
		if c.found {
			w.settle(t)
		}
		if err := c.do(w, id); err != nil {
			t.Fatal(err)
		}
		v := w.verify(t, "")
		if got := strings.Join(v.Problems, "\n"); (c.want == "") != (got == "") || !strings.Contains(got, c.want) || strings.Count(got, id) > 2 {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if proved := v.CutShort == 1; c.want == "" && proved != c.found {
			t.Errorf("%s: proved %t", name, proved)
		}
	}
}

// What retention has deleted is not missed.
func TestARunThatWasCutShortMayBePruned(t *testing.T) {
	w := newWorld(t, 2)
	w.run(t, "apply")
	id := w.cut(t)
	w.settle(t)
	w.now = w.now.Add(50 * time.Hour)
	w.run(t, "apply")
	if gone, err := w.Prune(t.Context()); err != nil || len(gone) == 0 {
		t.Fatal(gone, err)
	}
	if _, err := os.Stat(w.path(id, "plan.json")); err == nil {
		t.Fatal("it is still there")
	}
	if v := w.verify(t, ""); len(v.Problems) > 0 {
		t.Error(v.Problems)
	}
}

// A journal that lost its last lines would count too little for the limits.
func TestTheLimitsCountNoDamagedJournal(t *testing.T) {
	w := newWorld(t, 0)
	r, err := w.Begin(t.Context(), ledger.BeginOptions{Mode: "apply"})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{"a1", "a2"} {
		if err := r.Journal().Append(t.Context(), ledger.Entry{Type: ledger.EntryIntent, At: w.now, Run: r.ID(), Action: a, Kind: plan.Dismiss}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Finish(t.Context(), ledger.Manifest{Status: "succeeded", FinishedAt: w.now, Counts: map[string]int{}}, "", ""); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	count := func() (int, error) {
		got, err := w.RecentActions(t.Context(), w.now.Add(-time.Hour), nil)
		return got[plan.Dismiss], err
	}
	if n, err := count(); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if err := os.Truncate(w.path(r.ID(), "journal.jsonl"), 150); err != nil {
		t.Fatal(err)
	}
	if n, err := count(); !errors.Is(err, ledger.ErrChanged) {
		t.Errorf("counted %d, %v", n, err)
	}
}

// A file that changes between the look and the reading is not taken as proved.
func TestAFileThatChangesWhileItIsRead(t *testing.T) {
	w := newWorld(t, 0)
	id := w.run(t, "apply")
	in, proved, err := w.OpenProved(t.Context(), id, "plan.json")
	if err != nil || !proved {
		t.Fatal(proved, err)
	}
	defer in.Close()
	if err := os.WriteFile(w.path(id, "plan.json"), []byte("[]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(in); !errors.Is(err, ledger.ErrChanged) {
		t.Errorf("%q, %v", data, err)
	}
}
