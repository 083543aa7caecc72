package whatif

import (
	"net/netip"

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

// AtRisk is the sign-in by which the risk of a user is judged: one that carries it,
// to an application that no policy names, in a browser, from an address or a
// country, or without either from nowhere that a policy names.
func AtRisk(u *access.User, level entra.RiskLevel, ip netip.Addr, country string) access.SignIn {
	in := access.SignIn{User: u, AsGiven: true, Target: access.Target{App: &access.App{}}, Client: "browser", IP: ip, Country: country}
	if rank, ok := level.Rank(); ok && rank > 0 {
		in.UserRisk, in.SignInRisk = string(level), string(level)
	}
	if !ip.IsValid() && country == "" {
		in.Country = access.Anywhere
	}
	return in
}
