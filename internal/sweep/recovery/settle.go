// Package recovery takes in what earlier runs left: it folds the journals of
// runs that did not end properly into the state, looks in the tenant for what
// became of their open intents, and says on whom nothing may be ordered until
// that is known. Every path that decides begins with what it returns.
package recovery

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
)

// Stored is the state of a tenant as it was read. The zero value was not read.
type Stored struct {
	State   ledger.State
	Version string // in the store, for the next write
	Read    bool
}

// Read reads what the last run has stored.
func Read(ctx context.Context, l *ledger.Ledger) (Stored, error) {
	state, version, err := l.State(ctx)
	return Stored{state, version, err == nil}, err
}

// Recovered is the state with all that earlier runs left folded in.
type Recovered struct {
	Stored
	Held    HeldBack
	Settled []apply.Settled // what became of open intents, still pending or not
	Found   []string        // the runs that had begun to write and were still open
}

// Decided are the settled intents whose outcome is known now.
func (r Recovered) Decided() []apply.Settled {
	return slices.DeleteFunc(slices.Clone(r.Settled), func(s apply.Settled) bool { return s.Outcome.Status == plan.SettledPending })
}

// Outcomes are what became of all settled intents.
func (r Recovered) Outcomes() []plan.Outcome {
	out := make([]plan.Outcome, 0, len(r.Settled))
	for _, s := range r.Settled {
		out = append(out, s.Outcome)
	}
	return out
}

// Scope says which open intents of earlier runs are looked for in the tenant.
// The journals are folded into the state in any case.
type Scope string

// The scopes. A run that writes looks for all; one that does not, for those on
// users and service principals alone, to say who is held back: what else is under way its own run
// looks for. Who only compares policies decides about nobody and looks for none.
const (
	All   Scope = "all"
	Users Scope = "users"
	None  Scope = "none"
)

// Options are what recovering needs.
type Options struct {
	Ledger   *ledger.Ledger
	Reader   apply.Reader
	Scope    Scope
	Patience apply.Patience
}

// Recover takes in what runs that did not end properly have done: made objects
// enter the state, and intents without an outcome are looked for in the tenant.
// What is still undecided stays open, and its users are held back. Nothing is
// written. With an error, the value is what was taken in until then.
func Recover(ctx context.Context, o Options, stored Stored) (Recovered, error) {
	r := Recovered{Stored: stored, Found: stored.State.OpenRuns}
	r.State = clone(stored.State)
	held := map[entra.ID]apply.Settled{}
	var open []string
	for _, earlier := range r.State.OpenRuns {
		state := clone(r.State) // half a journal changes nothing
		intents, err := fold(ctx, o.Ledger, &state, earlier)
		if err != nil {
			return r, fmt.Errorf("run %s: %w", earlier, err)
		}
		r.State = state
		all := len(intents)
		intents = slices.DeleteFunc(intents, func(in apply.Intent) bool {
			return o.Scope == None || o.Scope == Users && !in.Action.Kind.OnUser() && !in.Action.Kind.OnPrincipal()
		})
		if o.Scope == None && all > 0 {
			open = append(open, earlier)
		}
		if len(intents) == 0 {
			continue
		}
		settled, err := apply.Settle(ctx, o.Reader, intents, o.Patience, ownedIDs(r.State))
		if err != nil {
			return r, fmt.Errorf("run %s: %w", earlier, err)
		}
		r.Settled = append(r.Settled, settled...)
		for _, s := range settled {
			if s.Outcome.Status != plan.SettledPending {
				if s.Made != nil {
					Own(&r.State, *s.Made, s.Outcome.Run)
				}
				RememberUser(&r.State, s.Action, s.Outcome, s.Outcome.Run)
				RememberException(&r.State, s.Action, s.Outcome)
				r.State.SettledActions = append(r.State.SettledActions, s.Outcome.Run+"/"+s.Outcome.Action)
				continue
			}
			held[s.Outcome.Subject.ID] = s
			if !slices.Contains(open, earlier) {
				open = append(open, earlier)
			}
		}
	}
	r.State.OpenRuns = open
	r.Held = HeldBack{settled: o.Scope != None, by: held}
	return r, nil
}

// fold takes one earlier run's journal into the state and returns its undecided
// intents.
func fold(ctx context.Context, l *ledger.Ledger, state *ledger.State, earlier string) ([]apply.Intent, error) {
	p, err := l.Plan(ctx, earlier)
	lost := errors.Is(err, blobstore.ErrNotFound)
	if err != nil && !lost {
		return nil, err
	}
	actions := map[string]plan.Action{}
	for _, a := range p.Actions {
		actions[a.ID] = a
	}
	ids := IDs(*state)
	known := map[entra.ObjectKind]map[string]bool{}
	var intents []apply.Intent
	var folded []string
	defer func() { state.SettledActions = append(state.SettledActions, folded...) }()
	for entry, err := range l.ReadJournal(ctx, earlier) {
		if err != nil {
			return nil, err
		}
		var more detail
		if len(entry.Detail) > 0 {
			if err := json.Unmarshal(entry.Detail, &more); err != nil {
				return nil, fmt.Errorf("journal: %w", err)
			}
		}
		for kind, list := range more.Known {
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
			if lost {
				return nil, fmt.Errorf("plan.json of run %s is gone, and its journal says that it began with %s (%s) of %s: restore the file from a backup; without one, look in the tenant for what became of it, and move the run's folder away", earlier, entry.Action, entry.Kind, cmp.Or(entry.Subject.Name, entry.Subject.Key, string(entry.Subject.ID)))
			}
			if !ok {
				return nil, fmt.Errorf("the journal names action %s, which is not in the plan", entry.Action)
			}
			intents = slices.DeleteFunc(intents, func(in apply.Intent) bool { return in.Action.ID == a.ID })
			intents = append(intents, apply.Intent{Run: earlier, At: entry.At, ServiceTime: more.ServiceTime, Action: a, IDs: ids, Known: known})
		case slices.Contains(state.SettledActions, earlier+"/"+entry.Action):
			continue // a later run has settled it, and what it knows is newer
		case entry.Type == ledger.EntryNote && more.ID != "":
			for i, in := range intents {
				if c := in.Action.Change; in.Action.ID == entry.Action {
					intents[i].Made = more.ID
					ids[c.Ref()] = more.ID
					// Who looks for no intents knows it as ours all the same.
					Own(state, apply.Written{Kind: c.Kind, Key: c.Key, ID: more.ID, DisplayName: c.After.DisplayName()}, earlier)
				}
			}
		case entry.Type == ledger.EntryOutcome && entry.Outcome != nil:
			if more.Made != nil {
				Own(state, *more.Made, earlier)
				ids[plan.Ref(more.Made.Kind, more.Made.Key)] = more.Made.ID
			}
			if entry.Outcome.Status != plan.Unknown {
				intents = slices.DeleteFunc(intents, func(in apply.Intent) bool { return in.Action.ID == entry.Action })
				RememberUser(state, actions[entry.Action], *entry.Outcome, earlier)
				RememberException(state, actions[entry.Action], *entry.Outcome)
				// Folded in once: what later runs know of the object is newer.
				folded = append(folded, earlier+"/"+entry.Action)
			}
		}
	}
	return slices.DeleteFunc(intents, func(in apply.Intent) bool {
		return slices.Contains(state.SettledActions, earlier+"/"+in.Action.ID)
	}), nil
}
