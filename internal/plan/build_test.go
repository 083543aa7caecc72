package plan

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/entra"
)

// each gives id, status and the last reason of every action.
func each(p Plan) []string {
	out := []string{}
	for _, a := range p.Actions {
		line := a.ID + " " + string(a.Status)
		if len(a.Reasons) > 0 {
			line += ": " + a.Reasons[len(a.Reasons)-1]
		}
		out = append(out, line)
	}
	return out
}

func TestWhichActionsAreOnUsers(t *testing.T) {
	for kind, want := range map[Kind]bool{Dismiss: true, ConfirmCompromised: true, ConfirmSafe: true, CreatePolicy: false, UpdatePolicy: false, DeleteLocation: false} {
		if kind.OnUser() != want {
			t.Errorf("%s: %t", kind, !want)
		}
	}
}

// An order stands in for enforcement; a rule never confirms anybody safe. What
// is kept back says why, and not in the reasons of the caller.
func TestWhatAnOrderStandsInFor(t *testing.T) {
	reasons := make([]string, 1, 4)
	reasons[0] = "asked for"
	acts := []Action{{Kind: Dismiss, Status: Ready, Reasons: reasons}, {Kind: ConfirmSafe, Status: Ready}, {Kind: UpdatePolicy, Status: Ready, Change: &Change{}}}
	in := Input{Actions: acts, Limits: roomy, AtRisk: Count(2)}
	if d := cmp.Diff([]string{"a0001 notEnabled: not enabled: enforcement.dismiss is off", "a0002 notEnabled: not enabled: confirmSafe by rule is off",
		"a0003 notEnabled: not enabled: enforcement.policies is off"}, each(Build(in))); d != "" {
		t.Error(d)
	}
	if got := reasons[:2][1]; got != "" {
		t.Errorf("the caller's reasons were written to: %q", got)
	}
	in.Enforcement = allOn
	if p := Build(in); p.Actions[1].Status != NotEnabled {
		t.Errorf("confirmed safe by a rule: %v", each(p))
	}
	in.Enforcement, in.Ordered = Enforcement{}, true
	p := Build(in)
	if d := cmp.Diff([]string{"a0001 ready: asked for", "a0002 ready", "a0003 ready"}, each(p)); d != "" {
		t.Error(d)
	}
	if p.Actions[1].Reasons == nil {
		t.Error("no reasons are null instead of a list")
	}
}

// Beyond a limit what is ready of its kinds is refused, and nothing else.
// What two switches hold back names both, so that to switch one on is no surprise.
func TestEverySwitchThatIsOffIsNamed(t *testing.T) {
	held := "enforcement.allowEnabledPolicies is off: it creates an enabled policy"
	p := Build(Input{Actions: []Action{{Kind: CreatePolicy, Status: NotEnabled, Reasons: []string{held}, Change: &Change{}}}, Limits: roomy, AtRisk: Count(0)})
	if d := cmp.Diff([]string{held, "not enabled: enforcement.policies is off"}, p.Actions[0].Reasons); d != "" {
		t.Error(d)
	}
	on := Build(Input{Actions: []Action{{Kind: CreatePolicy, Status: NotEnabled, Reasons: []string{held}, Change: &Change{}}}, Limits: roomy, AtRisk: Count(0), Enforcement: Enforcement{Policies: true}})
	if d := cmp.Diff([]string{held}, on.Actions[0].Reasons); d != "" {
		t.Error(d)
	}
}

func TestWhatALimitRefuses(t *testing.T) {
	p := Build(Input{Enforcement: Enforcement{Dismiss: true, ConfirmCompromised: true}, AtRisk: Count(3), Limits: Limits{MaxConfirmCompromised: 5, MaxShareOfRiskyUsers: 1}, Actions: []Action{
		{Kind: Dismiss, Status: Ready}, {Kind: Dismiss, Status: Blocked}, {Kind: ConfirmCompromised, Status: Ready}, {Kind: Dismiss, Status: AlreadyDone},
		{Kind: UpdatePolicy, Status: Ready, Change: &Change{}},
	}})
	if d := cmp.Diff([]string{"a0001 refused: refused: limits.maxDismissals allows 0 in 24 h; 0 done, 1 wanted", "a0002 blocked", "a0003 ready", "a0004 alreadyDone",
		"a0005 notEnabled: not enabled: enforcement.policies is off"}, each(p)); d != "" {
		t.Error(d)
	}
}

