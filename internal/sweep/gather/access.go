package gather

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/triage"
	"github.com/risksweep/risksweep/internal/whatif"
)

// The scopes of a coverage.
const (
	CoverageAuto  = "auto"  // risky, and full where everything in the lookback is read
	CoverageFull  = "full"  // everybody
	CoverageRisky = "risky" // users whose risk is open
	CoverageOff   = "off"
)

// AccessReader is the part of a tenant that judging people by the policies
// needs.
type AccessReader interface {
	whatif.PopulationReader
	whatif.Namer
}

// Access is what judging people by the live policies takes.
type Access struct {
	Scope      string // full or risky
	Objects    whatif.Objects
	Keys       map[entra.ID]string // of the baseline, by the ids of policies
	Set        *access.Set
	Names      access.Names
	Population *whatif.Population

	reacher *access.Reacher
}

// scope is how many are judged in this run.
func (r *reading) scope() string {
	switch c := r.Source.Coverage; {
	case c == "" || c == CoverageOff || r.AccessReader == nil:
		return CoverageOff
	case c != CoverageAuto:
		return c
	case r.Baseline == nil: // no policy is read
		return CoverageOff
	case r.Full:
		return CoverageFull
	}
	return CoverageRisky
}

// readAccess reads what judging people takes. What cannot be read is said, and
// the run goes on without it.
func (r *reading) readAccess(ctx context.Context) error {
	scope := r.scope()
	if scope == CoverageOff {
		return nil
	}
	return r.Notes.Timed("coverage", func() error {
		a, err := r.access(ctx, scope)
		if err == nil {
			r.Access = a
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.Notes.Skip("coverage", err.Error())
		return nil
	})
}

func (r *reading) access(ctx context.Context, scope string) (*Access, error) {
	if err := r.readLive(ctx); err != nil {
		return nil, err // whoever needs the policies more than coverage reads them again
	}
	r.liveRead = true
	for _, u := range r.Live.Unread {
		if u.Kind == entra.KindLocation || u.Kind == entra.KindStrength {
			return nil, fmt.Errorf("judging sign-ins needs every %s: %s", u.Kind.Noun(), u.Reason)
		}
	}
	a := &Access{Scope: scope, Objects: r.Objects(), Keys: r.PolicyKeys()}
	a.Set = whatif.Live(a.Objects, a.Keys)
	a.Population = whatif.NewPopulation(r.BreakGlassIDs())
	for id, members := range r.directory.members {
		a.Population.Known(id, members)
	}
	if scope == CoverageFull {
		err := a.Population.ReadUsers(ctx, r.AccessReader, a.Set)
		switch {
		case ctx.Err() != nil:
			return nil, err
		case err != nil:
			r.Notes.Skip("coverage of everybody", err.Error())
			a.Scope = CoverageRisky
		}
	}
	if err := a.Population.ReadNamed(ctx, r.AccessReader, a.Set); err != nil {
		return nil, err
	}
	for id, err := range a.Population.Unread() {
		r.Notes.Warn(fmt.Sprintf("coverage: whom the policies reach by group %s is not known: %v", id, err))
	}
	ids := a.Set.Groups()
	if a.Scope == CoverageFull {
		ids = append(ids, a.Set.Apps()...)
	}
	names, err := whatif.ReadNames(ctx, r.AccessReader, a.Objects, nil, ids...)
	if err != nil && !entra.Unavailable(err) {
		return nil, err
	}
	a.Names = func(kind entra.ObjectKind, id entra.ID) string {
		if names == nil || kind == entra.KindRole {
			return r.directory.nameOf(kind, id)
		}
		return cmp.Or(names(kind, id), r.directory.nameOf(kind, id))
	}
	a.reacher = a.Set.NewReacher(a.Names)
	return a, nil
}

// nameOf is the name under which an object was resolved.
func (d directory) nameOf(kind entra.ObjectKind, id entra.ID) string {
	for _, n := range d.names {
		for _, o := range n.Objects {
			if o.ID == id && n.Ref.Kind == kind {
				return cmp.Or(o.DisplayName, n.Ref.Name)
			}
		}
	}
	return ""
}

// Reach says which policies would meet a user's open risk. The sign-in that is
// judged is one to an application that no policy names, in a browser, from the
// address of the newest open detection, or from nowhere that a policy names.
func (a *Access) Reach(u *entra.RiskyUser, open []triage.Detection) *access.Reach {
	if a == nil || !u.RiskState.Open() {
		return nil
	}
	a.Population.AtRisk[u.ID] = true
	var ip netip.Addr
	var country string
	at := slices.IndexFunc(open, func(d triage.Detection) bool { return d.IP != "" || d.Country != "" })
	if at >= 0 {
		ip, _ = netip.ParseAddr(open[at].IP)
		country = open[at].Country
	}
	return a.reacher.Of(whatif.AtRisk(a.Population.Person(u.ID, u.UserPrincipalName), u.RiskLevel, ip, country))
}
