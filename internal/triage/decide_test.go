package triage_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/triage"
	"github.com/risksweep/risksweep/internal/yamldoc"
	"pgregory.net/rapid"
)

var now = time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)

const file = `
protected: {users: [ceo@contoso.com], groups: [Executives]}
allowlist:
  - id: vpn
    users: [ada@contoso.com, admin@contoso.com, ceo@contoso.com]
    groups: [VPN Users]
    groupRiskAccepted: true
    when: {riskEventTypes: [anonymizedIPAddress, unfamiliarFeatures], maxRiskLevel: medium, ipRanges: [203.0.113.0/24, "2001:db8::/32"]}
    reason: The VPN
    owner: secops
    expires: 2027-03-31
  - id: admins
    users: [admin@contoso.com]
    privileged: true
    when: {riskEventTypes: [newCountry], maxRiskLevel: high, countries: [US]}
    reason: Travelling admins
    owner: secops
    expires: 2027-03-31
  - id: old
    users: [ada@contoso.com]
    when: {riskEventTypes: [unlikelyTravel], maxRiskLevel: high}
    reason: Gone
    owner: secops
    expires: 2026-11-23
escalate:
  - id: spray
    when: {riskEventTypes: [passwordSpray], minRiskLevel: high}
    reason: A guessed password
`

func parse(t interface{ Fatal(...any) }, text string) *triage.Policy {
	p, problems := triage.Parse("triage.yaml", []byte(text), now)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return p
}

// world is a directory in which the user's own id is its name before the @.
func world() triage.Directory {
	user := func(name string) entra.Resolution {
		return entra.Resolution{Ref: entra.Ref{Kind: entra.KindUser, Name: name + "@contoso.com"}, Objects: []entra.DirectoryObject{{Kind: entra.KindUser, ID: entra.NewID(name)}}}
	}
	names := entra.Names{}
	for _, r := range []entra.Resolution{user("ada"), user("admin"), user("ceo"),
		{Ref: entra.Ref{Kind: entra.KindGroup, Name: "VPN Users"}, Objects: []entra.DirectoryObject{{ID: "g-vpn"}}},
		{Ref: entra.Ref{Kind: entra.KindGroup, Name: "Executives"}, Objects: []entra.DirectoryObject{{ID: "g-exec"}}}} {
		names[r.Ref] = r
	}
	return triage.Directory{Names: names,
		Members:    map[entra.ID][]entra.DirectoryObject{"g-vpn": {{ID: "bob", UserPrincipalName: "bob@contoso.com"}, {ID: "exec"}}, "g-exec": {{ID: "exec"}}},
		Privileged: &entra.Privileged{Users: map[entra.ID][]string{"admin": {"role"}, "root": {"role"}}},
		BreakGlass: map[entra.ID]string{"bg": "breakGlass.users"}}
}

func user(id string, level entra.RiskLevel) entra.RiskyUser {
	f := false
	return entra.RiskyUser{ID: entra.NewID(id), IsDeleted: &f, IsProcessing: &f, RiskLevel: level, RiskState: entra.StateAtRisk, RiskLastUpdatedDateTime: "2026-11-23T00:00:00Z"}
}

func det(id, event string, level entra.RiskLevel, ip, country string) triage.Detection {
	return triage.Detection{ID: id, EventType: event, Level: level, IP: ip, Country: country, State: entra.StateAtRisk, Detected: "2026-11-20T00:00:00Z"}
}

