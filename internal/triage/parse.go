package triage

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// expirySoon is how long before its expiry an entry is warned about.
const expirySoon = 14 * 24 * time.Hour

// Parse reads a triage file and reports every mistake at once. The policy is
// nil if one of them is not a warning.
func Parse(file string, data []byte, now time.Time) (*Policy, yamldoc.Problems) {
	root, problems := yamldoc.Parse(file, data)
	if root == nil {
		return nil, problems
	}
	p := &parser{now: now, policy: &Policy{file: file}, ids: map[string]*yamldoc.Node{}}
	if root.Kind == yamldoc.Null {
		p.Warn(root, "the file is empty: nobody is dismissed and nobody confirmed")
	} else {
		p.root(root)
	}
	all := append(problems, p.Problems()...)
	all.Sort()
	if all.Err() != nil {
		return nil, all
	}
	return p.policy, all
}

type parser struct {
	yamldoc.Collector
	now    time.Time
	policy *Policy
	ids    map[string]*yamldoc.Node
}

func (p *parser) root(n *yamldoc.Node) {
	if !p.Fields(n, "protected", "allowlist", "escalate") {
		return
	}
	if prot := n.Get("protected"); prot != nil && p.Fields(prot, "users", "groups", "servicePrincipals") {
		p.policy.protected.users = p.users(prot.Get("users"))
		p.policy.protected.groups = p.names(prot.Get("groups"), nil)
		p.policy.protected.principals = p.principals(prot.Get("servicePrincipals"))
	}
	for _, item := range p.items(n.Get("allowlist")) {
		p.policy.allowlist = append(p.policy.allowlist, p.allow(item))
	}
	for _, item := range p.items(n.Get("escalate")) {
		p.policy.escalations = append(p.policy.escalations, p.escalate(item))
	}
}

// users reads a list of users, each by what is unique.
func (p *parser) users(n *yamldoc.Node) []string {
	return p.names(n, func(at *yamldoc.Node, s string) {
		if !entra.IsUserName(s) {
			p.Add(at, "%q is neither a user principal name nor an object id", s)
		}
	})
}

// names reads a list of names, each once and none of them empty. Each is looked
// at more closely, if there is a function for it.
func (p *parser) names(n *yamldoc.Node, look func(*yamldoc.Node, string)) []string {
	list, _ := p.Strings(n)
	seen := map[string]bool{}
	for i, s := range list {
		at := itemAt(n, i)
		switch {
		case strings.TrimSpace(s) == "":
			p.Add(at, "a name cannot be empty")
		case strings.ContainsFunc(s, unicode.IsControl):
			p.Add(at, "%q holds a control character", s)
		case seen[strings.ToLower(s)]:
			p.Add(at, "%q is named twice", s)
		case look != nil:
			look(at, s)
		}
		seen[strings.ToLower(s)] = true
	}
	return list
}

// id reads the id of an entry, which no other may have.
func (p *parser) id(n *yamldoc.Node) string {
	id, ok := p.String(p.Require(n, "id"))
	if !ok {
		return ""
	}
	at := n.Get("id")
	if strings.TrimSpace(id) == "" {
		p.Add(at, "the id cannot be empty")
	}
	if strings.ContainsFunc(id, unicode.IsControl) {
		p.Add(at, "%q holds a control character", id)
	}
	if other := p.ids[strings.ToLower(id)]; other != nil {
		p.Add(at, "the id %q is used at line %d already", id, other.Line)
	}
	p.ids[strings.ToLower(id)] = at
	return id
}

// text reads a required text that must say something.
func (p *parser) text(n *yamldoc.Node, key string) string {
	s, ok := p.String(p.Require(n, key))
	if ok && strings.TrimSpace(s) == "" {
		p.Add(n.Get(key), "%s cannot be empty", key)
	}
	return s
}

