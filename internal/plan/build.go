package plan

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
)

// Input is everything a plan is made of.
type Input struct {
	Run, Tenant, TenantID string
	CreatedAt             time.Time
	// Actions in the order in which they are to be carried out, each Ready
	// or, with its reason, Blocked or NotEnabled. Build numbers them.
	Actions     []Action
	Enforcement Enforcement
	// Ordered says that a person ordered these very actions: the order stands
	// in for enforcement. Limits hold all the same.
	Ordered bool
	Limits  Limits
	// Recent is how many actions of each kind were carried out in the
	// trailing 24 hours, counted from the journal; under Detections stands how
	// many single detections they closed.
	Recent map[Kind]int
	// AtRisk is how many users are atRisk now. Without a count no action on a
	// user is within the share.
	AtRisk Counted
	// PrincipalsAtRisk is the same of service principals.
	PrincipalsAtRisk Counted
	// RequestsPerSecond is the allowed rate; zero is unpaced.
	RequestsPerSecond float64
	// Foresee asks what the limits would refuse if all switches were on.
	Foresee bool
}

// Counted is a number that somebody counted. The zero value was not: that is
// not the same as none.
type Counted struct {
	n     int
	known bool
}

// Count is a number that was counted.
func Count(n int) Counted { return Counted{n, true} }

// Known reports whether it was counted.
func (c Counted) Known() bool { return c.known }

// Detections stands among numbers of actions for the detections that were closed
// by themselves. It is no kind of action.
const Detections Kind = "detections"

// shareFrom is the number of risky users from which on the share limit counts:
// below it one user would already be a large share.
const shareFrom = 20

// Build numbers the actions, marks those that enforcement or a limit keeps
// back, and counts what the rest will cost.
func Build(in Input) Plan {
	p := Plan{
		SchemaVersion: SchemaVersion, Run: in.Run, Tenant: in.Tenant, TenantID: in.TenantID,
		CreatedAt: in.CreatedAt.UTC(), Actions: make([]Action, len(in.Actions)), Violations: []Violation{},
	}
	for i, a := range in.Actions {
		a.ID = fmt.Sprintf("a%04d", i+1)
		if a.Reasons == nil {
			a.Reasons = []string{}
		}
		if (a.Status == Ready || a.Status == NotEnabled || a.Status == Blocked && a.Change != nil) && !in.Ordered { // also beside what blocks it, and another switch that is off
			for _, key := range in.Enforcement.off(a.Kind) {
				if a.Status == Ready {
					a.Status = NotEnabled
				}
				a.Reasons = append(a.Reasons[:len(a.Reasons):len(a.Reasons)], "not enabled: "+key+" is off")
			}
		}
		p.Actions[i] = a
	}
	p.Violations = append(p.Violations, Check(p.Actions, in.Limits, in.Recent, in.AtRisk, in.PrincipalsAtRisk)...)
	for _, v := range p.Violations {
		for i := range p.Actions {
			a := &p.Actions[i]
			if a.Status == Ready && a.Kind.row().limit == v.Kind && a.Weight() > 0 {
				a.Status = Refused
				a.Reasons = append(a.Reasons[:len(a.Reasons):len(a.Reasons)], "refused: "+v.Text)
			}
		}
	}
	if in.Foresee {
		p.foresee(in)
	}
	p.blockContainment()
	p.blockDependents()
	p.Cost = cost(p.Actions, in.RequestsPerSecond)
	return p
}

// foresee says which limits, beside those that refuse something already, the plan
// would go beyond if what is not enabled were.
func (p *Plan) foresee(in Input) {
	for _, v := range Check(p.Enabled(), in.Limits, in.Recent, in.AtRisk, in.PrincipalsAtRisk) {
		if !slices.ContainsFunc(p.Violations, func(o Violation) bool { return o.Kind == v.Kind && o.Limit == v.Limit }) {
			p.Foreseen = append(p.Foreseen, v)
		}
	}
}

// Enabled are the actions as they would be if all switches were on: refused ones
// and blocked ones stay what they are.
func (p *Plan) Enabled() []Action {
	actions := slices.Clone(p.Actions)
	for i := range actions {
		if actions[i].Status == NotEnabled {
			actions[i].Status = Ready
		}
	}
	return actions
}

