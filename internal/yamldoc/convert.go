package yamldoc

import (
	"fmt"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

func (p *parse) node(at *token.Position, path string) (*Node, error) {
	p.nodes++
	if p.nodes > maxNodes {
		p.add(at.Line, at.Column, path, "holds more than %d values", maxNodes)
		return nil, errTooMuch
	}
	return &Node{File: p.file, Line: max(at.Line, 1), Column: max(at.Column, 1), Path: path}, nil
}

// deep refuses a collection that stands within MaxDepth others.
func (p *parse) deep(n *Node, depth int) error {
	if depth < MaxDepth {
		return nil
	}
	p.add(n.Line, n.Column, n.Path, "is nested more than %d levels deep", MaxDepth)
	return errTooMuch
}

func (p *parse) convert(v ast.Node, path string, depth int) (*Node, error) {
	switch v := v.(type) {
	case *ast.MappingNode:
		at := v.Start.Position
		if !v.IsFlowStyle && len(v.Values) > 0 {
			at = v.Values[0].Key.GetToken().Position
		}
		return p.mapping(v.Values, at, path, depth)
	case *ast.MappingValueNode:
		return p.mapping([]*ast.MappingValueNode{v}, v.Key.GetToken().Position, path, depth)
	case *ast.SequenceNode:
		n, err := p.node(v.Start.Position, path)
		if err != nil {
			return nil, err
		}
		n.Kind = Sequence
		if err := p.deep(n, depth); err != nil {
			return nil, err
		}
		for i, item := range v.Values {
			c, err := p.item(item, itemPath(path, i), depth+1)
			if err != nil {
				return nil, err
			}
			n.Items = append(n.Items, c)
		}
		return n, nil
	case *ast.AnchorNode:
		n, err := p.convert(v.Value, path, depth)
		if err == nil && v.Name != nil {
			p.anchors[v.Name.GetToken().Value] = n
		}
		return n, err
	case *ast.AliasNode:
		name := v.Value.GetToken().Value
		anchored := p.anchors[name]
		if anchored == nil {
			p.add(v.Start.Position.Line, v.Start.Position.Column, path, "there is no anchor &%s before this alias", shorten(name))
			return nil, errTooMuch
		}
		n, err := p.copyNode(anchored, path, depth)
		if err != nil {
			return nil, err
		}
		n.Line, n.Column = v.Start.Position.Line, v.Start.Position.Column
		return n, nil
	}
	return p.scalar(v, path)
}

// item converts one element of a sequence. The parser takes every colon within
// braces for that of a mapping, also one without a space after it: there
// [2001:db8::/32] is one text, as it is everywhere else.
func (p *parse) item(v ast.Node, path string, depth int) (*Node, error) {
	if pair, ok := v.(*ast.MappingNode); ok && !pair.IsFlowStyle && len(pair.Values) == 1 {
		m := pair.Values[0]
		key, value := m.Key.GetToken(), m.Value.GetToken()
		if plain(key) && plain(value) && key.Position.Line == value.Position.Line && value.Position.Column == key.Position.Column+utf8.RuneCountInString(key.Value)+1 {
			n, err := p.node(key.Position, path)
			if err == nil {
				n.Kind, n.Value = String, key.Value+":"+value.Value
			}
			return n, err
		}
	}
	return p.convert(v, path, depth)
}

// plain reports whether a token is text or a number without quotes.
func plain(t *token.Token) bool {
	switch t.Type {
	case token.StringType, token.IntegerType, token.FloatType, token.OctetIntegerType, token.HexIntegerType, token.BinaryIntegerType:
		return true
	}
	return false
}

func (p *parse) scalar(v ast.Node, path string) (*Node, error) {
	t := v.GetToken()
	n, err := p.node(t.Position, path)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case *ast.LiteralNode:
		n.Kind, n.Value = String, v.Value.Value
		return n, nil
	case ast.ScalarNode:
	default:
		p.add(n.Line, n.Column, path, "cannot be read here")
		return nil, errTooMuch
	}
	switch t.Type {
	case token.SingleQuoteType, token.DoubleQuoteType:
		n.Kind, n.Value = String, t.Value
	case token.ImplicitNullType:
	default:
		n.Value = t.Value
		if notFinite.MatchString(t.Value) {
			p.add(n.Line, n.Column, path, "must be a finite number, not %s", t.Value)
		}
		n.Kind = plainKind(t.Value)
		if n.Kind == Null {
			n.Value = ""
		}
	}
	return n, nil
}

