package exception

import (
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// Known is what an exceptions file is checked with.
type Known struct {
	Now time.Time
	// MaxDuration is the longest that an exception may last; zero is the
	// default.
	MaxDuration time.Duration
	// Policies says of each policy of the baseline, by its key, whether it
	// takes exceptions; nil checks no keys.
	Policies map[string]bool
	// Named are the keys of those policies by their displayName.
	Named map[string]string
	// BreakGlass are the users that the baseline names as break-glass accounts.
	BreakGlass []string
	// Users are names of users that other files hold, to suggest.
	Users []string
}

// Parse reads an exceptions file and reports every mistake at once. The list is
// nil if one of them is not a warning.
func Parse(file string, data []byte, k Known) (*List, yamldoc.Problems) {
	if k.MaxDuration == 0 {
		k.MaxDuration = DefaultMaxDuration
	}
	root, problems := yamldoc.Parse(file, data)
	list := &List{MaxDuration: k.MaxDuration}
	if root == nil {
		if problems.Err() != nil {
			return nil, problems
		}
		return list, problems
	}
	p := &parser{Known: k, ids: map[string]int{}}
	if root.Kind != yamldoc.Null && p.Fields(root, "$schema", "exceptions") {
		if n := root.Get("exceptions"); n == nil {
			p.Require(root, "exceptions")
		} else if n.Kind != yamldoc.Null { // an empty section, its entries commented out
			items, _ := p.Items(n)
			for _, n := range items {
				e := p.one(n)
				e.File = file
				list.Exceptions = append(list.Exceptions, e)
			}
		}
	}
	all := append(problems, p.Problems()...)
	all.Sort()
	if all.Err() != nil {
		return nil, all
	}
	return list, all
}

type parser struct {
	yamldoc.Collector
	Known
	ids map[string]int
}

var keys = []string{"id", "users", "policies", "until", "reason", "owner", "ticket", "privileged"}

func (p *parser) one(n *yamldoc.Node) Exception {
	e := Exception{Line: n.Line, Column: n.Column}
	if !p.Fields(n, keys...) {
		return e
	}
	e.ID = p.text(p.Require(n, "id"))
	if at := p.ids[strings.ToLower(e.ID)]; at != 0 && e.ID != "" {
		p.Add(n.Get("id"), "the id %q is used at line %d already", e.ID, at)
	} else if e.ID != "" {
		p.ids[strings.ToLower(e.ID)] = n.Get("id").Line
	}
	e.Users = p.users(p.Require(n, "users"))
	e.Policies = p.policies(p.Require(n, "policies"))
	e.Until = p.until(p.Require(n, "until"), e.ID)
	e.Reason = p.text(p.Require(n, "reason"))
	e.Owner = p.text(p.Require(n, "owner"))
	if at := n.Get("ticket"); at != nil {
		e.Ticket = p.text(at)
	}
	if at := n.Get("privileged"); at != nil {
		e.Privileged, _ = p.Bool(at)
	}
	return e
}

func (p *parser) users(n *yamldoc.Node) []string {
	return p.names(n, "user", func(at *yamldoc.Node, s string) {
		switch {
		case !entra.IsUserName(s):
			p.Suggest(at, p.likely(s), p.Users, "%q is neither a user principal name nor an object id; an exception names users one by one", s)
		case slices.ContainsFunc(p.BreakGlass, func(u string) bool { return strings.EqualFold(u, s) }):
			p.Add(at, "%q is a break-glass account: every policy excludes it already, and it needs no exception", s)
		}
	})
}

// likely is the user principal name that begins with a text, if one is known:
// it is the nearest.
func (p *parser) likely(s string) string {
	for _, u := range p.Users {
		if local, _, _ := strings.Cut(u, "@"); strings.EqualFold(local, s) {
			return u
		}
	}
	return s
}

func (p *parser) policies(n *yamldoc.Node) []string {
	return p.names(n, "policy", func(at *yamldoc.Node, s string) {
		if p.Policies == nil {
			return
		}
		switch takes, ok := p.Policies[s]; {
		case !ok:
			var known []string
			for key := range p.Policies {
				known = append(known, key)
			}
			slices.Sort(known)
			if key := p.Named[s]; key != "" {
				p.Add(at, "%q is a displayName; the policy's key is %s", s, key)
				return
			}
			p.Suggest(at, s, known, "the baseline has no policy with the key %q", s)
		case !takes:
			p.Add(at, "the policy %s takes no exceptions: its baseline says exceptions: none", s)
		}
	})
}

// names reads a list of names, each once, at least one.
func (p *parser) names(n *yamldoc.Node, what string, check func(*yamldoc.Node, string)) []string {
	items, ok := p.Items(n)
	if ok && len(items) == 0 {
		p.Add(n, "names no %s", what)
	}
	var out []string
	for _, it := range items {
		s, ok := p.String(it)
		switch {
		case !ok:
		case strings.TrimSpace(s) == "" || strings.TrimSpace(s) != s:
			p.Add(it, "must be the name of a %s without blanks around it", what)
		case slices.ContainsFunc(out, func(o string) bool { return strings.EqualFold(o, s) }):
			p.Add(it, "%q stands here twice", s)
		default:
			check(it, s)
			if entra.IsID(s) {
				s = strings.ToLower(s)
			}
			out = append(out, s)
		}
	}
	return out
}

// until reads the end: a time with its zone, or a day, which counts to its end
// in UTC.
func (p *parser) until(n *yamldoc.Node, id string) time.Time {
	if n == nil {
		return time.Time{}
	}
	end, err := time.Parse(time.RFC3339, n.Value)
	if err != nil || n.Kind == yamldoc.Mapping || n.Kind == yamldoc.Sequence {
		day, err := time.Parse(time.DateOnly, n.Value)
		if err != nil || n.Kind == yamldoc.Mapping || n.Kind == yamldoc.Sequence {
			p.Add(n, "must be a time with its zone such as 2026-12-08T18:00:00Z, or a day such as 2026-12-08, which counts to its end in UTC")
			return time.Time{}
		}
		end = day.AddDate(0, 0, 1)
	}
	end = end.UTC()
	switch {
	case !p.Now.Before(end):
		p.Warn(n, "the exception %q ended at %s; delete it", id, Time(end))
	case end.Sub(p.Now) > p.MaxDuration:
		p.Add(n, "the exception %q would end in %s; exceptions.maxDuration allows %s, which is until %s", id, Days(end.Sub(p.Now)), Days(p.MaxDuration), Time(p.Now.Add(p.MaxDuration).Truncate(time.Minute)))
	case end.Sub(p.Now) <= plan.Soon:
		p.Warn(n, "the exception %q ends at %s, within 3 days", id, Time(end))
	}
	return end
}

func (p *parser) text(n *yamldoc.Node) string {
	s, ok := p.String(n)
	if ok && strings.TrimSpace(s) == "" {
		p.Add(n, "cannot be empty")
	}
	return s
}
