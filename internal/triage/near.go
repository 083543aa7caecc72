package triage

import (
	"fmt"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
)

// NearMiss is an allowlist entry that would have covered open detections but
// for a little.
type NearMiss struct {
	Entry string `json:"entry"`
	// Detections are the ids of those that it nearly covers.
	Detections []string `json:"detections"`
	// Why says what holds and what does not.
	Why string `json:"why"`
}

// subject is whom a decision is about, as an entry of the allowlist sees it.
type subject struct {
	word string // the user, or the service principal
	// about says whether an entry is about such subjects at all, names whether it
	// names this one, and where says, of one that does not, where it was looked for.
	about, names func(*boundEntry) bool
	where        func(*boundEntry) string
}

func userSubject(id entra.ID) subject {
	return subject{"the user", func(b *boundEntry) bool { return len(b.allowEntry.users)+len(b.allowEntry.groups) > 0 },
		func(b *boundEntry) bool { return b.names(id) != "" }, (*boundEntry).namesWhom}
}

func principalSubject(p *PrincipalEvidence) subject {
	return subject{"the service principal", func(b *boundEntry) bool { return len(b.allowEntry.principals) > 0 },
		func(b *boundEntry) bool { return b.namesPrincipal(p) != "" },
		func(*boundEntry) string { return "not among its service principals" }}
}

// nearMisses finds the entries that nearly cover what is uncovered; of each
// entry only the nearest.
func (r *Rules) nearMisses(of subject, detections []Detection, covered map[string]string) []NearMiss {
	var out []NearMiss
	for i := range r.entries {
		entry := &r.entries[i]
		var nearest []NearMiss
		fewest := 0
		for j := range detections {
			det := &detections[j]
			if covered[det.ID] != "" {
				continue
			}
			why, fails := entry.near(of, det)
			if fails == 0 || len(nearest) > 0 && fails > fewest {
				continue
			}
			if fails < fewest {
				nearest = nil
			}
			fewest = fails
			if at := slices.IndexFunc(nearest, func(n NearMiss) bool { return n.Why == why }); at >= 0 {
				nearest[at].Detections = append(nearest[at].Detections, det.ID)
				continue
			}
			nearest = append(nearest, NearMiss{Entry: entry.id, Detections: []string{det.ID}, Why: why})
		}
		out = append(out, nearest...)
	}
	return out
}

// sayNear adds to a decision the entries that nearly cover what is not covered.
func (r *Rules) sayNear(d *Decision, of subject, detections []Detection) {
	d.NearMisses = r.nearMisses(of, detections, d.Covered)
	for _, near := range d.NearMisses[:min(len(d.NearMisses), shownKinds)] {
		d.Reasons = append(d.Reasons, near.Why)
	}
	if more := len(d.NearMisses) - shownKinds; more > 0 {
		d.Reasons = append(d.Reasons, fmt.Sprintf("and %d more near misses of the allowlist", more))
	}
}

// near says what holds and what does not if an entry nearly covers a detection,
// and how much does not; none if it is not near.
// An address in the entry's ranges is near whatever else fails; otherwise one
// thing alone may fail, and something that points to this entry must hold: that
// it names the subject, or the country.
func (b *boundEntry) near(of subject, d *Detection) (why string, failed int) {
	if !of.about(b) {
		return "", 0
	}
	named := of.names(b)
	inRange := len(b.when.ranges) > 0 && inRanges(b.when.ranges, d.IP) == yes
	inCountry := len(b.when.countries) > 0 && country(b.when.countries, d.Country) == yes
	if !named && !inRange && !inCountry {
		return "", 0
	}
	var fails []string
	if !named && b.blocked == "" {
		fails = append(fails, of.word+" is "+of.where(b))
	}
	for _, c := range b.when.failing(d) {
		fails = append(fails, b.when.says(c, d))
	}
	switch {
	case b.blocked != "":
		fails = append(fails, "the entry is blocked: "+b.blocked)
	case b.expired:
		fails = append(fails, "the entry expired on "+b.expiresText)
	}
	if len(fails) == 0 || len(fails) > 1 && !inRange {
		return "", 0
	}
	what := strings.Join(fails, " and ")
	switch {
	case inRange:
		return fmt.Sprintf("%s is in %s's ranges, %s", d.IP, b.id, what), len(fails)
	case inCountry && !named:
		return fmt.Sprintf("%s is among the countries of %s, %s", d.Country, b.id, what), len(fails)
	}
	return fmt.Sprintf("%s names %s, but %s", b.id, of.word, what), len(fails)
}

// namesWhom says where an entry does not find the user.
func (b *boundEntry) namesWhom() string {
	switch {
	case len(b.allowEntry.groups) == 0:
		return "not among its users"
	case len(b.allowEntry.users) == 0:
		return "not in its groups"
	}
	return "neither among its users nor in its groups"
}
