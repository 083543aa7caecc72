package triage_test

import (
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/triage"
)

const principalRules = `
protected: {servicePrincipals: [Payroll]}
allowlist:
  - id: pipeline
    servicePrincipals: [Build Pipeline, 11111111-1111-4111-8111-111111111111, 22222222-2222-4222-8222-222222222222]
    when: {riskEventTypes: [suspiciousSignins], maxRiskLevel: medium, ipRanges: [203.0.113.0/24]}
    reason: builders sign in from the new network
    owner: secops@contoso.com
    expires: 2026-12-31
escalate:
  - id: leaked
    servicePrincipals: [All]
    when: {riskEventTypes: [leakedCredentials]}
    reason: the credentials are out
`

func principalRulesOf(t *testing.T, text string, change func(*triage.Directory)) (*triage.Rules, []triage.Finding) {
	t.Helper()
	now := time.Date(2026, 11, 26, 2, 0, 0, 0, time.UTC)
	p, problems := triage.Parse("triage.yaml", []byte(text), now)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	d := triage.Directory{Names: entra.Names{}, Privileged: &entra.Privileged{Users: map[entra.ID][]string{}, Principals: map[entra.ID][]string{}}}
	one := func(kind entra.ObjectKind, name string, id entra.ID) {
		ref := entra.Ref{Kind: kind, Name: name}
		d.Names[ref] = entra.Resolution{Ref: ref, Objects: []entra.DirectoryObject{{Kind: kind, ID: id}}}
	}
	one(entra.KindServicePrincipal, "Build Pipeline", "p1")
	one(entra.KindServicePrincipal, "Payroll", "p9")
	one(entra.KindServicePrincipal, "11111111-1111-4111-8111-111111111111", "11111111-1111-4111-8111-111111111111")
	one(entra.KindApplication, "22222222-2222-4222-8222-222222222222", "22222222-2222-4222-8222-222222222222") // an appId
	if change != nil {
		change(&d)
	}
	return p.Bind(d, now)
}

