package sweep

import (
	"fmt"

	"github.com/risksweep/risksweep/internal/entra"
)

// ownerOf remembers an open detection that does not say whose it is: it may be
// anybody's, so nobody's evidence is complete. One that is closed, or that says
// later whose it is, is forgotten again.
func (r *run) ownerOf(d *entra.Detection) {
	if !d.RiskState.Open() || entra.IsID(string(d.UserID)) {
		delete(r.nobodys, d.ID)
		return
	}
	if r.nobodys == nil {
		r.nobodys = map[string]bool{}
	}
	r.nobodys[d.ID] = true
}

// sayOwnerless makes open detections without a user an error of the run.
func (r *run) sayOwnerless() {
	if why := r.ownerless(); why != "" {
		why += "; nobody is dismissed or confirmed compromised by a rule"
		r.warn(why)
		r.errors = append(r.errors, fmt.Errorf("%s: %w", why, entra.ErrMalformed))
	}
}

// ownerless says why no user's evidence is complete, or nothing.
func (r *run) ownerless() string {
	switch n := len(r.nobodys); n {
	case 0:
		return ""
	case 1:
		for id := range r.nobodys {
			return fmt.Sprintf("the open detection %s does not say whose it is, so it may be anybody's", id)
		}
	}
	return fmt.Sprintf("%d open detections do not say whose they are, so they may be anybody's", len(r.nobodys))
}
