package odata

import "strings"

// Enumeration is an enum type of the metadata.
type Enumeration struct {
	// Name is the qualified name, such as microsoft.graph.riskLevel.
	Name string
	// Members are the names in the order of their values.
	Members []string
	// Known is how many members come up to and with the unknownFutureValue
	// sentinel; later ones exist only for callers that asked for them. 0
	// means all.
	Known int
}

// Shown is the name that a caller sees: members after the sentinel are shown
// as the sentinel unless the caller asked for them.
func (e *Enumeration) Shown(name string, unknownEnums bool) string {
	if !unknownEnums && e.Known > 0 && e.index(name) >= e.Known {
		return e.Members[e.Known-1]
	}
	return name
}

func (e *Enumeration) index(name string) int {
	for i, m := range e.Members {
		if m == name {
			return i
		}
	}
	return -1
}

// find gives the declared spelling of a name in any case.
func (e *Enumeration) find(name string, unknownEnums bool) (string, bool) {
	for i, m := range e.Members {
		if strings.EqualFold(m, name) {
			return m, unknownEnums || e.Known == 0 || i < e.Known
		}
	}
	return "", false
}

// Member is one property of a collection's rows.
type Member struct {
	Name string
	Kind Kind
	// Enum is the type of an Enum.
	Enum *Enumeration
	// Collection says that the property holds a list of Kind.
	Collection bool
	// Members are those of a Complex.
	Members []Member
	// Type is the qualified name of a Complex for messages.
	Type string
	// Navigation members are not part of a row: they can be filtered by (if
	// a row's getter knows them) and expanded, not selected by default.
	Navigation bool
	// NoFilter and NoOrder take a property out of the collection's $filter
	// and $orderby.
	NoFilter, NoOrder bool
}

// typeName is the member's type as messages name it.
func (m *Member) typeName() string {
	name := kindNames[m.Kind]
	switch {
	case m.Kind == Enum:
		name = m.Enum.Name
	case m.Kind == Complex && m.Type != "":
		name = m.Type
	}
	if m.Collection {
		return "Collection(" + name + ")"
	}
	return name
}

// Collection declares an entity set and which query options it takes.
type Collection struct {
	// Type is the qualified type of a row, such as
	// microsoft.graph.riskDetection.
	Type string
	// Members are in the order in which bodies write them.
	Members []Member
	// The options it takes; those left out are refused. $select always works.
	Filterable, Orderable, Countable, Skippable, Searchable bool
	// Expandable are the names that $expand takes.
	Expandable []string
	// DefaultTop is the page size without $top, MaxTop the largest $top. 0
	// in MaxTop means that $top is not taken.
	DefaultTop, MaxTop int
	// MaxOr limits the clauses joined by one chain of or, and the values of
	// an in; 0 means no limit but the size of the expression.
	MaxOr int
	// PageSizeMessage gives the refusal of a $top that is too small or too
	// large; nil means the identity protection service's words.
	PageSizeMessage func(given string) string
}

// Lookup finds a member by a path in any case and gives its declared path.
func (c *Collection) Lookup(path string) (m *Member, declared string, ok bool) {
	members := c.Members
	var names []string
	for part := range strings.SplitSeq(path, "/") {
		if m = findMember(members, part); m == nil {
			return nil, "", false
		}
		names = append(names, m.Name)
		members = m.Members
	}
	return m, strings.Join(names, "/"), true
}

func findMember(members []Member, name string) *Member {
	for i := range members {
		if members[i].Name == name {
			return &members[i]
		}
	}
	for i := range members {
		if strings.EqualFold(members[i].Name, name) {
			return &members[i]
		}
	}
	return nil
}
