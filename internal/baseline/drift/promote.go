package drift

import (
	"reflect"
	"slices"
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
	// Since is its last change, or that of a location or authentication strength
	// that it uses: older evidence does not count.
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
	if why := p.live.Unreadable(entra.KindLocation); why != "" && usesTrusted(e.before) {
		e.Promotion.Waits = []string{why}
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
	shown := *found
	e.Promotion = &shown
	switch {
	case !found.Holds:
	case p.promoted >= p.s.Promotions:
		shown.Waits, shown.Holds = []string{"another policy is promoted first: limits.maxPromotions a day"}, false
	default:
		p.promoted++
		e.want = enabled
		e.promoted = true
	}
}

// lastChange is when the policy, or a location or authentication strength that it
// uses, was last changed. A policy for all trusted locations uses every one with
// addresses: one that is not trusted may have been until its last change.
func (p *planner) lastChange(e *entry) time.Time {
	last, trusted := policy.LastChange(e.live), usesTrusted(e.before)
	for _, d := range slices.Concat(p.live.Locations, p.live.Strengths) {
		if t := policy.LastChange(d); t.After(last) && (policy.RefersTo(e.before, d.ID()) || trusted && d["ipRanges"] != nil) {
			last = t
		}
	}
	return last
}

// usesTrusted reports whether a policy includes or excludes all trusted locations.
func usesTrusted(d policy.Canonical) bool {
	return slices.Contains(policy.Strings(d, "conditions.locations.includeLocations"), policy.WordAllTrusted) ||
		slices.Contains(policy.Strings(d, "conditions.locations.excludeLocations"), policy.WordAllTrusted)
}

// onlyState reports whether nothing but the state changes.
func onlyState(a, b policy.Canonical) bool {
	return reflect.DeepEqual(policy.DifferentPaths(a, b), []string{"state"})
}
