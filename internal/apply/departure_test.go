package apply_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

// slow is a journal that takes its time for some intents, in which the world
// goes on.
type slow struct {
	diary
	takes     []time.Duration
	meanwhile func()
}

func (j *slow) Intent(ctx context.Context, kind plan.Kind, actions []plan.Action) error {
	if len(j.takes) > 0 {
		time.Sleep(j.takes[0])
		if j.takes = j.takes[1:]; j.meanwhile != nil {
			j.meanwhile()
		}
	}
	return j.diary.Intent(ctx, kind, actions)
}

// lasts is the gate of a lease that ends some time after it was first asked.
func lasts(d time.Duration) func(context.Context, time.Duration) error {
	var end time.Time
	return func(_ context.Context, takes time.Duration) error {
		if end.IsZero() {
			end = time.Now().Add(d)
		}
		if d > 0 && time.Now().Add(takes).After(end) {
			return errors.New("the lease is lost")
		}
		return nil
	}
}

// Whatever passes between the fence and the request, the request does not rest
// on an old look, and not on a lease that another run may hold.
func TestStandsStillBetweenFenceAndRequest(t *testing.T) {
	risk := func(x *tenant) {
		x.detections["d9"] = &entra.Detection{ID: "d9", UserID: "u1", RiskState: "atRisk", RiskLevel: "low"}
	}
	for name, c := range map[string]struct {
		journal, departure time.Duration
		lease              time.Duration // how long it lasts; 0 for ever
		happens            bool          // risk comes meanwhile
		want               plan.OutcomeStatus
		detail             string
		fences             int
	}{
		"a moment":                   {journal: 5 * time.Second, want: plan.Done, fences: 1},
		"too long, nothing happened": {journal: 40 * time.Second, want: plan.Done, fences: 2},
		"too long, and risk came":    {journal: 40 * time.Second, happens: true, want: plan.Moved, fences: 2},
		"the lease ended":            {journal: 70 * time.Second, lease: time.Minute, happens: true, want: plan.NotAttempted, detail: "not attempted: the lease is lost", fences: 1},
		"waits for its turn":         {departure: 12 * time.Second, want: plan.Done, fences: 1},
		"always late":                {departure: 31 * time.Second, want: plan.NotAttempted, detail: "too much time passed", fences: 3},
		"late, and the lease ends":   {departure: 31 * time.Second, lease: 50 * time.Second, want: plan.NotAttempted, detail: "not attempted: the lease is lost", fences: 1},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTenant()
			a := x.user("u1", "d1")
			j := &slow{}
			if c.journal > 0 {
				j.takes = []time.Duration{c.journal}
			}
			if c.happens {
				j.meanwhile = func() { risk(x) }
			}
			fences := 0
			x.before = func(call string) error {
				if call == "GET riskDetections" {
					fences++
				}
				return nil
			}
			x.wait = c.departure
			o := options(x, &j.diary, a)
			o.WriteTimeout, o.Journal = 30*time.Second, j
			o.ReadBack = 0
			o.Gate = lasts(c.lease)
			res, err := run(t, o)
			if err != nil {
				t.Fatal(err)
			}
			if got := res.Outcomes[0]; got.Status != c.want || !strings.Contains(got.Detail, c.detail) {
				t.Errorf("outcome %s: %s, want %s: %s", got.Status, got.Detail, c.want, c.detail)
			}
			// What was intended has its outcome in the journal.
			if d := cmp.Diff([]string{"intent dismiss a-u1", "outcome a-u1 " + string(c.want)}, j.lines); d != "" {
				t.Error(d)
			}
			if c.want == plan.Done {
				fences-- // the look back
			}
			if fences != c.fences {
				t.Errorf("%d fences, want %d", fences, c.fences)
			}
			if sent := len(x.calls) > 0; sent != (c.want == plan.Done) {
				t.Errorf("sent %v", x.calls)
			}
		})
	}
}

