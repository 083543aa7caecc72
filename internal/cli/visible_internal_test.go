package cli

import (
	"bytes"
	"testing"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/triage"
)

// What somebody wrote into a name steers no terminal; in a pipe every byte stays.
func TestDataAtATerminal(t *testing.T) {
	const text = "a\x1b[31mb\u202ec\r\nd\té\u009b\xff\n"
	for tty, want := range map[bool]string{false: text, true: "a\uFFFD[31mb\uFFFDc\nd\té\uFFFD\uFFFD\n"} {
		var out bytes.Buffer
		c := &command{Sys: Sys{Out: &out, OutTTY: tty}}
		w := c.data()
		for i := range len(text) { // also within a character
			if _, err := w.Write([]byte{text[i]}); err != nil {
				t.Fatal(err)
			}
		}
		if out.String() != want {
			t.Errorf("terminal %t: %q, want %q", tty, out.String(), want)
		}
	}
}

// A group is as high and as old as its own detections, whatever else its users have.
func TestGroupIsDatedByItsOwnDetections(t *testing.T) {
	u := &entra.RiskyUser{ID: "u1", RiskLevel: entra.LevelHigh, RiskState: entra.StateAtRisk}
	var g userGroup
	g.add(u, []triage.Detection{{IP: "198.51.100.7", Level: entra.LevelLow, Detected: "2026-11-20T00:00:00Z"}})
	if g.Level != "low" || g.Since.Day() != 20 {
		t.Errorf("%+v", g)
	}
	g.add(&entra.RiskyUser{ID: "u2", RiskLevel: entra.LevelHigh}, nil)
	if g.Level != "high" {
		t.Errorf("without a detection: %+v", g)
	}
}
