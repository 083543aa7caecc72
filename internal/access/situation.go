package access

import (
	"cmp"
	"encoding/binary"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
)

// Everything that a set of policies can tell apart of a sign-in, who it is
// aside, is a small grid: along each axis the values that no policy treats
// differently are one cell. A situation is a part of each axis.

// axis is one thing that situations differ in.
type axis struct {
	name  string
	cells []cell
	// What a policy asks, by the policy's place: the cells in which it surely
	// applies and those in which it may.
	must, may []flags
	full      flags
}

// cell holds values that every policy treats alike.
type cell struct {
	values []string // in Graph's words, or names
	weight int      // how many values it stands for
}

// grid is all axes of a set of policies.
type grid []axis

// value is one value of an axis and the sign-in that has it.
type value struct {
	name string
	in   SignIn
}

// Names gives the display names of applications and named locations.
type Names func(kind entra.ObjectKind, id entra.ID) string

func (s *Set) newGrid(name Names) grid {
	var g grid
	for _, a := range s.axes(name) {
		g = append(g, s.fold(a))
	}
	return g
}

func (s *Set) axes(name Names) []rawAxis {
	words := func(axis string, d dimension, set func(*SignIn, string), list ...string) rawAxis {
		a := rawAxis{name: axis, of: d}
		for _, w := range list {
			v := value{name: w}
			set(&v.in, w)
			a.values = append(a.values, v)
		}
		return a
	}
	return []rawAxis{
		s.targets(name),
		words("clientAppType", dimClient, func(in *SignIn, w string) { in.Client = w }, "browser", "mobileAppsAndDesktopClients", "exchangeActiveSync", "other"),
		words("platform", dimPlatform, func(in *SignIn, w string) { in.Platform = w }, "windows", "macOS", "iOS", "android", "linux", "windowsPhone", "unknown"),
		s.locationValues(name),
		{name: "device", of: dimDevice, values: []value{{"unregistered", SignIn{Device: &Device{Unregistered: true}}}, {"registered", SignIn{Device: &Device{}}}}},
		words("signInRisk", dimSignInRisk, func(in *SignIn, w string) { in.SignInRisk = w }, "none", "low", "medium", "high"),
		words("userRisk", dimUserRisk, func(in *SignIn, w string) { in.UserRisk = w }, "none", "low", "medium", "high"),
		words("insiderRisk", dimInsiderRisk, func(in *SignIn, w string) { in.InsiderRisk = w }, "none", "minor", "moderate", "elevated"),
		words("authenticationFlow", dimFlow, func(in *SignIn, w string) { in.Flow = w }, "none", "deviceCodeFlow", "authenticationTransfer"),
	}
}

// rawAxis is an axis before its values are folded into cells.
type rawAxis struct {
	name   string
	of     dimension
	values []value
}

// fold judges every value once and puts those together that no policy tells
// apart.
func (s *Set) fold(a rawAxis) axis {
	out := axis{name: a.name, must: make([]flags, s.Len()), may: make([]flags, s.Len())}
	type answer struct {
		cell
		span
	}
	var answers []answer
	at := map[string]int{}
	for _, v := range a.values {
		sp := s.span(a.of, v.in)
		key := sp.key()
		i, ok := at[key]
		if !ok {
			i = len(answers)
			at[key] = i
			answers = append(answers, answer{span: sp})
		}
		answers[i].values = append(answers[i].values, v.name)
		answers[i].weight++
	}
	out.full = newFlags(len(answers))
	for p := range out.must {
		out.must[p], out.may[p] = newFlags(len(answers)), newFlags(len(answers))
	}
	for i, ans := range answers {
		out.cells = append(out.cells, ans.cell)
		out.full.set(i)
		ans.must.each(func(p int) { out.must[p].set(i) })
		ans.may.each(func(p int) { out.may[p].set(i) })
	}
	return out
}

// span judges one dimension alone.
func (s *Set) span(d dimension, in SignIn) span {
	out, ex := newSpan(s.Len()), newSpan(s.Len())
	switch d {
	case dimTarget:
		s.target(in.Target, out, ex)
	case dimLocation:
		s.location(in, out, ex)
	case dimDevice:
		s.device(in, out)
	default:
		for _, v := range in.words() {
			if v.of == d {
				s.values[d].span(v.word, out)
			}
		}
	}
	out.must.without(s.doubtful)
	out.may.or(s.broken)
	return out
}

// key tells two spans apart.
func (s span) key() string {
	b := make([]byte, 0, 16*len(s.must))
	for _, f := range []flags{s.must, s.may} {
		for _, w := range f {
			b = binary.LittleEndian.AppendUint64(b, w)
		}
	}
	return string(b)
}

