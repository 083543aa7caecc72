package report

import (
	"cmp"
	"fmt"
	"time"
)

// GlassEvent is something that a break-glass account did, or that was done to it.
type GlassEvent struct {
	ID          string    `json:"id"`
	Name        string    `json:"userPrincipalName"`
	At          time.Time `json:"at"`
	What        string    `json:"what"`
	Application string    `json:"application,omitempty"`
	Address     string    `json:"ipAddress,omitempty"`
	By          string    `json:"by,omitempty"`
}

// Text says it in a sentence without an end.
func (e GlassEvent) Text() string {
	text := fmt.Sprintf("break-glass account %s: %s on %s", e.Name, e.What, when(e.At))
	if e.Application != "" {
		text += ", to " + e.Application
	}
	if e.Address != "" {
		text += ", from " + e.Address
	}
	if e.By != "" {
		text += ", by " + e.By
	}
	return text
}

// Glass redacts the names and addresses of events.
func (r Redaction) Glass(list []GlassEvent) []GlassEvent {
	if !r.Active() {
		return list
	}
	out := make([]GlassEvent, len(list))
	for i, e := range list {
		e.Name, e.Address, e.By = r.Text(e.Name), r.Text(e.Address), r.Text(e.By)
		out[i] = e
	}
	return out
}

// GlassTest is when a break-glass account last signed in, beside how often the
// baseline wants it tested.
type GlassTest struct {
	ID   string `json:"id"`
	Name string `json:"userPrincipalName"`
	// LastSignIn and Days since are missing where no sign-in is known.
	LastSignIn     time.Time `json:"lastSignIn,omitzero"`
	Days           *int      `json:"days,omitempty"`
	TestEveryHours float64   `json:"testEveryHours"`
	// Overdue says that a test is due.
	Overdue bool `json:"overdue"`
}

// glassKept is how long the sign-in log goes back.
const glassKept = 30

// NewGlassTest judges an account by its last sign-in, the zero time if none is
// known.
func NewGlassTest(id, name string, last, now time.Time, every time.Duration) GlassTest {
	t := GlassTest{ID: id, Name: cmp.Or(name, id), TestEveryHours: every.Hours(), Overdue: true}
	if last.IsZero() {
		return t
	}
	since := max(now.Sub(last), 0)
	days := int(since.Hours() / 24)
	t.LastSignIn, t.Days, t.Overdue = last.UTC(), &days, since > every
	return t
}

// Text says it in a sentence without an end.
func (t GlassTest) Text() string {
	every := Number(int(t.TestEveryHours/24), "day")
	if float64(int(t.TestEveryHours/24))*24 != t.TestEveryHours {
		every = fmt.Sprintf("%g hours", t.TestEveryHours)
	}
	if t.Days == nil {
		return fmt.Sprintf("break-glass account %s: no sign-in in the %d days that the log keeps, and no older one is known; the baseline wants a test every %s", t.Name, glassKept, every)
	}
	return fmt.Sprintf("break-glass account %s: the last sign-in was %s ago, on %s; the baseline wants a test every %s",
		t.Name, Number(*t.Days, "day"), when(t.LastSignIn), every)
}

// GlassTestsDue are those of which a test is due.
func GlassTestsDue(list []GlassTest) []GlassTest {
	var due []GlassTest
	for _, t := range list {
		if t.Overdue {
			due = append(due, t)
		}
	}
	return due
}

// GlassTests redacts the names of accounts.
func (r Redaction) GlassTests(list []GlassTest) []GlassTest {
	if !r.Active() {
		return list
	}
	out := make([]GlassTest, len(list))
	for i, t := range list {
		if t.Name != t.ID {
			t.Name = r.Text(t.Name)
		}
		out[i] = t
	}
	return out
}
