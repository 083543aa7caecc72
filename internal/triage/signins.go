package triage

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
)

// maxClosings is how many sign-ins of one user are closed at a time; the next
// run closes more.
const maxClosings = 60

// feedback is what an entry of scope detections says of a sign-in.
func (b *boundEntry) feedback() string {
	if b.safe {
		return "confirmSafe"
	}
	return "dismiss"
}

// covers reports whether an entry, as it stands in this run, names the user and
// covers a detection.
func (b *boundEntry) covers(e Evidence, det *Detection) bool {
	return !b.expired && b.blocked == "" && b.names(e.User.ID) != "" && b.when.fails(det) == none
}

// byDetection finds the first entry of scope detections that covers a detection;
// one of a privileged user must say that it is for those.
func (r *Rules) byDetection(e Evidence, det *Detection) *boundEntry {
	privileged := r.roles(e.User.ID) != ""
	for i := range r.entries {
		if b := &r.entries[i]; b.bySignIn && (!privileged || b.privileged) && b.covers(e, det) {
			b.matched = true
			return b
		}
	}
	return nil
}

// signIns decides whether single sign-ins of a user are closed: those whose open
// detections an entry of scope detections covers, all of them with the same
// feedback. A detection without a sign-in cannot be closed by itself; neither can
// one whose sign-in has another that is not covered, for both would be closed.
func (r *Rules) signIns(d *Decision, e Evidence, now time.Time) bool {
	by, ids := map[string]*boundEntry{}, []string{} // by sign-in, in the order of the detections; nil: not covered
	of := map[string][]string{}
	for i := range e.Detections {
		det := &e.Detections[i]
		id := strings.ToLower(det.RequestID)
		if id == "" {
			continue
		}
		entry, before := r.byDetection(e, det), by[id]
		if det.State != entra.StateAtRisk {
			entry = nil // feedback on it would mean something else
		}
		if _, seen := by[id]; !seen {
			ids, by[id] = append(ids, id), entry
		} else if entry == nil || before == nil || entry.safe != before.safe {
			by[id] = nil
		}
		of[id] = append(of[id], det.ID)
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return by[id] == nil })
	if len(ids) == 0 {
		return false
	}
	safe := by[ids[0]].safe
	ids = slices.DeleteFunc(ids, func(id string) bool { return by[id].safe != safe })
	for _, id := range ids {
		for _, past := range e.Closed {
			if !slices.ContainsFunc(of[id], func(d string) bool { return slices.Contains(past.Detections, d) }) {
				continue
			}
			if now.Sub(past.At) < effectWithin {
				return d.leave(CodePending, false, "sign-ins of the user were closed at %s; the effect is awaited", past.At.UTC().Format(time.RFC3339))
			}
			return d.leave(CodeIneffective, true, "closing a sign-in at %s had no effect", past.At.UTC().Format(time.RFC3339))
		}
	}
	left := len(ids) - maxClosings
	ids = ids[:min(len(ids), maxClosings)]
	d.Verdict, d.Code, d.Covered, d.Rules = DismissDetections, CodeSignIns, map[string]string{}, nil
	if safe {
		d.Verdict = ConfirmSafeDetections
	}
	var used []*boundEntry
	count := map[string]int{}
	for _, id := range ids {
		d.Close = append(d.Close, Closing{RequestID: id, Detections: of[id]})
		for _, one := range of[id] {
			entry := r.byDetection(e, det(e, one))
			d.Covered[one] = entry.id
			count[entry.id]++
			if !slices.Contains(used, entry) {
				used = append(used, entry)
			}
		}
	}
	for _, entry := range used {
		d.Rules = append(d.Rules, entry.used(entry.names(e.User.ID)))
		d.Reasons = append(d.Reasons, fmt.Sprintf("%s closed by %q (%s): %s", number(count[entry.id], len(e.Detections)), entry.id, entry.names(e.User.ID), entry.reason))
	}
	d.Rule = strings.Join(idsOf(used), ",")
	if left > 0 {
		d.Reasons = append(d.Reasons, fmt.Sprintf("%d more sign-ins follow in the next run", left))
	}
	if remain := remaining(*d, e.Detections); len(remain) > 0 && left <= 0 {
		d.NeedsPerson = true
		d.NearMisses = r.nearMisses(userSubject(e.User.ID), e.Detections, d.Covered)
		d.Reasons = append(d.Reasons, "left to a person: "+Shows(remain))
	}
	return true
}

// remaining are the open detections that a decision leaves open.
func remaining(d Decision, open []Detection) []Detection {
	return slices.DeleteFunc(slices.Clone(open), func(det Detection) bool {
		return d.Verdict == Dismiss || slices.ContainsFunc(d.Close, func(c Closing) bool { return slices.Contains(c.Detections, det.ID) })
	})
}

func number(n, all int) string { return fmt.Sprintf("%d of %d open %s", n, all, detections(all)) }

// det is the detection of an id that is among the evidence.
func det(e Evidence, id string) *Detection {
	return &e.Detections[slices.IndexFunc(e.Detections, func(d Detection) bool { return d.ID == id })]
}
