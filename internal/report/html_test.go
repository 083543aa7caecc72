package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/triage"
)

const sampleUser, sampleRequest = "0a0b0c0d-0000-4000-8000-000000000001", "0a0b0c0d-0000-4000-8000-000000000002"

// samplePage is a report with n users; the first has the given name.
func samplePage(t testing.TB, n int, name string) (Report, iter.Seq2[Decided, error], PageDetails) {
	t.Helper()
	at := time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)
	tally := NewTally()
	decided := make([]Decided, n)
	r := Report{Run: "20261124T020000Z-0a1b2c", Tenant: "contoso", TenantID: "t", Mode: "apply", Status: "partial", StartedAt: at, FinishedAt: at.Add(time.Minute),
		Coverage: Coverage{Complete: true, Full: true}, Counts: map[string]int{"users": n, "needsPerson": n / 2}, Breakdown: tally,
		Errors: []Problem{{Message: "the tenant answered <b>no</b>", RequestID: "r-1"}}, Warnings: []string{name},
		Effects:  []plan.Effect{},
		Drift:    []PolicyRow{{DisplayName: name, Status: "update", Effects: []plan.Effect{{Change: "blocks", Users: 2, Examples: []string{name}, Situation: "always", AtRisk: 1}}, Through: []string{name}, Differences: []policy.Difference{{Path: "state", Text: `"enabled" becomes ` + name}}}},
		Outcomes: []plan.Outcome{{Action: "a0001", Kind: plan.Dismiss, Subject: plan.Subject{Name: name}, Status: plan.OverDismissed, Detail: name}},
	}
	r.OverDismissed = r.Outcomes
	for i := range decided {
		upn := fmt.Sprintf("user%05d@contoso.com", i)
		if i == 0 {
			upn = name
		}
		level := []entra.RiskLevel{"low", "medium", "high"}[i%3]
		d := triage.Decision{Verdict: triage.Leave, Code: triage.CodeUncovered, Reasons: []string{"1 of 1 open detections is not covered: " + name}, NeedsPerson: i%2 == 0}
		raw, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprintf("id-%05d", i)
		if i == 1 {
			id = sampleUser
		}
		decided[i] = Decided{ID: id, Name: upn, RiskLevel: level, RiskState: entra.StateAtRisk, OpenDetections: 1, Decision: raw, AgeHours: float64(i % 400)}
		tally.Add(&entra.Detection{RiskEventType: name, RiskState: entra.StateAtRisk, DetectedDateTime: "2026-11-20T01:00:00Z", Location: entra.Location{CountryOrRegion: "DE"}})
		tally.Decide(d)
		if d.NeedsPerson && len(r.NeedsPerson) < maxWaiting {
			r.NeedsPerson = append(r.NeedsPerson, Waiting{ID: decided[i].ID, Name: upn, RiskLevel: level, Reasons: d.Reasons, AgeHours: decided[i].AgeHours, Overdue: i%4 == 0})
		}
	}
	reached := wholeCoverage()
	for range 20 {
		reached.Risky = append(reached.Risky, RiskyReach{ID: "id-00001", Name: name, RiskLevel: "high", Reach: &access.Reach{NotReached: []access.Unmet{{DisplayName: name, Why: "it excludes " + name}}}})
	}
	x := PageDetails{SLA: SLA{High: 24 * time.Hour, Medium: 72 * time.Hour, Low: 168 * time.Hour}, History: []Point{{At: at.AddDate(0, 0, -1), High: 3, Low: 2}, {At: at, High: 1, Medium: 4}},
		Detections: func(string) []triage.Detection {
			return []triage.Detection{{ID: "d-1", EventType: name, IP: "203.0.113.9", Country: "US", Level: "high", Detected: "2026-11-20T01:00:00Z",
				UserAgent: name, RequestID: sampleRequest, CorrelationID: "c-1"}}
		}, Cloud: "usgov", Reached: &reached}
	return r, func(yield func(Decided, error) bool) {
		for _, d := range decided {
			if !yield(d, nil) {
				return
			}
		}
	}, x
}

