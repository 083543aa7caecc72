package access

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// box is a situation: a part of every axis of the grid.
type box []flags

func (f flags) empty() bool {
	for _, w := range f {
		if w != 0 {
			return false
		}
	}
	return true
}

// within reports whether all of f is in g.
func (f flags) within(g flags) bool {
	for i := range f {
		if f[i]&^g[i] != 0 {
			return false
		}
	}
	return true
}

func (f flags) meets(g flags) bool {
	for i := range f {
		if f[i]&g[i] != 0 {
			return true
		}
	}
	return false
}

func (b box) within(c box) bool {
	for d := range b {
		if !b[d].within(c[d]) {
			return false
		}
	}
	return true
}

func (g grid) everything() box {
	b := make(box, len(g))
	for d := range g {
		b[d] = slices.Clone(g[d].full)
	}
	return b
}

// mostBoxes bounds the work for one class. Beyond it the narrowest situations
// are dropped, and the coverage says that there are more.
const mostBoxes = 1024

// open gives the widest situations in which none of the policies may apply,
// every one of them that is part of no other.
func (g grid) open(policies []int) (gaps []box, more bool) {
	return g.subtract([]box{g.everything()}, policies)
}

// subtract takes away from situations where the policies may apply. It takes
// one policy after the other: what it meets of a situation is cut away along
// each axis in turn.
func (g grid) subtract(gaps []box, policies []int) (rest []box, more bool) {
	for _, p := range policies {
		var next []box
		for _, b := range gaps {
			if !g.meets(p, b) {
				next = append(next, b)
			}
		}
		kept := len(next)
		for _, b := range gaps {
			if !g.meets(p, b) {
				continue
			}
			for d := range g {
				cut := slices.Clone(b[d])
				cut.without(g[d].may[p])
				if cut.empty() {
					continue
				}
				part := slices.Clone(b)
				part[d] = cut
				next = append(next, part)
			}
		}
		gaps = widest(next, kept)
		if len(gaps) > mostBoxes {
			slices.SortStableFunc(gaps, func(a, b box) int { return cmp.Compare(g.width(b), g.width(a)) })
			gaps, more = gaps[:mostBoxes], true
		}
	}
	return gaps, more
}

// widest drops boxes that are part of others. The first kept ones are parts of
// none among themselves.
func widest(boxes []box, kept int) []box {
	out := boxes[:0:0]
	for i, b := range boxes {
		inside := slices.ContainsFunc(out, b.within)
		for j := i + 1; !inside && j < len(boxes); j++ {
			inside = (i >= kept || j >= kept) && b.within(boxes[j]) && !boxes[j].within(b)
		}
		if !inside {
			out = append(out, b)
		}
	}
	return out
}

// meets reports whether the policy may apply somewhere in the box.
func (g grid) meets(p int, b box) bool {
	for d := range g {
		if !b[d].meets(g[d].may[p]) {
			return false
		}
	}
	return true
}

// width is the part of all situations that the box is, each axis counted
// alike.
func (g grid) width(b box) float64 {
	w := 1.0
	for d := range g {
		n, all := 0, 0
		for i, c := range g[d].cells {
			all += c.weight
			if b[d].has(i) {
				n += c.weight
			}
		}
		w *= float64(n) / float64(all)
	}
	return w
}

// Situation says in words what a box is: for each axis that matters, its
// values. An axis on which everything goes is left out.
type Situation map[string][]string

func (g grid) situation(b box) Situation {
	s := Situation{}
	for d, a := range g {
		if a.full.within(b[d]) {
			continue
		}
		s[a.name] = a.words(b[d])
	}
	return s
}

// words says a part of an axis: by the values in it, or by those that are not
// where that is shorter or clearer.
func (a axis) words(part flags) []string {
	var in, out []string
	for i, c := range a.cells {
		if part.has(i) {
			in = append(in, c.values...)
		} else {
			out = append(out, c.values...)
		}
	}
	allBut := func(list []string) []string { return []string{"all but " + shortList(list)} }
	switch a.name {
	case axisTarget:
		switch other := slices.Contains(in, anyOtherApp); {
		case !slices.ContainsFunc(out, isApp) && !slices.ContainsFunc(in, func(v string) bool { return !isApp(v) }):
			return []string{everyApp}
		case other && (len(out) < len(in) || len(out) <= mostValues): // other than what, nobody would know
			return allBut(out)
		}
		return short(in)
	case axisLocation:
		return placeWords(in, out)
	case "signInRisk", "userRisk", "insiderRisk":
		return short(in)
	}
	if len(out) < len(in) {
		return allBut(out)
	}
	return short(in)
}

// The axes whose words need care. Targets are applications, and user actions and
// authentication contexts, which are none.
const (
	axisTarget    = "target"
	everyApp      = "every application"
	anyOtherApp   = "any other application"
	axisLocation  = "location"
	elsewhere     = "anywhere else"
	actionPrefix  = "urn:user:"
	contextPrefix = "authentication context "
)

func isApp(target string) bool {
	return !strings.HasPrefix(target, actionPrefix) && !strings.HasPrefix(target, contextPrefix)
}

const mostValues = 8

func short(list []string) []string {
	list = slices.Compact(list)
	if len(list) <= mostValues {
		return list
	}
	return append(slices.Clone(list[:mostValues-1]), more(len(list)-mostValues+1))
}

// SituationText says a situation in one line.
func SituationText(s Situation) string {
	if len(s) == 0 {
		return "always"
	}
	at := ""
	var when []string
	for _, axis := range slices.Sorted(maps.Keys(s)) {
		if axis == axisTarget && slices.Equal(s[axis], []string{everyApp}) {
			at = "at " + everyApp
			continue
		}
		when = append(when, cmp.Or(axisWords[axis], axis)+" "+strings.Join(s[axis], " or "))
	}
	if len(when) == 0 {
		return at
	}
	return strings.TrimPrefix(at+" when "+strings.Join(when, " and "), " ")
}

var axisWords = map[string]string{
	"target": "the target is", "clientAppType": "the client is", "platform": "the platform is", "location": "the location is", "device": "the device is",
	"signInRisk": "the sign-in risk is", "userRisk": "the user risk is", "insiderRisk": "the insider risk is", "authenticationFlow": "the flow is",
}
