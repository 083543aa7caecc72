package baseline

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/yamldoc"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"
)

func compiled(t testing.TB) *jsonschema.Schema {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(JSONSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("baseline.json", parsed); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("baseline.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// anyMember makes values that are mostly right for a member, and wrong in one
// way or another now and then.
func anyMember(m *policy.Member, depth int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		if rapid.IntRange(0, 30).Draw(t, "null") == 0 {
			return nil
		}
		if rapid.IntRange(0, 60).Draw(t, "wrong") == 0 {
			return rapid.SampledFrom([]any{nil, "", "x", true, json.Number("3"), []any{}, map[string]any{}, []any{"x"}}).Draw(t, "value")
		}
		single := *m
		single.List = false
		if m.List {
			return rapid.SliceOfN(anyMember(&single, depth), 0, 3).Draw(t, m.Name)
		}
		switch m.Shape {
		case policy.Bool:
			return rapid.Bool().Draw(t, m.Name)
		case policy.Whole:
			return json.Number("4")
		case policy.Enum:
			return respelled(t, rapid.SampledFrom(m.Values).Draw(t, m.Name), 20)
		case policy.Flags:
			values := rapid.SliceOfNDistinct(rapid.SampledFrom(m.Values), 1, 2, rapid.ID).Draw(t, m.Name)
			return respelled(t, strings.Join(values, rapid.SampledFrom([]string{",", ", ", " ,"}).Draw(t, "comma")), 20)
		case policy.Object:
			members := m.Members
			if len(m.Types) > 0 {
				members = rapid.SampledFrom(m.Types).Draw(t, "type").Members
			}
			out := map[string]any{}
			for i := range members {
				s := &members[i]
				if s.Required && rapid.IntRange(0, 40).Draw(t, "absent") > 0 || rapid.IntRange(0, 3).Draw(t, s.Name) == 0 {
					out[s.Name] = anyMember(s, depth-1).Draw(t, s.Name)
				}
			}
			if rapid.IntRange(0, 30).Draw(t, "more") == 0 {
				out[rapid.SampledFrom([]string{"strange", "#microsoft.graph.x", "x@odata.type", "@odata.type", "key", "allowUnknown", "unmanaged"}).Draw(t, "name")] =
					rapid.SampledFrom([]any{nil, "x", []any{}, []any{"conditions.strange", "strange", "state"}, map[string]any{"a": "b"}}).Draw(t, "value")
			}
			return out
		}
		if m.ReadOnly || m.Beta {
			return nil
		}
		switch m.Name {
		case "cidrAddress":
			return rapid.SampledFrom([]any{"192.0.2.0/24", "2001:db8::/32", "x"}).Draw(t, "range")
		case "lowerAddress", "upperAddress":
			return "192.0.2.7"
		case "countriesAndRegions":
			return "DE"
		case "includeAuthenticationContextClassReferences":
			return "c1"
		}
		if len(m.Words) > 0 {
			return rapid.SampledFrom(m.Words).Draw(t, m.Name)
		}
		return rapid.SampledFrom([]any{"Finance", "aaaaaaaa-0000-0000-0000-000000000001"}).Draw(t, m.Name)
	})
}

// respelled writes a word in another way, once in so many times.
func respelled(t *rapid.T, word string, seldom int) string {
	if rapid.IntRange(0, seldom).Draw(t, "respelled") > 0 {
		return word
	}
	return rapid.SampledFrom(spellings(word)).Draw(t, "spelling")
}

func spellings(word string) []string {
	return []string{strings.ToUpper(word), strings.ToLower(word), strings.ToUpper(word[:1]) + word[1:], " " + word, word + " ", word + ",", word + "s"}
}

var schemaSections = map[entra.ObjectKind]string{entra.KindPolicy: "policies", entra.KindLocation: "namedLocations", entra.KindStrength: "authenticationStrengths"}

// TestSchemaAcceptsWhatValidationAccepts holds the two together: whatever
// validation takes the schema takes, and what the schema refuses of the shape
// of a document validation refuses too.
func TestSchemaAcceptsWhatValidationAccepts(t *testing.T) {
	schema := compiled(t)
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom(policy.Kinds[:]).Draw(t, "kind")
		item := anyMember(policy.SchemaOf(kind), 6).Draw(t, "item")
		var root any = map[string]any{schemaSections[kind]: []any{item}}
		switch rapid.IntRange(0, 5).Draw(t, "form") {
		case 0:
			root = item
		case 1:
			root = []any{item}
		case 2:
			root = map[string]any{"@odata.context": "x", "value": []any{item}}
		}
		text, err := json.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		b, problems := Parse("b.json", text)
		if b == nil {
			return
		}
		accepted++
		if err := schema.Validate(root); err != nil {
			t.Fatalf("validation accepts, the schema does not: %v\n%s\n%v", err, text, problems)
		}
	})
	if accepted < 5 {
		t.Errorf("only %d documents were accepted: the test says little", accepted)
	}
}

