package sweep

import (
	"fmt"
	"time"
)

// How far the service's clock and this machine's may be apart. Entries end,
// risk gets old and limits count by them.
const (
	// clocksDiffer is said: Entra itself takes no assertion that is so far off.
	clocksDiffer = 10 * time.Minute
	// clocksWrong ends a run that writes. It is less than the usual
	// sweep.overlap, so that a watermark that is wrong by as much leaves no gap.
	clocksWrong = 36 * time.Hour
)

// clocksApart says how two clocks differ, and whether by too much to write.
func (r *run) clocksApart(service, own time.Time) (why string, wrong bool) {
	d := service.Sub(own).Abs()
	if d < clocksDiffer {
		return "", false
	}
	why = fmt.Sprintf("the clocks differ: the service says %s, this machine says %s; set this machine's clock, or look for what changes the Date header on the way",
		service.UTC().Format(time.RFC3339), own.UTC().Format(time.RFC3339))
	return why, d > max(clocksDiffer, min(clocksWrong, r.Settings.Overlap))
}

// compareClocks ends an apply whose clocks are too far apart to write by.
func (r *run) compareClocks() error {
	why, wrong := r.clocksApart(r.serviceStart, r.Now())
	switch {
	case wrong && r.req.Mode == Apply:
		return fmt.Errorf("%s; nothing was sent", why)
	case wrong:
		r.warn(why + "; an apply would send nothing")
	case why != "":
		r.warn(why)
	}
	return nil
}

// serviceNow is the service's time, by which ages are told.
func (r *run) serviceNow() time.Time { return r.Now().Add(r.ahead) }

// serviceTime is the service's time of its last answer; where that is far from
// this machine's clock, which the start of the run agreed with, the latter.
func (r *run) serviceTime() time.Time {
	t := r.Reader.ServerTime()
	if _, wrong := r.clocksApart(t, r.Now()); wrong {
		return r.serviceNow()
	}
	return t
}

// coverage decides what to read: everything within the lookback, or what
// changed since the last run, and the open risk in either case. A time in the
// state that is yet to come is wrong, and what was read by then is not known.
func (r *run) coverage() {
	if r.rec.State.Watermark.After(r.serviceStart.Add(clocksWrong)) || r.rec.State.LastFull.After(r.serviceStart.Add(clocksWrong)) {
		r.warn(fmt.Sprintf("the state says that risk was read up to %s, which is yet to come; everything is read anew",
			r.rec.State.Watermark.UTC().Format(time.RFC3339)))
		r.rec.State.Watermark, r.rec.State.LastFull = time.Time{}, time.Time{}
	}
	r.full = r.rec.State.Watermark.IsZero() || r.rec.State.LastFull.IsZero() ||
		!r.serviceStart.Before(r.rec.State.LastFull.Add(r.Settings.FullEvery))
	r.since = r.serviceStart.Add(-r.Settings.Lookback)
	if !r.full {
		if since := r.rec.State.Watermark.Add(-r.Settings.Overlap); since.After(r.since) {
			r.since = since
		}
	}
}
