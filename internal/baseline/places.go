package baseline

import (
	"net/netip"

	"github.com/risksweep/risksweep/internal/entra"
)

// area is what a named location holds.
type area struct {
	prefixes  []netip.Prefix
	others    []string // ranges from-to and what cannot be read
	countries []string
	unknown   bool // addresses of no known country
}

func places(d entra.Document) area {
	var a area
	for _, v := range strsOrObjects(d, "ipRanges") {
		m, _ := v.(map[string]any)
		if p, err := netip.ParsePrefix(text(m, "cidrAddress")); err == nil {
			a.prefixes = append(a.prefixes, p)
			continue
		}
		a.others = append(a.others, string(raw(v)))
	}
	a.countries = strs(d, "countriesAndRegions")
	a.unknown = d["includeUnknownCountriesAndRegions"] == true
	return a
}

// within reports whether all of a is surely in b. Ranges that only several of
// b's together cover count as outside: the careful side.
func (a area) within(b area) bool {
	held := make(map[netip.Prefix]bool, len(b.prefixes))
	for _, q := range b.prefixes {
		held[q.Masked()] = true
	}
	for _, p := range a.prefixes {
		if !heldBy(held, p) {
			return false
		}
	}
	return subset(a.others, b.others) && subset(a.countries, b.countries) && (!a.unknown || b.unknown)
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
