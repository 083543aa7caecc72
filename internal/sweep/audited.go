package sweep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/risksweep/risksweep/internal/audit"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
)

// Audited is what the audit log says of the objects that events are about: who
// changed each, when, and what. Why says why the log was not read.
func (s *Sweeper) Audited(ctx context.Context, about []report.Event, period Period) (events []report.Event, why string, err error) {
	if s.Logs == nil {
		return nil, "sweep.logs is off", nil
	}
	objects := map[entra.ID]report.Event{}
	for _, e := range about {
		id, kind := entra.NewID(e.ID), plan.Kind(e.Kind)
		switch {
		case id == "" || kind.OnUser() || entra.ObjectKind(e.Kind) == entra.KindUser:
		case kind.Rank() < 0:
			objects[id] = e
		case objects[id].ID == "": // of an action, which has a kind of its own
			e.Kind = ""
			objects[id] = e
		}
	}
	self, err := s.Logs.Identity(ctx)
	if err != nil && !errors.Is(err, entra.ErrOpaqueToken) {
		return nil, "", fmt.Errorf("reading whom the token stands for: %w", err)
	}
	log, now := audit.New(self), s.Now()
	q := entra.AuditQuery{LogWindow: entra.LogWindow{From: now.Add(-auditKept), To: now.Add(time.Minute)}, Services: []string{entra.ServiceConditionalAccess, entra.ServiceAuthentication}}
	for rows, err := range s.Logs.Audits(ctx, q) {
		if why := NotRead(err); why != "" {
			return nil, why, nil
		}
		if err != nil {
			return nil, "", err
		}
		for i := range rows {
			log.Add(&rows[i])
		}
	}
	for id, e := range objects {
		for _, c := range log.All(id, nil) {
			at, known := c.At.Time()
			if !known || !period.has(at) {
				continue
			}
			by := s.Output.Redaction.Text(c.Name)
			if c.Own {
				by += ", which is this job"
			}
			one := report.Event{At: at, What: report.EventAudit, Kind: e.Kind, ID: e.ID, Key: e.Key, Name: e.Name, Is: c.Activity, By: by}
			for _, d := range c.Differences {
				one.Changes = append(one.Changes, s.Output.Redaction.Text(d.Text))
			}
			events = append(events, one)
		}
	}
	return events, "", nil
}
