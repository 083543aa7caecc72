package yamldoc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// reading is what the other reader of YAML makes of a text.
type reading struct {
	Value any    `json:"value"`
	Error string `json:"error"`
}

// readElsewhere reads the texts with the npm package that yamltest pins, in
// one process.
func readElsewhere(t *testing.T, texts []string) []reading {
	t.Helper()
	if _, err := os.Stat("yamltest/node_modules/yaml"); err != nil {
		t.Fatalf("the other reader of YAML is not installed; run npm ci in internal/yamldoc/yamltest: %v", err)
	}
	in, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "yamltest/read.mjs")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []reading
	dec := json.NewDecoder(bytes.NewReader(out))
	dec.UseNumber()
	if err := dec.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if len(got) != len(texts) {
		t.Fatalf("%d readings of %d texts", len(got), len(texts))
	}
	return got
}

var sameNumbers = cmp.Comparer(func(a, b json.Number) bool {
	x, errX := strconv.ParseFloat(string(a), 64)
	y, errY := strconv.ParseFloat(string(b), 64)
	return errX == nil && errY == nil && x == y
})

// lenient is what YAML forbids and is read here, since it can mean nothing
// else: lines within brackets or quotes that stand too far left, and long keys.
var lenient = regexp.MustCompile(`sufficiently indented|^Missing closing ["']quote|^Not a YAML token|at most 1024 chars`)

// Where the other reader is wrong, by the productions of YAML 1.2.2: a tab may
// separate a dash from an anchor, and an empty line after an escaped line break
// is a line feed.
var (
	tabBeforeAnchor  = regexp.MustCompile(`[-?:][ ]*\t[ \t]*&`)
	emptyAfterEscape = regexp.MustCompile(`\\\r?\n[ \t]*\r?\n`)
)

// Whatever is read here reads the same elsewhere; what is refused has a place.
func compareReadings(t *testing.T, texts []string) (read int) {
	t.Helper()
	elsewhere := readElsewhere(t, texts)
	wrong := 0
	for i, text := range texts {
		n, problems := Parse("f.yaml", []byte(text))
		if problems.Err() != nil {
			for _, p := range problems {
				if p.Line < 1 || p.Column < 1 || p.Line > strings.Count(strings.ReplaceAll(text, "\r", "\n"), "\n")+2 {
					t.Errorf("%q: no place in %v", text, p)
				}
			}
			continue
		}
		read++
		if lenient.MatchString(elsewhere[i].Error) || strings.HasPrefix(elsewhere[i].Error, "Tabs are") && tabBeforeAnchor.MatchString(text) || emptyAfterEscape.MatchString(text) {
			continue
		}
		if elsewhere[i].Error != "" {
			t.Errorf("%q is read as %#v, and refused elsewhere: %s", text, n.JSON(), elsewhere[i].Error)
			wrong++
		} else if diff := cmp.Diff(elsewhere[i].Value, n.JSON(), sameNumbers); diff != "" {
			t.Errorf("%q: -elsewhere +here\n%s", text, diff)
			wrong++
		}
		if wrong > 20 {
			t.Fatal("and so on")
		}
	}
	return read
}

func TestReadsValidYAMLAsAnotherReader(t *testing.T) {
	document := rapid.Custom(func(t *rapid.T) string { return validDocument(t) })
	texts := make([]string, 400)
	for i := range texts {
		texts[i] = document.Example(i)
	}
	elsewhere := readElsewhere(t, texts)
	for i, text := range texts {
		if elsewhere[i].Error != "" {
			t.Errorf("the test itself wrote %q: %s", text, elsewhere[i].Error)
		}
		if _, problems := Parse("f.yaml", []byte(text)); problems.Err() != nil {
			t.Errorf("%q: %v", text, problems)
		}
	}
	if read := compareReadings(t, texts); !t.Failed() && read != len(texts) {
		t.Errorf("%d of %d documents were read", read, len(texts))
	}
}

