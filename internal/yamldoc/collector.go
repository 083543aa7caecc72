package yamldoc

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Collector gathers problems while a document is read. The zero value is
// ready. Its readers take a node that may be nil, which means absent: they
// then report nothing and return false. An empty value (null) is not absent,
// it is a problem, so that a key whose value was forgotten is never taken for
// the default.
type Collector struct {
	problems Problems
	missing  []missing
}

// missing says that a mapping lacks a key.
type missing struct {
	of      *Node
	key     string
	problem Problem
}

// Add reports an error at a node.
func (c *Collector) Add(n *Node, format string, args ...any) {
	c.AddProblem(problemAt(n, fmt.Sprintf(format, args...)))
}

// Warn reports a warning at a node.
func (c *Collector) Warn(n *Node, format string, args ...any) {
	p := problemAt(n, fmt.Sprintf(format, args...))
	p.Warning = true
	c.AddProblem(p)
}

// Suggest reports an error at a node and, of the candidates, the one nearest
// to the offending text.
func (c *Collector) Suggest(n *Node, offending string, candidates []string, format string, args ...any) {
	p := problemAt(n, fmt.Sprintf(format, args...))
	p.Offending, p.Suggestion = offending, Nearest(offending, candidates)
	c.AddProblem(p)
}

// AddProblem reports problems that stand elsewhere or were found by others.
func (c *Collector) AddProblem(problems ...Problem) { c.problems = append(c.problems, problems...) }

// Problems returns what was gathered, sorted. That a key is missing is left out where
// the mapping has one that is meant for it: that is one mistake, not two.
func (c *Collector) Problems() Problems {
	type place struct {
		file                  string
		line, column          int
		offending, suggestion string
	}
	misspelt := map[place]bool{}
	for _, p := range c.problems {
		if !p.Warning {
			misspelt[place{p.File, p.Line, p.Column, p.Offending, p.Suggestion}] = true
		}
	}
	for _, m := range c.missing {
		if m.of == nil || !slices.ContainsFunc(m.of.Keys, func(k *Node) bool {
			return misspelt[place{k.File, k.Line, k.Column, k.Value, m.key}]
		}) {
			c.problems = append(c.problems, m.problem)
		}
	}
	c.missing = nil
	c.problems.Sort()
	return c.problems
}

func problemAt(n *Node, message string) Problem {
	p := Problem{Message: message}
	if n != nil {
		p.File, p.Line, p.Column, p.Path = n.File, n.Line, n.Column, n.Path
		if n.Kind != Sequence && n.Kind != Mapping {
			p.Offending = n.Value
		}
	}
	return p
}

// Fields reports whether n is a mapping, and every key of it that is not among
// the known ones, with the nearest of them.
func (c *Collector) Fields(n *Node, known ...string) bool {
	if !c.is(n, Mapping) {
		return false
	}
	isKnown := make(map[string]bool, len(known))
	for _, k := range known {
		isKnown[k] = true
	}
	for _, k := range n.Keys {
		if !isKnown[k.Value] {
			c.Suggest(k, k.Value, known, "unknown key")
		}
	}
	return true
}

// Require returns a member of a mapping; that it is missing is an error.
func (c *Collector) Require(n *Node, key string) *Node {
	v := n.Get(key)
	if v == nil {
		c.Missing(n, key)
	}
	return v
}

// Missing reports that a mapping lacks a key, perhaps with what it is.
func (c *Collector) Missing(n *Node, key string, what ...string) {
	c.missing = append(c.missing, missing{of: n, key: key, problem: problemAt(n, strings.Join(append([]string{key + " is missing"}, what...), ": "))})
}

// Items returns the elements of a list.
func (c *Collector) Items(n *Node) ([]*Node, bool) {
	if !c.is(n, Sequence) {
		return nil, false
	}
	return n.Items, true
}

// String reads a string.
func (c *Collector) String(n *Node) (string, bool) {
	if !c.is(n, String) {
		return "", false
	}
	return n.Value, true
}

