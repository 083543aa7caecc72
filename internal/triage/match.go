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

// condition is one of the conditions of a rule.
type condition int

const (
	none condition = iota
	neverAllowed
	eventType
	levelUnknown
	level
	address
	place
)

// fails gives the first condition of an allowlist entry that a detection does
// not meet, or none if it meets all.
func (w *allowWhen) fails(d *Detection) condition {
	rank, known := d.Level.Rank()
	most, limited := w.maxLevel.Rank()
	switch {
	case entra.NeverAllowed(d.EventType):
		return neverAllowed
	case hidden(d.EventType) || !hasFold(w.eventTypes, d.EventType):
		return eventType
	case !known || !limited:
		return levelUnknown
	case rank > most:
		return level
	case !w.inRanges(d):
		return address
	case !w.inCountries(d):
		return place
	}
	return none
}

func (w *allowWhen) inRanges(d *Detection) bool {
	return len(w.ranges) == 0 || inRanges(w.ranges, d.IP) == yes
}

func (w *allowWhen) inCountries(d *Detection) bool {
	return len(w.countries) == 0 || country(w.countries, d.Country) == yes
}

// failing gives all conditions that a detection does not meet.
func (w *allowWhen) failing(d *Detection) []condition {
	var out []condition
	switch {
	case entra.NeverAllowed(d.EventType):
		out = append(out, neverAllowed)
	case hidden(d.EventType) || !hasFold(w.eventTypes, d.EventType):
		out = append(out, eventType)
	}
	rank, known := d.Level.Rank()
	most, limited := w.maxLevel.Rank()
	switch {
	case !known || !limited:
		out = append(out, levelUnknown)
	case rank > most:
		out = append(out, level)
	}
	if !w.inRanges(d) {
		out = append(out, address)
	}
	if !w.inCountries(d) {
		out = append(out, place)
	}
	return out
}

// uncovered says which condition a detection does not meet, or nothing.
func (w *allowWhen) uncovered(d *Detection) string { return w.says(w.fails(d), d) }

// says puts a condition that a detection does not meet into words.
func (w *allowWhen) says(c condition, d *Detection) string {
	switch c {
	case neverAllowed:
		if entra.ComesBack(d.EventType) {
			return fmt.Sprintf("riskEventType %s cannot be allow-listed: it returns while a linked account is under attack", d.EventType)
		}
		return fmt.Sprintf("riskEventType %s cannot be allow-listed", d.EventType)
	case eventType:
		return fmt.Sprintf("riskEventType %s is not among %s", orUnknown(d.EventType), shorten(w.eventTypes, 5))
	case levelUnknown:
		return fmt.Sprintf("riskLevel %s is not low, medium or high", orUnknown(string(d.Level)))
	case level:
		return fmt.Sprintf("riskLevel %s is above maxRiskLevel %s", d.Level, w.maxLevel)
	case address:
		return fmt.Sprintf("ipAddress %s is in none of the ipRanges %s", orUnknown(d.IP), joinPrefixes(w.ranges))
	case place:
		return fmt.Sprintf("countryOrRegion %s is not among %s", orUnknown(d.Country), shorten(w.countries, 5))
	}
	return ""
}

func joinPrefixes(list []netip.Prefix) string {
	texts := make([]string, len(list))
	for i, p := range list {
		texts[i] = p.String()
	}
	return shorten(texts, 3)
}

func orUnknown(s string) string {
	if s == "" {
		return "(not given)"
	}
	return s
}

// matches says whether a detection meets all conditions of an escalation, and
// which condition decided if not. One that plainly fails decides; else one that
// cannot be known leaves it open.
func (w *escalateWhen) matches(d *Detection) (answer, condition) {
	result, by := yes, none
	take := func(a answer, c condition) {
		if a == no && result != no || a == unknown && result == yes {
			result, by = a, c
		}
	}
	if len(w.eventTypes) > 0 {
		switch {
		case hidden(d.EventType):
			take(unknown, eventType)
		case !hasFold(w.eventTypes, d.EventType):
			take(no, eventType)
		}
	}
	if w.minLevel != "" && result != no {
		least, _ := w.minLevel.Rank()
		switch rank, known := d.Level.Rank(); {
		case known && rank < least, d.Level == entra.LevelNone:
			take(no, level)
		case !known:
			take(unknown, levelUnknown)
		}
	}
	if len(w.ranges) > 0 && result != no {
		take(inRanges(w.ranges, d.IP), address)
	}
	if len(w.countries) > 0 && result != no {
		take(country(w.countries, d.Country), place)
	}
	return result, by
}

// unmatched says why an escalation does not match, or nothing.
func (w *escalateWhen) unmatched(d *Detection) string {
	result, by := w.matches(d)
	if result == yes {
		return ""
	}
	var why string
	switch by {
	case eventType:
		why = fmt.Sprintf("riskEventType %s is not among %s", orUnknown(d.EventType), shorten(w.eventTypes, 5))
	case level, levelUnknown:
		why = fmt.Sprintf("riskLevel %s is below minRiskLevel %s", orUnknown(string(d.Level)), w.minLevel)
	case address:
		why = fmt.Sprintf("ipAddress %s is in none of the ipRanges %s", orUnknown(d.IP), joinPrefixes(w.ranges))
	default:
		why = fmt.Sprintf("countryOrRegion %s is not among %s", orUnknown(d.Country), shorten(w.countries, 5))
	}
	if result == unknown {
		return "it cannot be told whether " + strings.Replace(why, " is ", " would be ", 1)
	}
	return why
}

// country compares a country; what is no code of two letters says nothing.
func country(list []string, code string) answer {
	switch {
	case hasFold(list, code):
		return yes
	case len(code) != 2 || !letters(code):
		return unknown
	}
	return no
}

func letters(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 'A' || r > 'Z' && r < 'a' || r > 'z' })
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
