package drift_test

import (
	"testing"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
	"pgregory.net/rapid"
)

// canonicalOf resolves a generated policy far enough to compare it.
func canonicalOf(t *rapid.T, label string) policy.Canonical {
	p := anyPolicy(0).Draw(t, label)
	for _, own := range []string{"key", "acceptLockout"} {
		delete(p, own)
	}
	p["displayName"], p["state"] = "P", "enabled"
	return policy.CanonicalOf(entra.KindPolicy, p)
}

// TestNothingWeakensUnseen: two policies of which neither is weaker than the
// other hold for the same and demand the same. A change that escaped the
// comparison in both directions would show here.
func TestNothingWeakensUnseen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := canonicalOf(t, "a"), canonicalOf(t, "b")
		if rapid.Bool().Draw(t, "near") { // equal but for one block
			for _, block := range rapid.SampledFrom([][]string{{"conditions", "grantControls"}, {"conditions", "sessionControls"}, {"grantControls", "sessionControls"}}).Draw(t, "shared") {
				policy.Put(b, block, policy.At(a, block))
			}
			b = policy.CanonicalOf(entra.KindPolicy, entra.Document(b))
		}
		s := func(string) bool { return false }
		if w := policy.Weakening(a, a, s); len(w) > 0 {
			t.Fatalf("a policy is weaker than itself: %v", w)
		}
		if len(policy.Weakening(a, b, s)) == 0 && len(policy.Weakening(b, a, s)) == 0 && policy.Effect(a) != policy.Effect(b) {
			t.Fatalf("neither is weaker, yet they differ: %v", policy.Differences(a, b, nil))
		}
	})
}
