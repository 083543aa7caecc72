package sweep

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep/evidence"
	"github.com/risksweep/risksweep/internal/sweep/recovery"
	"github.com/risksweep/risksweep/internal/triage"
)

// Run sweeps the tenant once. The error is set if no run came to be: the lease
// is held, the store cannot be written. Whatever happens later is in the
// result and in the report, which is written also after a failure.
func (s *Sweeper) Run(ctx context.Context, req Request) (Result, error) {
	if s.Progress == nil {
		s.Progress = silent{}
	}
	led, err := s.Ledger.Begin(ctx, ledger.BeginOptions{
		Mode: string(req.Mode), Run: req.Run,
		Holder: blobstore.Holder{Run: req.Run, Host: s.Host, PID: s.PID, Since: s.Now().UTC()},
	})
	if err != nil {
		s.tell(ctx, Result{Tenant: s.Name, Mode: req.Mode, Kind: req.Kind(), Order: s.order(req, nil)}, err)
		return Result{}, err
	}
	r := &run{Sweeper: s, req: req, led: led, started: s.Now().UTC(), evidence: evidence.NewIndex(), tally: report.NewTally(), campaigns: report.NewCampaigns(s.Output.Redaction),
		before: s.Reader.Stats(), res: Result{Run: led.ID(), Tenant: s.Name, Mode: req.Mode, Kind: req.Kind(), Counts: map[string]int{}}}
	r.res.Started = r.started
	s.Log.Info("run begins", "tenant", s.Name, "run", led.ID(), "mode", req.Mode)

	err = r.sweep(ctx)
	again := r.goesOn(ctx)
	if again {
		s.Log.Info("the run goes on later from its checkpoint", "tenant", s.Name, "run", led.ID())
		r.res.Err = errors.Join(ErrContinue, r.abortFiles())
	} else {
		r.finish(ctx, err)
	}
	if err := r.leaveCheckpoint(r.checkpoint); err != nil {
		s.Log.Warn("the checkpoint could not be closed", "tenant", s.Name, "run", led.ID(), "error", err)
	}
	// Whatever became of the run, the lease is given back.
	c, cancel := detached(ctx, r.Settings.WriteTimeout)
	defer cancel()
	if closeErr := led.Close(c); closeErr != nil {
		s.Log.Warn("the lease could not be given back; it ends by itself", "tenant", s.Name, "error", closeErr)
	}
	if !again {
		s.tell(ctx, r.res, nil)
	}
	return r.res, nil
}

// tell passes on what came of a run.
func (s *Sweeper) tell(ctx context.Context, r Result, err error) {
	if s.Notify != nil {
		s.Notify(context.WithoutCancel(ctx), r, err)
	}
}

// run is one sweep while it goes on.
type run struct {
	*Sweeper
	req     Request
	led     *ledger.Run
	started time.Time // by our clock

	before            entra.RequestStats // of the client, before this run
	rec               recovery.Recovered
	partsRead         []string // to their end; as in report.Coverage
	readAll           bool     // everything was read: the watermark may move
	tenant            entra.Tenant
	serviceStart      time.Time     // the service's time at the start of the read
	turnStart         time.Time     // the same, of what this turn has read of it
	ahead             time.Duration // how far the service's clock is ahead of ours
	full              bool
	since             time.Time
	unsaid            []apply.Settled // what was settled and the journal does not hold yet
	evidence          *evidence.Index
	tally             *report.Tally
	campaigns         *report.Campaigns
	checkpoint        *checkpoint
	rules             *triage.Rules
	directory         directory
	breakGlass        map[entra.ID]string // user id -> why
	users             []plan.Action       // what triage asks for
	atRisk            plan.Counted        // users
	lists             map[entra.ObjectKind][]entra.Document
	drift             drift.Result
	planned           bool // plan.json is stored
	files             files
	servicePrincipals []entra.RiskyServicePrincipal
	errors            []error
	timings           timings

	res Result
}