// A mistyped document is refused, or still means the same to both.
func TestReadsMistypedYAMLAsAnotherReaderOrRefusesIt(t *testing.T) {
	document := rapid.Custom(func(t *rapid.T) string {
		text := []rune(validDocument(t))
		for range rapid.IntRange(1, 3).Draw(t, "mistakes") {
			at := rapid.IntRange(0, len(text)).Draw(t, "at")
			typed := []rune(rapid.SampledFrom([]string{"\t", " ", ":", ": ", "\n", "- ", "#", " #", "\"", "'", "{", "}", "[", "]", ",", "&a ", "*a", "|", ">", "?", "!", "%", "\\", "\r", "---\n", "...\n"}).Draw(t, "typed"))
			drop := 0
			if at < len(text) && rapid.Bool().Draw(t, "over") {
				drop = 1
			}
			text = append(text[:at:at], append(typed, text[at+drop:]...)...)
		}
		return string(text)
	})
	texts := make([]string, 800)
	for i := range texts {
		texts[i] = document.Example(i)
	}
	if read := compareReadings(t, texts); read < len(texts)/10 {
		t.Errorf("only %d of %d were read: the test compares too little", read, len(texts))
	}
}

// Odd documents that random ones seldom hold.
func TestReadsOddYAMLAsAnotherReaderOrRefusesIt(t *testing.T) {
	texts := []string{
		"displayName: Block\tlegacy\n", "a: [x\t,\ty]\n", "a:\tb\n", "a\t: b\n", "-\ta\n", "- \t- a\n", "a: b\t\n", "a: b\t#c\n", "a: \"b\tc\"\n", "a: 'b\tc'\n", "a: |\n \tb\n", "a: >\n  b\n \tc\n", "a: >\n  b\n  \tc\n  d\n",
		"a:\n  - b\n\t- c\n", "a:\n  b: c\n\td: e\n", "a:\n  {\n\tb: c\n  }\n", "a: b\n\tc\n", "a: b\n \tc\n", "a: \"b\n\tc\"\n", "a: [\n\tb\n]\n", "\ta: b\n", "\t# note\na: b\n", "a: b\n\t# note\n", "a:\n\n\t\n  b: c\n", "\t{a: b}\n", "\t[a]\n", "---\ta\n",
		"{a:b}", "{a:b,c:d}", "{a: b,c: d}", "{a :b}", "{a : b}", "{\"a\":b}", "{'a':b}", "{\"a\" :b}", "{\"a\":[b]}", "{a:[b]}", "{a:{b: c}}", "{a}", "{a,b: c}", "{a:}", "{a:,b:}", "{: a}", "{a, }", "[a,]", "[,a]", "[a,,b]", "[:a]", "[a:]", "[a: b, c]", "[a:b, c]", "[\"a\":b]", "[\"a\": b]", "[a\n: b]", "[::1, 2001:db8::/32]", "[http://x/y?z=1#q]", "[-a, ?b, -1]", "[-]", "[- a]", "{? a: b}", "[? a : b]",
		"a: \"x\\ \n  y\"\n", "a: \"x\\\n  y\"\n", "a: \"x\\\n  \\ y\"\n", "a: \"x\\t\n  y\"\n", "a: \"x \n\n  y\"\n", "a: \"\\/\\e\\0\\x41\\u00e9\\U0001f600\\_\\N\\L\\P\"\n", "a: \"\\q\"\n", "a: \"\\ud83d\\ude00\"\n", "a: 'x\n\n  y'\n", "a: 'x\\'\n", "a: ''''\n",
		"a: 1\na: 2\n", "a: 1\n\"a\": 2\n", "1: a\n\"1\": b\n", "x: &a 1\ny: *a\n", "x: &a\ny: *a\n", "&a x: *a\n", "*a : b\n", "x: &a b\n*a : c\n", "x: &a b\n*a: c\n", "x: &a 1\ny: &a 2\nz: *a\n", "- &a [b]\n- *a\n- [*a, *a]\n", "&x a: 1\n", "&x\na: 1\n", "a: &x\n  b: 1\nc: *x\n", "a: &x\n- b\nc: *x\n", "a: &x # note\n  b\nc: *x\n", "a: &x |\n  b\nc: *x\n", "a: &a:b c\n", "[&a b, *a]", "[&a b,*a]", "{&a b: *a}", "{*a: b}", "a: & b\n",
		"x: &a {k: 1}\ny: {<<: *a, k: 2}\n", "x: &a {k: 1}\nw: &b {k: 3, l: 4}\ny: {<<: [*a, *b], m: 2}\n", "x: {<<: {a: 1}, b: 2}\n", "x: {\"<<\": {a: 1}}\n", "x: {<<: 1}\n", "<<: {a: 1}\n", "- <<\n", "x: <<\n",
		"a: yes\nb: no\nc: on\nd: off\ne: y\nf: n\ng: True\nh: FALSE\ni: tRue\n", "a: 010\nb: 0o10\nc: 0x1F\nd: 0b11\ne: 1_000\nf: 1:30\ng: 1e3\nh: .5\ni: 5.\nj: +1\nk: -0\nl: 0x\nm: 1e\nn: 00\no: 0O7\np: -0x1\n", "a: .inf\n", "a: .nan\n", "a: .NaN\n", "a: ~\nb: null\nc: Null\nd: NULL\ne: nUll\nf:\n", "a: 2027-03-31\nb: 12:30:45\nc: 2027-03-31T00:00:00Z\n", "a: =\n", "a: -\n", "a: --\n", "a: -b\n", "a: ?b\n", "a: :b\n", "a: b:\n", "a: b: c\n", "a: b #c\n", "a: b#c\n", "a: #c\n", "a: \"b\"#c\n", "a: \"b\" #c\n", "a: [b]#c\n", "a: [b,#c\n d]\n", "a: [b, #c\n d]\n", "#c\n", "a: @b\n", "a: `b\n", "a: %b\n", "a: b%c\n", "a: !b\n", "a: b!\n", "a: b & c\n", "a: *\n", "a: b*c\n", "a: b, c\n", "a: b]\n", "a: b}\n", "a: ]\n", "a: \"b\" c\n", "a: 'b' c\n", "a: [b] c\n", "a: {b: c} d\n", "a: 'b': c\n",
		"a: |\n  b\n", "a: |-\n  b\n\n", "a: |+\n  b\n\n", "a: |+\n\n", "a: |2\n    b\n   c\n", "a: |1-\n  b\n", "a: |-1\n  b\n", "a: |0\n  b\n", "a: |10\n  b\n", "a: |9\n  b\n", "a: |\n   b\n  c\n", "a: |\n\n\n   b\n", "a: |\n    \n  b\n", "a: |\n # b\n c\n", "a: |  # note\n  b\n", "a: |# note\n  b\n", "a: | b\n", "a: >\n  b\n  c\n\n  d\n   e\n  f\n", "a: >-\n  b\n   c\n\n   d\n  e\n", "a: >\n\n  b\n", "a: >+\n  b\n\n\nc: d\n", "- |\n b\n- >\n c\n", "- |\nb\n", "|\n a\n", "|\na\n", "--- |\n a\nb\n", "--- >\nfoo\nbar\n", "a: |\n  b\n c: d\n", "a: |\n  b\nc: |\n  d", "a: |", "a: |\n", "a: >\n", "a: |\n  b\n# note\nc: d\n", "a: |\n  b\n  # not a note\n # note\nc: d\n", "a: |\n  b\n...\n", "a: |\n  ---\n", "a: |\n---\n",
		"a: b\r\nc: |\r\n  d\r\n  e\r\n", "a: b\rc: d\r", "a: \"b\r\n  c\"\r\n", "a: 'b\r\n\r\n  c'", "a: b\r\n\r\n", "a: b\n\rc: d\n", "\ufeffa: b\n", "a: b\ufeffc\n", "a: b\n\ufeff\n", "\ufeff# note\n---\na\n", "\ufeff\ufeffa: b\n",
		"a:\n- b\n- c\n", "a:\n- b\nc:\n- d\n", "- a:\n  - b\n  c: d\n", "- a\n-\n  b\n- \n  - c\n", "-\n-\n- a\n", "- - - a\n  - b\n- c\n", "a:\n  b\n  c\n", "a:\n  b:\n  c: d\n", "a:\n    b: c\n  d: e\n", "a: b\n c: d\n", "a:\n b: c\n  d: e\n", "a: - b\n", "- a: b\n   c: d\n", "- a: b\n c: d\n", " a: b\n c: d\n", " a: b\nc: d\n", "a\nb: c\n", "a b\n c\n", "a\n\nb\n", "a # note\nb\n", "a: b\n# note\n  c\n", "a: b\n  # note\n", "a: # note\n  # note\n  b\n", "a: # note\n# note\n  b\n", "- # note\n  a\n", "- # note\n- a\n", "? a\n: b\n", "? a\n", "? - a\n: b\n", "? |\n  a\n: b\n", ": a\n", "a:\n? b\n", "\"a\n b\": c\n", "\"a\": b\n", "'a' : b\n", "[a]: b\n", "{a: b}: c\n", "a: b\nc\n", "a: b\nc\nd: e\n", "a:b\n", "a:b: c\n", "a ::b: c\n", "a: [b\n]\n", "a: [\nb\n]\n", "a:\n  [\nb]\n", "[\na\n]\n", "a: {b: c\n}\n", "a: {\nb: c}\n", "a: [b, [c, {d: e}], f: g]\n", "a: \"b\nc\"\n", "a: 'b\nc'\n", "\"a\nb\"\n", "a: \"b\n---\nc\"\n", "a: [b\n---\nc]\n",
		"", "\n", "---\n", "---\n---\n", "...\n", "--- a\n", "--- a\n...\n", "--- a\n--- b\n", "a\n---\nb\n", "a\n...\nb\n", "a\n...\n---\n", "a: b\n---\n", "---\na: b\n...\n# end\n", "---a\n", "--- # note\na: b\n", "--- a: b\n", "--- - a\n", "--- [a]\n", "--- {a: b}\n", "--- &a b\n", "...a\n", "a: ---\n", "a: ...\n", "%YAML 1.2\n---\na: b\n", "%YAML 1.1\n---\na: yes\n", "%YAML 1.3\n---\na\n", "%TAG ! x\n---\na\n", "%FOO bar\n---\na\n", "%YAML 1.2\n", "%YAML 1.2 # note\n---\na\n", "a: b\n%YAML 1.2\n---\n", "a: b\n...\n%YAML 1.2\n---\n", "a\n%b\n", "a: |\n  %b\n", " %a: b\n",
		"a: !!str 1\n", "a: !!int \"1\"\n", "a: !x b\n", "a: ! b\n", "!!map {a: b}\n", "- !!null\n", "a: !!binary aGk=\n", "!x a: b\n", "a: b\u00a0c\n", "a:\u00a0b\n", "a: b\u2028c\n", "a: b\u0085c\n", "a: b\u2029\n", "# x\u2028y: z\n", "a: \"\\u2028\"\n", "a: \u3000b\n", "a: b\u200b\n", "a: \u00e9\U0001f600\n", "a: \x7f\n", "a: \x00\n", "a: \u0080\n", "a: \ufffe\n", "a: \uffff\n",
		"a: " + strings.Repeat("long ", 400) + "\n", strings.Repeat("k", 2000) + ": v\n", "\"" + strings.Repeat("k", 2000) + "\": v\n", "{" + strings.Repeat("k", 2000) + ": v}\n", "a: \"" + strings.Repeat("long ", 400) + "\"\n", "? " + strings.Repeat("k", 2000) + "\n: v\n", "[" + strings.Repeat("k", 1100) + ": v]\n",
	}
	compareReadings(t, texts)
}

