package odata

import (
	"strings"

	"github.com/google/uuid"
)

// binder checks an expression against a collection's metadata.
type binder struct {
	collection   *Collection
	unknownEnums bool
	// names and types are the variables of the lambdas around a node, the
	// innermost last.
	names []string
	types []*Member
	uses  []Use
}

// Use is one operation of a filter on a member: which of them a collection
// offers, and under which headers, may be the workload's rule.
type Use struct {
	// Member is the declared path.
	Member string
	// Operator is eq, ne, gt, ge, lt, le, has, in, not, startswith, endswith,
	// contains, any, all or $count.
	Operator string
	// Negated says that a not stands somewhere above.
	Negated bool
	// Null says that the member is compared with null.
	Null bool
}

var (
	boolType   = &Member{Kind: Bool}
	stringType = &Member{Kind: String}
	intType    = &Member{Kind: Int}
	nullType   = &Member{Kind: Null}
)

func (b *binder) condition(n node, operator string) *Error {
	t, err := n.bind(b)
	if err != nil {
		return err
	}
	if (t.Kind == Bool && !t.Collection) || t.Kind == Null {
		return nil
	}
	if operator == "Not" {
		return filterError("A unary operator with an incompatible type was detected. Found operand type '%s' for operator kind 'Not'.", t.typeName())
	}
	if operator == "" {
		return filterError("The $filter expression must evaluate to a single boolean value.")
	}
	return filterError("A binary operator with incompatible types was detected. Found operand types '%s' and 'Edm.Boolean' for operator kind '%s'.", t.typeName(), operator)
}

func (n *logical) bind(b *binder) (*Member, *Error) {
	operator := "And"
	if n.or {
		operator = "Or"
		if limit := b.collection.MaxOr; limit > 0 {
			if count := n.chain(); count > limit {
				return nil, filterError("Too many child clauses specified in search filter expression containing 'OR' operators: %d. Max allowed: %d.", count, limit)
			}
		}
	}
	if err := b.condition(n.left, operator); err != nil {
		return nil, err
	}
	return boolType, b.condition(n.right, operator)
}

// chain counts the clauses joined by or.
func (n *logical) chain() int {
	count := 1
	for {
		count++
		left, ok := n.left.(*logical)
		if !ok || !left.or {
			return count
		}
		n = left
	}
}

func (n *negation) bind(b *binder) (*Member, *Error) {
	first := len(b.uses)
	err := b.condition(n.operand, "Not")
	for i := first; i < len(b.uses); i++ {
		b.uses[i].Negated = true
	}
	return boolType, err
}

var operatorKinds = map[string]string{"eq": "Equal", "ne": "NotEqual", "gt": "GreaterThan", "ge": "GreaterThanOrEqual", "lt": "LessThan", "le": "LessThanOrEqual", "in": "In", "has": "Has"}

func incompatible(left, right *Member, op string) *Error {
	return filterError("A binary operator with incompatible types was detected. Found operand types '%s' and '%s' for operator kind '%s'.", left.typeName(), right.typeName(), operatorKinds[op])
}

func (n *comparison) bind(b *binder) (*Member, *Error) {
	left, err := n.left.bind(b)
	if err != nil {
		return nil, err
	}
	right, err := n.right.bind(b)
	if err != nil {
		return nil, err
	}
	leftLiteral, isLeft := n.left.(*literal)
	rightLiteral, isRight := n.right.(*literal)
	if n.op == "has" {
		return b.flags(n, left, right)
	}
	switch {
	case isLeft && isRight:
		// Somebody quoted a property's name: taken, and never true.
		n.never = left.Kind == String || right.Kind == String || (left.Kind != right.Kind && left.Kind != Null && right.Kind != Null)
	case isRight:
		n.never, err = b.coerce(left, rightLiteral, n.op)
	case isLeft:
		n.never, err = b.coerce(right, leftLiteral, n.op)
	case left.Collection || right.Collection || left.Kind == Complex || right.Kind == Complex:
		err = incompatible(left, right, n.op)
	case left.Kind != right.Kind && (left.Kind != Int || right.Kind != Double) && (left.Kind != Double || right.Kind != Int),
		left.Kind == Enum && left.Enum != right.Enum:
		err = incompatible(left, right, n.op)
	}
	if n.members = left.Enum; n.members == nil {
		n.members = right.Enum
	}
	for _, side := range []node{n.left, n.right} {
		b.use(side, n.op, (isRight && rightLiteral.value.IsNull()) || (isLeft && leftLiteral.value.IsNull()))
	}
	return boolType, err
}

// coerce turns a literal into the type that it is compared with. never says
// that the service takes the comparison but that it cannot be true.
func (b *binder) coerce(t *Member, l *literal, op string) (never bool, err *Error) {
	given := &Member{Kind: l.value.kind}
	switch {
	case l.enum != "" && (t.Enum == nil || !strings.EqualFold(t.Enum.Name, l.enum)):
		return false, filterError("A binary operator with incompatible types was detected. Found operand types '%s' and '%s' for operator kind '%s'.", t.typeName(), l.enum, operatorKinds[op])
	case l.value.IsNull():
		if t.Collection {
			return false, incompatible(t, nullType, op)
		}
		return false, nil
	case t.Collection || t.Kind == Complex:
		return false, incompatible(t, given, op)
	case t.Kind == Enum && given.Kind == String:
		names, err := b.named(t, l)
		if err != nil {
			return false, err
		}
		l.text, l.value = "", EnumValue(strings.Join(names, ","))
	case t.Kind == DateTime && given.Kind == String:
		return true, nil // a quoted date (graph-api §1.2)
	case t.Kind == GUID && given.Kind == String:
		id, bad := uuid.Parse(l.value.text)
		if bad != nil || len(l.value.text) != 36 {
			return false, incompatible(t, given, op)
		}
		l.text, l.value = id.String(), Guid(id.String())
	case t.Kind == given.Kind, t.Kind == Int && given.Kind == Double, t.Kind == Double && given.Kind == Int:
	default:
		return false, incompatible(t, given, op)
	}
	return false, nil
}

