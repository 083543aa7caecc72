package odata

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func query(t *testing.T, raw string) url.Values {
	t.Helper()
	q, err := url.ParseQuery(raw)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestOptions(t *testing.T) {
	t.Parallel()
	o, err := things.Parse(query(t, "$select=ID,location/city,riskLevel&$orderby=createdDateTime desc,displayName&$top=5&$count=true&$expand=manager($select=id)&$format=json&$skip=2"), false)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"id", "location/city", "riskLevel"}, o.Select); diff != "" {
		t.Errorf("select (-want +got):\n%s", diff)
	}
	if len(o.Orders) != 2 || o.Orders[0].Member != "createdDateTime" || !o.Orders[0].Desc || o.Orders[1].Member != "displayName" || o.Orders[1].Desc {
		t.Errorf("orders %+v", o.Orders)
	}
	if diff := cmp.Diff([]Expand{{Name: "manager", Options: url.Values{"$select": {"id"}}}}, o.Expand); diff != "" {
		t.Errorf("expand (-want +got):\n%s", diff)
	}
	if o.Top != 5 || !o.TopGiven || !o.Count || o.Offset != 2 || o.Continued {
		t.Errorf("options %+v", o)
	}
	for member, want := range map[string]bool{"id": true, "location": true, "displayName": false} {
		if o.Selected(member) != want {
			t.Errorf("selected %s: %v", member, !want)
		}
	}
	if got, want := o.Context("http://h/v1.0", "things"), "http://h/v1.0/$metadata#things(id,location/city,riskLevel,manager(id))"; got != want {
		t.Errorf("context %s, want %s", got, want)
	}
}

func TestOptionsRefused(t *testing.T) {
	t.Parallel()
	bare := &Collection{Type: "microsoft.graph.thing", Members: things.Members, DefaultTop: 20, MaxTop: 500}
	for _, tt := range []struct {
		c         *Collection
		raw, want string
	}{
		{things, "$top=501", "The limit of '500' for Top query has been exceeded. The value from the incoming request is '501'."},
		{things, "$top=0", "Invalid page size specified: '0'. Must be between 1 and 500 inclusive."},
		{things, "$top=-1", "Invalid value '-1' for $top query option found. The $top query option requires a non-negative integer value."},
		{things, "$top=many", "Invalid value 'many' for $top query option found. The $top query option requires a non-negative integer value."},
		{things, "$top=99999999999", "Invalid value '99999999999' for $top query option found. The $top query option requires a non-negative integer value."},
		{things, "$select=id,colour", "Parsing OData Select and Expand failed: Could not find a property named 'colour' on type 'microsoft.graph.thing'."},
		{things, "$select=", "Parsing OData Select and Expand failed: Term '' is not valid in a $select or $expand expression."},
		{things, "$orderby=colour", "Invalid orderby clause: Could not find a property named 'colour' on type 'microsoft.graph.thing'."},
		{things, "$orderby=id downwards", "Invalid orderby clause: Syntax error at position 3 in 'id downwards'."},
		{things, "$orderby=tags", "The property 'tags' cannot be used in the $orderby query option."},
		{things, "$expand=colour", "Parsing OData Select and Expand failed: Could not find a property named 'colour' on type 'microsoft.graph.thing'."},
		{things, "$expand=displayName", "Parsing OData Select and Expand failed: Property 'displayName' on type 'microsoft.graph.thing' is not a navigation property or complex property. Only navigation properties can be expanded."},
		{things, "$expand=manager($select=id", "Parsing OData Select and Expand failed: Found an unbalanced bracket expression."},
		{things, "$count=yes", "Invalid value 'yes' for $count query option found. Valid values are 'true' and 'false'."},
		{things, "$skiptoken=abc", "Invalid skip token."},
		{things, "$skiptoken=" + strings.Repeat("0", 64) + "_20", "Invalid skip token."},
		{things, "$search=\"a\"", "Query option 'Search' is not allowed. To allow it, set the 'AllowedQueryOptions' property on EnableQueryAttribute or QueryValidationSettings."},
		{things, "$apply=x", "Query option 'apply' is not allowed. To allow it, set the 'AllowedQueryOptions' property on EnableQueryAttribute or QueryValidationSettings."},
		{bare, "$count=true", "Query option 'Count' is not allowed. To allow it, set the 'AllowedQueryOptions' property on EnableQueryAttribute or QueryValidationSettings."},
		{bare, "$skip=1", "Query option 'Skip' is not allowed. To allow it, set the 'AllowedQueryOptions' property on EnableQueryAttribute or QueryValidationSettings."},
		{bare, "$filter=isDeleted", "Query option 'Filter' is not allowed. To allow it, set the 'AllowedQueryOptions' property on EnableQueryAttribute or QueryValidationSettings."},
		{bare, "$orderby=id", "Query option 'OrderBy' is not allowed. To allow it, set the 'AllowedQueryOptions' property on EnableQueryAttribute or QueryValidationSettings."},
		{bare, "$expand=manager", "Query option 'Expand' is not allowed. To allow it, set the 'AllowedQueryOptions' property on EnableQueryAttribute or QueryValidationSettings."},
	} {
		_, err := tt.c.Parse(query(t, tt.raw), false)
		if err == nil {
			t.Errorf("%s: no error", tt.raw)
			continue
		}
		if diff := cmp.Diff(tt.want, err.Message); diff != "" {
			t.Errorf("%s: message (-want +got):\n%s", tt.raw, diff)
		}
	}
	if _, err := things.ParseOne(query(t, "$filter=isDeleted")); err == nil || err.Option != "$filter" {
		t.Errorf("a filter on a single row: %v", err)
	}
}

