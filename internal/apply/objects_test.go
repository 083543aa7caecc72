package apply_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

const locationID = "3d2f2b44-0000-4000-8000-00000000000a"

func location(name string) entra.Document {
	return entra.Document{"@odata.type": "#microsoft.graph.ipNamedLocation", "displayName": name, "isTrusted": false,
		"ipRanges": []any{map[string]any{"@odata.type": "#microsoft.graph.iPv4CidrRange", "cidrAddress": "203.0.113.0/24"}}}
}

func policyDoc(name, locationRef string) entra.Document {
	return entra.Document{"displayName": name, "state": "disabled",
		"conditions": map[string]any{
			"users": map[string]any{"includeUsers": []any{"All"}}, "applications": map[string]any{"includeApplications": []any{"All"}},
			"locations": map[string]any{"includeLocations": []any{locationRef}},
		},
		"grantControls": map[string]any{"operator": "OR", "builtInControls": []any{"mfa"}}}
}

func create(id string, kind plan.Kind, object entra.ObjectKind, key string, body entra.Document, needs ...string) plan.Action {
	return plan.Action{ID: id, Kind: kind, Status: plan.Ready, Subject: plan.Subject{Key: key, Name: body.DisplayName()},
		Change: &plan.Change{Kind: object, Key: key, Body: body, After: policy.CanonicalOf(object, body).Document(), Needs: needs}}
}

func TestCreateFillsInWhatItNeeds(t *testing.T) {
	x, j := newTenant(), &diary{}
	refused := 0
	x.before = func(call string) error {
		// The policy meets a service that has not seen the location yet.
		if call == "create" && strings.HasSuffix(x.calls[len(x.calls)-1], "P") && refused < 3 {
			refused++
			return fmt.Errorf("1040: unknown location: %w", entra.ErrBadRequest)
		}
		return nil
	}
	res, err := run(t, options(x, j,
		create("a1", plan.CreateLocation, entra.KindLocation, "L", location("L")),
		create("a2", plan.CreatePolicy, entra.KindPolicy, "P", policyDoc("P", "{{namedLocation:L}}"), "namedLocation:L")))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]plan.OutcomeStatus{"a1": plan.Done, "a2": plan.Done}, statuses(res)); d != "" {
		t.Error(d, res.Outcomes)
	}
	at := x.objects[entra.KindPolicy][0]["conditions"].(map[string]any)["locations"].(map[string]any)["includeLocations"]
	if d := cmp.Diff([]any{"new-1"}, at); d != "" {
		t.Error(d)
	}
	want := []string{"create L", "create P", "create P", "create P", "create P", "list namedLocation", "list conditionalAccessPolicy"}
	if d := cmp.Diff(want, x.calls); d != "" {
		t.Error(d)
	}
}

func TestNeedThatFailedFailsWhatNeedsIt(t *testing.T) {
	x, j := newTenant(), &diary{}
	x.before = func(call string) error {
		if call == "create" {
			return fmt.Errorf("1001: no: %w", entra.ErrBadRequest)
		}
		return nil
	}
	res, _ := run(t, options(x, j,
		create("a1", plan.CreateLocation, entra.KindLocation, "L", location("L")),
		create("a2", plan.CreatePolicy, entra.KindPolicy, "P", policyDoc("P", "{{namedLocation:L}}"), "namedLocation:L")))
	if d := cmp.Diff(map[string]plan.OutcomeStatus{"a1": plan.Failed, "a2": plan.Failed}, statuses(res)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"create L"}, x.calls); d != "" {
		t.Error(d)
	}
}

func TestLostCreateNeverMakesADuplicate(t *testing.T) {
	lost := fmt.Errorf("reset: %w", entra.ErrUnknownOutcome)
	for _, effect := range []bool{true, false} {
		t.Run(fmt.Sprint("effect ", effect), func(t *testing.T) {
			x, j := newTenant(), &diary{}
			fail := func(call string) error {
				if call == "create" {
					return lost
				}
				return nil
			}
			// An older namesake with the same content must not be taken for ours.
			old := policyDoc("P", "All")
			old["id"], old["createdDateTime"] = "old", "2020-01-01T00:00:00Z"
			x.objects[entra.KindPolicy] = []entra.Document{old}
			want := plan.Unknown
			if effect {
				x.after, want = fail, plan.Done
			} else {
				x.before = fail
			}
			o := options(x, j, create("a1", plan.CreatePolicy, entra.KindPolicy, "P", policyDoc("P", "All")))
			o.Known = map[entra.ObjectKind]map[string]bool{entra.KindPolicy: {"old": true}}
			res, _ := run(t, o)
			if got := res.Outcomes[0]; got.Status != want {
				t.Errorf("outcome %s (%s), want %s", got.Status, got.Detail, want)
			}
			creates := 0
			for _, c := range x.calls {
				if c == "create P" {
					creates++
				}
			}
			if creates != 1 {
				t.Errorf("%d creates were sent", creates)
			}
			if effect && (len(res.Made) != 1 || res.Made[0].ID != "new-1") {
				t.Errorf("made %+v", res.Made)
			}
		})
	}
}

