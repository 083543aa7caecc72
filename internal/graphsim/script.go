package graphsim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// The bounds of a fault script.
const (
	maxScript      = 64 << 10
	maxScriptDepth = 64
)

// ScriptError is one mistake in a fault script.
type ScriptError struct {
	File         string
	Line, Column int
	// Path leads to the value, such as faults[0].do.drop.
	Path, Message string
}

func (e *ScriptError) Error() string {
	path := ""
	if e.Path != "" {
		path = e.Path + ": "
	}
	return fmt.Sprintf("%s:%d:%d: %s%s", e.File, e.Line, e.Column, path, e.Message)
}

// parseScript reads a fault script strictly. The error joins one *ScriptError
// for each mistake.
func parseScript(file string, data []byte) ([]*rule, error) {
	p := &script{file: file}
	rules := p.read(data)
	if len(p.errs) > 0 {
		return nil, errors.Join(p.errs...)
	}
	return rules, nil
}

type script struct {
	file string
	errs []error
}

func (p *script) at(line, column int, path, format string, args ...any) {
	p.errs = append(p.errs, &ScriptError{p.file, max(line, 1), max(column, 1), path, fmt.Sprintf(format, args...)})
}

func (p *script) wrong(n *yaml.Node, path, format string, args ...any) {
	p.at(n.Line, n.Column, path, format, args...)
}

func (p *script) read(data []byte) (rules []*rule) {
	// Whatever text makes the YAML library panic cannot be read; it must not
	// end the service.
	defer func() {
		if v := recover(); v != nil {
			p.at(1, 1, "", "cannot be read as YAML")
			rules = nil
		}
	}()
	switch {
	case len(data) > maxScript:
		p.at(1, 1, "", "is larger than %d KiB", maxScript>>10)
		return nil
	case !utf8.Valid(data):
		p.at(1, 1, "", "is not valid UTF-8")
		return nil
	case tooDeep(data):
		p.at(1, 1, "", "is nested more than %d deep", maxScriptDepth)
		return nil
	case len(bytes.TrimSpace(data)) == 0:
		return nil
	}
	var root *yaml.Node
	for dec := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var document yaml.Node
		err := dec.Decode(&document)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			var at *yaml.LoadError
			if errors.As(err, &at) {
				p.at(at.Mark.Line, at.Mark.Column, "", "%s", at.Message)
			} else {
				p.at(1, 1, "", "%v", err)
			}
			return nil
		}
		if len(document.Content) == 0 || isNull(document.Content[0]) {
			continue
		}
		if root != nil {
			p.wrong(document.Content[0], "", "holds more than one document")
			return nil
		}
		root = document.Content[0]
	}
	if root == nil {
		return nil
	}
	p.fields(root, "", map[string]func(*yaml.Node, string){"faults": func(n *yaml.Node, path string) {
		if isNull(n) {
			return
		}
		if n.Kind != yaml.SequenceNode {
			p.wrong(n, path, "must be a list of faults")
			return
		}
		for i, item := range n.Content {
			if r := p.rule(item, fmt.Sprintf("%s[%d]", path, i)); r != nil {
				rules = append(rules, r)
			}
		}
	}})
	return rules
}

// tooDeep guards the recursive parser against nesting, by brackets or by
// indentation, that no script has.
func tooDeep(data []byte) bool {
	depth := 0
	for _, b := range data {
		switch b {
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(depth-1, 0)
		}
		if depth > maxScriptDepth {
			return true
		}
	}
	for line := range bytes.Lines(data) {
		indent := len(line) - len(bytes.TrimLeft(line, " -?"))
		if indent > 4*maxScriptDepth {
			return true
		}
	}
	return false
}

// fields reads a mapping whose keys are all known.
func (p *script) fields(n *yaml.Node, path string, known map[string]func(*yaml.Node, string)) bool {
	if n.Kind != yaml.MappingNode {
		p.wrong(n, path, "must be a mapping with %s", strings.Join(sortedKeys(known), ", "))
		return false
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		key := k.Value
		full := strings.TrimPrefix(path+"."+key, ".")
		read, ok := known[key]
		if !ok {
			hint := ""
			if near := nearest(key, sortedKeys(known)); near != "" {
				hint = fmt.Sprintf(" (did you mean %q?)", near)
			}
			p.wrong(k, full, "unknown key%s", hint)
			continue
		}
		if seen[key] {
			p.wrong(k, full, "is given twice")
			continue
		}
		seen[key] = true
		read(n.Content[i+1], full)
	}
	return true
}

