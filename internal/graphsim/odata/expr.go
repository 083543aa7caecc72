package odata

import (
	"strconv"
	"strings"
)

// node is one piece of a filter. After binding, eval gives its value for a
// row; null stands for "cannot be said", which matches nothing.
type node interface {
	// write prints the node so that it parses to the same again.
	write(*strings.Builder)
	bind(*binder) (*Member, *Error)
	eval(*scope) Value
}

// scope is one row, and the variables of the lambdas around a node.
type scope struct {
	get   Getter
	name  string
	value Value
	outer *scope
}

type (
	logical struct {
		or          bool
		left, right node
	}
	negation   struct{ operand node }
	comparison struct {
		op          string
		left, right node
		// never is set for operands that cannot be compared but that the
		// service takes: a quoted date, a quoted property name.
		never   bool
		members *Enumeration
		flags   []string // what has asks for
	}
	membership struct {
		operand node
		values  []*literal
		never   bool
	}
	call struct {
		name string
		args []node
	}
	lambda struct {
		all        bool
		collection *path
		variable   string
		body       node // nil: any()
	}
	path struct {
		parts []string
		at    int
		// variable is the lambda variable that the path begins with.
		variable string
		// member is the declared path below the row or the variable.
		member string
		count  bool
	}
	literal struct {
		text  string
		value Value
		enum  string // the type that it names, if it does
	}
)

func text(n node) string {
	var b strings.Builder
	n.write(&b)
	return b.String()
}

// group prints an operand, in parentheses unless it is a simple one.
func group(b *strings.Builder, n node) {
	switch n.(type) {
	case *path, *literal, *call, *lambda:
		n.write(b)
	default:
		b.WriteByte('(')
		n.write(b)
		b.WriteByte(')')
	}
}

func (n *logical) write(b *strings.Builder) {
	word := " and "
	if n.or {
		word = " or "
	}
	if left, ok := n.left.(*logical); ok && left.or == n.or {
		left.write(b)
	} else {
		n.side(b, n.left)
	}
	b.WriteString(word)
	n.side(b, n.right)
}

func (n *logical) side(b *strings.Builder, operand node) {
	switch operand.(type) {
	case *comparison, *membership:
		operand.write(b)
	default:
		group(b, operand)
	}
}

func (n *negation) write(b *strings.Builder) {
	b.WriteString("not ")
	group(b, n.operand)
}

func (n *comparison) write(b *strings.Builder) {
	group(b, n.left)
	b.WriteString(" " + n.op + " ")
	group(b, n.right)
}

func (n *membership) write(b *strings.Builder) {
	group(b, n.operand)
	b.WriteString(" in (")
	for i, v := range n.values {
		if i > 0 {
			b.WriteByte(',')
		}
		v.write(b)
	}
	b.WriteByte(')')
}

func (n *call) write(b *strings.Builder) {
	b.WriteString(n.name + "(")
	for i, a := range n.args {
		if i > 0 {
			b.WriteByte(',')
		}
		a.write(b)
	}
	b.WriteByte(')')
}

func (n *lambda) write(b *strings.Builder) {
	n.collection.write(b)
	if n.all {
		b.WriteString("/all(")
	} else {
		b.WriteString("/any(")
	}
	if n.body != nil {
		b.WriteString(n.variable + ":")
		n.body.write(b)
	}
	b.WriteByte(')')
}

func (n *path) write(b *strings.Builder) { b.WriteString(strings.Join(n.parts, "/")) }

func (n *literal) write(b *strings.Builder) {
	switch n.value.kind {
	case String, Enum:
		if n.text == "" { // bound or made, not scanned
			b.WriteString("'" + strings.ReplaceAll(n.value.text, "'", "''") + "'")
			return
		}
	case Int:
		b.WriteString(strconv.FormatInt(n.value.number, 10))
		return
	}
	b.WriteString(n.text)
}
