package ledger_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/ledger"
)

// copied is a world of its own with the same store.
func (w *world) copied(t *testing.T) *world {
	t.Helper()
	out := &world{root: filepath.Join(t.TempDir(), "copy"), now: w.now}
	if err := os.CopyFS(out.root, os.DirFS(w.root)); err != nil {
		t.Fatal(err)
	}
	store, err := blobstore.OpenDir(out.root)
	if err != nil {
		t.Fatal(err)
	}
	out.Ledger = ledger.New(store, "contoso", ledger.Options{Now: func() time.Time { return out.now }})
	return out
}

// edit replaces a text in a file of the store.
func edit(file, from, to string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if !bytes.Contains(data, []byte(from)) {
		return fmt.Errorf("%s has no %q", file, from)
	}
	return os.WriteFile(file, bytes.ReplaceAll(data, []byte(from), []byte(to)), 0o600)
}

// A plan run that was deleted or rewritten shows, whichever it is, and so does a
// list that was.
func TestVerifyPlanRuns(t *testing.T) {
	whole := newWorld(t, 0)
	var ids []string
	for range 3 {
		ids = append(ids, whole.run(t, "plan"))
	}
	clean := whole.verify(t, "")
	if len(clean.Problems) > 0 || clean.PlansChained != 3 || clean.Alone != 0 || clean.PlanHead == "" || clean.PlanHeadGiven {
		t.Fatalf("a store in order: %+v", clean)
	}
	if v := whole.verify(t, clean.PlanHead); len(v.Problems) > 0 || !v.PlanHeadGiven || v.HeadGiven {
		t.Errorf("with its head: %+v", v)
	}
	rewrite := func(w *world, id string) error {
		return edit(w.path(id, "manifest.json"), "succeeded", "failed")
	}
	list := func(w *world) string { return filepath.Join(w.root, "contoso/plans.json") }
	unlisted := func(w *world, id string) error {
		p, _, err := w.Plans(context.Background())
		if err != nil {
			return err
		}
		var keep []ledger.Link
		for _, l := range p.Runs {
			if l.Run != id {
				keep = append(keep, l)
			}
		}
		p.Runs = keep
		data, err := json.Marshal(p)
		return errors.Join(err, os.WriteFile(list(w), data, 0o600))
	}
	for name, c := range map[string]struct {
		do   func(w *world) error
		want string
		head string
	}{
		"the first is deleted":        {do: func(w *world) error { return os.RemoveAll(w.path(ids[0], "")) }, want: "run " + ids[0] + " is missing"},
		"one between is deleted":      {do: func(w *world) error { return os.RemoveAll(w.path(ids[1], "")) }, want: "run " + ids[1] + " is missing"},
		"the newest is deleted":       {do: func(w *world) error { return os.RemoveAll(w.path(ids[2], "")) }, want: "run " + ids[2] + " is missing"},
		"its manifest is deleted":     {do: func(w *world) error { return os.Remove(w.path(ids[1], "manifest.json")) }, want: "run " + ids[1] + " is missing"},
		"the first is rewritten":      {do: func(w *world) error { return rewrite(w, ids[0]) }, want: "the manifest of run " + ids[0] + " was changed"},
		"the newest is rewritten":     {do: func(w *world) error { return rewrite(w, ids[2]) }, want: "the manifest of run " + ids[2] + " was changed"},
		"it becomes an apply run":     {do: func(w *world) error { return edit(w.path(ids[1], "manifest.json"), `"plan"`, `"apply"`) }, want: "the manifest of run " + ids[1] + " was changed"},
		"a manifest is damaged":       {do: func(w *world) error { return os.Truncate(w.path(ids[1], "manifest.json"), 9) }, want: "the manifest of run " + ids[1] + " was changed"},
		"the list is deleted":         {do: func(w *world) error { return os.Remove(list(w)) }, want: "plans.json is missing, though 3 plan runs had entered it"},
		"the list is damaged":         {do: func(w *world) error { return os.Truncate(list(w), 20) }, want: "plans.json: the list of plan runs is damaged"},
		"the list is newer":           {do: func(w *world) error { return edit(list(w), `"schemaVersion": 1`, `"schemaVersion": 9`) }, want: "use the newer risksweep"},
		"a run is taken off the list": {do: func(w *world) error { return unlisted(w, ids[1]) }, want: "run " + ids[1] + " had entered plans.json"},
		"deleted and off the list": {do: func(w *world) error { return errors.Join(unlisted(w, ids[0]), os.RemoveAll(w.path(ids[0], ""))) },
			want: "run " + ids[1] + " followed the head"},
		"the newest, and off the list": {do: func(w *world) error { return errors.Join(unlisted(w, ids[2]), os.RemoveAll(w.path(ids[2], ""))) },
			want: "not " + clean.PlanHead + " as given", head: clean.PlanHead},
		"everything, and a head was kept": {do: func(w *world) error { return os.RemoveAll(filepath.Join(w.root, "contoso")) },
			want: "not " + clean.PlanHead + " as given", head: clean.PlanHead},
	} {
		t.Run(name, func(t *testing.T) {
			w := whole.copied(t)
			if err := c.do(w); err != nil {
				t.Fatal(err)
			}
			if v := w.verify(t, c.head); !strings.Contains(strings.Join(v.Problems, "\n"), c.want) {
				t.Errorf("problems %q, want %q", v.Problems, c.want)
			}
			if strings.HasPrefix(name, "the list is damaged") || strings.HasPrefix(name, "the list is newer") || c.head != "" {
				return
			}
			// It still shows after the next run.
			w.run(t, "plan")
			if v := w.verify(t, ""); len(v.Problems) == 0 {
				t.Error("after the next plan run it does not show any more")
			}
		})
	}
}

