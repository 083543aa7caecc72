package yamldoc

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Put sets members of a mapping in a text. A member that stands there already gets
// the new value in its place; the others come below the first one if that stands
// there, else before all members of the mapping.
type Put struct {
	In      *Node // as Parse gave it
	Members []Text
}

// Text is a member whose value is a string.
type Text struct{ Name, Value string }

// PutAll gives a text with members set, and everything else in it as it was:
// comments, order, blanks, line breaks. The text is read again afterwards; what
// would have changed besides, because it stands in a value that is used elsewhere
// by an alias, is refused with its place.
func PutAll(file string, data []byte, puts []Put) ([]byte, Problems) {
	if bytes.HasPrefix(data, markUTF16LE) || bytes.HasPrefix(data, markUTF16BE) {
		return nil, Problems{{File: file, Line: 1, Column: 1, Message: "is UTF-16, which is not written: save it as UTF-8"}}
	}
	old, problems := Parse(file, data)
	if problems.Err() != nil {
		return nil, problems
	}
	if out, ok := putAll(file, data, old, puts); ok {
		return out, nil
	}
	problems = nil
	for _, p := range puts { // which of them is it?
		if _, ok := putAll(file, data, old, []Put{p}); !ok {
			var say []string
			for _, m := range p.Members {
				say = append(say, m.Name+": "+scalar(m.Value, false))
			}
			problems = append(problems, Problem{File: file, Line: p.In.Line, Column: p.In.Column, Path: p.In.Path,
				Message: "cannot be changed by itself: it shares a value with another place (an anchor and its alias), or is written in an unusual way; write it out, or put there by hand: " + strings.Join(say, ", ")})
		}
	}
	if problems == nil {
		problems = Problems{{File: file, Line: 1, Column: 1, Message: "cannot be changed without changing more than was asked for"}}
	}
	return nil, problems
}

func putAll(file string, data []byte, old *Node, puts []Put) ([]byte, bool) {
	mark := len(data) - len(bytes.TrimPrefix(data, markUTF8))
	text := string(data[mark:])
	e := editor{text: text, starts: []int{0}}
	for i := range text {
		if text[i] == '\n' {
			e.starts = append(e.starts, i+1)
		}
	}
	at := map[string]Put{}
	for _, p := range puts {
		if !e.put(p) {
			return nil, false
		}
		at[p.In.Path] = p
	}
	out := append(slices.Clone(data[:mark]), e.done()...)
	now, problems := Parse(file, out)
	return out, problems.Err() == nil && sameBut(old, now, at)
}

// sameBut reports whether two documents are alike but for what was put.
func sameBut(old, now *Node, puts map[string]Put) bool {
	put, there := puts[old.Path]
	if !there {
		if old.Kind != now.Kind || len(old.Items) != len(now.Items) || len(old.Keys) != len(now.Keys) {
			return false
		}
		for i := range old.Items {
			if !sameBut(old.Items[i], now.Items[i], puts) {
				return false
			}
		}
		for _, k := range old.Keys {
			if v := now.Get(k.Value); v == nil || !sameBut(old.Get(k.Value), v, puts) {
				return false
			}
		}
		return old.Value == now.Value
	}
	want, ok := old.JSON().(map[string]any)
	if !ok {
		return false
	}
	want = maps.Clone(want)
	for _, m := range put.Members {
		want[m.Name] = m.Value
	}
	return reflect.DeepEqual(any(want), now.JSON())
}

// editor gathers changes of a text.
type editor struct {
	text    string
	starts  []int // of the lines
	changes []change
}

// change puts a text in place of n bytes.
type change struct {
	at, n int
	text  string
}

// offset is where a node begins, -1 if that is outside of the text.
func (e *editor) offset(n *Node) int {
	if n.Line < 1 || n.Line > len(e.starts) {
		return -1
	}
	at := e.starts[n.Line-1]
	for range n.Column - 1 {
		_, size := utf8.DecodeRuneInString(e.text[at:])
		if size == 0 {
			return -1
		}
		at += size
	}
	return at
}

func (e *editor) put(p Put) bool {
	begin := e.offset(p.In)
	if p.In.Kind != Mapping || len(p.In.Keys) == 0 || begin < 0 || begin >= len(e.text) || strings.ContainsRune("*&", rune(e.text[begin])) {
		return false
	}
	var missing []Text
	for _, m := range p.Members {
		switch v := p.In.Get(m.Name); {
		case v == nil:
			missing = append(missing, m)
		case !e.replace(v, m.Value):
			return false
		}
	}
	if len(missing) == 0 {
		return true
	}
	first := p.In.Keys[0]
	beside := slices.IndexFunc(p.In.Keys, func(k *Node) bool { return k.Value == p.Members[0].Name })
	if beside >= 0 {
		first = p.In.Keys[beside]
	}
	at := e.offset(first)
	if at < 0 {
		return false
	}
	if e.text[begin] == '{' {
		e.insertFlow(at, first, missing)
		return true
	}
	if beside >= 0 {
		if end, ok := e.endOfLine(p.In.Values[beside], first.Line); ok {
			e.insertBelow(end, first.Column-1, missing)
			return true
		}
	}
	var b strings.Builder
	for _, m := range missing {
		b.WriteString(m.Name + ": " + scalar(m.Value, false) + e.lineBreak(first.Line) + strings.Repeat(" ", first.Column-1))
	}
	e.changes = append(e.changes, change{at: at, text: b.String()})
	return true
}

