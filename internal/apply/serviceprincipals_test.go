package apply_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// principal lets a service principal be at risk, and gives an action on it.
func (t *tenant) principal(kind plan.Kind, id string, detections ...string) plan.Action {
	a := t.user(id, detections...)
	delete(t.users, id)
	for _, d := range detections {
		t.detections[d].UserID, t.detections[d].ServicePrincipalID = "", a.Subject.ID
	}
	no := false
	t.principals[id] = &entra.RiskyServicePrincipal{ID: a.Subject.ID, DisplayName: id, IsProcessing: &no, RiskLevel: "medium", RiskState: "atRisk", RiskLastUpdatedDateTime: "2026-01-01T00:00:00Z"}
	a.Kind = kind
	return a
}

func (t *tenant) RiskyServicePrincipals(context.Context) iter.Seq2[entra.Page[entra.RiskyServicePrincipal], error] {
	return func(yield func(entra.Page[entra.RiskyServicePrincipal], error) bool) {
		var p entra.Page[entra.RiskyServicePrincipal]
		for _, sp := range t.principals {
			p.Items = append(p.Items, *sp)
		}
		yield(p, t.hook(t.before, "GET riskyServicePrincipals"))
	}
}

func (t *tenant) ServicePrincipalDetections(_ context.Context, ids []entra.ID) iter.Seq2[entra.Page[entra.Detection], error] {
	return func(yield func(entra.Page[entra.Detection], error) bool) {
		var p entra.Page[entra.Detection]
		for _, d := range t.detections {
			if d.UserID == "" && (t.astray || slices.Contains(ids, d.ServicePrincipalID)) {
				p.Items = append(p.Items, *d)
			}
		}
		yield(p, t.hook(t.before, "GET servicePrincipalRiskDetections"))
	}
}

func (t *tenant) actOnPrincipals(ctx context.Context, kind plan.Kind, ids []string) (string, error) {
	if err := t.depart(ctx); err != nil {
		return "", err
	}
	t.calls = append(t.calls, fmt.Sprintf("%s %v", kind, ids))
	if err := t.hook(t.before, string(kind)); err != nil {
		return "req", err
	}
	for _, id := range ids {
		if t.principals[id] == nil {
			return "req", fmt.Errorf("one id is bad: %w", entra.ErrBadRequest)
		}
	}
	now := entra.NewDateTime(time.Now())
	for _, id := range ids {
		sp := t.principals[id]
		sp.RiskLastUpdatedDateTime, sp.RiskState = now, entra.StateConfirmedCompromised
		if kind == plan.ConfirmServicePrincipalCompromised {
			continue
		}
		sp.RiskState = entra.StateDismissed
		for _, d := range t.detections {
			if d.ServicePrincipalID == sp.ID && d.RiskState.Open() {
				d.RiskState, d.LastUpdatedDateTime = entra.StateDismissed, now
			}
		}
	}
	return "req", t.hook(t.after, string(kind))
}

