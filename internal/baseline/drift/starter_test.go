package drift_test

import (
	"os"
	"testing"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

// TestStarterBaseline: the shipped example is valid without a warning, touches
// nobody, and once applied plans nothing.
func TestStarterBaseline(t *testing.T) {
	b, problems := baseline.Load(os.DirFS("../../../examples"), "baseline")
	if len(problems) > 0 || b == nil {
		t.Fatal(problems)
	}
	for _, it := range b.Policies {
		if it.Want.Text("state") != policy.StateReportOnly {
			t.Errorf("%s is %s", it.Key, it.Want.Text("state"))
		}
	}
	tn := newTenant()
	r := tn.plan(b, drift.Settings{})
	for _, a := range r.Actions {
		if a.Status != plan.Ready {
			t.Errorf("%s %s: %s %v", a.Kind, a.Rule, a.Status, a.Reasons)
		}
	}
	if len(r.Problems)+len(r.Warnings) > 0 {
		t.Error(r.Problems, r.Warnings)
	}
	if n := tn.apply(t, r.Actions); n != len(b.Items()) || n != 10 {
		t.Errorf("%d writes for %d items", n, len(b.Items()))
	}
	if left := shape(tn.plan(b, drift.Settings{}).Actions); len(left) > 0 {
		t.Error(left)
	}
}