func TestServicePrincipalDecisions(t *testing.T) {
	now := time.Date(2026, 11, 26, 2, 0, 0, 0, time.UTC)
	no := false
	good := triage.Detection{ID: "d1", EventType: "suspiciousSignins", IP: "203.0.113.9", Level: "medium", State: "atRisk", Detected: "2026-11-25T10:00:00Z"}
	type change func(*triage.PrincipalEvidence)
	with := func(d triage.Detection) change {
		return func(p *triage.PrincipalEvidence) { p.Detections = append(p.Detections, d) }
	}
	for name, tt := range map[string]struct {
		change  change
		verdict triage.Verdict
		code    string
		person  bool
	}{
		"covered":            {nil, triage.Dismiss, triage.CodeAllowlisted, false},
		"named by object id": {func(p *triage.PrincipalEvidence) { p.User.ID = "11111111-1111-4111-8111-111111111111" }, triage.Dismiss, triage.CodeAllowlisted, false},
		"named by app id": {func(p *triage.PrincipalEvidence) {
			p.User.ID, p.AppID = "p7", "22222222-2222-4222-8222-222222222222"
		}, triage.Dismiss, triage.CodeAllowlisted, false},
		"not named":        {func(p *triage.PrincipalEvidence) { p.User.ID = "p8" }, triage.Leave, triage.CodeUncovered, true},
		"one uncovered":    {with(triage.Detection{ID: "d2", EventType: "suspiciousSignins", IP: "198.51.100.7", Level: "low", State: "atRisk"}), triage.Leave, triage.CodeUncovered, true},
		"leaked":           {with(triage.Detection{ID: "d2", EventType: "leakedCredentials", Level: "high", State: "atRisk"}), triage.ConfirmCompromised, triage.CodeEscalated, false},
		"an unknown type":  {with(triage.Detection{ID: "d2", EventType: "unknownFutureValue", Level: "low", State: "atRisk"}), triage.Leave, triage.CodeEscalationHidden, true},
		"protected":        {func(p *triage.PrincipalEvidence) { p.User.ID = "p9" }, triage.Leave, triage.CodeProtected, true},
		"the run's own":    {func(p *triage.PrincipalEvidence) { p.Own = "it is the own identity" }, triage.Leave, triage.CodeOwnIdentity, true},
		"Microsoft's":      {func(p *triage.PrincipalEvidence) { p.FirstParty = "it is Microsoft's own" }, triage.Leave, triage.CodeFirstParty, true},
		"hidden level":     {func(p *triage.PrincipalEvidence) { p.User.RiskLevel = "hidden" }, triage.Leave, triage.CodeUnknownLevel, true},
		"level above":      {func(p *triage.PrincipalEvidence) { p.User.RiskLevel = "high" }, triage.Leave, triage.CodeLevelAbove, true},
		"incomplete":       {func(p *triage.PrincipalEvidence) { p.Incomplete = "not read" }, triage.Leave, triage.CodeIncomplete, true},
		"processing":       {func(p *triage.PrincipalEvidence) { p.User.IsProcessing = nil }, triage.Leave, triage.CodeProcessing, true},
		"held back":        {func(p *triage.PrincipalEvidence) { p.HeldBack = "an order may still act" }, triage.Leave, triage.CodePending, false},
		"closed":           {func(p *triage.PrincipalEvidence) { p.User.RiskState = "dismissed" }, triage.Leave, triage.CodeNotAtRisk, false},
		"confirmed":        {func(p *triage.PrincipalEvidence) { p.User.RiskState = "confirmedCompromised" }, triage.Leave, triage.CodeNotAtRisk, true},
		"nothing open":     {func(p *triage.PrincipalEvidence) { p.Detections = nil }, triage.Leave, triage.CodeNoDetections, true},
		"an unknown state": {func(p *triage.PrincipalEvidence) { p.User.RiskState = "atRest" }, triage.Leave, triage.CodeUnknownState, true},
		"dismissed before": {func(p *triage.PrincipalEvidence) {
			p.Dismissals = []triage.Past{{At: now.Add(-time.Hour), RiskLastUpdated: p.User.RiskLastUpdatedDateTime, Detections: []string{"d1"}, Effective: true}}
		}, triage.Leave, triage.CodePending, false},
		"confirmed before": {func(p *triage.PrincipalEvidence) {
			p.Detections[0].EventType = "leakedCredentials"
			p.Confirmations = []triage.Past{{At: now.Add(-time.Hour), Detections: []string{"d1"}, Effective: true}}
		}, triage.Leave, triage.CodeEscalatedOnce, true},
	} {
		t.Run(name, func(t *testing.T) {
			rules, findings := principalRulesOf(t, principalRules, nil)
			if len(findings) > 0 {
				t.Fatal(findings)
			}
			ev := triage.PrincipalEvidence{AppID: "a1", Evidence: triage.Evidence{Detections: []triage.Detection{good},
				User: entra.RiskyUser{ID: "p1", IsProcessing: &no, RiskLevel: "medium", RiskState: "atRisk", RiskLastUpdatedDateTime: "2026-11-25T10:00:00Z"}}}
			if tt.change != nil {
				tt.change(&ev)
			}
			d := rules.DecideServicePrincipal(ev, now)
			if d.Verdict != tt.verdict || d.Code != tt.code || d.NeedsPerson != tt.person || len(d.Reasons) == 0 {
				t.Errorf("%s %s %t %q, want %s %s %t", d.Verdict, d.Code, d.NeedsPerson, d.Reasons, tt.verdict, tt.code, tt.person)
			}
			for _, why := range d.Reasons {
				if strings.Contains(why, "the user ") {
					t.Errorf("a service principal is called a user: %q", why)
				}
			}
		})
	}
}