func TestDecide(t *testing.T) {
	vpn := det("d1", "anonymizedIPAddress", "medium", "203.0.113.9", "US")
	yes := true
	for _, c := range []struct {
		name string
		e    triage.Evidence
		dir  func(*triage.Directory)
		want triage.Verdict
		code string
	}{
		{name: "covered", e: triage.Evidence{User: user("ada", "medium"), Detections: []triage.Detection{vpn}}, want: triage.Dismiss, code: triage.CodeAllowlisted},
		{name: "by group", e: triage.Evidence{User: user("bob", "medium"), Detections: []triage.Detection{vpn}}, want: triage.Dismiss, code: triage.CodeAllowlisted},
		{name: "IPv6", e: triage.Evidence{User: user("ada", "low"), Detections: []triage.Detection{det("d", "unfamiliarFeatures", "low", "2001:db8::7", "")}}, want: triage.Dismiss, code: triage.CodeAllowlisted},
		{name: "IPv4 written as IPv6", e: triage.Evidence{User: user("ada", "low"), Detections: []triage.Detection{det("d", "unfamiliarFeatures", "low", "::ffff:203.0.113.9", "")}}, want: triage.Dismiss, code: triage.CodeAllowlisted},
		{name: "one uncovered", e: triage.Evidence{User: user("ada", "medium"), Detections: []triage.Detection{vpn, det("d2", "anonymizedIPAddress", "low", "198.51.100.1", "US")}}, want: triage.Leave, code: triage.CodeUncovered},
		{name: "expired entry", e: triage.Evidence{User: user("ada", "low"), Detections: []triage.Detection{det("d", "unlikelyTravel", "low", "203.0.113.9", "US")}}, want: triage.Leave, code: triage.CodeUncovered},
		{name: "level too high", e: triage.Evidence{User: user("ada", "high"), Detections: []triage.Detection{det("d", "anonymizedIPAddress", "high", "203.0.113.9", "US")}}, want: triage.Leave, code: triage.CodeUncovered},
		{name: "hidden level", e: triage.Evidence{User: user("ada", "low"), Detections: []triage.Detection{det("d", "anonymizedIPAddress", "hidden", "203.0.113.9", "US")}}, want: triage.Leave, code: triage.CodeUncovered},
		{name: "no address", e: triage.Evidence{User: user("ada", "low"), Detections: []triage.Detection{det("d", "anonymizedIPAddress", "low", "", "US")}}, want: triage.Leave, code: triage.CodeUncovered},
		{name: "user above its detections", e: triage.Evidence{User: user("ada", "high"), Detections: []triage.Detection{vpn}}, want: triage.Leave, code: triage.CodeLevelAbove},
		{name: "user's level hidden", e: triage.Evidence{User: user("ada", "hidden"), Detections: []triage.Detection{vpn}}, want: triage.Leave, code: triage.CodeUnknownLevel},
		{name: "nobody's entry", e: triage.Evidence{User: user("eve", "medium"), Detections: []triage.Detection{vpn}}, want: triage.Leave, code: triage.CodeUncovered},
		{name: "nothing open", e: triage.Evidence{User: user("ada", "low")}, want: triage.Leave, code: triage.CodeNoDetections},
		{name: "incomplete", e: triage.Evidence{User: user("ada", "medium"), Detections: []triage.Detection{vpn}, Incomplete: "retention"}, want: triage.Leave, code: triage.CodeIncomplete},
		{name: "protected", e: triage.Evidence{User: user("ceo", "medium"), Detections: []triage.Detection{vpn}}, want: triage.Leave, code: triage.CodeProtected},
		{name: "protected by group", e: triage.Evidence{User: user("exec", "medium"), Detections: []triage.Detection{vpn}}, want: triage.Leave, code: triage.CodeProtected},
		{name: "privileged", e: triage.Evidence{User: user("admin", "medium"), Detections: []triage.Detection{vpn}}, want: triage.Leave, code: triage.CodePrivileged},
		{name: "privileged with leave", e: triage.Evidence{User: user("admin", "high"), Detections: []triage.Detection{det("d", "newCountry", "high", "", "US")}}, want: triage.Dismiss, code: triage.CodeAllowlisted},
		{name: "privileged with leave for one of two", e: triage.Evidence{User: user("admin", "medium"), Detections: []triage.Detection{vpn, det("d", "newCountry", "low", "", "US")}}, want: triage.Leave, code: triage.CodePrivileged},
		{name: "roles unknown", e: triage.Evidence{User: user("ada", "medium"), Detections: []triage.Detection{vpn}}, dir: func(d *triage.Directory) { d.Privileged = nil }, want: triage.Leave, code: triage.CodeRolesUnknown},
		{name: "protection unknown", e: triage.Evidence{User: user("ada", "medium"), Detections: []triage.Detection{vpn}}, dir: func(d *triage.Directory) { delete(d.Members, "g-exec") }, want: triage.Leave, code: triage.CodeProtectionBroken},
		{name: "dynamic group", e: triage.Evidence{User: user("bob", "medium"), Detections: []triage.Detection{vpn}}, dir: func(d *triage.Directory) {
			ref := entra.Ref{Kind: entra.KindGroup, Name: "VPN Users"}
			d.Names[ref] = entra.Resolution{Ref: ref, Objects: []entra.DirectoryObject{{ID: "g-vpn", Dynamic: true}}}
		}, want: triage.Leave, code: triage.CodeUncovered},
		{name: "two groups of the name", e: triage.Evidence{User: user("ada", "medium"), Detections: []triage.Detection{vpn}}, dir: func(d *triage.Directory) {
			ref := entra.Ref{Kind: entra.KindGroup, Name: "VPN Users"}
			d.Names[ref] = entra.Resolution{Ref: ref, Objects: []entra.DirectoryObject{{ID: "a"}, {ID: "b"}}}
		}, want: triage.Leave, code: triage.CodeUncovered},
		{name: "spray", e: triage.Evidence{User: user("ada", "high"), Detections: []triage.Detection{vpn, det("d", "passwordSpray", "high", "", "")}}, want: triage.ConfirmCompromised, code: triage.CodeEscalated},
		{name: "spray of low level", e: triage.Evidence{User: user("ada", "low"), Detections: []triage.Detection{det("d", "passwordSpray", "low", "", "")}}, want: triage.Leave, code: triage.CodeUncovered},
		{name: "spray of hidden level", e: triage.Evidence{User: user("ada", "medium"), Detections: []triage.Detection{vpn, det("d", "passwordSpray", "hidden", "", "")}}, want: triage.Leave, code: triage.CodeEscalationHidden},
		{name: "event type hidden", e: triage.Evidence{User: user("ada", "high"), Detections: []triage.Detection{vpn, det("d", "", "high", "", "")}}, want: triage.Leave, code: triage.CodeEscalationHidden},
		{name: "spray on a protected user", e: triage.Evidence{User: user("ceo", "high"), Detections: []triage.Detection{det("d", "passwordSpray", "high", "", "")}}, want: triage.Leave, code: triage.CodeProtected},
		{name: "spray on break-glass", e: triage.Evidence{User: user("bg", "high"), Detections: []triage.Detection{det("d", "passwordSpray", "high", "", "")}}, want: triage.Leave, code: triage.CodeBreakGlass},
		{name: "spray on an admin", e: triage.Evidence{User: user("root", "high"), Detections: []triage.Detection{det("d", "passwordSpray", "high", "", "")}}, want: triage.Leave, code: triage.CodePrivileged},
		{name: "spray once an episode", e: triage.Evidence{User: user("ada", "high"), Detections: []triage.Detection{det("d", "passwordSpray", "high", "", "")},
			Confirmations: []triage.Past{{At: now.Add(-100 * time.Hour), Detections: []string{"d"}, Effective: true}}}, want: triage.Leave, code: triage.CodeEscalatedOnce},
		{name: "deleted", e: triage.Evidence{User: func() entra.RiskyUser { u := user("ada", "medium"); u.IsDeleted = &yes; return u }(), Detections: []triage.Detection{vpn}}, want: triage.Leave, code: triage.CodeDeleted},
		{name: "processing unknown", e: triage.Evidence{User: func() entra.RiskyUser { u := user("ada", "medium"); u.IsProcessing = nil; return u }(), Detections: []triage.Detection{vpn}}, want: triage.Leave, code: triage.CodeProcessing},
		{name: "unknown state", e: triage.Evidence{User: func() entra.RiskyUser { u := user("ada", "medium"); u.RiskState = "novel"; return u }(), Detections: []triage.Detection{vpn}}, want: triage.Leave, code: triage.CodeUnknownState},
		{name: "pending", e: triage.Evidence{User: user("ada", "medium"), Detections: []triage.Detection{vpn}, Dismissals: []triage.Past{{At: now.Add(-time.Minute), Detections: []string{"d1"}, Pending: true}}}, want: triage.Leave, code: triage.CodePending},
		{name: "pending, but risk came since", e: triage.Evidence{User: user("ada", "medium"), Detections: []triage.Detection{vpn, det("d2", "unfamiliarFeatures", "low", "203.0.113.1", "")}, Dismissals: []triage.Past{{At: now.Add(-time.Minute), Detections: []string{"d1"}, Pending: true}}}, want: triage.Dismiss, code: triage.CodeAllowlisted},
		{name: "without effect for a day", e: triage.Evidence{User: user("ada", "medium"), Detections: []triage.Detection{vpn}, Dismissals: []triage.Past{{At: now.Add(-25 * time.Hour), Detections: []string{"d1"}}}}, want: triage.Leave, code: triage.CodeIneffective},
		{name: "third time in 30 days", e: triage.Evidence{User: user("ada", "medium"), Detections: []triage.Detection{vpn}, Dismissals: []triage.Past{
			{At: now.Add(-48 * time.Hour), Detections: []string{"x"}, Effective: true}, {At: now.Add(-72 * time.Hour), Detections: []string{"y"}, Effective: true}, {At: now.Add(-96 * time.Hour), Detections: []string{"z"}, Effective: true}}}, want: triage.Leave, code: triage.CodeRepeated},
		{name: "confirmed compromised", e: triage.Evidence{User: func() entra.RiskyUser {
			u := user("ada", "high")
			u.RiskState = entra.StateConfirmedCompromised
			return u
		}()}, want: triage.Leave, code: triage.CodeNotAtRisk},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := world()
			if c.dir != nil {
				c.dir(&d)
			}
			rules, _ := parse(t, file).Bind(d, now)
			got := rules.Decide(c.e, now)
			if got.Verdict != c.want || got.Code != c.code {
				t.Errorf("%s %s, want %s %s: %q", got.Verdict, got.Code, c.want, c.code, got.Reasons)
			}
			if len(got.Reasons) == 0 || got.Reasons[0] == "" {
				t.Error("a decision without a reason")
			}
			if !slices.Contains(triage.Codes(), got.Code) {
				t.Errorf("code %q is not listed", got.Code)
			}
			if text := rules.Explain(c.e, now).Text(); !strings.Contains(text, string(got.Verdict)) {
				t.Errorf("explanation %q", text)
			}
		})
	}
}

