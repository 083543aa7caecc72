package yamldoc

import "strings"

// Nearest returns the candidate that word most likely stands for, empty when
// nothing is near: the one that it misspells, else the only one that begins with it.
func Nearest(word string, candidates []string) string {
	if c := Misspelt(word, candidates); c != "" {
		return c
	}
	plain, best := fold(word), ""
	if len(plain) < 4 {
		return ""
	}
	for _, c := range candidates {
		switch {
		case !strings.HasPrefix(fold(c), plain):
		case best != "":
			return ""
		default:
			best = c
		}
	}
	return best
}

// Misspelt returns the candidate that word is probably a wrong spelling of, empty if
// there is none: the same word in other case or with other separators, else the one
// with the fewest insertions, deletions, substitutions and swaps of neighbours, within
// a third of its length.
func Misspelt(word string, candidates []string) string {
	plain := fold(word)
	if plain == "" || len(plain) > 100 {
		return ""
	}
	best, least := "", len(plain)/3
	if len(plain) >= 3 {
		least = max(least, 1)
	}
	least = min(least, 3)
	for _, c := range candidates {
		other := fold(c)
		if other == plain {
			return c
		}
		if d := distance(plain, other, least); d <= least && (best == "" || d < least) {
			best, least = c, d
		}
	}
	return best
}

func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == ' ' || r == '.' {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// distance is the optimal string alignment distance, or more than most if it
// is above it.
func distance(a, b string, most int) int {
	x, y := []rune(a), []rune(b)
	if len(x)-len(y) > most || len(y)-len(x) > most {
		return most + 1
	}
	before, above, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(y)]
}
