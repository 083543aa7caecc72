package yamldoc

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// The bounds of a document.
const (
	MaxSize  = 4 << 20 // bytes
	MaxDepth = 64      // mappings and sequences within each other
	maxNodes = 500_000 // after aliases are expanded
)

// Parse reads one YAML or JSON document. An empty document is a Null node at
// line 1, column 1. The node is nil only if there is an error among the
// problems; with some errors (duplicate keys) there is a node as well, so that
// the rest can be checked too.
func Parse(file string, data []byte) (*Node, Problems) {
	p := &parse{file: file, anchors: map[*yaml.Node]*Node{}}
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
	lines    []string // of YAML
	anchors  map[*yaml.Node]*Node
	nodes    int

	line   int // whose characters inLine holds
	inLine []rune
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