// TestNobodyIsDismissedWhoMustNotBe checks decisions over random users against
// the rule written down a second time, as plainly as possible.
func TestNobodyIsDismissedWhoMustNotBe(t *testing.T) {
	policy := parse(t, file)
	tri := rapid.SampledFrom([]*bool{nil, new(bool), func() *bool { b := true; return &b }()})
	rapid.Check(t, func(t *rapid.T) {
		dir := world()
		if rapid.Bool().Draw(t, "rolesUnknown") {
			dir.Privileged = nil
		}
		rules, _ := policy.Bind(dir, now)
		u := entra.RiskyUser{ID: rapid.SampledFrom([]entra.ID{"ada", "bob", "admin", "ceo", "exec", "bg", "eve"}).Draw(t, "id"),
			IsDeleted: tri.Draw(t, "deleted"), IsProcessing: tri.Draw(t, "processing"),
			RiskLevel: rapid.SampledFrom([]entra.RiskLevel{"low", "medium", "high", "hidden", "none", ""}).Draw(t, "level"),
			RiskState: rapid.SampledFrom([]entra.RiskState{"atRisk", "atRisk", "atRisk", "dismissed", "confirmedCompromised", "new"}).Draw(t, "state")}
		e := triage.Evidence{User: u}
		for i := range rapid.IntRange(0, 4).Draw(t, "n") {
			e.Detections = append(e.Detections, det(fmt.Sprint("d", i),
				rapid.SampledFrom([]string{"anonymizedIPAddress", "unfamiliarFeatures", "passwordSpray", "newCountry", "leakedCredentials", "", "hidden"}).Draw(t, "event"),
				rapid.SampledFrom([]entra.RiskLevel{"low", "medium", "high", "hidden", ""}).Draw(t, "l"),
				rapid.SampledFrom([]string{"203.0.113.5", "198.51.100.1", "2001:db8::1", "", "x"}).Draw(t, "ip"),
				rapid.SampledFrom([]string{"US", "DE", ""}).Draw(t, "country")))
		}
		got := rules.Decide(e, now)
		if got.Verdict == triage.Dismiss {
			if why := mustNotDismiss(dir, e); why != "" {
				t.Fatalf("dismissed, although %s: %+v", why, e)
			}
		}
		if got.Verdict == triage.ConfirmCompromised {
			match := slices.ContainsFunc(e.Detections, func(d triage.Detection) bool { return d.EventType == "passwordSpray" && d.Level == "high" })
			if !match || u.RiskState != "atRisk" || slices.Contains([]entra.ID{"ceo", "exec", "bg", "admin"}, u.ID) {
				t.Fatalf("confirmed: %+v", e)
			}
		}
	})
}

