package baseline

import (
	"net/netip"
	"slices"

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
	for _, p := range a.prefixes {
		if !slices.ContainsFunc(b.prefixes, func(q netip.Prefix) bool { return q.Bits() <= p.Bits() && q.Contains(p.Addr()) }) {
			return false
		}
	}
	return subset(a.others, b.others) && subset(a.countries, b.countries) && (!a.unknown || b.unknown)
}
