package triage

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
)

// answer is whether a condition holds; unknown if the detection lacks the value
// that it asks for.
type answer int

const (
	no answer = iota
	yes
	unknown
)

// hidden reports whether a value says nothing: absent, hidden, or a member that
// we do not understand.
func hidden(s string) bool {
	return s == "" || strings.EqualFold(s, "hidden") || strings.EqualFold(s, "unknownFutureValue")
}

func hasFold(list []string, s string) bool {
	return slices.ContainsFunc(list, func(x string) bool { return strings.EqualFold(x, s) })
}

func inRanges(ranges []netip.Prefix, text string) answer {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return unknown
	}
	a = a.Unmap().WithZone("")
	for _, p := range ranges {
		if p.Contains(a) {
			return yes
		}
	}
	return no
}

// uncovered says which condition of an allowlist entry a detection fails, or
// nothing if it meets all.
func (w *allowWhen) uncovered(d *Detection) string {
	if hidden(d.EventType) || entra.NeverAllowed(d.EventType) || !hasFold(w.eventTypes, d.EventType) {
		return fmt.Sprintf("riskEventType %s is not among %s", orUnknown(d.EventType), strings.Join(w.eventTypes, ", "))
	}
	rank, known := d.Level.Rank()
	most, limited := w.maxLevel.Rank()
	if !known || !limited || rank > most {
		return fmt.Sprintf("riskLevel %s is above maxRiskLevel %s", orUnknown(string(d.Level)), w.maxLevel)
	}
	if len(w.ranges) > 0 && inRanges(w.ranges, d.IP) != yes {
		return fmt.Sprintf("ipAddress %s is in none of the ipRanges", orUnknown(d.IP))
	}
	if len(w.countries) > 0 && (hidden(d.Country) || !hasFold(w.countries, d.Country)) {
		return fmt.Sprintf("countryOrRegion %s is not among %s", orUnknown(d.Country), strings.Join(w.countries, ", "))
	}
	return ""
}

func orUnknown(s string) string {
	if s == "" {
		return "(not given)"
	}
	return s
}

// matches says whether a detection meets all conditions of an escalation. One
// that plainly fails decides; else one that cannot be known leaves it open.
func (w *escalateWhen) matches(d *Detection) answer {
	result := yes
	take := func(a answer) {
		if a == no || a == unknown && result == yes {
			result = a
		}
	}
	known := func(value string, holds bool) answer {
		switch {
		case hidden(value):
			return unknown
		case holds:
			return yes
		}
		return no
	}
	if len(w.eventTypes) > 0 {
		take(known(d.EventType, hasFold(w.eventTypes, d.EventType)))
	}
	if w.minLevel != "" && result != no {
		least, _ := w.minLevel.Rank()
		rank, ok := d.Level.Rank()
		switch {
		case !ok && d.Level == entra.LevelNone:
			take(no)
		case !ok:
			take(unknown)
		case rank < least:
			take(no)
		}
	}
	if len(w.ranges) > 0 && result != no {
		take(inRanges(w.ranges, d.IP))
	}
	if len(w.countries) > 0 && result != no {
		take(known(d.Country, hasFold(w.countries, d.Country)))
	}
	return result
}

// say names a detection for a person.
func (d *Detection) say() string {
	s := orUnknown(d.EventType) + " " + orUnknown(string(d.Level))
	if d.IP != "" {
		s += " from " + d.IP
	}
	if d.Country != "" {
		s += " (" + d.Country + ")"
	}
	return s
}
