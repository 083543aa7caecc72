package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
)

// journalDetail is what a journal line of ours carries besides: the ids that
// were known before the first write, the service's time of its last answer
// before an intent, or what a write made.
type journalDetail struct {
	Known map[entra.ObjectKind][]string `json:"known,omitempty"`
	Made  *apply.Made                   `json:"made,omitempty"`
	// ServiceTime bounds from below when an object can have been made.
	ServiceTime time.Time `json:"serviceTime,omitzero"`
}

// heldBack are the users on whom an order of an earlier run may still take
// effect: nobody knows yet what became of it, so that nothing more is ordered
// for them. Only settleEarlier makes one, and every path that decides about
// users takes one.
type heldBack struct {
	settled bool // what earlier runs left open was looked at
	by      map[entra.ID]apply.Settled
}

// why says why nothing may be ordered for a user now, or nothing. A value that
// settling did not make holds everybody back.
func (h heldBack) why(userID entra.ID) string {
	if !h.settled {
		return "what earlier runs left open was not looked at"
	}
	s, ok := h.by[userID]
	if !ok {
		return ""
	}
	return fmt.Sprintf("held back: what became of the %s by run %s is not known yet (%s)", s.Outcome.Kind, s.Outcome.Run, s.Outcome.Detail)
}

// block takes the readiness from the actions on users who are held back.
func (h heldBack) block(actions []plan.Action) {
	for i := range actions {
		a := &actions[i]
		if !a.Kind.OnUser() || a.Status != plan.Ready {
			continue
		}
		if why := h.why(a.Subject.ID); why != "" {
			a.Status = plan.Blocked
			a.Reasons = append(a.Reasons[:len(a.Reasons):len(a.Reasons)], why)
		}
	}
}

// settleEarlier takes in what runs that did not end properly have done: made
// objects enter the state, and intents without an outcome are looked at in the
// tenant. What is still undecided stays open, and its users are held back. A
// plan looks too, so that it says who is held back, but it only looks at users
// and writes nothing down.
func (r *run) settleEarlier(ctx context.Context) (heldBack, error) {
	held := heldBack{by: map[entra.ID]apply.Settled{}}
	var open []string
	for _, earlier := range r.state.OpenRuns {
		intents, err := r.readEarlier(ctx, earlier)
		if err != nil {
			return held, fmt.Errorf("run %s: %w", earlier, err)
		}
		if r.req.Mode == Plan { // what else is under way its own run looks for
			intents = slices.DeleteFunc(intents, func(in apply.Intent) bool { return !in.Action.Kind.OnUser() })
		}
		if len(intents) == 0 {
			continue
		}
		settled, err := apply.Settle(ctx, r.Reader, intents,
			apply.Patience{Now: r.Now, Pending: r.Settings.Settle, Visibility: r.Settings.Visibility}, ownedIDs(r.state))
		if err != nil {
			return held, fmt.Errorf("run %s: %w", earlier, err)
		}
		for _, s := range settled {
			r.recordSettled(s)
			if s.Outcome.Status != plan.SettledPending {
				continue
			}
			held.by[s.Outcome.Subject.ID] = s
			if !slices.Contains(open, earlier) {
				open = append(open, earlier)
			}
		}
	}
	r.state.OpenRuns = open
	held.settled = true
	return held, nil
}

