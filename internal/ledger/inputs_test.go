package ledger_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/ledger"
)

// A text is stored once for all runs that it steered, is proved by each of them,
// and goes with the last of them.
func TestInputs(t *testing.T) {
	ctx := t.Context()
	store := blobstore.NewMemory()
	now := time.Date(2026, 11, 1, 2, 0, 0, 0, time.UTC)
	l := ledger.New(store, "contoso", ledger.Options{Now: func() time.Time { return now }, KeepDays: 10})
	run := func(redacted bool, texts ...string) string {
		t.Helper()
		r, err := l.Begin(ctx, ledger.BeginOptions{Mode: "plan"})
		if err != nil {
			t.Fatal(err)
		}
		var in []ledger.InputText
		for _, text := range texts {
			in = append(in, ledger.InputText{Kind: ledger.InputTriage, Name: "triage.yaml", Text: []byte(text), Names: true})
		}
		if err := r.Inputs(ctx, append(in, ledger.InputText{Kind: ledger.InputConfiguration, Name: "configuration.json", Text: []byte("[]")}), redacted); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Finish(ctx, ledger.Manifest{Status: "succeeded", StartedAt: now, FinishedAt: now}, "", ""); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(ctx); err != nil {
			t.Fatal(err)
		}
		return r.ID()
	}
	stored := func() (names []string) {
		t.Helper()
		for info, err := range store.List(ctx, "contoso/inputs/") {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, info.Name)
		}
		return names
	}
	first := run(false, "old rules")
	now = now.Add(9 * 24 * time.Hour)
	run(false, "new rules")
	last := run(false, "new rules")
	if got := stored(); len(got) != 3 {
		t.Errorf("three runs of three texts stored %q", got)
	}
	m, err := l.Manifest(ctx, last)
	if err != nil || len(m.Inputs) != 2 || !m.Inputs[0].Stored {
		t.Fatalf("%+v, %v", m.Inputs, err)
	}
	in, err := l.OpenInput(ctx, m.Inputs[0])
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(in); string(text) != "new rules" || err != nil {
		t.Errorf("%q, %v", text, err)
	}

	// What retention leaves names its texts still.
	now = now.Add(2 * 24 * time.Hour)
	if gone, err := l.Prune(ctx); err != nil || len(gone) != 1 || gone[0] != first {
		t.Fatalf("pruned %q, %v", gone, err)
	}
	if got := stored(); len(got) != 2 {
		t.Errorf("of two texts that runs name, %q stand", got)
	}
	if v, err := l.Verify(ctx); err != nil || len(v.Problems) > 0 {
		t.Errorf("%q, %v", v.Problems, err)
	}

	// Names are not kept where reports hold none.
	hidden := run(true, "who@contoso.com")
	if m, err = l.Manifest(ctx, hidden); err != nil || m.Inputs[0].Stored || !m.Inputs[1].Stored {
		t.Errorf("%+v, %v", m.Inputs, err)
	}
	if _, err := l.OpenInput(ctx, m.Inputs[0]); !errors.Is(err, blobstore.ErrNotFound) {
		t.Errorf("a text that was not stored: %v", err)
	}
	if got := stored(); len(got) != 2 {
		t.Errorf("%q", got)
	}

	// A text that was changed shows at each run that it steered.
	for _, name := range stored() {
		if err := store.Put(ctx, name, []byte("other rules")); err != nil {
			t.Fatal(err)
		}
	}
	v, err := l.Verify(ctx)
	if err != nil || len(v.Problems) != 5 || !strings.Contains(v.Problems[0], "as it was used") {
		t.Errorf("%q, %v", v.Problems, err)
	}
}

// A run that has begun may be about to name a text that no other names.
func TestInputsOfARunUnderWayStay(t *testing.T) {
	ctx := t.Context()
	store := blobstore.NewMemory()
	now := time.Date(2026, 11, 1, 2, 0, 0, 0, time.UTC)
	l := ledger.New(store, "contoso", ledger.Options{Now: func() time.Time { return now }, KeepDays: 1})
	ended := func() {
		t.Helper()
		r, err := l.Begin(ctx, ledger.BeginOptions{Mode: "plan"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Finish(ctx, ledger.Manifest{Status: "succeeded", StartedAt: now, FinishedAt: now}, "", ""); err != nil {
			t.Fatal(err)
		}
	}
	ended()
	now = now.Add(48 * time.Hour)
	ended()
	r, err := l.Begin(ctx, ledger.BeginOptions{Mode: "plan"})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Inputs(ctx, []ledger.InputText{{Kind: ledger.InputTriage, Name: "triage.yaml", Text: []byte("rules")}}, false); err != nil {
		t.Fatal(err)
	}
	if gone, err := l.Prune(ctx); err != nil || len(gone) != 1 {
		t.Fatalf("pruned %q, %v", gone, err)
	}
	if _, err := r.Finish(ctx, ledger.Manifest{Status: "succeeded", StartedAt: now, FinishedAt: now}, "", ""); err != nil {
		t.Fatal(err)
	}
	if v, err := l.Verify(ctx); err != nil || len(v.Problems) > 0 {
		t.Errorf("%q, %v", v.Problems, err)
	}
}