func (p *parser) allow(n *yamldoc.Node) allowEntry {
	if !p.Fields(n, "id", "users", "groups", "servicePrincipals", "groupRiskAccepted", "unknownRiskAccepted", "privileged", "scope", "feedback", "when", "reason", "owner", "expires") {
		return allowEntry{}
	}
	e := allowEntry{id: p.id(n), users: p.users(n.Get("users")), groups: p.names(n.Get("groups"), nil), principals: p.principals(n.Get("servicePrincipals")),
		reason: p.text(n, "reason"), owner: p.text(n, "owner")}
	switch given := n.Get("users") != nil || n.Get("groups") != nil || n.Get("servicePrincipals") != nil; {
	case len(e.users)+len(e.groups)+len(e.principals) > 0:
	case given:
		p.Add(n, "names nobody: users, groups and servicePrincipals are empty")
	default:
		p.Add(n, "names nobody: give users, groups, servicePrincipals or several of them")
	}
	e.groupRiskAccepted, _ = p.Bool(n.Get("groupRiskAccepted"))
	e.privileged, _ = p.Bool(n.Get("privileged"))
	if e.groupRiskAccepted && len(e.groups) == 0 {
		p.Warn(n.Get("groupRiskAccepted"), "says nothing: the entry has no groups")
	}
	p.scope(&e, n)
	p.expiry(&e, p.Require(n, "expires"))
	when := p.Require(n, "when")
	if when == nil || !p.Fields(when, "riskEventTypes", "maxRiskLevel", "ipRanges", "countries") {
		return e
	}
	types := p.Require(when, "riskEventTypes")
	known := knownTypes(len(e.users)+len(e.groups) > 0 || len(e.principals) == 0, len(e.principals) > 0)
	e.when.eventTypes = p.eventTypes(types, true, known)
	p.unknownTypes(n.Get("unknownRiskAccepted"), types, e.when.eventTypes, known)
	e.when.maxLevel = p.level(p.Require(when, "maxRiskLevel"))
	e.when.ranges = p.ranges(when.Get("ipRanges"))
	e.when.countries = p.countries(when.Get("countries"))
	return e
}

// scope reads what an entry closes: all of a user's risk, or the sign-ins that it
// covers.
func (p *parser) scope(e *allowEntry, n *yamldoc.Node) {
	if scope := n.Get("scope"); scope != nil {
		word, _ := p.Enum(scope, "user", "detections")
		e.bySignIn = word == "detections"
		if e.bySignIn && len(e.principals) > 0 {
			p.Add(scope, "scope: detections is for users: the risk of a service principal is dismissed as a whole")
		}
	}
	if feedback := n.Get("feedback"); feedback != nil {
		word, ok := p.Enum(feedback, "dismiss", "confirmSafe")
		e.safe = word == "confirmSafe"
		if ok && !e.bySignIn {
			p.Add(feedback, "feedback is for scope: detections; all of a user's risk is dismissed")
		}
	}
}

func (p *parser) escalate(n *yamldoc.Node) escalation {
	if !p.Fields(n, "id", "servicePrincipals", "when", "reason", "privileged", "then") {
		return escalation{}
	}
	e := escalation{id: p.id(n), reason: p.text(n, "reason")}
	e.privileged, _ = p.Bool(n.Get("privileged"))
	e.then = p.steps(n.Get("then"))
	if of := n.Get("servicePrincipals"); of != nil {
		e.principals = p.names(of, nil)
		if list, ok := p.Strings(of); ok && len(list) == 0 {
			p.Add(of, "names none: give service principals, or All; without servicePrincipals the escalation is about users")
		}
		if len(e.then) > 0 {
			p.Add(n.Get("then"), "what is done to an account is for users: a service principal is confirmed compromised and nothing more")
		}
	}
	when := p.Require(n, "when")
	if when == nil || !p.Fields(when, "riskEventTypes", "minRiskLevel", "ipRanges", "countries") {
		return e
	}
	if len(when.Keys) == 0 {
		p.Add(when, "an escalation without a condition would confirm everybody")
	}
	if types := when.Get("riskEventTypes"); types != nil {
		e.when.eventTypes = p.eventTypes(types, false, knownTypes(len(e.principals) == 0, len(e.principals) > 0))
	}
	if level := when.Get("minRiskLevel"); level != nil {
		e.when.minLevel = p.level(level)
	}
	e.when.ranges = p.ranges(when.Get("ipRanges"))
	e.when.countries = p.countries(when.Get("countries"))
	return e
}

