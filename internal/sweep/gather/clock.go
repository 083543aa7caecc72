package gather

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
func (s Source) clocksApart(service, own time.Time) (why string, wrong bool) {
	d := service.Sub(own).Abs()
	if d < clocksDiffer {
		return "", false
	}
	why = fmt.Sprintf("the clocks differ: the service says %s, this machine says %s; set this machine's clock, or look for what changes the Date header on the way",
		service.UTC().Format(time.RFC3339), own.UTC().Format(time.RFC3339))
	return why, d > max(clocksDiffer, min(clocksWrong, s.Overlap))
}

// compareClocks ends an apply whose clocks are too far apart to write by.
func (s Source) compareClocks(service time.Time) error {
	why, wrong := s.clocksApart(service, s.Now())
	switch {
	case wrong && s.Writes:
		return fmt.Errorf("%s; nothing was sent", why)
	case wrong:
		s.Notes.Warn(why + "; an apply would send nothing")
	case why != "":
		s.Notes.Warn(why)
	}
	return nil
}

// ServiceTime is the service's time of its last answer; where that is far from
// this machine's clock, which the start of the run agreed with, the latter.
func (s Source) ServiceTime(start Start) time.Time {
	t := s.Reader.ServerTime()
	if _, wrong := s.clocksApart(t, s.Now()); wrong {
		return start.ServiceNow()
	}
	return t
}

// coverage decides what to read: everything within the lookback, or what
// changed since the last run, and the open risk in either case.
func (r *reading) coverage() {
	if r.yetToCome() {
		r.Notes.Warn(fmt.Sprintf("the state says that risk was read up to %s, which is yet to come; everything is read anew",
			r.State.Watermark.UTC().Format(time.RFC3339)))
	}
	r.Full = r.watermark().IsZero() || r.State.LastFull.IsZero() ||
		!r.ServiceStart.Before(r.State.LastFull.Add(r.FullEvery))
	r.Since = r.ServiceStart.Add(-r.Lookback)
	if !r.Full {
		if since := r.watermark().Add(-r.Overlap); since.After(r.Since) {
			r.Since = since
		}
	}
}

// yetToCome reports whether a time in the state is wrong: what was read by then
// is not known.
func (r *reading) yetToCome() bool {
	edge := r.ServiceStart.Add(clocksWrong)
	return r.State.Watermark.After(edge) || r.State.LastFull.After(edge)
}

// watermark is up to when risk was read, zero if that is not known.
func (r *reading) watermark() time.Time {
	if r.yetToCome() {
		return time.Time{}
	}
	return r.State.Watermark
}
