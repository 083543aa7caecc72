package evidence

import (
	"fmt"

	"github.com/risksweep/risksweep/internal/entra"
)

// noteOwner remembers an open detection that does not say whose it is: it may
// be anybody's, so nobody's evidence is complete. One that is closed, or that
// says later whose it is, is forgotten again.
func (e *Index) noteOwner(d *entra.Detection) {
	if !d.RiskState.Open() || entra.IsID(string(d.UserID)) {
		delete(e.ownerless, d.ID)
		return
	}
	e.ownerless[d.ID] = true
}

// Ownerless says why no user's evidence is complete, or nothing.
func (e *Index) Ownerless() string {
	switch n := len(e.ownerless); n {
	case 0:
		return ""
	case 1:
		for id := range e.ownerless {
			return fmt.Sprintf("the open detection %s does not say whose it is, so it may be anybody's", id)
		}
	}
	return fmt.Sprintf("%d open detections do not say whose they are, so they may be anybody's", len(e.ownerless))
}
