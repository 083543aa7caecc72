package baseline

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// Promote says on what evidence a policy is enabled that is made report-only.
type Promote struct {
	// After is how long it must have been report-only and unchanged.
	After                                      time.Duration
	MinSignIns, MaxRefusedUsers, MaxAskedUsers int
}

// DefaultPromote is what members that are left out come to.
var DefaultPromote = Promote{After: 14 * 24 * time.Hour, MinSignIns: 200, MaxRefusedUsers: 0, MaxAskedUsers: 25}

// The log keeps 30 days, so no evidence is older.
const maxPromoteDays = 30

// maxTestDays is the longest time between two tests of a break-glass account.
const maxTestDays = 365

var days = regexp.MustCompile(`^([0-9]{1,3})d$`)

// periodPattern is what period reads, for editors.
const periodPattern = `^([0-9]{1,3}d|[+]?([0-9]*[.]?[0-9]*(h|m|s|ms|us|µs|ns))+)$`

// period reads a time of at least one day and at most so many.
func (l *loader) period(at *yamldoc.Node, most int, because string) (time.Duration, bool) {
	if at.Kind != yamldoc.String {
		l.Add(at, "must be a time such as 14d or 336h")
		return 0, false
	}
	s, _ := l.String(at)
	d, err := time.ParseDuration(s)
	if m := days.FindStringSubmatch(s); m != nil {
		whole, _ := strconv.Atoi(m[1]) // three digits
		d, err = time.Duration(whole)*24*time.Hour, nil
	}
	switch {
	case err != nil:
		l.Add(at, "%q is no time such as 14d or 336h", s)
	case d < 24*time.Hour || d > time.Duration(most)*24*time.Hour:
		l.Add(at, "%q must be from 1d to %dd%s", s, most, because)
	default:
		return d, true
	}
	return 0, false
}

// promote reads the member promote of a policy.
func (l *loader) promote(n, policyNode *yamldoc.Node, it *Item) {
	if n == nil || !l.Fields(n, "after", "minSignIns", "maxRefusedUsers", "maxAskedUsers") {
		return
	}
	p := DefaultPromote
	if at := n.Get("after"); at != nil {
		if d, ok := l.period(at, maxPromoteDays, fmt.Sprintf(": the sign-in log keeps %d days", maxPromoteDays)); ok {
			p.After = d
		}
	}
	for _, v := range []struct {
		name  string
		into  *int
		least int
	}{{"minSignIns", &p.MinSignIns, 1}, {"maxRefusedUsers", &p.MaxRefusedUsers, 0}, {"maxAskedUsers", &p.MaxAskedUsers, 0}} {
		at := n.Get(v.name)
		if at == nil {
			continue
		}
		if i, ok := l.Int(at); ok {
			if *v.into = i; i < v.least || i > 1_000_000 {
				l.Add(at, "must be from %d to 1000000", v.least)
			}
		}
	}
	if it.Want.Text("state") != policy.StateEnabled {
		at := policyNode.Get("state")
		if at == nil {
			at = n
		}
		l.Add(at, "promote stands beside state: enabled, which the policy is to become; it is made report-only first")
	}
	for _, path := range it.Unmanaged {
		if path == "state" {
			l.Add(n, "state cannot be both unmanaged and promoted: take one of the two out")
		}
	}
	if what := policy.NotInSignInLog(it.Want.Document()); what != "" {
		l.Add(n, "the policy is for %s: the sign-in log never has evidence of it; take promote out and set its state by hand", what)
	}
	it.Promote = &p
}
