package risk

import (
	"strings"
	"time"
)

// enough is how many people it takes for the people of the examples.
const enough = 12

// sketch says what detection a person of the examples gets.
type sketch struct {
	event string
	level uint8
	vpn   bool
	// youngest and oldest bound its age.
	youngest, oldest time.Duration
}

// give gives a person detections while any are left to give.
func (g *generator) give(person int, sketches ...sketch) {
	for _, k := range sketches {
		if g.left == 0 {
			return
		}
		g.assigned[person] = true
		event, _ := g.w.users.words.intern(k.event)
		d := g.detection(g.w.users, event, k.level, g.ago(max(k.youngest, 10*time.Minute), k.oldest))
		d.subject = g.subjectOf(person)
		g.locate(&d, g.w.people[person].home, k.vpn)
		g.draft(d)
	}
}

// cast gives the people of the examples their risk: an allowlist for the group
// "VPN Users" covers some, not others; some need a person.
func (g *generator) cast() {
	w := g.w
	var able, vpn, deleted, executives, privileged, plain []int
	ada := -1
	for i, p := range w.people {
		switch {
		case p.guest:
			continue
		case p.deleted:
			deleted = append(deleted, i)
			continue
		case strings.EqualFold(p.upn, "ada@contoso.com"):
			ada = i
		case p.special:
		case p.executive:
			executives = append(executives, i)
		case p.privileged:
			privileged = append(privileged, i)
		case p.vpn:
			vpn = append(vpn, i)
		default:
			plain = append(plain, i)
		}
		able = append(able, i)
	}
	if len(w.people)-len(deleted) < enough || ada < 0 {
		return
	}
	shuffle := func(s []int) { g.rng.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] }) }
	shuffle(vpn)
	shuffle(plain)
	next := func(from *[]int) (int, bool) {
		if len(*from) == 0 || len(g.assigned) >= len(able)/2 {
			return 0, false
		}
		i := (*from)[0]
		*from = (*from)[1:]
		return i, true
	}
	covered := func() sketch {
		return sketch{pick(g, []string{"anonymizedIPAddress", "unfamiliarFeatures"}), uint8(g.rng.IntN(2)), true, time.Hour, 20 * day} //nolint:gosec // low or medium
	}
	g.give(ada,
		sketch{"anonymizedIPAddress", levelLow, true, time.Hour, 3 * day},
		sketch{"unfamiliarFeatures", levelMedium, true, day, 12 * day},
		sketch{"anonymizedIPAddress", levelMedium, true, 2 * day, 18 * day})
	for round := range 3 {
		if i, ok := next(&plain); ok {
			g.give(i, sketch{"passwordSpray", levelHigh, false, time.Hour, 9 * day}, sketch{"unfamiliarFeatures", levelMedium, false, 2 * day, 20 * day})
		}
		if i, ok := next(&vpn); ok {
			g.give(i, covered(), covered())
		}
		if i, ok := next(&privileged); ok && round < 2 {
			g.give(i, sketch{"anonymizedIPAddress", levelMedium, true, time.Hour, 15 * day})
		}
		if i, ok := next(&vpn); ok && round < 2 {
			g.give(i, covered(), sketch{pick(g, []string{"unlikelyTravel", "anonymizedIPAddress", "maliciousIPAddress"}), levelMedium, false, day, 20 * day})
		}
		if i, ok := next(&executives); ok && round < 1 {
			g.give(i, covered())
		}
		if round < len(deleted) && g.span > 60*day { // people deleted in the last month were at risk before
			g.give(deleted[round], sketch{"leakedCredentials", levelHigh, false, 30 * day, 60 * day})
		}
		if i, ok := next(&plain); ok && round < 2 {
			g.give(i, sketch{"unfamiliarFeatures", uint8(round), false, 15 * time.Minute, 2 * time.Hour}) //nolint:gosec // low or medium
			if g.assigned[i] {
				// Its state is being worked out, and stays so for a while.
				s := g.subjectOf(i)
				w.users.subjects[s].busy++
				w.later(pending{Due: g.now + ticks(time.Duration(round+1)*8*time.Hour), Subject: s})
			}
		}
		if i, ok := next(&plain); ok {
			g.give(i, sketch{"anonymizedIPAddress", levelMedium, false, 5 * day, 25 * day})
			if g.assigned[i] {
				s := g.subjectOf(i)
				g.closings[s] = append(g.closings[s], g.ago(time.Hour, 4*day))
			}
		}
		if i, ok := next(&vpn); ok {
			g.give(i, covered())
		}
	}
}
