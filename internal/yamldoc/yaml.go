package yamldoc

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

func (p *parse) yaml(data []byte) (root *Node) {
	// The YAML library is outside of our control; whatever text makes it
	// panic is a text that cannot be read, not a crash of the job.
	defer func() {
		if v := recover(); v != nil {
			p.add(1, 1, "", "cannot be read as YAML")
			root = nil
		}
	}()
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	// A block at the end of a text that ends without a line break ends with
	// one all the same.
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	p.lines = strings.Split(text, "\n")
	if !p.textAllowed(text) {
		return nil
	}
	text, allowed := p.directives()
	if !allowed {
		return nil
	}
	loader, err := yaml.NewLoader(strings.NewReader(text), yaml.WithPlugin(bounds{}))
	if err != nil {
		p.add(1, 1, "", "cannot be read as YAML: %s", oneLine(err.Error()))
		return nil
	}
	var body *yaml.Node
	for {
		var document yaml.Node
		err := loader.Load(&document)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			p.syntaxError(err)
			return nil
		}
		if len(document.Content) == 0 || empty(document.Content[0]) && document.Content[0].Anchor == "" {
			continue
		}
		if body != nil {
			p.add(document.Line, document.Column, "", "holds more than one document")
			return nil
		}
		body = document.Content[0]
	}
	if body == nil {
		return &Node{File: p.file, Line: 1, Column: 1}
	}
	root, err = p.convert(body, "", 0)
	if err != nil {
		return nil
	}
	return root
}

// empty reports whether there is no text where a value could stand.
func empty(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Style == 0 && n.Value == ""
}

// textAllowed refuses the characters that different programs read differently:
// byte order marks within the text, and the line breaks that only some take
// for such.
func (p *parse) textAllowed(text string) bool {
	if at := strings.IndexAny(text, "\r\u0085\u2028\u2029\ufeff"); at >= 0 {
		line, column := position([]byte(text), at)
		switch r, _ := utf8.DecodeRuneInString(text[at:]); r {
		case '\r':
			p.add(line, column, "", "holds a carriage return without a line feed; end lines with LF or CRLF")
		case '\ufeff':
			p.add(line, column, "", `holds a byte order mark within the text; remove it, or write it as \uFEFF in double quotes`)
		default:
			p.add(line, column, "", `holds %U, which ends a line in some versions of YAML; write it as \u%04X in double quotes`, r, r)
		}
		return false
	}
	return true
}

// directives refuses the directives that stand before a document, all but
// %YAML 1.2, which says nothing new. The library does not know that one: what
// it gets has a comment in its place.
func (p *parse) directives() (text string, allowed bool) {
	at := -1
	for i, line := range p.lines {
		line = strings.TrimRight(line, " \t")
		switch {
		case line == "" || strings.TrimLeft(line, " \t")[0] == '#':
		case line == "%YAML 1.2" && at < 0:
			at = i
		case strings.HasPrefix(line, "%"):
			p.add(i+1, 1, "", "the directive %s is not read: values are read by YAML 1.2", oneLine(shorten(line)))
			return "", false
		case at >= 0 && !strings.HasPrefix(line, "---"):
			p.add(i+1, 1, "", "--- must stand between the directive and the document")
			return "", false
		case at >= 0:
			p.lines[at] = "#"
			return strings.Join(p.lines, "\n"), true
		default:
			return strings.Join(p.lines, "\n"), true
		}
	}
	if at >= 0 {
		p.add(at+1, 1, "", "--- must stand between the directive and the document")
	}
	return strings.Join(p.lines, "\n"), at < 0
}

// bounds stops the library, which recurses, at the depth that is refused
// later with the place of the value. It counts block and flow style each for
// itself.
type bounds struct{}

var errDepth = errors.New("too deep")

// CheckDepth implements yaml.LoaderLimitsPlugin.
func (bounds) CheckDepth(depth int, _ *yaml.DepthContext) error {
	if depth > MaxDepth+1 {
		return errDepth
	}
	return nil
}