// mustNotDismiss is the rule of who may not be dismissed by the file above.
func mustNotDismiss(dir triage.Directory, e triage.Evidence) string {
	u := e.User
	rank := map[entra.RiskLevel]int{"low": 1, "medium": 2, "high": 3}
	switch {
	case u.RiskState != "atRisk":
		return "not atRisk"
	case u.IsDeleted == nil || *u.IsDeleted || u.IsProcessing == nil || *u.IsProcessing:
		return "deleted or processing"
	case u.ID == "ceo" || u.ID == "exec" || u.ID == "bg":
		return "protected"
	case dir.Privileged == nil:
		return "roles unknown"
	case len(e.Detections) == 0:
		return "nothing open"
	case rank[u.RiskLevel] == 0:
		return "level unknown"
	}
	highest := 0
	for _, d := range e.Detections {
		highest = max(highest, rank[d.Level])
		byVPN := (u.ID == "ada" || u.ID == "bob") && (d.EventType == "anonymizedIPAddress" || d.EventType == "unfamiliarFeatures") &&
			(d.Level == "low" || d.Level == "medium") && (d.IP == "203.0.113.5" || d.IP == "2001:db8::1")
		byAdmins := u.ID == "admin" && d.EventType == "newCountry" && rank[d.Level] > 0 && d.Country == "US"
		if !byVPN && !byAdmins {
			return "an uncovered detection"
		}
	}
	if rank[u.RiskLevel] > highest {
		return "level above its detections"
	}
	return ""
}

