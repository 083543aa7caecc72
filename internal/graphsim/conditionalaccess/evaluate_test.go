package conditionalaccess

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

const evaluateAt = "identity/conditionalAccess/evaluate"

func whatIf(user, app, conditions string) string {
	return `{"signInIdentity":{"@odata.type":"#microsoft.graph.userSignIn","userId":"` + user + `"},
		"signInContext":{"@odata.type":"#microsoft.graph.applicationContext","includeApplications":["` + app + `"]},"signInConditions":{` + conditions + `}}`
}

func TestWhatIfAnswersWithWholePolicies(t *testing.T) {
	b := newBench(t, 0, Options{})
	ada, exchange := b.tenant.Person("ada@contoso.com").ID, "00000002-0000-0ff1-ce00-000000000000"
	id := b.id(http.MethodPost, policiesAt, edit("state", `"enabled"`, "conditions.applications.includeApplications", `["Office365"]`,
		"grantControls", `{"operator":"OR","authenticationStrength":{"id":"00000000-0000-0000-0000-000000000004"}}`))
	b.id(http.MethodPost, policiesAt, edit("displayName", `"Off"`))
	gone := b.id(http.MethodPost, policiesAt, edit())
	b.text(http.MethodDelete, policiesAt+"/"+gone, "")

	answer := b.text(http.MethodPost, evaluateAt, whatIf(ada, exchange, ""))
	if strings.Contains(answer, "authenticationStrength@odata") || !strings.Contains(answer, `#Collection(microsoft.graph.whatIfAnalysisResult)"`) {
		t.Errorf("context: %s", answer)
	}
	values, _ := b.parse(answer)["value"].([]any)
	if len(values) != 2 {
		t.Fatalf("%d policies in %s", len(values), answer)
	}
	for i, want := range []string{`{"id":"` + id + `","policyApplies":true,"analysisReasons":"notSet"}`, `{"policyApplies":false,"analysisReasons":"policyNotEnabled"}`} {
		for name, v := range b.parse(want) {
			if got := at(values[i], name); got != v {
				t.Errorf("policy %d: %s is %v, want %v", i, name, got, v)
			}
		}
	}
	for path, want := range map[string]string{
		"conditions.users.excludeGroups": `[]`, "conditions.platforms": `null`, "sessionControls": `null`, "grantControls.termsOfUse": `[]`,
		"grantControls.authenticationStrength.displayName": `"Phishing-resistant MFA"`,
	} {
		if got := asJSON(at(values[0], path)); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	only := strings.Replace(whatIf(ada, "11111111-0000-4000-8000-000000000000", ""), "{", `{"appliedPoliciesOnly":true,`, 1)
	if got := asJSON(b.object(http.MethodPost, evaluateAt, only)["value"]); got != "[]" {
		t.Errorf("nothing applies, and the answer is %s", got)
	}
}

func TestWhatIfSeesWhatReadersSee(t *testing.T) {
	b := newBench(t, 0, Options{Lag: time.Minute})
	place := b.id(http.MethodPost, placesAt, `{"@odata.type":"#microsoft.graph.ipNamedLocation","displayName":"Office","isTrusted":true,"ipRanges":[{"@odata.type":"#microsoft.graph.iPv4CidrRange","cidrAddress":"203.0.113.0/24"}]}`)
	b.now = b.now.Add(2 * time.Minute)
	b.id(http.MethodPost, policiesAt, edit("state", `"enabled"`, "conditions.locations", `{"includeLocations":["All"],"excludeLocations":["`+place+`"]}`))
	ask := whatIf(b.tenant.Person("ada@contoso.com").ID, "00000003-0000-0ff1-ce00-000000000000", `"ipAddress":"203.0.113.7"`)
	if got := asJSON(b.object(http.MethodPost, evaluateAt, ask)["value"]); got != "[]" {
		t.Errorf("a policy that nobody sees yet is judged: %s", got)
	}
	b.now = b.now.Add(2 * time.Minute)
	if got := b.text(http.MethodPost, evaluateAt, ask); !strings.Contains(got, `"analysisReasons":"location"`) {
		t.Errorf("from the office: %s", got)
	}
}

func TestWhatIfRefuses(t *testing.T) {
	b := newBench(t, 1, Options{})
	ada := b.tenant.Person("ada@contoso.com").ID
	for body, want := range map[string]string{
		"":                        "Empty Payload",
		`{"signInConditions":{}}`: "The parameter 'signInIdentity' is required.",
		whatIf("00000000-1111-4000-8000-000000000000", "x", ""):                                                            "User with id",
		whatIf(ada, "x", `"clientAppType":"telnet"`):                                                                       "'telnet' is not a value",
		strings.Replace(whatIf(ada, "x", ""), "userSignIn\",\"userId", "servicePrincipalSignIn\",\"servicePrincipalId", 1): "ServicePrincipal with id",
	} {
		_, e := b.ask(http.MethodPost, evaluateAt, body)
		wantError(t, body, e, 400, "BadRequest", want)
	}
	_, e := b.ask(http.MethodGet, evaluateAt, "")
	wantError(t, "GET", e, 405, "BadRequest", "Specified HTTP method")
	_, e = b.ask(http.MethodPost, evaluateAt+"?$top=1", whatIf(ada, "x", ""))
	wantError(t, "$top", e, 400, "BadRequest", "Query option '$top'")
	anyOf, denied := b.w.Needs(http.MethodPost, strings.Split(evaluateAt, "/"))
	if denied.Code != "AccessDenied" || len(anyOf) == 0 || strings.Join(anyOf[0], " ") != "Policy.Read.ConditionalAccess" {
		t.Errorf("it needs %v", anyOf)
	}
	_, e = newBench(t, 0, Options{License: "none"}).ask(http.MethodPost, evaluateAt, whatIf(ada, "x", ""))
	wantError(t, "without a licence", e, 403, "AccessDenied", "")
}