func html(t testing.TB, n int, name string) string {
	t.Helper()
	var b bytes.Buffer
	r, decisions, x := samplePage(t, n, name)
	if err := WriteHTML(&b, r, decisions, x); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A name is a name, whatever somebody has put into it.
func TestHostileNamesStayNames(t *testing.T) {
	for _, name := range []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, "</style><script>", "</script>", "javascript:alert(1)", "a\u202eb\u2066c",
		"{{.Run}}", "]]>", strings.Repeat("long", 500), "\x00\x1b[31m", `<svg onload=alert(1)>`} {
		page := html(t, 3, name)
		if n := strings.Count(page, "<script"); n != 1 {
			t.Errorf("%q: %d scripts", name, n)
		}
		for _, bad := range []string{"<img", "onerror=alert(1)>", "<svg onload", "\u202e", "\u2066", "<b>no</b>"} {
			if strings.Contains(page, bad) {
				t.Errorf("%q: the page holds %q", name, bad)
			}
		}
	}
}

// The page needs nothing but itself, and allows nothing else.
func TestThePageIsSelfContained(t *testing.T) {
	page := html(t, 3, "Ada")
	if !strings.Contains(page, `content="default-src 'none'; style-src 'sha256-`) || strings.Contains(page, "unsafe-inline") {
		t.Error("no strict content security policy")
	}
	if strings.Contains(page, " style=") {
		t.Error("a style that its policy does not allow")
	}
	// It leads to pages of the admin center, by ids alone, and loads none of them.
	const center, user, request = "https://entra.microsoft.us/#view/Microsoft_AAD_", "UsersAndTenants/UserProfileMenuBlade/~/overview/userId/" + sampleUser, "IAM/SignInEventsV3Blade/requestId/" + sampleRequest
	links := regexp.MustCompile(`<a href="(https://[^"]*)" rel="noreferrer">`).FindAllStringSubmatch(page, -1)
	for _, m := range links {
		if m[1] != center+user && m[1] != center+request {
			t.Errorf("it leads to %s", m[1])
		}
		page = strings.ReplaceAll(page, m[0], "")
	}
	if len(links) != 4 { // one user has an id like the service's, all have its request
		t.Errorf("%d links", len(links))
	}
	for _, m := range regexp.MustCompile(`(?:src|href|url)\s*[=(]\s*["']?([^"'\s>)]+)`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(m[1], "#") {
			t.Errorf("it asks for %s", m[0])
		}
	}
	if strings.Contains(strings.ReplaceAll(page, "http://www.w3.org/", ""), "://") {
		t.Error("it names an address")
	}
}

// Text is told from its ground by everybody (WCAG 2.2, 1.4.3), in light, dark
// and print.
func TestContrast(t *testing.T) {
	css, err := pageFiles.ReadFile("page.css")
	if err != nil {
		t.Fatal(err)
	}
	themes := regexp.MustCompile(`:root\{([^}]*)\}`).FindAllStringSubmatch(string(css), -1)
	if len(themes) != 3 {
		t.Fatalf("%d themes", len(themes))
	}
	for i, theme := range themes {
		vars := map[string]string{}
		for _, m := range regexp.MustCompile(`--(\w+):(#\w+)`).FindAllStringSubmatch(theme[1], -1) {
			vars[m[1]] = m[2]
		}
		for _, ink := range []string{"ink", "soft", "accent", "high", "medium", "low", "good"} {
			if vars[ink] == "" {
				t.Fatalf("theme %d has no %s", i, ink)
			}
			for _, ground := range []string{"bg", "panel"} {
				if c := contrast(t, vars[ink], vars[ground]); c < 4.5 {
					t.Errorf("theme %d: %s on %s has a contrast of %.2f", i, ink, ground, c)
				}
			}
		}
		// What a chart draws is told from its ground (1.4.11).
		for _, fill := range []string{"fhigh", "fmedium", "flow", "fother", "faccent"} {
			if c := contrast(t, vars[fill], vars["panel"]); c < 2.9 {
				t.Errorf("theme %d: %s on panel has a contrast of %.2f", i, fill, c)
			}
		}
		for _, ground := range []string{"badbg", "warnbg", "goodbg"} {
			if c := contrast(t, vars["ink"], vars[ground]); c < 4.5 {
				t.Errorf("theme %d: ink on %s has a contrast of %.2f", i, ground, c)
			}
		}
	}
}