func TestBindFindings(t *testing.T) {
	d := world()
	d.PreviousMembers = map[entra.ID][]entra.ID{"g-vpn": {"exec"}}
	_, findings := parse(t, file).Bind(d, now)
	if len(findings) != 1 || findings[0].Blocked || !strings.Contains(findings[0].Text, "bob@contoso.com") {
		t.Errorf("findings %+v, want the member who joined", findings)
	}
	without := strings.Replace(file, "    groupRiskAccepted: true\n", "", 1)
	_, findings = parse(t, without).Bind(world(), now)
	if len(findings) != 1 || !findings[0].Blocked || !strings.Contains(findings[0].Text, "role-assignable") {
		t.Errorf("findings %+v", findings)
	}
	rules, _ := parse(t, file).Bind(world(), now)
	if n := len(rules.Unmatched(true)); n != 2 {
		t.Errorf("%d unmatched entries, want the two live ones", n)
	}
}

func TestParseProblems(t *testing.T) {
	bad := `protected: {user: [x]}
allowlist:
  - id: a
    users: []
    when:
      riskEventTypes: [leakedCredentials, passwordSpary]
      maxRiskLevel: hgih
      ipRanges: [203.0.113.5/24, 300.1.1.1, 0.0.0.0/0]
      countries: [usa]
    reason: ""
    expires: tomorrow
  - id: A
    groups: [G]
    when: {riskEventTypes: [newCountry]}
    reason: r
    owner: o
    expires: 2026-11-30
escalate:
  - id: e
    when: {}
    reason: r
`
	_, problems := triage.Parse("t.yaml", []byte(bad), now)
	for _, want := range []string{`"users"`, "leakedCredentials cannot", `"passwordSpray"`, `"high"`, "203.0.113.0/24", "300.1.1.1", "every address", "usa", "reason", "owner", "expires", "used at line 3", "maxRiskLevel", "within 14 days", "without a condition"} {
		if !slices.ContainsFunc(problems, func(p yamldoc.Problem) bool { return strings.Contains(p.Error(), want) }) {
			t.Errorf("no problem speaks of %s in:\n%s", want, problems)
		}
	}
	if !slices.IsSortedFunc(problems, func(a, b yamldoc.Problem) int { return a.Line - b.Line }) {
		t.Errorf("not in the order of the file: %v", problems)
	}
}

