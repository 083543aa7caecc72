package sweep

import (
	"maps"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
)

// unread are the parts of the tenant that were not read to their end.
func (r *run) unread() []string {
	return slices.DeleteFunc(slices.Clone(report.Parts), func(p string) bool { return slices.Contains(r.partsRead, p) })
}

// usersRead notes that all risky users were read. The counts of the tenant as
// a whole stand from now on, also where they are 0.
func (r *run) usersRead() {
	r.partsRead = append(r.partsRead, report.PartUsers)
	names := []string{"usersAtRisk", "usersOpen"}
	if r.rules != nil {
		names = append(names, "needsPerson")
	}
	for _, name := range names {
		r.res.Counts[name] += 0
	}
}

// dropHalfCounts takes out the counts that speak of the tenant as a whole where
// it was not read as a whole: whoever reads them would take the users read so
// far for all. The rows that the files hold stay counted.
func (r *run) dropHalfCounts() {
	if slices.Contains(r.partsRead, report.PartUsers) {
		return
	}
	maps.DeleteFunc(r.res.Counts, func(name string, _ int) bool {
		return name == "usersAtRisk" || name == "needsPerson" || strings.HasPrefix(name, "usersOpen")
	})
}

// order is what a person asked for, for the report; nil for a sweep. Users that
// were not found, or not looked for, stand as the order calls them.
func (s *Sweeper) order(q Request, found []plan.Action) *report.Order {
	switch {
	case q.Destroy:
		return s.Output.Redaction.Order(&report.Order{By: q.By, Reason: q.Reason, Users: []report.UserRef{}})
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
			if looksLikeGUID(name) {
				u = report.UserRef{ID: string(entra.NewID(name))}
			}
			if !slices.Contains(o.Users, u) {
				o.Users = append(o.Users, u)
			}
		}
	}
	return s.Output.Redaction.Order(&o)
}
