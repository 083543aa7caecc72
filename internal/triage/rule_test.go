package triage_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/risksweep/risksweep/internal/triage"
)

// TestRulesAsTheyWere: a decision keeps the rule by which it was made, so that
// it can be judged when the file has long changed.
func TestRulesAsTheyWere(t *testing.T) {
	vpn := triage.UsedRule{ID: "vpn", Kind: "allowlist", Owner: "secops", Reason: "The VPN", Expires: "2027-03-31", Names: "by group VPN Users",
		When: triage.Conditions{RiskEventTypes: []string{"anonymizedIPAddress", "unfamiliarFeatures"}, MaxRiskLevel: "medium", IPRanges: []string{"203.0.113.0/24", "2001:db8::/32"}}}
	spray := triage.UsedRule{ID: "spray", Kind: "escalate", Reason: "A guessed password",
		When: triage.Conditions{RiskEventTypes: []string{"passwordSpray"}, MinRiskLevel: "high"}}
	in, out := det("d1", "anonymizedIPAddress", "medium", "203.0.113.9", "US"), det("d2", "anonymizedIPAddress", "low", "198.51.100.1", "US")
	high := det("d3", "passwordSpray", "high", "198.51.100.1", "US")
	for name, c := range map[string]struct {
		user string
		open []triage.Detection
		want []triage.UsedRule
	}{
		"dismissed":         {"bob", []triage.Detection{in}, []triage.UsedRule{vpn}},
		"covered in part":   {"bob", []triage.Detection{in, out}, []triage.UsedRule{vpn}},
		"escalated":         {"bob", []triage.Detection{in, high}, []triage.UsedRule{spray}},
		"escalation held":   {"ceo", []triage.Detection{high}, []triage.UsedRule{spray}},
		"no rule had a say": {"eve", []triage.Detection{in}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			rules, _ := parse(t, file).Bind(world(), now)
			if d := cmp.Diff(c.want, rules.Decide(triage.Evidence{User: user(c.user, "medium"), Detections: c.open}, now).Rules); d != "" {
				t.Error(d)
			}
		})
	}
}