func TestUsersAreNamedByWhatIsUnique(t *testing.T) {
	text := `protected: {users: [Ada Lovelace, ceo@contoso.com]}
allowlist:
  - {id: a, users: [ada, ada@contoso.com, "ada@", "@contoso.com", "ada @contoso.com"], groups: [VPN Users], when: {riskEventTypes: [newCountry], maxRiskLevel: low}, reason: r, owner: o, expires: 2027-11-30}
  - {id: b, users: [All, AAAAAAAA-0000-4000-8000-000000000001, "ada_fabrikam.com#EXT#@contoso.com"], when: {riskEventTypes: [newCountry], maxRiskLevel: low}, reason: r, owner: o, expires: 2027-11-30}
`
	_, problems := triage.Parse("t.yaml", []byte(text), now)
	want := []string{`t.yaml:1:21: protected.users[0]: "Ada Lovelace"`, `t.yaml:3:21: allowlist[0].users[0]: "ada"`, `t.yaml:3:43: allowlist[0].users[2]: "ada@"`,
		`t.yaml:3:51: allowlist[0].users[3]: "@contoso.com"`, `t.yaml:3:67: allowlist[0].users[4]: "ada @contoso.com"`, `t.yaml:4:21: allowlist[1].users[0]: "All"`}
	if len(problems) != len(want) {
		t.Fatalf("%d problems, want %d:\n%s", len(problems), len(want), problems)
	}
	for i, w := range want {
		if got := problems[i].Error(); got != w+" is neither a user principal name nor an object id" {
			t.Errorf("got %s\nwant %s …", got, w)
		}
	}
}

