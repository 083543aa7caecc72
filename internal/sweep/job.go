package sweep

import (
	"context"
	"log/slog"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/sweep/gather"
	"github.com/risksweep/risksweep/internal/sweep/notes"
	"github.com/risksweep/risksweep/internal/sweep/recovery"
)

// job is what a run works with. Nothing in it changes which place it works at:
// what stages find out they return.
type job struct {
	*Sweeper
	req     Request
	given   *Order // as it was typed; req has it as reports may show it
	led     *ledger.Run
	log     *slog.Logger
	started time.Time          // by our clock
	sent    entra.RequestStats // by the client, before this run
	notes   *notes.Notes
	rows    *rows
	source  gather.Source
	closed  bool
}

func (s *Sweeper) newJob(req Request, led *ledger.Run) *job {
	j := &job{Sweeper: s, req: req, led: led, started: s.Now().UTC(), sent: s.Reader.Stats(), log: s.Log.With("tenant", s.Name, "run", led.ID())}
	j.rows = newRows(j)
	j.source = s.source(j.log)
	j.source.Rows, j.source.Writes = j.rows, req.Mode == Apply
	j.source.Store, j.source.Checkpoint = s.Ledger.Store(), j.checkpointName()
	j.notes = j.source.Notes
	return j
}

// source is where whoever looks at the tenant reads.
func (s *Sweeper) source(log *slog.Logger) gather.Source {
	n := &notes.Notes{Log: log, Now: s.Now, Progress: s.Progress}
	if n.Progress == nil {
		n.Progress = silent{}
	}
	return gather.Source{Reader: s.Reader, Triage: s.Triage, Baseline: s.Baseline, Exceptions: s.Exceptions, TenantID: s.TenantID,
		Lookback: s.Settings.Lookback, Overlap: s.Settings.Overlap, FullEvery: s.Settings.FullEvery, ServicePrincipals: s.Settings.ServicePrincipals, Beta: s.Settings.Beta,
		Coverage: s.Settings.Coverage, AccessReader: s.Access,
		Now: s.Now, Log: log, Notes: n}
}

// checkpointName is where a run keeps its place. Runs that write hold the
// tenant's lease, so that the next takes over what one has left; a plan is
// taken up under its own id alone. Redacted reports are to hold no names, and
// so is the store: then none is kept.
func (j *job) checkpointName() string {
	switch {
	case j.Output.Redaction.Active() || j.req.ordered():
		return ""
	case j.req.Mode == Apply:
		return j.Name + "/checkpoint.jsonl"
	case j.req.Run != "":
		return j.led.Dir() + "/checkpoint.jsonl"
	}
	return ""
}

func (j *job) journal() recovery.Journal {
	return recovery.Journal{Run: j.led, Now: j.Now, ServerTime: j.Reader.ServerTime, Redaction: j.Output.Redaction}
}

// close gives the lease back, whatever became of the run.
func (j *job) close(ctx context.Context) {
	if j.closed {
		return
	}
	j.closed = true
	c, cancel := context.WithTimeout(context.WithoutCancel(ctx), j.Settings.WriteTimeout)
	defer cancel()
	if err := j.led.Close(c); err != nil {
		j.log.Warn("the lease could not be given back; it ends by itself", "error", err)
	}
}

// tell passes on what came of a run.
func (s *Sweeper) tell(ctx context.Context, r Result, err error) {
	if s.Notify != nil {
		s.Notify(context.WithoutCancel(ctx), r, err)
	}
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

// silent is the progress that nobody watches.
type silent struct{}

func (silent) Stage(string, int) {}
func (silent) Advance(int)       {}
func (silent) Done()             {}
