package report

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/triage"
)

// Campaign is a group of users whose open detections belong together: they
// share an address, a network, a correlation or a type within a short time, or
// are nearly covered by the same entry of the allowlist.
type Campaign struct {
	ID string `json:"id"` // c1 is the largest
	// Kind is address, network, correlation, type or nearMiss; Of is which one:
	// of near misses the allowlist entry.
	Kind      string    `json:"kind"`
	Of        string    `json:"of"`
	Types     []string  `json:"types"`
	Addresses int       `json:"addresses"`
	Users     []UserRef `json:"users"`
	// Total counts all users, also those beyond the thousand that are listed.
	Total int       `json:"total"`
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Summary says it in a sentence.
	Summary string `json:"summary"`
}

// The kinds of campaigns.
const (
	ByAddress     = "address"
	ByNetwork     = "network"
	ByCorrelation = "correlation"
	ByType        = "type"
	ByNearMiss    = "nearMiss"
)

// What makes a group: how many users at least, and how long nothing may happen
// in between. A type alone says little, so that it takes more of both.
const (
	addressUsers = 2
	networkUsers = 3
	typeUsers    = 5
	placeGap     = 24 * time.Hour
	typeGap      = 6 * time.Hour
	nearGap      = 100 * 365 * 24 * time.Hour // one entry is one cause, whenever
	maxCampaigns = 50
	maxSightings = 200_000 // open detections that are looked at
)

// Campaigns gathers the open detections of a run.
type Campaigns struct {
	redact    Redaction
	users     []UserRef
	sightings []sighting
	missed    int
}

type sighting struct {
	user      int32
	at        int64 // unix seconds, 0 if not known
	address   netip.Addr
	eventType string
	// correlation is that of the sign-in, near the entry that nearly covers it.
	correlation, near string
}

// NewCampaigns begins to gather.
func NewCampaigns(r Redaction) *Campaigns { return &Campaigns{redact: r} }

// Add takes in a user whose risk no allowlist entry explains, with the entries
// that nearly do.
func (c *Campaigns) Add(id, name string, open []triage.Detection, near []triage.NearMiss) {
	if len(open) == 0 {
		return
	}
	if len(c.sightings)+len(open) > maxSightings {
		c.missed++
		return
	}
	c.users = append(c.users, UserRef{ID: strings.Clone(id), Name: strings.Clone(c.redact.Text(name))}) // not parts of the page that was read
	for _, d := range open {
		s := sighting{user: int32(len(c.users) - 1), eventType: d.EventType, correlation: strings.ToLower(d.CorrelationID)}
		if t, ok := d.Detected.Time(); ok {
			s.at = t.Unix()
		}
		if a, err := netip.ParseAddr(d.IP); err == nil {
			s.address = a.Unmap().WithZone("")
		}
		for _, n := range near {
			if s.near == "" && slices.Contains(n.Detections, d.ID) {
				s.near = n.Entry
			}
		}
		c.sightings = append(c.sightings, s)
	}
}

// Missed says of how many users nothing was taken in, because there was too much;
// empty if of none.
func (c *Campaigns) Missed() string {
	if c.missed == 0 {
		return ""
	}
	return fmt.Sprintf("campaigns are looked for among %d open detections; those of %s more are left out", maxSightings, Number(c.missed, "user"))
}