// Strings reads a list of strings. It is false if one of them is not.
func (c *Collector) Strings(n *Node) ([]string, bool) {
	if !c.is(n, Sequence) {
		return nil, false
	}
	texts, all := make([]string, 0, len(n.Items)), true
	for _, it := range n.Items {
		s, ok := c.String(it)
		all = all && ok
		texts = append(texts, s)
	}
	if !all {
		return nil, false
	}
	return texts, true
}

// Enum reads a string that must be one of the values, in their own case.
func (c *Collector) Enum(n *Node, values ...string) (string, bool) {
	if n != nil && n.Kind != String {
		c.wrong(n, oneOf(values))
		return "", false
	}
	s, ok := c.String(n)
	if !ok {
		return "", false
	}
	for _, v := range values {
		if s == v {
			return s, true
		}
	}
	c.Suggest(n, s, values, "must be %s, not %s", oneOf(values), quoted(s))
	return "", false
}

// Bool reads true or false.
func (c *Collector) Bool(n *Node) (bool, bool) {
	if !c.is(n, Bool) {
		return false, false
	}
	return strings.EqualFold(n.Value, "true"), true
}

// Int reads a whole number.
func (c *Collector) Int(n *Node) (int, bool) {
	if n == nil {
		return 0, false
	}
	if n.Kind == Number {
		if i, err := strconv.Atoi(canonicalNumber(n.Value)); err == nil {
			return i, true
		}
	}
	c.wrong(n, "a whole number")
	return 0, false
}

// Float reads a number.
func (c *Collector) Float(n *Node) (float64, bool) {
	if !c.is(n, Number) {
		return 0, false
	}
	f, err := strconv.ParseFloat(canonicalNumber(n.Value), 64)
	if err != nil || math.IsInf(f, 0) {
		c.Add(n, "the number %s is out of range", shorten(n.Value))
		return 0, false
	}
	return f, true
}

// Duration reads a Go duration such as 90s, 15m or 72h, or days such as 30d.
func (c *Collector) Duration(n *Node) (time.Duration, bool) {
	if n == nil {
		return 0, false
	}
	if n.Kind == String {
		if d, err := time.ParseDuration(n.Value); err == nil {
			return d, true
		}
		if days, ok := strings.CutSuffix(n.Value, "d"); ok {
			if n, err := strconv.ParseUint(days, 10, 16); err == nil {
				return time.Duration(n) * 24 * time.Hour, true
			}
		}
	}
	c.wrong(n, "a duration such as 90s, 15m or 72h")
	return 0, false
}

// Date reads a day, 2006-01-02, as its first moment in UTC.
func (c *Collector) Date(n *Node) (time.Time, bool) {
	if n == nil {
		return time.Time{}, false
	}
	if n.Kind == String {
		if t, err := time.Parse(time.DateOnly, n.Value); err == nil {
			return t, true
		}
	}
	c.wrong(n, "a date such as 2027-03-31")
	return time.Time{}, false
}

func (c *Collector) is(n *Node, kind Kind) bool {
	if n == nil {
		return false
	}
	if n.Kind == kind {
		return true
	}
	switch kind {
	case Bool:
		c.wrong(n, "true or false")
	case String:
		if n.Kind == Bool || n.Kind == Number {
			c.Add(n, "must be a string, not %s %s; put it in quotes", n.Kind, shorten(n.Value))
			return false
		}
		c.wrong(n, kind.String())
	default:
		c.wrong(n, kind.String())
	}
	return false
}

// wrong reports that a node is not what is wanted, and shows what it is.
func (c *Collector) wrong(n *Node, want string) {
	switch n.Kind {
	case Null:
		c.Add(n, "must be %s, but has no value", want)
	case Bool, Number:
		c.Add(n, "must be %s, not %s", want, shorten(n.Value))
	case String:
		c.Add(n, "must be %s, not %s", want, quoted(n.Value))
	default:
		c.Add(n, "must be %s, not %s", want, n.Kind)
	}
}

func quoted(s string) string { return strconv.Quote(shorten(s)) }

func oneOf(values []string) string {
	if len(values) < 2 {
		return strings.Join(values, "")
	}
	return strings.Join(values[:len(values)-1], ", ") + " or " + values[len(values)-1]
}
