package whatif

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/expectation"
)

// PopulationReader is the part of a tenant that knows all users.
type PopulationReader interface {
	Users(context.Context) iter.Seq2[[]entra.Memberships, error]
	Members(ctx context.Context, groupID string) ([]entra.DirectoryObject, error)
	ActiveRoles(context.Context) (map[entra.ID][]entra.ID, error)
}

// Population is everybody in a tenant, with the groups and roles that policies
// name.
type Population struct {
	Users      []entra.Memberships
	BreakGlass map[entra.ID]bool
	AtRisk     map[entra.ID]bool       // users whose risk is open, if it was read
	members    map[entra.ID][]entra.ID // group -> users, of the groups that were read
	unread     map[entra.ID]error      // groups that could not be read
}

// ReadPopulation reads all users, the members of the groups that the sets
// name and of those given besides, and who holds a role. Requests: one for
// each 999 users, one for each 999 members of those groups, and one for each
// page of role assignments.
func ReadPopulation(ctx context.Context, r PopulationReader, breakGlass map[entra.ID]bool, more []entra.ID, sets ...*access.Set) (*Population, error) {
	p := &Population{BreakGlass: breakGlass, members: map[entra.ID][]entra.ID{}, unread: map[entra.ID]error{}}
	for page, err := range r.Users(ctx) {
		if err != nil {
			return nil, err
		}
		p.Users = append(p.Users, page...)
	}
	holders, err := r.ActiveRoles(ctx)
	if err != nil {
		return nil, err
	}
	wanted := slices.Clone(more)
	for _, s := range sets {
		wanted = append(wanted, s.Groups()...)
	}
	byID := map[entra.ID]int{}
	for i, u := range p.Users {
		byID[u.ID] = i
		p.Users[i].Roles = holders[u.ID]
	}
	for holder := range holders {
		if _, isUser := byID[holder]; !isUser {
			wanted = append(wanted, holder) // a group, or a service principal, which has no members
		}
	}
	slices.Sort(wanted)
	for _, g := range slices.Compact(wanted) {
		list, err := r.Members(ctx, string(g))
		switch {
		case errors.Is(err, entra.ErrNotFound): // gone, or no group: nobody is in it
			continue
		case errors.Is(err, entra.ErrForbidden):
			p.unread[g] = err
			continue
		case err != nil:
			return nil, err
		}
		for _, m := range list {
			p.members[g] = append(p.members[g], m.ID)
			if i, ok := byID[m.ID]; ok {
				for _, role := range holders[g] {
					if !slices.Contains(p.Users[i].Roles, role) {
						p.Users[i].Roles = append(p.Users[i].Roles, role)
					}
				}
			}
		}
	}
	return p, nil
}

// People folds those whom keep takes into the classes of a set.
func (p *Population) People(set *access.Set, keep func(entra.Memberships) bool) *access.People {
	var list []access.Person
	for _, u := range p.Users {
		if !keep(u) {
			continue
		}
		kind := access.Yes
		if u.GuestUnknown {
			kind = access.Unknown
		}
		list = append(list, access.Person{ID: u.ID, Name: u.UserPrincipalName, Guest: u.Guest, GuestKind: kind,
			BreakGlass: p.BreakGlass[u.ID], Privileged: len(u.Roles) > 0, AtRisk: p.AtRisk[u.ID], Roles: u.Roles})
	}
	people := set.NewPeople(list)
	for g, members := range p.members {
		people.Members(g, members)
	}
	for g := range p.unread {
		people.MembersUnknown(g)
	}
	return people
}

// Everybody is for People.
func Everybody(entra.Memberships) bool { return true }

// Expected answers for whom expectations are, from what was read.
type Expected struct {
	Context    context.Context
	Facts      *Facts
	Population *Population // nil if no expectation is about more than one
	Set        *access.Set
	Names      entra.Names
}

// NeedsPopulation reports whether an expectation is about more than one
// person, and the groups it names.
func NeedsPopulation(list []expectation.Expectation, names entra.Names) (bool, []entra.ID) {
	needs := false
	var groups []entra.ID
	for _, e := range list {
		switch e.Subject.Kind {
		case expectation.GroupMembers:
			if o, ok := names[entra.Ref{Kind: entra.KindGroup, Name: e.Subject.Name}].Resolved(); ok {
				groups = append(groups, o.ID)
			}
			needs = true
		case expectation.RoleHolders, expectation.Guests, expectation.Everyone:
			needs = true
		}
	}
	return needs, groups
}

// App is the application of that name or id.
func (e Expected) App(name string) (*access.App, error) { return e.Facts.App(e.Context, name) }

// Subjects are one person for each class. Break-glass accounts are meant only
// by an expectation that names one as its user.
func (e Expected) Subjects(s expectation.Subject) ([]expectation.Someone, error) {
	switch s.Kind {
	case expectation.OneUser:
		u, err := e.Facts.User(e.Context, s.Name)
		return []expectation.Someone{{Name: s.Name, User: u}}, err
	case expectation.ServicePrincipal:
		sp, err := e.Facts.ServicePrincipal(e.Context, s.Name)
		return []expectation.Someone{{Name: s.Name, ServicePrincipal: sp}}, err
	}
	keep := Everybody
	if ref, ok := s.Ref(); ok {
		o, ok := e.Names[ref].Resolved()
		if !ok {
			return nil, fmt.Errorf("the name %q stands for %d objects of kind %s, not for one", s.Name, len(e.Names[ref].Objects), ref.Kind)
		}
		if err := e.Population.unread[o.ID]; err != nil {
			return nil, err
		}
		in := map[entra.ID]bool{}
		for _, id := range e.Population.members[o.ID] {
			in[id] = true
		}
		keep = func(u entra.Memberships) bool {
			return in[u.ID] || s.Kind == expectation.RoleHolders && slices.Contains(u.Roles, o.ID)
		}
	} else if s.Kind == expectation.Guests {
		keep = func(u entra.Memberships) bool { return u.Guest != "" || u.GuestUnknown }
	}
	var out []expectation.Someone
	for _, r := range e.Population.People(e.Set, func(u entra.Memberships) bool { return !e.Population.BreakGlass[u.ID] && keep(u) }).Representatives() {
		out = append(out, expectation.Someone{Name: r.Name, Others: r.Others, User: r.User})
	}
	return out, nil
}
