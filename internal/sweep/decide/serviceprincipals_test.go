package decide

import (
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/sweep/evidence"
	"github.com/risksweep/risksweep/internal/sweep/gather"
)

// Whoever the job works as, and what is only reported, is told by what the token
// and the directory say; what they do not say counts as it.
func TestTheOwnIdentityIsNeverTouched(t *testing.T) {
	no := false
	app := &entra.SignedIn{Kind: entra.SignedInApp, ID: "P1", AppID: "A1"}
	theirs := &entra.ServicePrincipal{ID: "p2", AppID: "a2", OwnerTenant: "t1"}
	for name, tt := range map[string]struct {
		signedIn      *entra.SignedIn
		id, appID     string
		directory     *entra.ServicePrincipal
		ownersUnknown string
		own, first    string
	}{
		"another":                          {signedIn: app, id: "p2", appID: "a2", directory: theirs},
		"by object id":                     {signedIn: app, id: "p1", appID: "x", directory: theirs, own: "is the identity that risksweep itself works as"},
		"by app id":                        {signedIn: app, id: "x", appID: "a1", directory: theirs, own: "is the identity that risksweep itself works as"},
		"the application of a person":      {signedIn: &entra.SignedIn{Kind: entra.SignedInUser, ID: "u1", AppID: "A2"}, id: "p2", appID: "a2", directory: theirs, own: "is the identity that risksweep itself works as"},
		"an app id that is not told":       {signedIn: &entra.SignedIn{Kind: entra.SignedInUser, ID: "u1", AppID: "A2"}, id: "p2", directory: theirs, own: "did not say its appId"},
		"an opaque token":                  {id: "p2", appID: "a2", directory: theirs, own: "the access token does not show whom it stands for"},
		"Microsoft's own":                  {signedIn: app, id: "p2", appID: "a2", directory: &entra.ServicePrincipal{OwnerTenant: "f8cdef31-a31e-4b4a-93e4-5f571e91255a"}, first: "an application of Microsoft's own"},
		"not in the directory":             {signedIn: app, id: "p2", appID: "a2", first: "is not in the directory"},
		"the directory may not be read":    {signedIn: app, id: "p2", appID: "a2", ownersUnknown: "permission missing", first: "could not be read: permission missing"},
		"the directory does not say whose": {signedIn: app, id: "p2", appID: "a2", directory: &entra.ServicePrincipal{ID: "p2"}, first: "the directory does not say"},
	} {
		t.Run(name, func(t *testing.T) {
			k := gather.Known{Start: gather.Start{Identity: tt.signedIn}, OwnersUnknown: tt.ownersUnknown, Open: evidence.NewIndex()}
			p := &gather.ServicePrincipal{Directory: tt.directory, RiskyServicePrincipal: entra.RiskyServicePrincipal{ID: entra.NewID(tt.id), AppID: tt.appID,
				DisplayName: "App", IsProcessing: &no, RiskLevel: "high", RiskState: "atRisk"}}
			ev := principalEvidence(k, p, nil)
			if !strings.Contains(ev.Own, tt.own) || (ev.Own == "") != (tt.own == "") {
				t.Errorf("own: %q, want %q", ev.Own, tt.own)
			}
			if !strings.Contains(ev.FirstParty, tt.first) || (ev.FirstParty == "") != (tt.first == "") {
				t.Errorf("first-party: %q, want %q", ev.FirstParty, tt.first)
			}
			_, a, _ := OrderedPrincipal(k, plan.ConfirmServicePrincipalCompromised, "", true, p)
			if why := strings.Join(a.Reasons, "; "); tt.own != "" && (a.Status != plan.Blocked || !strings.Contains(why, tt.own)) {
				t.Errorf("an order: %s %s", a.Status, why)
			}
		})
	}
}

// A person who is signed in can order nothing about the own account, whatever the
// kind; a token that does not tell whose it is protects nobody.
func TestTheOwnAccountIsNeverTouched(t *testing.T) {
	for _, tt := range []struct {
		signedIn *entra.SignedIn
		own      bool
	}{
		{&entra.SignedIn{Kind: entra.SignedInUser, ID: "U1"}, true},
		{&entra.SignedIn{Kind: entra.SignedInUser, ID: "u2"}, false},
		{&entra.SignedIn{Kind: entra.SignedInUser}, false},
		{&entra.SignedIn{Kind: entra.SignedInApp, ID: "u1"}, false},
		{nil, false},
	} {
		k := gather.Known{Start: gather.Start{Identity: tt.signedIn}, Open: evidence.NewIndex()}
		for _, kind := range plan.Kinds() {
			if !kind.OnUser() {
				continue
			}
			_, a, _ := Ordered(k, kind, "", &entra.RiskyUser{ID: "u1", RiskState: "atRisk"})
			if is := strings.Contains(strings.Join(a.Reasons, "; "), "works as"); is != tt.own || is && a.Status != plan.Blocked {
				t.Errorf("%v %s: %s %v", tt.signedIn, kind, a.Status, a.Reasons)
			}
		}
	}
}
