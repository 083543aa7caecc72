package evaluate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ruleKind is what a rule is about.
type ruleKind uint8

const (
	deviceRule ruleKind = iota + 1
	attributeRule
)

// maxRule is the longest rule that the service takes, in characters.
const maxRule = 3072

// maxRuleDepth bounds nesting, which the length alone bounds too generously.
const maxRuleDepth = 64

// rule is a rule in the syntax of dynamic membership.
type rule struct {
	kind ruleKind
	root expression
}

// holds says whether the rule is true of something that is described by its
// attributes.
func (r *rule) holds(get func(name string) value) bool { return r.root(get) }

// expression is a part of a rule, ready to be asked.
type expression func(get func(name string) value) bool

// value is an attribute's value: no texts is null.
type value struct {
	texts []string
	// list says that the texts are items, which are compared as wholes.
	list bool
}

// operators are those of rules; the second of each pair says the opposite.
var operators = map[string]bool{
	"eq": false, "ne": true, "startswith": false, "notstartswith": true, "endswith": false, "notendswith": true,
	"contains": false, "notcontains": true, "in": false, "notin": true,
}

const (
	anyText   = "eq ne startswith notstartswith endswith notendswith contains notcontains in notin"
	exact     = "eq ne"
	listed    = "eq ne in notin"
	itemsOnly = "contains notcontains"
)

// deviceAttributes are the attributes of devices with the operators that they
// take; all texts take the names of deviceInfo but for one.
var deviceAttributes = func() map[string]string {
	all := map[string]string{
		"deviceid": listed, "displayname": anyText, "deviceownership": exact, "enrollmentprofilename": anyText, "iscompliant": exact,
		"manufacturer": anyText, "mdmappid": listed, "model": anyText, "operatingsystem": anyText, "operatingsystemversion": anyText,
		"physicalids": itemsOnly, "profiletype": exact, "systemlabels": itemsOnly, "trusttype": exact,
	}
	for n := 1; n <= 15; n++ {
		all[fmt.Sprintf("extensionattribute%d", n)] = anyText
	}
	return all
}()

// attribute gives a device's attribute by the name that rules have for it.
func (d Device) attribute(name string) value {
	if strings.EqualFold(name, "deviceOwnership") {
		name = "ownership"
	}
	for member, v := range d {
		if !strings.EqualFold(member, name) {
			continue
		}
		switch v := v.(type) {
		case string:
			return value{texts: []string{v}}
		case bool:
			return value{texts: []string{map[bool]string{true: "True", false: "False"}[v]}}
		case []string:
			return value{texts: v, list: true}
		}
	}
	return value{}
}

// token is a piece of a rule.
type token struct {
	text string
	// quoted says that it is a text; else it is a word or a sign.
	quoted bool
}

// tokens cuts a rule up.
func tokens(text string) ([]token, error) {
	var all []token
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case strings.IndexByte("()[],", c) >= 0:
			all = append(all, token{text: string(c)})
			i++
		case c == '"' || c == '\'':
			t, n, err := quoted(text[i:], c)
			if err != nil {
				return nil, err
			}
			all = append(all, token{text: t, quoted: true})
			i += n
		default:
			n := strings.IndexAny(text[i:], " \t\r\n()[],\"'")
			if n < 0 {
				n = len(text) - i
			}
			all = append(all, token{text: text[i : i+n]})
			i += n
		}
	}
	return all, nil
}

// quoted reads a text in quotation marks; a backtick takes the next character
// as it is.
func quoted(text string, mark byte) (string, int, error) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '`' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case text[i] == mark:
			return b.String(), i + 1, nil
		default:
			b.WriteByte(text[i])
		}
	}
	return "", 0, errors.New("a text does not end")
}

// readRule parses a rule.
func readRule(text string) (*rule, error) {
	if len([]rune(text)) > maxRule {
		return nil, fmt.Errorf("it is longer than %d characters", maxRule)
	}
	all, err := tokens(text)
	if err != nil {
		return nil, err
	}
	p := &ruleParser{tokens: all}
	root, err := p.either(0)
	if err != nil {
		return nil, err
	}
	if len(p.tokens) > 0 {
		return nil, fmt.Errorf("%q is left over", p.tokens[0].text)
	}
	return &rule{p.kind, root}, nil
}

type ruleParser struct {
	tokens []token
	kind   ruleKind
}

