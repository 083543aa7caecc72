// Package exception reads the file of exceptions: users who stay out of
// policies of the baseline until a time. It checks the file offline and binds
// its names to one tenant's ids.
//
// It is pure: no I/O and no clock of its own. What it cannot resolve or prove
// safe puts nobody out of a policy, and is said.
package exception

import (
	"slices"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
)

// DefaultMaxDuration is the longest that an exception may last if the
// configuration says nothing.
const DefaultMaxDuration = 30 * 24 * time.Hour

// Exception keeps users out of policies until a time.
type Exception struct {
	ID       string
	Users    []string // UPNs or object ids
	Policies []string // keys of the baseline
	Until    time.Time
	Reason   string
	Owner    string
	Ticket   string
	// Privileged says that its users may hold directory roles.
	Privileged bool

	File         string
	Line, Column int
}

// List is what a file says.
type List struct {
	Exceptions []Exception
	// MaxDuration is the longest that one may last.
	MaxDuration time.Duration
}

// Refs are the names that the directory has to resolve, each once.
func (l *List) Refs() []entra.Ref {
	if l == nil {
		return nil
	}
	var out []entra.Ref
	for _, e := range l.Exceptions {
		for _, u := range e.Users {
			if ref := (entra.Ref{Kind: entra.KindUser, Name: u}); !slices.Contains(out, ref) {
				out = append(out, ref)
			}
		}
	}
	return out
}

// Live reports whether one of the exceptions has not ended, so that it must be
// known who is privileged.
func (l *List) Live(now time.Time) bool {
	return l != nil && slices.ContainsFunc(l.Exceptions, func(e Exception) bool { return now.Before(e.Until) })
}
