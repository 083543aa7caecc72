package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
)

func TestRenderDiff(t *testing.T) {
	e := drift.Entry{Key: "CA010", Kind: entra.KindPolicy, DisplayName: "Risky\x1b[2J", State: "enabled", Status: drift.Update,
		Differences: policy.Differences(map[string]any{"a": []any{"x"}, "b": 1}, map[string]any{"a": []any{"x", "y"}, "c": true}, nil), Reasons: []string{"held back"}}
	want := "~ policy Risky\ufffd[2J [CA010] (enabled): update\n" +
		"    a: added \"y\"\n    b: removed, was 1\n    c: set to true\n    · held back\n"
	if d := cmp.Diff(want, renderDiff(e, false)); d != "" {
		t.Error(d)
	}
	coloured := renderDiff(e, true)
	for _, part := range []string{"\x1b[33m~ policy", "\x1b[31mb: removed", "\x1b[32mc: set", "\x1b[36m· held"} {
		if !strings.Contains(coloured, part) {
			t.Errorf("%q is not in %q", part, coloured)
		}
	}
	for status, sign := range map[drift.Status]string{drift.Create: "+ ", drift.Prune: "- ", drift.Blocked: "! ", drift.InSync: "= ", drift.Unmanaged: "? "} {
		if got := renderDiff(drift.Entry{DisplayName: "x", Status: status}, false); !strings.HasPrefix(got, sign) {
			t.Errorf("%s gives %q", status, got)
		}
	}
	adoption := drift.Entry{Kind: entra.KindPolicy, DisplayName: "A", State: policy.StateReportOnly, Status: drift.Blocked, Adopt: "7",
		Differences: []policy.Difference{{Path: "p", Text: "p: what changes"}}, Reasons: []string{"why it is blocked"}}
	if d := cmp.Diff("! policy A (report-only): blocked\n    · why it is blocked\n    p: what changes\n", renderDiff(adoption, false)); d != "" {
		t.Error(d)
	}
}
