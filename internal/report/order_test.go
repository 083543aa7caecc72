package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/triage"
)

// The page of a run never says of what it did not read that all is well.
func TestThePageSaysNothingOfWhatWasNotRead(t *testing.T) {
	outcome := plan.Outcome{Action: "a", Kind: plan.ConfirmCompromised, Subject: plan.Subject{ID: "u1", Name: "ada@contoso.com"}, Status: plan.Done}
	already := outcome
	already.Status = plan.SkippedAlready
	order := &Order{Action: plan.ConfirmCompromised, Users: []UserRef{{ID: "u1", Name: "ada@contoso.com"}, {Name: "</dd>"}}, Reason: "<b>INC-1</b>", By: "ops"}
	all := Coverage{Complete: true, Full: true}
	none := Coverage{Unread: Parts}
	for name, c := range map[string]struct {
		report     Report
		says, nots []string
	}{
		"an order": {Report{Kind: "order", Order: order, Coverage: none, Outcomes: []plan.Outcome{outcome}, Status: "succeeded", Counts: map[string]int{"users": 2}},
			[]string{"<h1>Confirm compromised: 2 users ", "ada@contoso.com", "&lt;b&gt;INC-1", "ops", "It confirmed 1 user compromised", "Not read:"}, []string{"</dd></li>"}},
		"an order that was done before": {Report{Kind: "order", Order: order, Coverage: none, Outcomes: []plan.Outcome{already}, Status: "succeeded"}, []string{"1 action had been done before"}, nil},
		"an order without effect":       {Report{Kind: "order", Order: &Order{Action: plan.Dismiss}, Coverage: none, Status: "failed"}, []string{"Nothing was done", "no reason was given", "not known"}, nil},
		"a destroy run":                 {Report{Kind: "destroy", Order: &Order{}, Coverage: none, Status: "succeeded"}, []string{"<h1>Destroy the baseline "}, []string{`id="decided"`}},
		"nothing read": {Report{Kind: "sweep", Coverage: none, Status: "failed", Errors: []Problem{{Message: "no", Hint: "do this"}}},
			[]string{"Nothing was read", "Nothing was done", "What to do.</strong> do this", "risk detections, risky users and policies"}, []string{`class="is-good`, `id="decided"`}},
		"cancelled among the users": {Report{Kind: "sweep", Coverage: Coverage{Unread: []string{PartUsers, PartPolicies}}, Status: "cancelled", Counts: map[string]int{"users": 3}},
			[]string{"Not all risky users were read", "open detections"}, []string{`class="is-good`}},
		"no rules": {Report{Kind: "sweep", Coverage: all, Status: "succeeded", Skipped: []string{"triage: no triage file"}}, []string{"not decided"}, []string{">0</b><span>users need a person"}},
		"no licence for risk": {Report{Kind: "sweep", Coverage: Coverage{Complete: true, Unread: []string{PartUsers}}, Status: "succeeded", Skipped: []string{"triage: no licence"}},
			[]string{"no licence"}, []string{">0</b><span>users at risk"}},
		"a whole sweep": {Report{Kind: "sweep", Coverage: all, Status: "succeeded"}, []string{"Nobody needs a person", "what the baseline says"}, []string{"Not read"}},
	} {
		c.report.Tenant, c.report.Mode = "contoso", "apply"
		var b bytes.Buffer
		if err := WriteHTML(&b, c.report, func(func(Decided, error) bool) {}, PageDetails{}); err != nil {
			t.Fatal(name, err)
		}
		nots := c.nots
		if name != "a whole sweep" && name != "no rules" && name != "no licence for risk" {
			nots = append(nots, "what the baseline says")
		}
		if name != "a whole sweep" {
			nots = append(nots, "Nobody")
		}
		for _, text := range c.says {
			if !strings.Contains(b.String(), text) {
				t.Errorf("%s: does not say %q", name, text)
			}
		}
		for _, text := range nots {
			if strings.Contains(b.String(), text) {
				t.Errorf("%s: says %q", name, text)
			}
		}
	}
}

func TestOrdersAreRedacted(t *testing.T) {
	o := &Order{Action: plan.Dismiss, Users: []UserRef{{ID: "u1", Name: "ada@contoso.com"}}, Reason: "ada@contoso.com came from 203.0.113.7", By: "ops"}
	for mode, want := range map[string]string{"drop": "- came from -", "none": o.Reason} {
		got := NewRedaction(mode, []byte("key")).Order(o)
		if got.Reason != want || got.Users[0].ID != "u1" || mode == "drop" && (got.By != "" || got.Users[0].Name != "") {
			t.Errorf("%s: %+v", mode, got)
		}
	}
	if o.Users[0].Name != "ada@contoso.com" {
		t.Error("the order itself was changed")
	}
}

// A finding on risk that is closed, of which nothing is planned, is closed:
// also where an order found it done before.
func TestOCSFDecisionsOfOrders(t *testing.T) {
	for _, c := range []struct {
		state            entra.RiskState
		verdict          triage.Verdict
		person           bool
		activity, status int
	}{
		{entra.StateAtRisk, triage.Dismiss, false, 2, 2},
		{entra.StateAtRisk, triage.ConfirmSafe, false, 2, 2},
		{entra.StateDismissed, triage.Leave, false, 3, 3},     // dismissed before
		{entra.StateConfirmedSafe, triage.Leave, false, 3, 3}, // confirmed safe before
		{entra.StateConfirmedCompromised, triage.Leave, false, 2, 2},
		{entra.StateConfirmedCompromised, triage.Leave, true, 2, 1},
		{entra.StateRemediated, triage.Leave, false, 3, 4},
		{entra.StateRemediated, triage.ConfirmCompromised, false, 2, 2}, // ordered all the same
		{entra.StateAtRisk, triage.Leave, false, 2, 1},
	} {
		var b bytes.Buffer
		o := NewOCSF(&b, OCSFSource{Run: "r", At: at}, Redaction{})
		row := UserRow{User: entra.RiskyUser{ID: "u1", RiskState: c.state}, Decision: triage.Decision{Verdict: c.verdict, Code: "order", NeedsPerson: c.person}}
		if err := o.Decision(row); err != nil {
			t.Fatal(err)
		}
		if err := o.Flush(); err != nil {
			t.Fatal(err)
		}
		check(t, "ocsf", b.Bytes())
		for f, err := range ReadLines[ocsfFinding](&b) {
			if err != nil || f.ActivityID != c.activity || f.StatusID != c.status || f.TypeUID != 200400+c.activity {
				t.Errorf("%s, %s, %v: activity %d, status %d (%v)", c.state, c.verdict, c.person, f.ActivityID, f.StatusID, err)
			}
		}
	}
}