// steps reads what an escalation has done: always the confirmation, by which it
// is known that the rest was asked for, and what is done to the account.
func (p *parser) steps(n *yamldoc.Node) []Step {
	if n == nil {
		return nil
	}
	const confirm = string(ConfirmCompromised)
	words := []string{confirm}
	for _, s := range Steps {
		words = append(words, string(s))
	}
	items := p.items(n)
	named := map[string]bool{}
	for _, item := range items {
		word, ok := p.Enum(item, words...)
		if !ok {
			continue
		}
		if named[word] {
			p.Add(item, "%q is named twice", word)
		}
		named[word] = true
	}
	if n.Kind == yamldoc.Sequence && !named[confirm] {
		p.Add(n, "then must name %s: what is done to the account goes with the confirmation", confirm)
	}
	var out []Step
	for _, s := range Steps {
		if named[string(s)] {
			out = append(out, s)
		}
	}
	return out
}

// expiry reads the last day on which an entry covers.
func (p *parser) expiry(e *allowEntry, n *yamldoc.Node) {
	day, ok := p.Date(n)
	if !ok {
		return
	}
	e.expiresText = day.Format(time.DateOnly)
	e.expires = day.AddDate(0, 0, 1)
	switch {
	case !p.now.Before(e.expires):
		p.Warn(n, "the entry %q expired on %s and covers nothing", e.id, e.expiresText)
	case e.expires.Sub(p.now) <= expirySoon:
		p.Warn(n, "the entry %q expires on %s, within 14 days", e.id, e.expiresText)
	}
}

// itemAt is the node of an element of a list; a list of one may stand as the element
// itself.
func itemAt(n *yamldoc.Node, i int) *yamldoc.Node {
	if i < len(n.Items) {
		return n.Items[i]
	}
	return n
}

// principals reads a list of service principals; All stands for none of them.
func (p *parser) principals(n *yamldoc.Node) []string {
	list := p.names(n, nil)
	for i, s := range list {
		if s == AllPrincipals {
			at := itemAt(n, i)
			p.Add(at, "All is for an escalation: an entry, and what is protected, names each service principal")
		}
	}
	return list
}

// knownTypes are the event types of those whom a rule is about.
func knownTypes(users, principals bool) []string {
	var known []string
	if users {
		known = append(known, entra.EventTypes...)
	}
	if principals {
		known = append(known, entra.PrincipalEventTypes...)
	}
	return known
}

func (p *parser) eventTypes(n *yamldoc.Node, allow bool, known []string) []string {
	list, ok := p.Strings(n)
	if !ok {
		return nil
	}
	if len(list) == 0 {
		p.Add(n, "riskEventTypes cannot be empty")
	}
	for i, t := range list {
		at := itemAt(n, i)
		switch {
		case allow && entra.NeverAllowed(t):
			p.Add(at, "%s cannot be allow-listed: what it says is not a matter of where somebody signed in from", t)
		case !allow && !hasFold(known, t):
			if near := nearestType(t, known); near != "" {
				p.Warn(at, "unknown riskEventType %q (did you mean %q?)", t, near)
			} else {
				p.Warn(at, "unknown riskEventType %q", t)
			}
		}
	}
	return list
}