func TestCIDREdges(t *testing.T) {
	text := strings.Replace(file, "203.0.113.0/24", "203.0.113.128/25", 1)
	rules, _ := parse(t, text).Bind(world(), now)
	for ip, want := range map[string]triage.Verdict{"203.0.113.127": triage.Leave, "203.0.113.128": triage.Dismiss, "203.0.113.255": triage.Dismiss, "203.0.114.0": triage.Leave} {
		got := rules.Decide(triage.Evidence{User: user("ada", "low"), Detections: []triage.Detection{det("d", "unfamiliarFeatures", "low", ip, "")}}, now)
		if got.Verdict != want {
			t.Errorf("%s: %s, want %s", ip, got.Verdict, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(file))
	f.Add([]byte("allowlist: [{when: {ipRanges: [::/0]}}]"))
	f.Add([]byte("escalate: x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, problems := triage.Parse("f", data, now)
		if (p == nil) == (problems.Err() == nil) {
			t.Errorf("policy %v, problems %v", p, problems)
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	rules, _ := parse(b, file).Bind(world(), now)
	e := triage.Evidence{User: user("ada", "medium"), Detections: []triage.Detection{det("d1", "anonymizedIPAddress", "medium", "203.0.113.9", "US"),
		det("d2", "unfamiliarFeatures", "low", "203.0.113.7", "US")}}
	b.ReportAllocs()
	for range b.N {
		rules.Decide(e, now)
	}
}

// The steps of an escalation are due with the confirmation, and on the same day
// once it is known that it was ours; each once for the same risk.
func TestStepsOfAnEscalation(t *testing.T) {
	text := strings.Replace(file, "reason: A guessed password", "reason: A guessed password\n    then: [disableAccount, confirmCompromised, revokeSessions]", 1)
	all, disable := []triage.Step{triage.RevokeSessions, triage.DisableAccount}, []triage.Step{triage.DisableAccount}
	spray := det("s", "passwordSpray", "high", "", "")
	ours := func(age time.Duration) []triage.Past {
		return []triage.Past{{At: now.Add(-age), Detections: []string{"s"}, Effective: true}}
	}
	revoked := map[string][]triage.Past{"revokeSessions": ours(time.Minute)}
	for _, c := range []struct {
		name  string
		who   string
		state entra.RiskState
		e     triage.Evidence
		want  []triage.Step
	}{
		{"at once", "ada", entra.StateAtRisk, triage.Evidence{}, all},
		{"one was taken", "ada", entra.StateAtRisk, triage.Evidence{Contained: revoked}, disable},
		{"one had no effect", "ada", entra.StateAtRisk, triage.Evidence{Contained: map[string][]triage.Past{"revokeSessions": {{At: now, Detections: []string{"s"}}}}}, all},
		{"one was taken for other risk", "ada", entra.StateAtRisk, triage.Evidence{Contained: map[string][]triage.Past{"revokeSessions": {{At: now, Detections: []string{"x"}, Effective: true}}}}, all},
		{"confirmed by us", "ada", entra.StateConfirmedCompromised, triage.Evidence{Confirmations: ours(time.Hour)}, all},
		{"confirmed by us, one taken", "ada", entra.StateConfirmedCompromised, triage.Evidence{Confirmations: ours(time.Hour), Contained: revoked}, disable},
		{"confirmed by us long ago", "ada", entra.StateConfirmedCompromised, triage.Evidence{Confirmations: ours(25 * time.Hour)}, nil},
		{"confirmed by somebody", "ada", entra.StateConfirmedCompromised, triage.Evidence{}, nil},
		{"held back", "ada", entra.StateConfirmedCompromised, triage.Evidence{Confirmations: ours(time.Hour), HeldBack: "open"}, nil},
		{"incomplete", "ada", entra.StateConfirmedCompromised, triage.Evidence{Confirmations: ours(time.Hour), Incomplete: "retention"}, nil},
		{"settled since", "ada", entra.StateRemediated, triage.Evidence{Confirmations: ours(time.Hour)}, nil},
		{"protected", "ceo", entra.StateAtRisk, triage.Evidence{}, nil},
		{"protected, confirmed by us", "ceo", entra.StateConfirmedCompromised, triage.Evidence{Confirmations: ours(time.Hour)}, nil},
		{"break-glass, confirmed by us", "bg", entra.StateConfirmedCompromised, triage.Evidence{Confirmations: ours(time.Hour)}, nil},
		{"privileged", "root", entra.StateAtRisk, triage.Evidence{}, nil},
		{"privileged, confirmed by us", "root", entra.StateConfirmedCompromised, triage.Evidence{Confirmations: ours(time.Hour)}, nil},
	} {
		rules, _ := parse(t, text).Bind(world(), now)
		c.e.User, c.e.Detections = user(c.who, "high"), []triage.Detection{spray}
		c.e.User.RiskState = c.state
		got := rules.Decide(c.e, now)
		if !slices.Equal(got.Then, c.want) {
			t.Errorf("%s: %v, want %v: %q", c.name, got.Then, c.want, got.Reasons)
		}
	}

	for then, want := range map[string]string{
		"[revokeSessions]": "then must name confirmCompromised", "[]": "then must name confirmCompromised", "[confirmCompromised, revokeSession]": `did you mean "revokeSessions"`,
		"[confirmCompromised, disableAccount, disableAccount]": "named twice", "confirmCompromised": "list",
	} {
		_, problems := triage.Parse("t.yaml", []byte(strings.Replace(file, "reason: A guessed password", "reason: A guessed password\n    then: "+then, 1)), now)
		if err := problems.Err(); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "t.yaml:29:") {
			t.Errorf("then: %s: %v, want %q", then, err, want)
		}
	}
}
