package directory

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/risksweep/risksweep/internal/graphsim/body"
	"github.com/risksweep/risksweep/internal/graphsim/odata"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// listing is a list to answer with.
type listing struct {
	rows    []*row
	set     *set
	context string
	// typed shows each object's type: the list mixes them.
	typed bool
	// countOnly answers with the number alone.
	countOnly bool
	// advanced says that the list itself needs the header and $count, as a
	// cast of members does.
	advanced bool
	// plain collections have no advanced queries: roles and the like.
	plain bool
}

// list filters, orders and pages rows.
func (w *Workload) list(r *wire.Request, l listing) (*wire.Response, *wire.Error) {
	o, bad := l.set.Parse(r.Query, r.UnknownEnums)
	if bad != nil {
		return nil, refusal(bad)
	}
	if e := w.readable(r, o, l.set, false); e != nil {
		return nil, e
	}
	if l.countOnly && !r.Eventual {
		return nil, badRequest("$count is not currently supported.")
	}
	if !l.plain {
		if e := basic(r, o, l); e != nil {
			return nil, e
		}
	}
	rows := l.rows
	if o.Filter != nil {
		rows = slices.DeleteFunc(slices.Clone(rows), func(x *row) bool { return !o.Filter.Match(x.value) })
	}
	if o.Search != "" {
		matches, e := search(o.Search)
		if e != nil {
			return nil, e
		}
		rows = slices.DeleteFunc(slices.Clone(rows), func(x *row) bool { return !matches(x) })
	}
	if l.countOnly {
		return &wire.Response{Status: http.StatusOK, Body: strconv.Itoa(len(rows))}, nil
	}
	if len(o.Orders) > 0 {
		rows = slices.Clone(rows)
		slices.SortStableFunc(rows, func(a, b *row) int { return o.Before(a.value, b.value) })
	}
	from, to, more := o.Page(len(rows))
	out := (&body.Object{}).Set("@odata.context", o.Context(r.Root, l.context))
	// A count comes on the first page alone, and only to who asks properly.
	if o.Count && !o.Continued && (r.Eventual || l.plain) {
		out.Set("@odata.count", len(rows))
	}
	if more {
		out.Set("@odata.nextLink", o.NextLink(r.Root, r.URL, to))
	}
	values := make([]*body.Object, 0, to-from)
	for _, x := range rows[from:to] {
		v, e := w.written(r, x, o, l.typed)
		if e != nil {
			return nil, e
		}
		values = append(values, v)
	}
	return &wire.Response{Status: http.StatusOK, Body: out.Set("value", values)}, nil
}

// basic refuses what is an advanced query and does not come as one: with
// ConsistencyLevel: eventual and $count=true (graph-api §4).
func basic(r *wire.Request, o *odata.Options, l listing) *wire.Error {
	if o.Search != "" && !r.Eventual {
		return unsupported("Request with $search query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'")
	}
	advanced := r.Eventual && (o.Count || l.countOnly || o.Search != "")
	if o.Filter != nil {
		for _, u := range o.Filter.Uses() {
			operator := map[string]string{"ne": "NotEqualsMatch", "endswith": "EndsWithMatch", "contains": "ContainsMatch", "$count": "Count"}[u.Operator]
			switch {
			case u.Operator == "contains":
				return unsupported("Unsupported property filter clause operator 'ContainsMatch'.")
			case advanced:
			case u.Negated:
				return unsupported("Operator: 'Not' is not supported because the required parameters might be missing. Try adding $count=true query parameter and ConsistencyLevel:eventual header. Refer to https://aka.ms/graph-docs/advanced-queries for more information")
			case operator != "":
				return unsupported("Operator: '%s' is not supported because the required parameters might be missing. Try adding $count=true query parameter and ConsistencyLevel:eventual header. Refer to https://aka.ms/graph-docs/advanced-queries for more information", operator)
			case u.Null && u.Operator == "eq" && u.Member != "assignedLicenses" && u.Member != "onPremisesSyncEnabled":
				return unsupported("Filter operator 'eq null' is not supported because the required parameters might be missing. Try adding $count=true query parameter and ConsistencyLevel:eventual header. Refer to https://aka.ms/graph-docs/advanced-queries for more information")
			}
		}
	}
	switch {
	case advanced:
	case o.Filter != nil && len(o.Orders) > 0:
		return unsupported("Sorting not supported for current query.")
	case l.advanced:
		return badRequest("Request_UnsupportedQuery: OData cast on this collection needs the ConsistencyLevel:eventual header and $count=true.")
	case l.typed && (o.Filter != nil || len(o.Orders) > 0):
		return unsupported("The specified filter to the reference property query is currently not supported.")
	}
	return nil
}

// search reads $search: "property:word" clauses joined by AND and OR. A clause
// matches words by their beginnings.
func search(text string) (func(*row) bool, *wire.Error) {
	bad := badRequest("Syntax error: $search expects \"property:value\" clauses joined by AND and OR; given %s.", text)
	var any []func(*row) bool
	for alternative := range strings.SplitSeq(text, " OR ") {
		var all []func(*row) bool
		for clause := range strings.SplitSeq(alternative, " AND ") {
			clause = strings.TrimSpace(clause)
			inner, opened := strings.CutPrefix(clause, `"`)
			inner, closed := strings.CutSuffix(inner, `"`)
			if !opened || !closed {
				return nil, bad
			}
			property, value, ok := strings.Cut(inner, ":")
			if !ok || property == "" || value == "" {
				return nil, bad
			}
			all = append(all, func(x *row) bool {
				m, declared, ok := x.set.Lookup(property)
				if !ok || m.Kind != odata.String || m.Collection {
					return false
				}
				s, _ := x.get(declared).(string)
				s, value := lower(s), lower(value)
				return strings.HasPrefix(s, value) || slices.ContainsFunc(strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" .@-_", r) }), func(word string) bool { return strings.HasPrefix(word, value) })
			})
		}
		any = append(any, func(x *row) bool {
			return !slices.ContainsFunc(all, func(f func(*row) bool) bool { return !f(x) })
		})
	}
	return func(x *row) bool {
		return slices.ContainsFunc(any, func(f func(*row) bool) bool { return f(x) })
	}, nil
}

