package access

import (
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
)

// Policy is one policy of a set, with ids in place of names.
type Policy struct {
	Key      string // of the baseline, empty if it has none
	Document entra.Document
}

// Set is a set of policies prepared for judging. It is not changed by judging,
// which many may do at once.
type Set struct {
	policies []prepared
	places   places
	groups   AppGroups
	// strengths are the authentication strengths that policies may name.
	strengths         map[entra.ID]entra.Document
	groupIDs, roleIDs map[entra.ID]flags // that policies name

	all, enabled, reportOnly flags

	users      assignment // by user, group and role
	guests     []guestRule
	workload   assignment
	apps       assignment
	values     [dimensions]valueDimension // of conditions that list words
	locations  assignment                 // by named location
	actions    valueDimension
	contexts   valueDimension
	spFilters  filters
	appFilters filters
	devFilters filters

	forUsers, forWorkload         flags // whom a policy is for
	toApps, toActions, toContexts flags // what a policy targets
	byGroup, byRole               flags // policies that include by a group, by a role
	exceptGroup, exceptRole       flags // and those that exclude by them
	ownTenant                     flags // all service principals of the tenant
	guestsAny, guestsAnyExcl      flags // every kind of guest, by the old word
	deviceNone                    flags // policies without a device filter
	locationNone                  flags
	strayIn, strayEx              flags // policies that name a location of which nothing is known
	doubtful, broken              flags // policies of which something, or what they ask at all, cannot be read
}

// prepared is what is kept of a policy beside the sets.
type prepared struct {
	Policy
	name     string
	state    string
	problem  Reason // why it can never be judged, 0 if it can
	trouble  string // in plain words
	controls controls
}

// NewSet prepares policies against the named locations and authentication
// strengths that they refer to.
func NewSet(policies []Policy, locations, strengths []entra.Document, groups AppGroups) *Set {
	n := len(policies)
	s := &Set{places: newPlaces(locations), groups: groups, policies: make([]prepared, n), strengths: map[entra.ID]entra.Document{},
		groupIDs: map[entra.ID]flags{}, roleIDs: map[entra.ID]flags{}}
	for _, d := range strengths {
		s.strengths[entra.NewID(d.ID())] = d
	}
	for _, f := range []*flags{
		&s.all, &s.enabled, &s.reportOnly, &s.forUsers, &s.forWorkload, &s.toApps, &s.toActions, &s.toContexts, &s.byGroup, &s.byRole, &s.exceptGroup, &s.exceptRole,
		&s.ownTenant, &s.guestsAny, &s.guestsAnyExcl, &s.deviceNone, &s.locationNone, &s.strayIn, &s.strayEx, &s.doubtful, &s.broken,
	} {
		*f = newFlags(n)
	}
	for _, a := range []*assignment{&s.users, &s.workload, &s.apps, &s.locations} {
		*a = newAssignment(n)
	}
	for i := range s.values {
		s.values[i] = newValueDimension(n)
	}
	s.actions, s.contexts = newValueDimension(n), newValueDimension(n)
	for i, p := range policies {
		s.policies[i] = prepared{Policy: p, name: p.Document.DisplayName(), state: p.Document.Text("state")}
		s.all.set(i)
		s.add(i)
	}
	known := map[entra.ID]bool{legacyTrusted: true, wordTrusted: true}
	for _, l := range s.places.all {
		known[l.id] = true
	}
	for _, side := range []struct {
		named map[entra.ID]flags
		stray flags
	}{{s.locations.in, s.strayIn}, {s.locations.ex, s.strayEx}} {
		for id, f := range side.named {
			if !known[id] {
				side.stray.or(f)
			}
		}
	}
	return s
}

// Len is the number of policies.
func (s *Set) Len() int { return len(s.policies) }

func (s *Set) add(i int) {
	p := &s.policies[i]
	switch strings.ToLower(p.state) {
	case "enabled":
		s.enabled.set(i)
	case "enabledforreportingbutnotenforced":
		s.reportOnly.set(i)
	}
	d := reader{of: p.Document}
	p.controls = readControls(&d)
	if p.controls.empty() {
		p.problem, p.trouble = EmptyPolicy, "it has neither grant nor session controls"
	}
	s.addIdentities(i, &d)
	s.addTargets(i, &d)
	s.addConditions(i, &d)
	for _, name := range d.unread() {
		what := "condition "
		if strings.HasPrefix(name, grants+".") {
			what = "control "
		}
		d.doubt("the " + what + name + " is not known to this version")
	}
	if d.trouble != "" {
		p.problem, p.trouble = InvalidPolicy, d.trouble
		s.doubtful.set(i)
	}
	if d.broken {
		s.broken.set(i)
	}
}