// readEarlier folds one earlier run's journal into the state and returns its
// undecided intents.
func (r *run) readEarlier(ctx context.Context, earlier string) ([]apply.Intent, error) {
	p, err := r.storedPlan(ctx, earlier)
	if errors.Is(err, blobstore.ErrNotFound) {
		return nil, nil // it died before it stored a plan, so before any write
	}
	if err != nil {
		return nil, err
	}
	actions := map[string]plan.Action{}
	for _, a := range p.Actions {
		actions[a.ID] = a
	}
	ids := idsOf(r.state)
	known := map[entra.ObjectKind]map[string]bool{}
	var intents []apply.Intent
	var folded []string
	defer func() { r.state.SettledActions = append(r.state.SettledActions, folded...) }()
	for entry, err := range r.Ledger.ReadJournal(ctx, earlier) {
		if err != nil {
			return nil, err
		}
		var detail journalDetail
		if len(entry.Detail) > 0 {
			if err := json.Unmarshal(entry.Detail, &detail); err != nil {
				return nil, fmt.Errorf("journal: %w", err)
			}
		}
		for kind, list := range detail.Known {
			known[kind] = map[string]bool{}
			for _, id := range list {
				known[kind][id] = true
			}
		}
		switch {
		case entry.Run != "" && entry.Run != earlier:
			continue // what that run settled of a still earlier one
		case entry.Type == ledger.EntryIntent:
			a, ok := actions[entry.Action]
			if !ok {
				return nil, fmt.Errorf("the journal names action %s, which is not in the plan", entry.Action)
			}
			intents = slices.DeleteFunc(intents, func(in apply.Intent) bool { return in.Action.ID == a.ID })
			intents = append(intents, apply.Intent{Run: earlier, At: entry.At, ServiceTime: detail.ServiceTime, Action: a, IDs: ids, Known: known})
		case slices.Contains(r.state.SettledActions, earlier+"/"+entry.Action):
			continue // a later run has settled it, and what it knows is newer
		case entry.Type == ledger.EntryOutcome && entry.Outcome != nil:
			if detail.Made != nil {
				r.take(*detail.Made, earlier)
				ids[string(detail.Made.Kind)+":"+detail.Made.Key] = detail.Made.ID
			}
			if entry.Outcome.Status != plan.Unknown {
				intents = slices.DeleteFunc(intents, func(in apply.Intent) bool { return in.Action.ID == entry.Action })
				r.rememberUser(actions[entry.Action], *entry.Outcome, earlier)
				// Folded in once: what later runs know of the object is newer.
				folded = append(folded, earlier+"/"+entry.Action)
			}
		}
	}
	return slices.DeleteFunc(intents, func(in apply.Intent) bool {
		return slices.Contains(r.state.SettledActions, earlier+"/"+in.Action.ID)
	}), nil
}

// recordSettled keeps what became of one earlier intent: in the state, in the
// report, and for the journal.
func (r *run) recordSettled(s apply.Settled) {
	r.settled = append(r.settled, s)
	r.Log.Info("settled", "run", s.Outcome.Run, "action", s.Outcome.Action, "kind", s.Outcome.Kind,
		"subject", nameOf(s.Outcome.Subject), "status", s.Outcome.Status, "detail", s.Outcome.Detail, "tenant", r.Name)
	if s.Outcome.Status == plan.SettledPending {
		return
	}
	if s.Made != nil {
		r.take(*s.Made, s.Outcome.Run)
	}
	r.rememberUser(s.Action, s.Outcome, s.Outcome.Run)
	r.state.SettledActions = append(r.state.SettledActions, s.Outcome.Run+"/"+s.Outcome.Action)
	if r.req.Mode == Apply {
		r.unsaid = append(r.unsaid, s)
	}
}

// journalSettled writes down what was settled, once the run is this process's
// own.
func (r *run) journalSettled(ctx context.Context) error {
	for len(r.unsaid) > 0 {
		s := r.unsaid[0]
		if err := (journal{r}).Outcome(ctx, s.Outcome, s.Made); err != nil {
			return fmt.Errorf("writing the journal: %w", err)
		}
		r.unsaid = r.unsaid[1:]
	}
	return nil
}

// storedPlan reads the plan of an earlier run.
func (r *run) storedPlan(ctx context.Context, id string) (plan.Plan, error) {
	return ReadPlan(ctx, r.Ledger, id)
}

// ReadPlan reads the plan that a run has stored.
func ReadPlan(ctx context.Context, l *ledger.Ledger, id string) (plan.Plan, error) {
	var p plan.Plan
	file, _, err := l.Open(ctx, id, "plan.json")
	if err != nil {
		return p, err
	}
	defer file.Close()
	data, err := io.ReadAll(file)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return p, fmt.Errorf("plan.json of run %s: %w", id, err)
	}
	if p.SchemaVersion != plan.SchemaVersion {
		return p, fmt.Errorf("plan.json of run %s has schema version %d; this program reads %d", id, p.SchemaVersion, plan.SchemaVersion)
	}
	return p, nil
}
