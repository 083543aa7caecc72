// Package notes is what a run has to say besides its facts: warnings, errors
// that do not end it, parts that were skipped, and how long each part took.
// Every stage adds to them, none goes by them.
package notes

import (
	"log/slog"
	"time"
)

// Progress is told how far a run is.
type Progress interface {
	// Stage begins a part of the run; total is 0 when it is not known.
	Stage(name string, total int)
	// Advance adds n to the stage's count.
	Advance(n int)
	// Done ends the last stage.
	Done()
}

// Notes are those of one run.
type Notes struct {
	Log      *slog.Logger // names the tenant and the run
	Now      func() time.Time
	Progress Progress

	Warnings []string
	Errors   []error
	Skipped  []string // parts that were not run, with the reason
	Timings  []Timing
}

// Timing is how long a part of the run took.
type Timing struct {
	Part    string
	Elapsed time.Duration
}

// Warn notes what a person should know.
func (n *Notes) Warn(text string) {
	n.Warnings = append(n.Warnings, text)
	n.Log.Warn(text)
}

// Fail notes an error that leaves the run partial and does not end it.
func (n *Notes) Fail(err error) { n.Errors = append(n.Errors, err) }

// Skip notes a part that was not run.
func (n *Notes) Skip(part, why string) {
	n.Skipped = append(n.Skipped, part+": "+why)
	n.Log.Warn("skipped", "part", part, "why", why)
}

// Timed runs a part of the run and notes how long it took.
func (n *Notes) Timed(part string, f func() error) error {
	n.Progress.Stage(part, 0)
	began := n.Now()
	err := f()
	n.Timings = append(n.Timings, Timing{part, n.Now().Sub(began)})
	n.Progress.Done()
	return err
}