// CheckAlias implements yaml.LoaderLimitsPlugin: aliases are expanded here,
// not by the library.
func (bounds) CheckAlias(int, int) error { return nil }

var unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)

// syntaxError turns an error of the library into a problem.
func (p *parse) syntaxError(err error) {
	var at *yaml.LoadError
	if !errors.As(err, &at) {
		p.add(1, 1, "", "cannot be read as YAML: %s", oneLine(err.Error()))
		return
	}
	line, column := at.Mark.Line, at.Mark.Column
	if line == 0 {
		line, column = at.ContextMark.Line, at.ContextMark.Column
	}
	begins := ""
	if at.ContextMark.Line > 0 && at.ContextMark.Line != line {
		begins = fmt.Sprintf(" (it begins at line %d, column %d)", at.ContextMark.Line, at.ContextMark.Column)
	}
	here := ""
	if line >= 1 && line <= len(p.lines) {
		here = p.lines[line-1]
	}
	if found := unknownAnchor.FindStringSubmatch(at.Message); found != nil {
		p.add(line, column, "", "there is no anchor &%s before this alias", shorten(found[1]))
		return
	}
	switch message := at.Message; {
	case strings.Contains(message, errDepth.Error()) || strings.Contains(message, "max depth"):
		p.add(line, column, "", "is nested more than %d levels deep", MaxDepth)
	case strings.Contains(message, "cannot start any token") && strings.Contains(indent(here), "\t"),
		strings.Contains(message, "tab character"):
		p.add(line, column, "", "a tab cannot indent YAML; use spaces")
	case strings.Contains(at.ContextMsg, "quoted scalar") && strings.Contains(message, "end of stream"):
		p.add(at.ContextMark.Line, at.ContextMark.Column, "", "this quoted text does not end")
	case strings.Contains(message, "expected ',' or ']'"), strings.Contains(message, "expected ',' or '}'"):
		p.add(line, column, "", "%s is missing before this%s", message[strings.Index(message, "','"):], begins)
	case strings.Contains(message, "mapping values are not allowed"):
		p.add(line, column, "", `": " does not belong here: put text that holds it in quotes, or check the indentation`)
	case strings.HasPrefix(message, "did not find expected") && strings.HasPrefix(from(here, column), "&"):
		p.add(line, column, "", "an anchor must stand before a value")
	case strings.HasPrefix(message, "did not find expected"):
		p.add(line, column, "", "%q does not belong here: check the indentation and the lines before it", shorten(strings.TrimSpace(from(here, column))))
	default:
		p.add(line, column, "", "%s%s", oneLine(message), begins)
	}
}

// indent is the blank beginning of a line.
func indent(line string) string {
	return line[:len(line)-len(strings.TrimLeft(line, " \t"))]
}

// from is the rest of a line from a column on.
func from(line string, column int) string {
	r := []rune(line)
	return string(r[min(max(column-1, 0), len(r)):])
}

// runes are the characters of a line. All values of a document may stand on one: the
// last one that was asked for is kept.
func (p *parse) runes(line int) []rune {
	if p.line != line {
		p.line, p.inLine = line, []rune(p.lines[line-1])
	}
	return p.inLine
}

// start is where a value itself begins, and whether it has a tag: the library
// gives the place of the anchor or tag that stands before the value.
func (p *parse) start(n *yaml.Node) (at place, tagged bool) {
	at = place{n.Line, n.Column}
	for line, column := n.Line, n.Column; line <= len(p.lines); line, column = line+1, 1 {
		rest := p.runes(line)
		rest = rest[min(max(column-1, 0), len(rest)):]
		for i := 0; i < len(rest) && rest[i] != '#'; {
			switch {
			case unicode.IsSpace(rest[i]):
				i++
			case rest[i] == '&' || rest[i] == '!':
				tagged = tagged || rest[i] == '!'
				for i < len(rest) && !unicode.IsSpace(rest[i]) {
					i++
				}
			case empty(n):
				return at, tagged
			default:
				return place{line, column + i}, tagged
			}
		}
		if empty(n) {
			return at, tagged
		}
	}
	return at, tagged
}
