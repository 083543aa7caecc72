package apply

import (
	"context"
	"fmt"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// What is done to an account. The order is confirm, revoke, disable: a session
// that is revoked before the account is disabled cannot be renewed after it.

var _ = enter(plan.RevokeSessions, userAction{
	already: func(*Live) string { return "" }, // there may be new sessions at any time
	moved:   movedAccount,
	taken: func(want plan.Action, live *Live) bool {
		now, ok := live.Account.SignInSessionsValidFromDateTime.Time()
		was, before := want.Account.SignInSessionsValidFromDateTime.Time()
		return ok && (!before || now.After(was))
	},
})

var _ = enter(plan.DisableAccount, userAction{
	already: func(live *Live) string {
		if live.Account != nil && live.Account.Disabled() {
			return "the account is disabled already"
		}
		return ""
	},
	moved:  movedAccount,
	taken:  func(_ plan.Action, live *Live) bool { return live.Account.Disabled() },
	effect: syncedBack,
})

var _ = enter(plan.EnableAccount, userAction{
	already: func(live *Live) string {
		if live.Account != nil && live.Account.Enabled() {
			return "the account is enabled already"
		}
		return ""
	},
	moved:  movedAccount,
	taken:  func(_ plan.Action, live *Live) bool { return live.Account.Enabled() },
	effect: syncedBack,
})

// syncedBack says of an account that on-premises owns that the change does not
// last by itself.
func syncedBack(want plan.Action, _ *Live) (plan.OutcomeStatus, string) {
	if want.Account.OnPremisesSyncEnabled {
		return plan.Done, SyncedBack
	}
	return plan.Done, ""
}

// SyncedBack is what there is to know of a change to a synchronised account.
const SyncedBack = "the account is synchronised from on-premises: its synchronisation writes accountEnabled back, so change it there too"

// movedAccount says in what an account, or the risk because of which something is
// done to it, is no longer what the plan saw. New risk is no reason to leave the
// account open; risk that somebody has settled since is.
func movedAccount(r *run, a plan.Action, live *Live) string {
	switch {
	case a.Account == nil:
		return "the plan holds nothing of the user's account"
	case live == nil || live.Account == nil:
		return "the account does not exist any more"
	case live.Account.AccountEnabled == nil:
		return "it is not known whether the account is enabled"
	case a.Account.AccountEnabled == nil || *live.Account.AccountEnabled != *a.Account.AccountEnabled:
		// A session can be revoked whatever became of the account; its state is
		// what the other two are about.
		if a.Kind != plan.RevokeSessions {
			return fmt.Sprintf("accountEnabled is %t now", *live.Account.AccountEnabled)
		}
	}
	if a.Risk == nil { // ordered by a person, who knows why
		return ""
	}
	u := live.User
	switch {
	case u == nil:
		return "the user is no longer among the risky users"
	case u.IsDeleted == nil || *u.IsDeleted:
		return "the user is deleted"
	case processing(u) && !r.hasConfirmed(a.Subject.ID):
		return "the service is still processing the user's risk"
	case u.RiskState != a.Risk.RiskState && u.RiskState != entra.StateConfirmedCompromised:
		return fmt.Sprintf("riskState was %s and is %s now", a.Risk.RiskState, u.RiskState)
	}
	open := map[string]bool{}
	for _, d := range live.Detections {
		open[d.ID] = d.RiskState.Open()
	}
	for _, d := range a.Risk.Detections {
		if !open[d.ID] {
			return fmt.Sprintf("detection %s (%s) is closed since the plan", d.ID, d.RiskEventType)
		}
	}
	return ""
}

// confirmation finds the ready confirmation of a user in the plan.
func (r *run) confirmation(user entra.ID) (plan.Action, bool) {
	for _, a := range r.Plan.Actions {
		if a.Kind == plan.ConfirmCompromised && a.Status == plan.Ready && a.Subject.ID == user {
			return a, true
		}
	}
	return plan.Action{}, false
}

// hasConfirmed reports whether this run has confirmed a user compromised, as far
// as it knows: the service has taken the order at least.
func (r *run) hasConfirmed(user entra.ID) bool {
	a, is := r.confirmation(user)
	s := r.outcomes[a.ID].Status
	return is && (s.Effective() || s == plan.Processing)
}

// confirmed reports whether an action on an account may follow: where the plan
// confirms the user compromised too, only after the service has taken that. An action that may
// not gets its outcome.
func (r *run) confirmed(ctx context.Context, a plan.Action) bool {
	if !a.Kind.OnAccount() || r.stopped != nil {
		return true
	}
	confirm, is := r.confirmation(a.Subject.ID)
	if !is || r.hasConfirmed(a.Subject.ID) {
		return true
	}
	why := "the confirmation that goes before it was not carried out: " + r.outcomes[confirm.ID].Status.Words()
	r.settle(ctx, a, plan.NotAttempted, "", why, nil)
	return false
}

// readAccounts reads the accounts that actions are about into live.
func readAccounts(ctx context.Context, reader Reader, actions []plan.Action, live map[entra.ID]*Live) error {
	var ids []entra.ID
	for _, a := range actions {
		if a.Kind.OnAccount() && live[a.Subject.ID] == nil {
			ids = append(ids, a.Subject.ID)
			live[a.Subject.ID] = &Live{}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	accounts, err := reader.Accounts(ctx, ids)
	if err != nil {
		return err
	}
	for id, a := range accounts {
		if live[id] == nil {
			return notAsked("account", id, string(id))
		}
		live[id].Account = &a
	}
	return nil
}
