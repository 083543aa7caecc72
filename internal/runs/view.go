package runs

import (
	"errors"
	"time"
)

// The states of a run, as whoever asks for it is told.
const (
	Queued    = "queued"
	Running   = "running"
	Succeeded = "succeeded"
	Partial   = "partial" // some outcomes failed
	Refused   = "refused" // by limits
	Failed    = "failed"
)

// ErrNotFound says that there is no such run or file.
var ErrNotFound = errors.New("not found")

// Run is one run as the API shows it. Times are null while they are not known.
type Run struct {
	ID     string `json:"id"`
	Tenant string `json:"tenant"`
	Mode   string `json:"mode"`
	// Kind is sweep, order or destroy; empty while it is not known.
	Kind       string         `json:"kind,omitempty"`
	Status     string         `json:"status"`
	StartedAt  *time.Time     `json:"startedAt"`
	FinishedAt *time.Time     `json:"finishedAt"`
	Counts     map[string]int `json:"counts"`
	// Unread are the parts of the tenant that the run did not read to their
	// end: what is not counted there may exist all the same.
	Unread []string `json:"unread,omitempty"`
	// Report is the route of report.json once the run is complete.
	Report *string `json:"report"`
	// Error is why no report came to be.
	Error string `json:"error,omitempty"`
}
