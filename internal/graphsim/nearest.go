package graphsim

import (
	"maps"
	"slices"
	"strings"
)

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}

// nearest returns the candidate within two edits of a word, "" if none is. Of
// two as near, the one that begins like the word.
func nearest(word string, candidates []string) string {
	best, at := "", 3
	if word == "" {
		return best
	}
	for _, c := range candidates {
		d := edits(strings.ToLower(word), strings.ToLower(c))
		if d < len(c) && (d < at || d == at && d < 3 && c[:1] == word[:1] && best[:1] != word[:1]) {
			best, at = c, d
		}
	}
	return best
}

// edits counts insertions, deletions, replacements and swaps of neighbours.
func edits(a, b string) int {
	var before []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(row[j-1]+1, last[j]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
