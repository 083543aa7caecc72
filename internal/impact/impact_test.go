package impact

import (
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func row(id, correlation, user string, ago time.Duration, code int, result string) *entra.SignIn {
	return &entra.SignIn{ID: id, CorrelationID: correlation, UserID: entra.NewID(user), UserPrincipalName: user + "@contoso.com", CreatedDateTime: entra.NewDateTime(noon.Add(-ago)), ErrorCode: code,
		AppDisplayName: "Office", ResourceID: "r", ClientApp: "Browser", CountryOrRegion: "DE", PoliciesShown: true, Policies: []*entra.AppliedPolicy{{ID: "p", Result: result}, {ID: "other", Result: "success"}}}
}

// Sign-ins are counted once whatever rows they have, from the policy's last change
// on, and those that ended before any policy was asked not at all.
func TestCountedByTheLog(t *testing.T) {
	i := New(Options{Window: entra.LogWindow{From: noon.Add(-14 * 24 * time.Hour), To: noon}, Policies: []Policy{{DisplayName: "P", ID: "p", Place: -1, Since: noon.Add(-48 * time.Hour)}}})
	for _, r := range []*entra.SignIn{
		row("1", "c1", "ada", time.Minute, 0, entra.ReportOnlyFailure),
		row("2", "c1", "ada", 2*time.Minute, 50140, entra.ReportOnlyFailure),
		row("3", "c2", "ada", 3*time.Hour, 0, entra.ReportOnlyInterrupted),
		row("4", "c3", "bob", 4*time.Hour, 50126, entra.ReportOnlyNotApplied),
		row("5", "c4", "bob", 5*time.Hour, 0, entra.ReportOnlyNotApplied),
		row("6", "c5", "bob", 6*time.Hour, 0, entra.ReportOnlySuccess),
		row("7", "c5", "bob", 6*time.Hour+time.Minute, 50126, entra.ReportOnlyNotApplied),
		row("8", "c6", "eve", 7*time.Hour, 0, "unknownFutureValue"),
		row("9", "c7", "eve", 72*time.Hour, 0, entra.ReportOnlyFailure), // before the policy was as it is
	} {
		i.Add(r)
	}
	r := i.Result()
	p := r.Policies[0]
	if r.Read != 6 || r.Early != 1 || p.Judged != 4 || p.Applied != 3 || p.Users != 2 || p.Refused.SignIns != 1 || p.Refused.Users != 1 || p.Asked.SignIns != 1 || p.Unknown.SignIns != 0 ||
		len(p.Who) != 1 || p.Who[0].Name != "ada@contoso.com" || p.By != ByLog || r.Days != 14 || !strings.Contains(r.Note, "interactive sign-ins only") {
		t.Errorf("%+v", r)
	}
	if md := Markdown(r); !strings.Contains(md, "| P | log | 4 | 3 | 1 (1 user) | 1 (1 user) | 0 | ada@contoso.com |") {
		t.Error(md)
	}
}

// What the log does not say is unknown, unless it makes no difference.
func TestReplayKnowsWhatItDoesNotKnow(t *testing.T) {
	doc := func(text string) access.Policy {
		d, err := entra.ParseDocument([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return access.Policy{Document: d}
	}
	const everybody = `"applications":{"includeApplications":["All"]},"users":{"includeUsers":["All"]}`
	set := access.NewSet([]access.Policy{
		doc(`{"id":"block","displayName":"block","state":"enabled","conditions":{` + everybody + `},"grantControls":{"operator":"OR","builtInControls":["block"]}}`),
		doc(`{"id":"risk","displayName":"risk","state":"enabled","conditions":{"userRiskLevels":["high"],` + everybody + `},"grantControls":{"operator":"OR","builtInControls":["block"]}}`),
		doc(`{"id":"mfa","displayName":"mfa","state":"enabled","conditions":{` + everybody + `},"grantControls":{"operator":"OR","builtInControls":["mfa"]}}`),
		doc(`{"id":"either","displayName":"either","state":"enabled","conditions":{` + everybody + `},"grantControls":{"operator":"OR","builtInControls":["mfa","compliantDevice"]}}`),
		doc(`{"id":"both","displayName":"both","state":"enabled","conditions":{` + everybody + `},"grantControls":{"operator":"AND","builtInControls":["mfa","compliantDevice"]}}`),
		doc(`{"id":"group","displayName":"group","state":"enabled","conditions":{"applications":{"includeApplications":["All"]},"users":{"includeGroups":["g"]}},"grantControls":{"operator":"OR","builtInControls":["block"]}}`),
	}, nil, nil, access.MicrosoftAppGroups())
	o := Options{Window: entra.LogWindow{From: noon.Add(-time.Hour), To: noon}, Set: set}
	chosen, strange := Choose(set, nil, nil)
	if len(chosen) != 6 || strange != nil {
		t.Fatalf("%+v %v", chosen, strange)
	}
	o.Policies = chosen
	i := New(o)
	yes := true
	r := row("1", "c", "ada", time.Minute, 0, "notApplied")
	r.Device = entra.SignInDevice{ID: "d", IsCompliant: &yes, OperatingSystem: "Windows10"}
	i.Add(r)
	got := map[string]string{}
	for _, p := range i.Result().Policies {
		if want := map[bool]int{true: 1}[p.DisplayName != "risk" && p.DisplayName != "group"]; p.Applied != want {
			t.Errorf("%s applies to %d sign-ins, want %d", p.DisplayName, p.Applied, want)
		}
		switch {
		case p.Refused.SignIns > 0:
			got[p.DisplayName] = "refused"
		case p.Asked.SignIns > 0:
			got[p.DisplayName] = "asked"
		case p.Unknown.SignIns > 0:
			for why := range p.Why {
				got[p.DisplayName] = why
			}
		default:
			got[p.DisplayName] = "fine"
		}
	}
	for name, want := range map[string]string{"block": "refused", "risk": "the user risk", "mfa": "how its controls would be met", "either": "fine", "both": "how its controls would be met", "group": "the user's groups or roles"} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
	for _, c := range []struct{ text, log, replay string }{
		{`{"conditions":{"applications":{"includeUserActions":["urn:user:registerdevice"]}}}`, "user actions", "user actions"},
		{`{"conditions":{"clientApplications":{"includeServicePrincipals":["ServicePrincipalsInMyTenant"]}}}`, "workload identities", "workload identities"},
		{`{"conditions":{"applications":{"includeAuthenticationContextClassReferences":["c1"]}}}`, "", "authentication contexts"},
		{`{"conditions":{` + everybody + `}}`, "", ""},
	} {
		d := doc(c.text).Document
		if log, replay := Silent(d, false), Silent(d, true); (log == "") != (c.log == "") || (replay == "") != (c.replay == "") || !strings.Contains(log, c.log) || !strings.Contains(replay, c.replay) {
			t.Errorf("%s: %q, %q", c.text, log, replay)
		}
	}
	if _, strange := Choose(set, nil, []string{"nope"}); len(strange) != 1 {
		t.Error("a name that stands for nothing is not said")
	}
}
