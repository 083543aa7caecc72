package app

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/notice"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep"
)

// Whose risk no policy meets is told once, until one does.
func TestNewlyUncoveredAreToldOnce(t *testing.T) {
	store := blobstore.NewMemory()
	reach := func(name string, met ...access.Met) report.RiskyReach {
		return report.RiskyReach{ID: "id-" + name, Name: name, Reach: &access.Reach{ReachedBy: met}}
	}
	for i, c := range []struct {
		risky []report.RiskyReach
		facts []string
	}{
		{[]report.RiskyReach{reach("ada"), reach("bob", access.Met{DisplayName: "MFA"})}, []string{"no enabled policy meets the risk of 1 user: ada"}},
		{[]report.RiskyReach{reach("ada"), reach("bob"), reach("cem")}, []string{"no enabled policy meets the risk of 2 users: bob, cem"}},
		{[]report.RiskyReach{reach("ada"), reach("bob"), reach("cem")}, nil},
		{[]report.RiskyReach{reach("ada", access.Met{DisplayName: "MFA"}), reach("bob")}, nil},
		{[]report.RiskyReach{reach("ada"), reach("bob")}, []string{"no enabled policy meets the risk of 1 user: ada"}},
	} {
		reached := report.Reached{Risky: c.risky}
		r := sweep.Result{Complete: true, Uncovered: reached.Uncovered(), NeedsPerson: []report.Waiting{{ID: "id-ada", Name: "ada"}}}
		e := event("contoso", r, nil, report.Redaction{})
		fresh, err := notice.New(t.Context(), store, "contoso", append(e.People, uncovered(r)...), over(r))
		if err != nil {
			t.Fatal(err)
		}
		name(&e, fresh)
		if diff := cmp.Diff(c.facts, e.Facts); diff != "" || len(e.People) != map[bool]int{true: 1}[i == 0] {
			t.Errorf("%d: people %v, facts: %s", i, e.People, diff)
		}
	}
}

// A notice counts the service principals that it names.
func TestServicePrincipalsAreCounted(t *testing.T) {
	e := event("contoso", sweep.Result{}, nil, report.Redaction{})
	name(&e, []notice.Person{{ID: workloadPrefix + "a", Name: "a needs a person"}, {ID: workloadPrefix + "b", Name: "b needs a person"}, {ID: untestedPrefix + "c", Name: "test c"}})
	if e.ServicePrincipals != 2 || len(e.Facts) != 3 {
		t.Errorf("%+v", e)
	}
}

// What a run could not tell is not over: the next one that can would tell it again.
func TestWhatIsNotKnownIsNotOver(t *testing.T) {
	ids := []string{"ada", uncoveredPrefix + "ada", uncoveredPrefix + "bob", untestedPrefix + "bg1", watchedPrefix + "bg1:2026-11-30T00:00:00Z:signed in", workloadPrefix + "p", groupPrefix + "g"}
	for _, c := range []struct {
		r     sweep.Result
		stays []string
	}{
		{sweep.Result{Complete: true}, nil},
		{sweep.Result{}, ids},
		{sweep.Result{Complete: true, Unsure: sweep.Unsure{Reach: true}}, ids[1:3]},
		{sweep.Result{Complete: true, Unsure: sweep.Unsure{ReachOf: []string{"bob"}}}, ids[2:3]},
		{sweep.Result{Complete: true, Unsure: sweep.Unsure{Tests: true}}, ids[3:4]},
		{sweep.Result{Complete: true, Unsure: sweep.Unsure{BreakGlass: true}}, ids[4:5]},
		{sweep.Result{Complete: true, Unsure: sweep.Unsure{Workloads: true}}, ids[5:6]},
	} {
		var stays []string
		for _, id := range ids {
			if !over(c.r)(id) {
				stays = append(stays, id)
			}
		}
		if diff := cmp.Diff(c.stays, stays); diff != "" {
			t.Errorf("%+v: %s", c.r, diff)
		}
	}
}
