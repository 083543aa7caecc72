package plan

import "github.com/risksweep/risksweep/internal/entra"

// Requested says by which way a run was asked for, by whom, and why.
type Requested struct {
	// Through is the way: commandLine, api or schedule.
	Through Way `json:"through"`
	// By is the account of the machine that ran the command, or the caller of the
	// API as its token names it; empty for a schedule.
	By string `json:"by,omitempty"`
	// Reason is what that person gave as the reason.
	Reason string `json:"reason,omitempty"`
	// SignedInAs is the identity under which the run reads and writes the tenant;
	// absent where its token does not tell.
	SignedInAs *entra.SignedIn `json:"signedInAs,omitempty"`
}

// Way is how a run is asked for.
type Way string

// The ways in which a run is asked for.
const (
	ByCommandLine Way = "commandLine"
	ByAPI         Way = "api"
	BySchedule    Way = "schedule"
)