// What does not resolve blocks what uses it: an entry covers nothing, an
// escalation can no longer be ruled out, and where it is not known what is
// protected no rule decides.
func TestServicePrincipalsThatDoNotResolve(t *testing.T) {
	now := time.Date(2026, 11, 26, 2, 0, 0, 0, time.UTC)
	no := false
	ev := triage.PrincipalEvidence{AppID: "a1", Evidence: triage.Evidence{
		Detections: []triage.Detection{{ID: "d1", EventType: "suspiciousSignins", IP: "203.0.113.9", Level: "medium", State: "atRisk"}},
		User:       entra.RiskyUser{ID: "p1", IsProcessing: &no, RiskLevel: "medium", RiskState: "atRisk"}}}
	forget := func(name string) func(*triage.Directory) {
		return func(d *triage.Directory) { delete(d.Names, entra.Ref{Kind: entra.KindServicePrincipal, Name: name}) }
	}
	for name, tt := range map[string]struct {
		rules  string
		change func(*triage.Directory)
		code   string
		text   string
	}{
		"an entry": {principalRules, forget("11111111-1111-4111-8111-111111111111"), triage.CodeUncovered, `no service principal has the object id or the app id "11111111-1111-4111-8111-111111111111"`},
		"two of a name": {principalRules, func(d *triage.Directory) {
			ref := entra.Ref{Kind: entra.KindServicePrincipal, Name: "Build Pipeline"}
			d.Names[ref] = entra.Resolution{Ref: ref, Objects: []entra.DirectoryObject{{ID: "p1"}, {ID: "p2"}}}
		}, triage.CodeUncovered, `2 servicePrincipals are called "Build Pipeline"`},
		"what is protected": {principalRules, forget("Payroll"), triage.CodeProtectionBroken, `the servicePrincipal "Payroll" does not exist`},
		"an escalation":     {strings.Replace(principalRules, "[All]", "[Gone]", 1), nil, triage.CodeEscalationHidden, `the servicePrincipal "Gone" does not exist`},
		"roles":             {principalRules, func(d *triage.Directory) { d.Privileged, d.PrivilegedError = nil, "not permitted" }, triage.CodeRolesUnknown, "not permitted"},
		"a role": {principalRules, func(d *triage.Directory) {
			d.Privileged.Principals["p1"] = []string{"holds the directory role X"}
		}, triage.CodePrivileged, ""},
	} {
		t.Run(name, func(t *testing.T) {
			rules, findings := principalRulesOf(t, tt.rules, tt.change)
			if d := rules.DecideServicePrincipal(ev, now); d.Verdict != triage.Leave || d.Code != tt.code {
				t.Errorf("%s %s %q, want %s", d.Verdict, d.Code, d.Reasons, tt.code)
			}
			said := tt.text == "" && len(findings) == 0
			for _, f := range findings {
				said = said || f.Blocked && strings.Contains(f.Text, tt.text)
			}
			if !said {
				t.Errorf("findings %v do not say %q", findings, tt.text)
			}
		})
	}
}

// Rules about service principals say nothing of users, and those about users
// nothing of service principals.
func TestRulesOfUsersAndOfServicePrincipalsStayApart(t *testing.T) {
	now := time.Date(2026, 11, 26, 2, 0, 0, 0, time.UTC)
	no := false
	leaked := []triage.Detection{{ID: "d1", EventType: "leakedCredentials", Level: "high", State: "atRisk"}}
	user := entra.RiskyUser{ID: "u1", IsDeleted: &no, IsProcessing: &no, RiskLevel: "high", RiskState: "atRisk"}
	rules, _ := principalRulesOf(t, principalRules, nil)
	if d := rules.Decide(triage.Evidence{User: user, Detections: leaked}, now); d.Verdict != triage.Leave || d.Code != triage.CodeUncovered {
		t.Errorf("a user: %s %s %v", d.Verdict, d.Code, d.Reasons)
	}
	rules, _ = principalRulesOf(t, strings.Replace(principalRules, "    servicePrincipals: [All]\n", "", 1), nil)
	if d := rules.DecideServicePrincipal(triage.PrincipalEvidence{Evidence: triage.Evidence{User: user, Detections: leaked}}, now); d.Verdict != triage.Leave {
		t.Errorf("a service principal: %s %s %v", d.Verdict, d.Code, d.Reasons)
	}
}

