// Package sweep is one run over one tenant, in stages that hand values on: recover
// what earlier runs left, gather a snapshot of the tenant, decide, plan, execute,
// publish. run.go reads as the whole of it.
//
// It decides nothing itself: decide, triage, drift and plan do, as pure functions
// of the snapshot. It writes nothing to the tenant itself: apply does, behind its
// gate. Half a read is an error and ends the run before any write.
package sweep

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/exception"
	"github.com/risksweep/risksweep/internal/expectation"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep/gather"
	"github.com/risksweep/risksweep/internal/sweep/notes"
	"github.com/risksweep/risksweep/internal/triage"
)

// Reader is the tenant as a run reads it.
type Reader = gather.Reader

// Progress is told how far a run is.
type Progress = notes.Progress

// Mode says whether a run may write to the tenant.
type Mode string

// The modes of a run.
const (
	Plan  Mode = "plan"
	Apply Mode = "apply"
)

// Status is how a run ended.
type Status string

// The ends of a run.
const (
	Succeeded Status = "succeeded"
	Partial   Status = "partial" // some outcomes failed
	Refused   Status = "refused" // limits refused at least one kind of action, or a guard a part of an order
	Failed    Status = "failed"
	Cancelled Status = "cancelled"
)

// Settings are the numbers and switches of a run.
type Settings struct {
	Lookback, Overlap, FullEvery, Settle time.Duration
	// ServicePrincipals is "auto" (read them where licensed), "true" or
	// "false".
	ServicePrincipals string
	// Beta says that agents and hidden policies are read from the beta version.
	Beta bool
	// Coverage is whom a sweep judges by the live policies: auto, full, risky, or
	// off, which is what an empty one means.
	Coverage          string
	RequestsPerSecond float64
	Enforcement       plan.Enforcement
	Baseline          drift.Settings
	Limits            plan.Limits
	// WriteTimeout bounds one write to the tenant; ReadBack and Visibility are
	// how long effects are waited for.
	WriteTimeout, ReadBack, Visibility time.Duration
}

// Sweeper runs sweeps of one tenant.
type Sweeper struct {
	Name, TenantID, Cloud string
	Reader                Reader
	// Writer makes the tenant's writer. A plan run never calls it.
	Writer   func() apply.Writer
	Ledger   *ledger.Ledger
	Triage   *triage.Policy     // nil: triage is skipped
	Baseline *baseline.Baseline // nil: the baseline is skipped
	// Inputs are the texts that steer the runs, and ConfigCommit is the commit
	// that they were taken from, if one is known.
	Inputs       []ledger.InputText
	ConfigCommit string
	// Exceptions keep users out of policies until a time; nil: there are none.
	Exceptions *exception.List
	// Expectations must hold after the baseline's writes; Access reads what
	// judging them needs.
	Expectations []expectation.Expectation
	Access       AccessReader
	// Logs reads the audit and sign-in logs; nil: they are not read.
	Logs     LogReader
	Settings Settings
	Output   Output
	Version  string
	Host     string
	PID      int
	Now      func() time.Time
	Log      *slog.Logger
	Progress Progress
	// Notify is told what came of a run once its lease is given back, or why
	// none came to be; nil tells nobody.
	Notify func(context.Context, Result, error)
}

// Order is what a person wants done with named users. It stands in for the
// allowlist and for enforcement; the fence, the protected users, the limits,
// HOLD, the journal and the report hold all the same.
type Order struct {
	Kind  plan.Kind
	Users []string // UPN or object id
	// Reason is the person's own words, for the report.
	Reason string
	// Privileged says that users who hold a directory role are meant too. Without
	// it an order that closes the risk of one is refused as a whole, whoever gives
	// it and by whatever way.
	Privileged bool
}

// Request is one order to sweep.
type Request struct {
	Mode Mode
	// Run is the id to run under, empty for a new one.
	Run string
	// Stored is the plan that alone may be carried out, nil for none.
	Stored *plan.Plan
	// Order is a person's order instead of the rules: only these actions.
	Order *Order
	// Destroy is a person's order to delete exactly what the baseline owns,
	// and nothing else; Reason is the person's own words.
	Destroy bool
	// Rollback is a person's order to undo what a run has written to policies.
	Rollback *Rollback
	// Restore is a person's order to bring back what was deleted.
	Restore *Restore
	Reason  string
	// Through and By say by which way the run was asked for, and by whom: the
	// account of the machine, or the caller of the API. For the report.
	Through plan.Way
	By      string
	// Continue says that a run which its deadline stops while it reads is to
	// keep its place and end with ErrContinue, instead of with a report.
	Continue bool
}

