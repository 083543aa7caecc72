package triage

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// shownKinds is how many kinds of detection Shows names.
const shownKinds = 3

// Shows says in a sentence what open detections show: of which types and levels
// they are, from which addresses and places they came, and when; the newest
// first. Detections that differ in nothing but the time are one.
func Shows(open []Detection) string {
	type kind struct {
		text string
		n    int
		last time.Time
	}
	var kinds []kind
	index := map[string]int{}
	for i := range open {
		text := open[i].where()
		at, seen := index[text]
		if !seen {
			at = len(kinds)
			index[text] = at
			kinds = append(kinds, kind{text: text})
		}
		kinds[at].n++
		if t, ok := open[i].Detected.Time(); ok && t.After(kinds[at].last) {
			kinds[at].last = t
		}
	}
	slices.SortStableFunc(kinds, func(a, b kind) int { return b.last.Compare(a.last) })
	var texts []string
	left := 0
	for i, k := range kinds {
		if i >= shownKinds {
			left += k.n
			continue
		}
		at := ""
		if !k.last.IsZero() {
			at = "at " + k.last.UTC().Format("2006-01-02 15:04 UTC")
		}
		if k.n > 1 {
			times := fmt.Sprintf("%d times", k.n)
			if at != "" {
				times += ", last " + at
			}
			at = times
		}
		if at == "" {
			texts = append(texts, k.text)
			continue
		}
		sep := " "
		if k.n > 1 {
			sep = ", "
		}
		texts = append(texts, k.text+sep+at)
	}
	if left > 0 {
		texts = append(texts, fmt.Sprintf("and %d more %s", left, detections(left)))
	}
	return strings.Join(texts, "; ")
}

// where is a detection without its time: "passwordSpray medium from
// 198.51.100.7 (Kiel, DE)".
func (d *Detection) where() string {
	s := orUnknown(d.EventType) + " " + orUnknown(string(d.Level))
	if d.IP != "" {
		s += " from " + d.IP
	}
	if d.City != "" && d.Country != "" {
		return s + " (" + d.City + ", " + d.Country + ")"
	}
	if p := d.City + d.Country; p != "" {
		s += " (" + p + ")"
	}
	return s
}

// showFirst puts what the open detections show before the reasons of a decision
// that a person reads to decide by hand.
func (d *Decision) showFirst(open []Detection) {
	if text := Shows(open); d.NeedsPerson && text != "" {
		d.Reasons = append([]string{text}, d.Reasons...)
	}
}

// Hide gives the decision as it may be shown where addresses and places of
// detections are hidden: open are the detections as they were decided on,
// hidden are the same as they may be shown.
func (d Decision) Hide(open, hidden []Detection) Decision {
	if len(d.Reasons) > 0 && len(open) > 0 && d.Reasons[0] == Shows(open) {
		d.Reasons = slices.Clone(d.Reasons)
		d.Reasons[0] = Shows(hidden)
	}
	return d
}
