package triage

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
)

// Explanation says why a decision is what it is, entry by entry.
type Explanation struct {
	// Kind is user or servicePrincipal; of each, its names.
	Kind               string `json:"kind"`
	UserID             string `json:"userId,omitempty"`
	UserPrincipalName  string `json:"userPrincipalName,omitempty"`
	ServicePrincipalID string `json:"servicePrincipalId,omitempty"`
	DisplayName        string `json:"displayName,omitempty"`
	AppID              string `json:"appId,omitempty"`

	RiskLevel   string           `json:"riskLevel"`
	RiskState   string           `json:"riskState"`
	Decision    Decision         `json:"decision"`
	Guards      []string         `json:"guards"`
	Entries     []ExplainedEntry `json:"allowlist"`
	Escalations []ExplainedEntry `json:"escalate"`
	Detections  []Detection      `json:"detections"`
}

// ExplainedEntry is one rule beside one user or service principal.
type ExplainedEntry struct {
	ID string `json:"id"`
	// Names says how the rule names the subject; empty if it does not.
	Names string `json:"names,omitempty"`
	// State is live, expired or blocked, with the reason.
	State string `json:"state"`
	// Detections says of each open detection whether the rule takes it, and
	// which condition fails otherwise.
	Detections []ExplainedDetection `json:"detections"`
}

// ExplainedDetection is one detection beside one rule.
type ExplainedDetection struct {
	ID    string `json:"id"`
	Taken bool   `json:"taken"`
	Why   string `json:"why,omitempty"`
}

// Explain decides on a user and says why, entry by entry.
func (r *Rules) Explain(e Evidence, now time.Time) Explanation {
	x := Explanation{Kind: string(entra.KindUser), UserID: string(e.User.ID), UserPrincipalName: e.User.UserPrincipalName, RiskLevel: string(e.User.RiskLevel),
		RiskState: string(e.User.RiskState), Decision: r.Decide(e, now), Guards: []string{}, Entries: []ExplainedEntry{},
		Escalations: []ExplainedEntry{}, Detections: append([]Detection{}, e.Detections...)}
	for _, guard := range []func(*Decision) bool{
		func(d *Decision) bool { return r.settled(d, e, now) },
		func(d *Decision) bool { return r.notNow(d, e, now) },
		func(d *Decision) bool { return r.repeated(d, e, now) },
	} {
		var d Decision
		if guard(&d) {
			x.Guards = append(x.Guards, d.Reasons...)
		}
	}
	if why := unknownLevel("user", e.User.RiskLevel); why != "" {
		x.Guards = append(x.Guards, why)
	}
	if _, why := r.untouchable(e.User.ID); why != "" {
		x.Guards = append(x.Guards, why)
	}
	if why := r.roles(e.User.ID); why != "" {
		x.Guards = append(x.Guards, "privileged: the user "+why)
	}
	if r.privileged == nil {
		x.Guards = append(x.Guards, "directory roles could not be read: "+r.privilegedError)
	}
	if e.Incomplete != "" {
		x.Guards = append(x.Guards, "the evidence is not complete: "+e.Incomplete)
	}
	for i := range r.policy.escalations {
		rule := &r.policy.escalations[i]
		one := ExplainedEntry{ID: rule.id, Names: "everybody", State: "live", Detections: []ExplainedDetection{}}
		if len(rule.principals) > 0 {
			one.Names, one.State = "", "it is about service principals"
		}
		one.beside(e.Detections, rule.when.unmatched)
		x.Escalations = append(x.Escalations, one)
	}
	for i := range r.entries {
		x.Entries = append(x.Entries, r.entries[i].explained(r.entries[i].names(e.User.ID), e.Detections))
	}
	return x
}

// explained is an entry of the allowlist beside one subject, which it names so.
func (b *boundEntry) explained(names string, detections []Detection) ExplainedEntry {
	one := ExplainedEntry{ID: b.id, Names: names, State: "live until the end of " + b.expiresText, Detections: []ExplainedDetection{}}
	switch {
	case b.blocked != "":
		one.State = "blocked: " + b.blocked
	case b.expired:
		one.State = "expired on " + b.expiresText
	}
	if b.bySignIn {
		one.State += "; closes single sign-ins (" + b.feedback() + ")"
	}
	one.beside(detections, b.when.uncovered)
	return one
}

// beside says of each detection why the rule does not take it.
func (x *ExplainedEntry) beside(detections []Detection, why func(*Detection) string) {
	for j := range detections {
		det := &detections[j]
		not := why(det)
		x.Detections = append(x.Detections, ExplainedDetection{ID: det.ID, Taken: not == "", Why: not})
	}
}

