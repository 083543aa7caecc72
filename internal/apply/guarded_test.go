package apply_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

// What is not ready is not carried out, whatever it is, and says why.
func TestOnlyWhatIsReadyIsCarriedOut(t *testing.T) {
	for status, want := range map[plan.Status]plan.OutcomeStatus{plan.NotEnabled: plan.SkippedEnforce, plan.Refused: plan.SkippedLimits,
		plan.Blocked: plan.SkippedBlocked, plan.AlreadyDone: plan.SkippedAlready} {
		x, j := newTenant(), &diary{}
		actions := []plan.Action{x.user("u1", "d1"), change(x, "a1"), create("a2", plan.CreatePolicy, entra.KindPolicy, "P", policyDoc("P", "All")),
			remove("a3", change(x, "a3"))}
		for i := range actions {
			actions[i].Status, actions[i].Reasons = status, []string{"first", "the last reason"}
		}
		res, err := run(t, options(x, j, actions...))
		if err != nil {
			t.Fatal(err)
		}
		planned := apply.Planned(plan.Plan{Actions: actions}, time.Now())
		for i := range actions {
			for _, o := range []plan.Outcome{res.Outcomes[i], planned[i]} {
				if o.Status != want || o.Detail != "the last reason" || o.Action != actions[i].ID {
					t.Errorf("%s: %s is %s: %q", status, o.Action, o.Status, o.Detail)
				}
			}
		}
		if len(x.calls) > 0 || len(j.lines) > 0 {
			t.Errorf("%s: sent %v, journaled %v", status, x.calls, j.lines)
		}
	}
}

// A ready action that does not say what is to change is left alone.
func TestAChangeThatHoldsNothing(t *testing.T) {
	x, j := newTenant(), &diary{}
	a := change(x, "a1")
	a.Change = nil
	res, err := run(t, options(x, j, a))
	if err != nil || res.Outcomes[0].Status != plan.NotAttempted || len(x.calls) > 0 {
		t.Errorf("%v, %v, sent %v", res.Outcomes, err, x.calls)
	}
	if got := apply.Planned(plan.Plan{Actions: []plan.Action{change(x, "a1")}}, time.Now())[0].Status; got != plan.SkippedPlanMode {
		t.Errorf("in a plan it is %s", got)
	}
}

// What is not known of a user counts as moved.
func TestWhatCannotBeSeenHasMoved(t *testing.T) {
	x := newTenant()
	a := x.user("u1", "d1")
	live := &apply.Live{User: x.users["u1"], Detections: a.Risk.Detections}
	if why := apply.Moved(a.Risk, live); why != "" {
		t.Fatal(why)
	}
	for name, why := range map[string]string{"no evidence": apply.Moved(nil, live), "not read": apply.Moved(a.Risk, nil), "not listed": apply.Moved(a.Risk, &apply.Live{})} {
		if why == "" {
			t.Errorf("%s: has not moved", name)
		}
	}
}

// An outcome that cannot be journaled ends the writing as an intent does.
func TestNothingMoreIsSentOnceAnOutcomeIsNotKept(t *testing.T) {
	x, j := newTenant(), &diary{fail: 2}
	first, second := x.user("u1", "d1"), x.user("u2", "d2")
	first.Kind = plan.ConfirmCompromised // goes first
	res, err := run(t, options(x, j, first, second))
	if err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("error %v, want the journal's", err)
	}
	if d := cmp.Diff([]string{"confirmCompromised [u1]"}, x.calls); d != "" {
		t.Error(d)
	}
	if got := res.Outcomes[1].Status; got != plan.NotAttempted {
		t.Errorf("the other user: %s", got)
	}
}

// A look that lies in the future is worth no more than an old one.
func TestAClockThatIsSetBackAfterTheFence(t *testing.T) {
	x := newTenant()
	a := x.user("u1", "d1")
	back := time.Duration(0)
	j := &slow{takes: []time.Duration{time.Second}, meanwhile: func() {
		back = -time.Hour
		x.detections["d9"] = &entra.Detection{ID: "d9", UserID: "u1", RiskState: "atRisk", RiskLevel: "low"}
	}}
	o := options(x, &j.diary, a)
	o.Journal, o.Now = j, func() time.Time { return time.Now().Add(back) }
	res, err := run(t, o)
	if err != nil || res.Outcomes[0].Status != plan.Moved || len(x.calls) > 0 {
		t.Errorf("%v, %v, sent %v", res.Outcomes, err, x.calls)
	}
}

