package sweep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/audit"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/impact"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
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
func (r *rows) principal(row report.ServicePrincipalRow) error {
	if !r.job.req.ordered() {
		if row.Risk.RiskState == entra.StateAtRisk {
			r.counts["servicePrincipalsAtRisk"]++
		}
		if row.Decision.NeedsPerson {
			r.counts["servicePrincipalsNeedPerson"]++
		}
	}
	if err := r.principals.Write(row); err != nil {
		return fmt.Errorf("storing service principals: %w", err)
	}
	return nil
}

// user takes a risky user. An order's users are not counted by their risk, for
// the others of the tenant are not among them.
func (r *rows) user(row report.UserRow) error {
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
		if d.NeedsPerson {
			r.counts["needsPerson"]++
		}
	}
	if row.Reach != nil {
		r.risky = append(r.risky, report.RiskyReach{ID: string(u.ID), Name: strings.Clone(u.UserPrincipalName), RiskLevel: u.RiskLevel, Privileged: d.Privileged, Reach: row.Reach})
	}
	if err := r.users.Write(row); err != nil {
		return fmt.Errorf("storing users: %w", err)
	}
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
