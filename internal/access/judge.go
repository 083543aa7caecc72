package access

import (
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
)

// dimension is one thing that a policy asks of a sign-in, in the order in
// which the first one not met is named.
type dimension int

const (
	dimIdentity dimension = iota
	dimTarget
	dimPlatform
	dimDevice
	dimClient
	dimLocation
	dimSignInRisk
	dimServicePrincipalRisk
	dimUserRisk
	dimInsiderRisk
	dimFlow
	dimensions
)

// Judgement is what the set means for one sign-in.
type Judgement struct {
	set   *Set
	in    SignIn
	spans [dimensions]span
	sum   span // all dimensions together, over policies in every state
	// counted are the policies that are in force: the enabled ones.
	counted flags
}

// Judge judges the sign-in by every policy of the set.
func (s *Set) Judge(in SignIn) Judgement {
	j := Judgement{set: s, in: in, counted: s.enabled}
	words := len(s.all)
	slab := make(flags, 2*words*(int(dimensions)+2))
	take := func() span {
		must, may := slab[:words:words], slab[words:2*words:2*words]
		slab = slab[2*words:]
		return span{must, may}
	}
	exclusion := take()
	for d := range j.spans {
		j.spans[d] = take()
	}
	s.identity(in, j.spans[dimIdentity], exclusion)
	clear(exclusion.must)
	clear(exclusion.may)
	s.target(in.Target, j.spans[dimTarget], exclusion)
	clear(exclusion.must)
	clear(exclusion.may)
	s.location(in, j.spans[dimLocation], exclusion)
	s.device(in, j.spans[dimDevice])
	for _, v := range in.words() {
		s.values[v.of].span(v.word, j.spans[v.of])
	}
	j.sum = take()
	j.sum.add(s.all, Yes)
	for _, sp := range j.spans {
		j.sum.and(sp)
	}
	// A policy with a condition that is not understood surely applies to
	// nothing, and may apply where its other conditions are met.
	j.sum.must.without(s.doubtful)
	j.sum.may.or(s.broken)
	return j
}

// dimensionWord is the word of a sign-in for a condition that lists words.
type dimensionWord struct {
	of   dimension
	word string
}

func (in *SignIn) words() [7]dimensionWord {
	return [...]dimensionWord{{dimPlatform, in.Platform}, {dimClient, in.Client}, {dimSignInRisk, in.SignInRisk}, {dimUserRisk, in.UserRisk},
		{dimServicePrincipalRisk, in.ServicePrincipalRisk}, {dimInsiderRisk, in.InsiderRisk}, {dimFlow, in.Flow}}
}

func (s *Set) identity(in SignIn, out, ex span) {
	switch {
	case in.User != nil:
		s.user(in.User, out, ex)
		out.except(ex)
		out.must.and(s.forUsers)
		out.may.and(s.forUsers)
	case in.ServicePrincipal != nil:
		w := in.ServicePrincipal
		s.workload.meet(out, ex, w.ID, Yes)
		out.add(s.ownTenant, w.OwnTenant)
		s.spFilters.meet(w.Attributes.value, out, ex)
		out.except(ex)
		out.must.and(s.forWorkload)
		out.may.and(s.forWorkload)
	}
}

func (s *Set) user(u *User, out, ex span) {
	out.add(s.users.everything, Yes)
	ex.add(s.users.exceptAll, Yes)
	guest := truth(u.Guest != "" || u.GuestUnknown)
	out.add(s.guestsAny, guest)
	ex.add(s.guestsAnyExcl, guest)
	s.users.meet(out, ex, u.ID, Yes)
	for _, id := range u.Groups {
		s.users.meet(out, ex, id, Yes)
	}
	for _, id := range u.Roles {
		s.users.meet(out, ex, id, Yes)
	}
	if u.GroupsUnknown {
		out.add(s.byGroup, Unknown)
		ex.add(s.exceptGroup, Unknown)
	}
	if u.RolesUnknown {
		out.add(s.byRole, Unknown)
		ex.add(s.exceptRole, Unknown)
	}
	for _, g := range s.guests {
		side := out
		if g.exclude {
			side = ex
		}
		side.one(g.policy, g.matches(u))
	}
}

// one records the truth of one policy.
func (s span) one(i int, t Truth) {
	if t == Yes {
		s.must.set(i)
	}
	if t != No {
		s.may.set(i)
	}
}

func (f *filters) meet(value func(string) ([]string, bool), in, ex span) {
	for _, r := range f.include {
		in.one(r.policy, r.rule.met(value))
	}
	for _, r := range f.exclude {
		ex.one(r.policy, r.rule.met(value))
	}
}

func (s *Set) target(t Target, out, ex span) {
	switch {
	case t.Action != "":
		out.add(s.actions.named[strings.ToLower(t.Action)], Yes)
		return
	case t.Context != "":
		out.add(s.contexts.named[strings.ToLower(t.Context)], Yes)
		return
	case t.App == nil:
		return
	}
	app := t.App
	out.add(s.apps.everything, Yes)
	if app.ID != "" {
		s.apps.meet(out, ex, app.ID, Yes)
		for word, in := range s.groups {
			s.apps.meet(out, ex, entra.NewID(word), in(app))
		}
		s.appFilters.meet(app.Attributes.value, out, ex)
	}
	out.except(ex)
	out.must.and(s.toApps)
	out.may.and(s.toApps)
}

func (s *Set) location(in SignIn, out, ex span) {
	out.add(s.locationNone, Yes)
	out.add(s.locations.everything, Yes)
	s.places.meet(in, func(id entra.ID, t Truth) { s.locations.meet(out, ex, id, t) })
	// A location that is not among those given may be anywhere.
	out.add(s.strayIn, Unknown)
	ex.add(s.strayEx, Unknown)
	out.except(ex)
}

func (s *Set) device(in SignIn, out span) {
	out.add(s.deviceNone, Yes)
	value := func(property string) ([]string, bool) {
		values, known := in.Device.value(property)
		return values, known || in.AsGiven && in.Device != nil
	}
	for _, r := range s.devFilters.include {
		out.one(r.policy, r.rule.met(value))
	}
	for _, r := range s.devFilters.exclude {
		out.one(r.policy, r.rule.met(value).Not())
	}
}

// value gives a property of the device as a filter names it.
func (d *Device) value(property string) ([]string, bool) {
	if d == nil {
		return nil, false
	}
	if d.Unregistered {
		return nil, true
	}
	name := strings.TrimPrefix(property, "device.")
	for k, v := range d.Properties {
		if strings.EqualFold(k, name) {
			return v, true
		}
	}
	return nil, false
}

// value gives an attribute as a filter names it.
func (a Attributes) value(property string) ([]string, bool) {
	if a == nil {
		return nil, false
	}
	name := strings.TrimPrefix(property, "customsecurityattribute.")
	for k, v := range a {
		if strings.EqualFold(k, name) {
			return v, true
		}
	}
	return nil, true
}
