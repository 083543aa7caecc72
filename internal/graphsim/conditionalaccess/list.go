package conditionalaccess

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/graphsim/body"
	"github.com/risksweep/risksweep/internal/graphsim/odata"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// row is an object in the state that a reader sees.
type row struct {
	item    *item
	version version
}

// listing is a collection to answer with.
type listing struct {
	collection *odata.Collection
	rows       []row
	// schema gives the type of a row.
	schema func(row) *schema
	// context is the list's, entity that of one of its objects.
	context, entity string
	// extra gives members that are not of the kept document.
	extra func(row, string) (any, bool)
	show  func(x row, selected func(string) bool, into *body.Object) *body.Object
}

// maxPage is above every limit of the tenant: without $top a list is whole
// (graph-api §3.1).
const maxPage = 999

func (w *Workload) listing(r *wire.Request, kind crudKind, rows []row, deleted bool) listing {
	l := listing{rows: rows, extra: w.times}
	l.collection = &odata.Collection{Filterable: true, Orderable: true, Countable: true, Skippable: true, DefaultTop: maxPage, MaxTop: maxPage}
	if kind == policyKind {
		l.collection.Type, l.collection.Members = "microsoft.graph.conditionalAccessPolicy", w.types.policy.members()
		l.schema = func(row) *schema { return w.types.policy }
		l.context, l.entity = "identity/conditionalAccess/policies", "identity/conditionalAccess/policies"
		l.show = func(x row, selected func(string) bool, into *body.Object) *body.Object {
			return w.showPolicy(r, x, selected, into)
		}
	} else {
		l.collection.Type = "microsoft.graph.namedLocation"
		l.collection.Members = append(w.types.ip.members(), w.types.country.without("id", "displayName", "createdDateTime", "modifiedDateTime", "deletedDateTime").members()...)
		l.collection.Members = append(l.collection.Members, odata.Member{Name: derivedType, Kind: odata.String, Navigation: true})
		l.schema = func(x row) *schema { return w.placeSchema(x.version.Doc) }
		l.context, l.entity = "conditionalAccess/namedLocations", "namedLocations"
		l.show = func(x row, selected func(string) bool, into *body.Object) *body.Object {
			return w.showDocument(r, w.placeSchema(x.version.Doc), x, selected, into)
		}
	}
	if deleted {
		name := map[crudKind]string{policyKind: "policies", locationKind: "namedLocations"}[kind]
		l.context = "identity/conditionalAccess/deletedItems/" + name
		l.entity = l.context
	}
	return l
}

// derivedType is how a filter names an object's type; it cannot be asked for.
const derivedType = "derivedType"

var (
	isOf   = regexp.MustCompile(`(?i)\bisof\s*\(\s*'(?:#?microsoft\.graph\.)?([A-Za-z0-9]+)'\s*\)`)
	castTo = regexp.MustCompile(`(?i)\bmicrosoft\.graph\.(?:ip|country)NamedLocation/`)
)

// rewritten turns the type tests and casts of a filter into plain ones.
func rewritten(filter string) string {
	filter = isOf.ReplaceAllString(filter, derivedType+" eq '$1'")
	return castTo.ReplaceAllString(filter, "")
}

// times gives the members that stand beside the document.
func (w *Workload) times(x row, member string) (any, bool) {
	switch member {
	case "id":
		return x.item.ID, true
	case "createdDateTime":
		return x.item.Created, true
	case "modifiedDateTime":
		return x.version.Modified, true
	case "deletedDateTime":
		return x.version.Deleted, true
	case derivedType:
		return strings.TrimPrefix(x.version.Doc.text(typeName), "#microsoft.graph."), true
	}
	return nil, false
}

func (l listing) getter(x row) odata.Getter {
	return func(member string) odata.Value {
		if v, ok := l.extra(x, member); ok {
			switch v := v.(type) {
			case string:
				return odata.Text(v)
			case time.Time:
				return odata.Time(v)
			}
			return odata.Value{}
		}
		return l.schema(x).value(x.version.Doc, member)
	}
}