// ForeseenTexts say for a person what would be refused if all switches were on.
func (p *Plan) ForeseenTexts() (out []string) {
	for _, v := range p.Foreseen {
		if text := "if what is not enabled were, it would be refused: " + v.Text; !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

// Switches are the keys of the configuration that are off and that the action
// needs, all of them. They stand in its reasons.
func (a Action) Switches() (keys []string) {
	for _, r := range a.Reasons {
		if key := switchOf(r); key != "" && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// switchOf is the switch that a reason says is off, empty if it says nothing of
// the kind.
func switchOf(reason string) string {
	key, _, off := strings.Cut(strings.TrimPrefix(reason, "not enabled: "), " is off")
	if !off || !strings.HasPrefix(key, "enforcement.") || strings.Contains(key, " ") {
		return ""
	}
	return key
}

// WhyKept says what keeps the action from being carried out: of switches all that
// are off, so that nobody turns one on to learn of the next; of all else the last
// word.
func (a Action) WhyKept() string {
	last, off := "", []string{}
	for _, r := range a.Reasons {
		if switchOf(r) == "" {
			last = r
		} else {
			off = append(off, r)
		}
	}
	switch {
	case len(off) == 0:
		return last
	case a.Status == Blocked || a.Status == Refused:
		return last + "; " + strings.Join(a.Switches(), ", ") + " off as well"
	case len(a.Reasons) > 0 && switchOf(a.Reasons[len(a.Reasons)-1]) == "": // it was kept back after the switches were looked at
		return a.Reasons[len(a.Reasons)-1]
	}
	return strings.Join(off, "; ")
}

// blockContainment keeps back what would be done to the account of a user whose
// confirmation is kept back: a number of them over the limit suggests a bad rule,
// and the rule is the same. A confirmation that is only not enabled says nothing
// of that.
func (p *Plan) blockContainment() {
	held := map[entra.ID]Action{}
	for _, a := range p.Actions {
		if a.Kind == ConfirmCompromised && (a.Status == Refused || a.Status == Blocked) {
			held[a.Subject.ID] = a
		}
	}
	for i := range p.Actions {
		a := &p.Actions[i]
		confirm, is := held[a.Subject.ID]
		if is && a.Kind.OnAccount() && a.Status == Ready {
			a.Status = confirm.Status
			a.Reasons = append(a.Reasons[:len(a.Reasons):len(a.Reasons)], fmt.Sprintf("it goes with the confirmation, which is %s", confirm.Status))
		}
	}
}

// blockDependents blocks every ready change that needs one that will not be
// made.
func (p *Plan) blockDependents() {
	for changed := true; changed; {
		changed = false
		held := map[string]Status{}
		for _, a := range p.Actions {
			if a.Change != nil && a.Status != Ready && a.Kind.Verb() == Create {
				held[a.Change.Ref()] = a.Status
			}
		}
		for i := range p.Actions {
			a := &p.Actions[i]
			if a.Change == nil || a.Status != Ready {
				continue
			}
			for _, need := range a.Change.Needs {
				if s, ok := held[need]; ok {
					a.Status, changed = s, true
					a.Reasons = append(a.Reasons[:len(a.Reasons):len(a.Reasons)], fmt.Sprintf("needs %s, which is %s", need, s))
					break
				}
			}
		}
	}
}

// Check says which limits the ready actions would go beyond. An action of a
// kind beyond its limit is refused with its whole kind: a number over the limit
// suggests a bad rule, so none of that kind is sent.
func Check(actions []Action, l Limits, recent map[Kind]int, atRisk, principalsAtRisk Counted) []Violation {
	wanted, done := map[Kind]int{}, map[Kind]int{}
	detections := 0
	for _, a := range actions {
		if a.Status == Ready {
			wanted[a.Kind.row().limit] += a.Weight()
			detections += len(a.Closes())
		}
	}
	users, principals := population{Kind.onRisk, "user", atRisk}, population{Kind.OnPrincipal, "service principal", principalsAtRisk}
	for _, of := range []*population{&users, &principals} {
		if least := of.among(actions); of.atRisk.known && of.atRisk.n < least { // they came while they were counted
			of.atRisk.n = least
		}
	}
	for k, n := range recent {
		done[k.row().limit] += n
	}
	var out []Violation
	for _, c := range kindLimits {
		done, wanted := done[c.kind], wanted[c.kind]
		if c.kind == DismissDetections {
			done, wanted = recent[Detections], detections
		}
		if most := c.max(l); wanted > 0 && done+wanted > most {
			out = append(out, Violation{
				Kind: c.kind, Limit: c.key, Allowed: float64(most), Done: done, Wanted: float64(wanted),
				Text: fmt.Sprintf("%s allows %d in 24 h; %d done, %d wanted", c.key, most, done, wanted),
			})
		}
	}
	out = append(out, users.checkShare(l.MaxShareOfRiskyUsers, wanted, done)...)
	return append(out, principals.checkShare(l.MaxShareOfRiskyUsers, wanted, done)...)
}

// population are those of whom a share may be acted on: the users at risk, or the
// service principals, each among themselves.
type population struct {
	acted  func(Kind) bool
	noun   string
	atRisk Counted
}

// among counts those of the actions who were seen atRisk.
func (p population) among(actions []Action) int {
	seen := map[entra.ID]bool{}
	for _, a := range actions {
		if p.acted(a.Kind) && a.Risk != nil && a.Risk.RiskState == entra.StateAtRisk {
			seen[a.Subject.ID] = true
		}
	}
	return len(seen)
}

// checkShare holds all actions on a population together to a share of those at
// risk. Those that were settled within the 24 hours were at risk too
// and stay in the base, so that a run cut short is not refused its other half.
func (p population) checkShare(limit float64, wanted, done map[Kind]int) []Violation {
	w, d, atRisk := p.of(wanted), p.of(done), p.atRisk
	base := atRisk.n + d
	if w == 0 || atRisk.known && (base < shareFrom || float64(w+d) <= limit*float64(base)) {
		return nil
	}
	share := 1.0 // of what was not counted, all
	if atRisk.known {
		share = math.Round(float64(w+d)/float64(base)*1e4) / 1e4
	}
	of := fmt.Sprintf("%d %ss at risk", base, p.noun)
	if d > 0 {
		of += fmt.Sprintf(" (%d now, %d acted on in these 24 h)", atRisk.n, d)
	}
	text := fmt.Sprintf("limits.maxShareOfRiskyUsers allows %.0f %% of %s in 24 h; %d done, %d wanted", limit*100, of, d, w)
	if !atRisk.known {
		text = fmt.Sprintf("limits.maxShareOfRiskyUsers cannot be checked: the %ss at risk were not counted", p.noun)
	}
	var out []Violation
	for _, k := range Kinds() {
		if wanted[k] > 0 && p.acted(k) {
			out = append(out, Violation{Kind: k, Limit: "limits.maxShareOfRiskyUsers", Allowed: limit, Done: d,
				Wanted: share, Text: text})
		}
	}
	return out
}

// of counts the actions on the risk of a population. What is done to an account
// goes with a confirmation, or is ordered by name.
func (p population) of(counts map[Kind]int) (all int) {
	for kind, n := range counts {
		if p.acted(kind) {
			all += n
		}
	}
	return all
}

// cost counts the requests that the ready actions take: for a batch of users
// the fence, the order and the read-back; for an object the write, a look
// before an update or delete, and one verifying list per kind.
func cost(actions []Action, rate float64) Cost {
	users, kinds := map[Kind]int{}, map[string]bool{}
	var c Cost
	for _, a := range actions {
		if a.Status != Ready {
			continue
		}
		if a.Kind.OnUser() {
			users[a.Kind]++
			continue
		}
		c.Requests++
		if a.Kind.Verb() != Create {
			c.Requests++
		}
		kinds[string(a.Change.Kind)] = true
	}
	for kind, n := range users {
		c.Requests += (n + kind.Batch() - 1) / kind.Batch() * 5
	}
	c.Requests += len(kinds)
	if rate > 0 {
		c.Seconds = math.Round(float64(c.Requests)/rate*10) / 10
	}
	return c
}

// Pending counts the actions that a run could carry out.
func (p Plan) Pending() int {
	n := 0
	for _, a := range p.Actions {
		if a.Status == Ready {
			n++
		}
	}
	return n
}

// Keep narrows the plan to the actions that an earlier, stored plan asked for
// and that still are the same: same kind, subject and rule, and for a user the
// same evidence, for an object the same change. It returns how many of the
// earlier plan's ready actions no longer hold.
func (p *Plan) Keep(earlier Plan) (gone []Action) {
	was := map[string]Action{}
	for _, a := range earlier.Actions {
		if a.Status == Ready || a.Status == NotEnabled {
			was[identity(a)] = a
		}
	}
	p.Foreseen = nil // of what is not in that plan nothing is carried out
	kept := map[string]bool{}
	for i := range p.Actions {
		a := &p.Actions[i]
		if _, ok := was[identity(*a)]; ok {
			kept[identity(*a)] = true
			continue
		}
		if a.Status == Ready {
			a.Status = NotEnabled
			a.Reasons = append(a.Reasons[:len(a.Reasons):len(a.Reasons)], "not in the plan "+earlier.Run)
		}
	}
	for _, a := range earlier.Actions {
		if _, ok := was[identity(a)]; ok && !kept[identity(a)] {
			gone = append(gone, a)
		}
	}
	return gone
}

// RefuseChanges refuses every ready change of a policy, location or strength,
// because of what they would bring about together. requestsPerSecond is that
// of the Input.
func (p *Plan) RefuseChanges(limit, text string, requestsPerSecond float64) {
	p.Violations = append(p.Violations, Violation{Kind: UpdatePolicy, Limit: limit, Text: text})
	for i := range p.Actions {
		a := &p.Actions[i]
		if a.Status == Ready && !a.Kind.OnUser() && a.Weight() > 0 {
			a.Status = Refused
			a.Reasons = append(a.Reasons[:len(a.Reasons):len(a.Reasons)], "refused: "+text)
		}
	}
	p.Cost = cost(p.Actions, requestsPerSecond)
}