// Dismissals and confirmations share one share; whom nobody asked for is not
// refused for it.
func TestTheShareIsOneForAllActionsOnUsers(t *testing.T) {
	limits := Limits{MaxDismissals: 50, MaxConfirmCompromised: 50, MaxShareOfRiskyUsers: 0.25, MaxPolicyCreates: 1}
	create := Action{Kind: CreatePolicy, Status: Ready, Change: &Change{}}
	text := "limits.maxShareOfRiskyUsers allows 25 % of 20 users at risk in 24 h; 0 done, 6 wanted"
	for _, c := range []struct {
		name   string
		acts   []Action
		recent map[Kind]int
		atRisk Counted
		want   []Violation
	}{
		{"both together", append(users(Dismiss, 3), users(ConfirmCompromised, 3)...), nil, Count(20), []Violation{
			{Dismiss, "limits.maxShareOfRiskyUsers", 0.25, 0, 0.3, text}, {ConfirmCompromised, "limits.maxShareOfRiskyUsers", 0.25, 0, 0.3, text}}},
		{"confirmations alone", users(ConfirmCompromised, 6), nil, Count(20), []Violation{{ConfirmCompromised, "limits.maxShareOfRiskyUsers", 0.25, 0, 0.3, text}}},
		{"confirmations that are done", users(Dismiss, 1), map[Kind]int{ConfirmCompromised: 5}, Count(15), []Violation{
			{Dismiss, "limits.maxShareOfRiskyUsers", 0.25, 5, 0.3, "limits.maxShareOfRiskyUsers allows 25 % of 20 users at risk (15 now, 5 acted on in these 24 h) in 24 h; 5 done, 1 wanted"}}},
		{"nobody is asked for", []Action{create}, map[Kind]int{Dismiss: 19}, Count(1), nil},
		{"nobody is asked for, nobody counted", []Action{create}, nil, Counted{}, nil},
		{"not counted", users(Dismiss, 1), nil, Counted{}, []Violation{
			{Dismiss, "limits.maxShareOfRiskyUsers", 0.25, 0, 1, "limits.maxShareOfRiskyUsers cannot be checked: the users at risk were not counted"}}},
		{"not counted, though the actions show some", seen(users(Dismiss, 30), entra.StateAtRisk), nil, Counted{}, []Violation{
			{Dismiss, "limits.maxShareOfRiskyUsers", 0.25, 0, 1, "limits.maxShareOfRiskyUsers cannot be checked: the users at risk were not counted"}}},
		{"more than were counted", seen(users(Dismiss, 24), entra.StateAtRisk), nil, Count(3), []Violation{
			{Dismiss, "limits.maxShareOfRiskyUsers", 0.25, 0, 1, "limits.maxShareOfRiskyUsers allows 25 % of 24 users at risk in 24 h; 0 done, 24 wanted"}}},
		{"who is not at risk is not in the base", seen(users(Dismiss, 6), entra.StateDismissed), nil, Count(2), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, Check(c.acts, limits, c.recent, c.atRisk, Count(0))); d != "" {
				t.Error(d)
			}
		})
	}
}

// Service principals are counted among themselves, and have a number of their own;
// what is done to them takes nothing of that for users.
func TestLimitsOfServicePrincipals(t *testing.T) {
	acts := func(n int) []Action {
		return append(users(DismissServicePrincipal, n), users(ConfirmServicePrincipalCompromised, n)...)
	}
	limits := Limits{MaxDismissals: 1, MaxServicePrincipals: 4, MaxShareOfRiskyUsers: 0.25}
	number := "limits.maxServicePrincipals allows 4 in 24 h; 1 done, 4 wanted"
	share := "limits.maxShareOfRiskyUsers allows 25 % of 20 service principals at risk (16 now, 4 acted on in these 24 h) in 24 h; 4 done, 2 wanted"
	for _, c := range []struct {
		name   string
		acts   []Action
		recent map[Kind]int
		atRisk Counted
		want   []Violation
	}{
		{"within", append(acts(2), users(Dismiss, 1)...), nil, Count(16), nil},
		{"both kinds are one number", acts(2), map[Kind]int{ConfirmServicePrincipalCompromised: 1}, Count(5), []Violation{{DismissServicePrincipal, "limits.maxServicePrincipals", 4, 1, 4, number}}},
		{"a share from 20 on", acts(1), map[Kind]int{DismissServicePrincipal: 4}, Count(16), []Violation{
			{DismissServicePrincipal, "limits.maxServicePrincipals", 4, 4, 2, "limits.maxServicePrincipals allows 4 in 24 h; 4 done, 2 wanted"}, {DismissServicePrincipal, "limits.maxShareOfRiskyUsers", 0.25, 4, 0.3, share}}},
		{"not counted", users(DismissServicePrincipal, 1), nil, Counted{}, []Violation{
			{DismissServicePrincipal, "limits.maxShareOfRiskyUsers", 0.25, 0, 1, "limits.maxShareOfRiskyUsers cannot be checked: the service principals at risk were not counted"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, Check(c.acts, limits, c.recent, Count(4), c.atRisk)); d != "" {
				t.Error(d)
			}
		})
	}
}