// The same for what a baseline writes: an update or a delete rests on a look at
// the object, and nothing leaves without the lease.
func TestChangeStandsStillBeforeItLeaves(t *testing.T) {
	for name, c := range map[string]struct {
		kind    plan.Kind
		journal time.Duration
		lease   time.Duration
		edited  bool // by hand, meanwhile
		want    plan.OutcomeStatus
		sent    string
	}{
		"update, a moment":         {kind: plan.UpdatePolicy, journal: 5 * time.Second, want: plan.Done, sent: "update p1"},
		"update, too long":         {kind: plan.UpdatePolicy, journal: 40 * time.Second, want: plan.Done, sent: "update p1"},
		"update, edited":           {kind: plan.UpdatePolicy, journal: 40 * time.Second, edited: true, want: plan.Moved},
		"update, the lease ended":  {kind: plan.UpdatePolicy, journal: 70 * time.Second, lease: time.Minute, want: plan.NotAttempted},
		"delete, too long":         {kind: plan.DeletePolicy, journal: 40 * time.Second, want: plan.Done, sent: "delete p1"},
		"delete, edited":           {kind: plan.DeletePolicy, journal: 40 * time.Second, edited: true, want: plan.Moved},
		"delete, the lease ended":  {kind: plan.DeletePolicy, journal: 70 * time.Second, lease: time.Minute, want: plan.NotAttempted},
		"create, a moment":         {kind: plan.CreatePolicy, journal: 5 * time.Second, want: plan.Done, sent: "create after"},
		"create, the lease ended":  {kind: plan.CreatePolicy, journal: 70 * time.Second, lease: time.Minute, want: plan.NotAttempted},
		"create, late but leased":  {kind: plan.CreatePolicy, journal: 70 * time.Second, want: plan.Done, sent: "create after"},
		"update, at the departure": {kind: plan.UpdatePolicy, journal: -31 * time.Second, want: plan.NotAttempted},
		"create, at the departure": {kind: plan.CreatePolicy, journal: -31 * time.Second, want: plan.NotAttempted},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTenant()
			before := entra.Document{"id": "p1", "displayName": "before", "state": "disabled"}
			after := entra.Document{"displayName": "after", "state": "disabled"}
			change := &plan.Change{Kind: entra.KindPolicy, Key: "P1", Body: after, After: after}
			a := plan.Action{ID: "a-p1", Kind: c.kind, Status: plan.Ready, Subject: plan.Subject{Key: "P1", Name: "before"}, Change: change}
			if c.kind != plan.CreatePolicy {
				x.objects[entra.KindPolicy] = []entra.Document{before}
				a.Subject.ID, change.BeforeHash = "p1", policy.CanonicalHash(entra.KindPolicy, before)
			}
			if c.kind == plan.DeletePolicy {
				change.Body, change.After = nil, nil
			}
			j := &slow{}
			if c.journal > 0 {
				j.takes = []time.Duration{c.journal}
			} else {
				x.wait = -c.journal
			}
			if c.edited {
				j.meanwhile = func() { before["displayName"] = "edited" }
			}
			o := options(x, &j.diary, a)
			o.WriteTimeout, o.Journal, o.Gate = 30*time.Second, j, lasts(c.lease)
			res, err := run(t, o)
			if err != nil {
				t.Fatal(err)
			}
			if got := res.Outcomes[0]; got.Status != c.want {
				t.Errorf("outcome %s: %s, want %s", got.Status, got.Detail, c.want)
			}
			var sent []string
			for _, call := range x.calls {
				if !strings.HasPrefix(call, "get ") && !strings.HasPrefix(call, "list ") {
					sent = append(sent, call)
				}
			}
			if got := strings.Join(sent, ", "); got != c.sent {
				t.Errorf("sent %q, want %q", got, c.sent)
			}
			lines := []string{"intent " + string(c.kind) + " a-p1"}
			if c.kind == plan.CreatePolicy && c.sent != "" {
				lines = append(lines, "made a-p1 new-1")
			}
			if d := cmp.Diff(append(lines, "outcome a-p1 "+string(c.want)), j.lines); d != "" {
				t.Error(d)
			}
		})
	}
}

// A run that is cancelled while a write waits for its turn does not send it.
func TestCancelledBeforeDeparture(t *testing.T) {
	x, j := newTenant(), &diary{}
	o := options(x, j, x.user("u1", "d1"))
	ctx, cancel := context.WithCancelCause(t.Context())
	gate := 0
	o.Gate = func(context.Context, time.Duration) error {
		if gate++; gate == 2 {
			cancel(errors.New("the process is to end"))
		}
		return nil
	}
	res, err := apply.Run(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	if got := res.Outcomes[0]; got.Status != plan.NotAttempted || got.Detail != "not attempted: the process is to end" {
		t.Errorf("outcome %s: %s", got.Status, got.Detail)
	}
	if len(x.calls) > 0 {
		t.Errorf("sent %v", x.calls)
	}
}