// lineBreak is how a line ends.
func (e *editor) lineBreak(line int) string {
	if line < len(e.starts) && strings.HasSuffix(e.text[:e.starts[line]], "\r\n") {
		return "\r\n"
	}
	return "\n"
}

// insertFlow puts members before one that stands in braces, each on a line of its
// own where that one has one.
func (e *editor) insertFlow(at int, first *Node, missing []Text) {
	between := " "
	if before := e.text[e.starts[first.Line-1]:at]; strings.TrimSpace(before) == "" {
		between = e.lineBreak(first.Line) + before
	}
	quoted := e.text[at] == '"'
	var b strings.Builder
	for _, m := range missing {
		name := m.Name
		if quoted {
			name = `"` + name + `"`
		}
		b.WriteString(name + ": " + scalar(m.Value, quoted) + "," + between)
	}
	e.changes = append(e.changes, change{at: at, text: b.String()})
}

// insertBelow puts members on lines of their own below one that ends its line.
func (e *editor) insertBelow(end, indent int, missing []Text) {
	line, _ := slices.BinarySearch(e.starts, end+1)
	br := e.lineBreak(line)
	var b strings.Builder
	for _, m := range missing {
		b.WriteString(br + strings.Repeat(" ", indent) + m.Name + ": " + scalar(m.Value, false))
	}
	e.changes = append(e.changes, change{at: end, text: b.String()})
}

// endOfLine is where the line of a key ends, if its value ends on it too.
func (e *editor) endOfLine(v *Node, line int) (int, bool) {
	at := e.offset(v)
	if at < 0 || v.Line != line {
		return 0, false
	}
	n := e.scalarAt(at, v.Value)
	if n < 0 {
		return 0, false
	}
	rest := e.text[at+n:]
	if i := strings.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[:i]
	}
	rest = strings.TrimSuffix(rest, "\r")
	if t := strings.TrimLeft(rest, " \t"); t != "" && (t[0] != '#' || t == rest) {
		return 0, false
	}
	return at + n + len(rest), true
}

var doubleQuoted = regexp.MustCompile(`^"(?:[^"\\\n]|\\[^\n])*"`)
var singleQuoted = regexp.MustCompile(`^'(?:[^'\n]|'')*'`)

// scalarAt is how long the text of a scalar is that stands in one line, -1 if it
// does not.
func (e *editor) scalarAt(at int, value string) int {
	rest := e.text[at:]
	switch {
	case strings.HasPrefix(rest, `"`):
		return length(doubleQuoted.FindString(rest))
	case strings.HasPrefix(rest, "'"):
		return length(singleQuoted.FindString(rest))
	case value != "" && strings.HasPrefix(rest, value):
		return len(value)
	}
	return -1
}

// length is that of a match, -1 if there is none.
func length(match string) int {
	if match == "" {
		return -1
	}
	return len(match)
}

// replace puts another text in the place of a scalar.
func (e *editor) replace(v *Node, value string) bool {
	if v.Kind == String && v.Value == value {
		return true
	}
	at := e.offset(v)
	if at < 0 || v.Kind != String {
		return false
	}
	n := e.scalarAt(at, v.Value)
	if n < 0 {
		return false
	}
	e.changes = append(e.changes, change{at: at, n: n, text: scalar(value, e.text[at] == '"')})
	return true
}

// done is the text with all changes.
func (e *editor) done() string {
	slices.SortStableFunc(e.changes, func(a, b change) int { return a.at - b.at })
	var b strings.Builder
	from := 0
	for _, c := range e.changes {
		if c.at < from {
			continue // two of one place: the text that comes of it is not what is asked for, and refused
		}
		b.WriteString(e.text[from:c.at] + c.text)
		from = c.at + c.n
	}
	return b.String() + e.text[from:]
}

var plainScalar = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_./@-]*( [A-Za-z0-9_./@()-]+)*$`)

// scalar writes a string, plainly where YAML can take it for nothing else.
func scalar(s string, quoted bool) string {
	if !quoted && plainScalar.MatchString(s) && plainKind(s) == String && !yaml11(s) {
		return s
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // strings always encode
	return strings.TrimSuffix(b.String(), "\n")
}

// yaml11 reports whether older programs take a word for a boolean.
func yaml11(s string) bool {
	return slices.Contains([]string{"y", "n", "yes", "no", "on", "off"}, strings.ToLower(s))
}
