package ledger_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
)

// world is a ledger in a folder with a clock that the test moves.
type world struct {
	*ledger.Ledger
	root string
	now  time.Time
}

func newWorld(t *testing.T, keep int) *world {
	w := &world{root: t.TempDir(), now: time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)}
	store, err := blobstore.OpenDir(w.root)
	if err != nil {
		t.Fatal(err)
	}
	w.Ledger = ledger.New(store, "contoso", ledger.Options{Now: func() time.Time { return w.now }, KeepDays: keep})
	return w
}

// run does a whole run of one file and moves the clock on.
func (w *world) run(t *testing.T, mode string) string {
	t.Helper()
	ctx := t.Context()
	r, err := w.Begin(ctx, ledger.BeginOptions{Mode: mode})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.PutFile(ctx, "plan.json", []byte("{}\n")); err != nil {
		t.Fatal(err)
	}
	s, version, err := w.State(ctx)
	if err != nil {
		t.Fatal(err)
	}
	head, headRun, err := w.Head(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := r.Finish(ctx, ledger.Manifest{Status: "succeeded", FinishedAt: w.now, Counts: map[string]int{}}, head, headRun)
	if err != nil {
		t.Fatal(err)
	}
	if mode == "apply" {
		s.Head, s.HeadRun = sum, r.ID()
		if _, err := w.SaveState(ctx, s, version); err != nil {
			t.Fatal(err)
		}
		if err := r.Latest(ctx, "succeeded"); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(ctx); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(24 * time.Hour)
	return r.ID()
}

func (w *world) path(id, file string) string {
	return filepath.Join(w.root, "contoso/runs", id[0:4], id[4:6], id[6:8], id, file)
}

func (w *world) verify(t *testing.T, head string) ledger.Verification {
	t.Helper()
	v, err := w.Verify(t.Context(), head)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVerify(t *testing.T) {
	w := newWorld(t, 0)
	first, second, third := w.run(t, "apply"), w.run(t, "plan"), w.run(t, "apply")
	clean := w.verify(t, "")
	if len(clean.Problems) != 0 || clean.Runs != 3 || clean.HeadRun != third || clean.Chained != 2 || clean.PlansChained != 1 || clean.Alone != 0 || !clean.StateRecords {
		t.Fatalf("a store in order: %+v", clean)
	}
	for name, c := range map[string]struct {
		do   func() error
		head string
		want string
	}{
		"changed":   {do: func() error { return os.WriteFile(w.path(second, "plan.json"), []byte("[]\n"), 0o644) }, want: "plan.json was changed"},
		"truncated": {do: func() error { return os.Truncate(w.path(first, "plan.json"), 1) }, want: "plan.json is truncated: 1 of 3"},
		"grown":     {do: func() error { return os.WriteFile(w.path(first, "plan.json"), []byte("{}\n\n"), 0o644) }, want: "plan.json has grown"},
		"missing":   {do: func() error { return os.Remove(w.path(first, "plan.json")) }, want: "plan.json is missing"},
		"extra":     {do: func() error { return os.WriteFile(w.path(first, "x.csv"), nil, 0o644) }, want: "x.csv is not in the manifest"},
		"manifest": {do: func() error {
			data, err := os.ReadFile(w.path(first, "manifest.json"))
			return errors.Join(err, os.WriteFile(w.path(first, "manifest.json"), []byte(strings.Replace(string(data), "succeeded", "failed", 1)), 0o644))
		}, want: "the manifest of run " + first + " was changed"},
		"chain cut": {do: func() error { return os.RemoveAll(w.path(first, "")) }, want: "which is missing from the store"},
		"head cut":  {do: func() error { return os.RemoveAll(w.path(third, "")) }, want: "the state records the head"},
		"state":     {do: func() error { return os.Remove(filepath.Join(w.root, "contoso/state.json")) }, want: "state.json is missing or records no head"},
		"head":      {do: func() error { return nil }, head: "abc", want: "not abc as given"},
		"no head":   {do: func() error { return nil }, head: strings.Repeat("0", 64), want: "no run of the store had that one"},
	} {
		t.Run(name, func(t *testing.T) {
			keep := w.root
			defer func() { w.root = keep }()
			w.root = filepath.Join(t.TempDir(), "copy")
			if err := os.CopyFS(w.root, os.DirFS(keep)); err != nil {
				t.Fatal(err)
			}
			store, err := blobstore.OpenDir(w.root)
			if err != nil {
				t.Fatal(err)
			}
			w := &world{Ledger: ledger.New(store, "contoso", ledger.Options{}), root: w.root}
			if err := c.do(); err != nil {
				t.Fatal(err)
			}
			if v := w.verify(t, c.head); !strings.Contains(strings.Join(v.Problems, "\n"), c.want) {
				t.Errorf("problems %q, want %q", v.Problems, c.want)
			}
		})
	}
}

func TestIncompleteRunsAreShown(t *testing.T) {
	w := newWorld(t, 0)
	w.run(t, "apply")
	r, err := w.Begin(t.Context(), ledger.BeginOptions{Mode: "apply"})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(t.Context()); err != nil { // as if it had died
		t.Fatal(err)
	}
	v := w.verify(t, "")
	if len(v.Problems) != 0 || !cmp.Equal(v.Incomplete, []string{r.ID()}) {
		t.Errorf("%+v", v)
	}
	runs, err := w.Runs(t.Context(), 0)
	if err != nil || len(runs) != 2 || runs[0].Complete || !runs[1].Complete {
		t.Errorf("runs %+v, %v", runs, err)
	}
}

func TestLeaseAndRepeatedRun(t *testing.T) {
	w := newWorld(t, 0)
	r, err := w.Begin(t.Context(), ledger.BeginOptions{Mode: "apply", Holder: blobstore.Holder{Host: "a", PID: 7, Since: w.now}})
	if err != nil {
		t.Fatal(err)
	}
	var held *blobstore.LeaseHeldError
	if _, err := w.Begin(t.Context(), ledger.BeginOptions{Mode: "apply"}); !errors.As(err, &held) || held.Holder.Run != r.ID() || held.Holder.PID != 7 {
		t.Errorf("second apply: %v", err)
	}
	p, err := w.Begin(t.Context(), ledger.BeginOptions{Mode: "plan"})
	if err != nil {
		t.Errorf("a plan beside an apply: %v", err)
	}
	if err := errors.Join(p.Close(t.Context()), r.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	done := w.run(t, "apply")
	if _, err := w.Begin(t.Context(), ledger.BeginOptions{Mode: "apply", Run: done}); !errors.Is(err, ledger.ErrRunExists) {
		t.Errorf("the same run again: %v", err)
	}
}

// Of two processes that carry out one run, one gets to be it.
func TestARunIsClaimedOnce(t *testing.T) {
	w := newWorld(t, 0)
	first, err := w.Begin(t.Context(), ledger.BeginOptions{Mode: "plan"})
	if err != nil {
		t.Fatal(err)
	}
	second, err := w.Begin(t.Context(), ledger.BeginOptions{Mode: "plan", Run: first.ID()})
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Claim(t.Context(), "plan.json", []byte("{}\n")); err != nil {
		t.Fatal(err)
	}
	if err := second.Claim(t.Context(), "plan.json", []byte("[]\n")); !errors.Is(err, ledger.ErrRunTaken) {
		t.Errorf("claimed twice: %v", err)
	}
	if data, err := os.ReadFile(w.path(first.ID(), "plan.json")); err != nil || string(data) != "{}\n" {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := first.Finish(t.Context(), ledger.Manifest{}, "", ""); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(first.Close(t.Context()), second.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	m, err := w.Manifest(t.Context(), first.ID())
	if err != nil || len(m.Files) != 2 { // with the journal
		t.Errorf("the manifest has %+v, %v", m.Files, err)
	}
}

func TestRetention(t *testing.T) {
	w := newWorld(t, 3)
	var ids []string
	for range 6 {
		ids = append(ids, w.run(t, "apply"))
	}
	gone, err := w.Prune(t.Context(), ids[2])
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{ids[1], ids[0]}, gone); d != "" {
		t.Errorf("deleted (-want +got):\n%s", d)
	}
	if v := w.verify(t, ""); len(v.Problems) != 0 {
		t.Errorf("after retention: %q", v.Problems)
	}
	w.now = w.now.Add(1000 * 24 * time.Hour)
	if _, err := w.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	if runs, err := w.Runs(t.Context(), 0); err != nil || len(runs) != 1 || runs[0].ID != ids[5] {
		t.Errorf("left %v, %v", runs, err)
	}
}

func TestState(t *testing.T) {
	w := newWorld(t, 0)
	s := ledger.State{Watermark: w.now, Owned: plan.OwnedObjects{entra.KindPolicy: {"CA010": {ID: "x"}}}}
	version, err := w.SaveState(t.Context(), s, "")
	if err != nil {
		t.Fatal(err)
	}
	got, v, err := w.State(t.Context())
	s.SchemaVersion = ledger.StateVersion
	if err != nil || v != version || !cmp.Equal(got, s) {
		t.Errorf("read %+v %q %v", got, v, err)
	}
	if _, err := w.SaveState(t.Context(), s, ""); !errors.Is(err, blobstore.ErrChanged) {
		t.Errorf("saved over another's: %v", err)
	}
	for text, want := range map[string]string{
		"":                                      "is damaged",
		"{":                                     "is damaged",
		"{}":                                    "is damaged",
		`{"schemaVersion":1,"owned":[]}`:        "is damaged",
		`{"schemaVersion":1} x`:                 "is damaged",
		`{"schemaVersion":99}`:                  "use the newer risksweep",
		`{"schemaVersion":1,"somethingNew":{}}`: "is damaged",
	} {
		if _, err := ledger.ParseState([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseState(%q): %v, want %q", text, err, want)
		}
	}
}

func FuzzParsers(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":1,"watermark":"2026-11-24T02:00:00Z"}`))
	f.Add([]byte(`{"type":"intent","at":"2026-11-24T02:00:00Z","run":"r"}` + "\n"))
	f.Add([]byte(`{"schemaVersion":1,"runs":[{"run":"r","sha256":"00"}],"pending":[]}`))
	f.Add([]byte(`{"schemaVersion":1,"run":"r","files":[{"name":"../x"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := ledger.ParseState(data); err == nil && s.SchemaVersion != ledger.StateVersion {
			t.Errorf("state of version %d", s.SchemaVersion)
		}
		if m, err := ledger.ParseManifest(data); err == nil && m.Run == "" {
			t.Error("a manifest without a run")
		}
		if p, err := ledger.ParsePlans(data); err == nil && p.SchemaVersion != ledger.PlansVersion {
			t.Errorf("a list of plan runs of version %d", p.SchemaVersion)
		}
		for _, err := range ledger.ParseJournal(strings.NewReader(string(data))) {
			if err != nil {
				break
			}
		}
	})
}

// keepsFolders is a store whose folders stay when their last file is gone.
type keepsFolders struct {
	*blobstore.Memory
	dirs map[string]bool
}

func (k keepsFolders) Put(ctx context.Context, name string, data []byte) error {
	for at := strings.LastIndexByte(name, '/'); at > 0; at = strings.LastIndexByte(name[:at], '/') {
		k.dirs[name[:at]] = true
	}
	return k.Memory.Put(ctx, name, data)
}

func (k keepsFolders) ListDirs(_ context.Context, dir string) ([]string, error) {
	var out []string
	for d := range k.dirs {
		if rest, ok := strings.CutPrefix(d, dir+"/"); ok && !strings.Contains(rest, "/") {
			out = append(out, rest)
		}
	}
	slices.Sort(out)
	return out, nil
}

// A folder without files is no run: not in a list, not for verify, and nothing
// that retention would delete every night.
func TestAFolderWithoutFilesIsNoRun(t *testing.T) {
	ctx := t.Context()
	store := keepsFolders{blobstore.NewMemory(), map[string]bool{}}
	l := ledger.New(store, "contoso", ledger.Options{Now: func() time.Time { return time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC) }, KeepDays: 1})
	put := func(run string) {
		if err := store.Put(ctx, "contoso/runs/"+run[:4]+"/"+run[4:6]+"/"+run[6:8]+"/"+run+"/plan.json", []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	for _, run := range []string{"20261101T020000Z-aaaaaa", "20261102T020000Z-bbbbbb", "20261124T010000Z-cccccc"} {
		put(run)
	}
	if gone, err := l.Prune(ctx); err != nil || len(gone) != 2 {
		t.Fatalf("pruned %v, %v", gone, err)
	}
	for range 2 {
		runs, err := l.Runs(ctx, 2)
		if err != nil || len(runs) != 1 || runs[0].ID != "20261124T010000Z-cccccc" {
			t.Errorf("runs %v, %v", runs, err)
		}
		v, err := l.Verify(ctx, "")
		if err != nil || len(v.Incomplete) != 1 || len(v.Problems) > 0 {
			t.Errorf("verified %+v, %v", v, err)
		}
		if gone, err := l.Prune(ctx); err != nil || len(gone) != 0 {
			t.Errorf("pruned again %v, %v", gone, err)
		}
	}
}
