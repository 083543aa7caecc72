package yamldoc

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The bounds of a document.
const (
	MaxSize  = 4 << 20 // bytes
	MaxDepth = 64      // mappings and sequences within each other
	maxNodes = 500_000 // after aliases are expanded
	// maxKeys bounds a mapping in block style: the time that the YAML library
	// takes for one grows with the square of its keys.
	maxKeys = 5000
)

// Parse reads one YAML or JSON document. An empty document is a Null node at
// line 1, column 1. The node is nil only if there is an error among the
// problems; with some errors (duplicate keys) there is a node as well, so that
// the rest can be checked too.
func Parse(file string, data []byte) (*Node, Problems) {
	p := &parse{file: file, anchors: map[string]*Node{}}
	root := p.document(data)
	p.problems.Sort()
	if root == nil && p.problems.Err() == nil {
		p.add(1, 1, "", "is not a document")
	}
	return root, p.problems
}

type parse struct {
	file     string
	problems Problems
	anchors  map[string]*Node
	nodes    int
}

// errTooMuch ends the parse: the problem has been added.
var errTooMuch = errors.New("document exceeds a bound")

func (p *parse) add(line, column int, path, format string, args ...any) {
	p.problems = append(p.problems, Problem{File: p.file, Line: max(line, 1), Column: max(column, 1), Path: path, Message: fmt.Sprintf(format, args...)})
}

func (p *parse) document(data []byte) *Node {
	if len(data) > MaxSize {
		p.add(1, 1, "", "is larger than %d MiB", MaxSize>>20)
		return nil
	}
	data, ok := p.decode(data)
	if !ok {
		return nil
	}
	if i := bytes.IndexFunc(data, forbidden); i >= 0 {
		line, column := position(data, i)
		r, _ := utf8.DecodeRune(data[i:])
		p.add(line, column, "", "holds the control character %U", r)
		return nil
	}
	trimmed := bytes.TrimSpace(data)
	if len(trimmed) == 0 {
		return &Node{File: p.file, Line: 1, Column: 1}
	}
	if trimmed[0] == '{' || trimmed[0] == '[' {
		root, err := p.json(data)
		if err == nil || errors.Is(err, errTooMuch) {
			return root
		}
		if strings.HasSuffix(strings.ToLower(p.file), ".json") {
			p.jsonError(data, err)
			return nil
		}
		p.problems, p.nodes = nil, 0 // YAML in flow style
	}
	return p.yaml(data)
}

// forbidden are the characters that YAML does not allow in a text.
func forbidden(r rune) bool {
	return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0x7f
}

// position gives line and column, from 1 and in characters, of a byte.
func position(data []byte, offset int) (line, column int) {
	before := data[:min(offset, len(data))]
	line = 1 + bytes.Count(before, []byte("\n"))
	return line, 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
}

func (p *parse) yaml(data []byte) (root *Node) {
	// The YAML library is outside of our control; whatever text makes it
	// panic is a text that cannot be read, not a crash of the job.
	defer func() {
		if v := recover(); v != nil {
			p.add(1, 1, "", "cannot be read as YAML")
			root = nil
		}
	}()
	// The library folds a block scalar wrongly when its last line does not end.
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	tokens := lexer.Tokenize(text)
	if !p.tokensAllowed(tokens) {
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		p.syntaxError(err)
		return nil
	}
	var body ast.Node
	for _, d := range file.Docs {
		if d.Body == nil || d.Body.Type() == ast.DirectiveType {
			continue
		}
		if body != nil {
			t := d.Start
			if t == nil {
				t = d.Body.GetToken()
			}
			p.add(t.Position.Line, t.Position.Column, "", "holds more than one document")
			return nil
		}
		body = d.Body
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

// tokensAllowed refuses what we do not read and bounds the depth before the
// parser, which recurses, sees the tokens.
func (p *parse) tokensAllowed(tokens token.Tokens) bool {
	type block struct{ column, keys int }
	flow, lastLine := 0, 0
	var open []block
	for i, t := range tokens {
		at := t.Position
		if t.Error != "" {
			p.add(at.Line, at.Column, "", "%s", syntaxMessage(t.Error, t))
			return false
		}
		switch t.Type {
		case token.TagType:
			p.add(at.Line, at.Column, "", "tags such as %s are not read; put a value in quotes to make it a string", oneLine(shorten(t.Value)))
			return false
		case token.MappingKeyType:
			p.add(at.Line, at.Column, "", `keys that begin with "?" are not read`)
			return false
		case token.AnchorType:
			if i+2 < len(tokens) && (tokens[i+2].Type == token.AnchorType || tokens[i+2].Type == token.AliasType) {
				p.add(at.Line, at.Column, "", "an anchor must stand before a value")
				return false
			}
		case token.MappingStartType, token.SequenceStartType:
			flow++
		case token.MappingEndType, token.SequenceEndType:
			flow--
		}
		if t.Type == token.CommentType {
			continue
		}
		if flow == 0 && (t.Type == token.SequenceEntryType || at.Line != lastLine) {
			for len(open) > 0 && open[len(open)-1].column > at.Column {
				open = open[:len(open)-1]
			}
			if len(open) == 0 || open[len(open)-1].column < at.Column {
				open = append(open, block{column: at.Column})
			}
			if t.Type != token.SequenceEntryType {
				open[len(open)-1].keys++
			}
			if open[len(open)-1].keys > maxKeys {
				p.add(at.Line, at.Column, "", "a mapping has more than %d keys", maxKeys)
				return false
			}
		}
		lastLine = at.Line
		if flow > MaxDepth || len(open) > MaxDepth+1 {
			p.add(at.Line, at.Column, "", "is nested more than %d levels deep", MaxDepth)
			return false
		}
	}
	return true
}

// syntaxError turns the library's picture of several lines into one problem.
func (p *parse) syntaxError(err error) {
	var at interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if !errors.As(err, &at) || at.GetToken() == nil || at.GetToken().Position == nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		p.add(1, 1, "", "%s", oneLine(first))
		return
	}
	t := at.GetToken()
	p.add(t.Position.Line, t.Position.Column, "", "%s", syntaxMessage(at.GetMessage(), t))
}

func syntaxMessage(message string, t *token.Token) string {
	first, _, _ := strings.Cut(message, "\n")
	switch {
	case strings.Contains(first, "cannot start any token") && strings.Contains(t.Origin, "\t"),
		strings.Contains(first, "tab character"):
		return "a tab cannot indent YAML; use spaces"
	case strings.Contains(first, "value is not allowed in this context"):
		return fmt.Sprintf("%q does not belong here: check the indentation and the lines before it", shorten(strings.TrimSpace(t.Value)))
	}
	return oneLine(first)
}