func contrast(t *testing.T, a, b string) float64 {
	light := func(hex string) float64 {
		hex = strings.TrimPrefix(hex, "#")
		if len(hex) == 3 {
			hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
		}
		n, err := strconv.ParseUint(hex, 16, 32)
		if err != nil {
			t.Fatalf("%q: %v", hex, err)
		}
		channel := func(shift uint) float64 {
			c := float64(n>>shift&255) / 255
			if c <= 0.04045 {
				return c / 12.92
			}
			return math.Pow((c+0.055)/1.055, 2.4)
		}
		return 0.2126*channel(16) + 0.7152*channel(8) + 0.0722*channel(0)
	}
	x, y := light(a), light(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// One sentence says what a run did.
func TestWhatWasDoneInWords(t *testing.T) {
	of := func(status plan.OutcomeStatus, kinds ...plan.Kind) (out []plan.Outcome) {
		for _, k := range kinds {
			out = append(out, plan.Outcome{Kind: k, Status: status})
		}
		return out
	}
	for want, outcomes := range map[string][]plan.Outcome{
		"There was nothing to do.":         nil,
		"":                                 of(plan.SkippedEnforce, plan.Dismiss),
		"It dismissed 1 user.":             of(plan.Done, plan.Dismiss),
		"It would delete 2 policies.":      of(plan.SkippedPlanMode, plan.DeletePolicy, plan.DeletePolicy),
		"1 action did not go as planned.":  of(plan.Moved, plan.UpdatePolicy),
		"2 actions did not go as planned.": append(of(plan.Failed, plan.UpdatePolicy), of(plan.SkippedBlocked, plan.CreatePolicy)...),
		"It dismissed 2 users, confirmed 1 user compromised, created 1 location and 2 policies, updated 1 policy. 1 action did not go as planned.": append(
			of(plan.Done, plan.CreatePolicy, plan.Dismiss, plan.CreateLocation, plan.ConfirmCompromised, plan.CreatePolicy, plan.UpdatePolicy), of(plan.OverDismissed, plan.Dismiss)...),
	} {
		if got := doneText(outcomes); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

// The higher level comes first, then who is overdue, then the longer wait; a
// level that is not understood stands above high.
func TestWhoWaitsFirst(t *testing.T) {
	m := pageModel{Report: Report{Counts: map[string]int{"needsPerson": 9}, NeedsPerson: []Waiting{
		{ID: "low, long", RiskLevel: "low", AgeHours: 900, Overdue: true}, {ID: "high, in time", RiskLevel: "high", AgeHours: 5}, {ID: "high, late", RiskLevel: "high", AgeHours: 30, Overdue: true},
		{ID: "odd, late", RiskLevel: "colossal", AgeHours: 25, Overdue: true}, {ID: "high, later", RiskLevel: "high", AgeHours: 31, Overdue: true}}}}
	m.wait()
	var got []string
	for _, w := range m.Waiting {
		got = append(got, w.ID)
	}
	if want := []string{"odd, late", "high, later", "high, late", "high, in time", "low, long"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if want := "9 users need a person, at least 4 beyond the SLA."; m.People != want || m.Oldest != 900 {
		t.Errorf("got %q, %v", m.People, m.Oldest)
	}
}

// Every code that triage gives has words for a person.
func TestEveryCodeHasWords(t *testing.T) {
	src, err := os.ReadFile("../triage/triage.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`Code\w+\s+= "(\w+)"`).FindAllStringSubmatch(string(src), -1)
	if len(codes) < 15 {
		t.Fatalf("only %d codes found", len(codes))
	}
	for _, c := range codes {
		if CodeTexts[c[1]] == "" {
			t.Errorf("no words for %s", c[1])
		}
	}
}

func BenchmarkPage(b *testing.B) {
	r, decisions, x := samplePage(b, 10_000, "Ada")
	for b.Loop() {
		if err := WriteHTML(io.Discard, r, decisions, x); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/user")
}

// The page says what it could not compare instead of showing it as unchanged.
func TestThePageSaysWhatWasNotCompared(t *testing.T) {
	r, decisions, x := samplePage(t, 2, "ada@contoso.com")
	r.Difference = &Difference{From: "r0", To: r.Run, NotCompared: []string{PartPolicies}, Total: map[string]int{}}
	var b bytes.Buffer
	if err := WriteHTML(&b, r, decisions, x); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "policies are not compared") {
		t.Error("the page does not say that policies are not compared")
	}
}

// Decisions stand in the order in which to look at them: open risk first, then
// by level, by roles, by age; of too many the least urgent are left out.
func TestDecisionsAreSorted(t *testing.T) {
	decided := func(id string, level entra.RiskLevel, state entra.RiskState, privileged bool, age float64) Decided {
		raw := json.RawMessage(fmt.Sprintf(`{"code":"x","privileged":%v}`, privileged))
		return Decided{ID: id, RiskLevel: level, RiskState: state, AgeHours: age, Privileged: privileged, Decision: raw}
	}
	list := []Decided{
		decided("closed", "high", entra.StateDismissed, true, 0), decided("low", "low", entra.StateAtRisk, true, 90), decided("young", "high", entra.StateAtRisk, false, 0.05),
		decided("old", "high", entra.StateAtRisk, false, 9), decided("admin", "high", entra.StateAtRisk, true, 1), decided("strange", "brandNew", entra.StateAtRisk, false, 1), decided("none", "none", entra.StateNone, false, 0),
	}
	for i := range maxSettledRows {
		list = append(list, decided(fmt.Sprint("rest", i), "low", entra.StateRemediated, false, 0))
	}
	var b bytes.Buffer
	err := WriteHTML(&b, Report{Tenant: "contoso", Counts: map[string]int{"users": len(list)}}, func(yield func(Decided, error) bool) {
		for _, d := range list {
			if !yield(d, nil) {
				return
			}
		}
	}, PageDetails{})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, m := range regexp.MustCompile(`<tr role="row" id="u-([^"]+)"`).FindAllStringSubmatch(b.String(), -1) {
		ids = append(ids, m[1])
	}
	want := []string{"strange", "admin", "old", "young", "low", "closed", "rest0", "rest1"}
	if len(ids) != 5+maxSettledRows || !slices.Equal(ids[:len(want)], want) {
		t.Errorf("%d rows: %v", len(ids), ids[:min(len(ids), len(want))])
	}
	for _, say := range []string{"2 more decisions are in users.csv", ">3 min<"} {
		if !strings.Contains(b.String(), say) {
			t.Errorf("the page does not say %q", say)
		}
	}
}

// A workload identity whose risk was closed is not at risk, and one run is no
// trend.
func TestClosedWorkloadIdentitiesAndTheFirstRun(t *testing.T) {
	r, decisions, x := samplePage(t, 1, "Ada")
	r.ServicePrincipals = []json.RawMessage{json.RawMessage(`{"id":"s1","displayName":"Open one","riskState":"atRisk"}`), json.RawMessage(`{"id":"s2","displayName":"Closed one","riskState":"dismissed"}`)}
	x.History = x.History[1:]
	var b bytes.Buffer
	if err := WriteHTML(&b, r, decisions, x); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	at, closed := strings.Index(page, "Workload identities at risk"), strings.Index(page, "Workload identities whose risk was closed")
	if one, other := strings.Index(page, "Open one"), strings.Index(page, "Closed one"); at < 0 || !(at < one && one < closed && closed < other) {
		t.Error("closed risk is not told from open risk")
	}
	if !strings.Contains(page, "this is the first run, a trend needs more") {
		t.Error("one run is shown as a trend")
	}
}

// Commands are whole words for any shell, or there are none.
func TestCommandsNeedNoQuotes(t *testing.T) {
	p := pageOf{Tenant: "contoso", Cloud: "mars"}
	if got := p.Commands(sampleUser, true)[0]; got != "risksweep triage explain "+sampleUser+" --tenant contoso" {
		t.Error(got)
	}
	for _, id := range []string{"", "-rf", "a b", "a;b", "$(x)", "a'b"} {
		if got := p.Commands(id, true); got != nil {
			t.Errorf("%q: %q", id, got)
		}
	}
	if p.UserLink(sampleUser) != "" || (pageOf{Cloud: "china"}).UserLink("x/../y") != "" || (pageOf{Cloud: "china"}).UserLink(sampleUser) == "" {
		t.Error("links of an unknown cloud, or of what is no id")
	}
}
