package drift

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/exception"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

// stands enters how an exclusion stands.
func (p *planner) stands(e *entry, x plan.Exclusion, status plan.ExemptStatus, why string) {
	entry := p.s.Exceptions.Entries[x.Exception]
	p.exempt = append(p.exempt, plan.Exempt{Exclusion: x, Policy: e.DisplayName, Status: status, Why: why,
		Overdue: status == plan.ToEnd && p.s.Exceptions.Due(x), Reason: entry.Reason, Owner: entry.Owner, Ticket: entry.Ticket})
}

// except says which users exceptions keep out of a policy, and what is to change
// of that. Users whom the baseline itself excludes are never an exception's.
// What somebody else has added is left for the comparison to find.
func (p *planner) except(e *entry, baselines []string) {
	x := p.s.Exceptions
	if x == nil || e.Kind != entra.KindPolicy || e.unlisted {
		return
	}
	here := e.before.ExcludedUsers()
	wanted := map[entra.ID]bool{}
	for _, w := range x.Wanted {
		if w.Key != e.Key || e.item == nil {
			continue
		}
		w.PolicyID = entra.NewID(e.ID)
		id := string(w.UserID)
		out := slices.Contains(here, id)
		switch {
		case slices.Contains(baselines, id):
			p.stands(e, w.Exclusion, plan.Redundant, "the baseline excludes the user anyway")
			continue
		case e.item.NoExceptions:
			p.stands(e, w.Exclusion, plan.NotPut, "the policy takes no exceptions")
			continue
		case w.Unsure != "" && !out:
			p.stands(e, w.Exclusion, plan.NotPut, w.Unsure)
			continue
		case out:
			p.stands(e, w.Exclusion, plan.InForce, w.Unsure)
			p.excluded = append(p.excluded, w.Exclusion)
		case e.live != nil && !policy.ForPeople(e.before):
			p.stands(e, w.Exclusion, plan.NotPut, "the policy is not for people")
			continue
		default:
			e.begins = append(e.begins, w.Exclusion)
		}
		wanted[w.UserID] = true
		e.excepted = append(e.excepted, id)
	}
	for _, was := range x.Recorded {
		id := string(was.UserID)
		if e.ID == "" || was.PolicyID != entra.NewID(e.ID) || wanted[was.UserID] || slices.Contains(baselines, id) {
			continue
		}
		was.Key = e.Key // which may have another name now
		e.excepted = append(e.excepted, id)
		if slices.Contains(here, id) {
			e.ends = append(e.ends, was)
			p.excluded = append(p.excluded, was)
			p.stands(e, was, plan.ToEnd, whyEnds(x, was))
		}
	}
	slices.Sort(e.excepted)
}

// whyEnds says why an exclusion is not wanted any more.
func whyEnds(x *exception.Bound, was plan.Exclusion) string {
	switch _, there := x.Entries[was.Exception]; {
	case x.Due(was):
		return "it ended at " + exception.Time(was.Until)
	case !there:
		return "its entry was deleted"
	}
	return "its entry no longer asks for it, or may not"
}

// exceptionsWithoutPolicy tells of exceptions for which there is no policy: their keys were
// checked with the file, so the policy is none of the baseline's any more.
func (p *planner) exceptionsWithoutPolicy() {
	if p.s.Exceptions == nil {
		return
	}
	for _, problem := range p.s.Exceptions.Problems {
		for _, key := range problem.Entry.Policies {
			x := plan.Exclusion{Key: key, Name: problem.User, Exception: problem.Exception, Until: problem.Entry.Until}
			p.stands(&entry{}, x, plan.NotPut, problem.Text)
		}
	}
	for _, w := range p.s.Exceptions.Wanted {
		if p.find(plan.Ref(entra.KindPolicy, w.Key)) == nil {
			p.stands(&entry{}, w.Exclusion, plan.NotPut, "the baseline has no policy with this key")
		}
	}
}

