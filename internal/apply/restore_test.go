package apply_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

// restoring is the restore of a location that lies among the deleted items.
func restoring(x *tenant, key string) plan.Action {
	was := location("L")
	was["id"] = locationID
	x.deleted = map[entra.ObjectKind][]entra.Document{entra.KindLocation: {was}}
	form := policy.CanonicalOf(entra.KindLocation, was)
	return plan.Action{ID: "a1", Kind: plan.RestoreLocation, Status: plan.Ready, Subject: plan.Subject{ID: locationID, Key: key},
		Change: &plan.Change{Kind: entra.KindLocation, Key: key, BeforeHash: form.Hash(), After: form.Document()}}
}

// onRestore fails a restore alone.
func onRestore(err error) func(string) error {
	return func(call string) error {
		if call == "restore" {
			return err
		}
		return nil
	}
}

func TestRestore(t *testing.T) {
	lost := fmt.Errorf("reset: %w", entra.ErrUnknownOutcome)
	edited := func(d entra.Document) entra.Document {
		d = d.Clone()
		d["displayName"] = "other"
		return d
	}
	const kind = entra.KindLocation
	for _, c := range []struct {
		name  string
		prove func(x *tenant)
		want  plan.OutcomeStatus
		sent  int
	}{
		{"it comes back", func(*tenant) {}, plan.Done, 1},
		{"the answer is lost after it was taken", func(x *tenant) { x.after = onRestore(lost) }, plan.Done, 1},
		{"the answer is lost before it was taken: never sent twice", func(x *tenant) { x.before = onRestore(lost) }, plan.Unknown, 1},
		{"persons alone may", func(x *tenant) { x.before = onRestore(entra.ErrForbidden) }, plan.Failed, 1},
		{"somebody has restored it", func(x *tenant) { x.objects[kind], x.deleted = x.deleted[kind], nil }, plan.Done, 0},
		{"somebody has restored it and changed it", func(x *tenant) { x.objects[kind], x.deleted = []entra.Document{edited(x.deleted[kind][0])}, nil }, plan.Moved, 0},
		{"restored, changed and deleted again", func(x *tenant) { x.deleted[kind][0] = edited(x.deleted[kind][0]) }, plan.Moved, 0},
		{"no longer there", func(x *tenant) { x.deleted = nil }, plan.Moved, 0},
	} {
		for _, key := range []string{"L", ""} {
			t.Run(c.name+" "+key, func(t *testing.T) {
				x, j := newTenant(), &diary{}
				a := restoring(x, key)
				c.prove(x)
				res, err := run(t, options(x, j, a))
				if err != nil {
					t.Fatal(err)
				}
				o := res.Outcomes[0]
				sent := len(slices.DeleteFunc(slices.Clone(x.calls), func(call string) bool { return call != "restore "+locationID }))
				if o.Status != c.want || sent != c.sent || o.Subject.ID != locationID {
					t.Errorf("%s, sent %d times, of %s; want %s, %d: %s", o.Status, sent, o.Subject.ID, c.want, c.sent, o.Detail)
				}
				if made := len(res.Made) == 1 && res.Made[0].ID == locationID && res.Made[0].Key == key && res.Made[0].Hash != ""; made != (c.want == plan.Done) {
					t.Errorf("made: %+v", res.Made)
				}
			})
		}
	}
}

func TestSettleOfARestore(t *testing.T) {
	for _, back := range []bool{false, true} {
		x := newTenant()
		a := restoring(x, "L")
		if back {
			x.objects[entra.KindLocation] = x.deleted[entra.KindLocation]
		}
		got, err := apply.Settle(t.Context(), x, []apply.Intent{{Run: "r", At: time.Now().Add(-time.Hour), Action: a}}, apply.Patience{Now: time.Now}, map[string]bool{})
		if err != nil {
			t.Fatal(err)
		}
		want := plan.SettledNotTaken
		if back {
			want = plan.SettledTaken
		}
		if s := got[0]; s.Outcome.Status != want || (s.Made != nil) != back {
			t.Errorf("back: %v: %s, made %+v", back, s.Outcome.Status, s.Made)
		}
	}
}