// A list that cannot be read ends a plan run before it reads the tenant.
func TestAPlanRunWithoutItsList(t *testing.T) {
	w := newWorld(t, 0)
	w.run(t, "plan")
	if err := os.WriteFile(filepath.Join(w.root, "contoso/plans.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Begin(t.Context(), ledger.BeginOptions{Mode: "plan"}); err == nil || !strings.Contains(err.Error(), "plans.json: the list of plan runs is damaged") {
		t.Errorf("%v", err)
	}
	w.run(t, "apply") // has no need of it
}

// The state of a tenant that was deleted shows after the first apply run too.
func TestADeletedState(t *testing.T) {
	w := newWorld(t, 0)
	w.run(t, "plan")
	w.run(t, "apply")
	if err := os.Remove(filepath.Join(w.root, "contoso/state.json")); err != nil {
		t.Fatal(err)
	}
	if v := w.verify(t, ""); len(v.Problems) != 1 || !strings.Contains(v.Problems[0], "contoso/state.json is missing or records no head") || v.StateRecords {
		t.Errorf("%+v", v)
	}
}

// The plan runs of a version that kept no list enter it with the next.
func TestPlanRunsOfEarlierVersions(t *testing.T) {
	w := newWorld(t, 0)
	var ids []string
	for range 2 {
		id := w.run(t, "plan")
		ids = append(ids, id)
		data, err := os.ReadFile(w.path(id, "manifest.json"))
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		delete(m, "planHead")
		if data, err = json.Marshal(m); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.WriteFile(w.path(id, "manifest.json"), data, 0o600), os.Remove(filepath.Join(w.root, "contoso/plans.json"))); err != nil {
			t.Fatal(err)
		}
	}
	w.run(t, "apply")
	if v := w.verify(t, ""); len(v.Problems) > 0 || v.Alone != 2 || v.PlansChained != 0 || v.PlanHead != "" {
		t.Errorf("the old store: %+v", v)
	}
	w.run(t, "plan")
	if v := w.verify(t, ""); len(v.Problems) > 0 || v.Alone != 0 || v.PlansChained != 3 {
		t.Errorf("after a plan run: %+v", v)
	}
	if err := os.RemoveAll(w.path(ids[0], "")); err != nil {
		t.Fatal(err)
	}
	if v := w.verify(t, ""); len(v.Problems) != 1 {
		t.Errorf("an old one is deleted: %+v", v)
	}
}

// planIn carries a plan run out in a store, as far as it gets.
func planIn(ctx context.Context, l *ledger.Ledger) (string, error) {
	r, err := l.Begin(ctx, ledger.BeginOptions{Mode: "plan"})
	if err != nil {
		return "", err
	}
	if err := r.Claim(ctx, "plan.json", []byte("{}\n")); err != nil {
		return r.ID(), err
	}
	_, err = r.Finish(ctx, ledger.Manifest{Status: "succeeded", Counts: map[string]int{}}, "", "")
	return r.ID(), errors.Join(err, r.Close(ctx))
}

