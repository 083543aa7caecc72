package apply_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// contained are the three steps for a user, planned in the wrong order.
func contained(x *tenant) []plan.Action {
	a := x.user("u1", "d1")
	confirm := a
	confirm.Kind, confirm.ID = plan.ConfirmCompromised, "confirm-u1"
	return []plan.Action{x.account(plan.DisableAccount, a), x.account(plan.RevokeSessions, a), confirm}
}

// The order is confirm, revoke, disable, and each is journaled before it is sent
// and read back.
func TestContainment(t *testing.T) {
	x, j := newTenant(), &diary{}
	res, err := run(t, options(x, j, contained(x)...))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"confirmCompromised [u1]", "revokeSessions [u1]", "disableAccount [u1]"}, x.calls); d != "" {
		t.Error(d)
	}
	want := []string{"intent confirmCompromised confirm-u1", "outcome confirm-u1 done", "intent revokeSessions revokeSessions-u1", "outcome revokeSessions-u1 done",
		"intent disableAccount disableAccount-u1", "outcome disableAccount-u1 done"}
	if d := cmp.Diff(want, j.lines); d != "" {
		t.Error(d)
	}
	for _, o := range res.Outcomes {
		if o.Status != plan.Done {
			t.Errorf("%s: %s %s", o.Action, o.Status, o.Detail)
		}
	}
}

// What befalls the user or the account before the write keeps it back.
func TestContainmentIsHeldBack(t *testing.T) {
	yes, no := true, false
	type want = map[plan.Kind]plan.OutcomeStatus
	for name, c := range map[string]struct {
		befall func(*tenant)
		keep   []plan.Kind // of the three, what is planned
		want   want
	}{
		"nothing happened": {func(*tenant) {}, []plan.Kind{plan.RevokeSessions, plan.DisableAccount}, want{plan.RevokeSessions: plan.Done, plan.DisableAccount: plan.Done}},
		"the confirmation is held back": {func(x *tenant) { x.users["u1"].RiskState = "remediated" }, nil,
			want{plan.ConfirmCompromised: plan.Moved, plan.RevokeSessions: plan.NotAttempted, plan.DisableAccount: plan.NotAttempted}},
		"the confirmation fails": {func(x *tenant) {
			x.before = func(call string) error {
				if call == "confirmCompromised" {
					return fmt.Errorf("%w: 403", entra.ErrForbidden)
				}
				return nil
			}
		}, nil, want{plan.ConfirmCompromised: plan.Failed, plan.RevokeSessions: plan.NotAttempted, plan.DisableAccount: plan.NotAttempted}},
		"the risk was settled":      {func(x *tenant) { x.users["u1"].RiskState = "remediated" }, []plan.Kind{plan.DisableAccount}, want{plan.DisableAccount: plan.Moved}},
		"a detection was settled":   {func(x *tenant) { x.detections["d1"].RiskState = "dismissed" }, []plan.Kind{plan.DisableAccount}, want{plan.DisableAccount: plan.Moved}},
		"there is new risk":         {func(x *tenant) { x.user("u1", "d1", "d2") }, []plan.Kind{plan.DisableAccount}, want{plan.DisableAccount: plan.Done}},
		"somebody confirmed":        {func(x *tenant) { x.users["u1"].RiskState = "confirmedCompromised" }, []plan.Kind{plan.RevokeSessions}, want{plan.RevokeSessions: plan.Done}},
		"it is being processed":     {func(x *tenant) { x.users["u1"].IsProcessing = &yes }, []plan.Kind{plan.RevokeSessions}, want{plan.RevokeSessions: plan.Moved}},
		"the user is deleted":       {func(x *tenant) { x.users["u1"].IsDeleted = &yes }, []plan.Kind{plan.RevokeSessions}, want{plan.RevokeSessions: plan.Moved}},
		"the account is gone":       {func(x *tenant) { delete(x.accounts, "u1") }, []plan.Kind{plan.RevokeSessions}, want{plan.RevokeSessions: plan.Moved}},
		"somebody has disabled it":  {func(x *tenant) { x.accounts["u1"].AccountEnabled = &no }, []plan.Kind{plan.DisableAccount}, want{plan.DisableAccount: plan.Moved}},
		"nobody says if it is open": {func(x *tenant) { x.accounts["u1"].AccountEnabled = nil }, []plan.Kind{plan.RevokeSessions}, want{plan.RevokeSessions: plan.Moved}},
		"no effect shows":           {func(x *tenant) { x.ignore = true }, []plan.Kind{plan.DisableAccount}, want{plan.DisableAccount: plan.Processing}},
	} {
		t.Run(name, func(t *testing.T) {
			x, j := newTenant(), &diary{}
			actions := contained(x)
			if c.keep != nil {
				actions = slices.DeleteFunc(actions, func(a plan.Action) bool { return !slices.Contains(c.keep, a.Kind) })
			}
			c.befall(x)
			res, err := run(t, options(x, j, actions...))
			got := want{}
			for _, o := range res.Outcomes {
				got[o.Kind] = o.Status
			}
			if d := cmp.Diff(c.want, got); d != "" || err != nil {
				t.Errorf("%s\n%v %v", d, res.Outcomes, err)
			}
		})
	}
}

