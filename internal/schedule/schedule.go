// Package schedule says when a run is due: the next due time, right also on the
// two days a year when the clock changes, whether one was missed, and the same
// schedule as Azure Functions writes it.
//
// It is pure: it takes times and gives times, and never waits or runs anything.
package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/risksweep/risksweep/internal/zones"
)

// Schedule is a parsed cron specification in a time zone.
type Schedule struct {
	spec cron.Schedule
	zone *time.Location
	// wall is true for schedules that name hours of the day: these mean the
	// local clock, once per local time. The others run in elapsed time.
	wall bool
}

// Parse reads five cron fields or a descriptor such as @daily, and an IANA
// time zone. A zone inside the specification (CRON_TZ=) is refused: there is
// one place for it.
func Parse(spec, zone string) (*Schedule, error) {
	spec = strings.TrimSpace(spec)
	if spec == "" {
		return nil, errors.New("the schedule is empty")
	}
	if strings.HasPrefix(spec, "TZ=") || strings.HasPrefix(spec, "CRON_TZ=") {
		// cron v3.0.1 panics on a zone without a schedule after it.
		return nil, errors.New("the time zone belongs into schedule.timeZone, not into the schedule")
	}
	loc, err := zones.Load(zone)
	if err != nil {
		return nil, fmt.Errorf("time zone %q: %w", zone, err)
	}
	parsed, err := cron.ParseStandard(Sunday(spec))
	if err != nil {
		return nil, fmt.Errorf("schedule %q: %w", spec, err)
	}
	s := &Schedule{spec: parsed, zone: loc}
	if fields, ok := parsed.(*cron.SpecSchedule); ok {
		const star = 1 << 63 // cron marks a field that was written as a star
		s.wall = fields.Hour&star == 0
		fields.Location = time.UTC
		if !s.wall {
			fields.Location = loc
		}
	}
	if s.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, fmt.Errorf("schedule %q names a date that never comes", spec)
	}
	return s, nil
}

// Next is the first due time after t, in UTC; zero if there is none within five
// years.
//
// A schedule that names hours means the local clock: a local time that the
// spring change skips is due at the first moment after the gap, and one that
// the autumn change repeats is due at its first pass only. cron v3.0.1 alone
// skips the first and doubles the second.
func (s *Schedule) Next(t time.Time) time.Time {
	if !s.wall {
		next := s.spec.Next(t.In(s.zone))
		if next.IsZero() {
			return next
		}
		return next.UTC()
	}
	// Run the fields over the local clock as if it never changed, a day back so
	// that no repeated hour hides a due time.
	wall := asUTC(t.In(s.zone)).Add(-24 * time.Hour)
	for range 10_000 {
		wall = s.spec.Next(wall)
		if wall.IsZero() {
			return time.Time{}
		}
		if due := instant(wall, s.zone); due.After(t) {
			return due.UTC()
		}
	}
	return time.Time{}
}

// asUTC reads the local clock of t as if it were UTC.
func asUTC(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// instant is the moment at which the local clock of a zone first shows the
// given time; for a time that the clock skips, the moment of the skip.
func instant(wall time.Time, zone *time.Location) time.Time {
	// The offset in force is one of those half a day around.
	base := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, zone)
	var first time.Time
	for _, around := range []time.Time{base.Add(-12 * time.Hour), base, base.Add(12 * time.Hour)} {
		_, offset := around.Zone()
		at := wall.Add(-time.Duration(offset) * time.Second)
		if asUTC(at.In(zone)).Equal(wall) && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	if !first.IsZero() {
		return first
	}
	// Skipped: find the change; the widest ever was a whole day (Samoa, 2011).
	low, high := base.Add(-36*time.Hour), base.Add(36*time.Hour)
	for high.Sub(low) > time.Second {
		mid := low.Add(high.Sub(low) / 2)
		if asUTC(mid.In(zone)).After(wall) {
			high = mid
		} else {
			low = mid
		}
	}
	return high.Truncate(time.Second)
}

// Missed is the latest due time after the last run and not after now: the one
// run that makes up for all that were missed. Without an earlier run nothing
// is missed.
func (s *Schedule) Missed(last, now time.Time) (due time.Time, missed bool) {
	if last.IsZero() {
		return time.Time{}, false
	}
	// Years of a minutely schedule are not worth walking: start near now.
	if near := now.Add(-400 * 24 * time.Hour); last.Before(near) {
		last = near
	}
	if !s.wall {
		if step := s.Next(now).Sub(now); step > 0 && now.Sub(last) > 1000*step {
			last = now.Add(-1000 * step)
		}
	}
	for next := s.Next(last); !next.IsZero() && !next.After(now); next = s.Next(next) {
		due, missed = next, true
	}
	return due, missed
}
