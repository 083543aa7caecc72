package triage

import "github.com/risksweep/risksweep/internal/entra"

// The kinds of rules.
const (
	RuleAllowlist = "allowlist"
	RuleEscalate  = "escalate"
)

// UsedRule is a rule of the triage file as it was when it decided.
type UsedRule struct {
	ID     string `json:"id"`
	Kind   string `json:"kind"` // allowlist or escalate
	Owner  string `json:"owner,omitempty"`
	Reason string `json:"reason"`
	// Expires is the last day on which an allowlist entry covers.
	Expires string `json:"expires,omitempty"`
	// Names says how an allowlist entry names the user.
	Names      string `json:"names,omitempty"`
	Privileged bool   `json:"privileged,omitempty"`
	// Then are the steps that an escalation wants besides the confirmation.
	Then []Step     `json:"then,omitempty"`
	When Conditions `json:"when"`
	// Scope is "detections" for an allowlist entry that closes single sign-ins,
	// with Feedback as what.
	Scope    string `json:"scope,omitempty"`
	Feedback string `json:"feedback,omitempty"`
}

// Conditions are those of a rule; what is absent was no condition.
type Conditions struct {
	RiskEventTypes []string        `json:"riskEventTypes,omitempty"`
	MaxRiskLevel   entra.RiskLevel `json:"maxRiskLevel,omitempty"`
	MinRiskLevel   entra.RiskLevel `json:"minRiskLevel,omitempty"`
	IPRanges       []string        `json:"ipRanges,omitempty"`
	Countries      []string        `json:"countries,omitempty"`
}

// used is an entry as it covered a detection of somebody whom it names so.
func (b *boundEntry) used(names string) UsedRule {
	w := b.when
	u := UsedRule{ID: b.id, Kind: RuleAllowlist, Owner: b.owner, Reason: b.reason, Expires: b.expiresText, Names: names, Privileged: b.privileged,
		When: Conditions{RiskEventTypes: w.eventTypes, MaxRiskLevel: w.maxLevel, Countries: w.countries}}
	if b.bySignIn {
		u.Scope, u.Feedback = "detections", b.feedback()
	}
	for _, p := range w.ranges {
		u.When.IPRanges = append(u.When.IPRanges, p.String())
	}
	return u
}

// used is an escalation as it matched.
func (e *escalation) used() UsedRule {
	w := e.when
	u := UsedRule{ID: e.id, Kind: RuleEscalate, Reason: e.reason, Privileged: e.privileged, Then: e.then,
		When: Conditions{RiskEventTypes: w.eventTypes, MinRiskLevel: w.minLevel, Countries: w.countries}}
	for _, p := range w.ranges {
		u.When.IPRanges = append(u.When.IPRanges, p.String())
	}
	return u
}

// IDs are the ids of all entries of the allowlist and of all escalations.
func (p *Policy) IDs() []string {
	var ids []string
	for i := range p.allowlist {
		ids = append(ids, p.allowlist[i].id)
	}
	for i := range p.escalations {
		ids = append(ids, p.escalations[i].id)
	}
	return ids
}
