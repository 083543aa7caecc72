package odata

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Options are the query options of one call, checked against a Collection.
type Options struct {
	// Filter is nil without $filter.
	Filter *Filter
	// Select holds the selected members as declared, in the order asked for;
	// nil means all.
	Select []string
	// Orders is empty without $orderby.
	Orders []Order
	Expand []Expand
	// Search is the raw text of $search.
	Search string
	// Top is the page size: $top, or the collection's default. TopGiven says
	// that the caller chose it.
	Top      int
	TopGiven bool
	// Offset is where the page begins in the filtered and ordered rows: the
	// skip token's, or $skip.
	Offset int
	// Continued is true for a call with a skip token.
	Continued bool
	// Count asks for @odata.count.
	Count bool

	mark string
}

// Order is one key of $orderby.
type Order struct {
	// Member is the declared path, and Type its declaration.
	Member string
	Type   *Member
	Desc   bool
}

// Expand is one navigation property of $expand with its own options, not yet
// checked: principal($select=id) has the options {"$select": "id"}.
type Expand struct {
	Name    string
	Options url.Values
}

const notAllowed = "Query option '%s' is not allowed. To allow it, set the 'AllowedQueryOptions' property on EnableQueryAttribute or QueryValidationSettings."

func refused(option, name string) *Error {
	return &Error{Option: option, Message: fmt.Sprintf(notAllowed, name), Unsupported: true}
}

// Parse checks the options of a call for a list. Names are the canonical ones,
// "$filter".
func (c *Collection) Parse(q url.Values, unknownEnums bool) (*Options, *Error) {
	o := &Options{Top: c.DefaultTop}
	names := make([]string, 0, len(q))
	for name := range q {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := c.option(o, name, q.Get(name), unknownEnums); err != nil {
			return nil, err
		}
	}
	o.mark = mark(c.Type, q)
	if token, ok := q["$skiptoken"]; ok {
		offset, ok := readToken(token[0], o.mark)
		if !ok {
			return nil, &Error{Option: "$skiptoken", Message: "Invalid skip token."}
		}
		o.Offset, o.Continued = offset, true
	}
	return o, nil
}

func (c *Collection) option(o *Options, name, value string, unknownEnums bool) (err *Error) {
	switch name {
	case "$filter":
		if !c.Filterable {
			return refused(name, "Filter")
		}
		o.Filter, err = c.ParseFilter(value, unknownEnums)
	case "$select":
		o.Select, err = c.ParseSelect(value)
	case "$orderby":
		if !c.Orderable {
			return refused(name, "OrderBy")
		}
		o.Orders, err = c.parseOrder(value)
	case "$expand":
		o.Expand, err = c.ParseExpand(value)
	case "$search":
		if !c.Searchable {
			return refused(name, "Search")
		}
		o.Search = value
	case "$top":
		if c.MaxTop == 0 {
			return refused(name, "Top")
		}
		o.Top, err = c.parseTop(value)
		o.TopGiven = true
	case "$skip":
		if !c.Skippable {
			return refused(name, "Skip")
		}
		o.Offset, err = natural("$skip", value)
	case "$count":
		o.Count, err = parseCount(value)
		if err == nil && o.Count && !c.Countable {
			return refused(name, "Count")
		}
	case "$skiptoken":
	case "$format":
		if !strings.EqualFold(value, "json") && !strings.HasPrefix(strings.ToLower(value), "application/json") {
			return &Error{Option: name, Message: "A supported MIME type could not be found that matches the content type of the response."}
		}
	default:
		return refused(name, strings.TrimPrefix(name, "$"))
	}
	return err
}

// ParseSelect reads $select for a list or a single row.
func (c *Collection) ParseSelect(value string) ([]string, *Error) {
	var selected []string
	for part := range strings.SplitSeq(value, ",") {
		part = strings.TrimSpace(part)
		if part == "*" {
			return nil, nil
		}
		if part == "" {
			return nil, &Error{Option: "$select", Message: "Parsing OData Select and Expand failed: Term '" + value + "' is not valid in a $select or $expand expression."}
		}
		m, declared, ok := c.Lookup(part)
		if !ok {
			return nil, &Error{Option: "$select", Message: "Parsing OData Select and Expand failed: Could not find a property named '" + part + "' on type '" + c.Type + "'."}
		}
		if m.Navigation {
			continue
		}
		if !slices.Contains(selected, declared) {
			selected = append(selected, declared)
		}
	}
	if selected == nil {
		selected = []string{}
	}
	return selected, nil
}