// named gives the members of an enumeration that a literal names: one, or the
// flags of a combination.
func (b *binder) named(t *Member, l *literal) ([]string, *Error) {
	var names []string
	for part := range strings.SplitSeq(l.value.text, ",") {
		name, ok := t.Enum.find(strings.TrimSpace(part), b.unknownEnums)
		if !ok {
			return nil, filterError("The string '%s' is not a valid enumeration type constant.", l.value.text)
		}
		names = append(names, name)
	}
	return names, nil
}

// flags checks a has: flags on its left, a literal of their type on its right.
// Flags are one text with commas, or a list where the collection declares so.
func (b *binder) flags(n *comparison, left, right *Member) (*Member, *Error) {
	l, literally := n.right.(*literal)
	if left.Kind != Enum || !literally || right.Kind != String || (l.enum != "" && !strings.EqualFold(left.Enum.Name, l.enum)) {
		return nil, incompatible(left, right, n.op)
	}
	var err *Error
	n.flags, err = b.named(left, l)
	b.use(n.left, n.op, false)
	return boolType, err
}

func (n *membership) bind(b *binder) (*Member, *Error) {
	t, err := n.operand.bind(b)
	if err != nil {
		return nil, err
	}
	if limit := b.collection.MaxOr; limit > 0 && len(n.values) > limit {
		return nil, filterError("Too many child clauses specified in search filter expression containing 'OR' operators: %d. Max allowed: %d.", len(n.values), limit)
	}
	b.use(n.operand, "in", false)
	if _, quoted := n.operand.(*literal); quoted {
		n.never = true
		return boolType, nil
	}
	for _, v := range n.values {
		never, err := b.coerce(t, v, "in")
		if err != nil {
			return nil, err
		}
		n.never = n.never || never
	}
	return boolType, nil
}

func (n *call) bind(b *binder) (*Member, *Error) {
	for _, a := range n.args {
		t, err := a.bind(b)
		if err != nil {
			return nil, err
		}
		if t.Collection || (t.Kind != String && t.Kind != Null) {
			return nil, filterError("No function signature for the function with name '%s' matches the specified arguments.", n.name)
		}
		b.use(a, n.name, false)
	}
	if len(n.args) == 1 {
		return stringType, nil
	}
	return boolType, nil
}

func (n *lambda) bind(b *binder) (*Member, *Error) {
	t, err := n.collection.bind(b)
	if err != nil {
		return nil, err
	}
	operator := "any"
	if n.all {
		operator = "all"
	}
	if !t.Collection {
		return nil, filterError("Any/All may only be used following a collection.")
	}
	b.use(n.collection, operator, false)
	if n.body == nil {
		return boolType, nil
	}
	if len(b.names) == maxLambdas {
		// Nested ones multiply the work on a row.
		return nil, filterError("The Any/All nesting limit of '%d' has been exceeded.", maxLambdas)
	}
	element := *t
	element.Collection = false
	b.names, b.types = append(b.names, n.variable), append(b.types, &element)
	err = b.condition(n.body, "")
	b.names, b.types = b.names[:len(b.names)-1], b.types[:len(b.types)-1]
	return boolType, err
}

func (n *path) bind(b *binder) (*Member, *Error) {
	parts, owner := n.parts, b.collection.Type
	members := b.collection.Members
	var t *Member
	for i := len(b.names) - 1; i >= 0; i-- {
		if b.names[i] != parts[0] {
			continue
		}
		n.variable, t = parts[0], b.types[i]
		parts, members, owner = parts[1:], t.Members, t.typeName()
		break
	}
	var declared []string
	for _, part := range parts {
		if t != nil && t.Collection {
			if part == "$count" {
				n.count = true
				break
			}
			return nil, filterError("The parent value for a property access of a property '%s' is not a single value. Property access can only be applied to a single value.", part)
		}
		found := findMember(members, part)
		if found == nil {
			return nil, filterError("Could not find a property named '%s' on type '%s'.", part, owner)
		}
		if found.NoFilter {
			return nil, &Error{Option: "$filter", Unsupported: true, Message: "Invalid filter clause: The property '" + found.Name + "' cannot be used in the $filter query option."}
		}
		t = found
		declared = append(declared, found.Name)
		members, owner = found.Members, found.typeName()
	}
	if n.count && parts[len(parts)-1] != "$count" {
		return nil, filterError("Syntax error at position %d in '%s'.", n.at, text(n))
	}
	n.member = strings.Join(declared, "/")
	if n.count {
		b.use(n, "$count", false)
		return intType, nil
	}
	return t, nil
}

func (n *literal) bind(*binder) (*Member, *Error) { return &Member{Kind: n.value.kind}, nil }

// use records an operation on a member; those on literals and on the results
// of functions are not of interest.
func (b *binder) use(n node, operator string, null bool) {
	if p, ok := n.(*path); ok {
		b.uses = append(b.uses, Use{Member: p.member, Operator: operator, Null: null})
	}
}
