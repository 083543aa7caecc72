package sweep

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/exception"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/sweep/gather"
)

// tellExceptions says what of the exceptions a person must know.
func (j *job) tellExceptions(snap gather.Snapshot, d drift.Result) {
	if snap.Exceptions == nil {
		return
	}
	for _, p := range snap.Exceptions.Problems {
		j.notes.Warn(p.Text)
		j.notes.Fail(errors.New(p.Text))
	}
	for _, x := range d.Exceptions {
		if x.Ending(snap.ServiceNow()) {
			j.notes.Warn(EndingText(x.Exclusion))
		}
	}
}

// tellOverdue says which exceptions the run has found over and still in force,
// before all other warnings and as the run has left them.
func (r *publisher) tellOverdue() {
	var overdue []string
	for _, x := range r.res.Exceptions {
		if text := OverdueText(x); text != "" {
			r.log.Warn(text)
			overdue = append(overdue, text)
		}
	}
	r.notes.Warnings = slices.Concat(overdue, r.notes.Warnings)
}

// OverdueText says that the end of an exception has passed and nothing has taken
// its user back, or nothing before this run; it is empty for all others.
func OverdueText(x plan.Exempt) string {
	switch {
	case x.Overdue:
		return StillOutText(x.Exclusion)
	case x.EndedLate:
		return fmt.Sprintf("overdue: %s was still out of %s when this run began, though the exception %s ended at %s; this run has taken the user back", x.Who(), x.Key, x.Exception, exception.Time(x.Until))
	}
	return ""
}

// StillOutText says that nothing has taken the user of an exception back.
func StillOutText(x plan.Exclusion) string {
	return fmt.Sprintf("overdue: %s is still out of %s, though the exception %s ended at %s", x.Who(), x.Key, x.Exception, exception.Time(x.Until))
}

// EndingText says that an exception ends soon.
func EndingText(x plan.Exclusion) string {
	return fmt.Sprintf("the exception %s of %s to %s ends at %s", x.Exception, x.Who(), x.Key, exception.Time(x.Until))
}

// tellOnce marks the exclusions that end soon as told, and gives those that were
// not before. Only a run that writes its state tells: another would tell again.
func tellOnce(list []plan.Exclusion, now time.Time) (ending, marked []plan.Exclusion) {
	marked = slices.Clone(list)
	for i := range marked {
		if x := &marked[i]; now.Before(x.Until) && x.Until.Sub(now) <= plan.Soon && !x.Told {
			x.Told = true
			ending = append(ending, *x)
		}
	}
	return ending, marked
}

// exceptionsAfter are the rows of exceptions after a run: what it has carried out
// stands as it is now.
func exceptionsAfter(rows []plan.Exempt, p plan.Plan, outcomes []plan.Outcome) []plan.Exempt {
	became := map[string]plan.OutcomeStatus{}
	for _, o := range outcomes {
		became[o.Action] = o.Status
	}
	rows = slices.Clone(rows)
	for _, a := range p.Actions {
		if a.Change == nil || !became[a.ID].Effective() {
			continue
		}
		for _, x := range a.Change.Exclusions {
			for i := range rows {
				if !rows[i].Same(x) {
					continue
				}
				switch {
				case rows[i].Status == plan.ToBegin && a.Kind == plan.BeginException:
					rows[i].Status = plan.InForce
				case rows[i].Status == plan.ToEnd && a.Kind == plan.EndException:
					rows[i].Status, rows[i].Overdue, rows[i].EndedLate = plan.Ended, false, rows[i].Overdue
				}
			}
		}
	}
	return rows
}