// exceptions are the actions by which exceptions of a policy end and begin: one
// for each entry. They stand for themselves, so that what keeps another change
// of the policy back does not keep a user out of it, or in it.
func (p *planner) exceptions(e *entry) []plan.Action {
	var out []plan.Action
	if e.Status == Prune && e.ready() {
		return nil
	}
	before := e.before
	if e.ready() && e.want != nil {
		before = e.want
	}
	add := func(kind plan.Kind, list []plan.Exclusion, due bool) {
		for _, group := range byException(list) {
			a := plan.Action{Kind: kind, Status: plan.Ready, Rule: group[0].Exception,
				Subject: plan.Subject{ID: entra.NewID(e.ID), Key: e.Key, Name: e.DisplayName},
				Change:  &plan.Change{Kind: e.Kind, Key: e.Key, Exclusions: group, Due: due}}
			for _, x := range group {
				a.Reasons = append(a.Reasons, p.exceptionText(kind, x))
			}
			if e.live != nil {
				a.Change.Before, a.Change.BeforeHash = e.live.Clone(), e.before.Hash()
				after := a.Excepted(before)
				a.Change.After = after.Document()
				a.Change.Differences = policy.Differences(before, after, p.names)
				before = after
			} else {
				a.Change.Needs = []string{e.ref()}
			}
			out = append(out, a)
		}
	}
	var due, early []plan.Exclusion
	for _, x := range e.ends {
		if p.s.Exceptions.Due(x) {
			due = append(due, x)
		} else {
			early = append(early, x)
		}
	}
	add(plan.EndException, due, true)
	add(plan.EndException, early, false)
	for _, x := range e.begins {
		if e.live == nil && (e.Status != Create || !e.ready()) {
			p.stands(e, x, plan.NotPut, "the policy does not exist yet")
		} else {
			p.stands(e, x, plan.ToBegin, "")
		}
	}
	if e.live != nil || e.Status == Create && e.ready() {
		add(plan.BeginException, e.begins, false)
	}
	return out
}

func (p *planner) exceptionText(kind plan.Kind, x plan.Exclusion) string {
	name := cmp.Or(x.Name, string(x.UserID))
	if kind == plan.BeginException {
		text := fmt.Sprintf("%s is to be out of it until %s by the exception %s", name, exception.Time(x.Until), x.Exception)
		if why := p.s.Exceptions.Entries[x.Exception].Reason; why != "" {
			text += ": " + why
		}
		return text
	}
	return fmt.Sprintf("the exception %s of %s ends: %s", x.Exception, name, whyEnds(p.s.Exceptions, x))
}

// byException groups exclusions by their entries, in the order of their ids.
func byException(list []plan.Exclusion) [][]plan.Exclusion {
	list = slices.SortedStableFunc(slices.Values(list), func(a, b plan.Exclusion) int {
		return cmp.Or(cmp.Compare(a.Exception, b.Exception), cmp.Compare(a.UserID, b.UserID))
	})
	var out [][]plan.Exclusion
	for i, x := range list {
		if i == 0 || list[i-1].Exception != x.Exception {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], x)
	}
	return out
}

// unexplained names the members of groups that a policy excludes whom no exception
// explains. Break-glass groups explain themselves.
func (p *planner) unexplained(e *entry) {
	if p.s.Exceptions == nil || e.Kind != entra.KindPolicy || e.before == nil {
		return
	}
	for _, id := range policy.Strings(e.before, policy.PathUsers+".excludeGroups") {
		if slices.Contains(p.glass.groups, id) {
			continue
		}
		row := plan.Unexplained{Key: e.Key, Policy: e.DisplayName, GroupID: entra.NewID(id), Group: cmp.Or(p.names[id], id), Members: []plan.Subject{}}
		members, read := p.live.Members[entra.NewID(id)]
		if !read {
			row.Unread = true
			p.groups = append(p.groups, row)
			continue
		}
		for _, m := range members {
			if m.Kind != "" && m.Kind != entra.KindUser || slices.Contains(e.excepted, string(m.ID)) || p.glass.why[m.ID] != "" {
				continue
			}
			if row.Total++; len(row.Members) < plan.MostUnexplained {
				row.Members = append(row.Members, plan.Subject{ID: m.ID, Name: cmp.Or(m.UserPrincipalName, m.DisplayName)})
			}
		}
		if row.Total > 0 {
			p.groups = append(p.groups, row)
		}
	}
}