// Wherever a plan run dies, before or after the effect of a call, the store is
// in order, and after the next run its list holds every run that ended.
func TestAPlanRunThatDies(t *testing.T) {
	for _, after := range []bool{false, true} {
		died := true
		for at := 1; died; at++ {
			died = false
			store := blobstore.NewMemory()
			l := ledger.New(store, "contoso", ledger.Options{})
			if _, err := planIn(t.Context(), l); err != nil {
				t.Fatal(err)
			}
			calls := 0
			store.Fault = func(op, name string) error {
				if calls++; calls < at {
					return nil
				}
				died = true
				if after && calls == at {
					return fmt.Errorf("%s %s: %w", op, name, blobstore.ErrAfter)
				}
				return fmt.Errorf("%s %s: the process has died", op, name)
			}
			dead, err := planIn(t.Context(), l)
			store.Fault = nil
			if died && err == nil && !after { // the store itself settles a lost answer
				t.Errorf("call %d (after: %t): the run ends all the same", at, after)
			}
			v, err := l.Verify(t.Context())
			if err != nil || len(v.Problems) > 0 {
				t.Errorf("call %d (after: %t): %v, %v", at, after, v.Problems, err)
			}
			if _, err := planIn(t.Context(), l); err != nil {
				t.Fatal(err)
			}
			v, err = l.Verify(t.Context())
			if err != nil || len(v.Problems) > 0 || v.Alone > 0 || v.PlansChained != v.Runs {
				t.Errorf("call %d (after: %t), after the next run: %+v, %v", at, after, v, err)
			}
			if info, err := l.RunInfo(t.Context(), dead); err == nil && info.Complete && v.PlansChained != 3 {
				t.Errorf("call %d (after: %t): run %s ended and is not in the list", at, after, dead)
			}
			if at > 200 {
				t.Fatal("a plan run takes ever more calls")
			}
		}
	}
}

// Plan runs that end at the same time all enter, none of them twice.
func TestPlanRunsThatEndAtOnce(t *testing.T) {
	const n = 12
	w := newWorld(t, 0)
	ids := make([]string, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			store, err := blobstore.OpenDir(w.root)
			if err == nil {
				ids[i], err = planIn(t.Context(), ledger.New(store, "contoso", ledger.Options{Now: func() time.Time { return w.now }}))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	p, _, err := w.Plans(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]int{}
	for _, l := range p.Runs {
		listed[l.Run]++
	}
	want := map[string]int{}
	for _, id := range ids {
		want[id] = 1
	}
	if d := cmp.Diff(want, listed); d != "" || len(p.Pending) > 0 {
		t.Errorf("pending %v (-want +got):\n%s", p.Pending, d)
	}
	if v := w.verify(t, ""); len(v.Problems) > 0 || v.PlansChained != n {
		t.Errorf("%+v", v)
	}
}

// What retention deletes is not missing from the list, and what somebody else
// deletes is.
func TestRetentionOfPlanRuns(t *testing.T) {
	w := newWorld(t, 3)
	var ids []string
	for range 6 {
		ids = append(ids, w.run(t, "plan"))
	}
	w.run(t, "apply")
	gone, err := w.Prune(t.Context())
	if err != nil || len(gone) == 0 {
		t.Fatalf("deleted %v, %v", gone, err)
	}
	before := w.verify(t, "")
	if len(before.Problems) > 0 || before.PlansChained != 6-len(gone) {
		t.Errorf("after retention: %+v", before)
	}
	w.run(t, "plan")
	if v := w.verify(t, ""); len(v.Problems) > 0 {
		t.Errorf("after the next plan run: %q", v.Problems)
	}
	if err := os.RemoveAll(w.path(ids[5], "")); err != nil {
		t.Fatal(err)
	}
	if v := w.verify(t, ""); len(v.Problems) != 1 || !strings.Contains(v.Problems[0], ids[5]) {
		t.Errorf("a run that retention left: %q", v.Problems)
	}
}
