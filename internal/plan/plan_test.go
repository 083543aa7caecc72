package plan

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/risksweep/risksweep/internal/entra"
)

var allOn = Enforcement{Dismiss: true, ConfirmCompromised: true, Policies: true}
var roomy = Limits{MaxDismissals: 50, MaxConfirmCompromised: 10, MaxShareOfRiskyUsers: 1, MaxPolicyCreates: 50, MaxPolicyUpdates: 20, MaxPolicyDeletes: 5}

func users(kind Kind, n int) []Action {
	out := make([]Action, n)
	for i := range out {
		out[i] = Action{Kind: kind, Status: Ready, Subject: Subject{ID: entra.NewID(fmt.Sprint(i))}}
	}
	return out
}

func statuses(p Plan) map[Status]int {
	m := map[Status]int{}
	for _, a := range p.Actions {
		m[a.Status]++
	}
	return m
}

func TestEnforcementKeepsBack(t *testing.T) {
	acts := []Action{
		{Kind: Dismiss, Status: Ready}, {Kind: ConfirmCompromised, Status: Ready},
		{Kind: CreatePolicy, Status: Ready, Change: &Change{}}, {Kind: UpdatePolicy, Status: Blocked, Change: &Change{}},
	}
	for _, c := range []struct {
		name string
		e    Enforcement
		want []Status
	}{
		{"nothing", Enforcement{}, []Status{NotEnabled, NotEnabled, NotEnabled, Blocked}},
		{"dismiss", Enforcement{Dismiss: true}, []Status{Ready, NotEnabled, NotEnabled, Blocked}},
		{"confirm", Enforcement{ConfirmCompromised: true}, []Status{NotEnabled, Ready, NotEnabled, Blocked}},
		{"policies", Enforcement{Policies: true}, []Status{NotEnabled, NotEnabled, Ready, Blocked}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := Build(Input{Actions: acts, Enforcement: c.e, Limits: roomy, AtRisk: Count(2), CreatedAt: time.Unix(0, 0)})
			var got []Status
			for _, a := range p.Actions {
				got = append(got, a.Status)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		name   string
		acts   []Action
		limits Limits
		recent map[Kind]int
		atRisk int
		want   []string
	}{
		{"within", users(Dismiss, 50), roomy, nil, 50, nil},
		{"one too many", users(Dismiss, 51), roomy, nil, 60, []string{"limits.maxDismissals"}},
		{"counts the trailing day", users(Dismiss, 2), roomy, map[Kind]int{Dismiss: 49}, 60, []string{"limits.maxDismissals"}},
		{"zero means none", users(ConfirmCompromised, 1), Limits{MaxShareOfRiskyUsers: 1}, nil, 1, []string{"limits.maxConfirmCompromised"}},
		{"nothing wanted, nothing refused", nil, Limits{}, map[Kind]int{Dismiss: 9}, 50, nil},
		{"share not counted below 20", users(Dismiss, 19), Limits{MaxDismissals: 50, MaxShareOfRiskyUsers: 0.25}, nil, 19, nil},
		{"share from 20 on", users(Dismiss, 6), Limits{MaxDismissals: 50, MaxShareOfRiskyUsers: 0.25}, nil, 20, []string{"limits.maxShareOfRiskyUsers"}},
		{"share exactly", users(Dismiss, 5), Limits{MaxDismissals: 50, MaxShareOfRiskyUsers: 0.25}, nil, 20, nil},
		{"the other half of a cut run", users(Dismiss, 5), Limits{MaxDismissals: 50, MaxShareOfRiskyUsers: 0.25}, map[Kind]int{Dismiss: 20}, 80, nil},
		{"locations count as policies", []Action{{Kind: CreateLocation, Status: Ready, Change: &Change{}}}, Limits{}, nil, 0, []string{"limits.maxPolicyCreates"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := Build(Input{Actions: c.acts, Enforcement: allOn, Limits: c.limits, Recent: c.recent, AtRisk: Count(c.atRisk)})
			var got []string
			for _, v := range p.Violations {
				got = append(got, v.Limit)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
			if len(c.want) > 0 && statuses(p)[Ready] != 0 {
				t.Errorf("part of a refused kind is still ready: %v", statuses(p))
			}
		})
	}
}

// A path that forgot to count who is at risk had no share limit at all.
func TestWithoutACountNothingIsWithinTheShare(t *testing.T) {
	p := Build(Input{Actions: users(Dismiss, 40), Enforcement: allOn, Limits: roomy})
	if len(p.Violations) != 1 || p.Violations[0].Limit != "limits.maxShareOfRiskyUsers" || statuses(p)[Ready] != 0 {
		t.Errorf("%v, %v", p.Violations, statuses(p))
	}
	acts := users(Dismiss, 40)
	for i := range acts {
		acts[i].Risk = &Risk{RiskState: entra.StateAtRisk}
	}
	p = Build(Input{Actions: acts, Enforcement: allOn, Limits: Limits{MaxDismissals: 100, MaxShareOfRiskyUsers: 0.25}, AtRisk: Count(0)})
	if len(p.Violations) != 1 || statuses(p)[Ready] != 0 {
		t.Errorf("40 users at risk, none counted: %v, %v", p.Violations, statuses(p))
	}
}

func TestDependentsOfWhatIsHeldBackAreHeldBack(t *testing.T) {
	p := Build(Input{Enforcement: allOn, Limits: roomy, Actions: []Action{
		{Kind: CreateLocation, Status: Blocked, Change: &Change{Kind: entra.KindLocation, Key: "HQ"}},
		{Kind: CreatePolicy, Status: Ready, Change: &Change{Kind: entra.KindPolicy, Key: "CA1", Needs: []string{"namedLocation:HQ"}}},
		{Kind: CreatePolicy, Status: Ready, Change: &Change{Kind: entra.KindPolicy, Key: "CA2"}},
	}})
	if d := cmp.Diff(map[Status]int{Blocked: 2, Ready: 1}, statuses(p)); d != "" {
		t.Error(d)
	}
}

func TestPlanSurvivesStorage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 80).Draw(t, "n")
		acts := users(Dismiss, n)
		for i := range acts {
			acts[i].Risk = &Risk{RiskLevel: entra.LevelLow, Detections: []SeenDetection{{ID: rapid.String().Draw(t, "id")}}}
		}
		in := Input{Actions: acts, Enforcement: allOn, Limits: roomy, AtRisk: Count(n), Run: "r", CreatedAt: time.Unix(1, 0)}
		p := Build(in)
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var back Plan
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		again, _ := json.Marshal(back)
		if string(text) != string(again) {
			t.Fatalf("changed by storage:\n%s\n%s", text, again)
		}
		fresh := Build(in)
		if gone := fresh.Keep(back); len(gone) != 0 && p.Pending() > 0 {
			t.Fatalf("an unchanged plan lost %d actions", len(gone))
		}
	})
}

