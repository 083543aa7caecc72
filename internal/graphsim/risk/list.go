package risk

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/risksweep/risksweep/internal/graphsim/odata"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// rows is a list that can be asked for.
type rows struct {
	set *odata.Collection
	// context is what stands after $metadata#.
	context string
	// first and end bound the rows by their indexes.
	first, end int
	value      func(i int, member string) odata.Value
	// narrow gives the few rows that can pass a filter, if it can tell.
	narrow func(*odata.Filter) ([]int32, bool)
	// register holds the rows if lists of them may be kept; nil: not.
	register *register
}

// listCache keeps the last filtered lists of a register, so that reading on is
// not filtering anew.
type listCache struct{ lists []list }

const maxLists = 8

type list struct {
	key     string
	version uint64
	indexes []int32
}

// found are the indexes that pass the filter, in order; all says that these
// are simply all rows.
func (l *rows) found(o *odata.Options) (indexes []int32, all bool) {
	if o.Filter == nil && len(o.Orders) == 0 {
		return nil, true
	}
	if l.register == nil {
		return l.search(o), false
	}
	var key strings.Builder
	key.WriteString(l.set.Type + " " + strconv.Itoa(l.first))
	if o.Filter != nil {
		key.WriteString(" filter " + o.Filter.String())
	}
	for _, order := range o.Orders {
		key.WriteString(" by " + order.Member + strconv.FormatBool(order.Desc))
	}
	cache := &l.register.lists
	cache.lists = slices.DeleteFunc(cache.lists, func(c list) bool { return c.version != l.register.version })
	for i, c := range cache.lists {
		if c.key == key.String() {
			copy(cache.lists[1:i+1], cache.lists[:i]) // the latest first
			cache.lists[0] = c
			return c.indexes, false
		}
	}
	made := list{key.String(), l.register.version, l.search(o)}
	cache.lists = slices.Insert(cache.lists, 0, made)
	if len(cache.lists) > maxLists {
		cache.lists = cache.lists[:maxLists]
	}
	return made.indexes, false
}

func (l *rows) search(o *odata.Options) []int32 {
	var at int
	get := func(member string) odata.Value { return l.value(at, member) }
	var indexes []int32
	take := func(i int) {
		if at = i; o.Filter == nil || o.Filter.Match(get) {
			indexes = append(indexes, int32(i)) //nolint:gosec // rows of one tenant
		}
	}
	few, ok := []int32(nil), false
	if o.Filter != nil && l.narrow != nil {
		few, ok = l.narrow(o.Filter)
	}
	if ok {
		for _, i := range few {
			if int(i) >= l.first && int(i) < l.end {
				take(int(i))
			}
		}
	} else {
		for i := l.first; i < l.end; i++ {
			take(i)
		}
	}
	l.sort(indexes, o)
	return indexes
}

func (l *rows) sort(indexes []int32, o *odata.Options) {
	if len(o.Orders) == 0 {
		return
	}
	keys := make([][]odata.Value, len(indexes))
	flat := make([]odata.Value, len(indexes)*len(o.Orders))
	places := make([]int32, len(indexes))
	for n, i := range indexes {
		keys[n] = flat[n*len(o.Orders) : (n+1)*len(o.Orders)]
		places[n] = int32(n) //nolint:gosec // rows of one tenant
		for k, order := range o.Orders {
			keys[n][k] = l.value(int(i), order.Member)
		}
	}
	slices.SortStableFunc(places, func(a, b int32) int {
		for k, order := range o.Orders {
			c := order.Type.Compare(keys[a][k], keys[b][k])
			if order.Desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	sorted := make([]int32, len(indexes))
	for n, p := range places {
		sorted[n] = indexes[p]
	}
	copy(indexes, sorted)
}

// page answers a call for a list.
func (l *rows) page(r *wire.Request) (*wire.Response, *wire.Error) {
	o, err := l.set.Parse(r.Query, r.UnknownEnums)
	if err != nil {
		return nil, badRequest(err.Message)
	}
	indexes, all := l.found(o)
	total := len(indexes)
	if all {
		total = l.end - l.first
	}
	from, to, more := o.Page(total)
	b := make([]byte, 0, 256+(to-from)*1100)
	b = append(b, `{"@odata.context":`...)
	b = quote(b, o.Context(r.Root, l.context))
	if o.Count && !o.Continued {
		b = append(b, `,"@odata.count":`...)
		b = strconv.AppendInt(b, int64(total), 10)
	}
	if more {
		b = append(b, `,"@odata.nextLink":`...)
		b = quote(b, o.NextLink(r.Root, r.URL, to))
	}
	b = append(b, `,"value":[`...)
	var at int
	get := func(member string) odata.Value { return l.value(at, member) }
	for n := from; n < to; n++ {
		if n > from {
			b = append(b, ',')
		}
		if at = l.first + n; !all {
			at = int(indexes[n])
		}
		b = l.set.AppendRow(b, get, o, r.UnknownEnums)
	}
	b = append(b, "]}"...)
	return &wire.Response{Status: http.StatusOK, Body: json.RawMessage(b)}, nil
}

// count answers /$count.
func (l *rows) count(r *wire.Request) (*wire.Response, *wire.Error) {
	if !l.set.Countable {
		return nil, badRequest("Query option 'Count' is not allowed. To allow it, set the 'AllowedQueryOptions' property on EnableQueryAttribute or QueryValidationSettings.")
	}
	for name := range r.Query {
		if name != "$filter" {
			return nil, badRequest("Query option '" + name + "' is not allowed with $count.")
		}
	}
	o, err := l.set.Parse(r.Query, r.UnknownEnums)
	if err != nil {
		return nil, badRequest(err.Message)
	}
	indexes, all := l.found(o)
	if all {
		return &wire.Response{Status: http.StatusOK, Body: strconv.Itoa(l.end - l.first)}, nil
	}
	return &wire.Response{Status: http.StatusOK, Body: strconv.Itoa(len(indexes))}, nil
}

// one answers a call for a single row.
func (l *rows) one(r *wire.Request, i int) (*wire.Response, *wire.Error) {
	o, err := l.set.ParseOne(r.Query)
	if err != nil {
		return nil, badRequest(err.Message)
	}
	b := append([]byte(nil), `{"@odata.context":`...)
	b = quote(b, o.Context(r.Root, l.context)+"/$entity")
	row := l.set.AppendRow(nil, func(member string) odata.Value { return l.value(i, member) }, o, r.UnknownEnums)
	if len(row) > len("{}") {
		b = append(b, ',')
	}
	b = append(b, row[1:]...)
	return &wire.Response{Status: http.StatusOK, Body: json.RawMessage(b)}, nil
}