// sweep reads, decides, plans and applies. Its error ends the run; what was
// done until then stands in the result.
func (r *run) sweep(ctx context.Context) error {
	if err := r.openFiles(ctx); err != nil {
		return err
	}
	if err := r.readState(ctx); err != nil {
		return err
	}
	if err := r.timed("tenant", func() error { return r.readTenant(ctx) }); err != nil {
		return err
	}
	if err := r.timed("settle", func() error { return r.recover(ctx) }); err != nil {
		return fmt.Errorf("settling what earlier runs left open: %w", err)
	}
	held := r.rec.Held
	switch {
	case r.req.Order != nil:
		if err := r.timed("order", func() error { return r.readOrder(ctx, held) }); err != nil {
			return err
		}
	case r.req.Destroy:
		if err := r.timed("baseline", func() error { return r.planDestroy(ctx) }); err != nil {
			return fmt.Errorf("reading what the baseline owns: %w", err)
		}
	default:
		if err := r.readRisk(ctx, held); err != nil {
			return err
		}
		if err := r.timed("baseline", func() error { return r.compareBaseline(ctx) }); err != nil {
			return fmt.Errorf("comparing the baseline: %w", err)
		}
		r.readAll = true
	}
	if err := r.makePlan(ctx, held); err != nil {
		return err
	}
	if r.req.Mode == Plan {
		r.res.Outcomes = apply.Planned(r.res.Plan, r.Now())
		return nil
	}
	return r.timed("apply", func() error { return r.carryOut(ctx) })
}

// readState reads what earlier runs left: state and HOLD.
func (r *run) readState(ctx context.Context) (err error) {
	if r.rec.Stored, err = recovery.Read(ctx, r.Ledger); err != nil {
		return err
	}
	r.res.Hold, _, err = r.Ledger.Hold(ctx)
	return err
}

// recover takes in what earlier runs left.
func (r *run) recover(ctx context.Context) (err error) {
	scope := recovery.Users
	if r.req.Mode == Apply {
		scope = recovery.All
	}
	r.rec, err = r.recovered(ctx, r.rec.Stored, scope)
	for _, s := range r.rec.Settled {
		r.Log.Info("settled", "run", s.Outcome.Run, "action", s.Outcome.Action, "kind", s.Outcome.Kind,
			"subject", nameOf(s.Outcome.Subject), "status", s.Outcome.Status, "detail", s.Outcome.Detail, "tenant", r.Name)
	}
	if r.req.Mode == Apply {
		r.unsaid = r.rec.Decided()
	}
	return err
}

// recovered is what a run, and whoever only looks, goes on from.
func (s *Sweeper) recovered(ctx context.Context, stored recovery.Stored, scope recovery.Scope) (recovery.Recovered, error) {
	return recovery.Recover(ctx, recovery.Options{Ledger: s.Ledger, Reader: s.Reader, Scope: scope,
		Patience: apply.Patience{Now: s.Now, Pending: s.Settings.Settle, Visibility: s.Settings.Visibility}}, stored)
}

// journalSettled writes down what was settled, once the run is this process's
// own.
func (r *run) journalSettled(ctx context.Context) error {
	for len(r.unsaid) > 0 {
		s := r.unsaid[0]
		if err := r.journal().Outcome(ctx, s.Outcome, s.Made); err != nil {
			return fmt.Errorf("writing the journal: %w", err)
		}
		r.unsaid = r.unsaid[1:]
	}
	return nil
}

func (r *run) journal() recovery.Journal {
	return recovery.Journal{Run: r.led, Now: r.Now, ServerTime: r.Reader.ServerTime, Redaction: r.Output.Redaction}
}

// readTenant reads the tenant's own properties. It is the first call to the
// service, so its time is that of the start of the read.
func (r *run) readTenant(ctx context.Context) (err error) {
	if r.tenant, err = r.Reader.Tenant(ctx); err != nil {
		return err
	}
	r.serviceStart = r.Reader.ServerTime().UTC()
	if r.serviceStart.IsZero() {
		r.serviceStart = r.started
	}
	r.ahead = r.serviceStart.Sub(r.Now())
	if err := r.compareClocks(); err != nil {
		return err
	}
	if r.TenantID != "" && r.tenant.ID != "" && r.tenant.ID != r.TenantID && looksLikeGUID(r.TenantID) {
		return fmt.Errorf("the sign-in leads to tenant %s, but the configuration names %s", r.tenant.ID, r.TenantID)
	}
	return nil
}

// readRisk reads detections and users and lets triage decide on each.
func (r *run) readRisk(ctx context.Context, held recovery.HeldBack) error {
	if r.tenant.PlansUnknown {
		r.warn("the tenant's licences could not be read")
	}
	r.coverage()
	if err := r.timed("detections", func() error { return r.readDetections(ctx) }); err != nil {
		return fmt.Errorf("reading risk detections: %w", err)
	}
	r.partsRead = append(r.partsRead, report.PartDetections)
	r.sayOwnerless()
	if err := r.timed("servicePrincipals", func() error { return r.readServicePrincipals(ctx) }); err != nil {
		return fmt.Errorf("reading risky service principals: %w", err)
	}
	if err := r.timed("directory", func() error { return r.readDirectory(ctx) }); err != nil {
		return fmt.Errorf("resolving names: %w", err)
	}
	if err := r.timed("users", func() error { return r.readUsers(ctx, held) }); err != nil {
		return fmt.Errorf("reading risky users: %w", err)
	}
	r.nameUnknownTypes()
	return nil
}

