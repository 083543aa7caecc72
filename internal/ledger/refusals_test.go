package ledger_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
)

// rewritten changes the members of a JSON file.
func rewritten(t *testing.T, file string, change func(map[string]any)) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	change(m)
	if data, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A chain has one beginning, and each of its links names a manifest.
func TestLinksThatWereRewritten(t *testing.T) {
	w := newWorld(t, 0)
	ids := []string{w.run(t, "apply"), w.run(t, "apply"), w.run(t, "apply")}
	for want, change := range map[string]func(map[string]any){
		"run " + ids[1] + " begins the chain anew":                                                  func(m map[string]any) { delete(m, "previous") },
		fmt.Sprintf("run %s follows a manifest whose recorded SHA-256 is no hash: %q", ids[1], "x"): func(m map[string]any) { m["previous"] = map[string]any{"run": ids[0], "sha256": "x"} },
		fmt.Sprintf("run %s follows a manifest whose recorded SHA-256 is no hash: %q", ids[1], strings.Repeat("~", 64)): func(m map[string]any) {
			m["previous"] = map[string]any{"run": ids[0], "sha256": strings.Repeat("~", 64)}
		},
	} {
		c := w.copied(t)
		rewritten(t, c.path(ids[1], "manifest.json"), change)
		if v := c.verify(t, ""); !strings.Contains(strings.Join(v.Problems, "\n"), want) {
			t.Errorf("problems %q, want %q", v.Problems, want)
		}
	}
}

// A head of the chain of plan runs that was kept before its newest runs is found.
func TestAnEarlierHeadOfPlanRuns(t *testing.T) {
	w := newWorld(t, 0)
	first := w.run(t, "plan")
	head := w.verify(t, "").PlanHead
	w.run(t, "plan")
	w.run(t, "plan")
	want := []ledger.EarlierHead{{Head: head, Run: first, Mode: "plan", Since: 2}}
	if v := w.verify(t, head); len(v.Problems) > 0 || v.PlanHeadGiven || !cmp.Equal(v.Earlier, want) {
		t.Errorf("%+v, want %+v", v, want)
	}
}

