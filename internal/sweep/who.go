package sweep

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/audit"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep/gather"
	"github.com/risksweep/risksweep/internal/sweep/notes"
)

// LogReader is the tenant's logs as a run reads them.
type LogReader interface {
	Identity(context.Context) (entra.Identity, error)
	Audits(context.Context, entra.AuditQuery) iter.Seq2[[]entra.Audit, error]
	SignIns(context.Context, entra.SignInQuery) iter.Seq2[[]entra.SignIn, error]
}

// auditKept is how long the service keeps audits.
const auditKept = 30 * 24 * time.Hour

// partLogs names the logs among the parts that were skipped.
const partLogs = "logs"

// NotRead says by name why a log was not read; empty for an error that is no
// matter of rights.
func NotRead(err error) string {
	switch {
	case errors.Is(err, entra.ErrForbidden):
		return "not read: AuditLog.Read.All"
	case errors.Is(err, entra.ErrUnlicensed):
		return "not read: the tenant has no Entra ID P1 licence"
	case errors.Is(err, entra.ErrUnsupported):
		return "not read: this cloud does not have it"
	}
	return ""
}

// audits reads who changed what in the time that the service keeps, in one query.
// nil means that the configuration leaves the logs alone. What is not ours to read
// is skipped by name; what fails leaves the run partial, for nothing but names
// hangs on it.
func (s *Sweeper) audits(ctx context.Context, n *notes.Notes, now time.Time) (*audit.Log, error) {
	if s.Logs == nil {
		return nil, nil //nolint:nilnil // no log is a value here
	}
	self, err := s.Logs.Identity(ctx)
	if err != nil && !errors.Is(err, entra.ErrOpaqueToken) {
		return nil, fmt.Errorf("reading whom the token stands for: %w", err)
	}
	log := audit.New(self)
	q := entra.AuditQuery{LogWindow: entra.LogWindow{From: now.Add(-auditKept), To: now.Add(time.Minute)},
		Services: []string{entra.ServiceConditionalAccess, entra.ServiceAuthentication, entra.ServiceIdentityProtection}}
	for rows, err := range s.Logs.Audits(ctx, q) {
		switch why := NotRead(err); {
		case err == nil:
		case ctx.Err() != nil:
			return nil, err
		case why != "":
			n.Skip(partLogs, why)
			return audit.Unread(why), nil
		default:
			n.Warn("the audit log could not be read: nobody is named as who changed something")
			n.Fail(err)
			return audit.Unread("the audit log could not be read"), nil
		}
		for i := range rows {
			log.Add(&rows[i])
		}
	}
	return log, nil
}

// nameChanges says of each object that differs who made it so, in the entries and
// in the actions.
func nameChanges(log *audit.Log, d *drift.Result, snap gather.Snapshot) {
	if log == nil {
		return
	}
	names := drift.NewNamer(snap.Live)
	by := map[string]*audit.ChangedBy{}
	for i := range d.Entries {
		e := &d.Entries[i]
		if e.Status == drift.InSync || e.Status == drift.Unmanaged {
			continue
		}
		owned := snap.State.Owned[e.Kind][e.Key]
		live := snap.Live.ByID(e.Kind, string(owned.ID))
		switch {
		case owned.ID == "":
			continue // not made yet
		case live == nil && len(snap.Live.Unread) > 0:
			continue
		case live == nil:
			e.ChangedBy = log.Deleted(owned.ID, names)
		case owned.Hash == policy.CanonicalHash(e.Kind, live):
			continue // as we left it: the baseline has changed
		default:
			paths := make([]string, len(e.Differences))
			for i, p := range e.Differences {
				paths[i] = p.Path
			}
			who := log.Changed(owned.ID, paths, policy.CanonicalOf(e.Kind, live), names)
			if who.Kind == audit.NotSeen && owned.Hash == "" {
				continue // adopted as it was
			}
			e.ChangedBy = who
		}
		by[plan.Ref(e.Kind, e.Key)] = e.ChangedBy
	}
	for i := range d.Actions {
		if a := &d.Actions[i]; a.Change != nil {
			a.ChangedBy = by[a.Change.Ref()]
		}
	}
}

// settledBy says who settled the risk of a user or a service principal, or
// confirmed it, by hand; nil where the service or the user did.
func settledBy(log *audit.Log, u *entra.RiskyUser) *audit.ChangedBy {
	if log == nil || !strings.HasPrefix(string(u.RiskDetail), "admin") {
		return nil
	}
	return log.Closed(u.ID)
}

// nameDifference says of what changed since the last run who did it.
func nameDifference(log *audit.Log, d *report.Difference, red report.Redaction, own map[entra.ID]bool) {
	if d == nil || log == nil {
		return
	}
	for i := range d.Drifted {
		c := &d.Drifted[i]
		if !c.Foreign() || own[entra.NewID(c.ID)] {
			c.ChangedBy = red.ChangedBy(c.ChangedBy)
			continue
		}
		id := entra.NewID(c.ID)
		switch {
		case c.Is == "":
			c.ChangedBy = red.ChangedBy(log.Deleted(id, nil))
		case c.Was == "":
			c.ChangedBy = red.ChangedBy(log.Added(id, nil))
		default:
			c.ChangedBy = red.ChangedBy(log.Changed(id, c.Paths, c.Live, nil))
		}
	}
	for i := range d.Gone {
		if c := &d.Gone[i]; c.Is == string(entra.StateDismissed) || c.Is == string(entra.StateConfirmedSafe) {
			c.ChangedBy = red.ChangedBy(log.Closed(entra.NewID(c.ID)))
		}
	}
}

// everOwned are the ids of all objects that are or were ours.
func everOwned(owned plan.OwnedObjects) map[entra.ID]bool {
	out := map[entra.ID]bool{}
	for _, list := range owned {
		for _, o := range list {
			out[o.ID] = true
		}
	}
	return out
}
