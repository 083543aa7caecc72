package access

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
)

// Words that stand for several locations.
const (
	wordTrusted entra.ID = "alltrusted"
	// The addresses that the old multifactor settings trust, which Graph does
	// not show.
	legacyTrusted entra.ID = "00000000-0000-0000-0000-000000000000"
)

// places are the named locations, prepared for looking up addresses.
type places struct {
	all      []place
	prefixes map[netip.Prefix][]int // masked
	lengths4 []int                  // of these prefixes
	lengths6 []int
	ranges   []addressRange
}

type place struct {
	id        entra.ID
	trusted   bool
	byAddress bool
	compliant bool // the compliant network
	countries map[string]bool
	nowhere   bool // addresses of no known country
	strange   bool // of a type that this version does not know
}

type addressRange struct {
	from, to netip.Addr
	place    int
}

func newPlaces(docs []entra.Document) places {
	p := places{prefixes: map[netip.Prefix][]int{}}
	lengths4, lengths6 := map[int]bool{}, map[int]bool{}
	for _, d := range docs {
		at := len(p.all)
		loc := place{id: entra.NewID(d.ID()), trusted: d["isTrusted"] == true}
		switch kind := strings.ToLower(d.Text("@odata.type")); {
		case strings.HasSuffix(kind, "compliantnetworknamedlocation"):
			loc.compliant = true
		case strings.HasSuffix(kind, "countrynamedlocation") || kind == "" && d["countriesAndRegions"] != nil:
			loc.nowhere = d["includeUnknownCountriesAndRegions"] == true
			loc.countries = map[string]bool{}
			r := reader{of: d}
			for _, c := range r.list(d, "countriesAndRegions") {
				loc.countries[strings.ToUpper(c)] = true
			}
		case strings.HasSuffix(kind, "ipnamedlocation") || kind == "" && d["ipRanges"] != nil:
			loc.byAddress = true
			list, _ := d["ipRanges"].([]any)
			for _, v := range list {
				m, _ := v.(map[string]any)
				if q, err := netip.ParsePrefix(text(m, "cidrAddress")); err == nil {
					q = q.Masked()
					p.prefixes[q] = append(p.prefixes[q], at)
					if q.Addr().Is4() {
						lengths4[q.Bits()] = true
					} else {
						lengths6[q.Bits()] = true
					}
					continue
				}
				from, err1 := netip.ParseAddr(text(m, "lowerAddress"))
				to, err2 := netip.ParseAddr(text(m, "upperAddress"))
				if err1 != nil || err2 != nil {
					loc.strange = true
					continue
				}
				p.ranges = append(p.ranges, addressRange{from, to, at})
			}
		default:
			loc.strange = true
		}
		p.all = append(p.all, loc)
	}
	p.lengths4, p.lengths6 = slices.Sorted(maps.Keys(lengths4)), slices.Sorted(maps.Keys(lengths6))
	return p
}

// holding are the locations that the address is in.
func (p *places) holding(a netip.Addr) []int {
	var in []int
	a = a.Unmap().WithZone("")
	lengths := p.lengths6
	if a.Is4() {
		lengths = p.lengths4
	}
	for _, bits := range lengths {
		q, _ := a.Prefix(bits)
		in = append(in, p.prefixes[q]...)
	}
	for _, r := range p.ranges {
		if r.from.Compare(a) <= 0 && a.Compare(r.to) <= 0 && r.from.BitLen() == a.BitLen() {
			in = append(in, r.place)
		}
	}
	return in
}

// meet calls with each location and whether the sign-in comes from it, and
// with the word for all trusted ones.
func (p *places) meet(in SignIn, with func(id entra.ID, t Truth)) {
	var held []int
	if in.IP.IsValid() {
		held = p.holding(in.IP)
	}
	missing := Unknown // what a fact that is not given says of a location
	if in.AsGiven && (in.IP.IsValid() || in.Country != "") {
		missing = No
	}
	trusted := No
	for at, loc := range p.all {
		t := No
		switch {
		case loc.compliant:
			t = Unknown
			if in.Compliant != nil {
				t = truth(*in.Compliant)
			}
		case loc.byAddress:
			t = missing
			if in.IP.IsValid() {
				t = truth(slices.Contains(held, at))
			}
			if loc.strange {
				t = t.Or(Unknown)
			}
		case loc.strange:
			t = Unknown
		case in.Country == UnknownCountry:
			t = truth(loc.nowhere)
		case in.Country == "":
			t = missing
		default:
			t = truth(loc.countries[strings.ToUpper(in.Country)])
		}
		if loc.trusted {
			trusted = trusted.Or(t)
		}
		with(loc.id, t)
	}
	with(legacyTrusted, Unknown)
	with(wordTrusted, trusted)
}