func TestKeepDropsWhatMoved(t *testing.T) {
	mk := func(state entra.RiskState) Plan {
		return Build(Input{Enforcement: allOn, Limits: roomy, AtRisk: Count(2), Actions: []Action{
			{Kind: Dismiss, Status: Ready, Subject: Subject{ID: "u1"}, Risk: &Risk{RiskState: state}},
			{Kind: Dismiss, Status: Ready, Subject: Subject{ID: "u2"}, Risk: &Risk{RiskState: entra.StateAtRisk}},
		}})
	}
	now := mk(entra.StateConfirmedCompromised)
	gone := now.Keep(mk(entra.StateAtRisk))
	if len(gone) != 1 || gone[0].Subject.ID != "u1" || now.Pending() != 1 {
		t.Fatalf("gone %v, pending %d", gone, now.Pending())
	}
}

// TestAllSwitchesAtOnce: whoever turns on what is named must not learn of the next
// switch from the next run.
func TestAllSwitchesAtOnce(t *testing.T) {
	change := func(kind Kind, status Status, reasons ...string) Action {
		return Action{Kind: kind, Status: status, Reasons: reasons, Change: &Change{Kind: entra.KindPolicy, Key: "CA010"}}
	}
	const enabled, weakens = "enforcement.allowEnabledPolicies is off: it changes", "enforcement.allowWeakening is off: it lowers"
	for name, c := range map[string]struct {
		action  Action
		ordered bool
		on      Enforcement
		want    []string
		why     string
	}{
		"an update":             {action: change(UpdatePolicy, NotEnabled, enabled, weakens), want: []string{"enforcement.allowEnabledPolicies", "enforcement.allowWeakening", "enforcement.policies"}, why: enabled + "; " + weakens + "; not enabled: enforcement.policies is off"},
		"a promotion":           {action: change(PromotePolicy, NotEnabled, enabled), want: []string{"enforcement.allowEnabledPolicies", "enforcement.promote", "enforcement.policies"}, why: enabled + "; not enabled: enforcement.promote is off; not enabled: enforcement.policies is off"},
		"a promotion, half on":  {action: change(PromotePolicy, Ready), on: Enforcement{Promote: true}, want: []string{"enforcement.policies"}, why: "not enabled: enforcement.policies is off"},
		"a prune":               {action: change(DeletePolicy, NotEnabled, "no longer in the baseline", "enforcement.prune is off"), want: []string{"enforcement.prune", "enforcement.policies"}, why: "enforcement.prune is off; not enabled: enforcement.policies is off"},
		"a blocked change":      {action: change(UpdatePolicy, Blocked, "no break-glass accounts", weakens), want: []string{"enforcement.allowWeakening", "enforcement.policies"}, why: "no break-glass accounts; enforcement.allowWeakening, enforcement.policies off as well"},
		"a rollback":            {action: change(UpdatePolicy, NotEnabled, enabled, weakens), ordered: true, want: []string{"enforcement.allowEnabledPolicies", "enforcement.allowWeakening"}, why: enabled + "; " + weakens},
		"blocked and no switch": {action: change(UpdatePolicy, Blocked, "first", "second"), ordered: true, why: "second"},
	} {
		t.Run(name, func(t *testing.T) {
			a := Build(Input{Actions: []Action{c.action}, Enforcement: c.on, Ordered: c.ordered, Limits: Limits{MaxPolicyUpdates: 9, MaxPromotions: 9}}).Actions[0]
			if d := cmp.Diff(c.want, a.Switches()); d != "" {
				t.Error(d)
			}
			if a.WhyKept() != c.why {
				t.Errorf("%q", a.WhyKept())
			}
		})
	}
}

