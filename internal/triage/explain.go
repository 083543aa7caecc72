package triage

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Explanation says why a decision is what it is, entry by entry.
type Explanation struct {
	UserID            string           `json:"userId"`
	UserPrincipalName string           `json:"userPrincipalName"`
	RiskLevel         string           `json:"riskLevel"`
	RiskState         string           `json:"riskState"`
	Decision          Decision         `json:"decision"`
	Guards            []string         `json:"guards"`
	Entries           []ExplainedEntry `json:"allowlist"`
	Escalations       []ExplainedEntry `json:"escalate"`
	Detections        []Detection      `json:"detections"`
}

// ExplainedEntry is one rule beside one user.
type ExplainedEntry struct {
	ID string `json:"id"`
	// Names says how the entry names the user; empty if it does not.
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
	x := Explanation{UserID: string(e.User.ID), UserPrincipalName: e.User.UserPrincipalName, RiskLevel: string(e.User.RiskLevel),
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
	if why := unknownLevel(e.User.RiskLevel); why != "" {
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
		for j := range e.Detections {
			det := &e.Detections[j]
			why := rule.when.unmatched(det)
			one.Detections = append(one.Detections, ExplainedDetection{ID: det.ID, Taken: why == "", Why: why})
		}
		x.Escalations = append(x.Escalations, one)
	}
	for i := range r.entries {
		entry := &r.entries[i]
		one := ExplainedEntry{ID: entry.id, Names: entry.names(e.User.ID), State: "live until the end of " + entry.expiresText,
			Detections: []ExplainedDetection{}}
		switch {
		case entry.blocked != "":
			one.State = "blocked: " + entry.blocked
		case entry.expired:
			one.State = "expired on " + entry.expiresText
		}
		if entry.bySignIn {
			one.State += "; closes single sign-ins (" + entry.feedback() + ")"
		}
		for j := range e.Detections {
			det := &e.Detections[j]
			why := entry.when.uncovered(det)
			one.Detections = append(one.Detections, ExplainedDetection{ID: det.ID, Taken: why == "", Why: why})
		}
		x.Entries = append(x.Entries, one)
	}
	return x
}

// Text is the explanation for a person.
func (x Explanation) Text() string {
	var b strings.Builder
	name := x.UserPrincipalName
	if name == "" {
		name = x.UserID
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
				names = "does not name the user"
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
