package yamldoc

import (
	"encoding/json"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// Kind is what a node is, by the core schema of YAML 1.2: a plain yes, no, on
// or off is a string, and whatever stands in quotes is a string.
type Kind int

// The kinds of node.
const (
	Null Kind = iota
	Bool
	Number
	String
	Sequence
	Mapping
)

// String names the kind as messages do.
func (k Kind) String() string {
	switch k {
	case Null:
		return "nothing"
	case Bool:
		return "a boolean"
	case Number:
		return "a number"
	case String:
		return "a string"
	case Sequence:
		return "a list"
	}
	return "a mapping"
}

// Node is one value of a document, with where it stands. Line and Column count
// from 1, columns in characters. Where an alias stands for an anchored value,
// the copied node has the place of the alias and the nodes below it that of
// the anchor.
type Node struct {
	File         string
	Line, Column int
	// Path leads from the root, such as tenants[0].credential.kind; empty for
	// the root itself.
	Path string
	Kind Kind
	// Value is the text of a scalar: unquoted for a string, as written for a
	// number, empty for null.
	Value string
	// Keys and Values are the members of a mapping, in the order of the text.
	// A key is always a string.
	Keys, Values []*Node
	// Items are the elements of a sequence.
	Items []*Node
}

// Get returns the member of a mapping, nil if there is none or n is nil.
func (n *Node) Get(key string) *Node {
	if n == nil {
		return nil
	}
	for i, k := range n.Keys {
		if k.Value == key {
			return n.Values[i]
		}
	}
	return nil
}

// JSON gives the value as encoding/json would with UseNumber: map[string]any,
// []any, string, json.Number, bool or nil.
func (n *Node) JSON() any {
	if n == nil {
		return nil
	}
	switch n.Kind {
	case Null:
		return nil
	case Bool:
		return strings.EqualFold(n.Value, "true")
	case Number:
		return json.Number(canonicalNumber(n.Value))
	case String:
		return n.Value
	case Sequence:
		s := make([]any, len(n.Items))
		for i, it := range n.Items {
			s[i] = it.JSON()
		}
		return s
	}
	m := make(map[string]any, len(n.Keys))
	for i, k := range n.Keys {
		m[k.Value] = n.Values[i].JSON()
	}
	return m
}

// The productions of the core schema, YAML 1.2.2 section 10.3.2.
var (
	intText   = regexp.MustCompile(`^[-+]?[0-9]+$`)
	octalText = regexp.MustCompile(`^0o[0-7]+$`)
	hexText   = regexp.MustCompile(`^0x[0-9a-fA-F]+$`)
	floatText = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
	notFinite = regexp.MustCompile(`^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$`)
)

// plainKind resolves a plain scalar.
func plainKind(text string) Kind {
	switch text {
	case "", "~", "null", "Null", "NULL":
		return Null
	case "true", "True", "TRUE", "false", "False", "FALSE":
		return Bool
	}
	if intText.MatchString(text) || octalText.MatchString(text) || hexText.MatchString(text) || floatText.MatchString(text) {
		return Number
	}
	return String
}

// canonicalNumber writes a number of the core schema as JSON does.
func canonicalNumber(text string) string {
	if octalText.MatchString(text) || hexText.MatchString(text) {
		if i, ok := new(big.Int).SetString(text, 0); ok {
			return i.String()
		}
	}
	sign := ""
	switch {
	case strings.HasPrefix(text, "-"):
		sign, text = "-", text[1:]
	case strings.HasPrefix(text, "+"):
		text = text[1:]
	}
	exponent := ""
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		text, exponent = text[:i], text[i:]
	}
	whole, fraction, point := strings.Cut(text, ".")
	whole = strings.TrimLeft(whole, "0")
	if whole == "" {
		whole = "0"
	}
	if point && fraction != "" {
		whole += "." + fraction
	}
	return sign + whole + exponent
}

var plainPathKey = regexp.MustCompile(`^[A-Za-z0-9_$@-]+$`)

func memberPath(parent, key string) string {
	if !plainPathKey.MatchString(key) {
		return parent + "[" + strconv.Quote(shorten(key)) + "]"
	}
	if parent == "" {
		return key
	}
	return parent + "." + key
}

func itemPath(parent string, i int) string {
	return parent + "[" + strconv.Itoa(i) + "]"
}

// Plain makes a node of text that stands alone, such as the value of an
// environment variable; its kind is that of a plain scalar. It has no line.
func Plain(file, path, text string) *Node {
	n := &Node{File: file, Path: path, Kind: plainKind(text), Value: text}
	if n.Kind == Null {
		n.Value = ""
	}
	return n
}

// Root puts the paths of a node and of all below it under path, for a document
// that stands for one member of another.
func (n *Node) Root(path string) { n.under(path, map[*Node]bool{}) }

func (n *Node) under(path string, done map[*Node]bool) {
	if done[n] { // merged members may be shared
		return
	}
	done[n] = true
	switch {
	case n.Path == "" || n.Path[0] == '[':
		n.Path = path + n.Path
	default:
		n.Path = path + "." + n.Path
	}
	for i, k := range n.Keys {
		k.under(path, done)
		n.Values[i].under(path, done)
	}
	for _, it := range n.Items {
		it.under(path, done)
	}
}
