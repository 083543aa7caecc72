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
	Guests(context.Context) iter.Seq2[[]entra.Memberships, error]
	Members(ctx context.Context, groupID string) ([]entra.DirectoryObject, error)
	ActiveRoles(context.Context) (entra.ActiveRoles, error)
}

// Population is who is in a tenant, with the groups and roles that policies
// name. It is read in parts, each of them once.
type Population struct {
	Users      []entra.Memberships // all of them, once ReadUsers has been
	BreakGlass map[entra.ID]bool
	AtRisk     map[entra.ID]bool // users whose risk is open, if it was read

	whole   bool
	guests  map[entra.ID]entra.Memberships // if they were read without the others
	roles   *entra.ActiveRoles
	members map[entra.ID][]entra.ID // group -> users, of the groups that were read
	unread  map[entra.ID]error      // groups that could not be read
	// Once somebody asks, of users.
	groups  map[entra.ID][]entra.ID
	holding map[entra.ID][]entra.ID // roles by groups
}

// NewPopulation is one of which nothing was read.
func NewPopulation(breakGlass map[entra.ID]bool) *Population {
	return &Population{BreakGlass: breakGlass, AtRisk: map[entra.ID]bool{}, members: map[entra.ID][]entra.ID{}, unread: map[entra.ID]error{}}
}

// ReadPopulation reads all users, the members of the groups that the sets
// name and of those given besides, and who holds a role. Requests: one for
// each 999 users, one for each 999 members of those groups, and one for each
// page of role assignments.
func ReadPopulation(ctx context.Context, r PopulationReader, breakGlass map[entra.ID]bool, more []entra.ID, sets ...*access.Set) (*Population, error) {
	p := NewPopulation(breakGlass)
	if err := p.ReadUsers(ctx, r, sets...); err != nil {
		return nil, err
	}
	return p, p.readGroups(ctx, r, more)
}

// ReadUsers reads all users, and all else that folding them by the sets needs.
func (p *Population) ReadUsers(ctx context.Context, r PopulationReader, sets ...*access.Set) error {
	if !p.whole {
		var list []entra.Memberships
		place := map[entra.ID]int{}
		for page, err := range r.Users(ctx) {
			if err != nil {
				return err
			}
			for _, u := range page {
				if at, again := place[u.ID]; again { // others came or went meanwhile
					list[at] = u
					continue
				}
				place[u.ID] = len(list)
				list = append(list, u)
			}
		}
		p.Users, p.whole, p.guests = list, true, map[entra.ID]entra.Memberships{}
		for _, u := range list {
			if u.Guest != "" || u.GuestUnknown {
				p.guests[u.ID] = u
			}
		}
	}
	if err := p.readRoles(ctx, r); err != nil {
		return err
	}
	for _, s := range sets {
		if err := p.readGroups(ctx, r, s.Groups()); err != nil {
			return err
		}
	}
	return nil
}

// ReadNamed reads what Person needs and no more: the members of the groups that
// the set names, who holds a role if it names any, and the guests if it asks for
// them.
//
// Requests: one for each 999 members of each of these groups, one for each page
// of role assignments, and one for each 999 guests.
func (p *Population) ReadNamed(ctx context.Context, r PopulationReader, set *access.Set) error {
	if err := p.readGroups(ctx, r, set.Groups()); err != nil {
		return err
	}
	if len(set.Roles()) > 0 {
		if err := p.readRoles(ctx, r); err != nil {
			return err
		}
	}
	if !set.AsksForGuests() || p.whole || p.guests != nil {
		return nil
	}
	guests := map[entra.ID]entra.Memberships{}
	for page, err := range r.Guests(ctx) {
		if err != nil {
			return err
		}
		for _, u := range page {
			guests[u.ID] = u
		}
	}
	p.guests = guests
	return nil
}

func (p *Population) readRoles(ctx context.Context, r PopulationReader) error {
	if p.roles == nil {
		roles, err := r.ActiveRoles(ctx)
		if err != nil {
			return err
		}
		p.roles = &roles
	}
	return p.readGroups(ctx, r, p.roles.Groups)
}

func (p *Population) readGroups(ctx context.Context, r PopulationReader, groups []entra.ID) error {
	for _, g := range groups {
		if _, read := p.members[g]; read || p.unread[g] != nil {
			continue
		}
		list, err := r.Members(ctx, string(g))
		switch {
		case errors.Is(err, entra.ErrNotFound): // gone, or no group: nobody is in it
		case errors.Is(err, entra.ErrForbidden):
			p.unread[g] = err
			continue
		case err != nil:
			return fmt.Errorf("reading the members of group %s: %w", g, err)
		}
		ids := make([]entra.ID, len(list))
		for i, m := range list {
			ids[i] = m.ID
		}
		p.members[g], p.groups, p.holding = ids, nil, nil
	}
	return nil
}

// Known takes the members of a group that were read elsewhere.
func (p *Population) Known(group entra.ID, members []entra.DirectoryObject) {
	ids := make([]entra.ID, len(members))
	for i, m := range members {
		ids[i] = m.ID
	}
	p.members[group], p.groups, p.holding = ids, nil, nil
}

// Unread are the groups whose members could not be read, with the reason.
func (p *Population) Unread() map[entra.ID]error { return p.unread }

// groupsOf are the groups that a user is in, of those that were read.
func (p *Population) groupsOf(user entra.ID) []entra.ID {
	if p.groups == nil {
		p.groups = map[entra.ID][]entra.ID{}
		for g, members := range p.members {
			for _, m := range members {
				p.groups[m] = append(p.groups[m], g)
			}
		}
	}
	return p.groups[user]
}

// rolesOf are the roles that a user holds, alone or by a group.
func (p *Population) rolesOf(user entra.ID) []entra.ID {
	if p.roles == nil {
		return nil
	}
	if p.holding == nil {
		p.holding = map[entra.ID][]entra.ID{}
		for _, g := range p.roles.Groups {
			for _, m := range p.members[g] {
				p.holding[m] = append(p.holding[m], p.roles.Holders[g]...)
			}
		}
	}
	out := slices.Concat(p.roles.Holders[user], p.holding[user])
	slices.Sort(out)
	return slices.Compact(out)
}

// Person is one user as policies see one, after ReadNamed or ReadUsers.
func (p *Population) Person(id entra.ID, userPrincipalName string) *access.User {
	u := &access.User{ID: id, Groups: p.groupsOf(id), Roles: p.rolesOf(id), GroupsUnknown: len(p.unread) > 0}
	if p.roles != nil {
		for _, g := range p.roles.Groups {
			u.RolesUnknown = u.RolesUnknown || p.unread[g] != nil
		}
	}
	if g, ok := p.guests[id]; ok {
		u.Guest, u.GuestUnknown = g.Guest, g.GuestUnknown
		return u
	}
	kind, _ := entra.GuestKind("Member", "", userPrincipalName) // the guests are known
	u.Guest = kind
	return u
}

// People folds those whom keep takes into the classes of a set.
func (p *Population) People(set *access.Set, keep func(entra.Memberships) bool) *access.People {
	var list []access.Person
	for _, u := range p.Users {
		u.Roles = p.rolesOf(u.ID)
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
