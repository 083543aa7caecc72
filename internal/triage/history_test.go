package triage_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/triage"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// TestHistory is what earlier orders and gaps in the evidence make of users
// whom the rules alone would dismiss or confirm.
func TestHistory(t *testing.T) {
	const since = "2026-11-23T00:00:00Z" // the riskLastUpdatedDateTime of user()
	vpn := det("d1", "anonymizedIPAddress", "medium", "203.0.113.9", "US")
	later := det("d2", "unfamiliarFeatures", "low", "203.0.113.1", "US")
	spray := det("s1", "passwordSpray", "high", "198.51.100.7", "DE")
	again := det("s2", "passwordSpray", "high", "198.51.100.8", "DE")
	settled := det("s3", "passwordSpray", "high", "198.51.100.8", "DE")
	settled.State = entra.StateRemediated
	past := func(age time.Duration, updated entra.DateTime, ids ...string) triage.Past {
		return triage.Past{At: now.Add(-age), RiskLastUpdated: updated, Detections: ids}
	}
	pending := func(p triage.Past) triage.Past { p.Pending = true; return p }
	effective := func(p triage.Past) triage.Past { p.Effective = true; return p }
	const day = 24 * time.Hour
	for _, c := range []struct {
		name string
		e    triage.Evidence
		want triage.Verdict
		code string
	}{
		{"no effect within a day", triage.Evidence{Detections: []triage.Detection{vpn}, Dismissals: []triage.Past{past(25*time.Hour, since, "d1")}}, triage.Leave, triage.CodeIneffective},
		{"no effect within a day, pending ever since", triage.Evidence{Detections: []triage.Detection{vpn}, Dismissals: []triage.Past{pending(past(25*time.Hour, since, "d1"))}}, triage.Leave, triage.CodeIneffective},
		{"no effect on one of two", triage.Evidence{Detections: []triage.Detection{vpn, later}, Dismissals: []triage.Past{past(25*time.Hour, "2026-11-20T00:00:00Z", "d1")}}, triage.Leave, triage.CodeIneffective},
		{"no effect, though it seemed so", triage.Evidence{Detections: []triage.Detection{vpn}, Dismissals: []triage.Past{effective(past(2*day, since, "d1"))}}, triage.Leave, triage.CodeIneffective},
		{"took effect, new risk since", triage.Evidence{Detections: []triage.Detection{later}, Dismissals: []triage.Past{effective(past(2*day, "2026-11-20T00:00:00Z", "d1"))}}, triage.Dismiss, triage.CodeAllowlisted},
		{"not taken an hour ago", triage.Evidence{Detections: []triage.Detection{vpn}, Dismissals: []triage.Past{past(time.Hour, since, "d1")}}, triage.Leave, triage.CodePending},
		{"pending, and new risk since", triage.Evidence{Detections: []triage.Detection{vpn, later}, Dismissals: []triage.Past{pending(past(time.Hour, "2026-11-22T00:00:00Z", "d1"))}}, triage.Dismiss, triage.CodeAllowlisted},
		{"pending, one of two is settled", triage.Evidence{Detections: []triage.Detection{later}, Dismissals: []triage.Past{pending(past(time.Hour, "2026-11-22T00:00:00Z", "d1", "d2"))}}, triage.Leave, triage.CodePending},
		{"pending confirmation", triage.Evidence{Detections: []triage.Detection{spray}, Confirmations: []triage.Past{pending(past(time.Hour, since, "s1"))}}, triage.Leave, triage.CodePending},
		{"twice in 30 days", triage.Evidence{Detections: []triage.Detection{vpn}, Dismissals: []triage.Past{effective(past(5*day, "a", "x")), effective(past(9*day, "b", "y"))}}, triage.Dismiss, triage.CodeAllowlisted},
		{"three times in 30 days", triage.Evidence{Detections: []triage.Detection{vpn}, Dismissals: []triage.Past{effective(past(5*day, "a", "x")), effective(past(9*day, "b", "y")), effective(past(30*day, "c", "z"))}}, triage.Leave, triage.CodeRepeated},
		{"the third is older", triage.Evidence{Detections: []triage.Detection{vpn}, Dismissals: []triage.Past{effective(past(5*day, "a", "x")), effective(past(9*day, "b", "y")), effective(past(30*day+time.Second, "c", "z"))}}, triage.Dismiss, triage.CodeAllowlisted},
		{"confirmed in this episode", triage.Evidence{Detections: []triage.Detection{spray}, Confirmations: []triage.Past{effective(past(5*day, "a", "s1"))}}, triage.Leave, triage.CodeEscalatedOnce},
		{"confirmed, and sprayed anew", triage.Evidence{Detections: []triage.Detection{spray, again}, Confirmations: []triage.Past{effective(past(5*day, "a", "s1"))}}, triage.ConfirmCompromised, triage.CodeEscalated},
		{"a settled spray counts no more", triage.Evidence{Detections: []triage.Detection{vpn, settled}}, triage.Dismiss, triage.CodeAllowlisted},
		{"sprayed, evidence incomplete", triage.Evidence{Detections: []triage.Detection{spray}, Incomplete: "retention"}, triage.Leave, triage.CodeIncomplete},
		{"sprayed, level hidden", triage.Evidence{User: user("ada", "hidden"), Detections: []triage.Detection{spray}}, triage.Leave, triage.CodeUnknownLevel},
		{"covered, level new", triage.Evidence{User: user("ada", "critical"), Detections: []triage.Detection{vpn}}, triage.Leave, triage.CodeUnknownLevel},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.e.User.ID == "" {
				c.e.User = user("ada", "low")
			}
			rules, findings := parse(t, file).Bind(world(), now)
			if len(findings) != 0 {
				t.Fatalf("findings %+v", findings)
			}
			if got := rules.Decide(c.e, now); got.Verdict != c.want || got.Code != c.code {
				t.Errorf("%s %s, want %s %s: %q", got.Verdict, got.Code, c.want, c.code, got.Reasons)
			}
		})
	}
}

