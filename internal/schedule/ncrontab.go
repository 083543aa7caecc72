package schedule

import (
	"errors"
	"fmt"
	"strings"

	"github.com/robfig/cron/v3"
)

// descriptors are the names for which Azure Functions has no words.
var descriptors = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
	"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

// NCRONTAB writes a five-field schedule with six fields, as the timer trigger
// of Azure Functions wants it. What the two read differently is refused: a
// day of the month together with a day of the week is "or" for cron and "and"
// for NCRONTAB.
func NCRONTAB(spec string) (string, error) {
	spec = strings.TrimSpace(spec)
	if fields, ok := descriptors[strings.ToLower(spec)]; ok {
		spec = fields
	}
	if strings.HasPrefix(spec, "@") {
		return "", fmt.Errorf("NCRONTAB has no form of %s", spec)
	}
	if _, err := Parse(spec, "UTC"); err != nil {
		return "", err
	}
	f := strings.Fields(Sunday(spec))
	if strings.Contains(spec, "?") {
		return "", errors.New("NCRONTAB has no ?; write * instead")
	}
	if f[2] != "*" && f[4] != "*" {
		return "", errors.New("a day of the month and a day of the week together mean \"or\" here and \"and\" in NCRONTAB; use one of them")
	}
	return "0 " + strings.Join(f, " "), nil
}

// ParseNCRONTAB reads the six fields of a timer trigger (five mean that seconds
// are 0) as a schedule in a time zone. Only second 0 is taken: a sweep is not
// due within a minute.
func ParseNCRONTAB(spec, zone string) (*Schedule, error) {
	f := strings.Fields(spec)
	if len(f) == 6 {
		if f[0] != "0" && f[0] != "00" {
			return nil, fmt.Errorf("NCRONTAB %q: the seconds must be 0", spec)
		}
		f = f[1:]
	}
	if len(f) != 5 {
		return nil, fmt.Errorf("NCRONTAB %q has %d fields, want 6", spec, len(f))
	}
	if f[2] != "*" && f[4] != "*" {
		return nil, fmt.Errorf("NCRONTAB %q: a day of the month and a day of the week together are not supported", spec)
	}
	if _, err := cron.ParseStandard(strings.Join(f, " ")); err != nil {
		return nil, fmt.Errorf("NCRONTAB %q: %w", spec, err)
	}
	return Parse(strings.Join(f, " "), zone)
}