// The actions on service principals are fenced, batched, read back and settled as
// those on users are.
func TestServicePrincipals(t *testing.T) {
	lost := fmt.Errorf("connection reset: %w", entra.ErrUnknownOutcome)
	once := func(call string, err error) func(string) error {
		return func(c string) error {
			if c == call {
				return err
			}
			return nil
		}
	}
	for name, tt := range map[string]struct {
		kind   plan.Kind
		before func(*tenant)
		want   plan.OutcomeStatus
		detail string
		sent   int
	}{
		"dismissed": {kind: plan.DismissServicePrincipal, want: plan.Done, sent: 1},
		"confirmed": {kind: plan.ConfirmServicePrincipalCompromised, want: plan.Done, sent: 1},
		"a new detection": {kind: plan.DismissServicePrincipal, want: plan.Moved, detail: "came since the plan", before: func(x *tenant) {
			x.detections["d9"] = &entra.Detection{ID: "d9", ServicePrincipalID: "p1", RiskEventType: "suspiciousSignins", RiskLevel: "low", RiskState: "atRisk"}
		}},
		"confirmed by somebody": {kind: plan.DismissServicePrincipal, want: plan.Moved, detail: "riskState was atRisk and is confirmedCompromised now", before: func(x *tenant) {
			x.principals["p1"].RiskState = entra.StateConfirmedCompromised
		}},
		"still processed": {kind: plan.ConfirmServicePrincipalCompromised, want: plan.Moved, detail: "still processing the service principal's risk", before: func(x *tenant) {
			x.principals["p1"].IsProcessing = nil
		}},
		"no longer risky": {kind: plan.DismissServicePrincipal, want: plan.Moved, detail: "no longer among the risky ones", before: func(x *tenant) { delete(x.principals, "p1") }},
		"an answer about another": {kind: plan.DismissServicePrincipal, want: plan.NotAttempted, detail: "for which nobody asked", before: func(x *tenant) {
			x.astray = true
			x.detections["d9"] = &entra.Detection{ID: "d9", ServicePrincipalID: "p9", RiskState: "atRisk"}
		}},
		"the list cannot be read": {kind: plan.DismissServicePrincipal, want: plan.NotAttempted, detail: "the service principal could not be read again", before: func(x *tenant) {
			x.before = once("GET riskyServicePrincipals", entra.ErrUnavailable)
		}},
		"the answer is lost": {kind: plan.DismissServicePrincipal, want: plan.Done, detail: "read back as done", sent: 1, before: func(x *tenant) { x.after = once("dismissServicePrincipal", lost) }},
		"it never arrived":   {kind: plan.DismissServicePrincipal, want: plan.Unknown, detail: "looked at again by the next run", sent: 1, before: func(x *tenant) { x.before = once("dismissServicePrincipal", lost) }},
		"refused":            {kind: plan.ConfirmServicePrincipalCompromised, want: plan.Failed, sent: 1, before: func(x *tenant) { x.before = once("confirmServicePrincipalCompromised", entra.ErrForbidden) }},
		"more is dismissed": {kind: plan.DismissServicePrincipal, want: plan.OverDismissed, detail: "d9 (leakedCredentials, high)", sent: 1, before: func(x *tenant) {
			x.before = func(call string) error {
				if call == "dismissServicePrincipal" { // after the look
					x.detections["d9"] = &entra.Detection{ID: "d9", ServicePrincipalID: "p1", RiskEventType: "leakedCredentials", RiskLevel: "high", RiskState: "atRisk"}
				}
				return nil
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, j := newTenant(), &diary{}
				a := x.principal(tt.kind, "p1", "d1", "d2")
				if tt.before != nil {
					tt.before(x)
				}
				res, err := apply.Run(t.Context(), options(x, j, a))
				if err != nil {
					t.Fatal(err)
				}
				got := res.Outcomes[0]
				if got.Status != tt.want || !strings.Contains(got.Detail, tt.detail) || len(x.calls) != tt.sent {
					t.Errorf("%s %q, %d sent; want %s %q, %d", got.Status, got.Detail, len(x.calls), tt.want, tt.detail, tt.sent)
				}
				if tt.sent > 0 && (len(j.lines) == 0 || !strings.HasPrefix(j.lines[0], "intent "+string(tt.kind))) {
					t.Errorf("journal %v", j.lines)
				}
			})
		})
	}
}

// One id that the service refuses costs only itself, also where there are more
// than one request may name; and what a run has left open is settled by the look.
func TestServicePrincipalsInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, j := newTenant(), &diary{}
		var actions []plan.Action
		for i := range plan.PrincipalBatch + 5 {
			actions = append(actions, x.principal(plan.DismissServicePrincipal, fmt.Sprintf("p%02d", i), fmt.Sprintf("d%02d", i)))
		}
		x.before = func(call string) error {
			if call == "dismissServicePrincipal" && strings.Contains(x.calls[len(x.calls)-1], "p07") {
				return fmt.Errorf("one id is bad: %w", entra.ErrBadRequest)
			}
			return nil
		}
		res, err := apply.Run(t.Context(), options(x, j, actions...))
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range res.Outcomes {
			want := plan.Done
			if o.Subject.ID == "p07" {
				want = plan.Failed
			}
			if o.Status != want {
				t.Errorf("%s: %s %s", o.Subject.ID, o.Status, o.Detail)
			}
		}
		settled, err := apply.Settle(t.Context(), x, []apply.Intent{
			{Run: "r1", At: time.Now(), Action: actions[0]}, {Run: "r1", At: time.Now(), Action: actions[7]}, {Run: "r1", At: time.Now().Add(-time.Hour), Action: actions[7]},
		}, apply.Patience{Now: time.Now, Pending: 15 * time.Minute}, map[string]bool{})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []plan.OutcomeStatus{plan.SettledTaken, plan.SettledPending, plan.SettledNotTaken} {
			if settled[i].Outcome.Status != want {
				t.Errorf("intent %d: %s, want %s", i, settled[i].Outcome.Status, want)
			}
		}
	})
}
