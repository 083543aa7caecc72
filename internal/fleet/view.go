package fleet

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// View is how somebody looks at a fleet.
type View struct {
	At time.Time
	// Tenants are those of the configuration; nil if it is not known.
	Tenants []string
	// Next gives when a run is due after a time; nil without a schedule.
	Next func(time.Time) time.Time

	known map[string]bool // Tenants, as Of looks for each of many
}

// twoNights is how long a tenant may go without a success: one that failed, and
// one that was to make up for it.
const twoNights = 48 * time.Hour

// unswept reports whether two runs should have succeeded since a time, and none
// has.
func (v View) unswept(since time.Time) bool {
	limit := since.Add(twoNights)
	if v.Next != nil {
		if due := v.Next(v.Next(since)); due.After(limit) {
			limit = due
		}
	}
	return v.At.After(limit)
}

// of says in a summary what only shows at the time of looking. A tenant that is not
// in this configuration may be in another one of the same store: only when nothing
// sweeps it any more is it past being in trouble.
func (v View) of(s Summary) Summary {
	s.NotSweptSince, s.NotConfigured, s.past = time.Time{}, false, false
	if !s.LastSuccess.IsZero() && v.unswept(s.LastSuccess) {
		s.NotSweptSince = s.LastSuccess
	}
	if v.Tenants != nil && !v.known[s.Tenant] {
		s.NotConfigured = true
		s.past = v.unswept(s.FinishedAt)
	}
	return s
}

// unsweptText says since when no run has succeeded.
func (s Summary) unsweptText() string {
	what := "not swept since "
	if s.Status != "succeeded" {
		what = "no success since "
	}
	return what + s.NotSweptSince.UTC().Format(time.DateOnly)
}

// Only keeps some tenants.
func Only(list []Summary, tenants []string) []Summary {
	wanted := set(tenants)
	return slices.DeleteFunc(slices.Clone(list), func(s Summary) bool { return !wanted[s.Tenant] })
}

func set(names []string) map[string]bool {
	out := make(map[string]bool, len(names))
	for _, name := range names {
		out[name] = true
	}
	return out
}

// Headline says how many of these tenants are in what state, each counted once, by
// the worst that is to be said of it.
func Headline(list []Summary) string {
	states := []string{"failed", "refused", "not swept", "partial", "cancelled", "on HOLD", "campaign", "in need of a person", "with drift"}
	n := map[string]int{}
	order := 0
	for _, s := range list {
		if state := s.state(); state != "" {
			n[state]++
		} else {
			order++
		}
	}
	var parts []string
	for _, state := range states {
		switch k := n[state]; {
		case k > 1 && state == "campaign":
			parts = append(parts, fmt.Sprintf("%d campaigns", k))
		case k > 0:
			parts = append(parts, fmt.Sprintf("%d %s", k, state))
		}
	}
	text := strings.Join(parts, ", ")
	switch {
	case text == "":
		text = "all in order"
	case order > 0:
		text += fmt.Sprintf("; %d in order", order)
	}
	return text + " (" + tenants(len(list)) + ")"
}

// state is the worst that is to be said of a tenant; empty if it is in order.
func (s Summary) state() string {
	n := s.numbers()
	switch {
	case s.past:
		return ""
	case s.severity() >= severity["failed"]:
		return "failed"
	case s.Status == "refused":
		return "refused"
	case !s.NotSweptSince.IsZero():
		return "not swept"
	case s.Status != "succeeded":
		return s.Status
	case len(s.Failures) > 0:
		return "partial"
	case s.Hold:
		return "on HOLD"
	case len(s.Campaigns) > 0:
		return "campaign"
	case n.NeedsPerson > 0, n.ServicePrincipals > 0:
		return "in need of a person"
	case n.Drift > 0:
		return "with drift"
	}
	return ""
}

// CampaignUsers are the users of the tenant's largest campaign.
func (s Summary) CampaignUsers() int {
	most := 0
	for _, c := range s.Campaigns {
		most = max(most, c.Users)
	}
	return most
}

func tenants(n int) string {
	if n == 1 {
		return "1 tenant"
	}
	return fmt.Sprintf("%d tenants", n)
}

// AgeWords says how long before now something was.
func AgeWords(then, now time.Time) string {
	d := now.Sub(then)
	switch {
	case then.IsZero():
		return "never"
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(max(d, 0).Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