func TestServicePrincipalsInTheFile(t *testing.T) {
	for text, want := range map[string]string{
		"allowlist:\n  - {id: a, servicePrincipals: [All], when: {riskEventTypes: [suspiciousSignins], maxRiskLevel: low}, reason: r, owner: o, expires: 2027-01-01}":                  `triage.yaml:2:33: allowlist[0].servicePrincipals[0]: All is for an escalation`,
		"allowlist:\n  - {id: a, servicePrincipals: [], when: {riskEventTypes: [suspiciousSignins], maxRiskLevel: low}, reason: r, owner: o, expires: 2027-01-01}":                     `names nobody: users, groups and servicePrincipals are empty`,
		"allowlist:\n  - {id: a, servicePrincipals: [x], scope: detections, when: {riskEventTypes: [suspiciousSignins], maxRiskLevel: low}, reason: r, owner: o, expires: 2027-01-01}": `scope: detections is for users`,
		"allowlist:\n  - {id: a, servicePrincipals: [x], when: {riskEventTypes: [maliciousApplication], maxRiskLevel: low}, reason: r, owner: o, expires: 2027-01-01}":                 `maliciousApplication cannot be allow-listed`,
		"allowlist:\n  - {id: a, servicePrincipals: [x], when: {riskEventTypes: [unfamiliarFeatures], maxRiskLevel: low}, reason: r, owner: o, expires: 2027-01-01}":                   `unknown riskEventType "unfamiliarFeatures"`,
		"allowlist:\n  - {id: a, users: [x@contoso.com], when: {riskEventTypes: [Unfamiliar sign-in properties], maxRiskLevel: low}, reason: r, owner: o, expires: 2027-01-01}":        `(did you mean "unfamiliarFeatures"?)`,
		"allowlist:\n  - {id: a, groups: [\"x\\u0007\"], when: {riskEventTypes: [unlikelyTravel], maxRiskLevel: low}, reason: r, owner: o, expires: 2027-01-01}":                       `holds a control character`,
		"allowlist:\n  - {id: \"a\\nb\", groups: [x], when: {riskEventTypes: [unlikelyTravel], maxRiskLevel: low}, reason: r, owner: o, expires: 2027-01-01}":                          `holds a control character`,
		"allowlist:\n  - {id: a, users: [x@contoso.com], when: {riskEventTypes: [suspiciousSignins], maxRiskLevel: low}, reason: r, owner: o, expires: 2027-01-01}":                    `unknown riskEventType "suspiciousSignins"`,
		"escalate:\n  - {id: a, servicePrincipals: [], when: {minRiskLevel: high}, reason: r}":                                                                                         `names none: give service principals, or All`,
		"escalate:\n  - {id: a, servicePrincipals: [All], then: [confirmCompromised, revokeSessions], when: {minRiskLevel: high}, reason: r}":                                          `what is done to an account is for users`,
		"escalate:\n  - {id: a, servicePrincipal: [All], when: {minRiskLevel: high}, reason: r}":                                                                                       `servicePrincipals`,
		"protected: {servicePrincipals: [x, x]}": `"x" is named twice`,
	} {
		_, problems := triage.Parse("triage.yaml", []byte(text), time.Date(2026, 11, 26, 2, 0, 0, 0, time.UTC))
		if problems.Err() == nil || !strings.Contains(problems.Error(), want) {
			t.Errorf("%s\n got  %v\n want %s", text, problems, want)
		}
	}
}