// What a newer program has written is not read as if it were known.
func TestNewerFilesAreRefused(t *testing.T) {
	w := newWorld(t, 0)
	id := w.run(t, "apply")
	c := w.copied(t)
	rewritten(t, c.path(id, "manifest.json"), func(m map[string]any) { m["schemaVersion"] = 99 })
	if _, err := c.Manifest(t.Context(), id); err == nil || !strings.Contains(err.Error(), "has schema version 99") {
		t.Errorf("a manifest: %v", err)
	}
	r, err := w.Begin(t.Context(), ledger.BeginOptions{Mode: "plan"})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.PutFile(t.Context(), "plan.json", []byte(`{"schemaVersion": 99}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Finish(t.Context(), ledger.Manifest{Status: "succeeded"}, "", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Plan(t.Context(), r.ID()); err == nil || !strings.Contains(err.Error(), "has schema version 99") {
		t.Errorf("a plan: %v", err)
	}
	for _, text := range []string{`{"schemaVersion": 0}`, `{"schemaVersion": -1}`} {
		if _, err := ledger.ParseState([]byte(text)); err == nil || !strings.Contains(err.Error(), "is damaged") {
			t.Errorf("state %s: %v", text, err)
		}
	}
}

// A file is proved by the manifest of its run, and by nothing else.
func TestProvedFiles(t *testing.T) {
	w := newWorld(t, 0)
	id := w.run(t, "apply")
	open := func(w *world, id string) (string, bool, error) {
		in, proved, err := w.OpenProved(t.Context(), id, "plan.json")
		if err != nil {
			return "", false, err
		}
		defer in.Close()
		data, err := io.ReadAll(in)
		return string(data), proved, err
	}
	if text, proved, err := open(w, id); text != "{}\n" || !proved || err != nil {
		t.Errorf("a run that ended: %q, %t, %v", text, proved, err)
	}
	if err := os.WriteFile(w.path(id, "plan.json"), []byte("[]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := open(w, id); !errors.Is(err, ledger.ErrChanged) {
		t.Errorf("a file that was changed: %v", err)
	}
	if err := os.Truncate(w.path(id, "manifest.json"), 9); err != nil {
		t.Fatal(err)
	}
	if _, _, err := open(w, id); err == nil {
		t.Error("a file is opened though the manifest that speaks for it is damaged")
	}
	if err := os.Remove(w.path(id, "manifest.json")); err != nil {
		t.Fatal(err)
	}
	if _, proved, err := open(w, id); proved || err != nil {
		t.Errorf("a run without a manifest: %t, %v", proved, err)
	}
}

// A line of a journal that is whole and no entry is never passed over: it may
// have been an order.
func TestAGarbledJournal(t *testing.T) {
	w := newWorld(t, 0)
	r, err := w.Begin(t.Context(), ledger.BeginOptions{Mode: "apply"})
	if err != nil {
		t.Fatal(err)
	}
	e := ledger.Entry{Type: ledger.EntryIntent, At: w.now, Run: r.ID(), Action: "a1", Kind: plan.Dismiss}
	if err := r.Journal().Append(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"\n", "{\"type\":\"int\n", "{\"type\":7}\n"} {
		c := w.copied(t)
		data, err := os.ReadFile(c.path(r.ID(), "journal.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(c.path(r.ID(), "journal.jsonl"), append([]byte(line), data...), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := c.RecentActions(t.Context(), w.now.Add(-time.Hour), nil); err == nil || !strings.Contains(err.Error(), "line 1 of the journal") {
			t.Errorf("%q: the limits count %v, %v", line, got, err)
		}
	}
}

// What is remembered of an action is found again, and taken back for its own
// user, run and kind alone.
func TestRememberAndForget(t *testing.T) {
	all := func(s ledger.State) [][]ledger.PastAction {
		return [][]ledger.PastAction{s.Dismissals, s.Confirmations, s.Closings, s.Containments}
	}
	for kind, at := range map[plan.Kind]int{plan.Dismiss: 0, plan.ConfirmCompromised: 1, plan.DismissDetections: 2, plan.RevokeSessions: 3} {
		var s ledger.State
		for _, p := range []ledger.PastAction{{UserID: "ada", Run: "r1", Outcome: plan.Unknown}, {UserID: "ada", Run: "r2"}, {UserID: "bob", Run: "r1"}, {UserID: "ada", Run: "r1", Outcome: plan.Done}} {
			s.Remember(kind, p)
		}
		for i, list := range all(s) {
			if want := map[bool]int{true: 3}[i == at]; len(list) != want {
				t.Errorf("%s: list %d has %d entries, want %d", kind, i, len(list), want)
			}
		}
		if got := all(s)[at][2]; got.Outcome != plan.Done || got.UserID != "ada" {
			t.Errorf("%s: %+v is not the last outcome", kind, got)
		}
		s.Forget(kind, "ada", "r1")
		if list := all(s)[at]; len(list) != 2 || list[0].Run != "r2" || list[1].UserID != "bob" {
			t.Errorf("%s: after it is taken back %+v is left", kind, list)
		}
	}
	var s ledger.State // two kinds in one list
	s.Remember(plan.RevokeSessions, ledger.PastAction{UserID: "ada", Run: "r1"})
	s.Remember(plan.DisableAccount, ledger.PastAction{UserID: "ada", Run: "r1"})
	s.Forget(plan.RevokeSessions, "ada", "r1")
	if len(s.Containments) != 1 || s.Containments[0].Kind != plan.DisableAccount {
		t.Errorf("%+v", s.Containments)
	}
}

// A run stands among the writers once, and long enough for the limits.
func TestWriters(t *testing.T) {
	now := time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)
	var s ledger.State
	s.BeginsToWrite("old", now.Add(-97*time.Hour))
	s.BeginsToWrite("r1", now.Add(-25*time.Hour))
	s.BeginsToWrite("r2", now.Add(-time.Hour))
	s.BeginsToWrite("r2", now)
	if want := []ledger.Writer{{Run: "r1", At: now.Add(-25 * time.Hour)}, {Run: "r2", At: now}}; !cmp.Equal(s.Writers, want) {
		t.Errorf("%+v, want %+v", s.Writers, want)
	}
}

// A lease that is held is not taken a second time; one that was lost is, unless
// somebody else has it.
func TestReclaim(t *testing.T) {
	store := blobstore.NewMemory()
	now := time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)
	store.Now = func() time.Time { return now }
	l := ledger.New(store, "contoso", ledger.Options{Now: store.Now})
	r, err := l.Begin(t.Context(), ledger.BeginOptions{Mode: "apply"})
	if err != nil {
		t.Fatal(err)
	}
	held := r.Lease()
	if again, err := r.Reclaim(t.Context()); again || err != nil || r.Lease() != held {
		t.Errorf("a lease that is held: %t, %v", again, err)
	}
	now = now.Add(time.Hour) // nobody renewed it
	other, err := l.Begin(t.Context(), ledger.BeginOptions{Mode: "apply"})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := r.Reclaim(t.Context()); !again || err == nil || r.Lease() != held {
		t.Errorf("a lease that another run holds: %t, %v", again, err)
	}
	if err := other.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again, err := r.Reclaim(t.Context()); !again || err != nil || r.Lease() == held {
		t.Errorf("a lease that was lost: %t, %v", again, err)
	}
}

// A plan run that stands still before its manifest, while others end, and then
// dies before it enters their list, is entered by the next one.
func TestAPlanRunThatStandsStillAndDies(t *testing.T) {
	store := blobstore.NewMemory()
	l := ledger.New(store, "contoso", ledger.Options{})
	if _, err := planIn(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	slow, err := l.Begin(t.Context(), ledger.BeginOptions{Mode: "plan"})
	if err != nil {
		t.Fatal(err)
	}
	if err := slow.Claim(t.Context(), "plan.json", []byte("{}\n")); err != nil {
		t.Fatal(err)
	}
	store.Fault = func(_, name string) error {
		if !strings.HasSuffix(name, slow.ID()+"/manifest.json") {
			return nil
		}
		store.Fault = nil
		if _, err := planIn(t.Context(), l); err != nil {
			t.Error(err)
		}
		store.Fault = func(op, name string) error {
			if strings.HasSuffix(name, "plans.json") {
				return errors.New("the process has died")
			}
			return nil
		}
		return nil
	}
	if _, err := slow.Finish(t.Context(), ledger.Manifest{Status: "succeeded"}, "", ""); err == nil {
		t.Fatal("the run enters the list")
	}
	store.Fault = nil
	if _, err := planIn(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	p, _, err := l.Plans(t.Context())
	if err != nil || len(p.Runs) != 4 || len(p.Pending) != 0 {
		t.Fatalf("the list holds %+v, %v", p, err)
	}
	if v, err := l.Verify(t.Context()); err != nil || len(v.Problems) > 0 || v.Alone > 0 || v.PlansChained != 4 {
		t.Errorf("%+v, %v", v, err)
	}
}