// yamlWriter writes a random document in whatever style YAML has.
type yamlWriter struct {
	t       *rapid.T
	anchors []string // of anchors with a whole value
	maps    []string // of them, the mappings
	names   int
}

func validDocument(t *rapid.T) string {
	w := &yamlWriter{t: t}
	text := w.pick("", "", "---\n", "# note\n", "%YAML 1.2\n---\n", "--- # note\n", "\n\n") + w.block(0, 3) + w.pick("", "", "...\n", "# note\n", "\n", "---\n")
	switch {
	case rapid.IntRange(0, 5).Draw(t, "breaks") == 0:
		text = strings.ReplaceAll(text, "\n", "\r\n")
	case rapid.IntRange(0, 9).Draw(t, "end") == 0:
		text = strings.TrimSuffix(text, "\n")
	}
	return text
}

func (w *yamlWriter) pick(of ...string) string { return rapid.SampledFrom(of).Draw(w.t, "pick") }

func (w *yamlWriter) one(in int) bool { return rapid.IntRange(1, in).Draw(w.t, "one in") == 1 }

// end ends a line.
func (w *yamlWriter) end() string {
	return w.pick("\n", "\n", "\n", "\n", " # note\n", "\t# note: x\n", " \n", "\t\n", "\n\n", "\n  # note\n", "\n# - note\n")
}