// TestForeseesTheLimits: a plan says what they would refuse if all were enabled, and
// refuses nothing for it.
func TestForeseesTheLimits(t *testing.T) {
	var actions []Action
	for range 3 {
		actions = append(actions, Action{Kind: UpdatePolicy, Status: Ready, Change: &Change{Kind: entra.KindPolicy}})
	}
	in := Input{Actions: actions, Limits: Limits{MaxPolicyUpdates: 2}, Foresee: true}
	p := Build(in)
	if len(p.Violations) != 0 || len(p.Foreseen) != 1 || p.Foreseen[0].Limit != "limits.maxPolicyUpdates" || p.Actions[0].Status != NotEnabled {
		t.Errorf("off: %+v, %+v, %s", p.Violations, p.Foreseen, p.Actions[0].Status)
	}
	if in.Enforcement.Policies = true; len(Build(in).Foreseen) != 0 || len(Build(in).Violations) != 1 {
		t.Errorf("on: %+v", Build(in).Foreseen)
	}
	if in.Enforcement.Policies, in.Limits.MaxPolicyUpdates = false, 3; len(Build(in).Foreseen) != 0 {
		t.Errorf("within: %+v", Build(in).Foreseen)
	}
}

// TestMet counts what of an order came about by those it is about.
func TestMet(t *testing.T) {
	vpn, user := Subject{Key: "VPN"}, Subject{ID: "u"}
	for name, c := range map[string]struct {
		outcomes []Outcome
		met, all int
	}{
		"nothing was asked for":       {},
		"one of two steps":            {[]Outcome{{Subject: vpn, Status: Done}, {Subject: vpn, Status: Failed}}, 0, 1},
		"both steps":                  {[]Outcome{{Subject: vpn, Status: Done}, {Subject: vpn, Status: Processing}}, 1, 1},
		"done before":                 {[]Outcome{{Subject: user, Status: SkippedAlready}}, 1, 1},
		"kept back":                   {[]Outcome{{Subject: user, Status: SkippedEnforce}, {Subject: vpn, Status: Done}}, 1, 2},
		"sent, and nothing was taken": {[]Outcome{{Subject: user, Status: NotTaken}}, 0, 1},
	} {
		if met, all := Met(c.outcomes); met != c.met || all != c.all {
			t.Errorf("%s: %d of %d", name, met, all)
		}
	}
}
