package runs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/ledger"
)

func TestAKilledRunIsTakenUpAgainUnderItsID(t *testing.T) {
	w := newWorld(nil)
	o := w.Scheduled("contoso", due)
	w.err = errors.New("killed")
	if _, err := w.Execute(t.Context(), o); err == nil {
		t.Fatal("want an error")
	}
	if r, err := w.Run(t.Context(), "", o.Run); err != nil || r.Status != Running {
		t.Errorf("%+v, %v", r, err)
	}
	w.err = nil
	if res, err := w.Execute(t.Context(), o); err != nil || res == nil {
		t.Fatalf("%+v, %v", res, err)
	}
	infos, err := w.Ledger("contoso").Runs(t.Context(), 0)
	if err != nil || len(infos) != 1 || !infos[0].Complete {
		t.Errorf("runs %+v, %v", infos, err)
	}
}

// A run that was killed after it began to write keeps its plan and its journal:
// the next attempt settles what they left open, under an id of its own.
func TestARunThatHasWrittenGetsASuccessor(t *testing.T) {
	w := newWorld(nil)
	ctx := t.Context()
	o, err := w.Ordered("contoso", "apply", "", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Accept(ctx, o); err != nil {
		t.Fatal(err)
	}
	whole := w.Sweep
	for range 2 { // killed twice
		w.Sweep = func(ctx context.Context, o Order) (Result, error) {
			run, err := w.Ledger(o.Tenant).Begin(ctx, ledger.BeginOptions{Mode: o.Mode, Run: o.Run})
			if err != nil {
				return Result{}, err
			}
			if err := run.PutFile(ctx, "plan.json", []byte("the plan of "+o.Run)); err != nil {
				return Result{}, err
			}
			if err := run.Journal().Append(ctx, ledger.Entry{Type: ledger.EntryIntent, Run: o.Run, Action: "a"}); err != nil {
				return Result{}, err
			}
			return Result{}, errors.Join(errors.New("killed"), run.Close(ctx))
		}
		if _, err := w.Execute(ctx, o); err == nil {
			t.Fatal("want an error")
		}
		if r, err := w.Run(ctx, "", o.Run); err != nil || r.ID != o.Run || r.Status != Running {
			t.Errorf("%+v, %v", r, err)
		}
	}
	w.Sweep = whole
	for range 2 {
		if _, err := w.Execute(ctx, o); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.sweeps.Load(); n != 1 {
		t.Errorf("%d whole sweeps, want 1", n)
	}
	last := AttemptID(o.Run, 2)
	if r, err := w.Run(ctx, "", o.Run); err != nil || r.ID != o.Run || r.Status != Succeeded || *r.Report != "/api/runs/"+last+"/files/report.json" {
		t.Errorf("%+v, %v", r, err)
	}
	for n := range 2 {
		id := AttemptID(o.Run, n)
		in, _, err := w.Ledger("contoso").Open(ctx, id, "plan.json")
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(in); err != nil || string(data) != "the plan of "+id {
			t.Errorf("attempt %d: %q, %v", n, data, err)
		}
	}
	all, err := w.Runs(ctx, "contoso", 10)
	var complete int
	for _, r := range all {
		if r.ID == last && r.Status == Succeeded {
			complete++
		}
	}
	if err != nil || len(all) != 3 || complete != 1 {
		t.Errorf("%+v, %v", all, err)
	}
	// One that was not ordered by POST says who took it up.
	if r, err := w.show(ctx, "contoso", ledger.RunInfo{ID: o.Run, StartedAt: w.clock()}); err != nil || r.Status != Failed || !strings.Contains(r.Error, AttemptID(o.Run, 1)) {
		t.Errorf("%+v, %v", r, err)
	}
}

// One that has stored its plan and written nothing else may only be slow: its
// folder is left to it.
func TestARunThatHasItsPlanGetsASuccessor(t *testing.T) {
	w := newWorld(nil)
	o := w.Scheduled("contoso", due)
	whole := w.Sweep
	w.Sweep = func(ctx context.Context, o Order) (Result, error) {
		run, err := w.Ledger(o.Tenant).Begin(ctx, ledger.BeginOptions{Mode: o.Mode, Run: o.Run})
		if err != nil {
			return Result{}, err
		}
		return Result{}, errors.Join(run.PutFile(ctx, "plan.json", []byte("{}")), errors.New("stalled"), run.Close(ctx))
	}
	if _, err := w.Execute(t.Context(), o); err == nil {
		t.Fatal("want an error")
	}
	w.Sweep = whole
	if _, err := w.Execute(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	<-w.began
	if _, err := w.Ledger("contoso").Manifest(t.Context(), AttemptID(o.Run, 1)); err != nil {
		t.Errorf("no successor: %v", err)
	}
	if _, err := w.Ledger("contoso").Manifest(t.Context(), o.Run); !errors.Is(err, blobstore.ErrNotFound) {
		t.Errorf("the folder of the first was written to: %v", err)
	}
}

// Who finds that another process has taken its run up leaves it alone, as any
// second delivery does.
func TestARunThatAnotherProcessHasTakenUp(t *testing.T) {
	w := newWorld(nil)
	w.Sweep = func(context.Context, Order) (Result, error) {
		return Result{Status: "failed", Err: fmt.Errorf("storing the report: %w", ledger.ErrRunTaken)}, nil
	}
	if res, err := w.Execute(t.Context(), w.Scheduled("contoso", due)); res != nil || !errors.Is(err, ErrSame) {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestACancelledRunIsMadeUpUnderAnotherID(t *testing.T) {
	w := newWorld(nil)
	first, err := w.NextAttempt(t.Context(), "contoso", due)
	if err != nil || first.Run != w.Scheduled("contoso", due).Run {
		t.Fatalf("%+v, %v", first, err)
	}
	w.status = cancelled
	if _, err := w.Execute(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if last, err := w.LastRun(t.Context(), "contoso"); err != nil || !last.IsZero() {
		t.Errorf("a cancelled run counts as the last: %v, %v", last, err)
	}
	w.status = "partial"
	second, err := w.NextAttempt(t.Context(), "contoso", due)
	if err != nil || second.Run == first.Run {
		t.Fatalf("%+v, %v", second, err)
	}
	if _, err := w.Execute(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	third, err := w.NextAttempt(t.Context(), "contoso", due)
	if err != nil || third.Run != second.Run {
		t.Errorf("%+v, %v", third, err)
	}
	if last, err := w.LastRun(t.Context(), "contoso"); err != nil || !last.Equal(w.clock()) {
		t.Errorf("last run %v, %v", last, err)
	}
	if success, err := w.LastSuccess(t.Context(), "contoso"); err != nil || !success.IsZero() {
		t.Errorf("a partial run counts as a success: %v, %v", success, err)
	}
}

func TestAPlanIsNoScheduledApply(t *testing.T) {
	w := newWorld(nil)
	o, err := w.Ordered("contoso", "plan", "", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Execute(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if last, err := w.LastRun(t.Context(), "contoso"); err != nil || !last.IsZero() {
		t.Errorf("last run %v, %v", last, err)
	}
	if success, err := w.LastSuccess(t.Context(), "contoso"); err != nil || success.IsZero() {
		t.Errorf("last success %v, %v", success, err)
	}
}