func (p *script) rule(n *yaml.Node, path string) *rule {
	before := len(p.errs)
	r := &rule{do: action{}}
	seen := map[string]bool{}
	ok := p.fields(n, path, map[string]func(*yaml.Node, string){
		"match": func(n *yaml.Node, path string) { p.match(r, n, path) },
		"do": func(n *yaml.Node, path string) {
			seen["do"] = true
			p.action(&r.do, n, path)
		},
	})
	if ok && !seen["do"] {
		p.wrong(n, path, "has no do: nothing would happen")
	}
	if len(p.errs) > before {
		return nil
	}
	return r
}

func (p *script) match(r *rule, n *yaml.Node, path string) {
	if isNull(n) {
		return
	}
	count := func(to *int) func(*yaml.Node, string) {
		return func(n *yaml.Node, path string) {
			if v, ok := p.integer(n, path, 1); ok {
				*to = v
			}
		}
	}
	p.fields(n, path, map[string]func(*yaml.Node, string){
		"method": func(n *yaml.Node, path string) {
			s, ok := p.text(n, path)
			if !ok {
				return
			}
			methods := []string{"GET", "POST", "PATCH", "PUT", "DELETE"}
			if r.method = strings.ToUpper(s); r.method == "*" {
				r.method = ""
			} else if !slices.Contains(methods, r.method) {
				p.wrong(n, path, "%q is not one of %s", s, strings.Join(methods, ", "))
			}
		},
		"path": func(n *yaml.Node, path string) {
			s, ok := p.text(n, path)
			switch {
			case !ok:
			case !strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "*"):
				p.wrong(n, path, "%q must begin with / (the path after /v1.0)", s)
			case strings.HasPrefix(strings.ToLower(s), "/v1.0/"):
				p.wrong(n, path, "%q: leave out /v1.0", s)
			case strings.Contains(s, "?"):
				p.wrong(n, path, "%q: leave out the query", s)
			default:
				r.path = s
			}
		},
		"nth": count(&r.nth), "every": count(&r.every), "times": count(&r.times),
	})
	if r.nth > 0 && r.every > 0 {
		p.wrong(n, path, "nth and every exclude each other")
	}
}

func (p *script) action(do *action, n *yaml.Node, path string) {
	flag := func(to *bool) func(*yaml.Node, string) {
		return func(n *yaml.Node, path string) {
			if n.ShortTag() != "!!bool" || n.Decode(to) != nil {
				p.wrong(n, path, "must be true or false")
			}
		}
	}
	p.fields(n, path, map[string]func(*yaml.Node, string){
		"status": func(n *yaml.Node, path string) {
			if v, ok := p.integer(n, path, 200); ok {
				if v > 599 {
					p.wrong(n, path, "%d is not an HTTP status from 200 to 599", v)
				}
				do.status = v
			}
		},
		"retryAfter": func(n *yaml.Node, path string) { p.retryAfter(do, n, path) },
		"delay": func(n *yaml.Node, path string) {
			if d, ok := p.duration(n, path); ok {
				do.delay = d
			}
		},
		"drop": func(n *yaml.Node, path string) {
			s, ok := p.text(n, path)
			if ok && s != "before" && s != "after" {
				p.wrong(n, path, "%q is not one of before, after (the effect)", s)
			}
			do.drop = s
		},
		"truncate": func(n *yaml.Node, path string) {
			if v, ok := p.integer(n, path, 0); ok {
				do.truncate = &v
			}
		},
		"loopNextLink": flag(&do.loopNextLink), "repeatPage": flag(&do.repeatPage), "emptyPage": flag(&do.emptyPage),
		"body": func(n *yaml.Node, path string) {
			if isText(n) {
				do.body = []byte(n.Value)
				return
			}
			v, ok := p.value(n, path)
			if !ok {
				return
			}
			b, err := encode(v)
			if err != nil {
				p.wrong(n, path, "cannot be written as JSON: %v", err)
				return
			}
			do.body = b
		},
	})
	if do.loopNextLink && (do.repeatPage || do.emptyPage) || do.repeatPage && do.emptyPage {
		p.wrong(n, path, "loopNextLink, repeatPage and emptyPage exclude each other")
	}
}