// Find gives the groups, the largest first. A group that says no more than
// another one is left out: a network with one address, a type whose users all
// share an address.
func (c *Campaigns) Find() []Campaign {
	out := []Campaign{}
	covered := map[string]map[int32]bool{} // type -> users of the groups so far
	for _, k := range []struct {
		kind       string
		key        func(*sighting) string
		users, ips int
		gap        time.Duration
	}{
		{ByAddress, func(s *sighting) string { return addressText(s.address) }, addressUsers, 1, placeGap},
		{ByNetwork, func(s *sighting) string { return network(s.address) }, networkUsers, 2, placeGap},
		{ByCorrelation, func(s *sighting) string { return s.correlation }, addressUsers, 0, placeGap},
		{ByType, func(s *sighting) string { return s.eventType }, typeUsers, 0, typeGap},
		{ByNearMiss, func(s *sighting) string { return s.near }, addressUsers, 0, nearGap},
	} {
		groups := grouped(c.sightings, k.key, k.users)
		for _, key := range slices.Sorted(maps.Keys(groups)) {
			for _, burst := range bursts(groups[key], k.gap) {
				if len(burst) < k.users {
					continue
				}
				g := c.group(k.kind, key, burst)
				if g.Total < k.users || g.Addresses < k.ips || k.kind != ByAddress && k.kind != ByNearMiss && allCovered(covered, burst) {
					continue
				}
				out = append(out, g)
				if k.kind == ByType || k.kind == ByNearMiss {
					continue
				}
				for _, s := range burst {
					if covered[s.eventType] == nil {
						covered[s.eventType] = map[int32]bool{}
					}
					covered[s.eventType][s.user] = true
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Campaign) int {
		return cmp.Or(b.Total-a.Total, b.Until.Compare(a.Until))
	})
	out = out[:min(len(out), maxCampaigns)]
	for i := range out {
		out[i].ID = fmt.Sprintf("c%d", i+1)
	}
	return out
}

// grouped gives the sightings that have a key in common, where they are at least so
// many: most have none.
func grouped(list []sighting, keyOf func(*sighting) string, least int) map[string][]*sighting {
	keys, count := make([]string, len(list)), map[string]int{}
	for i := range list {
		if keys[i] = keyOf(&list[i]); keys[i] != "" {
			count[keys[i]]++
		}
	}
	groups := map[string][]*sighting{}
	for i, key := range keys {
		if n := count[key]; n >= least {
			if groups[key] == nil {
				groups[key] = make([]*sighting, 0, n)
			}
			groups[key] = append(groups[key], &list[i])
		}
	}
	return groups
}

// Seen is an address that open detections came from, and of how many users.
type Seen struct {
	Address string
	Users   int
}

// Addresses are where the open detections came from, the address of most users
// first.
func (c *Campaigns) Addresses(most int) []Seen {
	users := map[netip.Addr]map[int32]bool{}
	for _, s := range c.sightings {
		if !s.address.IsValid() {
			continue
		}
		if users[s.address] == nil {
			users[s.address] = map[int32]bool{}
		}
		users[s.address][s.user] = true
	}
	var out []Seen
	for address, of := range users {
		if text := c.redact.Text(addressText(address)); text != "" {
			out = append(out, Seen{text, len(of)})
		}
	}
	slices.SortFunc(out, func(a, b Seen) int { return cmp.Or(b.Users-a.Users, strings.Compare(a.Address, b.Address)) })
	return out[:min(len(out), most)]
}

// bursts splits sightings where nothing happened for longer than the gap.
// Those whose time is not known are a part of their own.
func bursts(list []*sighting, gap time.Duration) (out [][]*sighting) {
	slices.SortStableFunc(list, func(a, b *sighting) int { return cmp.Compare(a.at, b.at) })
	begin := 0
	for i := 1; i <= len(list); i++ {
		if i == len(list) || list[i].at-list[i-1].at > int64(gap.Seconds()) {
			out = append(out, list[begin:i])
			begin = i
		}
	}
	return out
}

func allCovered(covered map[string]map[int32]bool, burst []*sighting) bool {
	return !slices.ContainsFunc(burst, func(s *sighting) bool { return !covered[s.eventType][s.user] })
}

// group describes one burst.
func (c *Campaigns) group(kind, key string, burst []*sighting) Campaign {
	g := Campaign{Kind: kind, Of: key, Users: []UserRef{}}
	users, types, addresses := map[int32]bool{}, map[string]int{}, map[netip.Addr]bool{}
	for _, s := range burst {
		if !users[s.user] && len(g.Users) < maxWaiting {
			g.Users = append(g.Users, c.users[s.user])
		}
		users[s.user] = true
		if s.eventType != "" {
			types[s.eventType]++
		}
		if s.address.IsValid() {
			addresses[s.address] = true
		}
	}
	g.Total, g.Addresses, g.Types = len(users), len(addresses), slices.Sorted(maps.Keys(types))
	nonNil(&g.Types)
	if first, last := burst[0].at, burst[len(burst)-1].at; first != 0 {
		g.Since, g.Until = time.Unix(first, 0).UTC(), time.Unix(last, 0).UTC()
	}
	if kind == ByAddress || kind == ByNetwork {
		g.Of = c.redact.Text(g.Of)
	}
	g.Summary = g.say()
	return g
}

// say is "passwordSpray from 198.51.100.7 at 12 users since 2026-11-30 03:10 UTC".
func (g *Campaign) say() string {
	what := Number(len(g.Types), "type") + " of detection"
	if len(g.Types) == 1 {
		what = g.Types[0]
	}
	switch g.Kind {
	case ByAddress:
		what += " from " + cmp.Or(g.Of, "one address")
	case ByNetwork:
		what += fmt.Sprintf(" from %s of %s", Number(g.Addresses, "address"), cmp.Or(g.Of, "one network"))
	case ByCorrelation:
		what += " in sign-ins with the correlation id " + g.Of
	case ByNearMiss:
		what = "nearly covered by the allowlist entry " + g.Of + ": " + what
	default:
		if g.Addresses > 0 {
			what += " from " + Number(g.Addresses, "address")
		}
	}
	what += " at " + Number(g.Total, "user")
	if !g.Since.IsZero() {
		what += " since " + when(g.Since)
	}
	return what
}

func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// NetworkOf is the /24 or /48 of an address; empty if it is none.
func NetworkOf(text string) string {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return ""
	}
	return network(a.Unmap().WithZone(""))
}

// network is the /24 or /48 of an address.
func network(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	bits := 48
	if a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}

// PrivilegedOf counts those who hold a directory role.
func PrivilegedOf(list []Waiting) int {
	n := 0
	for _, w := range list {
		if w.Privileged {
			n++
		}
	}
	return n
}
