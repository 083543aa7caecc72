package sweep

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep/gather"
)

// watchedGlass is what a run has seen of the break-glass accounts.
type watchedGlass struct {
	events []report.GlassEvent
	// last are the last sign-ins; nil if the log was not read to its end.
	last map[entra.ID]time.Time
	// until is the service's time up to which both logs were read to their ends;
	// zero if one was not.
	until time.Time
}

// watchGlass tells of every sign-in of a break-glass account, and of every change
// of one that the audit log shows, since the last run that has read both logs:
// nobody uses them but in an emergency or a test. What is not ours to read is
// skipped by name.
func (j *job) watchGlass(ctx context.Context, snap gather.Snapshot) (w watchedGlass, err error) {
	if j.Logs == nil || len(snap.BreakGlass) == 0 {
		return w, nil
	}
	ids := make([]entra.ID, 0, len(snap.BreakGlass))
	for id := range snap.BreakGlass {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	now := snap.ServiceNow()
	since := snap.State.BreakGlassWatched
	if since.IsZero() { // by a version that did not keep it
		since = snap.State.Watermark
	}
	if since.After(now) { // a clock was wrong
		since = time.Time{}
	}
	since = since.Add(-2 * time.Hour) // the log is some minutes late
	if oldest := now.Add(-auditKept); since.Before(oldest) {
		since = oldest
	}
	window := entra.LogWindow{From: now.Add(-auditKept), To: now.Add(time.Minute)}
	seen := glassSignIns{ids: ids, since: since, last: map[entra.ID]time.Time{}, told: map[[2]string]int{}}
	for rows, err := range j.Logs.SignIns(ctx, entra.SignInQuery{LogWindow: window, UserIDs: ids}) {
		if stop, err := j.notWatched(ctx, err); stop {
			w.events = seen.events // half a log does not say that somebody did not sign in
			return w, err
		}
		for n := range rows {
			seen.add(&rows[n])
		}
	}
	w.events, w.last = seen.events, seen.last
	window.From = since
	for rows, err := range j.Logs.Audits(ctx, entra.AuditQuery{LogWindow: window, Targets: ids}) {
		if stop, err := j.notWatched(ctx, err); stop {
			return w, err
		}
		for n := range rows {
			a := &rows[n]
			at, _ := a.ActivityDateTime.Time()
			for _, t := range a.Targets {
				if slices.Contains(ids, t.ID) && a.Service != entra.ServiceIdentityProtection {
					w.events = append(w.events, report.GlassEvent{ID: string(t.ID), Name: cmp.Or(t.UserPrincipalName, t.DisplayName, string(t.ID)), At: at, What: a.Activity,
						By: cmp.Or(a.By.UserPrincipalName, a.By.AppName, string(a.By.AppID), "Microsoft")})
				}
			}
		}
	}
	w.until = now
	slices.SortStableFunc(w.events, func(a, b report.GlassEvent) int { return b.At.Compare(a.At) })
	return w, nil
}

// glassSignIns gathers the sign-ins of the break-glass accounts.
type glassSignIns struct {
	ids    []entra.ID
	since  time.Time
	last   map[entra.ID]time.Time
	told   map[[2]string]int // where the event of a sign-in of a user stands
	events []report.GlassEvent
}

// add takes one row. A sign-in may have several: one that succeeded is never
// hidden by another that did not, for whoever signs in chooses the correlation.
// What the service shows of others is not of these accounts.
func (g *glassSignIns) add(s *entra.SignIn) {
	if !slices.Contains(g.ids, s.UserID) {
		return
	}
	at, _ := s.CreatedDateTime.Time() // the reader has checked it
	if s.ErrorCode == 0 && at.After(g.last[s.UserID]) {
		g.last[s.UserID] = at
	}
	if at.Before(g.since) {
		return
	}
	e := report.GlassEvent{ID: string(s.UserID), Name: s.UserPrincipalName, At: at, What: "signed in", Application: s.AppDisplayName, Address: s.IPAddress}
	if s.ErrorCode != 0 {
		e.What = fmt.Sprintf("tried to sign in (%d)", s.ErrorCode)
	}
	key := [2]string{string(s.UserID), s.CorrelationID}
	if n, told := g.told[key]; told && s.CorrelationID != "" {
		if s.ErrorCode == 0 && g.events[n].What != e.What {
			g.events[n] = e
		}
		return
	}
	g.told[key] = len(g.events)
	g.events = append(g.events, e)
}

// notWatched says whether an error ends the watch; only the run's own end is an
// error of the run.
func (j *job) notWatched(ctx context.Context, err error) (stop bool, _ error) {
	switch why := NotRead(err); {
	case err == nil:
		return false, nil
	case ctx.Err() != nil:
		return true, err
	case why != "":
		j.notes.Skip("breakGlassWatch", why)
	default:
		j.notes.Warn("what break-glass accounts did could not be read: " + err.Error())
		j.notes.Fail(err)
	}
	return true, nil
}

// rememberedGlass are the last sign-ins of the break-glass accounts, those that
// the log does not keep any more taken from earlier runs.
func rememberedGlass(before, seen map[entra.ID]time.Time, snap gather.Snapshot) map[entra.ID]time.Time {
	out := map[entra.ID]time.Time{}
	for id, at := range before {
		if _, ours := snap.BreakGlass[id]; ours || snap.BreakGlassUnknown != "" {
			out[id] = at
		}
	}
	for id, at := range seen {
		if at.After(out[id]) {
			out[id] = at.UTC()
		}
	}
	return out
}

// glassTests judges the last sign-ins by how often the baseline wants the
// accounts tested.
func (j *job) glassTests(last map[entra.ID]time.Time, snap gather.Snapshot) []report.GlassTest {
	if j.Baseline == nil || j.Baseline.BreakGlass.TestEvery == 0 {
		return nil
	}
	var tests []report.GlassTest
	for id := range snap.BreakGlass {
		at := last[id]
		if at.After(snap.ServiceNow().Add(time.Hour)) {
			at = time.Time{} // nobody has signed in in the future
		}
		tests = append(tests, report.NewGlassTest(string(id), snap.BreakGlassNames[id], at, snap.ServiceNow(), j.Baseline.BreakGlass.TestEvery))
	}
	slices.SortFunc(tests, func(a, b report.GlassTest) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return tests
}
