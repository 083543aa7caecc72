package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/audit"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

// EventType says what an Event tells.
type EventType string

// The types of events.
const (
	EventDecision EventType = "decision" // what a run decided about a user
	EventAction   EventType = "action"   // what a run did, or tried, and what came of it
	EventSettled  EventType = "settled"  // what a run found out about an action of an earlier one
	EventAppeared EventType = "appeared" // an object that the run before did not see
	EventDrift    EventType = "drift"    // an object that no longer is as the baseline says, or otherwise so
	EventMend     EventType = "mend"     // an object that is as the baseline says again
	EventChanged  EventType = "changed"  // an object that the baseline does not own was changed
	EventGone     EventType = "gone"     // an object that the run before saw
	EventAudit    EventType = "audit"    // what the tenant's audit log says of an object
)

// Event is one thing that a run decided, did or saw.
type Event struct {
	At   time.Time `json:"at"`
	Run  string    `json:"run"`
	Mode string    `json:"mode,omitempty"`
	What EventType `json:"what"`
	// Kind is that of the action, or of the object.
	Kind string `json:"kind,omitempty"`
	ID   string `json:"id,omitempty"`
	Key  string `json:"key,omitempty"`
	Name string `json:"name,omitempty"`
	// Was and Is are how an object stood beside the baseline; Is also is the
	// verdict on a user, or the outcome of an action.
	Was  string `json:"was,omitempty"`
	Is   string `json:"is,omitempty"`
	Risk string `json:"risk,omitempty"` // state and level of a user
	Rule string `json:"rule,omitempty"`
	// Reasons say why, Changes which members of an object differ.
	Reasons []string `json:"reasons,omitempty"`
	Changes []string `json:"changes,omitempty"`
	Detail  string   `json:"detail,omitempty"`
	// By and Reason are who had the run carried out, and why; OfRun is the run
	// whose action was settled.
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
	OfRun  string `json:"ofRun,omitempty"`
	// ChangedBy says who settled a user's risk, or confirmed it, by hand.
	ChangedBy *audit.ChangedBy `json:"changedBy,omitempty"`
}

// Event tells what a run decided about a user.
func (u UserLine) Event() (Event, error) {
	e := Event{What: EventDecision, Kind: string(entra.KindUser), ID: string(u.ID), Name: u.Name, ChangedBy: u.ChangedBy, Risk: strings.TrimSpace(string(u.RiskState) + " " + string(u.RiskLevel))}
	if len(u.Decision) == 0 || string(u.Decision) == "null" {
		return e, nil
	}
	var d struct {
		Verdict string   `json:"verdict"`
		Rule    string   `json:"rule"`
		Reasons []string `json:"reasons"`
	}
	err := json.Unmarshal(u.Decision, &d)
	e.Is, e.Rule, e.Reasons = d.Verdict, d.Rule, d.Reasons
	return e, err
}

// ActionEvent tells what became of an action; planned is the action as the plan
// has it.
func ActionEvent(o plan.Outcome, planned plan.Action) Event {
	e := Event{At: o.At, What: EventAction, Kind: string(o.Kind), ID: string(o.Subject.ID), Key: o.Subject.Key, Name: o.Subject.Name,
		Is: string(o.Status), Rule: o.Rule, Reasons: planned.Reasons, Detail: o.Detail, OfRun: o.Run}
	if planned.Change != nil && planned.Change.Before != nil { // else all of it is new
		e.Changes = texts(planned.Change.Differences)
	}
	return e
}

func texts(list []policy.Difference) []string {
	out := make([]string, len(list))
	for i, d := range list {
		out[i] = d.Text
	}
	return out
}

// Transition tells how an object stands otherwise than before; nil if it does not.
// Either may be nil: what was not there, or no longer is.
func Transition(was, is *PolicyRow) *Event {
	const inSync, missing = "inSync", "create"
	switch {
	case was == nil && is == nil:
		return nil
	case is == nil:
		return &Event{What: EventGone, Kind: string(was.Kind), ID: was.ID, Key: was.Key, Name: was.DisplayName, Was: was.Status}
	}
	e := &Event{Kind: string(is.Kind), ID: is.ID, Key: is.Key, Name: is.DisplayName, Is: is.Status, Reasons: is.Reasons, Changes: texts(is.Differences)}
	if was == nil {
		if e.What = EventAppeared; is.Status == inSync || is.Status == missing {
			e.Changes = nil
		}
		return e
	}
	e.Was = was.Status
	if is.Status == missing {
		e.Changes = nil
	}
	switch {
	case is.Status == inSync && was.Status != inSync:
		if e.What, e.Changes = EventMend, nil; was.Status != missing {
			e.Changes = texts(was.Differences)
		}
	case is.Status != was.Status:
		e.What = EventDrift
	case is.Status != inSync && !slices.Equal(texts(was.Differences), texts(is.Differences)):
		e.What = EventDrift
	default:
		e.Changes = Members(*was, *is)
		if e.What = EventChanged; len(e.Changes) == 0 {
			return nil
		}
	}
	return e
}

// Members names the members in which an object itself differs between two runs;
// none where one of them did not read it.
func Members(was, is PolicyRow) []string {
	if was.Live == nil || is.Live == nil || was.Kind != is.Kind {
		return nil
	}
	return texts(policy.Differences(policy.CanonicalOf(was.Kind, was.Live), policy.CanonicalOf(is.Kind, is.Live), nil))
}

// ReadMembers reads these members of report.json, and none of the decisions: they
// are the last member, and as many as the tenant's risky users.
func ReadMembers(r io.Reader, into map[string]any) error {
	dec := json.NewDecoder(r)
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return errors.Join(errors.New("report.json is no object"), err)
	}
	left := len(into)
	for left > 0 && dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		member, _ := name.(string)
		if member == "decisions" {
			return nil
		}
		to, wanted := into[member]
		if !wanted {
			to = new(json.RawMessage)
		}
		if err := dec.Decode(to); err != nil {
			return fmt.Errorf("%s: %w", member, err)
		}
		if wanted {
			left--
		}
	}
	if left == 0 {
		return nil
	}
	_, err := dec.Token() // the end of the object, of which members may be absent
	return err
}

// EventColumns are the columns of events as CSV.
var EventColumns = []string{"at", "run", "mode", "what", "kind", "id", "key", "name", "was", "is", "risk", "rule", "reasons", "changes", "detail", "by", "reason", "ofRun", "changedBy"}

// Cells are an event as the cells of a line.
func (e Event) Cells() []string {
	return []string{e.At.UTC().Format(time.RFC3339), e.Run, e.Mode, string(e.What), e.Kind, e.ID, e.Key, e.Name, e.Was, e.Is, e.Risk, e.Rule,
		strings.Join(e.Reasons, "; "), strings.Join(e.Changes, "; "), e.Detail, e.By, e.Reason, e.OfRun, e.ChangedBy.Text()}
}
