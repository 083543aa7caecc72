package graphsim

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// retryAfter takes seconds, a duration or an HTTP date.
func (p *script) retryAfter(do *action, n ast.Node, path string) {
	if s, ok := n.(*ast.StringNode); ok {
		if _, err := http.ParseTime(s.Value); err == nil {
			do.retryAfter = s.Value
			return
		}
	}
	if _, ok := n.(*ast.IntegerNode); ok {
		if v, ok := p.integer(n, path, 0); ok {
			do.retryAfter = strconv.Itoa(v)
		}
		return
	}
	if d, ok := p.duration(n, path); ok {
		do.retryAfter = strconv.FormatInt(int64(math.Ceil(d.Seconds())), 10)
	}
}

func (p *script) text(n ast.Node, path string) (string, bool) {
	if s, ok := n.(*ast.StringNode); ok {
		return s.Value, true
	}
	p.wrong(n, path, "must be text")
	return "", false
}

func (p *script) integer(n ast.Node, path string, least int) (int, bool) {
	if i, ok := n.(*ast.IntegerNode); ok {
		v, err := strconv.Atoi(fmt.Sprint(i.Value))
		if err == nil && v >= least && v <= math.MaxInt32 {
			return v, true
		}
	}
	p.wrong(n, path, "must be a whole number from %d on", least)
	return 0, false
}

func (p *script) duration(n ast.Node, path string) (time.Duration, bool) {
	if s, ok := n.(*ast.StringNode); ok {
		if d, err := time.ParseDuration(s.Value); err == nil && d >= 0 {
			return d, true
		}
	}
	p.wrong(n, path, `must be a duration such as "500ms" or "2s"`)
	return 0, false
}

// value turns a node into what encoding/json writes.
func (p *script) value(n ast.Node, path string) (any, bool) {
	switch n := n.(type) {
	case *ast.NullNode:
		return nil, true
	case *ast.BoolNode:
		return n.Value, true
	case *ast.IntegerNode:
		return n.Value, true
	case *ast.FloatNode:
		return n.Value, true
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.SequenceNode:
		list := []any{}
		for i, item := range n.Values {
			v, ok := p.value(item, fmt.Sprintf("%s[%d]", path, i))
			if !ok {
				return nil, false
			}
			list = append(list, v)
		}
		return list, true
	case *ast.MappingNode:
		return p.object(n.Values, path)
	case *ast.MappingValueNode:
		return p.object([]*ast.MappingValueNode{n}, path)
	}
	p.wrong(n, path, "anchors, aliases and tags are not taken here")
	return nil, false
}

func (p *script) object(values []*ast.MappingValueNode, path string) (any, bool) {
	m := map[string]any{}
	for _, kv := range values {
		key := kv.Key.String()
		if s, ok := kv.Key.(*ast.StringNode); ok {
			key = s.Value
		} else if kv.Key.GetToken().Type == token.MergeKeyType {
			p.wrong(kv.Key, path, "merge keys are not taken here")
			return nil, false
		}
		v, ok := p.value(kv.Value, path+"."+key)
		if !ok {
			return nil, false
		}
		m[key] = v
	}
	return m, true
}