// The limit of single detections counts detections, not users, and those closed
// before.
func TestLimitOfDetections(t *testing.T) {
	acts := users(DismissDetections, 2)
	acts[0].Close = []SignIn{{Detections: []string{"d1", "d2"}}, {Detections: []string{"d3"}}}
	acts[1].Close = []SignIn{{Detections: []string{"d4"}}}
	limits := Limits{MaxDetectionDismissals: 9, MaxShareOfRiskyUsers: 1}
	for _, c := range []struct {
		before int
		want   []Violation
	}{
		{5, nil},
		{6, []Violation{{DismissDetections, "limits.maxDetectionDismissals", 9, 6, 4, "limits.maxDetectionDismissals allows 9 in 24 h; 6 done, 4 wanted"}}},
	} {
		if d := cmp.Diff(c.want, Check(acts, limits, map[Kind]int{Detections: c.before, DismissDetections: 1}, Count(4), Count(0))); d != "" {
			t.Errorf("%d before: %s", c.before, d)
		}
	}
}

// Each part of the evidence for a promotion is waited for.
func TestPromotionWaits(t *testing.T) {
	whole := Promotion{Day: 14, After: 14, SignIns: 100, MinSignIns: 100, RefusedUsers: 1, MaxRefusedUsers: 1, AskedUsers: 5, MaxAskedUsers: 5}
	for _, c := range []struct {
		change func(*Promotion)
		want   []string
	}{
		{func(*Promotion) {}, nil},
		{func(p *Promotion) { p.Day = 13 }, []string{"day 13 of 14"}},
		{func(p *Promotion) { p.SignIns = 99 }, []string{"99 of 100 sign-ins"}},
		{func(p *Promotion) { p.RefusedUsers, p.Who = 2, []string{"a", "b"} }, []string{"2 users would be refused, at most 1 may be: a, b"}},
		{func(p *Promotion) { p.AskedUsers = 6 }, []string{"6 users would be asked, at most 5 may be"}},
	} {
		p := whole
		c.change(&p)
		if p.Judge(); p.Holds != (c.want == nil) || !slices.Equal(p.Waits, c.want) {
			t.Errorf("%+v waits for %q, not %q", p, p.Waits, c.want)
		}
	}
}

func seen(acts []Action, state entra.RiskState) []Action {
	for i := range acts {
		acts[i].Risk = &Risk{RiskState: state}
	}
	return acts
}

// What needs an object that will not be made is not made either, however many
// stand between; who needs one that is there, or only changed, is not held.
func TestWhatNeedsWhat(t *testing.T) {
	change := func(kind entra.ObjectKind, key string, needs ...string) *Change {
		return &Change{Kind: kind, Key: key, Needs: needs}
	}
	p := Build(Input{Enforcement: allOn, Limits: roomy, Actions: []Action{
		{Kind: Dismiss, Status: Blocked},
		{Kind: CreateStrength, Status: Refused, Change: change(entra.KindStrength, "FIDO")},
		{Kind: UpdateLocation, Status: Blocked, Change: change(entra.KindLocation, "HQ")},
		{Kind: CreatePolicy, Status: Ready, Change: change(entra.KindPolicy, "CA2", string(entra.KindPolicy)+":CA1")},
		{Kind: CreatePolicy, Status: Ready, Change: change(entra.KindPolicy, "CA1", string(entra.KindStrength)+":FIDO")},
		{Kind: CreatePolicy, Status: Ready, Change: change(entra.KindPolicy, "CA3", string(entra.KindLocation)+":HQ")},
		{Kind: CreateLocation, Status: Ready, Change: change(entra.KindLocation, "Branch")},
		{Kind: CreatePolicy, Status: Ready, Change: change(entra.KindPolicy, "CA4", string(entra.KindLocation)+":Branch")},
	}})
	want := []string{"a0001 blocked", "a0002 refused", "a0003 blocked", "a0004 refused: needs " + string(entra.KindPolicy) + ":CA1, which is refused",
		"a0005 refused: needs " + string(entra.KindStrength) + ":FIDO, which is refused", "a0006 ready", "a0007 ready", "a0008 ready"}
	if d := cmp.Diff(want, each(p)); d != "" {
		t.Error(d)
	}
}

