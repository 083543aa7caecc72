package access_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
)

// Whether a strength satisfies the MFA requirement is what the service says; else its
// combinations say it; of a strength that was not read it is not claimed.
func TestStrengthsThatSatisfyMFA(t *testing.T) {
	mfa := access.Demand{"mfa"}
	for id, c := range map[string]struct {
		strength string
		meets    bool
	}{
		"said":                                 {`{"id":"said","requirementsSatisfied":"mfa","allowedCombinations":["password"]}`, true},
		"denied":                               {`{"id":"denied","requirementsSatisfied":"none","allowedCombinations":["fido2"]}`, false},
		"planned":                              {`{"id":"planned","allowedCombinations":["fido2","password,sms"]}`, true},
		"plannedweak":                          {`{"id":"plannedweak","allowedCombinations":["fido2","password"]}`, false},
		"empty":                                {`{"id":"empty"}`, false},
		"unread":                               {`{"id":"another","requirementsSatisfied":"mfa"}`, false},
		"00000000-0000-0000-0000-000000000002": {`{"id":"another","requirementsSatisfied":"none"}`, true},
	} {
		set := access.NewSet([]access.Policy{policyDoc(t, "p1", "enabled", "", `"authenticationStrength":{"id":"`+id+`"}`)}, nil, []entra.Document{doc(t, c.strength)}, nil)
		if set.Demands(0, mfa) != c.meets {
			t.Errorf("%s meets mfa: %t", id, !c.meets)
		}
	}
}

// A control that this version does not know, or cannot read, may demand something: nobody
// is said to be reached by nothing, or to be asked for nothing more.
func TestControlsThatCannotBeRead(t *testing.T) {
	nobody := func(entra.ObjectKind, entra.ID) string { return "" }
	for _, c := range []struct{ controls, why string }{
		{`"builtInControls":"mfa"`, "builtInControls is not a list"},
		{`"proofOfWork":{"isEnabled":true}`, "the control grantControls.proofOfWork is not known to this version"},
	} {
		set := access.NewSet([]access.Policy{policyDoc(t, "p1", "enabled", "", c.controls)}, nil, nil, nil)
		in := access.SignIn{User: &access.User{ID: ada}, Target: access.Target{App: &access.App{}}, UserRisk: "high", SignInRisk: "high", Client: "browser"}
		if r := set.NewReacher(nobody).Of(in); !r.Unknown || r.Uncovered() {
			t.Errorf("%s: %+v", c.controls, r)
		}
		if v := set.Judge(in).Verdict(0); v.Applies != access.Unknown || v.Why != c.why {
			t.Errorf("%s: %+v", c.controls, v)
		}
		people := set.NewPeople([]access.Person{{ID: ada, Name: "ada"}})
		if all := people.Coverage(nobody); all.Groups[0].Nothing > 0 || !slices.Equal(all.Unknown, []string{"p1: " + c.why}) {
			t.Errorf("%s: %+v", c.controls, all)
		}
	}
}

// For which factor a sign-in frequency holds is a part of what it asks.
func TestTheFactorOfASignInFrequencyIsAnEffect(t *testing.T) {
	state := func(factor string) access.State {
		p := policyDoc(t, "p1", "enabled", "", `"builtInControls":["mfa"]`)
		p.Document["sessionControls"] = map[string]any{"signInFrequency": map[string]any{"isEnabled": true, "frequencyInterval": "everyTime", "authenticationType": factor}}
		return access.State{Policies: []access.Policy{p}}
	}
	one, _, _ := effects(state("primaryAndSecondaryAuthentication"), state("secondaryAuthentication"), "p1")
	if len(one) != 2 || !strings.Contains(strings.Join(one, "\n"), "signInFrequency: every time, secondaryAuthentication") {
		t.Errorf("%q", one)
	}
}