// block writes a collection in block style whose lines begin at indent.
func (w *yamlWriter) block(indent, depth int) string {
	var b strings.Builder
	sequence := w.one(3)
	for i := range rapid.IntRange(1, 4).Draw(w.t, "members") {
		b.WriteString(strings.Repeat(" ", indent))
		if sequence {
			b.WriteString("-" + w.value(indent, depth-1, true))
			continue
		}
		if i > 0 && len(w.maps) > 0 && w.one(6) {
			fmt.Fprintf(&b, "<<: *%s%s", rapid.SampledFrom(w.maps).Draw(w.t, "merged"), w.end())
			// One merge for a mapping.
			b.WriteString(strings.Repeat(" ", indent) + w.key(i) + ":" + w.value(indent, depth-1, false))
			break
		}
		b.WriteString(w.key(i) + ":" + w.value(indent, depth-1, false))
	}
	return b.String()
}

func (w *yamlWriter) key(i int) string {
	n := strconv.Itoa(i)
	return w.pick("k"+n, "k"+n, "k "+n, "\"k"+n+"\"", "'k: "+n+"'", "k#"+n, "-k"+n, "k"+n+" ", n, "0x"+n, "k\t"+n, "a:b"+n, "ü"+n, "?k"+n, "\"k\\t"+n+"\"", "null"+n, "1."+n, "k,"+n, "k[]"+n+"\t")
}