// TestReasons spells out what people read.
func TestReasons(t *testing.T) {
	vpn := det("d1", "anonymizedIPAddress", "medium", "203.0.113.9", "US")
	spray := det("s1", "passwordSpray", "medium", "198.51.100.7", "DE")
	travel := det("t1", "unlikelyTravel", "low", "203.0.113.9", "US")
	for _, c := range []struct {
		name string
		e    triage.Evidence
		want []string
	}{
		{"dismissed", triage.Evidence{User: user("bob", "low"), Detections: []triage.Detection{vpn}}, []string{`covered by "vpn" (by group VPN Users): The VPN`}},
		{"covered in part", triage.Evidence{User: user("ada", "low"), Detections: []triage.Detection{vpn, spray, vpn}},
			[]string{`anonymizedIPAddress medium from 203.0.113.9 (US), 2 times, last at 2026-11-20 00:00 UTC; passwordSpray medium from 198.51.100.7 (DE) at 2026-11-20 00:00 UTC`,
				`vpn covers 2 of 3 open detections`}},
		{"named by nobody", triage.Evidence{User: user("eve", "low"), Detections: []triage.Detection{vpn, travel}},
			[]string{`anonymizedIPAddress medium from 203.0.113.9 (US) at 2026-11-20 00:00 UTC; unlikelyTravel low from 203.0.113.9 (US) at 2026-11-20 00:00 UTC`,
				`203.0.113.9 is in vpn's ranges, the user is neither among its users nor in its groups`}},
		{"nothing near", triage.Evidence{User: user("eve", "low"), Detections: []triage.Detection{spray}},
			[]string{`passwordSpray medium from 198.51.100.7 (DE) at 2026-11-20 00:00 UTC`}},
		{"in the ranges, but another type", triage.Evidence{User: user("eve", "low"), Detections: []triage.Detection{travel}},
			[]string{`unlikelyTravel low from 203.0.113.9 (US) at 2026-11-20 00:00 UTC`,
				`203.0.113.9 is in vpn's ranges, the user is neither among its users nor in its groups and riskEventType unlikelyTravel is not among anonymizedIPAddress; unfamiliarFeatures`}},
		{"named, another address", triage.Evidence{User: user("bob", "low"), Detections: []triage.Detection{det("d", "unfamiliarFeatures", "low", "198.51.100.1", "")}},
			[]string{`unfamiliarFeatures low from 198.51.100.1 at 2026-11-20 00:00 UTC`,
				`vpn names the user, but ipAddress 198.51.100.1 is in none of the ipRanges 203.0.113.0/24; 2001:db8::/32`}},
		{"named, expired", triage.Evidence{User: user("ada", "low"), Detections: []triage.Detection{det("d", "unlikelyTravel", "low", "198.51.100.1", "")}},
			[]string{`unlikelyTravel low from 198.51.100.1 at 2026-11-20 00:00 UTC`, `old names the user, but the entry expired on 2026-11-23`}},
		{"a country, not named", triage.Evidence{User: user("eve", "low"), Detections: []triage.Detection{det("d", "newCountry", "low", "198.51.100.1", "US")}},
			[]string{`newCountry low from 198.51.100.1 (US) at 2026-11-20 00:00 UTC`, `US is among the countries of admins, the user is not among its users`}},
		{"many", triage.Evidence{User: user("eve", "low"), Detections: []triage.Detection{
			{ID: "1", EventType: "a", Level: "low", IP: "192.0.2.1", City: "Kiel", Country: "DE", Detected: "2026-11-20T00:00:00Z"}, {ID: "2", EventType: "b", Level: "low", City: "Kiel", Detected: "2026-11-21T03:10:00Z"},
			{ID: "3", EventType: "c", Level: "low"}, {ID: "4", EventType: "d", Level: "low"}, {ID: "5", EventType: "e", Level: "low"}}},
			[]string{`b low (Kiel) at 2026-11-21 03:10 UTC; a low from 192.0.2.1 (Kiel, DE) at 2026-11-20 00:00 UTC; c low; and 2 more detections`}},
		{"above", triage.Evidence{User: user("ada", "high"), Detections: []triage.Detection{vpn}},
			[]string{`anonymizedIPAddress medium from 203.0.113.9 (US) at 2026-11-20 00:00 UTC`,
				`the user's riskLevel high is above that of every open detection: there is risk that no detection shows`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules, _ := parse(t, file).Bind(world(), now)
			if d := cmp.Diff(c.want, rules.Decide(c.e, now).Reasons); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestExplain spells out an explanation as people read it.
func TestExplain(t *testing.T) {
	rules, _ := parse(t, file).Bind(world(), now)
	e := triage.Evidence{User: user("bob", "medium"), Detections: []triage.Detection{
		det("d1", "anonymizedIPAddress", "medium", "203.0.113.9", "US"), det("d2", "unfamiliarFeatures", "high", "203.0.113.9", "US"),
		det("d3", "unfamiliarFeatures", "low", "198.51.100.1", "US"), det("d4", "passwordSpray", "medium", "", "")}}
	got := rules.Explain(e, now).Text()
	for _, want := range []string{
		"decision: leave (uncovered)",
		"allowlist entry vpn: by group VPN Users; live until the end of 2027-03-31\n  anonymizedIPAddress medium from 203.0.113.9 (US): yes\n",
		"unfamiliarFeatures high from 203.0.113.9 (US): no: riskLevel high is above maxRiskLevel medium",
		"unfamiliarFeatures low from 198.51.100.1 (US): no: ipAddress 198.51.100.1 is in none of the ipRanges 203.0.113.0/24; 2001:db8::/32",
		"allowlist entry admins: does not name the user",
		"passwordSpray medium: no: riskLevel medium is below minRiskLevel high",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
}

// TestWhoIsProtectedMustBeKnown keeps every rule from deciding while somebody
// may be protected, or a break-glass account, without our knowing.
func TestWhoIsProtectedMustBeKnown(t *testing.T) {
	for name, broken := range map[string]func(*triage.Directory){
		"members refused": func(d *triage.Directory) {
			d.MemberErrors = map[entra.ID]error{"g-exec": errors.New("refused")}
		},
		"no such user": func(d *triage.Directory) { delete(d.Names, entra.Ref{Kind: entra.KindUser, Name: "ceo@contoso.com"}) },
		"break-glass":  func(d *triage.Directory) { d.BreakGlassError = `the group "CA Break Glass" does not exist` },
	} {
		t.Run(name, func(t *testing.T) {
			d := world()
			broken(&d)
			rules, findings := parse(t, file).Bind(d, now)
			if len(findings) == 0 || findings[0].Entry != "protected" || !findings[0].Blocked {
				t.Errorf("findings %+v", findings)
			}
			for _, e := range []triage.Evidence{
				{User: user("ada", "low"), Detections: []triage.Detection{det("d", "unfamiliarFeatures", "low", "203.0.113.9", "")}},
				{User: user("eve", "high"), Detections: []triage.Detection{det("d", "passwordSpray", "high", "", "")}},
			} {
				if got := rules.Decide(e, now); got.Verdict != triage.Leave || got.Code != triage.CodeProtectionBroken || !got.NeedsPerson {
					t.Errorf("%+v", got)
				}
			}
		})
	}
}

// TestCountries takes codes in either case, also NO, and warns of those that
// are none.
func TestCountries(t *testing.T) {
	text := strings.Replace(file, "countries: [US]", "countries: [NO, us, UK, QQ, EU, XK, usa]", 1)
	p, problems := triage.Parse("t.yaml", []byte(text), now)
	if p != nil {
		t.Fatal(problems)
	}
	var got []string
	for _, w := range problems {
		if strings.Contains(w.Message, "country") {
			got = append(got, w.Offending+" "+w.Suggestion)
		}
	}
	if d := cmp.Diff([]string{"UK GB", "QQ ", "EU ", "usa US"}, got); d != "" {
		t.Error(d)
	}
	if p, problems = triage.Parse("t.yaml", []byte(strings.Replace(file, "countries: [US]", "countries: [NO, us, XK]", 1)), now); p == nil {
		t.Fatal(problems)
	}
	rules, _ := p.Bind(world(), now)
	for country, want := range map[string]triage.Verdict{"NO": triage.Dismiss, "US": triage.Dismiss, "DE": triage.Leave, "": triage.Leave, "hidden": triage.Leave} {
		if got := rules.Decide(triage.Evidence{User: user("admin", "low"), Detections: []triage.Detection{det("d", "newCountry", "low", "", country)}}, now); got.Verdict != want {
			t.Errorf("%q: %s, want %s", country, got.Verdict, want)
		}
	}
}

// TestProblemsHavePositions spells out whole lines of what a person reads.
func TestProblemsHavePositions(t *testing.T) {
	text := `allowlist:
  - id: vpn
    usrs: [ada@contoso.com]
    when: {riskEventTypes: [passwordSpary], maxRiskLevel: medium, ipRanges: [203.0.113.5/24, 2001:db8::1/32]}
    reason: The VPN
    owner: secops
    expires: 2026-11-24
`
	_, problems := triage.Parse("triage.yaml", []byte(text), now)
	var got []string
	for _, p := range problems {
		got = append(got, p.Error())
	}
	want := []string{
		`triage.yaml:2:5: allowlist[0]: names nobody: give users, groups, servicePrincipals or several of them`,
		`triage.yaml:3:5: allowlist[0].usrs: unknown key (did you mean "users"?)`,
		`triage.yaml:4:29: allowlist[0].when.riskEventTypes[0]: unknown riskEventType "passwordSpary" (did you mean "passwordSpray"?); what this version does not know is allow-listed only with unknownRiskAccepted: true in the entry`,
		`triage.yaml:4:78: allowlist[0].when.ipRanges[0]: "203.0.113.5/24" has bits beyond its length; the network is 203.0.113.0/24`,
		`triage.yaml:4:94: allowlist[0].when.ipRanges[1]: "2001:db8::1/32" has bits beyond its length; the network is 2001:db8::/32`,
		`triage.yaml:7:14: warning: allowlist[0].expires: the entry "vpn" expires on 2026-11-24, within 14 days`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if w := problems.Warnings(); !slices.ContainsFunc(w, func(p yamldoc.Problem) bool { return strings.Contains(p.Message, "within 14 days") }) {
		t.Errorf("warnings %v", w)
	}
}

// TestExpiryIsTheEndOfTheDay covers until midnight UTC and not a moment more.
func TestExpiryIsTheEndOfTheDay(t *testing.T) {
	p := parse(t, file) // old: expires 2026-11-23
	e := triage.Evidence{User: user("ada", "low"), Detections: []triage.Detection{det("d", "unlikelyTravel", "low", "", "")}}
	midnight := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	for at, want := range map[time.Time]triage.Verdict{
		midnight.Add(-time.Nanosecond): triage.Dismiss, midnight: triage.Leave,
		midnight.Add(-time.Second).In(time.FixedZone("", 9*3600)): triage.Dismiss,
	} {
		rules, _ := p.Bind(world(), at)
		if got := rules.Decide(e, at); got.Verdict != want {
			t.Errorf("at %s: %s, want %s", at, got.Verdict, want)
		}
	}
}

// TestUnknownValuesInEscalations keep a user from being dismissed, and never
// confirm.
func TestUnknownValuesInEscalations(t *testing.T) {
	text := file + `
  - id: abroad
    when: {countries: [KP], ipRanges: [198.51.100.0/24]}
    reason: Nobody works there
`
	rules, _ := parse(t, text).Bind(world(), now)
	for _, c := range []struct {
		ip, country string
		want        triage.Verdict
		code        string
	}{
		{"203.0.113.9", "US", triage.Dismiss, triage.CodeAllowlisted},
		{"203.0.113.9", "hidden", triage.Dismiss, triage.CodeAllowlisted}, // the address rules it out
		{"198.51.100.9", "US", triage.Leave, triage.CodeUncovered},
		{"198.51.100.9", "KP", triage.ConfirmCompromised, triage.CodeEscalated},
		{"198.51.100.9", "kp", triage.ConfirmCompromised, triage.CodeEscalated},
		{"198.51.100.9", "hidden", triage.Leave, triage.CodeEscalationHidden},
		{"198.51.100.9", "Korea", triage.Leave, triage.CodeEscalationHidden},
		{"198.51.100.9", "", triage.Leave, triage.CodeEscalationHidden},
		{"", "KP", triage.Leave, triage.CodeEscalationHidden},
		{"not an address", "KP", triage.Leave, triage.CodeEscalationHidden},
	} {
		e := triage.Evidence{User: user("ada", "low"), Detections: []triage.Detection{det("d", "unfamiliarFeatures", "low", c.ip, c.country)}}
		if got := rules.Decide(e, now); got.Verdict != c.want || got.Code != c.code {
			t.Errorf("%q %q: %s %s, want %s %s", c.ip, c.country, got.Verdict, got.Code, c.want, c.code)
		}
	}
}

// TestNeverAllowListed names the types that no entry covers, also where one
// would cover all else of the detection.
func TestNeverAllowListed(t *testing.T) {
	rules, _ := parse(t, file).Bind(world(), now)
	for _, event := range []string{"leakedCredentials", "LeakedCredentials", "adminConfirmedUserCompromised", "investigationsThreatIntelligence",
		"investigationsThreatIntelligenceSigninLinked", "investigationsThreatIntelligenceOfTomorrow", "attackerinTheMiddle", "generic", "aiCompoundAccountRisk"} {
		_, problems := triage.Parse("t.yaml", []byte(strings.Replace(file, "unfamiliarFeatures", event, 1)), now)
		if problems.Err() == nil || !strings.Contains(problems.Err().Error(), "cannot be allow-listed") {
			t.Errorf("%s in the allowlist: %v", event, problems)
		}
		e := triage.Evidence{User: user("ada", "low"), Detections: []triage.Detection{det("d", event, "low", "203.0.113.9", "")}}
		if got := rules.Explain(e, now).Text(); !strings.Contains(got, "riskEventType "+event+" cannot be allow-listed") {
			t.Errorf("explained as\n%s", got)
		}
	}
}

// What this version does not know is covered only where somebody said so.
func TestTypesThatThisVersionDoesNotKnow(t *testing.T) {
	newer := strings.Replace(file, "unfamiliarFeatures", "quantumTravel", 1)
	_, problems := triage.Parse("t.yaml", []byte(newer), now)
	if err := problems.Err(); err == nil || !strings.Contains(err.Error(), "unknownRiskAccepted: true") {
		t.Errorf("got %v", problems)
	}
	accepted := strings.Replace(newer, "groupRiskAccepted: true", "groupRiskAccepted: true\n    unknownRiskAccepted: true", 1)
	p, problems := triage.Parse("t.yaml", []byte(accepted), now)
	if err := problems.Err(); err != nil || !strings.Contains(problems[0].Error(), `"quantumTravel" is not known to this version`) {
		t.Fatalf("got %v", problems)
	}
	rules, _ := p.Bind(world(), now)
	e := triage.Evidence{User: user("ada", "low"), Detections: []triage.Detection{det("d", "quantumTravel", "low", "203.0.113.9", "")}}
	if got := rules.Decide(e, now); got.Verdict != triage.Dismiss {
		t.Errorf("got %s %s", got.Verdict, got.Reasons)
	}
	_, problems = triage.Parse("t.yaml", []byte(strings.Replace(file, "groupRiskAccepted: true", "groupRiskAccepted: true\n    unknownRiskAccepted: true", 1)), now)
	if len(problems) == 0 || !strings.Contains(problems[0].Error(), "says nothing") {
		t.Errorf("got %v", problems)
	}
}

// A dismissal whose risk returned while a linked account is under attack did
// not fail: a person looks at the account, not at the dismissal.
func TestRiskThatReturnsIsNoFailedDismissal(t *testing.T) {
	rules, _ := parse(t, file).Bind(world(), now)
	e := triage.Evidence{User: user("ada", "high"), Detections: []triage.Detection{det("d", "aiCompoundAccountRisk", "high", "203.0.113.9", "")},
		Dismissals: []triage.Past{{At: now.Add(-48 * time.Hour), RiskLastUpdated: "2026-11-20T00:00:00Z", Detections: []string{"d"}}}}
	got := rules.Decide(e, now)
	if got.Verdict != triage.Leave || got.Code != triage.CodeUncovered {
		t.Errorf("got %s %s %s", got.Verdict, got.Code, got.Reasons)
	}
}
