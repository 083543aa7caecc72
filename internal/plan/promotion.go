package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/policy"
)

// Promotion is how far a policy is on its way from report-only to enabled: what
// the baseline asks for, and what the sign-in log shows.
type Promotion struct {
	// Since is the policy's last change: older evidence does not count. Day is
	// how many whole days have passed since, of After.
	Since time.Time `json:"since,omitzero"`
	Day   int       `json:"day"`
	After int       `json:"after"`
	// SignIns are those that the policy was held against in the last days.
	SignIns         int `json:"signIns"`
	MinSignIns      int `json:"minSignIns"`
	RefusedUsers    int `json:"refusedUsers"`
	MaxRefusedUsers int `json:"maxRefusedUsers"`
	AskedUsers      int `json:"askedUsers"`
	MaxAskedUsers   int `json:"maxAskedUsers"`
	// Holds says that the evidence is there, Waits what is missing.
	Holds bool     `json:"holds"`
	Waits []string `json:"waits,omitempty"`
	// Who are people who would be refused.
	Who []string `json:"who,omitempty"`
	// From and To are the time of the log that was read.
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
}

// Judge says whether the evidence holds, and what it waits for.
func (p *Promotion) Judge() {
	p.Waits = nil
	wait := func(format string, args ...any) { p.Waits = append(p.Waits, fmt.Sprintf(format, args...)) }
	if p.Day < p.After {
		wait("day %d of %d", p.Day, p.After)
	}
	if p.SignIns < p.MinSignIns {
		wait("%d of %d sign-ins", p.SignIns, p.MinSignIns)
	}
	if p.RefusedUsers > p.MaxRefusedUsers {
		who := slices.Clone(p.Who)
		wait("%d users would be refused, at most %d may be: %s", p.RefusedUsers, p.MaxRefusedUsers, policy.ShortList(who))
	}
	if p.AskedUsers > p.MaxAskedUsers {
		wait("%d users would be asked, at most %d may be", p.AskedUsers, p.MaxAskedUsers)
	}
	p.Holds = len(p.Waits) == 0
}

// Text says how far it is.
func (p *Promotion) Text() string {
	if p == nil {
		return ""
	}
	text := fmt.Sprintf("day %d of %d, %d of %d sign-ins, %d users would be refused, %d asked", p.Day, p.After, p.SignIns, p.MinSignIns, p.RefusedUsers, p.AskedUsers)
	if p.Holds {
		return "the evidence for enabling it holds: " + text
	}
	if p.Since.IsZero() {
		return "waits for its evidence: " + strings.Join(p.Waits, "; ")
	}
	return "waits for its evidence (" + text + "): " + strings.Join(p.Waits, "; ")
}