func (w *yamlWriter) anchor() (before, name string) {
	if !w.one(6) {
		return "", ""
	}
	w.names++
	name = "a" + strconv.Itoa(w.names)
	return "&" + name + " ", name
}

// value writes what stands after "key:" or "-", to the end of its lines.
func (w *yamlWriter) value(indent, depth int, item bool) string {
	gap := w.pick(" ", " ", " ", "  ", " \t", "\t")
	anchor, name := w.anchor()
	if item && name != "" { // the other reader takes a tab here for indentation
		gap = " "
	}
	known, maps := len(w.anchors), len(w.maps)
	defer func() {
		if name != "" {
			w.anchors = append(w.anchors[:known:known], append(w.anchors[known:], name)...)
		}
	}()
	switch kind := rapid.IntRange(0, 9).Draw(w.t, "kind"); {
	case kind <= 1 && depth > 0: // a collection below
		inner := indent + rapid.IntRange(1, 4).Draw(w.t, "indent")
		text := w.block(inner, depth)
		if name != "" && !strings.HasPrefix(strings.TrimLeft(text, " "), "-") {
			w.maps = append(w.maps[:maps:maps], append(w.maps[maps:], name)...)
		}
		if name == "" {
			return w.end() + text
		}
		return " &" + name + w.end() + text
	case kind == 2 && depth > 0 && item && name == "": // on the line of the dash
		inner := 1 + rapid.IntRange(1, 3).Draw(w.t, "blanks")
		text := w.block(indent+inner, depth)
		return strings.Repeat(" ", inner-1) + text[indent+inner:]
	case kind == 3 && depth > 0:
		mapping := w.one(2)
		text := w.flow(indent+1, depth, mapping)
		if mapping && name != "" {
			w.maps = append(w.maps, name)
		}
		return gap + anchor + text + w.end()
	case kind == 4 && len(w.anchors) > 0:
		name = ""
		return gap + "*" + rapid.SampledFrom(w.anchors).Draw(w.t, "alias") + w.end()
	case kind == 5:
		return gap + anchor + w.literal(indent)
	case kind == 6:
		return gap + anchor + w.quoted(indent) + w.end()
	case kind == 7 && name == "":
		return w.end()
	case kind == 8: // over two lines
		pad := strings.Repeat(" ", indent+1+rapid.IntRange(0, 3).Draw(w.t, "pad"))
		return gap + anchor + w.pick("one", "a:b", "x\ty", "-1") + w.pick("\n", " \n", "\t\n", "\n\n") + pad + w.pick("two", "#", "2", "- x", "\tz")[0:] + w.pick("\n", " \n", " # note\n")
	}
	return gap + anchor + w.plain(false) + w.end()
}

func (w *yamlWriter) plain(flow bool) string {
	text := w.pick("x", "Block\tlegacy", "a b", "a \t b", "yes", "no", "on", "Off", "true", "False", "null", "~", "010", "0o10", "0x1F", "1e3", "-0.5", "1_000", "12:30", "12:30:45", "2027-03-31", "1.2.3",
		"a:b", "::1", "2001:db8::/32", "http://x/y?z=1#q", "a#b", "-x", "?x", ":x", "--", "a'b", "a\"b", "é😀", "x & y", "x*y", "x!", "x%", "\\n", "+1", ".5", "5.", "0b11", "1e", "=", "a\u00a0b", "<<x", "a-", "a - b")
	if !flow {
		text = w.pick(text, text, text, text, "a, b", "a]", "a[0]", "{{x"[2:], "x{y}", "a,")
	}
	return text
}