// nameUnknownTypes says which types of detection this version does not know.
func (r *run) nameUnknownTypes() {
	for _, t := range slices.Sorted(maps.Keys(r.tally.ByType)) {
		if t != report.UnknownKey && t != report.OtherKey && !entra.KnownEventType(t) {
			r.warn(fmt.Sprintf("riskEventType %s is not known to this version: it is allow-listed only where an entry says unknownRiskAccepted", t))
		}
	}
}

// makePlan builds the plan, narrows it to a stored one if asked, and stores
// it: a plan that cannot be stored is not carried out.
func (r *run) makePlan(ctx context.Context, held recovery.HeldBack) error {
	recent, err := r.Ledger.RecentActions(ctx, r.Now().Add(-24*time.Hour), r.rec.State.Writers)
	if err != nil {
		return fmt.Errorf("counting the actions of the last 24 hours: %w", err)
	}
	held.Block(r.users)
	actions := append(r.users, r.drift.Actions...)
	if actions == nil {
		actions = []plan.Action{}
	}
	in := plan.Input{
		Run: r.led.ID(), Tenant: r.Name, TenantID: r.TenantID, CreatedAt: r.Now(), Actions: actions,
		Enforcement: r.Settings.Enforcement, Ordered: r.req.ordered(), Limits: r.Settings.Limits,
		Recent: recent, AtRisk: r.atRisk, RequestsPerSecond: r.Settings.RequestsPerSecond,
	}
	if r.req.Destroy { // bound by ownership and the question, not by numbers
		in.Limits.MaxPolicyDeletes, in.Limits.MaxPolicyUpdates = math.MaxInt, math.MaxInt
	}
	r.res.Plan = plan.Build(in)
	if r.req.Stored != nil {
		for _, gone := range r.res.Plan.Keep(*r.req.Stored) {
			r.warn(fmt.Sprintf("%s %s of plan %s no longer holds and is not carried out", gone.Kind, nameOf(gone.Subject), r.req.Stored.Run))
		}
	}
	r.guardExpectations(ctx)
	if err := r.claim(ctx, r.Output.Redaction.Plan(r.res.Plan)); err != nil {
		return fmt.Errorf("storing the plan (nothing was sent): %w", err)
	}
	r.planned = true
	_ = r.dropCheckpoint(ctx, r.checkpoint) // no harm: it is older than the watermark will be
	return nil
}

// status says how the run ended.
func (r *run) status(err error) Status {
	var bad bool
	for _, o := range r.res.Outcomes {
		bad = bad || o.Status.Bad()
	}
	for _, s := range r.rec.Settled {
		bad = bad || s.Outcome.Status == plan.SettledPending
	}
	switch {
	case errors.Is(err, context.Canceled):
		return Cancelled
	case err != nil:
		return Failed
	case len(r.res.Plan.Violations) > 0:
		return Refused
	case bad || len(r.errors) > 0:
		return Partial
	}
	return Succeeded
}

func (r *run) warn(text string) {
	r.res.Findings = append(r.res.Findings, text)
	r.Log.Warn(text, "tenant", r.Name, "run", r.res.Run)
}

func nameOf(s plan.Subject) string {
	switch {
	case s.Name != "":
		return s.Name
	case s.Key != "":
		return s.Key
	}
	return string(s.ID)
}

func looksLikeGUID(s string) bool {
	return len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-'
}

// detached gives a context that outlives a cancel, for what must be written
// down all the same.
func detached(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), d)
}

// outliving gives a context that lasts some time longer than the given one.
func outliving(ctx context.Context, longer time.Duration) (context.Context, context.CancelFunc) {
	c, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.AfterFunc(longer, cancel)
		context.AfterFunc(c, func() { t.Stop() })
	})
	return c, func() { stop(); cancel() }
}

// silent is the progress that nobody watches.
type silent struct{}

func (silent) Stage(string, int) {}
func (silent) Advance(int)       {}
func (silent) Done()             {}

// timings are how long each part of the run took.
type timings []timing

type timing struct {
	Part    string
	Elapsed time.Duration
}

func (r *run) timed(part string, f func() error) error {
	r.Progress.Stage(part, 0)
	began := r.Now()
	err := f()
	r.timings = append(r.timings, timing{part, r.Now().Sub(began)})
	r.Progress.Done()
	return err
}
