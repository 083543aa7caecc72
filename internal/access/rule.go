package access

import (
	"fmt"
	"slices"
	"strings"
)

// rule is a filter for devices, applications or workload identities in the
// service's own syntax, such as
//
//	device.trustType -eq "ServerAD" -and -not (device.model -startsWith "X")
type rule interface {
	// met judges the rule; value gives the values of a property and whether
	// they are known. A property without values is null.
	met(value func(property string) ([]string, bool)) Truth
}

type (
	allOf  []rule
	anyOf  []rule
	not    struct{ of rule }
	clause struct {
		property string // folded
		is       func(values, operands []string) bool
		negative bool
		operands []string // folded
	}
)

func (r allOf) met(value func(string) ([]string, bool)) Truth {
	t := Yes
	for _, p := range r {
		t = t.And(p.met(value))
	}
	return t
}

func (r anyOf) met(value func(string) ([]string, bool)) Truth {
	t := No
	for _, p := range r {
		t = t.Or(p.met(value))
	}
	return t
}

func (r not) met(value func(string) ([]string, bool)) Truth { return r.of.met(value).Not() }

// met: a positive operator never matches null, a negative one always does.
func (c clause) met(value func(string) ([]string, bool)) Truth {
	values, known := value(c.property)
	if !known {
		return Unknown
	}
	folded := make([]string, len(values))
	for i, v := range values {
		folded[i] = strings.ToLower(v)
	}
	return truth(c.is(folded, c.operands) != c.negative)
}

// collections are the properties whose values are whole strings to -contains.
var collections = []string{"device.physicalids", "device.systemlabels"}

// comparison is an operator in its positive form.
func comparison(op, property string) (is func(values, operands []string) bool, negative, ok bool) {
	name, negative := strings.CutPrefix(op, "not")
	some := func(match func(value, operand string) bool) func(values, operands []string) bool {
		return func(values, operands []string) bool {
			return slices.ContainsFunc(values, func(v string) bool {
				return slices.ContainsFunc(operands, func(o string) bool { return match(v, o) })
			})
		}
	}
	equal := func(v, o string) bool { return v == o }
	switch {
	case op == "ne":
		return equalOrNull, true, true
	case op == "eq":
		return equalOrNull, false, true
	case name == "in":
		return some(equal), negative, true
	case name == "startswith":
		return some(strings.HasPrefix), negative, true
	case name == "endswith":
		return some(strings.HasSuffix), negative, true
	case name == "contains":
		if slices.Contains(collections, property) || !strings.HasPrefix(property, "device.") {
			return some(equal), negative, true // of a custom security attribute: one of its values
		}
		return some(strings.Contains), negative, true
	}
	return nil, false, false
}

// null is the operand null, which no text in quotes can be.
const null = "\x00null"

func equalOrNull(values, operands []string) bool {
	if operands[0] == null {
		return len(values) == 0
	}
	return slices.Contains(values, operands[0])
}

// parseRule reads a filter rule.
func parseRule(text string) (rule, error) {
	p := &ruleParser{rest: text}
	p.next()
	r, err := p.any(0)
	if err != nil {
		return nil, err
	}
	if p.token != "" {
		return nil, fmt.Errorf("%q is one too many", p.token)
	}
	return r, nil
}

type ruleParser struct {
	rest   string
	token  string // folded, empty at the end
	quoted bool   // the token is text in quotes
	err    error
}

// next reads one token: a bracket, a comma, a word or text in quotes.
func (p *ruleParser) next() {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	p.token, p.quoted = "", false
	if p.rest == "" {
		return
	}
	switch c := p.rest[0]; c {
	case '(', ')', '[', ']', ',':
		p.token, p.rest = p.rest[:1], p.rest[1:]
	case '"', '\'':
		var b strings.Builder
		i := 1
		for ; i < len(p.rest) && p.rest[i] != c; i++ {
			if p.rest[i] == '`' && i+1 < len(p.rest) { // the escape of this syntax
				i++
			}
			b.WriteByte(p.rest[i])
		}
		if i == len(p.rest) {
			p.err = fmt.Errorf("a text in quotes does not end")
			p.rest = ""
			return
		}
		p.token, p.quoted, p.rest = strings.ToLower(b.String()), true, p.rest[i+1:]
	default:
		end := strings.IndexAny(p.rest, " \t\r\n()[],\"'")
		if end < 0 {
			end = len(p.rest)
		}
		p.token, p.rest = strings.ToLower(p.rest[:end]), p.rest[end:]
	}
}

func (p *ruleParser) is(word string) bool { return !p.quoted && p.token == word }

const deepestRule = 64 // brackets within brackets

func (p *ruleParser) any(depth int) (rule, error) {
	return p.list(depth, "-or", p.all, func(l []rule) rule { return anyOf(l) })
}

func (p *ruleParser) all(depth int) (rule, error) {
	return p.list(depth, "-and", p.one, func(l []rule) rule { return allOf(l) })
}

func (p *ruleParser) list(depth int, joint string, part func(int) (rule, error), join func([]rule) rule) (rule, error) {
	var l []rule
	for {
		r, err := part(depth)
		if err != nil {
			return nil, err
		}
		l = append(l, r)
		if !p.is(joint) {
			break
		}
		p.next()
	}
	if len(l) == 1 {
		return l[0], nil
	}
	return join(l), nil
}

func (p *ruleParser) one(depth int) (rule, error) {
	if depth > deepestRule {
		return nil, fmt.Errorf("brackets go deeper than %d", deepestRule)
	}
	switch {
	case p.err != nil:
		return nil, p.err
	case p.is("-not"):
		p.next()
		r, err := p.one(depth + 1)
		return not{r}, err
	case p.is("("):
		p.next()
		r, err := p.any(depth + 1)
		if err != nil {
			return nil, err
		}
		if !p.is(")") {
			return nil, fmt.Errorf("a bracket is not closed")
		}
		p.next()
		return r, nil
	}
	return p.clause()
}

func (p *ruleParser) clause() (rule, error) {
	property := p.token
	if p.quoted || !strings.Contains(property, ".") {
		return nil, fmt.Errorf("%q is no property", property)
	}
	if property == "device.devicephysicalids" {
		property = "device.physicalids"
	}
	p.next()
	op, ok := strings.CutPrefix(p.token, "-")
	is, negative, known := comparison(op, property)
	if p.quoted || !ok || !known {
		return nil, fmt.Errorf("%q is no operator", p.token)
	}
	p.next()
	operands, err := p.operands()
	if err != nil {
		return nil, err
	}
	return clause{property: property, is: is, negative: negative, operands: operands}, nil
}

// operands are one value, or a list in brackets.
func (p *ruleParser) operands() ([]string, error) {
	if !p.is("[") {
		v, err := p.operand()
		return []string{v}, err
	}
	var list []string
	for {
		p.next()
		if p.is("]") && len(list) == 0 {
			break
		}
		v, err := p.operand()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		if !p.is(",") {
			break
		}
	}
	if !p.is("]") {
		return nil, fmt.Errorf("a list is not closed")
	}
	p.next()
	if len(list) == 0 {
		return nil, fmt.Errorf("a list is empty")
	}
	return list, nil
}

func (p *ruleParser) operand() (string, error) {
	if p.err != nil {
		return "", p.err
	}
	v := p.token
	switch {
	case p.quoted:
	case v == "null" || v == "$null":
		v = null
	case v == "" || strings.ContainsAny(v[:1], "()[],-"):
		return "", fmt.Errorf("a value is missing")
	}
	p.next()
	return v, p.err
}
