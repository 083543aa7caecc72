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
