package triage

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
)

// Directory is what a run resolved at its start. Every decision is made with
// these ids.
type Directory struct {
	Names entra.Names
	// Members are the transitive members of groups by group id; MemberErrors
	// says why a group's could not be read.
	Members      map[entra.ID][]entra.DirectoryObject
	MemberErrors map[entra.ID]error
	// Privileged is nil if roles could not be read, with the reason.
	Privileged      *entra.Privileged
	PrivilegedError string
	// PrivilegedUnasked says that nobody asked, since no rule is to decide.
	PrivilegedUnasked bool
	// BreakGlass says of each break-glass user id why it is one;
	// BreakGlassError says why somebody may be missing there.
	BreakGlass      map[entra.ID]string
	BreakGlassError string
	// PreviousMembers are the members of groups at the last run.
	PreviousMembers map[entra.ID][]entra.ID
	// Own is the user that the run works as; empty if it works as an application.
	Own entra.ID
}

// Finding is something that a person should know of the rules. Blocked says
// that the entry does nothing in this run.
type Finding struct {
	Entry   string `json:"entry,omitempty"`
	Blocked bool   `json:"blocked"`
	Text    string `json:"text"`
}

// Rules are a policy bound to the ids of one tenant.
type Rules struct {
	policy          *Policy
	protected       map[entra.ID]string // user id -> by what
	protectionError string
	privileged      *entra.Privileged
	privilegedError string
	breakGlass      map[entra.ID]string
	own             entra.ID
	entries         []boundEntry
	escalations     []boundEscalation // of service principals
}

// boundEntry is an allowlist entry with ids. A blocked one covers nothing.
type boundEntry struct {
	*allowEntry
	users  map[entra.ID]bool
	groups []boundGroup
	// principals are object ids and app ids of service principals.
	principals map[entra.ID]bool
	blocked    string
	expired    bool
	matched    bool
}

type boundGroup struct {
	name    string
	members map[entra.ID]bool
}

// Bind resolves the policy's names. A name that stands for nothing or for
// several objects blocks the entry that uses it; in the protected section it
// keeps every rule from deciding about anybody.
func (p *Policy) Bind(d Directory, now time.Time) (*Rules, []Finding) {
	b := &binder{Directory: d, sets: map[entra.ID]map[entra.ID]bool{}}
	r := &Rules{policy: p, protected: map[entra.ID]string{}, privileged: d.Privileged, privilegedError: d.PrivilegedError, breakGlass: d.BreakGlass, own: d.Own}
	switch {
	case r.privileged != nil:
	case d.PrivilegedUnasked:
		r.privilegedError = "they were not asked for"
	default:
		if r.privilegedError == "" {
			r.privilegedError = "unknown reason"
		}
		b.find("", true, "directory roles could not be read, so nobody is dismissed: %s", r.privilegedError)
	}
	b.protected(p, r)
	for i := range p.allowlist {
		r.entries = append(r.entries, b.entry(&p.allowlist[i], now))
	}
	for i := range p.escalations {
		if e := &p.escalations[i]; len(e.principals) > 0 {
			r.escalations = append(r.escalations, b.escalation(e))
		}
	}
	return r, b.findings
}

type binder struct {
	Directory
	sets     map[entra.ID]map[entra.ID]bool
	findings []Finding
}

func (b *binder) find(entry string, blocked bool, format string, args ...any) {
	b.findings = append(b.findings, Finding{Entry: entry, Blocked: blocked, Text: fmt.Sprintf(format, args...)})
}

// resolve gives the one object a name stands for, or why there is none.
func (b *binder) resolve(kind entra.ObjectKind, name string) (entra.DirectoryObject, string) {
	r, ok := b.Names[entra.Ref{Kind: kind, Name: name}]
	switch o, one := r.Resolved(); {
	case one:
		return o, ""
	case r.Unread != nil, r.Is != nil:
		return o, r.Problem()
	case !ok || len(r.Objects) == 0:
		return o, fmt.Sprintf("the %s %q does not exist", kind, name)
	default:
		return o, fmt.Sprintf("%d %ss are called %q", len(r.Objects), kind, name)
	}
}

// members gives a group's members as a set, or why it has none.
func (b *binder) members(g entra.DirectoryObject, name string) (map[entra.ID]bool, string) {
	if set, ok := b.sets[g.ID]; ok {
		return set, ""
	}
	list, ok := b.Members[g.ID]
	err := b.MemberErrors[g.ID]
	if !ok || err != nil {
		why := "not read"
		if err != nil {
			why = err.Error()
		}
		return nil, fmt.Sprintf("the members of the group %q could not be read: %s", name, why)
	}
	set := make(map[entra.ID]bool, len(list))
	for _, m := range list {
		set[m.ID] = true
	}
	b.sets[g.ID] = set
	return set, ""
}

