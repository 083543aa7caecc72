package cli

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/risksweep/risksweep/internal/sweep"
)

// stageNames say what a part of a run does, in words.
var stageNames = map[string]string{
	"tenant": "reading the tenant", "settle": "settling what earlier runs left open", "detections": "reading risk detections",
	"servicePrincipals": "reading risky service principals", "directory": "resolving names", "users": "reading and deciding on risky users",
	"baseline": "comparing the baseline", "apply": "carrying out", "order": "reading the ordered users", "report": "writing the report",
}

// statusLine is the last line of a terminal, which tells how far runs are. What
// else is written to the terminal goes through it and scrolls by above.
type statusLine struct {
	w     io.Writer
	width int
	now   func() time.Time

	mu     sync.Mutex
	stages []*stage // those under way, in the order in which their runs began
	text   string
	drawn  time.Time
}

// redrawEvery bounds how often the line is drawn while a number grows.
const redrawEvery = 100 * time.Millisecond

const eraseLine = "\r\x1b[K"

// Write lets a log line or a message pass above the status line.
func (s *statusLine) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.text == "" {
		return s.w.Write(p)
	}
	if _, err := io.WriteString(s.w, eraseLine); err != nil {
		return 0, err
	}
	n, err := s.w.Write(p)
	if err == nil && n > 0 && p[n-1] == '\n' {
		_, err = io.WriteString(s.w, s.text)
	}
	return n, err
}

// draw shows the stages that are under way; the lock is held.
func (s *statusLine) draw() {
	s.drawn = s.now()
	var parts []string
	for _, st := range s.stages {
		text := st.words(s.drawn)
		if len(s.stages) > 1 {
			text = printable(st.tenant) + ": " + text
		}
		parts = append(parts, text)
	}
	// A line as wide as the terminal would wrap.
	s.text = clip(strings.Join(parts, " | "), max(0, s.width-1))
	// A terminal that is gone is no reason to stop a run.
	_, _ = io.WriteString(s.w, eraseLine+s.text)
}

// stage is the part of a tenant's run that is under way.
type stage struct {
	line   *statusLine
	tenant string

	name     string
	total, n int
	began    time.Time
}

// progress tells of a tenant's run on the status line; nil where nobody would
// see it, or where stderr is for a machine.
func (c *command) progress() func(string) sweep.Progress {
	if c.status == nil || c.logFormat == "json" {
		return nil
	}
	return func(tenant string) sweep.Progress { return &stage{line: c.status, tenant: tenant} }
}

func (s *stage) Stage(name string, total int) {
	s.line.mu.Lock()
	defer s.line.mu.Unlock()
	if s.name == "" {
		s.line.stages = append(s.line.stages, s)
	}
	s.name, s.total, s.n, s.began = name, total, 0, s.line.now()
	s.line.draw()
}

func (s *stage) Advance(n int) {
	s.line.mu.Lock()
	defer s.line.mu.Unlock()
	s.n += n
	if s.line.now().Sub(s.line.drawn) >= redrawEvery {
		s.line.draw()
	}
}

func (s *stage) Done() {
	s.line.mu.Lock()
	defer s.line.mu.Unlock()
	s.name = ""
	kept := s.line.stages[:0]
	for _, other := range s.line.stages {
		if other != s {
			kept = append(kept, other)
		}
	}
	s.line.stages = kept
	s.line.draw()
}

// words say what is done, how much of it, how fast, and how long the rest will
// take where the whole is known.
func (s *stage) words(now time.Time) string {
	text := cmp.Or(stageNames[s.name], s.name)
	if s.total > 0 {
		text += fmt.Sprintf(" %d of %d", s.n, s.total)
	} else if s.n > 0 {
		text += fmt.Sprintf(" %d", s.n)
	}
	elapsed := now.Sub(s.began).Seconds()
	if s.n == 0 || elapsed < 1 {
		return text
	}
	rate := float64(s.n) / elapsed
	if rate < 10 {
		text += fmt.Sprintf(", %.1f a second", rate)
	} else {
		text += fmt.Sprintf(", %.0f a second", rate)
	}
	if s.n < s.total {
		left := time.Duration(float64(s.total-s.n) / rate * float64(time.Second))
		text += ", " + left.Round(time.Second).String() + " left"
	}
	return text
}