func TestWhatAPlanCosts(t *testing.T) {
	object := func(kind Kind, of entra.ObjectKind) Action {
		return Action{Kind: kind, Status: Ready, Change: &Change{Kind: of}}
	}
	blocked := object(UpdatePolicy, entra.KindPolicy)
	blocked.Status = Blocked
	for _, c := range []struct {
		name string
		acts []Action
		rate float64
		want Cost
	}{
		{"nothing", nil, 1, Cost{}},
		{"one batch", users(Dismiss, 60), 1, Cost{5, 5}},
		{"two batches and another kind", append(users(Dismiss, 61), users(ConfirmCompromised, 1)...), 4, Cost{15, 3.8}},
		{"unpaced", users(Dismiss, 1), 0, Cost{5, 0}},
		{"objects", []Action{object(CreatePolicy, entra.KindPolicy), object(UpdatePolicy, entra.KindPolicy), object(DeleteLocation, entra.KindLocation), blocked}, 1, Cost{7, 7}},
	} {
		t.Run(c.name, func(t *testing.T) {
			limits := roomy
			limits.MaxDismissals, limits.MaxPolicyDeletes = 100, 100
			if got := Build(Input{Actions: c.acts, Enforcement: allOn, Limits: limits, AtRisk: Count(100), RequestsPerSecond: c.rate}).Cost; got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// A stored plan narrows to what it asked for, by what it was based on.
func TestWhatIsKeptOfAStoredPlan(t *testing.T) {
	policy := func(hash, body string) Action {
		return Action{Kind: UpdatePolicy, Status: Ready, Subject: Subject{ID: "p1", Key: "CA1"}, Change: &Change{Kind: entra.KindPolicy, Key: "CA1", BeforeHash: hash, Body: entra.Document{"displayName": body}}}
	}
	user := func(id entra.ID, status Status) Action {
		return Action{Kind: Dismiss, Status: status, Subject: Subject{ID: id}}
	}
	build := func(e Enforcement, acts ...Action) Plan {
		return Build(Input{Run: "earlier", Enforcement: e, Limits: roomy, AtRisk: Count(5), Actions: acts})
	}
	for _, c := range []struct {
		name     string
		now      Plan
		then     Plan
		want     []string
		wantGone int
	}{
		{"the same", build(allOn, policy("h", "a")), build(allOn, policy("h", "a")), []string{"a0001 ready"}, 0},
		{"it was not enabled then", build(allOn, policy("h", "a")), build(Enforcement{}, policy("h", "a")), []string{"a0001 ready"}, 0},
		{"the live object changed", build(allOn, policy("h2", "a")), build(allOn, policy("h", "a")), []string{"a0001 notEnabled: not in the plan earlier"}, 1},
		{"something else is to be written", build(allOn, policy("h", "b")), build(allOn, policy("h", "a")), []string{"a0001 notEnabled: not in the plan earlier"}, 1},
		{"it was blocked then", build(allOn, user("u1", Ready)), build(allOn, user("u1", Blocked)), []string{"a0001 notEnabled: not in the plan earlier"}, 0},
		{"what was blocked then is not gone", build(allOn), build(allOn, user("u1", Blocked), user("u2", Ready)), []string{}, 1},
		{"it is blocked now", build(allOn, user("u1", Blocked)), build(allOn, user("u2", Ready)), []string{"a0001 blocked"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			gone := c.now.Keep(c.then)
			if d := cmp.Diff(c.want, each(c.now)); d != "" {
				t.Error(d)
			}
			if len(gone) != c.wantGone {
				t.Errorf("%d are gone, want %d: %v", len(gone), c.wantGone, gone)
			}
		})
	}
}

func TestRefusedChangesLeaveUsersAlone(t *testing.T) {
	p := Build(Input{
		Actions: []Action{
			{Kind: Dismiss, Status: Ready, Subject: Subject{ID: "u"}},
			{Kind: CreatePolicy, Status: Ready, Change: &Change{Kind: "conditionalAccessPolicy", Key: "P"}},
			{Kind: UpdatePolicy, Status: Blocked, Change: &Change{Kind: "conditionalAccessPolicy", Key: "Q"}},
		},
		Enforcement: Enforcement{Dismiss: true, Policies: true}, Limits: Limits{MaxDismissals: 9, MaxPolicyCreates: 9, MaxPolicyUpdates: 9, MaxShareOfRiskyUsers: 1},
		AtRisk: Count(10),
	})
	p.RefuseChanges("tenants[].expectations", "an expectation would not hold", 0)
	var got []Status
	for _, a := range p.Actions {
		got = append(got, a.Status)
	}
	if !slices.Equal(got, []Status{Ready, Refused, Blocked}) {
		t.Errorf("statuses %v", got)
	}
	if n := len(p.Violations); n != 1 || p.Violations[0].Limit != "tenants[].expectations" {
		t.Errorf("violations %v", p.Violations)
	}
}
