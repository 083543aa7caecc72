package risk

import (
	"cmp"
	"slices"

	"github.com/risksweep/risksweep/internal/graphsim/odata"
)

// feedback is what an administrator says about a subject.
type feedback uint8

const (
	// feedbackNone only ends a processing that began before.
	feedbackNone feedback = iota
	feedbackDismiss
	feedbackCompromised
	feedbackSafe
	// The same about one sign-in.
	feedbackSignInDismiss
	feedbackSignInCompromised
	feedbackSignInSafe
)

// pending is feedback that was accepted and has not yet taken effect.
type pending struct {
	// Due is when it takes effect, in ticks.
	Due        int64    `json:"due"`
	Principals bool     `json:"principals,omitempty"`
	Subject    int32    `json:"subject"`
	Feedback   feedback `json:"feedback,omitempty"`
	By         string   `json:"by,omitempty"`
	// Below is how many detections there were when it was accepted: later
	// ones are not meant.
	Below int32 `json:"below,omitempty"`
	// Detection is the one that feedback on a sign-in is about.
	Detection int32 `json:"detection,omitempty"`
}

// later queues what takes effect at its due time.
func (w *Workload) later(p pending) {
	at, _ := slices.BinarySearchFunc(w.queue, p, func(a, b pending) int {
		if c := cmp.Compare(a.Due, b.Due); c != 0 {
			return c
		}
		return -1 // behind those due at the same time
	})
	w.queue = slices.Insert(w.queue, at, p)
}

// settle lets everything take effect that is due.
func (w *Workload) settle(now int64) {
	for len(w.queue) > 0 && w.queue[0].Due <= now {
		p := w.queue[0]
		w.queue = w.queue[1:]
		r := w.users
		if p.Principals {
			r = w.principals
		}
		s := &r.subjects[p.Subject]
		s.busy--
		r.version++
		switch at := s.stamp(p.Due); p.Feedback {
		case feedbackDismiss:
			r.dismiss(s, p.Below, at, p.By)
		case feedbackCompromised:
			r.confirm(p.Subject, at, p.By)
		case feedbackSafe:
			r.safe(s, p.Below, at, p.By)
		case feedbackSignInDismiss:
			r.closeOne(s, p.Detection, at, p.By, stateDismissed, detailDismissedSignin)
		case feedbackSignInSafe:
			r.closeOne(s, p.Detection, at, p.By, stateConfirmedSafe, detailSigninSafe)
		case feedbackSignInCompromised:
			d := &r.detections[p.Detection]
			d.level, d.state, d.detail, d.updatedAt = levelHigh, stateConfirmedCompromised, detailSigninCompromised, at
			r.write(s, deed{at: at, level: levelHigh, state: stateConfirmedCompromised, detail: detailSigninCompromised, cause: detailSigninCompromised, by: p.By})
		}
	}
}

// dismiss clears the risk that there was (graph-api §2.1).
func (r *register) dismiss(s *subject, below int32, at int64, by string) {
	if !open(s.state) {
		return
	}
	detail := detailDismissedUser
	if r.principals {
		detail = detailDismissedPrincipal
	}
	r.close(s, below, at, stateDismissed, detail, nil)
	r.settleLevel(s, deed{at: at, cause: detail, by: by}, stateDismissed)
}

// safe clears the risk that there was as a false alarm.
func (r *register) safe(s *subject, below int32, at int64, by string) {
	if s.state == stateConfirmedSafe {
		return
	}
	r.close(s, below, at, stateConfirmedSafe, detailAccountSafe, nil)
	r.settleLevel(s, deed{at: at, cause: detailAccountSafe, by: by}, stateConfirmedSafe)
}

// confirm raises a subject to high risk and adds a detection that says why.
func (r *register) confirm(i int32, at int64, by string) {
	s := &r.subjects[i]
	if s.state == stateConfirmedCompromised {
		return
	}
	detail := r.compromised()
	r.write(s, deed{
		at: at, level: levelHigh, state: stateConfirmedCompromised, detail: detail, cause: detail,
		eventTypes: []string{r.words.types[0].name}, by: by,
	})
	d := detection{
		subject: i, event: 0, level: levelHigh, state: stateConfirmedCompromised, detail: detail,
		activityAt: at, detectedAt: at, updatedAt: at, timing: timingOffline, kind: activityUser, quiet: true,
	}
	if r.principals {
		d.kind = activityPrincipal
	}
	r.detect(d)
}

// remedy closes risk as users and Microsoft do. A passed MFA answers for
// sign-ins only; a new password for everything.
func (r *register) remedy(s *subject, at int64, detail uint8) {
	state := stateRemediated
	var keep func(*detection) bool
	switch detail {
	case detailMFA:
		keep = func(d *detection) bool { return r.words.types[d.event].user }
	case detailAISafe, detailDefenderDismissed:
		state = stateDismissed
		keep = func(d *detection) bool { return d.state == stateConfirmedCompromised }
	}
	if r.close(s, int32(len(r.detections)), at, state, detail, keep) == 0 { //nolint:gosec // detections of one tenant
		return
	}
	r.settleLevel(s, deed{at: at, cause: detail}, state)
}

// nowTicks is the service's time.
func (w *Workload) nowTicks() int64 { return odata.Ticks(w.clock()) }
