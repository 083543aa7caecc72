package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
)

// Forty policies that lack the same are one thing to say; two are two, and what is
// wanted in full stands in full.
func TestAlikeEntries(t *testing.T) {
	var entries []drift.Entry
	for i := range 40 {
		text := `conditions.users.excludeGroups: added "CA Break Glass"`
		if i == 7 || i == 9 {
			text = `state: "disabled" becomes "enabled"`
		}
		entries = append(entries, drift.Entry{Kind: entra.KindPolicy, Key: fmt.Sprintf("CA%03d", i), ID: fmt.Sprint(i), DisplayName: fmt.Sprintf("CA%03d x", i), State: "enabled",
			Status: drift.Update, Differences: []policy.Difference{{Text: text}}})
	}
	all := alikeEntries(entries, false)
	if len(all) != 3 || len(all[0]) != 38 {
		t.Fatalf("%d groups, the first of %d", len(all), len(all[0]))
	}
	text := renderAlike(all[0], false)
	if want := "~ 38 policies: CA000, CA001, CA002, CA003, CA004, and 33 more (enabled): update\n"; !strings.HasPrefix(text, want) || strings.Count(text, "CA Break Glass") != 1 {
		t.Errorf("%s\nwant %s", text, want)
	}
	if got := renderAlike(all[1], false); got != renderDiff(entries[7], false) {
		t.Errorf("one alone:\n%s", got)
	}
	if n := len(alikeEntries(entries, true)); n != 40 {
		t.Errorf("%d of 40 in full", n)
	}
}
