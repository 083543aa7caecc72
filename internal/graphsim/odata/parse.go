package odata

import "strings"

const (
	// maxDepth bounds nesting, maxLambdas that of any and all, and maxTokens
	// the whole expression, so that no query can exhaust the service.
	maxDepth   = 100
	maxLambdas = 2
	maxTokens  = 10_000
)

// parser reads one expression by recursive descent.
type parser struct {
	text   string
	tokens []token
	next   int
	depth  int
}

func parse(text string) (node, *Error) {
	tokens, err := scan(text)
	if err != nil {
		return nil, err
	}
	p := &parser{text: text, tokens: tokens}
	n, err := p.either()
	if err != nil {
		return nil, err
	}
	if p.peek().kind != tokenEnd {
		return nil, p.syntax()
	}
	return n, nil
}

func (p *parser) peek() token { return p.tokens[p.next] }

func (p *parser) take() token {
	t := p.tokens[p.next]
	if t.kind != tokenEnd {
		p.next++
	}
	return t
}

func (p *parser) word(w string) bool {
	t := p.peek()
	if t.kind == tokenName && strings.EqualFold(t.text, w) {
		p.next++
		return true
	}
	return false
}

func (p *parser) mark(c string) bool {
	t := p.peek()
	if t.kind == tokenPunctuation && t.text == c {
		p.next++
		return true
	}
	return false
}

func (p *parser) syntax() *Error {
	return filterError("Syntax error at position %d in '%s'.", p.peek().at, p.text)
}

func (p *parser) missing(what string) *Error {
	return filterError("%s expected at position %d in '%s'.", what, p.peek().at, p.text)
}

func (p *parser) enter() *Error {
	if p.depth++; p.depth > maxDepth {
		return filterError("Recursion depth exceeded allowed limit.")
	}
	return nil
}

func (p *parser) either() (node, *Error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	left, err := p.both()
	for err == nil && p.word("or") {
		var right node
		right, err = p.both()
		left = &logical{or: true, left: left, right: right}
	}
	return left, err
}

func (p *parser) both() (node, *Error) {
	left, err := p.compared()
	for err == nil && p.word("and") {
		var right node
		right, err = p.compared()
		left = &logical{left: left, right: right}
	}
	return left, err
}

// compared reads a comparison; "not" covers the whole of what follows it up
// to the next and or or.
func (p *parser) compared() (node, *Error) {
	if t := p.peek(); t.kind == tokenName && strings.EqualFold(t.text, "not") {
		p.next++
		if err := p.enter(); err != nil {
			return nil, err
		}
		defer func() { p.depth-- }()
		operand, err := p.compared()
		return &negation{operand}, err
	}
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	t := p.peek()
	if t.kind != tokenName {
		return left, nil
	}
	switch op := strings.ToLower(t.text); op {
	case "eq", "ne", "gt", "ge", "lt", "le", "has":
		p.next++
		right, err := p.operand()
		return &comparison{op: op, left: left, right: right}, err
	case "in":
		p.next++
		return p.among(left)
	}
	return left, nil
}

func (p *parser) among(left node) (node, *Error) {
	if !p.mark("(") {
		return nil, p.missing("'('")
	}
	n := &membership{operand: left}
	for {
		t := p.take()
		if t.kind != tokenLiteral {
			p.next = max(p.next-1, 0)
			return nil, p.syntax()
		}
		n.values = append(n.values, &literal{text: t.text, value: t.value, enum: t.enum})
		if p.mark(")") {
			return n, nil
		}
		if !p.mark(",") {
			return nil, p.missing("')' or ','")
		}
	}
}

func (p *parser) operand() (node, *Error) {
	switch t := p.take(); t.kind {
	case tokenLiteral:
		return &literal{text: t.text, value: t.value, enum: t.enum}, nil
	case tokenName:
		if p.mark("(") {
			return p.call(t)
		}
		return p.path(t)
	case tokenPunctuation:
		if t.text != "(" {
			break
		}
		n, err := p.either()
		if err != nil {
			return nil, err
		}
		if !p.mark(")") {
			return nil, p.missing("')' or operator")
		}
		return n, nil
	case tokenEnd:
		return nil, filterError("Expression expected at position %d in '%s'.", t.at, p.text)
	}
	p.next--
	return nil, filterError("Expression expected at position %d in '%s'.", p.peek().at, p.text)
}

func (p *parser) call(name token) (node, *Error) {
	n := &call{name: strings.ToLower(name.text)}
	if _, ok := functions[n.name]; !ok {
		return nil, filterError("An unknown function with name '%s' was found. This may also be a function import or a key lookup on a navigation property, which is not allowed.", name.text)
	}
	for !p.mark(")") {
		if len(n.args) > 0 && !p.mark(",") {
			return nil, p.missing("')' or ','")
		}
		if err := p.enter(); err != nil {
			return nil, err
		}
		arg, err := p.operand()
		p.depth--
		if err != nil {
			return nil, err
		}
		n.args = append(n.args, arg)
	}
	if want := functions[n.name]; len(n.args) != want {
		return nil, filterError("No function signature for the function with name '%s' matches the specified arguments.", n.name)
	}
	return n, nil
}

// functions maps a function to the number of its arguments.
var functions = map[string]int{"startswith": 2, "endswith": 2, "contains": 2, "tolower": 1, "toupper": 1}

func (p *parser) path(first token) (node, *Error) {
	n := &path{parts: []string{first.text}, at: first.at}
	for p.mark("/") {
		t := p.take()
		if t.kind != tokenName {
			p.next = max(p.next-1, 0)
			return nil, p.syntax()
		}
		if word := strings.ToLower(t.text); (word == "any" || word == "all") && p.mark("(") {
			return p.lambda(n, word == "all")
		}
		n.parts = append(n.parts, t.text)
	}
	return n, nil
}

func (p *parser) lambda(collection *path, all bool) (node, *Error) {
	n := &lambda{all: all, collection: collection}
	if p.mark(")") {
		if all {
			return nil, p.syntax()
		}
		return n, nil
	}
	variable := p.take()
	if variable.kind != tokenName || !p.mark(":") {
		return nil, p.syntax()
	}
	n.variable = variable.text
	body, err := p.either()
	if err != nil {
		return nil, err
	}
	if !p.mark(")") {
		return nil, p.missing("')' or operator")
	}
	n.body = body
	return n, nil
}