// quoted writes text in quotes, also over several lines.
func (w *yamlWriter) quoted(indent int) string {
	pad := strings.Repeat(" ", indent+1)
	var b strings.Builder
	double := w.one(2)
	for range rapid.IntRange(0, 4).Draw(w.t, "parts") {
		if double {
			b.WriteString(w.pick("x", " ", "\t", "\\t", "\\ ", "\\n", "\\\"", "\\\\", "'", "#", ": ", "\\u00e9", "\\x41", "\\/", "\\e", "\\_", "\n"+pad, " \n"+pad, "\\ \n"+pad, "\\t\n"+pad, "\\\n"+pad, "\\\n"+pad+"\\ ", "\n\n"+pad, "\n"+pad+"\t", "\t\n"+pad, "é", "- ", "{", "]"))
		} else {
			b.WriteString(w.pick("x", " ", "\t", "''", "\"", "\\", "\\n", "#", ": ", "\n"+pad, " \n"+pad, "\n\n"+pad, "\n"+pad+"\t", "\t\n"+pad, "é", "- ", "{", "]"))
		}
	}
	if double {
		return `"` + b.String() + `"`
	}
	return "'" + b.String() + "'"
}

// literal writes a block scalar with its header.
func (w *yamlWriter) literal(indent int) string {
	inner := rapid.IntRange(1, 4).Draw(w.t, "indent")
	header := w.pick("|", ">")
	number, chomp := "", w.pick("", "", "-", "+")
	lead := ""
	if w.one(3) {
		number, lead = strconv.Itoa(inner), w.pick("", " ", "  ", "\n")
	}
	if w.one(2) {
		header += number + chomp
	} else {
		header += chomp + number
	}
	var b strings.Builder
	b.WriteString(header + w.pick("\n", "\n", " # note\n", " \n"))
	pad := strings.Repeat(" ", indent+inner)
	for i := range rapid.IntRange(1, 4).Draw(w.t, "lines") {
		text := w.pick("x", "x y", "# no note", "- x", "a: b", "x\ty", "x ", "'x", "\\n", "---", "é")
		if i > 0 {
			text = w.pick(text, text, " "+text, "\t"+text, "\n"+pad+text)
		} else if lead == "\n" {
			b.WriteString("\n")
		} else {
			text = lead + text
		}
		b.WriteString(pad + text + "\n")
	}
	return b.String() + w.pick("", "", "\n", "\n\n")
}

// flow writes a collection within brackets, also over several lines.
func (w *yamlWriter) flow(indent, depth int, mapping bool) string {
	pad := "\n" + strings.Repeat(" ", indent)
	var b strings.Builder
	n := rapid.IntRange(0, 4).Draw(w.t, "members")
	for i := range n {
		b.WriteString(w.pick("", " ", "\t", " \t", pad, " # note"+pad))
		if mapping {
			k := "k" + strconv.Itoa(i)
			b.WriteString(w.pick(k+": ", k+": ", k+":\t", k+" : ", "\""+k+"\": ", "\""+k+"\":", "'"+k+"':", k+":"+pad))
		}
		switch kind := rapid.IntRange(0, 5).Draw(w.t, "kind"); {
		case kind == 0 && depth > 1:
			b.WriteString(w.flow(indent, depth-1, w.one(2)))
		case kind == 1:
			b.WriteString(w.quoted(indent))
		case kind == 2 && len(w.anchors) > 0:
			b.WriteString("*" + rapid.SampledFrom(w.anchors).Draw(w.t, "alias") + " ")
		case kind == 3 && !mapping:
			b.WriteString(w.pick("k: v", "\"k\":v", "a:b", "k: [v]", "k : v"))
		default:
			text := w.plain(true)
			if strings.HasSuffix(b.String(), ":") && text[0] == ':' {
				text = "x"
			}
			b.WriteString(text)
		}
		b.WriteString(w.pick("", " ", "\t", pad))
		if i < n-1 || w.one(4) {
			b.WriteString(",")
		}
	}
	if mapping {
		return "{" + b.String() + w.pick("", " ", pad) + "}"
	}
	return "[" + b.String() + w.pick("", " ", pad) + "]"
}