// refusal gives a query mistake the directory's code.
func refusal(e *odata.Error) *wire.Error {
	if e.Unsupported {
		return unsupported("%s", e.Message)
	}
	return badRequest("%s", e.Message)
}

// one answers with a single object.
func (w *Workload) one(r *wire.Request, x *row, context string) (*wire.Response, *wire.Error) {
	return w.oneOf(r, x, context, false)
}

func (w *Workload) oneOf(r *wire.Request, x *row, context string, typed bool) (*wire.Response, *wire.Error) {
	query := r.Query
	if r.Eventual && query.Has("$count") {
		query = maps.Clone(query)
		query.Del("$count") // an advanced query of one object says so, and counts nothing
	}
	o, bad := x.set.ParseOne(query)
	if bad != nil {
		return nil, refusal(bad)
	}
	if e := w.readable(r, o, x.set, true); e != nil {
		return nil, e
	}
	v, e := w.written(r, x, o, typed)
	if e != nil {
		return nil, e
	}
	return &wire.Response{Status: http.StatusOK, Body: contextFirst{o.Context(r.Root, context) + "/$entity", v}}, nil
}

// contextFirst is an object with its context before its own members.
type contextFirst struct {
	context string
	*body.Object
}

func (c contextFirst) MarshalJSON() ([]byte, error) {
	own, err := c.Object.MarshalJSON()
	if err != nil {
		return nil, err
	}
	context, err := (&body.Object{}).Set("@odata.context", c.context).MarshalJSON()
	if err != nil || string(own) == "{}" {
		return context, err
	}
	return append(append(context[:len(context)-1], ','), own[1:]...), nil
}

// listOrOne serves a short collection and its items.
func (w *Workload) listOrOne(r *wire.Request, rows []*row, context string, rest []string) (*wire.Response, *wire.Error) {
	if len(rest) == 0 {
		l := listing{rows: rows, context: context, plain: true}
		l.set = w.setOf(context)
		return w.list(r, l)
	}
	for _, x := range rows {
		if strings.EqualFold(x.id, rest[0]) {
			return w.one(r, x, context)
		}
	}
	return nil, notFound(rest[0])
}

func (w *Workload) setOf(context string) *set {
	return map[string]*set{
		"directoryRoleTemplates": w.sets.templates, "directoryRoles": w.sets.roles, "organization": w.sets.organization, "subscribedSkus": w.sets.skus,
		"identityGovernance/termsOfUse/agreements":                               w.sets.agreements,
		"identityGovernance/privilegedAccess/group/eligibilityScheduleInstances": w.sets.groupEligible,
		"identityGovernance/privilegedAccess/group/assignmentScheduleInstances":  w.sets.groupAssigned,
		"roleManagement/directory/roleAssignments":                               w.sets.assignments,
		"roleManagement/directory/roleDefinitions":                               w.sets.definitions,
		"roleManagement/directory/roleEligibilityScheduleInstances":              w.sets.eligible,
		"roleManagement/directory/roleAssignmentScheduleInstances":               w.sets.instances,
	}[context]
}

// written is an object as this caller may see it, with what was expanded.
func (w *Workload) written(r *wire.Request, x *row, o *odata.Options, typed bool) (*body.Object, *wire.Error) {
	return w.writtenAs(r, x, o, typed, false)
}

func (w *Workload) writtenAs(r *wire.Request, x *row, o *odata.Options, typed, whole bool) (*body.Object, *wire.Error) {
	out := x.write(o, typed, whole, sightOf(r.Roles, x.kind))
	for _, e := range o.Expand {
		v, refused := w.expanded(r, x, e)
		if refused != nil {
			return nil, refused
		}
		out.Set(e.Name, v)
	}
	return out, nil
}

// sight is how much of a directory object the roles let a caller see.
type sight int

const (
	outline sight = iota // type and id alone (graph-api §4)
	basics
	everything
)

// basicMembers are what User.ReadBasic.All shows of a person.
var basicMembers = []string{"id", "displayName", "givenName", "surname", "mail", "userPrincipalName"}

func sightOf(roles []string, kind string) sight {
	need := map[string][]string{
		"user":             {"User.Read.All", "User.ReadWrite.All"},
		"group":            {"Group.Read.All", "GroupMember.Read.All", "Group.ReadWrite.All"},
		"servicePrincipal": {"Application.Read.All", "Application.ReadWrite.All"},
	}[kind]
	if need == nil {
		return everything
	}
	need = append(need, "Directory.Read.All", "Directory.ReadWrite.All")
	switch {
	case slices.ContainsFunc(roles, func(r string) bool { return slices.Contains(need, r) }):
		return everything
	case kind == "user" && slices.Contains(roles, "User.ReadBasic.All"):
		return basics
	}
	return outline
}
