package drift

import (
	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
)

// capacity refuses creates that would bring the tenant beyond what it can hold.
func (p *planner) capacity() {
	for _, c := range []struct {
		kind entra.ObjectKind
		most int
		what string
	}{
		{entra.KindPolicy, baseline.MaxPolicies, "policies"}, {entra.KindLocation, baseline.MaxLocations, "named locations"},
		{entra.KindStrength, baseline.MaxStrengths, "custom authentication strengths"},
	} {
		n := 0
		for _, d := range p.live.List(c.kind) {
			if d.Text("policyType") != policy.PolicyTypeBuiltIn {
				n++
			}
		}
		for _, e := range p.entries {
			switch {
			case e.Kind != c.kind || !e.ready():
			case e.Status == Create:
				n++
			case e.Status == Prune:
				n--
			}
		}
		if n <= c.most {
			continue
		}
		for _, e := range p.entries {
			if e.Kind == c.kind && e.Status == Create {
				e.block("the tenant would hold %d %s after the run; it can hold %d", n, c.what, c.most)
			}
		}
	}
}
