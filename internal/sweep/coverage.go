package sweep

import (
	"maps"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep/gather"
)

// unread are the parts of the tenant that were not read to their end.
func (r *publisher) unread() []string {
	return slices.DeleteFunc(slices.Clone(report.Parts), func(p string) bool { return slices.Contains(r.snapshot.PartsRead, p) })
}

// counts leaves the counts that speak of the tenant as a whole only where it was
// read as a whole, there also those that are 0: whoever reads them would take the
// users read so far for all. The rows that the files hold stay counted.
func (r *publisher) counts() {
	if !slices.Contains(r.snapshot.PartsRead, report.PartUsers) {
		maps.DeleteFunc(r.res.Counts, func(name string, _ int) bool {
			return name == "usersAtRisk" || name == "needsPerson" || strings.HasPrefix(name, "usersOpen")
		})
		return
	}
	r.res.Counts["usersAtRisk"] += 0
	r.res.Counts["usersOpen"] += 0
	if r.snapshot.Rules != nil {
		r.res.Counts["needsPerson"] += 0
	}
}

// requested says who asked for the run; the zero Start is one that was not
// signed in.
func (s *Sweeper) requested(q Request, start gather.Start, found []plan.Action) *plan.Requested {
	if q.Through == "" && q.By == "" {
		return nil
	}
	reason := q.Reason
	var names []string
	if q.Order != nil {
		reason, names = q.Order.Reason, q.Order.Users
	}
	for _, a := range found {
		names = append(names[:len(names):len(names)], a.Subject.Name)
	}
	out := s.Output.Redaction.Requested(plan.Requested{Through: q.Through, By: q.By, Reason: reason, SignedInAs: start.Identity}, names...)
	return &out
}

// shown is an order with the reason as reports may show it, once it is known whom
// it is about.
func (s *Sweeper) shown(o *Order, people []entra.RiskyUser) *Order {
	if o == nil {
		return nil
	}
	out := *o
	out.Reason = s.Output.Redaction.Reason(o.Reason, people)
	return &out
}

// order is what a person asked for, for the report; nil for a sweep. Users that
// were not found, or not looked for, stand as the order calls them.
func (s *Sweeper) order(q Request, found []plan.Action) *report.Order {
	switch {
	case q.Destroy:
		return s.Output.Redaction.Order(&report.Order{By: q.By, Reason: q.Reason, Users: []report.UserRef{}})
	case q.Rollback != nil:
		return s.Output.Redaction.Order(&report.Order{Rollback: q.Rollback.Run, By: q.By, Reason: q.Reason, Users: []report.UserRef{}})
	case q.Restore != nil:
		return s.Output.Redaction.Order(&report.Order{Restore: q.Restore.named(), By: q.By, Reason: q.Reason, Users: []report.UserRef{}})
	case q.Order == nil:
		return nil
	}
	o := report.Order{Action: q.Order.Kind, By: q.By, Reason: q.Order.Reason, Users: []report.UserRef{}}
	for _, a := range found {
		o.Users = append(o.Users, report.UserRef{ID: string(a.Subject.ID), Name: a.Subject.Name})
	}
	if len(found) == 0 {
		for _, name := range q.Order.Users {
			u := report.UserRef{Name: name}
			if entra.IsID(name) {
				u = report.UserRef{ID: string(entra.NewID(name))}
			}
			if !slices.Contains(o.Users, u) {
				o.Users = append(o.Users, u)
			}
		}
	}
	return s.Output.Redaction.Order(&o)
}
