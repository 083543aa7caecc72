package report

import (
	"strings"
	"testing"
	"time"
)

func TestGlassTests(t *testing.T) {
	now := time.Date(2026, 11, 30, 2, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		ago, every time.Duration // ago 0: never
		due        bool
		says       string
	}{
		"just tested":                 {time.Minute, day, false, "0 days ago"},
		"on the day itself":           {30 * day, 30 * day, false, "30 days ago"},
		"a minute too late":           {30*day + time.Minute, 30 * day, true, "the last sign-in was 30 days ago, on 2026-10-31 01:59 UTC; the baseline wants a test every 30 days"},
		"one day":                     {25 * time.Hour, day, true, "1 day ago"},
		"hours":                       {40 * time.Hour, 36 * time.Hour, true, "every 36 hours"},
		"older than the log":          {60 * day, 90 * day, false, "60 days ago"},
		"never":                       {0, 20 * day, true, "no sign-in in the 30 days that the log keeps"},
		"never, and longer than kept": {0, 90 * day, true, "no older one is known"},
		"a clock that is behind":      {-time.Minute, day, false, "0 days ago"},
	} {
		t.Run(name, func(t *testing.T) {
			var last time.Time
			if c.ago != 0 {
				last = now.Add(-c.ago)
			}
			test := NewGlassTest("1", "bg1@contoso.com", last, now, c.every)
			if test.Overdue != c.due || !strings.Contains(test.Text(), c.says) || len(GlassTestsDue([]GlassTest{test})) != map[bool]int{true: 1}[c.due] {
				t.Errorf("%+v says %s", test, test.Text())
			}
		})
	}
	hidden := NewRedaction("drop", nil).GlassTests([]GlassTest{{ID: "1", Name: "bg1@contoso.com"}})
	if strings.Contains(hidden[0].Text(), "bg1@") {
		t.Errorf("not redacted: %s", hidden[0].Text())
	}
}
