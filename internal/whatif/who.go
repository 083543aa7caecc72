package whatif

import (
	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
)

// UsersByID gives each user of the population as judging asks for one, with the groups
// that were read; nil for somebody who is not in the directory.
func (p *Population) UsersByID() func(entra.ID) *access.User {
	names := make(map[entra.ID]string, len(p.Users))
	for _, u := range p.Users {
		names[u.ID] = u.UserPrincipalName
	}
	return func(id entra.ID) *access.User {
		name, ok := names[id]
		if !ok {
			return nil
		}
		return p.Person(id, name)
	}
}
