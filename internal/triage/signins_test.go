package triage_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/triage"
)

// An entry of scope detections closes the sign-ins that it covers, and nothing
// else.
func TestSignIns(t *testing.T) {
	text := strings.Replace(file, "escalate:", `  - id: home
    users: [ada@contoso.com, ceo@contoso.com, admin@contoso.com]
    scope: detections
    when: {riskEventTypes: [newCountry], maxRiskLevel: medium}
    reason: She moved
    owner: secops
    expires: 2027-03-31
  - id: lab
    users: [ada@contoso.com]
    scope: detections
    feedback: confirmSafe
    when: {riskEventTypes: [maliciousIPAddress], maxRiskLevel: medium}
    reason: The malware lab
    owner: secops
    expires: 2027-03-31
escalate:`, 1)
	at := func(id, event, request string) triage.Detection {
		d := det(id, event, "medium", "198.51.100.1", "US")
		d.RequestID = request
		return d
	}
	home, spray := at("h1", "newCountry", "R1"), at("s1", "passwordSpray", "r2")
	vpn := at("v1", "anonymizedIPAddress", "r3")
	vpn.IP = "203.0.113.9"
	past := func(age time.Duration) []triage.Past {
		return []triage.Past{{At: now.Add(-age), Detections: []string{"h1"}, Effective: true}}
	}
	odd := home
	odd.State = entra.StateConfirmedCompromised
	abroad := home
	abroad.Country = "DE"
	high := at("s9", "passwordSpray", "r9")
	high.Level = "high"
	var many []triage.Detection
	for n := range 70 {
		many = append(many, at(fmt.Sprint("m", n), "newCountry", fmt.Sprint("q", n)))
	}
	for _, c := range []struct {
		name   string
		who    string
		open   []triage.Detection
		closed []triage.Past
		want   triage.Verdict
		code   string
		close  string // sign-in:detections
		person bool
	}{
		{"alone", "ada", []triage.Detection{home}, nil, triage.DismissDetections, triage.CodeSignIns, "r1:h1", false},
		{"beside what is not covered", "ada", []triage.Detection{spray, home}, nil, triage.DismissDetections, triage.CodeSignIns, "r1:h1", true},
		{"beside what another entry dismisses", "ada", []triage.Detection{vpn, home}, nil, triage.DismissDetections, triage.CodeSignIns, "r1:h1", true},
		{"what another entry dismisses alone", "ada", []triage.Detection{vpn}, nil, triage.Dismiss, triage.CodeAllowlisted, "", false},
		{"two of one sign-in", "ada", []triage.Detection{home, at("h2", "newCountry", "r1")}, nil, triage.DismissDetections, triage.CodeSignIns, "r1:h1+h2", false},
		{"one of the sign-in is not covered", "ada", []triage.Detection{home, at("s2", "passwordSpray", "r1")}, nil, triage.Leave, triage.CodeUncovered, "", true},
		{"no sign-in", "ada", []triage.Detection{at("h3", "newCountry", "")}, nil, triage.Leave, triage.CodeUncovered, "", true},
		{"another feedback", "ada", []triage.Detection{at("l1", "maliciousIPAddress", "r4")}, nil, triage.ConfirmSafeDetections, triage.CodeSignIns, "r4:l1", false},
		{"two feedbacks, one after the other", "ada", []triage.Detection{home, at("l1", "maliciousIPAddress", "r4")}, nil, triage.DismissDetections, triage.CodeSignIns, "r1:h1", true},
		{"two feedbacks for one sign-in", "ada", []triage.Detection{home, at("l1", "maliciousIPAddress", "r1")}, nil, triage.Leave, triage.CodeUncovered, "", true},
		{"an escalation", "ada", []triage.Detection{home, high}, nil, triage.ConfirmCompromised, triage.CodeEscalated, "", false},
		{"not at risk", "ada", []triage.Detection{odd}, nil, triage.Leave, triage.CodeUncovered, "", true},
		{"protected", "ceo", []triage.Detection{home}, nil, triage.Leave, triage.CodeProtected, "", true},
		{"privileged", "admin", []triage.Detection{abroad}, nil, triage.Leave, triage.CodeUncovered, "", true},
		{"somebody else", "bob", []triage.Detection{home}, nil, triage.Leave, triage.CodeUncovered, "", true},
		{"closed an hour ago", "ada", []triage.Detection{home}, past(time.Hour), triage.Leave, triage.CodePending, "", false},
		{"closed without effect", "ada", []triage.Detection{home}, past(25 * time.Hour), triage.Leave, triage.CodeIneffective, "", true},
	} {
		rules, _ := parse(t, text).Bind(world(), now)
		e := triage.Evidence{User: user(c.who, "medium"), Detections: c.open, Closed: c.closed}
		got := rules.Decide(e, now)
		var closes []string
		for _, s := range got.Close {
			closes = append(closes, s.RequestID+":"+strings.Join(s.Detections, "+"))
		}
		if got.Verdict != c.want || got.Code != c.code || got.NeedsPerson != c.person || strings.Join(closes, " ") != c.close {
			t.Errorf("%s: %s %s %v %t: %q", c.name, got.Verdict, got.Code, closes, got.NeedsPerson, got.Reasons)
		}
		if c.name == "beside what is not covered" {
			text := rules.Explain(e, now).Text()
			for _, want := range []string{"would close: newCountry medium from 198.51.100.1 (US) at", "would remain: passwordSpray medium from 198.51.100.1 (US) at", "allowlist entry home: direct; live until the end of 2027-03-31; closes single sign-ins (dismiss)"} {
				if !strings.Contains(text, want) {
					t.Errorf("no %q in\n%s", want, text)
				}
			}
		}
	}
	rules, _ := parse(t, text).Bind(world(), now)
	got := rules.Decide(triage.Evidence{User: user("ada", "medium"), Detections: many}, now)
	if len(got.Close) != 60 || got.NeedsPerson || !strings.Contains(strings.Join(got.Reasons, "; "), "10 more sign-ins follow in the next run") {
		t.Errorf("%d of 70 are closed: %q", len(got.Close), got.Reasons)
	}
	_, problems := triage.Parse("t.yaml", []byte(strings.Replace(strings.Replace(text, "scope: detections", "scope: detection", 1), "id: vpn", "id: vpn\n    feedback: dismiss", 1)), now)
	var lines []string
	for _, p := range problems {
		if strings.Contains(p.Path, "scope") || strings.Contains(p.Path, "feedback") {
			lines = append(lines, p.Message)
		}
	}
	want := []string{"feedback is for scope: detections; all of a user's risk is dismissed", "must be user or detections, not \"detection\""}
	if d := cmp.Diff(want, lines); d != "" {
		t.Error(d)
	}
}