// ParseExpand reads $expand for a list or a single row.
func (c *Collection) ParseExpand(value string) ([]Expand, *Error) {
	if len(c.Expandable) == 0 {
		return nil, refused("$expand", "Expand")
	}
	var all []Expand
	for _, part := range splitTop(value, ',') {
		part = strings.TrimSpace(part)
		name, rest, options := strings.Cut(part, "(")
		e := Expand{Name: strings.TrimSpace(name), Options: url.Values{}}
		i := slices.IndexFunc(c.Expandable, func(n string) bool { return strings.EqualFold(n, e.Name) })
		if i < 0 {
			switch m, _, ok := c.Lookup(e.Name); {
			case ok && m.Navigation:
				return nil, &Error{Option: "$expand", Unsupported: true, Message: "The navigation property '" + m.Name + "' on type '" + c.Type + "' cannot be expanded."}
			case ok:
				return nil, expandError("Property '%s' on type '%s' is not a navigation property or complex property. Only navigation properties can be expanded.", m.Name, c.Type)
			}
			return nil, expandError("Could not find a property named '%s' on type '%s'.", e.Name, c.Type)
		}
		e.Name = c.Expandable[i]
		if options {
			inner, ok := strings.CutSuffix(rest, ")")
			if !ok {
				return nil, expandError("Found an unbalanced bracket expression.")
			}
			for _, option := range splitTop(inner, ';') {
				key, v, ok := strings.Cut(option, "=")
				key = "$" + strings.ToLower(strings.TrimPrefix(strings.TrimSpace(key), "$"))
				if !ok || e.Options.Has(key) {
					return nil, expandError("Term '%s' is not valid in a $select or $expand expression.", option)
				}
				e.Options.Set(key, v)
			}
		}
		all = append(all, e)
	}
	return all, nil
}

func expandError(format string, args ...any) *Error {
	return &Error{Option: "$expand", Message: "Parsing OData Select and Expand failed: " + fmt.Sprintf(format, args...)}
}

// splitTop cuts at a separator outside of parentheses and quotes.
func splitTop(s string, separator byte) []string {
	var parts []string
	depth, from, quoted := 0, 0, false
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\'':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == separator && depth == 0:
			parts, from = append(parts, s[from:i]), i+1
		}
	}
	return append(parts, s[from:])
}

func (c *Collection) parseOrder(value string) ([]Order, *Error) {
	var orders []Order
	for part := range strings.SplitSeq(value, ",") {
		fields := strings.Fields(part)
		if len(fields) == 0 || len(fields) > 2 {
			return nil, orderError("Syntax error at position %d in '%s'.", len(part), value)
		}
		o := Order{}
		if len(fields) == 2 {
			switch strings.ToLower(fields[1]) {
			case "asc":
			case "desc":
				o.Desc = true
			default:
				return nil, orderError("Syntax error at position %d in '%s'.", strings.Index(value, fields[1]), value)
			}
		}
		m, declared, ok := c.Lookup(fields[0])
		if !ok {
			return nil, orderError("Could not find a property named '%s' on type '%s'.", fields[0], c.Type)
		}
		if m.Collection || m.Kind == Complex || m.NoOrder || m.Navigation {
			return nil, &Error{Option: "$orderby", Unsupported: true, Message: "The property '" + declared + "' cannot be used in the $orderby query option."}
		}
		o.Member, o.Type = declared, m
		orders = append(orders, o)
	}
	return orders, nil
}

func orderError(format string, args ...any) *Error {
	return &Error{Option: "$orderby", Message: "Invalid orderby clause: " + fmt.Sprintf(format, args...)}
}

func (c *Collection) parseTop(value string) (int, *Error) {
	n, err := natural("$top", value)
	if err != nil {
		return 0, err
	}
	if n >= 1 && n <= c.MaxTop {
		return n, nil
	}
	message := fmt.Sprintf("The limit of '%d' for Top query has been exceeded. The value from the incoming request is '%d'.", c.MaxTop, n)
	switch {
	case c.PageSizeMessage != nil:
		message = c.PageSizeMessage(value)
	case n < 1:
		message = fmt.Sprintf("Invalid page size specified: '%d'. Must be between 1 and %d inclusive.", n, c.MaxTop)
	}
	return 0, &Error{Option: "$top", Message: message}
}

func natural(option, value string) (int, *Error) {
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil || n < 0 {
		return 0, &Error{Option: option, Message: fmt.Sprintf("Invalid value '%s' for %s query option found. The %s query option requires a non-negative integer value.", value, option, option)}
	}
	return int(n), nil
}

func parseCount(value string) (bool, *Error) {
	switch strings.ToLower(value) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, &Error{Option: "$count", Message: fmt.Sprintf("Invalid value '%s' for $count query option found. Valid values are 'true' and 'false'.", value)}
}

// ParseOne checks the options of a call for a single row, which takes $select
// and $expand alone.
func (c *Collection) ParseOne(q url.Values) (*Options, *Error) {
	o := &Options{}
	for name := range q {
		var err *Error
		switch name {
		case "$select", "$expand", "$format":
			err = c.option(o, name, q.Get(name), false)
		default:
			err = &Error{Option: name, Unsupported: true, Message: fmt.Sprintf("Query option '%s' is not allowed for a single entity.", name)}
		}
		if err != nil {
			return nil, err
		}
	}
	return o, nil
}
