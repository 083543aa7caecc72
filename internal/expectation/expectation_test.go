package expectation_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/expectation"
)

const good = `expectations:
  - name: a leaked password leads to a new password
    user: ada@contoso.com
    app: All
    when: {userRiskLevel: high, clientAppType: browser, ipAddress: 203.0.113.9, device: {isCompliant: true}}
    expect: {outcome: granted, demands: [passwordChange, mfa], policies: [CA012], notPolicies: []}
  - name: legacy clients are blocked
    everyone: true
    app: Office 365 Exchange Online
    when: {clientAppType: other}
    expect: {outcome: blocked}
`

func TestParse(t *testing.T) {
	list, problems := expectation.Parse("expectations.yaml", []byte(good))
	if problems.Err() != nil || len(list) != 2 {
		t.Fatalf("%v, %d expectations", problems, len(list))
	}
	e := list[0]
	if e.Line != 2 || e.Subject != (expectation.Subject{Kind: expectation.OneUser, Name: "ada@contoso.com"}) || e.When.UserRisk != "high" || len(e.Demands) != 2 || e.When.Device.Properties["isCompliant"][0] != "true" {
		t.Errorf("read %+v", e)
	}
	want := []entra.Ref{{Kind: entra.KindUser, Name: "ada@contoso.com"}, {Kind: entra.KindApplication, Name: "Office 365 Exchange Online"}}
	if refs := expectation.Refs(list); !slices.Equal(refs, want) {
		t.Errorf("refs %v", refs)
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"expectations:\n  - {name: a, user: x@contoso.com, app: All, expekt: {outcome: open}}", "2:46: expectations[0].expekt: unknown key"},
		{"expectations:\n  - {name: a, user: x@contoso.com, group: y, app: All, expect: {outcome: open}}", "not both"},
		{"expectations:\n  - {name: a, app: All, expect: {outcome: open}}", "whom it is about"},
		{"expectations:\n  - {name: a, user: x@contoso.com, expect: {outcome: open}}", "what is signed in to"},
		{"expectations:\n  - {name: a, user: x@contoso.com, app: All, when: {clientAppType: Browser}, expect: {outcome: open}}", `did you mean "browser"`},
		{"expectations:\n  - {name: a, user: x@contoso.com, app: All, when: {ipAddress: 203.0.113}, expect: {outcome: open}}", "not an IP address"},
		{"expectations:\n  - {name: a, user: x@contoso.com, app: All, when: {device: {isComplient: true}}, expect: {outcome: open}}", `did you mean "isCompliant"`},
		{"expectations:\n  - {name: a, user: x@contoso.com, app: All, expect: {outcome: blocked, demands: [mfa]}}", "demands nothing"},
		{"expectations:\n  - {name: a, user: x@contoso.com, app: All, expect: {}}", "expects nothing"},
		{"expectations:\n  - {name: a, guests: false, app: All, expect: {outcome: open}}", "true or left out"},
		{"expectations:\n  - {name: a, user: x@contoso.com, app: All, expect: {outcome: open}}\n  - {name: A, user: x@contoso.com, app: All, expect: {outcome: open}}", "used at line 2 already"},
		{"expectations:\n  - {name: a, user: Ada Lovelace, app: All, expect: {outcome: open}}", `2:21: expectations[0].user: "Ada Lovelace" is neither a user principal name nor an object id`},
		{"expectations:\n  - {name: a, user: x@contoso.com, app: All, when: {country: UK}, expect: {outcome: open}}", `"UK" is no country code of two letters (ISO 3166-1: US, DE) (did you mean "GB"?)`},
		{"expectations:\n  - {name: a, user: x@contoso.com, app: All, when: {userRisk: high}, expect: {outcome: open}}", `did you mean "userRiskLevel"`},
		{"expectation: []", `did you mean "expectations"`},
	} {
		list, problems := expectation.Parse("e.yaml", []byte(c.text))
		if list != nil || !strings.Contains(problems.Error(), c.want) {
			t.Errorf("%s\ngives %v, want %q", c.text, problems, c.want)
		}
	}
}

type facts map[string][]expectation.Someone

func (f facts) Subjects(s expectation.Subject) ([]expectation.Someone, error) {
	if people := f[s.Name]; people != nil {
		return people, nil
	}
	return nil, errors.New("no such " + string(s.Kind))
}

func (facts) App(name string) (*access.App, error) {
	return &access.App{ID: entra.ID(name)}, nil
}

