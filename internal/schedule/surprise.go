package schedule

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

var (
	toSunday = regexp.MustCompile(`(?i)^([0-6]|sun|mon|tue|wed|thu|fri|sat)-7(?:/([1-9]\d?))?$`)
	weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	steps    = regexp.MustCompile(`/(\d+)$`)
)

// Sunday writes a Sunday given as 7, as Vixie cron has it, as 0. Whatever else
// it does not know it leaves as it is.
func Sunday(spec string) string {
	f := strings.Fields(spec)
	if len(f) != 5 || !strings.Contains(f[4], "7") {
		return spec
	}
	parts := strings.Split(f[4], ",")
	for i, part := range parts {
		if part == "7" {
			parts[i] = "0"
			continue
		}
		m := toSunday.FindStringSubmatch(part)
		if m == nil {
			continue
		}
		first, err := strconv.Atoi(m[1])
		for day, name := range weekdays {
			if err != nil && strings.EqualFold(m[1], name) {
				first = day
			}
		}
		step := 1
		if n, err := strconv.Atoi(m[2]); err == nil {
			step = n
		}
		var days []string
		for day := first; day <= 7; day += step {
			days = append(days, strconv.Itoa(day%7))
		}
		parts[i] = strings.Join(days, ",")
	}
	f[4] = strings.Join(parts, ",")
	return strings.Join(f, " ")
}

// Surprise says what a schedule of five fields does that it does not seem to
// do, and how often and when it runs; empty if it is as it seems.
func Surprise(spec string) string {
	f := strings.Fields(Sunday(spec))
	if len(f) != 5 {
		return ""
	}
	why := ""
	for i, field := range []struct {
		name string
		size int
	}{{"minute", 60}, {"hour", 24}, {"day of month", 31}, {"month", 12}, {"day of week", 7}} {
		for part := range strings.SplitSeq(f[i], ",") {
			m := steps.FindStringSubmatch(part)
			if m == nil {
				continue
			}
			if n, err := strconv.Atoi(m[1]); err == nil && n >= field.size {
				why = fmt.Sprintf("the step of %q is larger than the field %s, which begins anew each time", part, field.name)
			} else if err == nil && i < 2 && strings.HasPrefix(part, "*/") && field.size%n != 0 {
				why = fmt.Sprintf("%q does not divide the field %s, which begins anew each time", part, field.name)
			}
		}
	}
	if (f[0] == "*" || f[0] == "*/1") && f[1] != "*" {
		why = `"*" as the minute is every minute of the hours named; write 0 for once`
	}
	if f[2] != "*" && f[2] != "?" && f[4] != "*" && f[4] != "?" {
		why = "a day of the month together with a day of the week means either of them"
	}
	if why == "" {
		return ""
	}
	parsed, err := cron.ParseStandard(strings.Join(f, " "))
	if err != nil {
		return ""
	}
	// Four weeks from a Monday on, in UTC; a year where days of the month count.
	from, days, span, form := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC), 28, "four weeks", "Mon 15:04"
	if f[2] != "*" && f[2] != "?" || f[3] != "*" {
		from, days, span, form = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), 365, "a year", "Mon 2 Jan 15:04"
	}
	var first []string
	n := 0
	for at := parsed.Next(from.Add(-time.Second)); !at.IsZero() && at.Before(from.AddDate(0, 0, days)); at = parsed.Next(at) {
		if n++; n <= 3 {
			first = append(first, at.Format(form))
		}
	}
	if n == 0 {
		return why
	}
	return fmt.Sprintf("%s: it runs %d times in %s, %s first", why, n, span, strings.Join(first, ", "))
}
