package sweep

import (
	"context"
	"errors"
	"slices"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/triage"
)

// historyRuns is how many runs the page's chart over time shows.
const historyRuns = 30

// writeReport writes report.json, and report.html from what it holds, in one
// pass over the decisions.
func (r *publisher) writeReport(ctx context.Context, rep report.Report) (err error) {
	var history []report.Point
	if !slices.Contains(r.res.Unread, report.PartUsers) { // else this run has no point in it
		if history, err = r.history(ctx); err != nil {
			return err
		}
	}
	users, err := r.reopen(ctx, "users.jsonl")
	if err != nil {
		return err
	}
	defer users.Close()
	doc, err := r.led.File(ctx, "report.json")
	if err != nil {
		return err
	}
	page, err := r.led.File(ctx, "report.html")
	if err != nil {
		return errors.Join(err, doc.Abort())
	}
	extras := report.PageDetails{History: history, SLA: r.Output.SLA, Detections: r.shownDetections, Reached: &r.reached, Cloud: r.Cloud}
	if err := report.WriteBoth(doc, page, rep, report.Decisions(users, r.Now().Add(r.snapshot.Ahead)), extras); err != nil {
		return errors.Join(err, doc.Abort(), page.Abort())
	}
	if err := doc.Commit(ctx); err != nil {
		return errors.Join(err, page.Abort())
	}
	return page.Commit(ctx)
}

// shownDetections are a user's open detections as the page may show them.
func (r *publisher) shownDetections(userID string) []triage.Detection {
	list := r.snapshot.Open.Of(entra.NewID(userID))
	for i := range list {
		list[i] = r.Output.Redaction.OpenDetection(list[i])
	}
	report.SortDetections(list)
	return list
}

// history is the open risk of the last complete runs, the oldest first, and of
// this one.
func (r *publisher) history(ctx context.Context) ([]report.Point, error) {
	ids, err := r.Ledger.RunIDs(ctx, historyRuns)
	if err != nil {
		return nil, err
	}
	var out []report.Point
	for i := len(ids) - 1; i >= 0; i-- {
		if ids[i] == r.led.ID() {
			continue
		}
		m, err := r.Ledger.Manifest(ctx, ids[i])
		if errors.Is(err, blobstore.ErrNotFound) {
			continue // cut short: it may not have read everything
		}
		if err != nil {
			return nil, err
		}
		if p, ok := pointOf(ids[i], m); ok {
			out = append(out, p)
		}
	}
	p, _ := pointOf(r.led.ID(), ledger.Manifest{StartedAt: r.started, Counts: r.res.Counts})
	return append(out, p), nil
}

// pointOf is the open risk that a run read; false for one that read none.
func pointOf(run string, m ledger.Manifest) (report.Point, bool) {
	level := func(l entra.RiskLevel) int { return m.Counts["usersOpen."+string(l)] }
	p := report.Point{Run: run, At: m.StartedAt, High: level(entra.LevelHigh), Medium: level(entra.LevelMedium), Low: level(entra.LevelLow)}
	p.OtherLevel = m.Counts["usersOpen"] - p.High - p.Medium - p.Low
	_, read := m.Counts["usersOpen"]
	return p, read
}
