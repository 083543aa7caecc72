package sweep

import (
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// TestNextWords: that nothing differs does not mean that it stays so.
func TestNextWords(t *testing.T) {
	same := drift.Entry{Key: "CA010", Kind: entra.KindPolicy, Status: drift.InSync}
	waits, changed, other := same, same, same
	waits.Key, waits.Promotion = "CA020", &plan.Promotion{After: 14}
	changed.Key, changed.Status = "CA030", drift.Update
	other.Key, other.Status = "CA099", drift.Update
	for name, c := range map[string]struct {
		entries []drift.Entry
		want    []string
	}{
		"in sync":             {[]drift.Entry{same, other}, []string{"the baseline says the same"}},
		"waits for promotion": {[]drift.Entry{same, waits}, []string{"CA020 has promote in the baseline: it will be enabled again when its evidence holds, after 14 days at the earliest"}},
		"differs":             {[]drift.Entry{waits, changed}, []string{"enabled again", "change this again: update of the policy CA030"}},
	} {
		got := nextWords(c.entries, func(e drift.Entry) bool { return e.Key != "CA099" })
		if len(got) != len(c.want) {
			t.Fatalf("%s: %q", name, got)
		}
		for i := range got {
			if !strings.Contains(got[i], c.want[i]) {
				t.Errorf("%s: %q", name, got[i])
			}
		}
	}
}

// TestExceptionsAreNotRolledBack: who orders it is told which entry to edit.
func TestExceptionsAreNotRolledBack(t *testing.T) {
	begun := plan.Action{ID: "a1", Kind: plan.BeginException, Rule: "travel-1", Change: &plan.Change{Kind: entra.KindPolicy, Key: "CA010",
		Exclusions: []plan.Exclusion{{Key: "CA010", Name: "ada@contoso.com", Exception: "travel-1"}}}}
	ended, unsent := begun, begun
	ended.ID, ended.Kind, ended.Rule = "a2", plan.EndException, "travel-2"
	unsent.ID = "a3"
	all := exceptionsOf(plan.Plan{Actions: []plan.Action{begun, ended, unsent}}, map[string]bool{"a1": true, "a2": true})
	text := byFile(all)
	for _, want := range []string{"it began travel-1 for CA010 (ada@contoso.com), it ended travel-2 for CA010", "by the file of exceptions (exceptions.yaml): edit there the entry travel-1, travel-2"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q", text)
		}
	}
	if len(entriesOf(all, "CA010")) != 2 || len(entriesOf(all, "CA020")) != 0 {
		t.Error("of which policy they are")
	}
}
