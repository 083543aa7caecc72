package cli

import (
	"context"
	"errors"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/sweep"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// The exit codes, as scripts and schedulers rely on them.
const (
	ExitDone      = 0   // done, or no drift
	ExitFailed    = 1   // failed
	ExitPartial   = 3   // some outcomes failed; the report is written
	ExitPending   = 4   // changes pending (plan --exit-code)
	ExitRefused   = 5   // refused by limits; or a guard or a switch kept back what a person ordered
	ExitUsage     = 10  // bad configuration, baseline or triage file, or wrong usage
	ExitLocked    = 11  // another run holds the lease
	ExitAccess    = 12  // sign-in or permission
	ExitCancelled = 130 // cancelled
)

// ExitCodes says what each code means, for the help and the documents.
var ExitCodes = []struct {
	Code int
	Text string
}{
	{ExitDone, "done, or no drift"},
	{ExitFailed, "failed"},
	{ExitPartial, "partial: some outcomes failed, the report is written"},
	{ExitPending, "changes pending (plan --exit-code)"},
	{ExitRefused, "refused by limits or expectations, or a person's order that a guard or a switch kept back"},
	{ExitUsage, "bad configuration, baseline or triage file, or wrong usage"},
	{ExitLocked, "another run holds the lease"},
	{ExitAccess, "sign-in or permission"},
	{ExitCancelled, "cancelled"},
}

// usageError is a mistake in what the person typed.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// syntaxError is a usageError that the command's usage line helps with.
type syntaxError struct{ usageError }

func (e syntaxError) Unwrap() error { return e.usageError }

// exitError carries a code that a command has decided on.
type exitError struct {
	code int
	err  error // nil: everything is said already
}

func (e exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}
func (e exitError) Unwrap() error { return e.err }

// exitWith is the error of a command that has said everything; none for ExitDone.
func exitWith(code int) error {
	if code == ExitDone {
		return nil
	}
	return exitError{code: code}
}

// exitCode is the one place that turns an error into a code.
func exitCode(err error) int {
	var usage usageError
	var exit exitError
	var problems yamldoc.Problems
	switch {
	case err == nil:
		return ExitDone
	case errors.As(err, &exit):
		return exit.code
	case errors.As(err, &usage), errors.As(err, &problems), errors.Is(err, entra.ErrPrivileged), errors.Is(err, blobstore.ErrNotImmutable):
		return ExitUsage
	case errors.Is(err, blobstore.ErrLeaseHeld):
		return ExitLocked
	case errors.Is(err, entra.ErrUnauthorized), errors.Is(err, entra.ErrForbidden):
		return ExitAccess
	case errors.Is(err, context.Canceled):
		return ExitCancelled
	}
	return ExitFailed
}

// statusCode is the code of a finished run.
func statusCode(r sweep.Result) int {
	switch r.Status {
	case sweep.Succeeded:
		return ExitDone
	case sweep.Partial:
		return ExitPartial
	case sweep.Refused:
		return ExitRefused
	}
	if r.Err != nil {
		return exitCode(r.Err)
	}
	return ExitFailed
}