// ordered reports whether a person ordered the very actions of the run.
func (q Request) ordered() bool {
	return q.Order != nil || q.Destroy || q.Rollback != nil || q.Restore != nil
}

// Kind says what the run is asked to do.
func (q Request) Kind() ledger.RunKind {
	switch {
	case q.Order != nil:
		return ledger.KindOrder
	case q.Destroy:
		return ledger.KindDestroy
	case q.Rollback != nil:
		return ledger.KindRollback
	case q.Restore != nil:
		return ledger.KindRestore
	}
	return ledger.KindSweep
}

// Result is what came of a run. As JSON it is the answer of `plan -o json`.
type Result struct {
	Run      string         `json:"run"`
	Tenant   string         `json:"tenant"`
	Mode     Mode           `json:"mode"`
	Kind     ledger.RunKind `json:"kind"`
	Status   Status         `json:"status"`
	Plan     plan.Plan      `json:"plan"`
	Outcomes []plan.Outcome `json:"outcomes"`
	// Settled are the actions of earlier runs whose answer was lost.
	Settled []plan.Outcome `json:"settled"`
	Entries []drift.Entry  `json:"policies"`
	// Exceptions are who stays out of which policy until when.
	Exceptions []plan.Exempt `json:"exceptions,omitempty"`
	// Next says, of a rollback, what the next apply of the baseline would make of
	// it.
	Next []string `json:"nextApply,omitempty"`
	// Ending are the exclusions of which it is told for the first time that they
	// end soon.
	Ending []plan.Exclusion `json:"-"`
	// Unexplained are members of excluded groups whom no exception explains.
	Unexplained []plan.Unexplained `json:"unexplained,omitempty"`
	Findings    []string           `json:"warnings"` // of triage and baseline
	// Hold is the text of HOLD, empty if nobody has set it.
	Hold    string   `json:"hold,omitempty"`
	Skipped []string `json:"skipped"` // parts that were not run, with the reason
	// NeedsPerson are who waits for a person, as report.json lists them.
	NeedsPerson []report.Waiting `json:"needsPerson"`
	// Campaigns are the groups of users whose risk belongs together.
	Campaigns []report.Campaign `json:"campaigns,omitempty"`
	// BreakGlass are what break-glass accounts did, and what was done to them.
	BreakGlass []report.GlassEvent `json:"breakGlass,omitempty"`
	// BreakGlassTests are when they last signed in, where the baseline asks.
	BreakGlassTests []report.GlassTest `json:"breakGlassTests,omitempty"`
	// Drifted are the policies and locations that changed since the last run.
	Drifted []report.Changed `json:"changedPolicies,omitempty"`
	// Workloads are the service principals that wait for a person.
	Workloads []report.Waiting `json:"workloads,omitempty"`
	// Uncovered are users at risk whose risk no enabled policy meets.
	Uncovered []report.RiskyReach `json:"uncovered,omitempty"`
	// Unsure says what of this the run could not tell.
	Unsure Unsure `json:"-"`
	// Addresses are where the open detections came from that no rule explains.
	Addresses []report.Seen  `json:"-"`
	Counts    map[string]int `json:"counts"`
	// Order is what a person asked for; nil for a sweep.
	Order *report.Order `json:"order,omitempty"`
	// Unread are the parts that were not read to their end, as in report.json.
	Unread   []string           `json:"unread,omitempty"`
	Stats    entra.RequestStats `json:"requests"`
	Started  time.Time          `json:"startedAt"`
	Finished time.Time          `json:"finishedAt"`
	// Complete says that everything was read that a sweep reads.
	Complete bool `json:"complete"`
	// Head is the hash with which the chain of apply runs, or that of plan runs,
	// ends now; empty if the run entered none.
	Head string `json:"head,omitempty"`
	// Requested says who asked for the run.
	Requested *plan.Requested `json:"requested,omitempty"`
	// Err is why the run failed, or was cut short.
	Err error `json:"-"`
}

// ErrContinue says that a run has kept its place in a checkpoint and goes on
// under the same id when it is asked to run again. Such a run has no report
// yet, and its journal is empty: once it has written to the tenant it goes to
// its end.
var ErrContinue = errors.New("the run goes on from its checkpoint")

// Unsure is what a run that read everything else could not tell: who is not named
// there may well belong there.
type Unsure struct {
	// Reach is of everybody; ReachOf of single users.
	Reach   bool
	ReachOf []string
	// BreakGlass is what was done by break-glass accounts and to them, Tests when
	// they last signed in.
	BreakGlass, Tests bool
	// Workloads are the service principals.
	Workloads bool
}