// What became of an order is only what the user shows, and once the service has
// stopped working on the user.
func TestWhatAnOrderHasDone(t *testing.T) {
	processing := func(x *tenant) { *x.users["u1"].IsProcessing = true }
	reopen := func(ids ...string) func(*tenant) {
		return func(x *tenant) {
			for _, id := range ids {
				x.detections[id].RiskState, x.detections[id].LastUpdatedDateTime = "atRisk", "2026-01-01T00:00:00Z"
			}
		}
	}
	again := func(x *tenant) { // new risk puts the user back
		x.users["u1"].RiskState = "atRisk"
		x.detections["d9"] = &entra.Detection{ID: "d9", UserID: "u1", RiskState: "atRisk", RiskLevel: "low", RiskEventType: "anonymizedIPAddress"}
	}
	nothing := func(*tenant) {}
	for name, c := range map[string]struct {
		kind   plan.Kind
		effect func(*tenant)
		want   plan.OutcomeStatus
	}{
		"confirmed":                        {plan.ConfirmCompromised, nothing, plan.Done},
		"confirmed, still processing":      {plan.ConfirmCompromised, processing, plan.Processing},
		"confirmed, another state":         {plan.ConfirmCompromised, func(x *tenant) { x.users["u1"].RiskState = "remediated" }, plan.Processing},
		"safe":                             {plan.ConfirmSafe, nothing, plan.Done},
		"safe, still processing":           {plan.ConfirmSafe, processing, plan.Processing},
		"safe, closed in another way":      {plan.ConfirmSafe, func(x *tenant) { x.users["u1"].RiskState = "remediated" }, plan.Done},
		"safe, another open state":         {plan.ConfirmSafe, func(x *tenant) { x.users["u1"].RiskState = "confirmedCompromised" }, plan.Processing},
		"dismissed":                        {plan.Dismiss, nothing, plan.Done},
		"dismissed, still processing":      {plan.Dismiss, processing, plan.Processing},
		"dismissed, but for one detection": {plan.Dismiss, reopen("d2"), plan.Processing},
		"dismissed, and new risk":          {plan.Dismiss, again, plan.Done},
		"dismissed, new risk, processing":  {plan.Dismiss, func(x *tenant) { again(x); processing(x) }, plan.Processing},
		"at risk with nothing open":        {plan.Dismiss, func(x *tenant) { x.users["u1"].RiskState = "atRisk" }, plan.Processing},
		"at risk, as it was": {plan.Dismiss, func(x *tenant) {
			again(x)
			x.users["u1"].RiskLastUpdatedDateTime = "2026-01-01T00:00:00Z"
		}, plan.NotTaken},
	} {
		t.Run(name, func(t *testing.T) {
			x, j := newTenant(), &diary{}
			a := x.user("u1", "d1", "d2")
			a.Kind = c.kind
			x.after = func(string) error { c.effect(x); return nil }
			res, err := run(t, options(x, j, a))
			if err != nil {
				t.Fatal(err)
			}
			if got := res.Outcomes[0]; got.Status != c.want {
				t.Errorf("outcome %s (%s), want %s", got.Status, got.Detail, c.want)
			}
		})
	}
	t.Run("safe, of a user whose risk was closed before", func(t *testing.T) {
		x, j := newTenant(), &diary{}
		a := x.user("u1")
		a.Kind, x.ignore = plan.ConfirmSafe, true
		x.users["u1"].RiskState, a.Risk.RiskState = entra.StateRemediated, entra.StateRemediated
		res, err := run(t, options(x, j, a))
		if err != nil || res.Outcomes[0].Status != plan.NotTaken {
			t.Errorf("%v, %v", res.Outcomes, err)
		}
	})
}

// remove makes a delete of an update's object.
func remove(id string, a plan.Action) plan.Action {
	a.ID, a.Kind = id, plan.DeleteLocation
	a.Change = &plan.Change{Kind: a.Change.Kind, Key: a.Change.Key, Before: a.Change.Before, BeforeHash: a.Change.BeforeHash}
	return a
}