func TestNextLinksWalkTheWholeList(t *testing.T) {
	t.Parallel()
	const total = 45
	u, err := url.Parse("/v1.0/things?$filter=size%20ge%200%20and%20displayName%20ne%20'a%26b'&$top=20&$select=id")
	if err != nil {
		t.Fatal(err)
	}
	const root = "https://graph.microsoft.com/v1.0"
	seen := 0
	for pages := 1; ; pages++ {
		o, bad := things.Parse(u.Query(), false)
		if bad != nil {
			t.Fatal(bad)
		}
		from, to, more := o.Page(total)
		if from != seen {
			t.Fatalf("page %d begins at %d, want %d", pages, from, seen)
		}
		seen = to
		if !more {
			if pages != 3 || seen != total {
				t.Errorf("%d pages and %d rows", pages, seen)
			}
			return
		}
		link := o.NextLink(root, u, to)
		prefix := "https://graph.microsoft.com/v1.0/things?$filter=size+ge+0+and+displayName+ne+%27a%26b%27&$top=20&$select=id&$skiptoken="
		token, ok := strings.CutPrefix(link, prefix)
		if !ok || len(token) < 66 || token[64] != '_' || token[65:] != strconv.Itoa(to) {
			t.Fatalf("next link %s", link)
		}
		if u, err = url.Parse(link); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOrderPutsNullFirst(t *testing.T) {
	t.Parallel()
	o, err := things.Parse(query(t, "$orderby=displayName desc"), false)
	if err != nil {
		t.Fatal(err)
	}
	named, null := row{"displayName": Text("a")}, row{}
	if o.Before(named.get, null.get) >= 0 || o.Before(null.get, named.get) <= 0 || o.Before(null.get, null.get) != 0 {
		t.Error("descending order does not end with null")
	}
}

func FuzzOptions(f *testing.F) {
	names := []string{"$select", "$orderby", "$expand", "$top", "$skip", "$filter", "$count", "$format"}
	for _, seed := range [][2]string{
		{"$select=id,location/city", "$orderby=size desc"}, {"$expand=manager($select=id;$top=1),manager", "$count=true"},
		{"$orderby=,", "$select=*"}, {"$expand=manager(',)", "$format=json"}, {"$top=500", "$skip=3"}, {"$filter=isDeleted", "$top=1"},
	} {
		at := func(option string) uint8 {
			name, _, _ := strings.Cut(option, "=")
			return uint8(slices.Index(names, name)) //nolint:gosec // a short table
		}
		value := func(option string) string { return option[strings.IndexByte(option, '=')+1:] }
		f.Add(at(seed[0]), value(seed[0]), at(seed[1]), value(seed[1]))
	}
	f.Fuzz(func(t *testing.T, first uint8, a string, second uint8, b string) {
		q := url.Values{names[int(first)%len(names)]: {a}}
		q.Set(names[int(second)%len(names)], b)
		o, err := things.Parse(q, false)
		if err != nil {
			if err.Message == "" || err.Option == "" {
				t.Errorf("%v: %+v", q, err)
			}
			return
		}
		if o.Top < 1 || o.Top > things.MaxTop || o.Offset < 0 {
			t.Errorf("%v: %+v", q, o)
		}
		// The next link leads to the same query, further on.
		next, bad := url.Parse(o.NextLink("http://h/v1.0", &url.URL{Path: "/v1.0/things", RawQuery: q.Encode()}, 7))
		if bad != nil {
			t.Fatalf("%v: %v", q, bad)
		}
		again, err := things.Parse(next.Query(), false)
		if err != nil {
			t.Fatalf("%v: next link %s: %v", q, next, err)
		}
		if again.Offset != 7 || !again.Continued || again.Top != o.Top || len(again.Select) != len(o.Select) {
			t.Errorf("%v: next page %+v, first %+v", q, again, o)
		}
	})
}
