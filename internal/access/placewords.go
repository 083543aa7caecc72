package access

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// overlap joins the named locations that hold one address together, in the values
// of the axis; no name has it.
const overlap = "\x1f"

// placeWords says a part of all places by the named locations in it, or by those
// outside where these alone can be named as a whole. A location that is in it with
// a part only says which others that part is not in.
func placeWords(in, out []string) []string {
	inside, whole := wholePlaces(in, out)
	outside, cut := wholePlaces(out, in)
	if cut && len(outside) > 0 && (!whole || slices.Contains(in, elsewhere) || len(outside) < len(inside)) {
		return []string{"all but " + shortList(outside)}
	}
	return short(inside)
}

// wholePlaces names a part of all places, rest being the others; whole says that
// each name stands for all of its location.
func wholePlaces(part, rest []string) (names []string, whole bool) {
	split := func(list []string) (out [][]string) {
		for _, v := range list {
			if v == elsewhere {
				out = append(out, nil)
				continue
			}
			out = append(out, strings.Split(v, overlap))
		}
		return out
	}
	places, others := split(part), split(rest)
	all := map[string]bool{}
	for _, p := range places {
		for _, name := range p {
			if !slices.ContainsFunc(others, func(o []string) bool { return slices.Contains(o, name) }) {
				all[name] = true
			}
		}
	}
	// Of locations within each other the wider one is enough.
	for _, name := range slices.Sorted(maps.Keys(all)) {
		needed := slices.ContainsFunc(places, func(p []string) bool {
			return slices.Contains(p, name) && !slices.ContainsFunc(p, func(n string) bool { return n != name && all[n] })
		})
		if !needed {
			delete(all, name)
		}
	}
	whole = true
	for _, p := range places {
		at := slices.IndexFunc(p, func(n string) bool { return all[n] })
		name := cmp.Or(strings.Join(p, " and "), elsewhere)
		switch {
		case at >= 0:
			name = p[at]
		case len(p) > 0:
			var not []string
			for _, o := range others {
				for _, n := range o {
					if !slices.Contains(p, n) && !slices.Contains(not, n) && !slices.ContainsFunc(p, func(m string) bool { return !slices.Contains(o, m) }) {
						not = append(not, n)
					}
				}
			}
			if whole = false; len(not) > 0 {
				name += " outside " + strings.Join(not, " and ")
			}
		default:
			whole = false
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, whole
}
