package yamldoc

import (
	"fmt"

	"go.yaml.in/yaml/v4"
)

// place is where something stands, counted from 1.
type place struct{ line, column int }

func (p *parse) node(at place, path string) (*Node, error) {
	p.nodes++
	if p.nodes > maxNodes {
		p.add(at.line, at.column, path, "holds more than %d values", maxNodes)
		return nil, errTooMuch
	}
	return &Node{File: p.file, Line: max(at.line, 1), Column: max(at.column, 1), Path: path}, nil
}

// deep refuses a collection that stands within MaxDepth others.
func (p *parse) deep(n *Node, depth int) error {
	if depth < MaxDepth {
		return nil
	}
	p.add(n.Line, n.Column, n.Path, "is nested more than %d levels deep", MaxDepth)
	return errTooMuch
}

func (p *parse) convert(v *yaml.Node, path string, depth int) (*Node, error) {
	if v.Kind == yaml.AliasNode {
		return p.alias(v, path, depth)
	}
	at, tagged := p.start(v)
	if tagged {
		p.add(v.Line, v.Column, path, "tags such as %s are not read; put a value in quotes to make it a string", oneLine(shorten(v.Tag)))
		return nil, errTooMuch
	}
	n, err := p.node(at, path)
	if err != nil {
		return nil, err
	}
	switch v.Kind {
	case yaml.MappingNode:
		err = p.mapping(n, v, depth)
	case yaml.SequenceNode:
		err = p.sequence(n, v, depth)
	case yaml.ScalarNode:
		p.scalar(n, v)
	default:
		p.add(n.Line, n.Column, path, "cannot be read here")
		err = errTooMuch
	}
	if err != nil {
		return nil, err
	}
	if v.Anchor != "" {
		p.anchors[v] = n
	}
	return n, nil
}

// alias copies what the anchor stands for. A value that is still being read
// cannot be named within itself.
func (p *parse) alias(v *yaml.Node, path string, depth int) (*Node, error) {
	anchored := p.anchors[v.Alias]
	if anchored == nil {
		p.add(v.Line, v.Column, path, "there is no anchor &%s before this alias", shorten(v.Value))
		return nil, errTooMuch
	}
	n, err := p.copyNode(anchored, path, depth)
	if err != nil {
		return nil, err
	}
	n.Line, n.Column = v.Line, v.Column
	return n, nil
}

// indented refuses a value of a collection in block style that stands on a
// line of its own and not further right than the collection; only a list may,
// below its key.
func (p *parse) indented(v, collection *yaml.Node, line, column int) error {
	if collection.Style&yaml.FlowStyle != 0 || empty(v) || v.Line <= line || v.Column > column {
		return nil
	}
	if collection.Kind == yaml.MappingNode && v.Kind == yaml.SequenceNode && v.Style&yaml.FlowStyle == 0 {
		return nil
	}
	p.add(v.Line, v.Column, "", "must be indented further than line %d, which it belongs to", line)
	return errTooMuch
}

func (p *parse) sequence(n *Node, v *yaml.Node, depth int) error {
	n.Kind = Sequence
	if err := p.deep(n, depth); err != nil {
		return err
	}
	for i, item := range v.Content {
		if i == 0 {
			if err := p.indented(item, v, n.Line, n.Column); err != nil {
				return err
			}
		}
		c, err := p.convert(item, itemPath(n.Path, i), depth+1)
		if err != nil {
			return err
		}
		n.Items = append(n.Items, c)
	}
	return nil
}

func (p *parse) scalar(n *Node, v *yaml.Node) {
	n.Kind, n.Value = String, v.Value
	if v.Style != 0 { // in quotes, or a block
		return
	}
	if notFinite.MatchString(v.Value) {
		p.add(n.Line, n.Column, n.Path, "must be a finite number, not %s", v.Value)
		n.Kind = Number // of which nobody shall say more
		n.Value = "0"
		return
	}
	n.Kind = plainKind(v.Value)
	if n.Kind == Null {
		n.Value = ""
	}
}

func (p *parse) mapping(n *Node, v *yaml.Node, depth int) error {
	members := v.Content
	n.Kind = Mapping
	if err := p.deep(n, depth); err != nil {
		return err
	}
	seen := make(map[string]*Node, len(members)/2)
	var merged []*Node
	column := 0
	if len(members) > 0 {
		if column = members[0].Column; v.Line == members[0].Line { // not an anchor on a line before
			column = min(column, v.Column)
		}
	}
	for i := 0; i+1 < len(members); i += 2 {
		if err := p.indented(members[i+1], v, members[i].Line, column); err != nil {
			return err
		}
		if k := members[i]; k.Kind == yaml.ScalarNode && k.Style == 0 && k.Value == "<<" {
			from, err := p.convert(members[i+1], n.Path, depth)
			if err != nil {
				return err
			}
			merged = append(merged, p.mergeSources(from)...)
			continue
		}
		key, err := p.key(members[i], n.Path)
		if err != nil {
			return err
		}
		value, err := p.convert(members[i+1], key.Path, depth+1)
		if err != nil {
			return err
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
	return nil
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

func (p *parse) key(k *yaml.Node, parent string) (*Node, error) {
	at, tagged := p.start(k)
	if k.Kind != yaml.ScalarNode || empty(k) || tagged {
		p.add(k.Line, k.Column, parent, "a key must be plain or quoted text")
		return nil, errTooMuch
	}
	n, err := p.node(at, memberPath(parent, k.Value))
	if err != nil {
		return nil, err
	}
	n.Kind, n.Value = String, k.Value
	if k.Anchor != "" {
		p.anchors[k] = n
	}
	return n, nil
}

func (p *parse) copyNode(from *Node, path string, depth int) (*Node, error) {
	n, err := p.node(place{from.Line, from.Column}, path)
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
