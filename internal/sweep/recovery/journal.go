package recovery

import (
	"context"
	"encoding/json"
	"time"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
)

// detail is what a journal line carries besides: the ids that were known before
// the first write, the service's time of its last answer before an intent, the id
// that a create was answered with, or what a write made.
type detail struct {
	Known map[entra.ObjectKind][]string `json:"known,omitempty"`
	ID    string                        `json:"id,omitempty"`
	Made  *apply.Written                `json:"made,omitempty"`
	// Requested says who asked for the run.
	Requested *plan.Requested `json:"requested,omitempty"`
	// ServiceTime bounds from below when an object can have been made.
	ServiceTime time.Time `json:"serviceTime,omitzero"`
}

// Journal writes what apply tells it into a run's journal, in the form in which
// Recover reads it back.
type Journal struct {
	Run        *ledger.Run
	Now        func() time.Time
	ServerTime func() time.Time // the service's, of its last answer
	Redaction  report.Redaction
}

// Intent writes down what is about to be sent.
func (j Journal) Intent(ctx context.Context, kind plan.Kind, actions []plan.Action) error {
	now := j.Now().UTC()
	seen, err := json.Marshal(detail{ServiceTime: j.ServerTime().UTC()})
	if err != nil {
		return err
	}
	entries := make([]ledger.Entry, len(actions))
	for i, a := range actions {
		entries[i] = ledger.Entry{Type: ledger.EntryIntent, At: now, Run: j.Run.ID(), Action: a.ID, Kind: kind,
			Subject: j.Redaction.Subject(kind, a.Subject), Detections: len(a.Closes())}
		if !kind.OnUser() {
			entries[i].Detail = seen
		}
		if weight := a.Weight(); weight != 1 {
			entries[i].Weight = &weight
		}
	}
	return j.Run.Journal().Append(ctx, entries...)
}

// Made writes down the id that a create was answered with.
func (j Journal) Made(ctx context.Context, a plan.Action, id string) error {
	data, err := json.Marshal(detail{ID: id})
	if err != nil {
		return err
	}
	return j.Run.Journal().Append(ctx, ledger.Entry{Type: ledger.EntryNote, At: j.Now().UTC(), Run: j.Run.ID(), Action: a.ID, Kind: a.Kind, Detail: data})
}

// Outcome writes down what became of an action, of this run or an earlier one.
func (j Journal) Outcome(ctx context.Context, o plan.Outcome, made *apply.Written) error {
	run := o.Run
	if run == "" {
		run = j.Run.ID()
	}
	o = j.Redaction.Outcomes([]plan.Outcome{o})[0]
	e := ledger.Entry{Type: ledger.EntryOutcome, At: o.At, Run: run, Action: o.Action, Kind: o.Kind, Subject: o.Subject, Outcome: &o}
	if made != nil {
		data, err := json.Marshal(detail{Made: made})
		if err != nil {
			return err
		}
		e.Detail = data
	}
	return j.Run.Journal().Append(ctx, e)
}

// Known writes down who asked for the run and which objects were listed before
// the first write.
func (j Journal) Known(ctx context.Context, ids map[entra.ObjectKind][]string, by *plan.Requested) error {
	data, err := json.Marshal(detail{Known: ids, Requested: by})
	if err != nil {
		return err
	}
	return j.Run.Journal().Append(ctx, ledger.Entry{Type: ledger.EntryNote, At: j.Now().UTC(), Run: j.Run.ID(), Detail: data})
}

// RequestedBy says who asked for a run, if an entry of its journal does.
func RequestedBy(e ledger.Entry) *plan.Requested {
	var d detail
	if e.Type != ledger.EntryNote || json.Unmarshal(e.Detail, &d) != nil {
		return nil
	}
	return d.Requested
}