// What somebody makes by hand between the listing and a create that is lost on
// its way is not ours, be it the very same.
func TestALostCreateTakesNothingFromOthers(t *testing.T) {
	x, j := newTenant(), &diary{}
	theirs := policyDoc("P", "All")
	theirs["id"], theirs["createdDateTime"] = "theirs", "1999-12-31T23:00:00Z" // an hour before the run
	x.objects[entra.KindPolicy] = []entra.Document{theirs}
	lost := fmt.Errorf("reset: %w", entra.ErrUnknownOutcome)
	x.before = func(call string) error {
		if call == "create" {
			return lost
		}
		return nil
	}
	a := create("a1", plan.CreatePolicy, entra.KindPolicy, "P", policyDoc("P", "All"))
	o := options(x, j, a)
	o.Known = map[entra.ObjectKind]map[string]bool{entra.KindPolicy: {}}
	res, _ := run(t, o)
	if got := res.Outcomes[0]; got.Status != plan.Unknown || len(res.Made) > 0 {
		t.Errorf("outcome %s (%s), made %+v", got.Status, got.Detail, res.Made)
	}
	at := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	settled, err := apply.Settle(t.Context(), x, []apply.Intent{{Run: "r", At: at, ServiceTime: at, Action: a, Known: o.Known}}, apply.Patience{Now: time.Now}, map[string]bool{})
	if err != nil || settled[0].Outcome.Status != plan.SettledNotTaken {
		t.Errorf("%+v, %v", settled, err)
	}
}

func change(x *tenant, id string) plan.Action {
	before := location("L")
	before["id"] = locationID
	x.objects[entra.KindLocation] = []entra.Document{before.Clone()}
	after := before.Clone()
	after["displayName"] = "L2"
	return plan.Action{ID: id, Kind: plan.UpdateLocation, Status: plan.Ready, Subject: plan.Subject{ID: locationID, Key: "L"},
		Change: &plan.Change{Kind: entra.KindLocation, Key: "L", Before: before, BeforeHash: policy.CanonicalHash(entra.KindLocation, before),
			Body: entra.Document{"displayName": "L2"}, After: policy.CanonicalOf(entra.KindLocation, after).Document()}}
}

