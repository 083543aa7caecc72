package access

import (
	"net/netip"

	"github.com/risksweep/risksweep/internal/entra"
)

// Replay judges many sign-ins by one set of policies. What a fact means for all
// policies is worked out once, so that a sign-in costs little more than putting
// those answers together. It is not safe for concurrent use.
type Replay struct {
	set     *Set
	users   map[entra.ID]span
	apps    map[entra.ID]span
	words   [dimensions]map[string]span
	places  map[from]span
	devices map[string]span
	sum     span
}

type from struct {
	ip      netip.Addr
	country string
}

// maxRemembered bounds what is kept of addresses and devices, of which a tenant
// sees any number.
const maxRemembered = 20_000

// Replay begins to judge.
func (s *Set) Replay() *Replay {
	r := &Replay{set: s, users: map[entra.ID]span{}, apps: map[entra.ID]span{}, places: map[from]span{}, devices: map[string]span{}, sum: newSpan(s.Len())}
	for d := range r.words {
		r.words[d] = map[string]span{}
	}
	return r
}

func newSpan(n int) span { return span{newFlags(n), newFlags(n)} }

// Judge calls visit with each policy that applies to a sign-in of a user to an
// application, or of which that is not known; those of every state are judged.
// device names the device among all devices. The sign-in is not kept.
func (r *Replay) Judge(in *SignIn, device string, visit func(policy int, t Truth)) {
	sum := r.sum
	copy(sum.must, r.set.all)
	copy(sum.may, r.set.all)
	sum.and(r.user(in))
	sum.and(r.app(in))
	for _, v := range in.words() {
		sp, known := r.words[v.of][v.word]
		if !known {
			sp = newSpan(r.set.Len())
			r.set.values[v.of].span(v.word, sp)
			r.words[v.of][v.word] = sp
		}
		sum.and(sp)
	}
	sum.and(r.place(in))
	sum.and(r.device(in, device))
	sum.must.without(r.set.doubtful)
	sum.may.or(r.set.broken)
	sum.may.each(func(i int) {
		t := Unknown
		if sum.must.has(i) {
			t = Yes
		}
		visit(i, t)
	})
}

func (r *Replay) user(in *SignIn) span {
	sp, known := r.users[in.User.ID]
	if !known {
		sp = newSpan(r.set.Len())
		r.set.identity(SignIn{User: in.User}, sp, newSpan(r.set.Len()))
		r.users[in.User.ID] = sp
	}
	return sp
}

func (r *Replay) app(in *SignIn) span {
	sp, known := r.apps[in.Target.App.ID]
	if !known {
		sp = newSpan(r.set.Len())
		r.set.target(in.Target, sp, newSpan(r.set.Len()))
		r.apps[in.Target.App.ID] = sp
	}
	return sp
}

func (r *Replay) place(in *SignIn) span {
	key := from{in.IP, in.Country}
	sp, known := r.places[key]
	if !known {
		if len(r.places) >= maxRemembered {
			clear(r.places)
		}
		sp = newSpan(r.set.Len())
		r.set.location(*in, sp, newSpan(r.set.Len()))
		r.places[key] = sp
	}
	return sp
}

func (r *Replay) device(in *SignIn, key string) span {
	if !r.set.FiltersDevices() {
		key = ""
	}
	sp, known := r.devices[key]
	if !known {
		if len(r.devices) >= maxRemembered {
			clear(r.devices)
		}
		sp = newSpan(r.set.Len())
		r.set.device(*in, sp)
		r.devices[key] = sp
	}
	return sp
}

// Unknowns says which facts of a sign-in are not known and decide whether a policy
// applies, in plain words.
func (s *Set) Unknowns(in SignIn, i int) string {
	j := s.Judge(in)
	if s.broken.has(i) || s.doubtful.has(i) {
		return s.policies[i].trouble
	}
	for d, sp := range j.spans {
		if sp.truth(i) == Unknown {
			return dimensionWords[d]
		}
	}
	return ""
}

var dimensionWords = [dimensions]string{
	dimIdentity: "the user's groups or roles", dimTarget: "the application's properties", dimPlatform: "the device platform", dimDevice: "the device's properties",
	dimClient: "the client app", dimLocation: "the location", dimSignInRisk: "the sign-in risk", dimServicePrincipalRisk: "the service principal's risk",
	dimUserRisk: "the user risk", dimInsiderRisk: "the insider risk", dimFlow: "the authentication flow",
}

// Grants are what a policy demands where it applies.
func (s *Set) Grants(i int) []Demand { return s.policies[i].controls.demands }

// FiltersDevices reports whether a policy asks for properties of devices.
func (s *Set) FiltersDevices() bool { return len(s.devFilters.include)+len(s.devFilters.exclude) > 0 }

// State is the state of a policy.
func (s *Set) State(i int) string { return s.policies[i].state }
