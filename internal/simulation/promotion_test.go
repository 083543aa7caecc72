package simulation

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/graphsim"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/sweep"
)

var promotions = flag.Int("promotions", 3, "how many tenants in which policies are promoted to try")

// No policy is promoted without its evidence, and none waits that has it:
//
//	go test ./internal/simulation -run TestPromotion -promotions 200
func TestPromotion(t *testing.T) {
	for seed := range uint64(*promotions) { //nolint:gosec // a small number
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			promoting(t, seed)
		})
	}
}

const promotedBaseline = `
breakGlass: {users: [bg1@contoso.com, bg2@contoso.com]}
policies:
  - key: P1
    displayName: P1 Second factor
    state: enabled
    promote: {after: 3d, minSignIns: %d, maxRefusedUsers: %d, maxAskedUsers: %d}
    conditions: {clientAppTypes: [all], applications: {includeApplications: [All]}, users: {includeUsers: [All]}}
    grantControls: {operator: OR, builtInControls: [mfa]}
  - key: P2
    displayName: P2 No devices of others
    state: enabled
    promote: {after: 2d, minSignIns: %d, maxRefusedUsers: %d, maxAskedUsers: 25}
    conditions: {platforms: {includePlatforms: [%s]}, applications: {includeApplications: [All]}, users: {includeUsers: [All]}}
    grantControls: {operator: OR, builtInControls: [compliantDevice]}
`

func promoting(t *testing.T, seed uint64) {
	dice := rand.New(rand.NewPCG(seed, 78))
	type asks struct {
		days               int
		min, refuse, asked int
	}
	want := map[string]asks{"P1": {3, 10 + dice.IntN(60), dice.IntN(12), 2 + dice.IntN(20)}, "P2": {2, 10 + dice.IntN(60), dice.IntN(4), 25}}
	text := fmt.Sprintf(promotedBaseline, want["P1"].min, want["P1"].refuse, want["P1"].asked, want["P2"].min, want["P2"].refuse, []string{"linux", "macOS", "windows", "iOS, android"}[dice.IntN(4)])
	inOffice(t, graphsim.Options{Seed: seed, Users: 25, Policies: 1, SignIns: 600}, text, func(w *office) {
		w.change = func(s *sweep.Sweeper) {
			s.Settings.Enforcement.Promote, s.Settings.Limits.MaxPromotions = true, 1
		}
		const at = "/identity/conditionalAccess/policies/"
		var last time.Time // of the last promotion
		for range 9 {
			id := map[string]string{}
			state, _, err := ledger.New(w.store, "contoso", ledger.Options{Now: time.Now}).State(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for key, o := range state.Owned[entra.KindPolicy] {
				id[key] = string(o.ID)
			}
			if len(id) > 0 && dice.IntN(5) == 0 { // somebody changes one, and it begins anew
				w.act("bg1@contoso.com", "PATCH", at+id["P1"], fmt.Sprintf(`{"displayName":"P1 by hand %d"}`, dice.Uint32()))
			}
			before := map[string]bool{}
			states := map[string]string{}
			for key, a := range want {
				if id[key] != "" {
					before[key], states[key] = w.proved(id[key], a.days, a.min, a.refuse, a.asked)
				}
			}
			res := w.run(sweep.Apply, true)
			promoted := 0
			for key, a := range want {
				if id[key] == "" {
					continue
				}
				after, now := w.proved(id[key], a.days, a.min, a.refuse, a.asked)
				enabled := states[key] != "enabled" && now == "enabled"
				if enabled {
					promoted++
				}
				switch {
				case states[key] == "enabled" && now != "enabled":
					t.Errorf("%s was enabled and is %s", key, now)
				case enabled && !before[key]:
					t.Errorf("no promotion without its evidence: %s is enabled", key)
				case !enabled && now != "enabled" && before[key] && after && time.Since(last) > 25*time.Hour && !promotesAnother(res, key):
					t.Errorf("%s has its evidence and waits: %v", key, res.Entries)
				}
			}
			if promoted > 1 || promoted == 1 && !last.IsZero() && time.Since(last) < 24*time.Hour {
				t.Errorf("%d promotions in a day", promoted)
			}
			if promoted > 0 {
				last = time.Now()
			}
			for _, e := range res.Entries {
				if p := e.Promotion; p != nil && !p.Since.IsZero() && len(p.Waits) == 0 != p.Holds {
					t.Errorf("%s: %+v", e.Key, p)
				}
			}
			time.Sleep(time.Duration(18+dice.IntN(14)) * time.Hour)
		}
	})
}

// promotesAnother reports whether the one promotion of the day is another's.
func promotesAnother(res sweep.Result, key string) bool {
	for _, o := range res.Outcomes {
		if o.Kind == plan.PromotePolicy && o.Subject.Key != key && o.Status == plan.Done {
			return true
		}
	}
	return false
}

// proved counts by hand what the log says of a live policy, and gives its state.
func (w *office) proved(id string, days, least, refuse, most int) (bool, string) {
	w.t.Helper()
	d := w.act("bg1@contoso.com", "GET", "/identity/conditionalAccess/policies/"+id, "")
	since := lastChange(d)
	state := d.Text("state")
	if state != "enabledForReportingButNotEnforced" {
		return false, state
	}
	from := time.Now().Add(-time.Duration(days) * 24 * time.Hour)
	if since.After(from) {
		from = since
	}
	found := counted(func(path string) map[string]any { return look(w.sim.Handler(), w.sim.Token(), path) }, id, from, time.Now())
	return time.Since(since) >= time.Duration(days)*24*time.Hour && found.signIns >= least && found.refused <= refuse && found.asked <= most, state
}
