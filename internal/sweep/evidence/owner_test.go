package evidence

import (
	"testing"

	"github.com/risksweep/risksweep/internal/entra"
)

// An open detection that does not say whose it is leaves nobody's evidence
// complete, until it is closed or says so.
func TestADetectionOfNobodyConcernsEverybody(t *testing.T) {
	const user = "0a1b2c3d-0000-4000-8000-00000000abcd"
	for _, c := range []struct {
		name       string
		detections []entra.Detection
		complete   bool
	}{
		{"of a user", []entra.Detection{{ID: "d", UserID: user, RiskState: "atRisk"}}, true},
		{"no user", []entra.Detection{{ID: "d", RiskState: "atRisk"}}, false},
		{"no id of a user", []entra.Detection{{ID: "d", UserID: "somebody", RiskState: "atRisk"}}, false},
		{"a state of tomorrow", []entra.Detection{{ID: "d", RiskState: "new"}}, false},
		{"closed", []entra.Detection{{ID: "d", RiskState: "dismissed"}}, true},
		{"closed later", []entra.Detection{{ID: "d", RiskState: "atRisk"}, {ID: "d", RiskState: "dismissed"}}, true},
		{"said later", []entra.Detection{{ID: "d", RiskState: "atRisk"}, {ID: "d", UserID: user, RiskState: "atRisk"}}, true},
		{"one of two said later", []entra.Detection{{ID: "d", RiskState: "atRisk"}, {ID: "e", RiskState: "atRisk"}, {ID: "d", UserID: user, RiskState: "atRisk"}}, false},
	} {
		e := NewIndex()
		for i := range c.detections {
			e.Add(&c.detections[i])
		}
		if why := e.Ownerless(); (why == "") != c.complete {
			t.Errorf("%s: %q", c.name, why)
		}
	}
}