func queryRefusal(e *odata.Error) *wire.Error { return badRequest("%s", e.Message) }

// list filters, orders, pages and shows a collection.
func (w *Workload) list(r *wire.Request, l listing, countOnly bool) (*wire.Response, *wire.Error) {
	query := r.Query
	if f := query.Get("$filter"); f != "" {
		query = map[string][]string{}
		for name, v := range r.Query {
			query[name] = v
		}
		query.Set("$filter", rewritten(f))
	}
	o, bad := l.collection.Parse(query, r.UnknownEnums)
	if bad != nil {
		return nil, queryRefusal(bad)
	}
	rows := l.rows
	if o.Filter != nil {
		rows = slices.DeleteFunc(rows, func(x row) bool { return !o.Filter.Match(l.getter(x)) })
	}
	if countOnly {
		return &wire.Response{Status: http.StatusOK, Body: strconv.Itoa(len(rows))}, nil
	}
	if len(o.Orders) > 0 {
		slices.SortStableFunc(rows, func(a, b row) int { return o.Before(l.getter(a), l.getter(b)) })
	}
	from, to, more := o.Page(len(rows))
	out := (&body.Object{}).Set("@odata.context", o.Context(r.Root, l.context))
	if o.Count && !o.Continued {
		out.Set("@odata.count", len(rows))
	}
	if more {
		out.Set("@odata.nextLink", o.NextLink(r.Root, r.URL, to))
	}
	values := make([]*body.Object, 0, to-from)
	for _, x := range rows[from:to] {
		values = append(values, l.show(x, o.Selected, &body.Object{}))
	}
	return &wire.Response{Status: http.StatusOK, Body: out.Set("value", values)}, nil
}

// one answers with a single object.
func (w *Workload) one(r *wire.Request, l listing, x row) (*wire.Response, *wire.Error) {
	o, bad := l.collection.ParseOne(r.Query)
	if bad != nil {
		return nil, queryRefusal(bad)
	}
	into := (&body.Object{}).Set("@odata.context", o.Context(r.Root, l.entity)+"/$entity")
	return &wire.Response{Status: http.StatusOK, Body: l.show(x, o.Selected, into)}, nil
}

// policyBody is a policy as the answer to a write.
func (w *Workload) policyBody(r *wire.Request, x row, selected func(string) bool, context string) *body.Object {
	return w.showPolicy(r, x, selected, (&body.Object{}).Set("@odata.context", context))
}

func (w *Workload) showPolicy(r *wire.Request, x row, selected func(string) bool, into *body.Object) *body.Object {
	return w.showDocument(r, w.types.policy, x, selected, into)
}

// showDocument writes an object with its id and times in their places.
func (w *Workload) showDocument(r *wire.Request, s *schema, x row, selected func(string) bool, into *body.Object) *body.Object {
	return w.showUnder(r, s, x, selected, into, r.Root+"/$metadata#identity/conditionalAccess/policies('"+x.item.ID+"')/grantControls/authenticationStrength")
}

// showUnder writes an object whose strength, if it has one, has its own context,
// or none.
func (w *Workload) showUnder(r *wire.Request, s *schema, x row, selected func(string) bool, into *body.Object, strengthContext string) *body.Object {
	d := make(document, len(x.version.Doc)+4)
	for name, v := range x.version.Doc {
		d[name] = v
	}
	for _, p := range s.properties {
		switch v, _ := w.times(x, p.name); v := v.(type) {
		case string:
			d[p.name] = v
		case time.Time:
			d[p.name] = nil
			if !v.IsZero() {
				d[p.name] = odata.FormatTicks(odata.Ticks(v))
			}
		}
	}
	out := writer{
		unknownEnums: r.UnknownEnums,
		strength: func(id string) any {
			if i := w.strengths.find(id); i != nil {
				return w.showStrength(r, row{i, i.last()}, nil, &body.Object{}, strengthContext)
			}
			return nil
		},
	}
	if strengthContext != "" {
		out.strengthContext = strengthContext + "/$entity"
	}
	return out.write(s, d, into, selected)
}
