package yamldoc

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// flat lists every node as "line:column kind path=value", keys with a "key " before.
func flat(n *Node) []string {
	lines := []string{fmt.Sprintf("%d:%d %s %s=%s", n.Line, n.Column, n.Kind, n.Path, n.Value)}
	for i, k := range n.Keys {
		lines = append(lines, fmt.Sprintf("%d:%d key %s", k.Line, k.Column, k.Path))
		lines = append(lines, flat(n.Values[i])...)
	}
	for _, it := range n.Items {
		lines = append(lines, flat(it)...)
	}
	return lines
}

func TestParsePositions(t *testing.T) {
	tests := map[string]struct {
		text string
		want []string
	}{
		"empty":    {"", []string{"1:1 nothing ="}},
		"comments": {"# only\n", []string{"1:1 nothing ="}},
		"marker":   {"---\n", []string{"1:1 nothing ="}},
		"block": {"a: 1\nb:\n  - x\n  -   k: v\n      l: [y, {m: n}]\n", []string{
			"1:1 a mapping =", "1:1 key a", "1:4 a number a=1", "2:1 key b", "3:3 a list b=", "3:5 a string b[0]=x",
			"4:7 a mapping b[1]=", "4:7 key b[1].k", "4:10 a string b[1].k=v",
			"5:7 key b[1].l", "5:10 a list b[1].l=", "5:11 a string b[1].l[0]=y", "5:14 a mapping b[1].l[1]=",
			"5:15 key b[1].l[1].m", "5:18 a string b[1].l[1].m=n"}},
		"byte order mark and CRLF": {"\ufeffa: 1\r\nb: |\r\n  x\r\n  y\r\nc: ü\r\n", []string{
			"1:1 a mapping =", "1:1 key a", "1:4 a number a=1", "2:1 key b", "2:4 a string b=x\ny\n", "5:1 key c", "5:4 a string c=ü"}},
		"columns count characters": {"{ü: é, ö: 1}", []string{
			"1:1 a mapping =", `1:2 key ["ü"]`, `1:5 a string ["ü"]=é`, `1:8 key ["ö"]`, `1:11 a number ["ö"]=1`}},
		"JSON": {"\n{\"a\": [1,\n  \"ä\\u00e4\", null],\n \"b\": {\"c\": true}}\n", []string{
			"2:1 a mapping =", "2:2 key a", "2:7 a list a=", "2:8 a number a[0]=1", "3:3 a string a[1]=ää", "3:14 nothing a[2]=",
			"4:2 key b", "4:7 a mapping b=", "4:8 key b.c", "4:13 a boolean b.c=true"}},
		"alias": {"x: &a {k: 1}\ny: *a\n", []string{
			"1:1 a mapping =", "1:1 key x", "1:7 a mapping x=", "1:8 key x.k", "1:11 a number x.k=1",
			"2:1 key y", "2:4 a mapping y=", "1:8 key y.k", "1:11 a number y.k=1"}},
		"merge": {"x: &a {k: 1, l: 2}\ny:\n  <<: *a\n  k: 3\n", []string{
			"1:1 a mapping =", "1:1 key x", "1:7 a mapping x=", "1:8 key x.k", "1:11 a number x.k=1", "1:14 key x.l", "1:17 a number x.l=2",
			"2:1 key y", "3:3 a mapping y=", "4:3 key y.k", "4:6 a number y.k=3", "1:14 key y.l", "1:17 a number y.l=2"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			n, problems := Parse("f.yaml", []byte(tt.text))
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			if diff := cmp.Diff(tt.want, flat(n)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestScalarKinds(t *testing.T) {
	tests := []struct {
		text string
		kind Kind
		json any
	}{
		{"~", Null, nil}, {"Null", Null, nil}, {"", Null, nil}, {"null", Null, nil},
		{"true", Bool, true}, {"FALSE", Bool, false},
		{"yes", String, "yes"}, {"on", String, "on"}, {"No", String, "No"}, {"off", String, "off"},
		{"0", Number, json.Number("0")}, {"-017", Number, json.Number("-17")}, {"+1", Number, json.Number("1")},
		{"0o17", Number, json.Number("15")}, {"0x1F", Number, json.Number("31")}, {"1e3", Number, json.Number("1e3")},
		{".5", Number, json.Number("0.5")}, {"5.", Number, json.Number("5")}, {"-0.0", Number, json.Number("-0.0")},
		{"0b11", String, "0b11"}, {"1_000", String, "1_000"}, {"2027-03-31", String, "2027-03-31"}, {"12:30:45", String, "12:30:45"},
		{"203.0.113.0/24", String, "203.0.113.0/24"}, {"1.2.3", String, "1.2.3"}, {"720h", String, "720h"},
		{`"1"`, String, "1"}, {`'true'`, String, "true"}, {`"null"`, String, "null"}, {`''`, String, ""}, {`"😀 \/"`, String, "😀 /"},
		{"'it''s'", String, "it's"}, {"file:./reports", String, "file:./reports"}, {"a b  c", String, "a b  c"},
		{"|\n  x\n   y", String, "x\n y\n"}, {">-\n  x\n  y", String, "x y"}, {"a#b", String, "a#b"}, {"-x", String, "-x"},
		{"Block\tlegacy", String, "Block\tlegacy"}, {"a \t b\t# note", String, "a \t b"}, {"a\t\n  \tb", String, "a b"}, {"'a\tb'", String, "a\tb"},
		{"\tx", String, "x"}, {"[a\t,\tb]", Sequence, []any{"a", "b"}}, {"{a:b}", Mapping, map[string]any{"a:b": nil}}, {"{a:b, c: d}", Mapping, map[string]any{"a:b": nil, "c": "d"}},
		{"{\"a\":b}", Mapping, map[string]any{"a": "b"}}, {"[a:b, ::1]", Sequence, []any{"a:b", "::1"}}, {"[a: b]", Sequence, []any{map[string]any{"a": "b"}}},
		{"\"x\\ \n  y\"", String, "x  y"}, {"\"x\\\n  y\"", String, "xy"}, {"\"x\\t\n  y\"", String, "x\t y"}, {"|2\n    x\n   y", String, "  x\n y\n"}, {"|+\n  x\n\n", String, "x\n\n"},
	}
	for _, tt := range tests {
		n, problems := Parse("f", []byte("k: "+tt.text))
		if len(problems) > 0 {
			t.Errorf("%q: %v", tt.text, problems)
			continue
		}
		v := n.Get("k")
		if v.Kind != tt.kind {
			t.Errorf("%q is %v, want %v", tt.text, v.Kind, tt.kind)
		}
		if diff := cmp.Diff(tt.json, v.JSON()); diff != "" {
			t.Errorf("%q: %s", tt.text, diff)
		}
	}
}

func TestParseProblems(t *testing.T) {
	tests := map[string]struct {
		file, text string
		want       []string
	}{
		"duplicate keys": {"f.yaml", "a: 1\nb: {c: 1, c: 2}\na: 2\n", []string{
			"f.yaml:2:11: b.c: is given twice, first at line 2, column 5", "f.yaml:3:1: a: is given twice, first at line 1, column 1"}},
		"duplicate of another type": {"f.yaml", "1: a\n\"1\": b\n", []string{`f.yaml:2:1: 1: is given twice, first at line 1, column 1`}},
		"duplicate in JSON":         {"f.json", `{"a":1,"a":2}`, []string{"f.json:1:8: a: is given twice, first at line 1, column 2"}},
		"several documents":         {"f.yaml", "a: 1\n---\nb: 2\n", []string{"f.yaml:2:1: holds more than one document"}},
		"tab":                       {"f.yaml", "a:\n\tb: 1\n", []string{"f.yaml:2:1: a tab cannot indent YAML; use spaces"}},
		"open bracket":              {"f.yaml", "a: [1, 2\nb: 3\n", []string{"f.yaml:2:2: ',' or ']' is missing before this (it begins at line 1, column 4)"}},
		"open quote":                {"f.yaml", "a: 'x\n", []string{"f.yaml:1:4: this quoted text does not end"}},
		"indentation":               {"f.yaml", "  a: 1\n b: 2\n", []string{`f.yaml:2:2: "b: 2" does not belong here: check the indentation and the lines before it`}},
		"tag":                       {"f.yaml", "a: !!str 5\n", []string{"f.yaml:1:4: a: tags such as !!str are not read; put a value in quotes to make it a string"}},
		"complex key":               {"f.yaml", "? [a]\n: b\n", []string{`f.yaml:1:3: a key must be plain or quoted text`}},
		"unknown alias":             {"f.yaml", "a: *x\n", []string{"f.yaml:1:4: there is no anchor &x before this alias"}},
		"alias of itself":           {"f.yaml", "a: &x [*x]\n", []string{"f.yaml:1:8: a[0]: there is no anchor &x before this alias"}},
		"merge of a scalar":         {"f.yaml", "a: &x 1\nb: {<<: *x}\n", []string{"f.yaml:2:9: b: only mappings can be merged with <<, not a number"}},
		"infinity":                  {"f.yaml", "a: .inf\n", []string{"f.yaml:1:4: a: must be a finite number, not .inf"}},
		"not UTF-8":                 {"f.yaml", "a: x\nb: \xff\n", []string{"f.yaml:2:4: is not valid UTF-8"}},
		"control character":         {"f.yaml", "a: \x01", []string{"f.yaml:1:4: holds the control character U+0001"}},
		"broken JSON":               {"f.json", "{\"a\": 1,\n \"b\" 2}", []string{"f.json:2:6: not JSON: invalid character '2' after object name (expecting ':')"}},
		"short JSON":                {"f.json", "{\"a\": 1,\n", []string{"f.json:2:1: JSON ends too early"}},
		"deep flow":                 {"f.yaml", "a: " + strings.Repeat("[", 100_000), []string{"f.yaml:1:69: is nested more than 64 levels deep"}},
		"deep JSON":                 {"f.json", strings.Repeat("[", 100) + strings.Repeat("]", 100), []string{"f.json:1:65: " + strings.Repeat("[0]", 64) + ": is nested more than 64 levels deep"}},
		"deep block":                {"f.yaml", strings.Repeat("- ", 70) + "x", []string{"f.yaml:1:131: is nested more than 64 levels deep"}},
		"line break of YAML 1.1":    {"f.yaml", "a: b\nc: d\u2028e\n", []string{`f.yaml:2:5: holds U+2028, which ends a line in some versions of YAML; write it as \u2028 in double quotes`}},
		"YAML 1.1":                  {"f.yaml", "# old\n%YAML 1.1\n---\na: yes\n", []string{"f.yaml:2:1: the directive %YAML 1.1 is not read: values are read by YAML 1.2"}},
		"anchors on an anchor":      {"f.yaml", "a: &x &y 1\n", []string{"f.yaml:1:7: an anchor must stand before a value"}},
		"too large":                 {"f.yaml", strings.Repeat("#", MaxSize+1), []string{"f.yaml:1:1: is larger than 4 MiB"}},
		"alias bomb": {"f.yaml", "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n" +
			"d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n",
			[]string{"f.yaml:1:12: f[3][3][8][8][8][2]: holds more than 500000 values"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, problems := Parse(tt.file, []byte(tt.text))
			if diff := cmp.Diff(strings.Join(tt.want, "\n"), problems.Error()); diff != "" {
				t.Error(diff)
			}
			if problems.Err() == nil {
				t.Error("not an error")
			}
		})
	}
}

func TestNearest(t *testing.T) {
	keys := []string{"maxDismissals", "maxConfirmCompromised", "cron", "timeZone", "mode", "url", "contoso"}
	tests := map[string]string{
		"maxDismisals": "maxDismissals", "MAX_DISMISSALS": "maxDismissals", "time-zone": "timeZone", "timezone": "timeZone",
		"corn": "cron", "mdoe": "mode", "ulr": "url", "contso": "contoso", "x": "", "": "", "zebra": "", "policies": "",
	}
	for word, want := range tests {
		if got := Nearest(word, keys); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