// TestSchemaAndValidationAgreeOnEnumerations writes every value of every
// enumeration in every way: both take it or both refuse it.
func TestSchemaAndValidationAgreeOnEnumerations(t *testing.T) {
	var members []*policy.Member
	var collect func(ms []policy.Member)
	collect = func(ms []policy.Member) {
		for i := range ms {
			m := &ms[i]
			if m.Shape == policy.Enum || m.Shape == policy.Flags {
				members = append(members, m)
			}
			collect(m.Members)
			for _, c := range m.Types {
				collect(c.Members)
			}
		}
	}
	for _, kind := range policy.Kinds {
		collect(policy.SchemaOf(kind).Members)
		for _, c := range policy.SchemaOf(kind).Types {
			collect(c.Members)
		}
	}
	if len(members) < 15 {
		t.Fatalf("only %d members are enumerations", len(members))
	}
	for _, m := range members {
		data, err := json.Marshal(singleSchema(m, false))
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		c := jsonschema.NewCompiler()
		if err := c.AddResource("one.json", doc); err != nil {
			t.Fatal(err)
		}
		schema, err := c.Compile("one.json")
		if err != nil {
			t.Fatal(err)
		}
		words := append([]string{"", "x", "ALL", "All", "aLL"}, m.Values...)
		for _, w := range m.Values {
			words = append(words, spellings(w)...)
		}
		for _, w := range words {
			text, err := json.Marshal(w)
			if err != nil {
				t.Fatal(err)
			}
			n, _ := yamldoc.Parse("x.json", text)
			l := &loader{}
			(&checker{loader: l, item: &Item{}}).single(n, m, m.Name)
			if refused := l.Problems().Err() != nil; refused != (schema.Validate(w) != nil) {
				t.Errorf("%s: %q: validation refuses it: %v, the schema: %v", m.Name, w, refused, !refused)
			}
		}
	}
}

func TestSchemaRefuses(t *testing.T) {
	schema := compiled(t)
	for name, text := range map[string]string{
		"an unknown top key":    "policys: []\npolicies: []\n",
		"an unknown member":     one("applications: {includeApplications: [All]}, users: {includeUsers: [All]}, strange: 1", ""),
		"an unknown enum value": one("", "grantControls: {builtInControls: [MFA]}"),
		"a scalar for a list":   one("applications: {includeApplications: All}", ""),
		"a missing member":      "policies: [{displayName: X}]\n",
		"flags":                 one("insiderRiskLevels: 'minor,hgh'", ""),
		"a range without one":   "namedLocations: [{displayName: L, ipRanges: [{}]}]\n",
	} {
		n, problems := yamldoc.Parse("b.yaml", []byte(text))
		if n == nil {
			t.Fatal(problems)
		}
		if schema.Validate(n.JSON()) == nil {
			t.Errorf("%s is accepted", name)
		}
		if b, _ := Parse("b.yaml", []byte(text)); b != nil {
			t.Errorf("%s is valid", name)
		}
	}
}

func TestSchemaKnowsEveryMember(t *testing.T) {
	text := string(JSONSchema())
	for _, path := range policyPaths() {
		name := path[strings.LastIndex(path, ".")+1:]
		if !strings.Contains(text, `"`+name+`"`) {
			t.Errorf("%s is not in the schema", name)
		}
	}
	if !slices.Contains(policyPaths(), "conditions.authenticationFlows") {
		t.Error("the paths lack conditions")
	}
}

func FuzzLoad(f *testing.F) {
	for _, s := range []string{one("", ""), exportedPolicy, "[" + exportedPolicy + "]", `{"value":[]}`, "policies:\n- conditions: []\n", "breakGlass: {users: 5}\n",
		"namedLocations: [{ipRanges: [{lowerAddress: a}]}]\n", "policies: [{key: '{{x}}'}]\n", one("", "allowUnknown: [conditions, '', state]"),
		`{"a": {"b": {"displayName": "A", "allowedCombinations": ["fido2"]}}}`,
		"breakGlass: {users: [bg1@contoso.com], testEvery: 90d}\n" + one("", "promote: {after: 14d, minSignIns: 200, maxRefusedUsers: 0, maxAskedUsers: 25}"),
		"breakGlass: {testEvery: 99999999999999999999d}\n" + one("", "promote: {after: -1d, minSignIns: 1e99, maxRefusedUsers: [], maxAskedUsers: .inf}")} {
		f.Add([]byte(s))
	}
	schema := compiled(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		b, problems := Parse("f", data)
		if (b == nil) != (problems.Err() != nil) {
			t.Fatalf("baseline %v with %v", b != nil, problems)
		}
		if b == nil {
			return
		}
		// The schema is of our own files, not of those out of which one object is taken.
		foreign := slices.ContainsFunc(problems.Warnings(), func(p yamldoc.Problem) bool { return strings.Contains(p.Message, "another tool's") })
		if n, _ := yamldoc.Parse("f", data); n != nil && !foreign {
			if err := schema.Validate(n.JSON()); err != nil {
				t.Fatalf("validation accepts, the schema does not: %v", err)
			}
		}
		b.Refs()
	})
}
