package yamldoc_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/yamldoc"
)

// policiesOf are the mappings that stand under policies, or the document itself.
func policiesOf(t *testing.T, file, text string) []*yamldoc.Node {
	t.Helper()
	n, problems := yamldoc.Parse(file, []byte(text))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	switch {
	case n.Get("policies") != nil:
		return n.Get("policies").Items
	case n.Kind == yamldoc.Sequence:
		return n.Items
	}
	return []*yamldoc.Node{n}
}

func TestPutAll(t *testing.T) {
	for _, c := range []struct{ name, file, text, want string }{
		{"below its key", "a.yaml", "# head\npolicies:\n  - key: A # mine\n    displayName: a # b\n\n  - displayName: b\n    key: \"B\"\n",
			"# head\npolicies:\n  - key: A # mine\n    id: 0-A\n    displayName: a # b\n\n  - displayName: b\n    key: \"B\"\n    id: 0-B\n"},
		{"with a key of its own", "a.yaml", "policies:\n- displayName: a\n  state: x\n", "policies:\n- key: New\n  id: 0-New\n  displayName: a\n  state: x\n"},
		{"in place of another", "a.yaml", "policies:\n  - id: 'old'   # was\n    key: A\n", "policies:\n  - id: 0-A   # was\n    key: A\n"},
		{"in place of one in quotes", "a.yaml", "policies:\n  - id: \"old\"\n    key: A\n", "policies:\n  - id: \"0-A\"\n    key: A\n"},
		{"at the end without a line break", "a.yaml", "policies:\n  - displayName: a\n    key: A", "policies:\n  - displayName: a\n    key: A\n    id: 0-A"},
		{"with the line breaks of Windows", "a.yaml", "policies:\r\n  - key: A\r\n    displayName: a\r\n", "policies:\r\n  - key: A\r\n    id: 0-A\r\n    displayName: a\r\n"},
		{"after a byte-order mark", "a.yaml", "\ufeffkey: A\nstate: x\n", "\ufeffkey: A\nid: 0-A\nstate: x\n"},
		{"beside letters of many bytes", "a.yaml", "policies: [{displayName: \"Zürich – é\", key: A}]\n", "policies: [{displayName: \"Zürich – é\", id: 0-A, key: A}]\n"},
		{"a key over two lines", "a.yaml", "policies:\n  - key:\n      A\n    x: y\n", "policies:\n  - id: 0-A\n    key:\n      A\n    x: y\n"},
		{"a key as a block", "a.yaml", "policies:\n  - key: >-\n      A\n    x: y\n", "policies:\n  - id: 0-A\n    key: >-\n      A\n    x: y\n"},
		{"a key with a colon", "a.yaml", "policies:\n  - displayName: \"a: b\"\n", "policies:\n  - key: \"n: #\"\n    id: 0-n\n    displayName: \"a: b\"\n"},
		{"JSON on many lines", "a.json", "{\n  \"key\": \"A\",\n  \"state\": \"x\"\n}\n", "{\n  \"id\": \"0-A\",\n  \"key\": \"A\",\n  \"state\": \"x\"\n}\n"},
		{"JSON on one line", "a.json", `[{"displayName":"a"}]`, `[{"key": "New", "id": "0-New", "displayName":"a"}]`},
		{"an anchor of its own", "a.yaml", "policies:\n  - &a\n    key: A\n    x: &b {c: d}\n  - key: B\n    x: *b\n", "policies:\n  - &a\n    key: A\n    id: 0-A\n    x: &b {c: d}\n  - key: B\n    id: 0-B\n    x: *b\n"},
		{"beside what is merged", "a.yaml", "policies:\n  - <<: &b {state: x}\n    key: A\n", "policies:\n  - <<: &b {state: x}\n    key: A\n    id: 0-A\n"},
		{"nothing to do", "a.yaml", "policies:\n  - key: A\n    id: 0-A\n", "policies:\n  - key: A\n    id: 0-A\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var puts []yamldoc.Put
			for _, n := range policiesOf(t, c.file, c.text) {
				key := "New"
				if k := n.Get("key"); k != nil {
					key = k.Value
				}
				id := "0-" + key
				if c.name == "a key with a colon" {
					key, id = "n: #", "0-n"
				}
				puts = append(puts, yamldoc.Put{In: n, Members: []yamldoc.Text{{Name: "key", Value: key}, {Name: "id", Value: id}}})
			}
			got, problems := yamldoc.PutAll(c.file, []byte(c.text), puts)
			if problems.Err() != nil {
				t.Fatal(problems)
			}
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// What cannot be changed without changing something else is refused with its place.
func TestPutAllRefuses(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"an alias", "base: &a {key: A, x: y}\npolicies:\n  - *a\n", "a.yaml:3:5: policies[0]: cannot be changed by itself: it shares a value with another place (an anchor and its alias)"},
		{"what others are made of", "policies:\n  - &a\n    key: A\n    x: y\n  - <<: *a\n    key: B\n", "a.yaml:3:5: policies[0]: cannot"},
		{"a key that is merged", "base: &a {key: A}\npolicies:\n  - <<: *a\n    x: y\n", "a.yaml:3:5: policies[0]: cannot"},
		{"a value that is an alias", "base: &a B\npolicies:\n  - id: *a\n    key: A\n", "a.yaml:3:5: policies[0]: cannot"},
		{"UTF-16", "\xff\xfek\x00:\x00 \x00A\x00", "a.yaml:1:1: is UTF-16"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var puts []yamldoc.Put
			for _, n := range policiesOf(t, "a.yaml", c.text) {
				puts = append(puts, yamldoc.Put{In: n, Members: []yamldoc.Text{{Name: "key", Value: "A"}, {Name: "id", Value: "0-A"}}})
			}
			got, problems := yamldoc.PutAll("a.yaml", []byte(c.text), puts[:1])
			if problems.Err() == nil || !strings.HasPrefix(problems.Error(), c.want) {
				t.Errorf("%v\n%s", problems, got)
			}
		})
	}
}