func (s *Set) addIdentities(i int, d *reader) {
	if w := d.object("conditions", "clientApplications"); w != nil {
		s.forWorkload.set(i)
		for _, id := range d.list(w, "includeServicePrincipals") {
			switch strings.ToLower(id) {
			case "serviceprincipalsinmytenant":
				s.ownTenant.set(i)
			case "none":
			default:
				s.workload.include(i, id)
			}
		}
		for _, id := range d.list(w, "excludeServicePrincipals") {
			s.workload.exclude(i, id)
		}
		s.spFilters.add(i, d, w, "servicePrincipalFilter")
		d.only(w, "conditions.clientApplications", "includeServicePrincipals", "excludeServicePrincipals", "servicePrincipalFilter")
		return
	}
	s.forUsers.set(i)
	u := d.object("conditions", "users")
	for _, side := range []struct {
		prefix          string
		add             func(int, string)
		everyone        flags
		guests          flags
		byGroup, byRole flags
	}{
		{"include", s.users.include, s.users.everything, s.guestsAny, s.byGroup, s.byRole},
		{"exclude", s.users.exclude, s.users.exceptAll, s.guestsAnyExcl, s.exceptGroup, s.exceptRole},
	} {
		for _, id := range d.list(u, side.prefix+"Users") {
			switch strings.ToLower(id) {
			case "all":
				side.everyone.set(i)
			case "none":
			case "guestsorexternalusers":
				side.guests.set(i)
			default:
				side.add(i, id)
			}
		}
		for _, id := range d.list(u, side.prefix+"Groups") {
			side.add(i, id)
			side.byGroup.set(i)
			s.groupIDs[entra.NewID(id)] = nil
		}
		for _, id := range d.list(u, side.prefix+"Roles") {
			side.add(i, id)
			side.byRole.set(i)
			s.roleIDs[entra.NewID(id)] = nil
		}
		if g := d.child(u, side.prefix+"GuestsOrExternalUsers"); g != nil {
			s.guests = append(s.guests, d.guests(i, side.prefix == "exclude", g))
		}
	}
	d.only(u, "conditions.users", "includeUsers", "excludeUsers", "includeGroups", "excludeGroups", "includeRoles", "excludeRoles",
		"includeGuestsOrExternalUsers", "excludeGuestsOrExternalUsers")
}

func (s *Set) addTargets(i int, d *reader) {
	a := d.object("conditions", "applications")
	actions, contexts := d.list(a, "includeUserActions"), d.list(a, "includeAuthenticationContextClassReferences")
	s.actions.include(i, actions)
	s.contexts.include(i, contexts)
	switch {
	case len(actions) > 0:
		s.toActions.set(i)
	case len(contexts) > 0:
		s.toContexts.set(i)
	default:
		s.toApps.set(i)
	}
	for _, id := range d.list(a, "includeApplications") {
		switch strings.ToLower(id) {
		case "all":
			s.apps.everything.set(i)
		case "none":
		default:
			s.apps.include(i, id)
		}
	}
	for _, id := range d.list(a, "excludeApplications") {
		s.apps.exclude(i, id)
	}
	s.appFilters.add(i, d, a, "applicationFilter")
	d.only(a, "conditions.applications", "includeUserActions", "includeAuthenticationContextClassReferences", "includeApplications", "excludeApplications", "applicationFilter")
}

