package evaluate

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
)

// Ids of the places that the service itself has in every tenant: the addresses
// in the settings of per-user MFA, of which nothing is known here, and the
// tenant's own network access.
const (
	mfaTrustedIPs    = "00000000-0000-0000-0000-000000000000"
	compliantNetwork = "3d46dbda-8382-466a-856d-eb00cbc6b910"
)

// Location is a named location.
type Location struct {
	ID string
	// Trusted is for addresses alone.
	Trusted bool

	ranges    []span
	countries []string
}

// span is a range of addresses, both ends in it.
type span struct{ low, high netip.Addr }

func (s span) holds(a netip.Addr) bool {
	return a.Is4() == s.low.Is4() && s.low.Compare(a) <= 0 && a.Compare(s.high) <= 0
}

// ReadLocation reads a named location's document.
func ReadLocation(document []byte) (Location, error) {
	var in struct {
		ID       string `json:"id"`
		Trusted  *bool  `json:"isTrusted"`
		IPRanges []struct {
			CIDR  string `json:"cidrAddress"`
			Lower string `json:"lowerAddress"`
			Upper string `json:"upperAddress"`
		} `json:"ipRanges"`
		Countries []string `json:"countriesAndRegions"`
	}
	if err := json.Unmarshal(document, &in); err != nil {
		return Location{}, fmt.Errorf("reading a named location: %w", err)
	}
	l := Location{ID: in.ID, Trusted: in.Trusted != nil && *in.Trusted, countries: in.Countries}
	for _, r := range in.IPRanges {
		if r.CIDR != "" {
			p, err := netip.ParsePrefix(r.CIDR)
			if err != nil {
				return Location{}, fmt.Errorf("reading the named location %s: %w", in.ID, err)
			}
			l.ranges = append(l.ranges, span{p.Masked().Addr(), last(p)})
			continue
		}
		low, err := netip.ParseAddr(r.Lower)
		if err != nil {
			return Location{}, fmt.Errorf("reading the named location %s: %w", in.ID, err)
		}
		high, err := netip.ParseAddr(r.Upper)
		if err != nil {
			return Location{}, fmt.Errorf("reading the named location %s: %w", in.ID, err)
		}
		l.ranges = append(l.ranges, span{low.Unmap(), high.Unmap()})
	}
	return l, nil
}

// last is a prefix's last address.
func last(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < len(b)*8; bit++ {
		b[bit/8] |= 1 << (7 - bit%8)
	}
	a, _ := netip.AddrFromSlice(b) // 4 or 16 bytes
	return a
}

// holds says whether a sign-in comes from a place, by what is known of it.
func (l Location) holds(s *SignIn) bool {
	if s.Country != "" && named(l.countries, s.Country) {
		return true
	}
	if !s.IPAddress.IsValid() {
		return false
	}
	a := s.IPAddress.Unmap().WithZone("")
	for _, r := range l.ranges {
		if r.holds(a) {
			return true
		}
	}
	return false
}

func (j judge) location() Reason {
	c := j.c.Locations
	if c == nil {
		return NotSet
	}
	all := named(c.Include, "All")
	if !j.s.IPAddress.IsValid() && j.s.Country == "" && !j.s.CompliantNetwork {
		return met(all && len(c.Exclude) == 0, AtLocation)
	}
	places := j.w.Locations()
	from := func(list []string) bool {
		for _, name := range list {
			switch {
			case strings.EqualFold(name, "All"):
				return true
			case strings.EqualFold(name, compliantNetwork):
				if j.s.CompliantNetwork {
					return true
				}
			case name == mfaTrustedIPs:
			default:
				trusted := strings.EqualFold(name, "AllTrusted")
				for _, l := range places {
					if (trusted && l.Trusted || strings.EqualFold(l.ID, name)) && l.holds(j.s) {
						return true
					}
				}
			}
		}
		return false
	}
	return met(from(c.Include) && !from(c.Exclude), AtLocation)
}