// Application permissions make a service principal privileged, as directory roles
// make a user, and so does that they are not known.
func TestServicePrincipalsWithPermissions(t *testing.T) {
	now := time.Date(2026, 11, 26, 2, 0, 0, 0, time.UTC)
	no := false
	const permission = "RoleManagement.ReadWrite.Directory of Microsoft Graph"
	for name, tt := range map[string]struct {
		rules, kind string
		held        []string
		unknown     string
		verdict     triage.Verdict
		code, says  string
		privileged  bool
	}{
		"dismissed":             {kind: "suspiciousSignins", verdict: triage.Dismiss, code: triage.CodeAllowlisted},
		"a dismissal":           {kind: "suspiciousSignins", held: []string{permission}, verdict: triage.Leave, code: triage.CodePrivileged, says: "has the application permission " + permission, privileged: true},
		"a dismissal, not read": {kind: "suspiciousSignins", unknown: "refused", verdict: triage.Leave, code: triage.CodeRolesUnknown, says: "its application permissions could not be read: refused"},
		"meant":                 {rules: "    privileged: true\n", kind: "suspiciousSignins", held: []string{permission}, verdict: triage.Dismiss, code: triage.CodeAllowlisted, privileged: true},
		"meant, not read":       {rules: "    privileged: true\n", kind: "suspiciousSignins", unknown: "refused", verdict: triage.Leave, code: triage.CodeRolesUnknown},
		"an escalation":         {kind: "leakedCredentials", held: []string{permission}, verdict: triage.Leave, code: triage.CodePrivileged, says: "left to a person", privileged: true},
		"one that is not read":  {kind: "leakedCredentials", unknown: "refused", verdict: triage.Leave, code: triage.CodeRolesUnknown, says: "could not be read"},
		"one that is meant":     {rules: "    privileged: true\n", kind: "leakedCredentials", held: []string{permission}, unknown: "refused", verdict: triage.ConfirmCompromised, code: triage.CodeEscalated, privileged: true},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.ReplaceAll(principalRules, "  - id: pipeline\n", "  - id: pipeline\n"+tt.rules)
			text = strings.ReplaceAll(text, "  - id: leaked\n", "  - id: leaked\n"+tt.rules)
			rules, _ := principalRulesOf(t, text, nil)
			ev := triage.PrincipalEvidence{AppID: "a1", Permissions: tt.held, PermissionsUnknown: tt.unknown, Evidence: triage.Evidence{
				Detections: []triage.Detection{{ID: "d1", EventType: tt.kind, IP: "203.0.113.9", Level: "medium", State: "atRisk"}},
				User:       entra.RiskyUser{ID: "p1", IsProcessing: &no, RiskLevel: "medium", RiskState: "atRisk"}}}
			d := rules.DecideServicePrincipal(ev, now)
			if why := strings.Join(d.Reasons, "; "); d.Verdict != tt.verdict || d.Code != tt.code || d.Privileged != tt.privileged || !strings.Contains(why, tt.says) {
				t.Errorf("%s %s %t %q", d.Verdict, d.Code, d.Privileged, why)
			}
		})
	}
}

// An entry that nearly covers what a service principal shows is named, and one
// about users never is.
func TestNearMissesOfServicePrincipals(t *testing.T) {
	now := time.Date(2026, 11, 26, 2, 0, 0, 0, time.UTC)
	no := false
	rules, _ := principalRulesOf(t, principalRules, nil)
	for id, want := range map[entra.ID]string{
		"p1": "pipeline names the service principal, but",
		"p8": "203.0.113.9 is in pipeline's ranges, the service principal is not among its service principals",
	} {
		ip := map[entra.ID]string{"p1": "198.51.100.7", "p8": "203.0.113.9"}[id]
		ev := triage.PrincipalEvidence{AppID: "a1", Evidence: triage.Evidence{
			Detections: []triage.Detection{{ID: "d1", EventType: "suspiciousSignins", IP: ip, Level: "medium", State: "atRisk"}},
			User:       entra.RiskyUser{ID: id, UserDisplayName: "An app", IsProcessing: &no, RiskLevel: "medium", RiskState: "atRisk"}}}
		d := rules.DecideServicePrincipal(ev, now)
		if len(d.NearMisses) != 1 || !strings.Contains(d.NearMisses[0].Why, want) {
			t.Errorf("%s: %v, want %q", id, d.NearMisses, want)
		}
		text := rules.ExplainServicePrincipal(ev, now).Text()
		for _, want := range []string{"An app: riskLevel medium", "escalation leaked: every service principal; live", "allowlist entry pipeline: ", "decision: leave (uncovered)"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", id, want, text)
			}
		}
	}
}

// The account that the run works as is left to a person, like a protected one.
func TestTheOwnAccount(t *testing.T) {
	now := time.Date(2026, 11, 26, 2, 0, 0, 0, time.UTC)
	no := false
	for own, code := range map[entra.ID]string{"u1": triage.CodeOwnIdentity, "u2": triage.CodeUncovered, "": triage.CodeUncovered} {
		rules, _ := principalRulesOf(t, principalRules, func(d *triage.Directory) { d.Own = own })
		d := rules.Decide(triage.Evidence{User: entra.RiskyUser{ID: "u1", IsDeleted: &no, IsProcessing: &no, RiskLevel: "low", RiskState: "atRisk"},
			Detections: []triage.Detection{{ID: "d1", EventType: "unfamiliarFeatures", Level: "low", State: "atRisk"}}}, now)
		if d.Code != code || !d.NeedsPerson {
			t.Errorf("%q: %s %v", own, d.Code, d.Reasons)
		}
	}
}