func (s *Set) addConditions(i int, d *reader) {
	c := d.object("conditions")
	s.values[dimClient].list(i, d.list(c, "clientAppTypes"), nil)
	platforms := d.child(c, "platforms")
	s.values[dimPlatform].list(i, d.list(platforms, "includePlatforms"), d.list(platforms, "excludePlatforms"))
	s.values[dimSignInRisk].list(i, d.list(c, "signInRiskLevels"), nil)
	s.values[dimUserRisk].list(i, d.list(c, "userRiskLevels"), nil)
	s.values[dimServicePrincipalRisk].list(i, d.list(c, "servicePrincipalRiskLevels"), nil)
	s.values[dimInsiderRisk].list(i, d.words(c, "insiderRiskLevels"), nil)
	flows := d.child(c, "authenticationFlows")
	s.values[dimFlow].list(i, without(d.words(flows, "transferMethods"), "none"), nil)

	l := d.child(c, "locations")
	include, exclude := d.list(l, "includeLocations"), d.list(l, "excludeLocations")
	if len(include) == 0 && len(exclude) == 0 {
		s.locationNone.set(i)
	}
	for _, id := range include {
		if strings.EqualFold(id, "All") {
			s.locations.everything.set(i)
			continue
		}
		s.locations.include(i, id)
	}
	for _, id := range exclude {
		s.locations.exclude(i, id)
	}
	devices := d.child(c, "devices")
	if !s.devFilters.add(i, d, devices, "deviceFilter") {
		s.deviceNone.set(i)
	}
	d.only(platforms, "conditions.platforms", "includePlatforms", "excludePlatforms")
	d.only(flows, "conditions.authenticationFlows", "transferMethods")
	d.only(l, "conditions.locations", "includeLocations", "excludeLocations")
	d.only(devices, "conditions.devices", "deviceFilter")
	d.only(c, "conditions", "applications", "users", "clientApplications", "clientAppTypes", "platforms", "locations", "devices",
		"signInRiskLevels", "userRiskLevels", "servicePrincipalRiskLevels", "insiderRiskLevels", "authenticationFlows")
}

// assignment is an include and an exclude list over ids.
type assignment struct {
	n                     int
	everything, exceptAll flags
	in, ex                map[entra.ID]flags
}

func newAssignment(n int) assignment {
	return assignment{
		n: n, everything: newFlags(n), exceptAll: newFlags(n),
		in: map[entra.ID]flags{}, ex: map[entra.ID]flags{},
	}
}

func (a *assignment) include(i int, id string) { mark(a.in, a.n, i, entra.NewID(id)) }
func (a *assignment) exclude(i int, id string) { mark(a.ex, a.n, i, entra.NewID(id)) }

// named are the ids on either list, sorted.
func (a *assignment) named() []entra.ID {
	return slices.Compact(slices.Sorted(func(yield func(entra.ID) bool) {
		for _, m := range []map[entra.ID]flags{a.in, a.ex} {
			for id := range m {
				if !yield(id) {
					return
				}
			}
		}
	}))
}

func mark[K comparable](m map[K]flags, n, i int, key K) {
	if m[key] == nil {
		m[key] = newFlags(n)
	}
	m[key].set(i)
}

// meet records that the sign-in is, as surely as t says, what id stands for.
func (a *assignment) meet(in, ex span, id entra.ID, t Truth) {
	if f := a.in[id]; f != nil {
		in.add(f, t)
	}
	if f := a.ex[id]; f != nil {
		ex.add(f, t)
	}
}

// valueDimension is a condition that lists words of which a sign-in has one.
type valueDimension struct {
	n      int
	named  map[string]flags
	always flags // not configured, or met by every word
	ever   flags // met by some word
	all    flags // those whose list holds every word, exclusions aside
	except map[string]flags
}

func newValueDimension(n int) valueDimension {
	return valueDimension{n: n, named: map[string]flags{}, except: map[string]flags{}, always: newFlags(n), ever: newFlags(n), all: newFlags(n)}
}

// include adds a policy that is met by these words alone.
func (v *valueDimension) include(i int, words []string) {
	for _, w := range words {
		mark(v.named, v.n, i, strings.ToLower(w))
		v.ever.set(i)
	}
}

// list adds a condition; without a word on either side it is not configured.
func (v *valueDimension) list(i int, include, exclude []string) {
	everything := containsFold(include, "all") || len(include) == 0
	if everything && len(exclude) == 0 {
		v.always.set(i)
		v.ever.set(i)
		return
	}
	v.ever.set(i)
	if everything {
		v.all.set(i)
	} else {
		v.include(i, include)
	}
	for _, w := range exclude {
		mark(v.except, v.n, i, strings.ToLower(w))
	}
}

// span is what a word of the sign-in meets; empty is not known.
func (v *valueDimension) span(word string, out span) {
	if word == "" {
		out.add(v.always, Yes)
		out.add(v.ever, Unknown)
		return
	}
	word = strings.ToLower(word)
	out.add(v.always, Yes)
	out.add(v.all, Yes)
	out.add(v.named[word], Yes)
	if e := v.except[word]; e != nil {
		out.must.without(e)
		out.may.without(e)
	}
}
