package policy

import (
	"net/netip"
)

// LocationScope is what a named location holds.
type LocationScope struct {
	prefixes  []netip.Prefix
	others    []string // ranges from-to and what cannot be read
	countries []string
	unknown   bool // addresses of no known country
}

func ScopeOf(d Canonical) LocationScope {
	var a LocationScope
	for _, v := range ListAt(d, "ipRanges") {
		m, _ := v.(map[string]any)
		if p, err := netip.ParsePrefix(TextAt(m, "cidrAddress")); err == nil {
			a.prefixes = append(a.prefixes, p)
			continue
		}
		a.others = append(a.others, string(raw(v)))
	}
	a.countries = Strings(d, "countriesAndRegions")
	a.unknown = d["includeUnknownCountriesAndRegions"] == true
	return a
}

// Within reports whether all of a is surely in b. Ranges that only several of
// b's together cover count as outside: the careful side.
func (a LocationScope) Within(b LocationScope) bool {
	held := make(map[netip.Prefix]bool, len(b.prefixes))
	for _, q := range b.prefixes {
		held[q.Masked()] = true
	}
	for _, p := range a.prefixes {
		if !heldBy(held, p) {
			return false
		}
	}
	return Subset(a.others, b.others) && Subset(a.countries, b.countries) && (!a.unknown || b.unknown)
}

// heldBy reports whether one of the prefixes, masked, contains all of p.
func heldBy(held map[netip.Prefix]bool, p netip.Prefix) bool {
	for bits := p.Bits(); bits >= 0; bits-- {
		if q, err := p.Addr().Prefix(bits); err == nil && held[q] {
			return true
		}
	}
	return false
}
