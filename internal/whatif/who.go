package whatif

import (
	"slices"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
)

// UsersByID gives each user of the population as judging asks for one, with the groups
// that were read; nil for somebody who is not in the directory.
func (p *Population) UsersByID() func(entra.ID) *access.User {
	groups := map[entra.ID][]entra.ID{}
	for g, members := range p.members {
		for _, id := range members {
			groups[id] = append(groups[id], g)
		}
	}
	byID := make(map[entra.ID]int, len(p.Users))
	for i, u := range p.Users {
		byID[u.ID] = i
	}
	return func(id entra.ID) *access.User {
		i, ok := byID[id]
		if !ok {
			return nil
		}
		u := p.Users[i]
		in := groups[id]
		slices.Sort(in)
		return &access.User{ID: u.ID, Groups: in, GroupsUnknown: len(p.unread) > 0, Roles: u.Roles, Guest: u.Guest, GuestUnknown: u.GuestUnknown}
	}
}
