package drift

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

// Waiting is a live report-only policy that is to be enabled once the sign-in log
// shows that it may be.
type Waiting struct {
	Key, DisplayName string
	ID               entra.ID
	Promote          baseline.Promote
	// Since is its last change, or that of a location it names: older evidence
	// does not count.
	Since time.Time
}

// promote lets a policy that is not enabled yet be report-only until its evidence
// holds. One that is enabled already stays so.
func (p *planner) promote(e *entry) {
	if e.item.Promote == nil || e.wrong || !policy.Enabled(e.want) || policy.Enabled(e.before) {
		return
	}
	enabled := e.want
	e.want = enabled.WithState(policy.StateReportOnly)
	e.Promotion = &plan.Promotion{After: int(e.item.Promote.After / (24 * time.Hour)), MinSignIns: e.item.Promote.MinSignIns,
		MaxRefusedUsers: e.item.Promote.MaxRefusedUsers, MaxAskedUsers: e.item.Promote.MaxAskedUsers}
	if e.live == nil || !e.want.Equal(e.before) {
		e.Promotion.Waits = []string{"it is not report-only as the baseline has it yet"}
		return
	}
	w := Waiting{Key: e.Key, DisplayName: e.DisplayName, ID: entra.NewID(e.ID), Promote: *e.item.Promote, Since: p.lastChange(e)}
	p.waiting = append(p.waiting, w)
	found := p.s.Evidence[e.Key]
	switch {
	case found == nil:
		e.Promotion.Since = w.Since
		e.Promotion.Waits = []string{"the sign-in log was not read here; a run reads it"}
		return
	case !found.Since.Equal(w.Since): // of another state of the policy
		e.Promotion.Waits = []string{"it changed while its evidence was read"}
		return
	}
	e.Promotion = found
	switch {
	case !found.Holds:
	case p.promoted >= p.s.Promotions:
		found.Waits = []string{"another policy is promoted first: limits.maxPromotions a day"}
		found.Holds = false
	default:
		p.promoted++
		e.want = enabled
		e.promoted = true
	}
}

// lastChange is when the policy, or a location it names, was last changed.
func (p *planner) lastChange(e *entry) time.Time {
	last := policy.LastChange(e.live)
	for _, l := range p.live.Locations {
		for _, side := range []string{"includeLocations", "excludeLocations"} {
			if slices.ContainsFunc(policy.Strings(e.before, "conditions.locations."+side), func(id string) bool { return strings.EqualFold(id, l.ID()) }) {
				if t := policy.LastChange(l); t.After(last) {
					last = t
				}
			}
		}
	}
	return last
}

// onlyState reports whether nothing but the state changes.
func onlyState(a, b policy.Canonical) bool {
	return reflect.DeepEqual(policy.DifferentPaths(a, b), []string{"state"})
}
