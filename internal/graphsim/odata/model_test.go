package odata

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// drawn is a random expression with what a plain reading of it says about the
// row {size: n, displayName: s or null}.
type drawn struct {
	text string
	want func(n int64, s *string) bool
}

var names = []string{"a", "ab", "O'B", "b c"}

func drawExpression(t *rapid.T, depth int) drawn {
	kind := 0
	if depth > 0 {
		kind = rapid.IntRange(0, 5).Draw(t, "kind")
	}
	switch kind {
	case 3:
		e := drawExpression(t, depth-1)
		return drawn{"not (" + e.text + ")", func(n int64, s *string) bool { return !e.want(n, s) }}
	case 4, 5:
		l, r := drawExpression(t, depth-1), drawExpression(t, depth-1)
		if kind == 4 {
			return drawn{"(" + l.text + ") and (" + r.text + ")", func(n int64, s *string) bool { return l.want(n, s) && r.want(n, s) }}
		}
		return drawn{"(" + l.text + ") or (" + r.text + ")", func(n int64, s *string) bool { return l.want(n, s) || r.want(n, s) }}
	case 1:
		name := rapid.SampledFrom(names).Draw(t, "name")
		quoted := "'" + strings.ReplaceAll(strings.ToUpper(name), "'", "''") + "'"
		return drawn{"displayName eq " + quoted, func(_ int64, s *string) bool { return s != nil && *s == name }}
	case 2:
		list := rapid.SliceOfN(rapid.SampledFrom(names), 1, 3).Draw(t, "list")
		var quoted []string
		for _, name := range list {
			quoted = append(quoted, "'"+strings.ReplaceAll(name, "'", "''")+"'")
		}
		return drawn{"displayName in (" + strings.Join(quoted, ", ") + ")", func(_ int64, s *string) bool {
			for _, name := range list {
				if s != nil && *s == name {
					return true
				}
			}
			return false
		}}
	}
	op := rapid.SampledFrom([]string{"eq", "ne", "gt", "ge", "lt", "le"}).Draw(t, "op")
	k := rapid.Int64Range(-2, 2).Draw(t, "k")
	return drawn{"size " + op + " " + Integer(k).print(), func(n int64, _ *string) bool {
		switch op {
		case "eq":
			return n == k
		case "ne":
			return n != k
		case "gt":
			return n > k
		case "ge":
			return n >= k
		case "lt":
			return n < k
		}
		return n <= k
	}}
}

func (v Value) print() string { return text(&literal{value: v}) }

func TestFilterAgreesWithAPlainReading(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := drawExpression(t, 4)
		f, err := things.ParseFilter(e.text, false)
		if err != nil {
			t.Fatalf("%s: %v", e.text, err)
		}
		printed, err := things.ParseFilter(f.String(), false)
		if err != nil {
			t.Fatalf("%s printed as %s: %v", e.text, f, err)
		}
		if printed.String() != f.String() {
			t.Fatalf("%s printed as %s and then as %s", e.text, f, printed)
		}
		for n := int64(-3); n <= 3; n++ {
			for i := range len(names) + 1 {
				r := row{"size": Integer(n)}
				var s *string
				if i < len(names) {
					s = &names[i]
					r["displayName"] = Text(*s)
				}
				if want := e.want(n, s); f.Match(r.get) != want || printed.Match(r.get) != want {
					t.Fatalf("%s on %d, %v: want %v", e.text, n, s, want)
				}
			}
		}
	})
}

func FuzzParseFilter(f *testing.F) {
	for _, seed := range []string{
		"riskLevel eq 'high' and isDeleted eq false", "not (tags/any(t:t eq 'x') or size in (1,2,-3))",
		"createdDateTime ge 2026-11-01T00:00:00.1234567Z", "plans/all(p:p/tags/$count gt 1)", "startswith(displayName,'O''B') eq true",
		"((", "'", "a/b/c", "id in (null,'x')", "weight lt 1e10 and appRoleId eq 0123abcd-0000-4000-8000-00000000000f",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := things.ParseFilter(text, true)
		if err != nil {
			if !strings.HasPrefix(err.Message, "Invalid filter clause: ") {
				t.Errorf("message %q", err.Message)
			}
			return
		}
		got := parsed.Match(thing().get)
		again, err := things.ParseFilter(parsed.String(), true)
		if err != nil {
			t.Fatalf("%q printed as %q: %v", text, parsed, err)
		}
		if again.Match(thing().get) != got {
			t.Errorf("%q printed as %q matches differently", text, parsed)
		}
	})
}
