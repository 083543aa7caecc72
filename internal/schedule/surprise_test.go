package schedule

import (
	"strings"
	"testing"
	"time"
)

func TestSundayIsSevenToo(t *testing.T) {
	for spec, want := range map[string]string{
		"0 2 * * 7": "0 2 * * 0", "0 2 * * 1,7": "0 2 * * 1,0", "0 2 * * 5-7": "0 2 * * 5,6,0", "0 2 * * Fri-7": "0 2 * * 5,6,0", "0 2 * * 1-7/2": "0 2 * * 1,3,5,0",
		"0 2 * * 1-5": "0 2 * * 1-5", "7 7 7 7 *": "7 7 7 7 *", "0 2 * * 8": "0 2 * * 8", "0 2 * * */7": "0 2 * * */7", "@weekly": "@weekly",
	} {
		if got := Sunday(spec); got != want {
			t.Errorf("%q: %q, want %q", spec, got, want)
		}
	}
	s := mustParse(t, "0 2 * * 7", "UTC")
	if next := s.Next(time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)); next.Weekday() != time.Sunday {
		t.Errorf("7 is %s", next.Weekday())
	}
}

func TestWhatASchedulesDoesUnexpectedlyIsSaid(t *testing.T) {
	for spec, want := range map[string]string{
		"*/90 * * * *": "672 times in four weeks, Mon 00:00, Mon 01:00, Mon 02:00 first", "* 2 * * *": "1680 times in four weeks, Mon 02:00, Mon 02:01, Mon 02:02 first",
		"*/45 * * * *": "Mon 00:00, Mon 00:45, Mon 01:00", "0 */5 * * *": "does not divide the field hour", "0 */36 * * *": "28 times in four weeks", "0 2 1 * 1": "either of them: it runs 61 times in a year, Fri 1 Jan 02:00, Mon 4 Jan 02:00, Mon 11 Jan 02:00 first",
		"0 2 * * *": "", "*/15 * * * *": "", "* * * * *": "", "0 */6 * * 1-5": "", "@daily": "", "0 2 * * 7": "", "30 2 1,15 * *": "",
	} {
		got := Surprise(spec)
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", spec, got, want)
		}
	}
}
