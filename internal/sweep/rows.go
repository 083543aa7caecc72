package sweep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/audit"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/impact"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep/decide"
	"github.com/risksweep/risksweep/internal/triage"
)

// rows are the row files of a run, open while it reads, and what is counted of
// the rows that they take.
type rows struct {
	job        *job
	detections *report.Detections
	users      *report.Users
	principals *report.ServicePrincipals
	ocsf       *report.OCSF // nil unless asked for
	files      []*ledger.FileWriter
	impact     *impact.Result // of the policies that wait for their promotion
	closed     bool
	held       []heldRow[report.UserRow] // of users with actions, until it is known what became of those
	// heldPrincipals are the same of service principals.
	heldPrincipals []heldRow[report.ServicePrincipalRow]

	counts    map[string]int
	tally     *report.Tally
	campaigns *report.Campaigns
	risky     []report.RiskyReach // users with open risk, if they were judged
}

func newRows(j *job) *rows {
	return &rows{job: j, counts: map[string]int{}, tally: report.NewTally(), campaigns: report.NewCampaigns(j.Output.Redaction)}
}

// open begins the row files.
func (r *rows) open(ctx context.Context) error {
	names := [...]string{"detections.jsonl", "detections.csv", "users.jsonl", "users.csv", "serviceprincipals.jsonl", "serviceprincipals.csv"}
	w := make([]io.Writer, len(names))
	for i, name := range names {
		f, err := r.begin(ctx, name)
		if err != nil {
			return err
		}
		w[i] = f
	}
	out := r.job.Output
	r.detections = report.NewDetections(w[0], w[1], out.Redaction, out.CSV)
	r.principals = report.NewServicePrincipals(w[4], w[5], out.Redaction, out.CSV)
	r.users = report.NewUsers(w[2], w[3], out.Redaction, out.CSV)
	if !slices.Contains(out.Formats, "ocsf") {
		return nil
	}
	f, err := r.begin(ctx, "ocsf.jsonl")
	if err != nil {
		return err
	}
	o := report.NewOCSF(f, report.OCSFSource{Version: r.job.Version, Run: r.job.led.ID(), TenantID: r.job.TenantID, At: r.job.started}, out.Redaction)
	r.detections.Also(o)
	r.users.Also(o)
	r.principals.Also(o)
	r.ocsf = o
	return nil
}

func (r *rows) begin(ctx context.Context, name string) (*ledger.FileWriter, error) {
	f, err := r.job.led.File(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("storing %s: %w", name, err)
	}
	r.files = append(r.files, f)
	return f, nil
}

// asked says who asked for the run, once it is signed in.
func (r *rows) asked(by *plan.Requested) {
	if r.ocsf != nil {
		r.ocsf.Asked(by)
	}
}

// Count counts what has no row.
func (r *rows) Count(name string, n int) { r.counts[name] = n }

// Detection takes a detection.
func (r *rows) Detection(d *entra.Detection) error {
	r.tally.Add(d)
	r.counts["detections"]++
	if d.RiskState.Open() {
		r.counts["detectionsOpen"]++
	}
	if err := r.detections.Write(d); err != nil {
		return fmt.Errorf("storing detections: %w", err)
	}
	return nil
}

// PrincipalDetection takes a detection of a service principal: the SIEM's file has
// a line of it, and the service principal's own line has it whole.
func (r *rows) PrincipalDetection(d *entra.Detection) error {
	if r.ocsf == nil {
		return nil
	}
	if err := r.ocsf.Detection(d); err != nil {
		return fmt.Errorf("storing ocsf.jsonl: %w", err)
	}
	return nil
}

// principal takes a risky service principal. Those of an order are not counted by
// their risk.
func (r *rows) principal(row report.ServicePrincipalRow, acts bool, at time.Time) error {
	if !r.job.req.ordered() {
		if row.Risk.RiskState == entra.StateAtRisk {
			r.counts["servicePrincipalsAtRisk"]++
		}
	}
	if acts {
		r.heldPrincipals = append(r.heldPrincipals, heldRow[report.ServicePrincipalRow]{row, at})
		return nil
	}
	return r.writePrincipal(row, at)
}

// writePrincipal stores the row of a service principal about which nothing more
// becomes known.
func (r *rows) writePrincipal(row report.ServicePrincipalRow, at time.Time) error {
	row.AgeHours, row.Overdue = r.job.Output.SLA.Age(row.Decision, row.Risk.RiskLevel, at)
	if row.Decision.NeedsPerson && !r.job.req.ordered() {
		r.counts["servicePrincipalsNeedPerson"]++
	}
	if err := r.principals.Write(row); err != nil {
		return fmt.Errorf("storing service principals: %w", err)
	}
	return nil
}