func (b *binder) protected(p *Policy, r *Rules) {
	var broken []string
	if b.BreakGlassError != "" {
		broken = append(broken, b.BreakGlassError)
	}
	for _, name := range p.protected.users {
		o, why := b.resolve(entra.KindUser, name)
		if why != "" {
			broken = append(broken, why)
			continue
		}
		r.protected[o.ID] = "protected.users names " + name
	}
	for _, name := range p.protected.groups {
		g, why := b.resolve(entra.KindGroup, name)
		if why != "" {
			broken = append(broken, why)
			continue
		}
		set, why := b.members(g, name)
		if why != "" {
			broken = append(broken, why)
			continue
		}
		for id := range set {
			r.protected[id] = "member of the protected group " + name
		}
	}
	ids, unresolved := b.principals(p.protected.principals)
	broken = append(broken, unresolved...)
	for id := range ids {
		r.protected[id] = "protected.servicePrincipals names it"
	}
	if len(broken) > 0 {
		r.protectionError = strings.Join(broken, "; ")
		b.find("protected", true, "who is protected is not known, so no rule decides about anybody: %s", r.protectionError)
	}
}

func (b *binder) entry(e *allowEntry, now time.Time) boundEntry {
	out := boundEntry{allowEntry: e, users: map[entra.ID]bool{}, expired: !now.Before(e.expires)}
	var broken []string
	for _, name := range e.users {
		o, why := b.resolve(entra.KindUser, name)
		if why != "" {
			broken = append(broken, why)
			continue
		}
		out.users[o.ID] = true
	}
	for _, name := range e.groups {
		g, why := b.resolve(entra.KindGroup, name)
		if why == "" && g.Dynamic {
			why = fmt.Sprintf("the group %q is dynamic: its rule decides who is in it, not a person", name)
		}
		if why == "" && !g.RoleAssignable && !e.groupRiskAccepted {
			why = fmt.Sprintf("the group %q is not role-assignable, so its owners can widen the allowlist; say groupRiskAccepted: true if that is meant", name)
		}
		var set map[entra.ID]bool
		if why == "" {
			set, why = b.members(g, name)
		}
		if why != "" {
			broken = append(broken, why)
			continue
		}
		out.groups = append(out.groups, boundGroup{name: name, members: set})
		b.joined(e.id, name, g.ID)
	}
	ids, unresolved := b.principals(e.principals)
	out.principals, broken = ids, append(broken, unresolved...)
	if len(broken) > 0 {
		out.blocked = strings.Join(broken, "; ")
		b.find(e.id, true, "the allowlist entry %q covers nothing in this run: %s", e.id, out.blocked)
	}
	return out
}

// joined names the members who came into an allow-listed group since the last
// run.
func (b *binder) joined(entry, name string, id entra.ID) {
	before, ok := b.PreviousMembers[id]
	if !ok {
		return
	}
	was := make(map[entra.ID]bool, len(before))
	for _, m := range before {
		was[m] = true
	}
	var fresh []string
	for _, m := range b.Members[id] {
		if !was[m.ID] {
			who := m.UserPrincipalName
			if who == "" {
				who = string(m.ID)
			}
			fresh = append(fresh, who)
		}
	}
	if len(fresh) == 0 {
		return
	}
	slices.Sort(fresh)
	shown := fresh
	more := ""
	if len(fresh) > 20 {
		shown, more = fresh[:20], fmt.Sprintf(" and %d more", len(fresh)-20)
	}
	b.find(entry, false, "joined the allow-listed group %q since the last run: %s%s", name, strings.Join(shown, ", "), more)
}

// names says how an entry names a user: directly, by a group, or not at all.
func (e *boundEntry) names(userID entra.ID) string {
	if e.users[userID] {
		return "direct"
	}
	for _, g := range e.groups {
		if g.members[userID] {
			return "by group " + g.name
		}
	}
	return ""
}

// Protected says why no rule may decide about a user, or nothing.
func (r *Rules) Protected(userID entra.ID) string {
	if r.protectionError != "" {
		return "who is protected is not known: " + r.protectionError
	}
	return r.protected[userID]
}

// Unmatched finds the live entries that covered nobody's detection so far. Where
// service principals were not read, those that name any are left out.
func (r *Rules) Unmatched(principals bool) []Finding {
	var out []Finding
	for _, e := range r.entries {
		if !principals && len(e.principals) > 0 {
			continue
		}
		if !e.matched && !e.expired && e.blocked == "" {
			out = append(out, Finding{Entry: e.id, Text: fmt.Sprintf("the allowlist entry %q matched nobody in this run", e.id)})
		}
	}
	return out
}

// Refs are the names that must be resolved.
func (p *Policy) Refs() []entra.Ref {
	out := p.ProtectedRefs()
	for _, e := range p.allowlist {
		out = addRefs(addRefs(out, entra.KindUser, e.users), entra.KindGroup, e.groups)
		out = principalRefs(out, e.principals)
	}
	for _, e := range p.escalations {
		out = principalRefs(out, slices.DeleteFunc(slices.Clone(e.principals), func(n string) bool { return n == AllPrincipals }))
	}
	return out
}

// ProtectedRefs are those of them without which no rule may decide.
func (p *Policy) ProtectedRefs() []entra.Ref {
	return principalRefs(addRefs(addRefs(nil, entra.KindUser, p.protected.users), entra.KindGroup, p.protected.groups), p.protected.principals)
}

// principalRefs are names of service principals; an id may be that of the object
// or of the application.
func principalRefs(out []entra.Ref, names []string) []entra.Ref {
	out = addRefs(out, entra.KindServicePrincipal, names)
	return addRefs(out, entra.KindApplication, slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !entra.IsID(n) }))
}

func addRefs(out []entra.Ref, kind entra.ObjectKind, names []string) []entra.Ref {
	for _, n := range names {
		if r := (entra.Ref{Kind: kind, Name: n}); !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}