func (p *parse) mapping(members []*ast.MappingValueNode, at *token.Position, path string, depth int) (*Node, error) {
	n, err := p.node(at, path)
	if err != nil {
		return nil, err
	}
	n.Kind = Mapping
	if err := p.deep(n, depth); err != nil {
		return nil, err
	}
	seen := make(map[string]*Node, len(members))
	var merged []*Node
	for _, m := range members {
		if m.Key.Type() == ast.MergeKeyType {
			from, err := p.convert(m.Value, path, depth)
			if err != nil {
				return nil, err
			}
			merged = append(merged, p.mergeSources(from)...)
			continue
		}
		key, err := p.key(m.Key, path)
		if err != nil {
			return nil, err
		}
		value, err := p.convert(m.Value, key.Path, depth+1)
		if err != nil {
			return nil, err
		}
		if first := seen[key.Value]; first != nil {
			p.duplicate(key, first)
			continue
		}
		seen[key.Value] = key
		n.Keys, n.Values = append(n.Keys, key), append(n.Values, value)
	}
	// What the mapping itself says wins over what is merged into it, and an
	// earlier source over a later one.
	for _, from := range merged {
		for i, k := range from.Keys {
			if seen[k.Value] == nil {
				seen[k.Value] = k
				n.Keys, n.Values = append(n.Keys, k), append(n.Values, from.Values[i])
			}
		}
	}
	return n, nil
}

func (p *parse) duplicate(key, first *Node) {
	p.problems = append(p.problems, Problem{File: p.file, Line: key.Line, Column: key.Column, Path: key.Path, Offending: key.Value,
		Message: fmt.Sprintf("is given twice, first at line %d, column %d", first.Line, first.Column)})
}

func (p *parse) mergeSources(from *Node) []*Node {
	switch from.Kind {
	case Mapping:
		return []*Node{from}
	case Sequence:
		for _, it := range from.Items {
			if it.Kind != Mapping {
				p.add(it.Line, it.Column, it.Path, "only mappings can be merged with <<, not %s", it.Kind)
				return nil
			}
		}
		return from.Items
	}
	p.add(from.Line, from.Column, from.Path, "only mappings can be merged with <<, not %s", from.Kind)
	return nil
}

func (p *parse) key(k ast.MapKeyNode, parent string) (*Node, error) {
	t := k.GetToken()
	_, scalar := k.(ast.ScalarNode)
	if !scalar || t.Type == token.ImplicitNullType {
		p.add(t.Position.Line, t.Position.Column, parent, "a key must be plain or quoted text")
		return nil, errTooMuch
	}
	n, err := p.node(t.Position, memberPath(parent, t.Value))
	if err != nil {
		return nil, err
	}
	n.Kind, n.Value = String, t.Value
	return n, nil
}

func (p *parse) copyNode(from *Node, path string, depth int) (*Node, error) {
	n, err := p.node(&token.Position{Line: from.Line, Column: from.Column}, path)
	if err != nil {
		return nil, err
	}
	n.Kind, n.Value = from.Kind, from.Value
	if n.Kind == Sequence || n.Kind == Mapping {
		if err := p.deep(n, depth); err != nil {
			return nil, err
		}
	}
	for i, it := range from.Items {
		c, err := p.copyNode(it, itemPath(path, i), depth+1)
		if err != nil {
			return nil, err
		}
		n.Items = append(n.Items, c)
	}
	for i, k := range from.Keys {
		key, err := p.copyNode(k, memberPath(path, k.Value), depth)
		if err != nil {
			return nil, err
		}
		value, err := p.copyNode(from.Values[i], key.Path, depth+1)
		if err != nil {
			return nil, err
		}
		n.Keys, n.Values = append(n.Keys, key), append(n.Values, value)
	}
	return n, nil
}
