package access

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
)

// Met is an enabled policy that meets a risk, and what it demands.
type Met struct {
	Key         string   `json:"key,omitempty"`
	DisplayName string   `json:"displayName"`
	Demands     []Demand `json:"demands"`
}

// Unmet is a policy that does not meet a risk, and why.
type Unmet struct {
	Key         string `json:"key,omitempty"`
	DisplayName string `json:"displayName"`
	Why         string `json:"why"`
}

// Reach is what the policies do about one user's risk. ReachedBy are the enabled
// policies that surely demand something of the user's next sign-in to an
// application that no policy names; those that ask for risk come first.
// NotReached are the others that ask for risk, and if nothing is demanded at
// all, those too that do not.
type Reach struct {
	ReachedBy  []Met   `json:"reachedBy"`
	NotReached []Unmet `json:"notReached"`
	// Unknown says that nothing is surely demanded, and that a policy may apply
	// of which that is not known.
	Unknown bool `json:"unknown,omitempty"`
}

// Covered reports whether something is surely demanded.
func (r *Reach) Covered() bool { return len(r.ReachedBy) > 0 }

// Uncovered reports whether surely nothing is demanded.
func (r *Reach) Uncovered() bool { return len(r.ReachedBy) == 0 && !r.Unknown }

// Reacher judges the risk of many users; users alike share one answer.
type Reacher struct {
	set  *Set
	name Names
	seen map[string]*Reach
}

// NewReacher judges by a set; name gives the display names of what its policies
// refer to.
func (s *Set) NewReacher(name Names) *Reacher {
	return &Reacher{set: s, name: name, seen: map[string]*Reach{}}
}

// mostUnmet bounds what is said of one user.
const mostUnmet = 10

// Of judges a sign-in that carries the user's risk.
func (r *Reacher) Of(in SignIn) *Reach {
	j := r.set.Judge(in)
	by := r.exclusions(in.User)
	key := j.sum.key()
	for _, s := range j.spans {
		key += s.key()
	}
	key += "|" + in.UserRisk + "|" + in.SignInRisk
	for _, id := range by {
		key += "|" + string(id)
	}
	out := r.seen[key]
	if out == nil {
		out = r.reach(j, by)
		r.seen[key] = out
	}
	return out
}

// exclusions are the ids of the user, its groups and roles that some policy
// excludes.
func (r *Reacher) exclusions(u *User) []entra.ID {
	var out []entra.ID
	for _, id := range slices.Concat([]entra.ID{u.ID}, u.Groups, u.Roles) {
		if r.set.users.ex[id] != nil {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

func (r *Reacher) reach(j Judgement, by []entra.ID) *Reach {
	s := r.set
	out := &Reach{ReachedBy: []Met{}, NotReached: []Unmet{}}
	var byRisk, others []int // policies that do not surely apply
	asks := func(i int) bool {
		return !s.values[dimUserRisk].always.has(i) || !s.values[dimSignInRisk].always.has(i)
	}
	for _, risk := range []bool{true, false} {
		for i := range s.policies {
			p := &s.policies[i]
			if asks(i) != risk || !s.forUsers.has(i) || !p.controls.mayDemand() {
				continue
			}
			v := j.Verdict(i)
			switch {
			case v.Applies == Yes && s.enabled.has(i):
				out.ReachedBy = append(out.ReachedBy, Met{p.Key, p.name, p.controls.demands})
				continue
			case v.Applies == Unknown && s.enabled.has(i):
				out.Unknown = true
			}
			if risk {
				byRisk = append(byRisk, i)
			} else {
				others = append(others, i)
			}
		}
	}
	if out.Covered() {
		out.Unknown, others = false, nil
	}
	for _, i := range append(byRisk, others...) {
		if len(out.NotReached) == mostUnmet {
			out.NotReached = append(out.NotReached, Unmet{DisplayName: "others", Why: more(len(byRisk)+len(others)-mostUnmet) + ": risksweep whatif tells each"})
			break
		}
		out.NotReached = append(out.NotReached, Unmet{s.policies[i].Key, s.policies[i].name, r.why(j, i, by)})
	}
	return out
}

// why says in a few words what keeps the policy from meeting the risk.
func (r *Reacher) why(j Judgement, i int, by []entra.ID) string {
	s := r.set
	v := j.Verdict(i)
	switch {
	case v.Applies == Yes && s.reportOnly.has(i):
		return "it is report-only"
	case v.Reason == PolicyNotEnabled:
		return "it is disabled"
	}
	why := v.Why
	switch v.Reason {
	case Users:
		if j.spans[dimIdentity].truth(i) == Unknown {
			break
		}
		var names []string
		for _, id := range by {
			if f := s.users.ex[id]; f != nil && f.has(i) {
				names = append(names, r.nameOf(id, j.in.User.ID))
			}
		}
		switch {
		case len(names) > 0:
			why = "it excludes " + shortList(names)
		case s.users.everything.has(i):
			why = "it excludes the user"
		default:
			why = "it does not include the user"
		}
	case Application:
		if j.spans[dimTarget].truth(i) == No {
			why = "it is for certain applications only"
		}
	case UserActions, AuthenticationContexts:
		why = strings.Replace(why, "the policy targets", "it is for", 1)
	case SignInRisk, UserRisk:
		why = strings.Replace(why, "is not one the policy asks for", "is not one that it asks for", 1)
	case DevicePlatform:
		why = "it is for certain platforms only"
	case Devices:
		why = "it depends on the device"
	case ClientApps:
		why = "it is for other clients only"
	}
	if s.reportOnly.has(i) {
		why = "it is report-only, and " + why
	}
	return why
}

func (r *Reacher) nameOf(id, user entra.ID) string {
	if id == user {
		return "the user by name"
	}
	for _, kind := range []entra.ObjectKind{entra.KindGroup, entra.KindRole} {
		if n := r.name(kind, id); n != "" {
			return fmt.Sprintf("%s %q", kind.Noun(), n)
		}
	}
	return cmp.Or(string(id), "the user")
}

// AsksForGuests reports whether a policy includes or excludes by kinds of guest.
func (s *Set) AsksForGuests() bool {
	return len(s.guests) > 0 || !s.guestsAny.empty() || !s.guestsAnyExcl.empty()
}

// Anywhere is a country that is assigned to none: no location by country holds
// it.
const Anywhere = "ZZ"