// targets are the applications that policies name, one that none names, the
// two user actions, and the authentication contexts that policies name.
func (s *Set) targets(name Names) rawAxis {
	a := rawAxis{name: axisTarget, of: dimTarget}
	a.values = append(a.values, value{anyOtherApp, SignIn{Target: Target{App: &App{}}}})
	seen := map[entra.ID]bool{}
	add := func(id entra.ID, known string) {
		if seen[id] {
			return
		}
		seen[id] = true
		app := &App{ID: id, Name: known}
		for _, v := range s.groups {
			if v(app) == Yes {
				app.Microsoft = Yes
			}
		}
		a.values = append(a.values, value{cmp.Or(known, string(id)), SignIn{Target: Target{App: app}}})
	}
	for _, id := range s.apps.named() {
		members := []entra.ID{id}
		switch id {
		case "office365":
			members = office365IDs
		case "microsoftadminportals":
			members = adminPortals
		}
		for _, m := range members {
			add(m, name(entra.KindApplication, m))
		}
	}
	for _, action := range []string{actionPrefix + "registersecurityinfo", actionPrefix + "registerdevice"} {
		a.values = append(a.values, value{action, SignIn{Target: Target{Action: action}}})
	}
	for _, c := range slices.Sorted(maps.Keys(s.contexts.named)) {
		a.values = append(a.values, value{contextPrefix + c, SignIn{Target: Target{Context: c}}})
	}
	return a
}

// locationValues are addresses and countries, one for every way in which the
// named locations that policies use overlap.
func (s *Set) locationValues(name Names) rawAxis {
	a := rawAxis{name: axisLocation, of: dimLocation}
	compliant := []bool{false}
	for _, loc := range s.places.all {
		if loc.compliant && s.uses(loc.id) {
			compliant = []bool{false, true}
		}
	}
	for _, addr := range s.addresses() {
		for _, country := range s.countries() {
			for _, c := range compliant {
				in := SignIn{IP: addr, Country: country, Compliant: &c}
				var at []string
				s.places.meet(in, func(id entra.ID, t Truth) {
					if t == Yes && id != wordTrusted && (s.uses(id) || s.trusts(id)) {
						at = append(at, cmp.Or(name(entra.KindLocation, id), string(id)))
					}
				})
				v := value{name: strings.Join(at, overlap), in: in}
				if v.name == "" {
					v.name = elsewhere
				}
				a.values = append(a.values, v)
			}
		}
	}
	return a
}

func (s *Set) uses(id entra.ID) bool {
	return s.locations.in[id] != nil || s.locations.ex[id] != nil
}

// trusts reports whether a location counts because policies name all trusted
// ones.
func (s *Set) trusts(id entra.ID) bool {
	return s.uses(wordTrusted) && slices.ContainsFunc(s.places.all, func(l place) bool { return l.id == id && l.trusted })
}

// addresses has one address for each set of locations that hold some address
// together, and one that is in none.
func (s *Set) addresses() []netip.Addr {
	var edges []netip.Addr
	for p, at := range s.places.prefixes {
		if !slices.ContainsFunc(at, s.relevant) {
			continue
		}
		edges = append(edges, p.Addr())
		if after := lastOf(p).Next(); after.IsValid() {
			edges = append(edges, after)
		}
	}
	for _, r := range s.places.ranges {
		if s.relevant(r.place) {
			edges = append(edges, r.from)
			if after := r.to.Next(); after.IsValid() {
				edges = append(edges, after)
			}
		}
	}
	edges = append(edges, netip.IPv4Unspecified(), netip.IPv6Unspecified())
	slices.SortFunc(edges, netip.Addr.Compare)
	seen := map[string]bool{}
	var out []netip.Addr
	for _, a := range slices.Compact(edges) {
		held := s.places.holding(a)
		sig := make([]byte, len(s.places.all))
		for _, at := range held {
			if s.relevant(at) {
				sig[at] = 1
			}
		}
		if !seen[string(sig)] {
			seen[string(sig)] = true
			out = append(out, a)
		}
	}
	return out
}

func (s *Set) relevant(at int) bool {
	loc := s.places.all[at]
	return s.uses(loc.id) || loc.trusted && s.uses(wordTrusted)
}

func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// countries has one country for each set of locations that hold some country
// together, one that is in none, and the country that is not known.
func (s *Set) countries() []string {
	named := map[string]bool{UnknownCountry: true, Anywhere: true}
	for at, loc := range s.places.all {
		if s.relevant(at) {
			for c := range loc.countries {
				named[c] = true
			}
		}
	}
	seen := map[string]bool{}
	var out []string
	for _, c := range slices.Sorted(maps.Keys(named)) {
		sig := make([]byte, len(s.places.all))
		for at, loc := range s.places.all {
			if s.relevant(at) && (loc.countries[c] || c == UnknownCountry && loc.nowhere) {
				sig[at] = 1
			}
		}
		if !seen[string(sig)] {
			seen[string(sig)] = true
			out = append(out, c)
		}
	}
	return out
}