// heldRow is the row of somebody on whom something is to be done, and when it was
// judged.
type heldRow[R any] struct {
	row R
	at  time.Time
}

// user takes a risky user. An order's users are not counted by their risk, for
// the others of the tenant are not among them. Of one with actions the row waits
// for what becomes of them.
func (r *rows) user(row report.UserRow, acts bool, at time.Time) error {
	u, d := row.User, row.Decision
	r.counts["users"]++
	if d.Verdict != "" {
		r.tally.Decide(d)
	}
	if !r.job.req.ordered() {
		if u.RiskState == entra.StateAtRisk {
			r.counts["usersAtRisk"]++
		}
		if u.RiskState.Open() {
			r.counts["usersOpen"]++
			r.counts["usersOpen."+string(u.RiskLevel)]++
			if d.Verdict != triage.Dismiss {
				r.campaigns.Add(string(u.ID), u.UserPrincipalName, row.Open, d.NearMisses)
			}
		}
		if d.Verdict != "" {
			r.counts["decisions."+string(d.Verdict)]++
		}
	}
	if row.Reach != nil {
		r.risky = append(r.risky, report.RiskyReach{ID: strings.Clone(string(u.ID)), Name: strings.Clone(u.UserPrincipalName), RiskLevel: u.RiskLevel, Privileged: d.Privileged, Reach: row.Reach})
	}
	if acts {
		r.held = append(r.held, heldRow[report.UserRow]{row, at})
		return nil
	}
	return r.write(row, at)
}

// write stores the row of a user about whom nothing more becomes known.
func (r *rows) write(row report.UserRow, at time.Time) error {
	row.AgeHours, row.Overdue = r.job.Output.SLA.Age(row.Decision, row.User.RiskLevel, at)
	if row.Decision.NeedsPerson && !r.job.req.ordered() {
		r.counts["needsPerson"]++
	}
	if err := r.users.Write(row); err != nil {
		return fmt.Errorf("storing users: %w", err)
	}
	return nil
}

// settle stores the rows that waited for the outcomes of the run.
func (r *rows) settle(outcomes []plan.Outcome) error {
	of := map[entra.ID][]plan.Outcome{}
	for _, o := range outcomes {
		if o.Kind.OnUser() || o.Kind.OnPrincipal() {
			of[o.Subject.ID] = append(of[o.Subject.ID], o)
		}
	}
	for _, h := range r.held {
		h.row.Decision = decide.Person(h.row.Decision, h.row.User.RiskState, h.row.Open, of[h.row.User.ID])
		if err := r.write(h.row, h.at); err != nil {
			return err
		}
	}
	for _, h := range r.heldPrincipals {
		h.row.Decision = decide.Person(h.row.Decision, h.row.Risk.RiskState, h.row.Open, of[h.row.Risk.ID])
		if err := r.writePrincipal(h.row, h.at); err != nil {
			return err
		}
	}
	r.held, r.heldPrincipals = nil, nil
	return nil
}

// drifted adds the policies that somebody changed to the SIEM's file.
func (r *rows) drifted(list []report.PolicyRow) error {
	if r.ocsf == nil || r.closed {
		return nil
	}
	for _, row := range list {
		if row.ChangedBy != nil && !row.ChangedBy.Own && row.ChangedBy.Kind != audit.NotSeen {
			if err := r.ocsf.Policy(row); err != nil {
				return fmt.Errorf("storing ocsf.jsonl: %w", err)
			}
		}
	}
	return nil
}

// unknownTypes are the types of detection that this version does not know.
func (r *rows) unknownTypes() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(r.tally.ByType)), func(t string) bool {
		return t == report.UnknownKey || t == report.OtherKey || entra.KnownEventType(t)
	})
}

// close ends the row files; they hold what was read, be it all or not.
func (r *rows) close(ctx context.Context) error {
	if r.closed || len(r.files) == 0 {
		return nil
	}
	r.closed = true
	if r.users == nil { // the store took some of them only
		return errors.Join(errors.New("the files of the run could not be begun"), r.abort())
	}
	err := errors.Join(r.detections.Flush(), r.users.Flush(), r.principals.Flush())
	for _, f := range r.files {
		if err != nil {
			err = errors.Join(err, f.Abort())
			continue
		}
		err = f.Commit(ctx)
	}
	return err
}

// abort gives the row files up.
func (r *rows) abort() (err error) {
	r.closed = true
	for _, f := range r.files {
		err = errors.Join(err, f.Abort())
	}
	return err
}