// ExplainServicePrincipal decides on a service principal and says why, entry by
// entry.
func (r *Rules) ExplainServicePrincipal(p PrincipalEvidence, now time.Time) Explanation {
	p.Detections = open(p.Detections)
	x := Explanation{Kind: string(entra.KindServicePrincipal), ServicePrincipalID: string(p.User.ID), DisplayName: p.User.UserDisplayName, AppID: string(p.AppID),
		RiskLevel: string(p.User.RiskLevel), RiskState: string(p.User.RiskState), Decision: r.DecideServicePrincipal(p, now), Guards: []string{},
		Entries: []ExplainedEntry{}, Escalations: []ExplainedEntry{}, Detections: append([]Detection{}, p.Detections...)}
	for _, guard := range []func(*Decision) bool{
		func(d *Decision) bool { return principalSettled(d, p) },
		func(d *Decision) bool { return r.principalNotNow(d, p, now) },
		func(d *Decision) bool { return r.repeated(d, p.Evidence, now) },
	} {
		var d Decision
		if guard(&d) {
			x.Guards = append(x.Guards, d.Reasons...)
		}
	}
	for _, g := range []struct{ head, why string }{
		{"", p.Own}, {"", p.FirstParty}, {"", unknownLevel("service principal", p.User.RiskLevel)},
		{"the service principal is protected: ", r.ProtectedPrincipal(p.User.ID, p.AppID)},
		{"privileged: the service principal ", r.principalPrivileged(&p)},
		{"", r.principalUnknown(&p)}, {"the evidence is not complete: ", p.Incomplete},
	} {
		if g.why != "" {
			x.Guards = append(x.Guards, g.head+g.why)
		}
	}
	for i := range r.policy.escalations {
		rule := &r.policy.escalations[i]
		if len(rule.principals) == 0 {
			x.Escalations = append(x.Escalations, ExplainedEntry{ID: rule.id, State: "it is about users", Detections: []ExplainedDetection{}})
			continue
		}
		bound := &r.escalations[slices.IndexFunc(r.escalations, func(b boundEscalation) bool { return b.escalation == rule })]
		one := ExplainedEntry{ID: rule.id, State: "live", Detections: []ExplainedDetection{}}
		switch {
		case bound.all:
			one.Names = "every service principal"
		case bound.names(&p):
			one.Names = "direct"
		}
		if bound.blocked != "" {
			one.State = "blocked: " + bound.blocked
		}
		one.beside(p.Detections, rule.when.unmatched)
		x.Escalations = append(x.Escalations, one)
	}
	for i := range r.entries {
		one := r.entries[i].explained(r.entries[i].namesPrincipal(&p), p.Detections)
		if len(r.entries[i].allowEntry.principals) == 0 {
			one.State = "it is about users"
		}
		x.Entries = append(x.Entries, one)
	}
	return x
}

// Text is the explanation for a person.
func (x Explanation) Text() string {
	var b strings.Builder
	name, whom := cmp.Or(x.UserPrincipalName, x.UserID, x.DisplayName, x.ServicePrincipalID), "user"
	if x.Kind == string(entra.KindServicePrincipal) {
		whom = "service principal"
	}
	fmt.Fprintf(&b, "%s: riskLevel %s, riskState %s, %d open %s\n", name, orUnknown(x.RiskLevel), orUnknown(x.RiskState), len(x.Detections), detections(len(x.Detections)))
	fmt.Fprintf(&b, "decision: %s (%s)\n", x.Decision.Verdict, x.Decision.Code)
	for _, why := range x.Decision.Reasons {
		fmt.Fprintf(&b, "  %s\n", why)
	}
	if len(x.Decision.Close) > 0 {
		remain := remaining(x.Decision, x.Detections)
		closed := slices.DeleteFunc(slices.Clone(x.Detections), func(d Detection) bool {
			return slices.ContainsFunc(remain, func(r Detection) bool { return r.ID == d.ID })
		})
		fmt.Fprintf(&b, "would close: %s\n", Shows(closed))
		if len(remain) > 0 {
			fmt.Fprintf(&b, "would remain: %s\n", Shows(remain))
		} else {
			fmt.Fprintf(&b, "would remain: nothing\n")
		}
	}
	for _, g := range x.Guards {
		fmt.Fprintf(&b, "guard: %s\n", g)
	}
	say := map[string]string{}
	for i := range x.Detections {
		say[x.Detections[i].ID] = x.Detections[i].where()
	}
	rules := func(head string, list []ExplainedEntry) {
		for _, e := range list {
			names := e.Names
			if names == "" {
				names = "does not name the " + whom
			}
			fmt.Fprintf(&b, "%s %s: %s; %s\n", head, e.ID, names, e.State)
			if e.Names == "" {
				continue
			}
			for _, d := range e.Detections {
				mark := "yes"
				if !d.Taken {
					mark = "no: " + d.Why
				}
				fmt.Fprintf(&b, "  %s: %s\n", say[d.ID], mark)
			}
		}
	}
	rules("escalation", x.Escalations)
	rules("allowlist entry", x.Entries)
	return strings.TrimRight(b.String(), "\n")
}
