package cli

import (
	"fmt"
	"io"
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

// progressLine is one line on a terminal that tells how far a run is: what it
// does, how much of it is done, how fast, and how long the rest will take where
// the whole is known.
type progressLine struct {
	w     io.Writer
	now   func() time.Time
	mu    sync.Mutex
	name  string
	total int
	n     int
	began time.Time
	drawn time.Time
}

// progress is the progress line, or nothing where nobody would see it.
func (c *command) progress() sweep.Progress {
	if !c.ErrTTY {
		return nil
	}
	return &progressLine{w: c.Err, now: c.Now}
}

func (p *progressLine) Stage(name string, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.name, p.total, p.n, p.began = name, total, 0, p.now()
	p.draw()
}

func (p *progressLine) Advance(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n += n
	if p.now().Sub(p.drawn) > 100*time.Millisecond {
		p.draw()
	}
}

func (p *progressLine) Done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprint(p.w, "\r\x1b[K")
}

func (p *progressLine) draw() {
	p.drawn = p.now()
	text := stageNames[p.name]
	if text == "" {
		text = p.name
	}
	elapsed := p.drawn.Sub(p.began)
	switch {
	case p.total > 0:
		text += fmt.Sprintf(" %d of %d", p.n, p.total)
		if p.n > 0 && p.n < p.total {
			left := time.Duration(float64(elapsed) / float64(p.n) * float64(p.total-p.n))
			text += ", " + left.Round(time.Second).String() + " left"
		}
	case p.n > 0:
		text += fmt.Sprintf(" %d", p.n)
		if s := elapsed.Seconds(); s >= 1 {
			text += fmt.Sprintf(", %.0f a second", float64(p.n)/s)
		}
	}
	fmt.Fprint(p.w, "\r\x1b[K"+text)
}