// An administrator whom the service refuses costs only itself, and a lost answer
// is read back, in the same run or by the next one.
func TestContainmentThatFails(t *testing.T) {
	x, j := newTenant(), &diary{}
	x.before = func(call string) error {
		if call == "disableAccount" && len(x.calls) == 1 {
			return fmt.Errorf("%w: Authorization_RequestDenied", entra.ErrForbidden)
		}
		return nil
	}
	res, err := run(t, options(x, j, x.account(plan.DisableAccount, x.user("u1")), x.account(plan.DisableAccount, x.user("u2"))))
	if d := cmp.Diff(map[string]plan.OutcomeStatus{"disableAccount-u1": plan.Failed, "disableAccount-u2": plan.Done}, statuses(res)); d != "" || err != nil {
		t.Error(d, err)
	}

	for _, effect := range []bool{true, false} {
		x, j := newTenant(), &diary{}
		a := x.account(plan.RevokeSessions, x.user("u1"))
		x.ignore = !effect
		x.after = func(string) error { return entra.ErrUnknownOutcome }
		if !effect {
			x.before, x.after = func(call string) error {
				if call == "revokeSessions" {
					return entra.ErrUnknownOutcome
				}
				return nil
			}, nil
		}
		res, err := run(t, options(x, j, a))
		want := map[bool]plan.OutcomeStatus{true: plan.Done, false: plan.Unknown}[effect]
		if err != nil || res.Outcomes[0].Status != want {
			t.Errorf("lost, effect %t: %v, %v", effect, res.Outcomes, err)
		}
		for age, status := range map[time.Duration]plan.OutcomeStatus{0: plan.SettledPending, time.Hour: plan.SettledNotTaken} {
			if effect {
				status = plan.SettledTaken
			}
			synctest.Test(t, func(t *testing.T) {
				got, err := apply.Settle(context.Background(), x, []apply.Intent{{Run: "r", At: time.Now().Add(-age), Action: a}},
					apply.Patience{Now: time.Now, Pending: 15 * time.Minute}, map[string]bool{})
				if err != nil || got[0].Outcome.Status != status {
					t.Errorf("effect %t after %s: %v, %v", effect, age, got, err)
				}
			})
		}
	}
}

// What a synchronisation writes back is said.
func TestASynchronisedAccount(t *testing.T) {
	x, j := newTenant(), &diary{}
	a := x.account(plan.DisableAccount, x.user("u1"))
	a.Account.OnPremisesSyncEnabled, a.Risk = true, nil // ordered by a person
	res, err := run(t, options(x, j, a))
	if err != nil || res.Outcomes[0].Status != plan.Done || res.Outcomes[0].Detail != apply.SyncedBack {
		t.Errorf("%v %v", res.Outcomes, err)
	}
}
