package odata

import (
	"slices"
	"strings"
)

// Filter is a checked $filter. It is safe for concurrent use.
type Filter struct {
	root node
	uses []Use
}

// ParseFilter reads an expression against the collection. unknownEnums says
// whether members after an enumeration's sentinel may be named.
func (c *Collection) ParseFilter(text string, unknownEnums bool) (*Filter, *Error) {
	root, err := parse(text)
	if err != nil {
		return nil, err
	}
	b := &binder{collection: c, unknownEnums: unknownEnums}
	if err := b.condition(root, ""); err != nil {
		return nil, err
	}
	return &Filter{root: root, uses: b.uses}, nil
}

// Match says whether a row passes.
func (f *Filter) Match(get Getter) bool {
	return isTrue(f.root.eval(&scope{get: get}))
}

// Uses lists the operations on members, in the order of the text.
func (f *Filter) Uses() []Use { return f.uses }

// String prints the filter in a form that parses to the same filter.
func (f *Filter) String() string { return text(f.root) }

// Required gives, for a member, the values that a matching row must have one
// of, if the filter says so at its top (member eq 'x', member in (...), alone
// or joined by and): a workload may then look rows up instead of scanning.
func (f *Filter) Required(member string) (values []string, ok bool) { return required(f.root, member) }

func required(n node, member string) ([]string, bool) {
	is := func(n node) bool {
		p, ok := n.(*path)
		return ok && p.member == member && p.variable == "" && !p.count
	}
	switch n := n.(type) {
	case *logical:
		left, ok := required(n.left, member)
		if n.or {
			right, both := required(n.right, member)
			return append(left[:len(left):len(left)], right...), ok && both
		}
		if ok {
			return left, true
		}
		return required(n.right, member)
	case *comparison:
		if n.op != "eq" || n.never {
			return nil, false
		}
		l, r := n.left, n.right
		if is(r) {
			l, r = r, l
		}
		if v, literally := r.(*literal); literally && is(l) && !v.value.IsNull() {
			return []string{v.value.text}, true
		}
	case *membership:
		if !is(n.operand) || n.never {
			return nil, false
		}
		values := make([]string, len(n.values))
		for i, v := range n.values {
			if v.value.IsNull() {
				return nil, false
			}
			values[i] = v.value.text
		}
		return values, true
	}
	return nil, false
}

func isTrue(v Value) bool  { return v.kind == Bool && v.number == 1 }
func isFalse(v Value) bool { return v.kind == Bool && v.number == 0 }

func (n *logical) eval(s *scope) Value {
	left := n.left.eval(s)
	if n.or {
		if isTrue(left) {
			return left
		}
		right := n.right.eval(s)
		if isTrue(right) || left.kind == Bool {
			return right
		}
		return Value{}
	}
	if isFalse(left) {
		return left
	}
	right := n.right.eval(s)
	if isFalse(right) || left.kind == Bool {
		return right
	}
	return Value{}
}

func (n *negation) eval(s *scope) Value {
	v := n.operand.eval(s)
	if v.kind != Bool {
		return Value{}
	}
	return Boolean(v.number == 0)
}

func (n *comparison) eval(s *scope) Value {
	if n.never {
		return Value{}
	}
	if n.op == "has" {
		return n.has(s)
	}
	left, right := n.left.eval(s), n.right.eval(s)
	if left.IsNull() || right.IsNull() {
		same := left.IsNull() && right.IsNull()
		switch n.op {
		case "eq":
			return Boolean(same)
		case "ne":
			return Boolean(!same)
		}
		return Boolean(false)
	}
	switch n.op {
	case "eq":
		return Boolean(equal(left, right))
	case "ne":
		return Boolean(!equal(left, right))
	}
	order := compare(left, right, n.members)
	switch n.op {
	case "gt":
		return Boolean(order > 0)
	case "ge":
		return Boolean(order >= 0)
	case "lt":
		return Boolean(order < 0)
	}
	return Boolean(order <= 0)
}

func (n *comparison) has(s *scope) Value {
	v := n.left.eval(s)
	set := strings.Split(v.text, ",")
	for _, item := range v.items {
		set = append(set, item.text)
	}
	for _, f := range n.flags {
		if !slices.Contains(set, f) {
			return Boolean(false)
		}
	}
	return Boolean(!v.IsNull())
}

func (n *membership) eval(s *scope) Value {
	if n.never {
		return Value{}
	}
	v := n.operand.eval(s)
	for _, l := range n.values {
		if v.IsNull() || l.value.IsNull() {
			if v.IsNull() && l.value.IsNull() {
				return Boolean(true)
			}
			continue
		}
		if equal(v, l.value) {
			return Boolean(true)
		}
	}
	return Boolean(false)
}

func (n *call) eval(s *scope) Value {
	first := n.args[0].eval(s)
	if first.IsNull() {
		return Value{}
	}
	switch n.name {
	case "tolower":
		return Text(strings.ToLower(first.text))
	case "toupper":
		return Text(strings.ToUpper(first.text))
	}
	second := n.args[1].eval(s)
	if second.IsNull() {
		return Value{}
	}
	in, what := fold(first.text), fold(second.text)
	switch n.name {
	case "startswith":
		return Boolean(strings.HasPrefix(in, what))
	case "endswith":
		return Boolean(strings.HasSuffix(in, what))
	}
	return Boolean(strings.Contains(in, what))
}

func (n *lambda) eval(s *scope) Value {
	v := n.collection.eval(s)
	if n.body == nil {
		return Boolean(len(v.items) > 0)
	}
	inner := &scope{get: s.get, name: n.variable, outer: s}
	for _, item := range v.items {
		inner.value = item
		if isTrue(n.body.eval(inner)) != n.all {
			return Boolean(!n.all)
		}
	}
	return Boolean(n.all)
}

func (n *path) eval(s *scope) Value {
	v := n.lookup(s)
	if n.count {
		return Integer(int64(len(v.items)))
	}
	return v
}

func (n *path) lookup(s *scope) Value {
	if n.variable == "" {
		return s.get(n.member)
	}
	for s.name != n.variable {
		s = s.outer
	}
	switch {
	case n.member == "":
		return s.value
	case s.value.fields == nil:
		return Value{}
	}
	return s.value.fields(n.member)
}

func (n *literal) eval(*scope) Value { return n.value }