func TestUpdate(t *testing.T) {
	lost := fmt.Errorf("reset: %w", entra.ErrUnknownOutcome)
	once := func(on string) func(string) error {
		n := 0
		return func(call string) error {
			if call == on {
				if n++; n == 1 {
					return lost
				}
			}
			return nil
		}
	}
	for name, c := range map[string]struct {
		prepare func(*tenant)
		want    plan.OutcomeStatus
		calls   []string
	}{
		"plain":         {func(*tenant) {}, plan.Done, []string{"get " + locationID, "update " + locationID, "list namedLocation"}},
		"moved by hand": {func(x *tenant) { x.objects[entra.KindLocation][0]["isTrusted"] = true }, plan.Moved, []string{"get " + locationID}},
		"gone":          {func(x *tenant) { x.objects[entra.KindLocation] = nil }, plan.Moved, []string{"get " + locationID}},
		"lost after the effect": {func(x *tenant) { x.after = once("update") }, plan.Done,
			[]string{"get " + locationID, "update " + locationID, "get " + locationID, "list namedLocation"}},
		"lost before the effect": {func(x *tenant) { x.before = once("update") }, plan.Done,
			[]string{"get " + locationID, "update " + locationID, "get " + locationID, "update " + locationID, "list namedLocation"}},
	} {
		t.Run(name, func(t *testing.T) {
			x, j := newTenant(), &diary{}
			a := change(x, "a1")
			c.prepare(x)
			res, err := run(t, options(x, j, a))
			if err != nil {
				t.Fatal(err)
			}
			if got := res.Outcomes[0]; got.Status != c.want {
				t.Errorf("outcome %s (%s), want %s", got.Status, got.Detail, c.want)
			}
			if d := cmp.Diff(c.calls, x.calls); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestWhatTheServiceKeepsOtherwiseIsLearned(t *testing.T) {
	x, j := newTenant(), &diary{}
	a := change(x, "a1")
	x.after = func(string) error { // the service trims the name
		x.objects[entra.KindLocation][0]["displayName"] = "L 2"
		return nil
	}
	res, _ := run(t, options(x, j, a))
	got := res.Outcomes[0]
	if got.Status != plan.Done || !strings.Contains(got.Detail, "displayName") {
		t.Errorf("outcome %s: %s", got.Status, got.Detail)
	}
	if m := res.Made[0]; m.Hash == m.Wanted || m.Hash != policy.CanonicalHash(entra.KindLocation, x.objects[entra.KindLocation][0]) {
		t.Errorf("learned %+v", m)
	}
}

func TestUntrustThenDelete(t *testing.T) {
	x, j := newTenant(), &diary{}
	up := change(x, "a1")
	del := plan.Action{ID: "a2", Kind: plan.DeleteLocation, Status: plan.Ready, Subject: plan.Subject{ID: locationID, Key: "L"},
		Change: &plan.Change{Kind: entra.KindLocation, Key: "L", Before: up.Change.Before, BeforeHash: up.Change.BeforeHash}}
	res, _ := run(t, options(x, j, up, del))
	if d := cmp.Diff(map[string]plan.OutcomeStatus{"a1": plan.Done, "a2": plan.Done}, statuses(res)); d != "" {
		t.Error(d)
	}
	if last := res.Made[len(res.Made)-1]; !last.Deleted {
		t.Errorf("made %+v", res.Made)
	}
}

// numbered is a refusal as the service words it.
type numbered string

func (n numbered) Error() string          { return string(n) }
func (n numbered) ServiceMessage() string { return string(n) }
func (n numbered) Is(target error) bool   { return target == entra.ErrBadRequest }

// What no lag explains is not waited for, although something needed is fresh.
func TestARefusalThatLasts(t *testing.T) {
	x, j := newTenant(), &diary{}
	x.before = func(call string) error {
		if call == "create" && strings.HasSuffix(x.calls[len(x.calls)-1], "P") {
			return numbered("1064: clientAppTypes does not take an empty list.")
		}
		return nil
	}
	res, err := run(t, options(x, j,
		create("a1", plan.CreateLocation, entra.KindLocation, "L", location("L")),
		create("a2", plan.CreatePolicy, entra.KindPolicy, "P", policyDoc("P", "{{namedLocation:L}}"), "namedLocation:L")))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]plan.OutcomeStatus{"a1": plan.Done, "a2": plan.Failed}, statuses(res)); d != "" {
		t.Error(d, res.Outcomes)
	}
	if d := cmp.Diff([]string{"create L", "create P", "list namedLocation"}, x.calls); d != "" {
		t.Error(d)
	}
}

// A service that lags costs time only where something depends on what it has
// not seen yet.
func TestWhatDependsOnNothingGoesFirst(t *testing.T) {
	x, j := newTenant(), &diary{}
	refused := 0
	x.before = func(call string) error {
		if call == "create" && x.calls[len(x.calls)-1] == "create P" && refused < 1 {
			refused++
			return fmt.Errorf("1040: unknown location: %w", entra.ErrBadRequest)
		}
		return nil
	}
	res, err := run(t, options(x, j,
		create("a1", plan.CreateLocation, entra.KindLocation, "L", location("L")),
		create("a2", plan.CreatePolicy, entra.KindPolicy, "P", policyDoc("P", "{{namedLocation:L}}"), "namedLocation:L"),
		create("a3", plan.CreatePolicy, entra.KindPolicy, "Q", policyDoc("Q", "All")),
		create("a4", plan.CreatePolicy, entra.KindPolicy, "R", policyDoc("R", "All"), "conditionalAccessPolicy:P")))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]plan.OutcomeStatus{"a1": plan.Done, "a2": plan.Done, "a3": plan.Done, "a4": plan.Done}, statuses(res)); d != "" {
		t.Error(d, res.Outcomes)
	}
	want := []string{"create L", "create P", "create Q", "create P", "create R", "list namedLocation", "list conditionalAccessPolicy"}
	if d := cmp.Diff(want, x.calls); d != "" {
		t.Error(d)
	}
	intents := []string{}
	for _, l := range j.lines {
		if strings.HasPrefix(l, "intent") {
			intents = append(intents, l)
		}
	}
	if d := cmp.Diff([]string{"intent createLocation a1", "intent createPolicy a2", "intent createPolicy a3", "intent createPolicy a4"}, intents); d != "" {
		t.Error(d)
	}
}

