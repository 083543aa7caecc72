package httpapi

import (
	"testing"
	"time"
)

// However many calls are refused, the log grows by ten lines a minute, and says
// how many it left out.
func TestRefusalsDoNotFillTheLog(t *testing.T) {
	t.Parallel()
	var c refusals
	now := time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)
	said, told := 0, 0
	for i := range 3000 { // three minutes
		say, untold := c.count(now.Add(time.Duration(i) * 60 * time.Millisecond))
		if say {
			said++
			told += untold + 1
		}
	}
	if said != 30 || told != 2010 {
		t.Errorf("%d lines tell of %d calls", said, told)
	}
	if say, untold := c.count(now.Add(time.Hour)); !say || untold != 990 {
		t.Errorf("later: %v, %d", say, untold)
	}
}