// sign takes the next token if it is a certain sign.
func (p *ruleParser) sign(text string) bool {
	if len(p.tokens) == 0 || p.tokens[0].quoted || p.tokens[0].text != text {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

// word takes the next token if it is a certain operator, which may do without
// its hyphen.
func (p *ruleParser) word(name string) bool {
	if len(p.tokens) == 0 || p.tokens[0].quoted || !strings.EqualFold(strings.TrimPrefix(p.tokens[0].text, "-"), name) {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

func (p *ruleParser) next() (token, error) {
	if len(p.tokens) == 0 {
		return token{}, errors.New("it ends too soon")
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t, nil
}

// either, both and one follow the precedence of -or, -and and -not.
func (p *ruleParser) either(depth int) (expression, error) {
	left, err := p.both(depth)
	for err == nil && p.word("or") {
		first := left
		var second expression
		if second, err = p.both(depth); err == nil {
			left = func(get func(string) value) bool { return first(get) || second(get) }
		}
	}
	return left, err
}

func (p *ruleParser) both(depth int) (expression, error) {
	left, err := p.one(depth)
	for err == nil && p.word("and") {
		first := left
		var second expression
		if second, err = p.one(depth); err == nil {
			left = func(get func(string) value) bool { return first(get) && second(get) }
		}
	}
	return left, err
}

func (p *ruleParser) one(depth int) (expression, error) {
	switch {
	case depth > maxRuleDepth:
		return nil, errors.New("it is nested too deeply")
	case p.word("not"):
		inner, err := p.one(depth + 1)
		if err != nil {
			return nil, err
		}
		return func(get func(string) value) bool { return !inner(get) }, nil
	case p.sign("("):
		inner, err := p.either(depth + 1)
		if err != nil {
			return nil, err
		}
		if !p.sign(")") {
			return nil, errors.New("a parenthesis is not closed")
		}
		return inner, nil
	}
	return p.comparison()
}

func (p *ruleParser) comparison() (expression, error) {
	name, allowed, err := p.property()
	if err != nil {
		return nil, err
	}
	t, err := p.next()
	if err != nil {
		return nil, err
	}
	op := strings.ToLower(strings.TrimPrefix(t.text, "-"))
	negative, known := operators[op]
	if t.quoted || !known || !slices.Contains(strings.Fields(allowed), op) {
		return nil, fmt.Errorf("%q is no operator for %s", t.text, name)
	}
	want, null, err := p.operand(strings.HasSuffix(op, "in") && (op == "in" || op == "notin"))
	switch {
	case err != nil:
		return nil, err
	case null && op != "eq" && op != "ne":
		return nil, fmt.Errorf("%q cannot be asked of null", t.text)
	case strings.EqualFold(name, "isCompliant") && p.kind == deviceRule && !null && !named([]string{"True", "False"}, want...):
		return nil, fmt.Errorf("isCompliant is True or False, not %q", want[0])
	}
	positive := strings.TrimPrefix(op, "not")
	if op == "ne" {
		positive = "eq"
	}
	return func(get func(string) value) bool {
		v := get(name)
		if null {
			return (len(v.texts) == 0) != negative
		}
		return v.is(positive, want) != negative
	}, nil
}

// property reads what is asked about, with the operators that it takes.
func (p *ruleParser) property() (name, allowed string, err error) {
	t, err := p.next()
	if err != nil {
		return "", "", err
	}
	object, name, dotted := strings.Cut(t.text, ".")
	kind := ruleKind(0)
	switch {
	case t.quoted || !dotted || name == "":
	case strings.EqualFold(object, "device"):
		kind, allowed = deviceRule, deviceAttributes[strings.ToLower(name)]
	case strings.EqualFold(object, "CustomSecurityAttribute"):
		if set, attribute, joined := strings.Cut(name, "_"); joined && set != "" && attribute != "" {
			kind, allowed = attributeRule, anyText
		}
	}
	switch {
	case allowed == "":
		return "", "", fmt.Errorf("%q is no property", t.text)
	case p.kind != 0 && p.kind != kind:
		return "", "", errors.New("it mixes properties of different things")
	}
	p.kind = kind
	return name, allowed, nil
}

// operand reads what is compared with: a text, true or false, a number, null, or
// a list of them in brackets where one is wanted.
func (p *ruleParser) operand(list bool) (want []string, null bool, err error) {
	if list {
		if !p.sign("[") {
			return nil, false, errors.New("a list in brackets is missing")
		}
		for {
			one, null, err := p.operand(false)
			switch {
			case err != nil:
				return nil, false, err
			case null:
				return nil, false, errors.New("a list cannot hold null")
			}
			want = append(want, one...)
			if p.sign("]") {
				return want, false, nil
			}
			if !p.sign(",") {
				return nil, false, errors.New("a list is not closed")
			}
		}
	}
	t, err := p.next()
	if err != nil {
		return nil, false, err
	}
	if t.quoted {
		return []string{t.text}, false, nil
	}
	switch lower := strings.ToLower(t.text); {
	case lower == "null" || lower == "$null":
		return nil, true, nil
	case lower == "true" || lower == "false":
		return []string{t.text}, false, nil
	case strings.Trim(lower, "0123456789.-") == "" && strings.ContainsAny(lower, "0123456789"):
		return []string{t.text}, false, nil
	}
	return nil, false, fmt.Errorf("%q is no value; texts stand in quotation marks", t.text)
}

// is compares without regard to case; null is nothing that can be named.
func (v value) is(op string, want []string) bool {
	for _, have := range v.texts {
		have := strings.ToLower(have)
		for _, w := range want {
			w := strings.ToLower(w)
			switch op {
			case "eq", "in":
				if have == w {
					return true
				}
			case "startswith":
				if strings.HasPrefix(have, w) {
					return true
				}
			case "endswith":
				if strings.HasSuffix(have, w) {
					return true
				}
			case "contains":
				if v.list && have == w || !v.list && strings.Contains(have, w) {
					return true
				}
			}
		}
	}
	return false
}
