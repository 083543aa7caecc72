package graphsim

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"go.yaml.in/yaml/v4"
)

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func isText(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" }

// retryAfter takes seconds, a duration or an HTTP date.
func (p *script) retryAfter(do *action, n *yaml.Node, path string) {
	if _, err := http.ParseTime(n.Value); err == nil && isText(n) {
		do.retryAfter = n.Value
		return
	}
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!int" {
		if v, ok := p.integer(n, path, 0); ok {
			do.retryAfter = strconv.Itoa(v)
		}
		return
	}
	if d, ok := p.duration(n, path); ok {
		do.retryAfter = strconv.FormatInt(int64(math.Ceil(d.Seconds())), 10)
	}
}

func (p *script) text(n *yaml.Node, path string) (string, bool) {
	if isText(n) {
		return n.Value, true
	}
	p.wrong(n, path, "must be text")
	return "", false
}

func (p *script) integer(n *yaml.Node, path string, least int) (int, bool) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!int" {
		v, err := strconv.Atoi(n.Value)
		if err == nil && v >= least && v <= math.MaxInt32 {
			return v, true
		}
	}
	p.wrong(n, path, "must be a whole number from %d on", least)
	return 0, false
}

func (p *script) duration(n *yaml.Node, path string) (time.Duration, bool) {
	if isText(n) {
		if d, err := time.ParseDuration(n.Value); err == nil && d >= 0 {
			return d, true
		}
	}
	p.wrong(n, path, `must be a duration such as "500ms" or "2s"`)
	return 0, false
}

// value turns a node into what encoding/json writes.
func (p *script) value(n *yaml.Node, path string) (any, bool) {
	switch {
	case n.Anchor != "" || n.Kind == yaml.AliasNode || n.Style&yaml.TaggedStyle != 0:
		p.wrong(n, path, "anchors, aliases and tags are not taken here")
		return nil, false
	case n.Kind == yaml.SequenceNode:
		list := []any{}
		for i, item := range n.Content {
			v, ok := p.value(item, fmt.Sprintf("%s[%d]", path, i))
			if !ok {
				return nil, false
			}
			list = append(list, v)
		}
		return list, true
	case n.Kind == yaml.MappingNode:
		return p.object(n, path)
	case isText(n):
		return n.Value, true
	}
	var v any
	if err := n.Decode(&v); err != nil {
		p.wrong(n, path, "cannot be read: %v", err)
		return nil, false
	}
	return v, true
}

func (p *script) object(n *yaml.Node, path string) (any, bool) {
	m := map[string]any{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.ShortTag() == "!!merge" {
			p.wrong(key, path, "merge keys are not taken here")
			return nil, false
		}
		v, ok := p.value(n.Content[i+1], path+"."+key.Value)
		if !ok {
			return nil, false
		}
		m[key.Value] = v
	}
	return m, true
}
