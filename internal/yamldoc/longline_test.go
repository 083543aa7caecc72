package yamldoc

import (
	"runtime"
	"strings"
	"testing"
)

// Twice as many values on one line are twice as much work, and not four times.
func TestManyValuesOnOneLine(t *testing.T) {
	work := func(n int) float64 {
		text := []byte("{a: [" + strings.Repeat("x, ", n) + "x]}")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, problems := Parse("a.yaml", text); problems.Err() != nil {
			t.Fatal(problems)
		}
		runtime.ReadMemStats(&after)
		return float64(after.TotalAlloc - before.TotalAlloc)
	}
	if few, many := work(2000), work(4000); many > 3*few {
		t.Errorf("%.0f bytes for 2000 values, %.0f for 4000", few, many)
	}
}
