package fleet_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/fleet"
)

// rows are the tenants of a fleet in their order, with what is said of each.
func rows(f fleet.Fleet) []string {
	var out []string
	for _, s := range f.Tenants {
		out = append(out, s.Tenant+": "+s.What())
	}
	return out
}

func swept(name string, ago time.Duration) fleet.Summary {
	return fleet.Summary{Tenant: name, Status: "succeeded", FinishedAt: at.Add(-ago), LastSuccess: at.Add(-ago), Numbers: numbers(0, 0, 0, 0)}
}

// A tenant that nothing sweeps is in trouble, whatever its last run said.
func TestATenantThatIsNotSwept(t *testing.T) {
	const day = 24 * time.Hour
	old, late, fresh, partial, down := swept("old", 10*day), swept("late", 49*time.Hour), swept("fresh", 47*time.Hour), swept("partial", 5*day), swept("down", 10*day)
	partial.Status, partial.FinishedAt, partial.Failures = "partial", at, []fleet.Failure{{Kind: "outcomes", Text: "1 action did not end as planned"}}
	down.Status, down.Failures = "failed", []fleet.Failure{{Kind: "network", Text: "refused"}}
	busy := swept("busy", time.Hour)
	busy.Campaigns = []fleet.Campaign{{Users: 9, Summary: "spray"}}
	list := []fleet.Summary{busy, fresh, late, old, partial, down}
	f := fleet.Of(list, fleet.View{At: at})
	want := []string{"down: no success since 2026-11-20; network: refused", "late: not swept since 2026-11-28", "old: not swept since 2026-11-20",
		"partial: no success since 2026-11-25; outcomes: 1 action did not end as planned", "busy: campaign: spray", "fresh: "}
	if d := cmp.Diff(want, rows(f)); d != "" {
		t.Error(d)
	}
	if f.Total.Trouble != 4 || !f.Tenants[2].NotSweptSince.Equal(old.LastSuccess) {
		t.Errorf("%+v", f)
	}
	if got, want := fleet.Headline(f.Tenants), "1 failed, 3 not swept, 1 campaign; 1 in order (6 tenants)"; got != want {
		t.Errorf("got %q", got)
	}
	var page bytes.Buffer
	if err := fleet.WriteHTML(&page, f, fleet.InStore); err != nil || !strings.Contains(page.String(), "10 days ago") || !strings.Contains(page.String(), ">not swept since 2026-11-20<") {
		t.Error(err, page.String())
	}
	weekly := fleet.View{At: at, Next: func(t time.Time) time.Time { return t.Add(7 * day) }}
	if f := fleet.Of(list, weekly); f.Total.Trouble != 2 {
		t.Errorf("with a weekly schedule: %q", rows(f))
	}
}

// A tenant that was taken out of the configuration is said to be, and is in no
// trouble when nothing sweeps it any more.
func TestATenantThatIsNotConfigured(t *testing.T) {
	gone, moved := swept("gone", 240*time.Hour), swept("moved", 240*time.Hour)
	gone.Status, moved.Status, moved.FinishedAt = "failed", "failed", at
	moved.Failures = []fleet.Failure{{Kind: "network", Text: "refused"}}
	f := fleet.Of([]fleet.Summary{gone, moved, swept("here", 0)}, fleet.View{At: at, Tenants: []string{"here"}})
	want := []string{"moved: no longer configured; no success since 2026-11-20; network: refused", "here: ", "gone: no longer configured; no success since 2026-11-20"}
	if d := cmp.Diff(want, rows(f)); d != "" || f.Total.Trouble != 1 || f.Total.NeedsSomebody != 1 {
		t.Errorf("%+v\n%s", f.Total, d)
	}
}

func TestHeadline(t *testing.T) {
	list := fifty()
	for i := range list {
		list[i].Addresses = nil
	}
	for n, want := range map[int]string{50: "1 failed, 1 refused, 1 campaign; 47 in order (50 tenants)", 1: "all in order (1 tenant)"} {
		if got := fleet.Headline(fleet.Of(list[:n], fleet.View{At: at}).Tenants); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Where all have a campaign, the larger one stands first.
func TestTheLargestCampaignComesFirst(t *testing.T) {
	small, large := swept("small", 0), swept("large", 0)
	small.Numbers = numbers(9, 9, 9, 0)
	small.Campaigns = []fleet.Campaign{{Users: 4, Summary: "four"}}
	large.Campaigns = []fleet.Campaign{{Users: 2, Summary: "two"}, {Users: 9, Summary: "nine"}}
	if d := cmp.Diff([]string{"large: campaign: two", "small: campaign: four"}, rows(fleet.Of([]fleet.Summary{small, large}, fleet.View{At: at}))); d != "" {
		t.Error(d)
	}
}
