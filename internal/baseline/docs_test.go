package baseline

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
)

var update = flag.Bool("update", false, "write the table of members in docs/baseline.md anew")

// The table of members in the document is made of the table that validation and
// canonical form go by.
func TestDocumentedMembers(t *testing.T) {
	const file, begin, end = "../../docs/baseline.md", "<!-- members -->\n", "<!-- end of members -->\n"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), begin)
	got, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no %s", file, begin)
	}
	want := memberTables()
	if *update {
		if err := os.WriteFile(file, []byte(head+begin+want+end+tail), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("docs/baseline.md is stale: go test ./internal/baseline -run TestDocumentedMembers -update\n%s", d)
	}
}

func memberTables() string {
	var b strings.Builder
	for _, s := range []struct {
		title string
		m     *policy.Member
	}{
		{"policies", policy.SchemaOf(entra.KindPolicy)}, {"namedLocations, by address", member(entra.KindLocation, 0)},
		{"namedLocations, by country", member(entra.KindLocation, 1)}, {"authenticationStrengths", policy.SchemaOf(entra.KindStrength)},
	} {
		fmt.Fprintf(&b, "\n### %s\n\n| member | value | |\n|---|---|---|\n", s.title)
		rows(&b, s.m, "")
	}
	return b.String() + "\n"
}

func member(kind entra.ObjectKind, i int) *policy.Member {
	return &policy.Member{Members: policy.SchemaOf(kind).Types[i].Members}
}

func rows(b *strings.Builder, m *policy.Member, path string) {
	for i := range m.Members {
		s := &m.Members[i]
		if s.ReadOnly || s.Beta {
			continue
		}
		p := policy.Join(path, s.Name)
		doc := s.Doc
		if s.Required {
			doc += "; required"
		}
		if s.Shape != policy.Object || s.List {
			if len(s.Types) > 0 {
				var names []string
				for _, t := range s.Types {
					var parts []string
					for _, x := range t.Members {
						parts = append(parts, "`"+x.Name+"`")
					}
					if n := strings.Join(parts, " and "); len(names) == 0 || names[len(names)-1] != n {
						names = append(names, n)
					}
				}
				fmt.Fprintf(b, "| `%s` | list of objects with %s | %s |\n", p, strings.Join(names, ", or "), doc)
				continue
			}
			fmt.Fprintf(b, "| `%s` | %s | %s |\n", p, valueWords(s), doc)
			continue
		}
		if len(s.Types) > 0 {
			fmt.Fprintf(b, "| `%s` | `{membershipKind: all}` or `{membershipKind: enumerated, members: [tenant id, …]}` | %s |\n", p, doc)
			continue
		}
		rows(b, s, p)
	}
}

func valueWords(m *policy.Member) string {
	one := map[policy.Shape]string{policy.Text: "text", policy.Bool: "true or false", policy.Whole: "whole number", policy.Enum: "one of ", policy.Flags: "one or more, joined by commas, of "}[m.Shape]
	values := m.Values
	if len(m.Words) > 0 {
		values = m.Words
		one = "names, ids, "
		if m.Ref == "" {
			one = ""
		}
	}
	var quoted []string
	for _, v := range values {
		quoted = append(quoted, "`"+v+"`")
	}
	s := one + strings.Join(quoted, ", ")
	switch {
	case m.Ref != "" && m.Ref != entra.KindContext && len(m.Words) == 0 && m.List:
		s = "list of names or ids"
	case m.Ref != "" && m.Ref != entra.KindContext && len(m.Words) == 0:
		s = "a name or id"
	case m.List && m.Shape == policy.Text && len(m.Words) == 0:
		s = "list of texts"
	case m.List:
		s = "list: " + strings.TrimPrefix(s, "one of ")
	}
	switch d := m.Default.(type) {
	case string:
		s += "; default `" + d + "`"
	case bool:
		s += fmt.Sprintf("; default `%t`", d)
	case []string:
		s += "; default `[" + strings.Join(d, ", ") + "]`"
	}
	return s
}