// A change whose answer was lost is sent again only to an object that is still
// what the plan saw, and at most once.
func TestALostChangeIsNotSentOverAnEdit(t *testing.T) {
	lost := fmt.Errorf("reset: %w", entra.ErrUnknownOutcome)
	get, update, del, list := "get "+locationID, "update "+locationID, "delete "+locationID, "list namedLocation"
	edit := func(x *tenant) { x.objects[entra.KindLocation][0]["isTrusted"] = true }
	for name, c := range map[string]struct {
		delete bool
		before func(*tenant, int) error // the n-th write
		after  func(*tenant, int) error
		want   plan.OutcomeStatus
		calls  []string
	}{
		"update, edited meanwhile": {before: func(x *tenant, _ int) error { edit(x); return lost }, want: plan.Unknown, calls: []string{get, update, get}},
		"update, lost twice":       {before: func(*tenant, int) error { return lost }, want: plan.Unknown, calls: []string{get, update, get, update}},
		"delete, edited meanwhile": {delete: true, before: func(x *tenant, _ int) error { edit(x); return lost }, want: plan.Unknown, calls: []string{get, del, get}},
		"delete, lost twice":       {delete: true, before: func(*tenant, int) error { return lost }, want: plan.Unknown, calls: []string{get, del, get, del}},
		"delete, lost before": {delete: true, before: func(_ *tenant, n int) error {
			if n == 1 {
				return lost
			}
			return nil
		}, want: plan.Done, calls: []string{get, del, get, del, list}},
		"delete, lost after": {delete: true, after: func(*tenant, int) error { return lost }, want: plan.Done, calls: []string{get, del, get, list}},
		"delete, by another": {delete: true, before: func(x *tenant, _ int) error { x.objects[entra.KindLocation] = nil; return nil }, want: plan.Done,
			calls: []string{get, del, list}},
	} {
		t.Run(name, func(t *testing.T) {
			x, j := newTenant(), &diary{}
			a := change(x, "a1")
			if c.delete {
				a = remove("a1", a)
			}
			n := 0
			x.before = func(call string) error {
				if call != "update" && call != "delete" || c.before == nil {
					return nil
				}
				n++
				return c.before(x, n)
			}
			x.after = func(string) error {
				if c.after == nil {
					return nil
				}
				return c.after(x, n)
			}
			res, err := run(t, options(x, j, a))
			if err != nil {
				t.Fatal(err)
			}
			if got := res.Outcomes[0]; got.Status != c.want {
				t.Errorf("outcome %s (%s), want %s", got.Status, got.Detail, c.want)
			}
			if d := cmp.Diff(c.calls, x.calls); d != "" {
				t.Error(d)
			}
		})
	}
}

// An object that cannot be looked at is not written to; one that is gone needs
// no delete.
func TestNoChangeWithoutALook(t *testing.T) {
	for _, deletes := range []bool{false, true} {
		for _, gone := range []bool{false, true} {
			x, j := newTenant(), &diary{}
			a := change(x, "a1")
			want := plan.Failed
			switch {
			case gone && deletes:
				want = plan.Done
			case gone:
				want = plan.Moved
			}
			if deletes {
				a = remove("a1", a)
			}
			x.before = func(call string) error {
				if call == "get" && !gone {
					return fmt.Errorf("broken: %w", entra.ErrMalformed)
				}
				return nil
			}
			if gone {
				x.objects[entra.KindLocation] = nil
			}
			res, err := run(t, options(x, j, a))
			if err != nil || res.Outcomes[0].Status != want {
				t.Errorf("delete %t, gone %t: %v, %v", deletes, gone, res.Outcomes, err)
			}
			if d := cmp.Diff([]string{"get " + locationID}, x.calls); d != "" {
				t.Error(d)
			}
		}
	}
}

// What refuses one change for its permission or its pace refuses the next.
func TestARefusalThatEndsTheWritingOfObjects(t *testing.T) {
	for _, why := range []error{entra.ErrForbidden, entra.ErrUnauthorized, entra.ErrThrottled} {
		x, j := newTenant(), &diary{}
		x.before = func(call string) error {
			if call == "create" {
				return fmt.Errorf("no: %w", why)
			}
			return nil
		}
		res, err := run(t, options(x, j, create("a1", plan.CreateLocation, entra.KindLocation, "L", location("L")),
			create("a2", plan.CreateLocation, entra.KindLocation, "M", location("M"))))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(map[string]plan.OutcomeStatus{"a1": plan.Failed, "a2": plan.NotAttempted}, statuses(res)); d != "" {
			t.Error(why, d)
		}
		if d := cmp.Diff([]string{"create L"}, x.calls); d != "" {
			t.Error(why, d)
		}
	}
}

// A create whose answer does not say what was made is looked for.
func TestACreateWithoutAnID(t *testing.T) {
	x, j := newTenant(), &diary{}
	x.nameless = true
	res, err := run(t, options(x, j, create("a1", plan.CreateLocation, entra.KindLocation, "L", location("L"))))
	if err != nil || res.Outcomes[0].Status != plan.Done || len(res.Made) != 1 || res.Made[0].ID != "new-1" || res.Outcomes[0].Subject.ID != "new-1" {
		t.Errorf("%v, made %+v, %v", res.Outcomes, res.Made, err)
	}
}

// References to what earlier runs made are filled in too; one that stands for
// nothing costs its change.
func TestReferencesToEarlierRuns(t *testing.T) {
	for _, known := range []bool{true, false} {
		x, j := newTenant(), &diary{}
		o := options(x, j, create("a1", plan.CreatePolicy, entra.KindPolicy, "P", policyDoc("P", "{{namedLocation:L}}"), "namedLocation:L"))
		want := plan.Failed
		if known {
			o.IDs, want = map[string]string{"namedLocation:L": locationID}, plan.Done
		}
		res, err := run(t, o)
		if err != nil || res.Outcomes[0].Status != want {
			t.Errorf("known %t: %v, %v", known, res.Outcomes, err)
		}
		if n := len(x.objects[entra.KindPolicy]); (n == 1) != known {
			t.Errorf("known %t: %d policies", known, n)
		}
	}
}