func TestJudge(t *testing.T) {
	document := func(text string) entra.Document {
		d, err := entra.ParseDocument([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	set := access.NewSet([]access.Policy{
		{Key: "CA012", Document: document(`{"displayName":"Change the password","state":"enabled","conditions":{"users":{"includeUsers":["All"]},"applications":{"includeApplications":["All"]},"userRiskLevels":["high"]},"grantControls":{"operator":"AND","builtInControls":["mfa","passwordChange"]}}`)},
		{Key: "CA020", Document: document(`{"displayName":"Watch","state":"enabledForReportingButNotEnforced","conditions":{"users":{"includeUsers":["All"]},"applications":{"includeApplications":["All"]}},"grantControls":{"operator":"OR","builtInControls":["block"]}}`)},
		{Key: "CA030", Document: document(`{"displayName":"Strong","state":"enabled","conditions":{"users":{"includeUsers":["All"]},"applications":{"includeApplications":["vault"]}},"grantControls":{"operator":"OR","authenticationStrength":{"id":"4"}}}`)},
	}, nil, []entra.Document{document(`{"id":"4","displayName":"Phishing-resistant","requirementsSatisfied":"mfa"}`)}, nil)
	people := facts{"ada@contoso.com": {{Name: "ada", User: &access.User{ID: "u1"}}}, "many": {{Name: "ada", Others: 3, User: &access.User{ID: "u1"}}}}
	for _, c := range []struct{ text, want string }{
		{`{name: n, user: ada@contoso.com, app: All, when: {userRiskLevel: high}, expect: {outcome: granted, demands: [passwordChange, mfa], policies: [CA012], notPolicies: [CA030]}}`, ""},
		{`{name: n, user: ada@contoso.com, app: vault, expect: {demands: [mfa]}}`, ""},
		{`{name: n, user: ada@contoso.com, app: vault, expect: {demands: ["authenticationStrength:phishing-resistant"]}}`, ""},
		{`{name: n, user: ada@contoso.com, app: All, expect: {outcome: open}}`, ""},
		{`{name: n, user: ada@contoso.com, app: All, withReportOnly: true, expect: {outcome: blocked, policies: [CA020]}}`, ""},
		{`{name: n, user: ada@contoso.com, app: All, expect: {outcome: blocked}}`, "ada: the sign-in is open, not blocked (Watch: the policy is report-only)"},
		{`{name: n, user: ada@contoso.com, app: vault, expect: {outcome: open}}`, "ada: the sign-in is granted by Strong [b.yaml:9], not open"},
		{`{name: n, group: many, app: All, when: {userRiskLevel: medium}, expect: {demands: [passwordChange]}}`, "ada and 3 more: passwordChange is not demanded (Change the password [b.yaml:3]: the user risk medium is not one the policy asks for)"},
		{`{name: n, user: ada@contoso.com, app: All, expect: {policies: [CA020]}}`, "ada: policy Watch does not apply: the policy is report-only"},
		{`{name: n, user: ada@contoso.com, app: vault, expect: {notPolicies: [strong]}}`, "ada: policy Strong [b.yaml:9] applies"},
		{`{name: n, user: ada@contoso.com, app: All, expect: {policies: [CA099]}}`, `no policy has the key or the name "CA099"`},
		{`{name: n, user: nobody@contoso.com, app: All, expect: {outcome: open}}`, "no such user"},
	} {
		list, problems := expectation.Parse("e.yaml", []byte("expectations:\n  - "+c.text))
		if problems.Err() != nil {
			t.Fatal(problems)
		}
		got := expectation.Judge(list, set, people, map[string]string{"CA030": "b.yaml:9", "CA012": "b.yaml:3"})[0]
		if strings.Join(got.Failures, "\n") != c.want || got.Holds != (c.want == "") {
			t.Errorf("%s\ngives %q, want %q", c.text, got.Failures, c.want)
		}
	}
}

func TestOutput(t *testing.T) {
	sets := []expectation.SetVerdicts{{Tenant: "contoso", Policies: "planned", Verdicts: []expectation.Verdict{
		{Expectation: expectation.Expectation{Name: "a | b", File: "e.yaml", Line: 2}, Holds: true},
		{Expectation: expectation.Expectation{Name: "c", File: "e.yaml", Line: 9}, Failures: []string{"ada: <blocked>", "bob: blocked"}},
		{Expectation: expectation.Expectation{Name: "d", File: "e.yaml", Line: 12}, Holds: true, Nobody: true},
	}}}
	var b bytes.Buffer
	if err := expectation.WriteJUnit(&b, sets); err != nil {
		t.Fatal(err)
	}
	var read struct {
		Suite struct {
			Failures int `xml:"failures,attr"`
			Skipped  int `xml:"skipped,attr"`
			Case     []struct {
				Name    string `xml:"name,attr"`
				Failure struct {
					Message string `xml:"message,attr"`
				} `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(b.Bytes(), &read); err != nil || read.Suite.Failures != 1 || read.Suite.Skipped != 1 || read.Suite.Case[1].Failure.Message != "ada: <blocked>" {
		t.Errorf("%v: %s", err, b.String())
	}
	b.Reset()
	if err := expectation.WriteMarkdown(&b, sets); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), `| holds | a \| b (e.yaml:2) |`) || !strings.Contains(b.String(), "&lt;blocked&gt;; bob: blocked") || !strings.Contains(b.String(), "| about nobody | d (e.yaml:12) |") {
		t.Errorf("%s", b.String())
	}
}
