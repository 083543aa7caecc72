package drift_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/exception"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

// Beside exceptions the comparison holds as without them: who was excluded by
// hand is no exception's, and only who is recorded is let back in by one.
func TestExceptionsAndWhoWasExcludedByHand(t *testing.T) {
	const eve = "e0000000-0000-0000-0000-000000000007"
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	of := func(tn *tenant, user string) plan.Exclusion {
		return plan.Exclusion{Key: "CA010", PolicyID: tn.owned[entra.KindPolicy]["CA010"].ID, UserID: entra.ID(user), Exception: "travel", Until: now.Add(time.Hour)}
	}
	for name, c := range map[string]struct {
		out                  []any // whom the live policy excludes besides
		wanted, recorded     []string
		actions              []string
		letIn, putOut, mends []string // whom the actions are about
	}{
		"in force":                          {out: []any{ada}, wanted: []string{ada}, recorded: []string{ada}, actions: []string{}},
		"begins":                            {wanted: []string{ada}, actions: []string{"beginException CA010 ready"}, putOut: []string{ada}},
		"ends":                              {out: []any{ada}, recorded: []string{ada}, actions: []string{"endException CA010 ready"}, letIn: []string{ada}},
		"one by hand, one in force":         {out: []any{ada, eve}, wanted: []string{ada}, recorded: []string{ada}, actions: []string{"updatePolicy CA010 ready"}, mends: []string{eve}},
		"one by hand, one begins":           {out: []any{eve}, wanted: []string{ada}, actions: []string{"updatePolicy CA010 ready", "beginException CA010 ready"}, putOut: []string{ada}, mends: []string{eve}},
		"one by hand, one ends":             {out: []any{ada, eve}, recorded: []string{ada}, actions: []string{"updatePolicy CA010 ready", "endException CA010 ready"}, letIn: []string{ada}, mends: []string{eve}},
		"one by hand, and an empty file":    {out: []any{eve}, actions: []string{"updatePolicy CA010 ready"}, mends: []string{eve}},
		"the wanted one was put out before": {out: []any{ada}, wanted: []string{ada}, actions: []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			tn, b := applied(t, small)
			id := string(tn.owned[entra.KindPolicy]["CA010"].ID)
			policy.Put(tn.docs[entra.KindPolicy][id], "conditions.users.excludeUsers", append([]any{bg1, bg2}, c.out...))
			bound := &exception.Bound{Entries: map[string]exception.Exception{}, Now: now}
			for _, user := range c.wanted {
				bound.Wanted = append(bound.Wanted, exception.Wanted{Exclusion: of(tn, user)})
				bound.Entries["travel"] = exception.Exception{ID: "travel", Until: now.Add(time.Hour)}
			}
			for _, user := range c.recorded {
				bound.Recorded = append(bound.Recorded, of(tn, user))
			}
			s := everything
			s.Exceptions = bound
			actions := tn.plan(b, s).Actions
			if d := cmp.Diff(c.actions, shape(actions)); d != "" {
				t.Fatal(d)
			}
			var letIn, putOut, mends []string
			for _, a := range actions {
				before, after := policy.CanonicalOf(entra.KindPolicy, a.Change.Before).ExcludedUsers(), policy.CanonicalOf(entra.KindPolicy, a.Change.After).ExcludedUsers()
				gone, come := without(before, after), without(after, before)
				switch a.Kind {
				case plan.BeginException:
					putOut = append(putOut, come...)
				case plan.EndException:
					letIn = append(letIn, without(gone, c.mends)...)
				default:
					mends = append(mends, gone...)
				}
			}
			if d := cmp.Diff([][]string{c.letIn, c.putOut, c.mends}, [][]string{letIn, putOut, mends}); d != "" {
				t.Errorf("let in, put out, mended: %s", d)
			}
		})
	}
}

func without(list, of []string) (out []string) {
	for _, s := range list {
		found := false
		for _, o := range of {
			found = found || o == s
		}
		if !found {
			out = append(out, s)
		}
	}
	return out
}
