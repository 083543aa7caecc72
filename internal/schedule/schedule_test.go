package schedule

import (
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"
)

func mustParse(t interface{ Fatal(...any) }, spec, zone string) *Schedule {
	s, err := Parse(spec, zone)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNextOnTheDaysOfTheClockChange(t *testing.T) {
	for _, c := range []struct {
		name, spec, zone, from string
		want                   []string
	}{
		{"spring: 02:00 is skipped and due at 03:00", "0 2 * * *", "Europe/Berlin", "2027-03-26T12:00:00Z",
			[]string{"2027-03-27T01:00:00Z", "2027-03-28T01:00:00Z", "2027-03-29T00:00:00Z"}},
		{"spring: 02:30 is due at 03:00", "30 2 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z",
			[]string{"2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z"}},
		{"autumn: 02:00 comes once", "0 2 * * *", "Europe/Berlin", "2027-10-29T12:00:00Z",
			[]string{"2027-10-30T00:00:00Z", "2027-10-31T00:00:00Z", "2027-11-01T01:00:00Z"}},
		{"half an hour in Lord Howe", "15 2 * * *", "Australia/Lord_Howe", "2027-10-01T12:00:00Z",
			[]string{"2027-10-01T15:45:00Z", "2027-10-02T15:30:00Z", "2027-10-03T15:15:00Z"}},
		{"a day that Samoa left out", "0 2 * * *", "Pacific/Apia", "2011-12-29T00:00:00Z",
			[]string{"2011-12-29T12:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T12:00:00Z"}},
		{"every hour runs in elapsed time", "0 * * * *", "Europe/Berlin", "2027-10-30T23:30:00Z",
			[]string{"2027-10-31T00:00:00Z", "2027-10-31T01:00:00Z", "2027-10-31T02:00:00Z"}},
		{"descriptor", "@daily", "America/New_York", "2026-11-24T12:00:00Z", []string{"2026-11-25T05:00:00Z"}},
		{"every", "@every 90m", "UTC", "2026-11-24T12:00:00Z", []string{"2026-11-24T13:30:00Z"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := mustParse(t, c.spec, c.zone)
			at, err := time.Parse(time.RFC3339, c.from)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if at = s.Next(at); at.Format(time.RFC3339) != want {
					t.Fatalf("next is %s, want %s", at.Format(time.RFC3339), want)
				}
			}
		})
	}
}

// TestOnceADay checks over random zones and times that a daily schedule is due
// exactly once on each local day.
func TestOnceADay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom([]string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago",
			"Africa/Cairo", "Asia/Kathmandu", "UTC", "Pacific/Chatham"}).Draw(t, "zone")
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		hour, minute := rapid.IntRange(0, 23).Draw(t, "hour"), rapid.IntRange(0, 59).Draw(t, "minute")
		s := mustParse(t, time.Date(2000, 1, 1, hour, minute, 0, 0, time.UTC).Format("4 15")+" * * *", zone)
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, loc).Add(time.Duration(rapid.IntRange(0, 700).Draw(t, "day")) * 24 * time.Hour)
		last := ""
		for range 15 {
			next := s.Next(at)
			if !next.After(at) {
				t.Fatalf("%s is not after %s", next, at)
			}
			day := next.In(loc).Format(time.DateOnly)
			if day == last {
				t.Fatalf("due twice on %s", day)
			}
			if last != "" {
				prev, _ := time.Parse(time.DateOnly, last)
				if prev.AddDate(0, 0, 1).Format(time.DateOnly) != day {
					t.Fatalf("after %s comes %s", last, day)
				}
			}
			last, at = day, next
		}
	})
}

func TestMissed(t *testing.T) {
	s := mustParse(t, "0 2 * * *", "UTC")
	day := func(d, h int) time.Time { return time.Date(2026, 11, d, h, 0, 0, 0, time.UTC) }
	for _, c := range []struct {
		name      string
		last, now time.Time
		want      time.Time
		missed    bool
	}{
		{"never ran", time.Time{}, day(10, 12), time.Time{}, false},
		{"on time", day(10, 2), day(10, 12), time.Time{}, false},
		{"one", day(9, 2), day(10, 12), day(10, 2), true},
		{"many are made up once", day(1, 2), day(10, 12), day(10, 2), true},
		{"due this second", day(9, 2), day(10, 2), day(10, 2), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			due, missed := s.Missed(c.last, c.now)
			if missed != c.missed || !due.Equal(c.want) {
				t.Errorf("got %v %v, want %v %v", due, missed, c.want, c.missed)
			}
		})
	}
	minutely := mustParse(t, "* * * * *", "UTC")
	if due, missed := minutely.Missed(day(1, 0).AddDate(-20, 0, 0), day(10, 12)); !missed || !due.Equal(day(10, 12)) {
		t.Errorf("minutely: %v %v", due, missed)
	}
}

func TestNCRONTAB(t *testing.T) {
	for spec, want := range map[string]string{
		"0 2 * * *": "0 0 2 * * *", "@daily": "0 0 0 * * *", "*/15 * * * 1-5": "0 */15 * * * 1-5", "@weekly": "0 0 0 * * 0",
		"0 2 1 * 1": "", "@every 1h": "", "0 2 * * ?": "", "": "", "0 2 * * 7": "0 0 2 * * 0", "0 2 * * 6-7": "0 0 2 * * 6,0", "0 2 30 2 *": "",
	} {
		got, err := NCRONTAB(spec)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("NCRONTAB(%q) = %q, %v; want %q", spec, got, err, want)
		}
	}
	for _, bad := range []string{"30 0 2 * * *", "0 2 * *", "0 0 2 1 * 1", "x 0 2 * * *"} {
		if _, err := ParseNCRONTAB(bad, "UTC"); err == nil {
			t.Errorf("ParseNCRONTAB(%q) is accepted", bad)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"0 2 * * *", "CRON_TZ=UTC", "TZ=", "@every 1ns", "@every -1h", "* * 31 2 *", "*/0 * * * *"} {
		f.Add(s, "UTC")
	}
	f.Add("0 2 * * *", "Europe/Berlin")
	now := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, spec, zone string) {
		s, err := Parse(spec, zone)
		if err != nil {
			return
		}
		if next := s.Next(now); !next.IsZero() && !next.After(now) {
			t.Errorf("%q in %q: next after %s is %s", spec, zone, now, next)
		}
	})
}
