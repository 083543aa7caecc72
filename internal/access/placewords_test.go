package access

import (
	"slices"
	"strings"
	"testing"
)

func TestPlaceWords(t *testing.T) {
	list := func(text string) (out []string) {
		for v := range strings.SplitSeq(text, ", ") {
			if v != "" {
				out = append(out, strings.ReplaceAll(v, " & ", overlap))
			}
		}
		return out
	}
	for _, c := range []struct{ in, out, want string }{
		{"Office", "anywhere else", "Office"},
		{"anywhere else", "Office", "all but Office"},
		{"Office & Work, Office, Work", "anywhere else", "Office or Work"},
		{"Office & Work, Office", "Work, anywhere else", "Office"},
		{"Work, anywhere else", "Office & Work, Office", "all but Office"},
		{"Work", "Office & Work, Office, anywhere else", "Work outside Office"},
		{"Office & Work", "Office, Work, anywhere else", "Office and Work"},
		{"Office & Work, anywhere else", "Office, Work", "Office and Work or anywhere else"},
		{"Research and Design", "anywhere else", "Research and Design"},
		{"Desk & Office, Office", "anywhere else", "Office"},
		{"A, B, C", "D", "all but D"},
	} {
		if got := strings.Join(placeWords(list(c.in), list(c.out)), " or "); got != c.want {
			t.Errorf("%s of %s: %q, want %q", c.in, c.out, got, c.want)
		}
	}
	if names, _ := wholePlaces(list("B, A"), nil); !slices.Equal(names, []string{"B", "A"}) {
		t.Error(names)
	}
}
