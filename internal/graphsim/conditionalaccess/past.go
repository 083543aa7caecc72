package conditionalaccess

import (
	"slices"
	"time"

	"github.com/risksweep/risksweep/internal/graphsim/evaluate"
)

// Past is the tenant's policies through time, for sign-ins that have happened.
type Past struct {
	// World is what they are judged by, as it is now.
	World    evaluate.World
	policies []past
}

// past is one policy through time, oldest state first.
type past struct {
	created time.Time
	states  []pastState
}

type pastState struct {
	from time.Time
	// rule is nil while the policy is deleted.
	rule *Rule
}

// Rule is a policy as it was for a while.
type Rule struct {
	ID, DisplayName, State string
	Policy                 *evaluate.Policy
	// All says that all grant controls are needed, not any.
	All bool
	// Grant are the names of the grant controls, authenticationStrength and
	// termsOfUse among them; Session those of the session controls in force.
	Grant, Session []string
	// Combinations are those that the authentication strength allows.
	Combinations []string
}

// Past gives the policies as they were at all times up to now.
func (w *Workload) Past(now time.Time) *Past {
	out := &Past{World: w.world(now)}
	for _, i := range w.policies.items {
		p := past{created: i.Created}
		for _, v := range slices.Concat(i.past, i.versions) {
			s := pastState{from: v.Visible}
			if !v.gone() {
				s.rule = w.ruleOf(row{i, v})
			}
			p.states = append(p.states, s)
		}
		out.policies = append(out.policies, p)
	}
	return out
}

// At gives the policies that there were at a time.
func (p *Past) At(t time.Time) []*Rule {
	var rules []*Rule
	for _, x := range p.policies {
		if x.created.After(t) {
			continue
		}
		for n := len(x.states) - 1; n >= 0; n-- {
			if s := x.states[n]; !s.from.After(t) {
				if s.rule != nil {
					rules = append(rules, s.rule)
				}
				break
			}
		}
	}
	return rules
}

func (w *Workload) ruleOf(x row) *Rule {
	d := x.version.Doc
	r := &Rule{ID: x.item.ID, DisplayName: d.text("displayName"), State: d.text("state"), Policy: judged(x)}
	if grant := d.object("grantControls"); grant != nil {
		r.All = grant["operator"] == "AND"
		r.Grant = slices.Clone(grant.list("builtInControls"))
		if id, ok := grant["authenticationStrength"].(string); ok {
			r.Grant = append(r.Grant, "authenticationStrength")
			if i := w.strengths.find(id); i != nil {
				r.Combinations = i.last().Doc.list("allowedCombinations")
			}
		}
		if len(grant.list("termsOfUse")) > 0 {
			r.Grant = append(r.Grant, "termsOfUse")
		}
	}
	session := d.object("sessionControls")
	if session == nil {
		return r
	}
	for _, p := range w.types.policy.find("sessionControls").of.properties {
		switch v := session[p.name].(type) {
		case document:
			if v["isEnabled"] == true {
				r.Session = append(r.Session, p.name)
			}
		case bool:
			if v {
				r.Session = append(r.Session, p.name)
			}
		}
	}
	return r
}