// A create without an answer is looked for while the rest goes on.
func TestALostCreateHoldsUpOnlyWhatNeedsIt(t *testing.T) {
	x, j := newTenant(), &diary{}
	x.before = func(call string) error {
		if call == "create" && x.calls[len(x.calls)-1] == "create L" {
			return fmt.Errorf("reset: %w", entra.ErrUnknownOutcome)
		}
		return nil
	}
	res, _ := run(t, options(x, j,
		create("a1", plan.CreateLocation, entra.KindLocation, "L", location("L")),
		create("a2", plan.CreatePolicy, entra.KindPolicy, "P", policyDoc("P", "{{namedLocation:L}}"), "namedLocation:L"),
		create("a3", plan.CreatePolicy, entra.KindPolicy, "Q", policyDoc("Q", "All"))))
	if d := cmp.Diff(map[string]plan.OutcomeStatus{"a1": plan.Unknown, "a2": plan.Failed, "a3": plan.Done}, statuses(res)); d != "" {
		t.Error(d, res.Outcomes)
	}
	if d := cmp.Diff([]string{"create L", "list namedLocation", "create Q", "list namedLocation"}, x.calls[:4]); d != "" {
		t.Error(d)
	}
}

// A location is refused as long as the service has not seen that the policy
// which used it is gone.
func TestDeleteWaitsForWhatUsedTheObject(t *testing.T) {
	x, j := newTenant(), &diary{}
	loc := change(x, "a2")
	used := policyDoc("P", locationID)
	used["id"] = "p"
	x.objects[entra.KindPolicy] = []entra.Document{used}
	remove := func(id string, kind plan.Kind, object entra.ObjectKind, d entra.Document, key string) plan.Action {
		return plan.Action{ID: id, Kind: kind, Status: plan.Ready, Subject: plan.Subject{ID: entra.NewID(d.ID()), Key: key},
			Change: &plan.Change{Kind: object, Key: key, Before: d, BeforeHash: policy.CanonicalHash(object, d)}}
	}
	refused := 0
	x.before = func(call string) error {
		if call == "delete" && x.calls[len(x.calls)-1] == "delete "+locationID && refused < 2 {
			refused++
			return fmt.Errorf("in use: %w", entra.ErrBadRequest)
		}
		return nil
	}
	res, _ := run(t, options(x, j, remove("a1", plan.DeletePolicy, entra.KindPolicy, used, "P"),
		remove("a2", plan.DeleteLocation, entra.KindLocation, loc.Change.Before, "L")))
	if d := cmp.Diff(map[string]plan.OutcomeStatus{"a1": plan.Done, "a2": plan.Done}, statuses(res)); d != "" {
		t.Error(d, res.Outcomes)
	}
}

// A run that is cancelled while it waits says what it knows.
func TestCancelledWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, j := newTenant(), &diary{}
		ctx, cancel := context.WithCancel(t.Context())
		x.before = func(call string) error {
			if call == "create" {
				time.AfterFunc(10*time.Second, cancel)
				return fmt.Errorf("reset: %w", entra.ErrUnknownOutcome)
			}
			return nil
		}
		o := options(x, j, create("a1", plan.CreateLocation, entra.KindLocation, "L", location("L")),
			create("a2", plan.CreatePolicy, entra.KindPolicy, "P", policyDoc("P", "{{namedLocation:L}}"), "namedLocation:L"))
		res, err := apply.Run(ctx, o)
		if err != nil || res.Stopped == nil {
			t.Error(err, res.Stopped)
		}
		if d := cmp.Diff(map[string]plan.OutcomeStatus{"a1": plan.Unknown, "a2": plan.NotAttempted}, statuses(res)); d != "" {
			t.Error(d, res.Outcomes)
		}
	})
}
