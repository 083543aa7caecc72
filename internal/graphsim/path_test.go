package graphsim

import (
	"net/url"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadQuery(t *testing.T) {
	for _, tt := range []struct {
		raw, problem string
		want         url.Values
	}{
		{"", "", url.Values{}},
		{"%24filter=a%20eq+%27b%27&$Top=5", "", url.Values{"$filter": {"a eq 'b'"}, "$top": {"5"}}},
		{"$expand=members($select=id;$top=2)", "", url.Values{"$expand": {"members($select=id;$top=2)"}}},
		{"$filter=%zz", "Bad Request - Error in query syntax.", nil},
		{"$levels=1", "Unrecognized query argument specified: '$levels'.", nil},
	} {
		got, problem := readQuery(tt.raw)
		if d := cmp.Diff(tt.want, got); d != "" || problem != tt.problem {
			t.Errorf("%s: %q %s", tt.raw, problem, d)
		}
	}
}

func FuzzSplitPath(f *testing.F) {
	for _, s := range []string{"/users('a')/memberOf", "users/a%2Fb", "policies(id=%27x%27)", "//", "%", "a()", "x('''')", "Identity/ConditionalAccess"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		segments, problem := splitPath(path)
		if problem != "" && segments != nil {
			t.Fatal("segments beside a problem")
		}
		var escaped string
		for _, s := range segments {
			if keyed.MatchString(s) || s == "" {
				return // a key that looks like a call is not written back the same way
			}
			escaped += "/" + url.PathEscape(s)
		}
		again, problem := splitPath(escaped)
		canonical := slices.Clone(segments)
		for i, s := range canonical {
			canonical[i] = canonicalName(s)
		}
		if d := cmp.Diff(canonical, again); d != "" || problem != "" {
			t.Fatalf("%q: %q %s", escaped, problem, d)
		}
	})
}