// An update of what this run has just written goes by what it wrote.
func TestASecondChangeOfOneObject(t *testing.T) {
	x, j := newTenant(), &diary{}
	first := change(x, "a1")
	second := remove("a2", first)
	res, err := run(t, options(x, j, first, second))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]plan.OutcomeStatus{"a1": plan.Done, "a2": plan.Done}, statuses(res)); d != "" {
		t.Error(d)
	}
	if len(x.objects[entra.KindLocation]) > 0 || policy.CanonicalHash(entra.KindLocation, first.Change.Before) != second.Change.BeforeHash {
		t.Errorf("%v is left", x.objects[entra.KindLocation])
	}
}

// A gate that shuts while the answer to a change is lost lets no second one go. The
// lease may be lost, and another run at work: what then shows in the tenant is not
// taken for this run's own.
func TestALostAnswerWhenTheGateIsShut(t *testing.T) {
	for _, call := range []string{"create", "update", "delete"} {
		for _, effect := range []bool{false, true} {
			x, j := newTenant(), &diary{}
			a := change(x, "a1")
			switch call {
			case "create":
				a = create("a1", plan.CreatePolicy, entra.KindPolicy, "P", policyDoc("P", "All"))
			case "delete":
				a = remove("a1", a)
			}
			shut := false
			lose := func(c string) error {
				if c != call {
					return nil
				}
				shut = true
				return fmt.Errorf("reset: %w", entra.ErrUnknownOutcome)
			}
			if x.before = lose; effect {
				x.before, x.after = nil, lose
			}
			o := options(x, j, a)
			o.Gate = func(context.Context, time.Duration) error {
				if shut {
					return fmt.Errorf("the lease is lost")
				}
				return nil
			}
			res, err := run(t, o)
			sent := slices.DeleteFunc(x.calls, func(c string) bool { return !strings.HasPrefix(c, call) })
			if err != nil || res.Outcomes[0].Status != plan.Unknown || len(sent) != 1 || len(res.Made) > 0 {
				t.Errorf("%s, effect %t: %v, %v, sent %v", call, effect, res.Outcomes, err, sent)
			}
		}
	}
}

// An order is spared only where the user shows its effect already, and nobody
// knows while the service is at work on the user.
func TestWhatIsDoneAlready(t *testing.T) {
	const dismissed, safe, compromised, atRisk = entra.StateDismissed, entra.StateConfirmedSafe, entra.StateConfirmedCompromised, entra.StateAtRisk
	for _, c := range []struct {
		kind    plan.Kind
		state   entra.RiskState
		open    int
		already bool
	}{
		{plan.Dismiss, dismissed, 0, true}, {plan.Dismiss, safe, 0, true},
		{plan.Dismiss, dismissed, 1, false}, {plan.Dismiss, atRisk, 0, false}, {plan.Dismiss, compromised, 0, false},
		{plan.ConfirmCompromised, compromised, 0, true}, {plan.ConfirmCompromised, compromised, 2, true},
		{plan.ConfirmCompromised, atRisk, 0, false}, {plan.ConfirmCompromised, dismissed, 0, false}, {plan.ConfirmCompromised, safe, 0, false},
		{plan.ConfirmSafe, safe, 0, true},
		{plan.ConfirmSafe, safe, 1, false}, {plan.ConfirmSafe, dismissed, 0, false}, {plan.ConfirmSafe, compromised, 0, false}, {plan.ConfirmSafe, atRisk, 0, false},
	} {
		yes, no := true, false
		for name, processing := range map[string]*bool{"idle": &no, "processing": &yes, "unknown": nil} {
			why := apply.Already(c.kind, &apply.Live{User: &entra.RiskyUser{RiskState: c.state, IsProcessing: processing}, Detections: make([]plan.SeenDetection, c.open)})
			if (why != "") != (c.already && name == "idle") {
				t.Errorf("%s of %s with %d open, %s: %q", c.kind, c.state, c.open, name, why)
			}
		}
	}
}

// A user who is not listed any more after the order does not show its effect.
func TestAUserWhoIsGoneAfterTheOrder(t *testing.T) {
	for _, kind := range []plan.Kind{plan.Dismiss, plan.ConfirmCompromised, plan.ConfirmSafe} {
		x, j := newTenant(), &diary{}
		a := x.user("u1", "d1")
		a.Kind = kind
		x.after = func(string) error { delete(x.users, "u1"); return nil }
		res, err := run(t, options(x, j, a))
		if err != nil || res.Outcomes[0].Status != plan.NotTaken {
			t.Errorf("%s: %v, %v", kind, res.Outcomes, err)
		}
	}
}