// unknownTypes refuses types in an allowlist entry that this version does not
// know, for it cannot know what they say, unless the entry accepts that.
func (p *parser) unknownTypes(leave, types *yamldoc.Node, list, known []string) {
	accepted, _ := p.Bool(leave)
	found := false
	for i, t := range list {
		if hasFold(known, t) || entra.NeverAllowed(t) {
			continue
		}
		found = true
		at := itemAt(types, i)
		hint := ""
		if near := nearestType(t, known); near != "" {
			hint = fmt.Sprintf(" (did you mean %q?)", near)
		}
		if accepted {
			p.Warn(at, "riskEventType %q is not known to this version%s; unknownRiskAccepted lets the entry cover it", t, hint)
		} else {
			p.Add(at, "unknown riskEventType %q%s; what this version does not know is allow-listed only with unknownRiskAccepted: true in the entry", t, hint)
		}
	}
	if accepted && !found {
		p.Warn(leave, "says nothing: this version knows all riskEventTypes of the entry")
	}
}

// portalTypes are types of detections by the names that the Entra admin center has for
// them, where those are other words.
var portalTypes = map[string]string{
	"activityfromanonymousipaddress": "riskyIPAddress", "additionalriskdetected": "generic", "anonymousipaddress": "anonymizedIPAddress",
	"atypicaltravel": "unlikelyTravel", "massaccesstosensitivefiles": "mcasFinSuspiciousFileAccess", "microsoftentrathreatintelligence": "investigationsThreatIntelligence",
	"possibleattempttoaccessprimaryrefreshtoken": "attemptedPrtAccess", "suspiciousinboxmanipulationrules": "mcasSuspiciousInboxManipulationRules",
	"unfamiliarsigninproperties": "unfamiliarFeatures", "verifiedthreatactorip": "nationStateIP",
}

// nearestType is the type that a word most likely stands for, empty if none is near.
func nearestType(word string, known []string) string {
	plain := strings.ToLower(strings.NewReplacer(" ", "", "-", "", "_", "").Replace(word))
	if t := portalTypes[plain]; slices.Contains(known, t) {
		return t
	}
	return yamldoc.Nearest(word, known)
}

func (p *parser) level(n *yamldoc.Node) entra.RiskLevel {
	s, _ := p.Enum(n, "low", "medium", "high")
	return entra.RiskLevel(s)
}

func (p *parser) ranges(n *yamldoc.Node) []netip.Prefix {
	list, ok := p.Strings(n)
	if !ok {
		return nil
	}
	if len(list) == 0 {
		p.Add(n, "ipRanges cannot be empty; leave it out to take any address")
	}
	var out []netip.Prefix
	for i, s := range list {
		at := itemAt(n, i)
		prefix, err := parsePrefix(s)
		if err != nil {
			p.Add(at, "%s", err)
			continue
		}
		out = append(out, prefix)
	}
	return out
}

// parsePrefix reads a network or a single address.
func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		return prefix, fmt.Errorf("%q is no network in CIDR form (203.0.113.0/24, 2001:db8::/32)", s)
	}
	if prefix != prefix.Masked() {
		return prefix, fmt.Errorf("%q has bits beyond its length; the network is %s", s, prefix.Masked())
	}
	if prefix.Addr().Is4In6() {
		if prefix.Bits() < 96 {
			return prefix, fmt.Errorf("%q mixes IPv4 and IPv6", s)
		}
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
	}
	if prefix.Bits() == 0 {
		return prefix, fmt.Errorf("%q is every address; leave ipRanges out instead", s)
	}
	return prefix, nil
}

func (p *parser) countries(n *yamldoc.Node) []string {
	list, ok := p.Strings(n)
	if !ok {
		return nil
	}
	if len(list) == 0 {
		p.Add(n, "countries cannot be empty; leave it out to take any country")
	}
	for i, c := range list {
		at := itemAt(n, i)
		if known, meant := entra.Country(c); !known {
			problem := yamldoc.Problem{File: at.File, Line: at.Line, Column: at.Column, Path: at.Path, Offending: c, Suggestion: meant,
				Message: fmt.Sprintf("%q is no country code of two letters (ISO 3166-1: US, DE)", c)}
			p.AddProblem(problem)
		}
	}
	return list
}

func (p *parser) items(n *yamldoc.Node) []*yamldoc.Node {
	items, _ := p.Items(n)
	return items
}
