package sweep

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/sweep/gather"
)

// The last sign-in of an account is the newest that any run has seen; of those
// who are no break-glass accounts any more nothing is kept.
func TestLastSignInsAreRemembered(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC) }
	type times = map[entra.ID]time.Time
	known := gather.Known{BreakGlass: map[entra.ID]string{"a": "", "b": ""}}
	unsure := known
	unsure.BreakGlassUnknown = "a group could not be read"
	for name, c := range map[string]struct {
		known              gather.Known
		before, seen, want times
	}{
		"nothing":           {known, nil, times{}, times{}},
		"first seen":        {known, nil, times{"a": day(1)}, times{"a": day(1)}},
		"newer":             {known, times{"a": day(1)}, times{"a": day(2)}, times{"a": day(2)}},
		"older":             {known, times{"a": day(2)}, times{"a": day(1)}, times{"a": day(2)}},
		"gone from the log": {known, times{"a": day(1), "b": day(3)}, times{"b": day(4)}, times{"a": day(1), "b": day(4)}},
		"no longer one":     {known, times{"c": day(1)}, times{}, times{}},
		"perhaps still one": {unsure, times{"c": day(1)}, times{}, times{"c": day(1)}},
	} {
		if diff := cmp.Diff(c.want, rememberedGlass(c.before, c.seen, gather.Snapshot{Known: c.known})); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

// TestSignInsOfBreakGlassAccounts: one event stands for a sign-in, whatever rows
// it has; none of somebody else's, and no failure hides that somebody got in.
func TestSignInsOfBreakGlassAccounts(t *testing.T) {
	row := func(user entra.ID, minute int, correlation string, code int) entra.SignIn {
		return entra.SignIn{UserID: user, UserPrincipalName: string(user), CreatedDateTime: entra.DateTime(time.Date(2026, 11, 2, 0, minute, 0, 0, time.UTC).Format(time.RFC3339)), CorrelationID: correlation, ErrorCode: code}
	}
	for name, c := range map[string]struct {
		rows []entra.SignIn // the newest first
		want []string
	}{
		"somebody else":               {[]entra.SignIn{row("z", 9, "1", 0)}, nil},
		"asked, then in":              {[]entra.SignIn{row("a", 9, "1", 0), row("a", 8, "1", 50074)}, []string{"a signed in"}},
		"in, then a failure":          {[]entra.SignIn{row("a", 9, "1", 50126), row("a", 8, "1", 0)}, []string{"a signed in"}},
		"two failures":                {[]entra.SignIn{row("a", 9, "1", 50126), row("a", 8, "1", 50074)}, []string{"a tried to sign in (50126)"}},
		"two accounts, one name":      {[]entra.SignIn{row("a", 9, "1", 0), row("b", 8, "1", 0)}, []string{"a signed in", "b signed in"}},
		"no correlation":              {[]entra.SignIn{row("a", 9, "", 0), row("a", 8, "", 0)}, []string{"a signed in", "a signed in"}},
		"before the last run's watch": {[]entra.SignIn{row("a", 1, "1", 0)}, nil},
	} {
		g := glassSignIns{ids: []entra.ID{"a", "b"}, since: time.Date(2026, 11, 2, 0, 5, 0, 0, time.UTC), last: map[entra.ID]time.Time{}, told: map[[2]string]int{}}
		for i := range c.rows {
			g.add(&c.rows[i])
		}
		var got []string
		for _, e := range g.events {
			got = append(got, e.Name+" "+e.What)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}
