package gather

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep/evidence"
)

// readMargin is taken off the service's time when rows that changed since the
// start of the read are asked for.
const readMargin = time.Minute

// readDetections streams the detections into the report and keeps the evidence
// of the open ones. Pages are offsets into a living list: when there was more
// than one, what changed meanwhile is asked for once more. A run that goes on
// from a checkpoint asks for it first, for it stands over what was kept; and at
// the end for what may have shown late, as a run after it would.
func (r *reading) readDetections(ctx context.Context) error {
	r.readStart = r.ServiceStart
	c := r.findCheckpoint(ctx)
	r.checkpoint = c
	if c.found {
		if _, err := r.detectionPages(ctx, entra.DetectionQuery{UpdatedSince: r.ServiceStart.Add(-readMargin)}, nil); err != nil {
			return err
		}
		if err := r.replay(ctx, c); err != nil {
			return err
		}
	}
	pages, since := c.pages, r.readStart.Add(-readMargin)
	if pages > 0 {
		since = r.ServiceStart.Add(-r.Source.Overlap)
	}
	if !c.whole {
		n, err := r.goOn(ctx, c)
		if err != nil {
			return err
		}
		pages += n
	}
	if pages > 1 {
		_, err := r.detectionPages(ctx, entra.DetectionQuery{UpdatedSince: since}, nil)
		return err
	}
	return nil
}

// detectionPages reads a selection, and keeps its pages if c is given.
func (r *reading) detectionPages(ctx context.Context, q entra.DetectionQuery, c *checkpoint) (pages int, err error) {
	link := q.Resume
	for page, err := range r.Reader.Detections(ctx, q) {
		if err != nil {
			return pages, err
		}
		if pages == 0 && link != "" && !r.anyKnown(page.Items) {
			return 0, errMoved
		}
		pages++
		r.keep(ctx, c, link, page)
		if err := r.takeDetections(c, page.Items, false); err != nil {
			return pages, err
		}
		link = page.Next
		r.Notes.Progress.Advance(len(page.Items))
	}
	return pages, ctx.Err()
}

// takeDetections writes detections into the report and keeps the evidence of
// the open ones. Old ones, out of a checkpoint, never stand over what is known.
func (r *reading) takeDetections(c *checkpoint, items []entra.Detection, old bool) error {
	for i := range items {
		d := &items[i]
		if d.ID == "" {
			return fmt.Errorf("a detection without id: %w", entra.ErrMalformed)
		}
		if old && r.index.Knows(d.ID) {
			continue
		}
		fresh := r.index.Add(d)
		if !fresh {
			continue // read before: only its state is news
		}
		if c != nil {
			c.fresh++
		}
		r.detections++
		if err := r.Rows.Detection(d); err != nil {
			return err
		}
	}
	return nil
}

// readUsers streams the risky users to judge, each once. Of a user with an
// action it is noted if the risk changes while the pages are read.
func (r *reading) readUsers(ctx context.Context, judge Judge) error {
	if r.Triage == nil {
		r.Notes.Skip("triage", "no triage file is configured")
	} else if r.NoTriage() != "" {
		r.Notes.Skip("triage", r.NoTriage())
	}
	q := entra.RiskyUserQuery{}
	if !r.Full {
		q.Open, q.UpdatedSince = true, r.Since
	}
	began := map[entra.ID]entra.DateTime{} // users with an action
	seen := evidence.NewIDSet()
	pages, atRisk := 0, 0
	one := func(u *entra.RiskyUser) error {
		if u.ID == "" {
			return fmt.Errorf("a risky user without id: %w", entra.ErrMalformed)
		}
		if !seen.Add(string(u.ID)) {
			if at, ok := began[u.ID]; ok && at != u.RiskLastUpdatedDateTime {
				r.Changed = append(r.Changed, u.ID)
			}
			return nil
		}
		if u.RiskState == entra.StateAtRisk {
			atRisk++
		}
		acts, err := judge(r.Known, u)
		if acts {
			began[u.ID] = u.RiskLastUpdatedDateTime
		}
		return err
	}
	read := func(q entra.RiskyUserQuery) error {
		for page, err := range r.Reader.RiskyUsers(ctx, q) {
			if err != nil {
				return err
			}
			pages++
			for i := range page.Items {
				if err := one(&page.Items[i]); err != nil {
					return err
				}
			}
			r.Notes.Progress.Advance(len(page.Items))
		}
		return ctx.Err()
	}
	if err := read(q); err != nil {
		if errors.Is(err, entra.ErrUnlicensed) || errors.Is(err, entra.ErrUnsupported) {
			r.Notes.Skip("triage", err.Error())
			return nil
		}
		return err
	}
	if pages > 1 {
		if err := read(entra.RiskyUserQuery{UpdatedSince: r.readStart.Add(-readMargin)}); err != nil {
			return err
		}
	}
	r.PartsRead = append(r.PartsRead, report.PartUsers)
	r.AtRisk = plan.Count(atRisk)
	if r.Rules != nil {
		for _, f := range r.Rules.Unmatched(r.PrincipalsAtRisk.Known()) {
			r.Notes.Warn(f.Text)
		}
	}
	return nil
}
