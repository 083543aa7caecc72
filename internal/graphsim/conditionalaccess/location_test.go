package conditionalaccess

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	office = `{"@odata.type":"#microsoft.graph.ipNamedLocation","displayName":"Office","isTrusted":true,"ipRanges":[{"@odata.type":"#microsoft.graph.iPv4CidrRange","cidrAddress":"12.34.221.11/22"},{"@odata.type":"#microsoft.graph.iPv6CidrRange","cidrAddress":"2001:db8::/32"}]}`
	abroad = `{"@odata.type":"microsoft.graph.countryNamedLocation","displayName":"Abroad","countriesAndRegions":["ca","US"]}`
)

func TestLocations(t *testing.T) {
	t.Parallel()
	b := newBench(t, 0, Options{})
	r, e := b.ask(http.MethodPost, placesAt, office)
	if e != nil || r.Status != 201 || !r.Effect {
		t.Fatalf("%+v %v", r, e)
	}
	id := b.ids(placesAt)[0]
	if got := r.Header.Get("Location"); got != root+"/identity/conditionalAccess/namedLocations('"+id+"')" {
		t.Errorf("location %s", got)
	}
	want := `{"@odata.context":"` + root + `/$metadata#namedLocations/$entity","@odata.type":"#microsoft.graph.ipNamedLocation","id":"` + id + `","displayName":"Office","createdDateTime":"2026-11-24T08:00:00.1234567Z","modifiedDateTime":"2026-11-24T08:00:00.1234567Z","deletedDateTime":null,"isTrusted":true,"ipRanges":[{"@odata.type":"#microsoft.graph.iPv4CidrRange","cidrAddress":"12.34.221.11/22"},{"@odata.type":"#microsoft.graph.iPv6CidrRange","cidrAddress":"2001:db8::/32"}]}`
	if got := b.text(http.MethodGet, placesAt+"/"+id, ""); got != want {
		t.Errorf("location (-want +got):\n%s", cmp.Diff(want, got))
	}
	untyped := strings.NewReplacer(`"@odata.type":"#microsoft.graph.iPv4CidrRange",`, "", `"@odata.type":"#microsoft.graph.iPv6CidrRange",`, "", "Office", "Branch").Replace(office)
	branch := b.id(http.MethodPost, placesAt, untyped)
	if got, want := b.text(http.MethodGet, placesAt+"/"+branch, ""), strings.NewReplacer(id, branch, "Office", "Branch").Replace(want); got != want {
		t.Errorf("ranges without a type (-want +got):\n%s", cmp.Diff(want, got))
	}
	for _, m := range []struct{ method, body string }{{http.MethodPatch, `{"@odata.type":"#microsoft.graph.ipNamedLocation","isTrusted":false}`}, {http.MethodDelete, ""}} { // trusted ones stay
		if _, e := b.ask(m.method, placesAt+"/"+branch, m.body); e != nil {
			t.Fatal(m, e)
		}
	}
	country := b.id(http.MethodPost, placesAt, abroad)
	want = `{"@odata.context":"` + root + `/$metadata#namedLocations/$entity","@odata.type":"#microsoft.graph.countryNamedLocation","id":"` + country + `","displayName":"Abroad","createdDateTime":"2026-11-24T08:00:00.1234567Z","modifiedDateTime":"2026-11-24T08:00:00.1234567Z","deletedDateTime":null,"countriesAndRegions":["CA","US"],"countryLookupMethod":"clientIpAddress","includeUnknownCountriesAndRegions":false}`
	if got := b.text(http.MethodGet, placesAt+"/"+country, ""); got != want {
		t.Errorf("country (-want +got):\n%s", cmp.Diff(want, got))
	}
	for filter, want := range map[string][]string{
		"isof('microsoft.graph.ipNamedLocation')":                                          {id},
		"isof('#microsoft.graph.countryNamedLocation')":                                    {country},
		"not isof('microsoft.graph.ipNamedLocation')":                                      {country},
		"microsoft.graph.countryNamedLocation/countriesAndRegions/any(c: c eq 'CA')":       {country},
		"displayName eq 'office'":                                                          {id},
		"createdDateTime ge 2026-11-25T00:00:00Z":                                          {},
		"startswith(displayName,'A') or displayName in ('Office')":                         {id, country},
		"microsoft.graph.ipNamedLocation/isTrusted eq true":                                {id},
		"isof('microsoft.graph.ipNamedLocation') and createdDateTime lt 2027-01-01T00:00Z": {id},
	} {
		if diff := cmp.Diff(want, b.ids(placesAt+"?$filter="+strings.ReplaceAll(filter, "#", "%23"))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", filter, diff)
		}
	}
	b.now = b.now.Add(time.Hour)
	if r, e := b.ask(http.MethodPatch, placesAt+"/"+country, `{"@odata.type":"#microsoft.graph.countryNamedLocation","includeUnknownCountriesAndRegions":true}`); e != nil || r.Status != 204 || r.Body != nil {
		t.Errorf("%+v %v", r, e)
	}
	got := b.object(http.MethodGet, placesAt+"/"+country, "")
	if got["includeUnknownCountriesAndRegions"] != true || got["displayName"] != "Abroad" || got["modifiedDateTime"] != "2026-11-24T09:00:00.1234567Z" {
		t.Errorf("after the change: %v", got)
	}
}

func TestRefusedLocations(t *testing.T) {
	t.Parallel()
	b := newBench(t, 0, Options{})
	id := b.id(http.MethodPost, placesAt, office)
	ip := func(kind, member string) string {
		return `{"@odata.type":"#microsoft.graph.ipNamedLocation","displayName":"x","ipRanges":[{"@odata.type":"#microsoft.graph.` + kind + `",` + member + `}]}`
	}
	var many strings.Builder
	for i := range 2001 {
		if i > 0 {
			many.WriteByte(',')
		}
		fmt.Fprintf(&many, `{"@odata.type":"#microsoft.graph.iPv4CidrRange","cidrAddress":"10.%d.%d.0/24"}`, i/256, i%256)
	}
	for _, tt := range []struct {
		name, content string
		number        int
	}{
		{"no type", `{"displayName":"x"}`, 1007},
		{"another type", `{"@odata.type":"#microsoft.graph.namedLocation","displayName":"x"}`, 1007},
		{"no name", `{"@odata.type":"#microsoft.graph.countryNamedLocation","countriesAndRegions":["DE"]}`, 1007},
		{"no ranges", `{"@odata.type":"#microsoft.graph.ipNamedLocation","displayName":"x"}`, 1007},
		{"empty ranges", `{"@odata.type":"#microsoft.graph.ipNamedLocation","displayName":"x","ipRanges":[]}`, badLocation},
		{"a range of no kind", `{"@odata.type":"#microsoft.graph.ipNamedLocation","displayName":"x","ipRanges":[{"lowerAddress":"10.0.0.1","upperAddress":"10.0.0.9"}]}`, 1007},
		{"a bare address", ip("iPv4CidrRange", `"cidrAddress":"10.1.2.3"`), badLocation},
		{"a range over both families", ip("iPv4Range", `"lowerAddress":"10.0.0.1","upperAddress":"2001:db8::1"`), badLocation},
		{"a whole eighth", ip("iPv4CidrRange", `"cidrAddress":"10.0.0.0/8"`), badLocation},
		{"a range backwards", ip("iPv4Range", `"lowerAddress":"10.0.0.9","upperAddress":"10.0.0.1"`), badLocation},
		{"half a range", ip("iPv4Range", `"lowerAddress":"10.0.0.9"`), 1007},
		{"too many ranges", `{"@odata.type":"#microsoft.graph.ipNamedLocation","displayName":"x","ipRanges":[` + many.String() + `]}`, quotaExceeded},
		{"no countries", `{"@odata.type":"#microsoft.graph.countryNamedLocation","displayName":"x","countriesAndRegions":[]}`, badLocation},
		{"a country of three letters", `{"@odata.type":"#microsoft.graph.countryNamedLocation","displayName":"x","countriesAndRegions":["DEU"]}`, noSuchCountry},
		{"a reserved code", `{"@odata.type":"#microsoft.graph.countryNamedLocation","displayName":"x","countriesAndRegions":["DE","uk"]}`, noSuchCountry},
		{"the European Union", `{"@odata.type":"#microsoft.graph.countryNamedLocation","displayName":"x","countriesAndRegions":["EU"]}`, noSuchCountry},
		{"an island with a code of its own elsewhere", `{"@odata.type":"#microsoft.graph.countryNamedLocation","displayName":"x","countriesAndRegions":["AC"]}`, noSuchCountry},
		{"a code for no country", `{"@odata.type":"#microsoft.graph.countryNamedLocation","displayName":"x","countriesAndRegions":["ZZ"]}`, noSuchCountry},
		{"an empty lookup method", `{"@odata.type":"#microsoft.graph.countryNamedLocation","displayName":"x","countriesAndRegions":["DE"],"countryLookupMethod":""}`, 1007},
		{"no lookup method", `{"@odata.type":"#microsoft.graph.countryNamedLocation","displayName":"x","countriesAndRegions":["DE"],"countryLookupMethod":null}`, 1007},
		{"members of the other type", `{"@odata.type":"#microsoft.graph.countryNamedLocation","displayName":"x","countriesAndRegions":["DE"],"isTrusted":true}`, 1007},
	} {
		_, e := b.ask(http.MethodPost, placesAt, tt.content)
		wantError(t, tt.name, e, 400, "BadRequest", fmt.Sprintf("%d: ", tt.number))
	}
	for name, content := range map[string]string{
		"a change without a type":  `{"displayName":"y"}`,
		"a change to another type": abroad,
		"a change to no ranges":    `{"@odata.type":"#microsoft.graph.ipNamedLocation","ipRanges":[]}`,
		"a change of nothing":      ``,
	} {
		_, e := b.ask(http.MethodPatch, placesAt+"/"+id, content)
		wantError(t, name, e, 400, "BadRequest", "")
	}
	_, e := b.ask(http.MethodGet, placesAt+"/00000000-0000-0000-0000-000000000000", "")
	wantError(t, "the addresses of per-user MFA", e, 404, "ResourceNotFound", "NamedLocation with id 00000000-0000-0000-0000-000000000000 does not exist in the directory.")
	if _, e := b.ask(http.MethodPost, placesAt, ip("iPv4Range", `"lowerAddress":"10.0.0.1","upperAddress":"10.0.0.9"`)); e != nil {
		t.Error(e)
	}
	gps := `{"@odata.type":"#microsoft.graph.countryNamedLocation","displayName":"x","countriesAndRegions":["DE"],"countryLookupMethod":"authenticatorAppGps"}`
	if _, e := b.ask(http.MethodPost, placesAt, gps); e != nil {
		t.Error(e)
	}
	_, e = newBench(t, 0, Options{Cloud: "usgov"}).ask(http.MethodPost, placesAt, gps)
	wantError(t, "GPS in the government's cloud", e, 400, "BadRequest", "1920: ")
}

func TestALocationInUseOrTrustedStays(t *testing.T) {
	t.Parallel()
	b := newBench(t, 0, Options{})
	id := b.id(http.MethodPost, placesAt, office)
	policy := b.id(http.MethodPost, policiesAt, edit("conditions.locations", `{"includeLocations":["All"],"excludeLocations":["`+strings.ToUpper(id)+`","00000000-0000-0000-0000-000000000000"]}`))
	_, e := b.ask(http.MethodDelete, placesAt+"/"+id, "")
	wantError(t, "a trusted location", e, 400, "BadRequest", "1921: ")
	if _, e := b.ask(http.MethodPatch, placesAt+"/"+id, `{"@odata.type":"#microsoft.graph.ipNamedLocation","isTrusted":false}`); e != nil {
		t.Fatal(e)
	}
	_, e = b.ask(http.MethodDelete, placesAt+"/"+id, "")
	wantError(t, "a location in use", e, 400, "BadRequest", "1922: ")
	if _, e := b.ask(http.MethodDelete, policiesAt+"/"+policy, ""); e != nil {
		t.Fatal(e)
	}
	if r, e := b.ask(http.MethodDelete, placesAt+"/"+id, ""); e != nil || r.Status != 204 {
		t.Fatal(e)
	}
	_, e = b.ask(http.MethodPost, policiesAt, edit("conditions.locations.includeLocations", `["`+id+`"]`))
	wantError(t, "a policy on a deleted location", e, 400, "BadRequest", "1040: NamedLocation with id "+id+" does not exist in the directory.")
}

func TestLimitOfLocations(t *testing.T) {
	t.Parallel()
	b := newBench(t, 0, Options{})
	for range 195 {
		b.id(http.MethodPost, placesAt, abroad)
	}
	_, e := b.ask(http.MethodPost, placesAt, abroad)
	wantError(t, "location 196", e, 400, "BadRequest", "1911: ")
}

// Providers send every range in the type of IPv4; the service takes it.
func TestRangesInTheTypeOfTheOtherFamily(t *testing.T) {
	t.Parallel()
	b := newBench(t, 0, Options{})
	for i, c := range []struct{ sent, kept string }{
		{`{"@odata.type":"#microsoft.graph.iPv4CidrRange","cidrAddress":"64:ff9b::/96"}`, `{"@odata.type":"#microsoft.graph.iPv6CidrRange","cidrAddress":"64:ff9b::/96"}`},
		{`{"@odata.type":"#microsoft.graph.iPv6CidrRange","cidrAddress":"192.0.2.0/24"}`, `{"@odata.type":"#microsoft.graph.iPv4CidrRange","cidrAddress":"192.0.2.0/24"}`},
		{`{"@odata.type":"#microsoft.graph.iPv4Range","lowerAddress":"2001:db8::1","upperAddress":"2001:db8::9"}`, `{"@odata.type":"#microsoft.graph.iPv6Range","lowerAddress":"2001:db8::1","upperAddress":"2001:db8::9"}`},
	} {
		id := b.id(http.MethodPost, placesAt, fmt.Sprintf(`{"@odata.type":"#microsoft.graph.ipNamedLocation","displayName":"p%d","ipRanges":[%s]}`, i, c.sent))
		if got := b.text(http.MethodGet, placesAt+"/"+id+"?$select=ipRanges", ""); !strings.Contains(got, c.kept) {
			t.Errorf("%s was kept as %s", c.sent, got)
		}
	}
}

func TestCountries(t *testing.T) {
	t.Parallel()
	if n := len(countries()); n != 250 {
		t.Errorf("%d codes; ISO 3166-1 has 249 and the service takes Kosovo", n)
	}
	b := newBench(t, 0, Options{})
	id := b.id(http.MethodPost, placesAt, `{"@odata.type":"#microsoft.graph.countryNamedLocation","displayName":"Kosovo","countriesAndRegions":["xk","GB"]}`)
	if got := b.text(http.MethodGet, placesAt+"/"+id, ""); !strings.Contains(got, `["XK","GB"]`) {
		t.Error(got)
	}
	_, e := b.ask(http.MethodPatch, placesAt+"/"+id, `{"@odata.type":"#microsoft.graph.countryNamedLocation","countriesAndRegions":["UK"]}`)
	wantError(t, "UK by PATCH", e, 400, "BadRequest", "1048: ")
}

// The service's own location can be named by policies and read, and no more.
func TestCompliantNetwork(t *testing.T) {
	t.Parallel()
	b := newBench(t, 0, Options{})
	at := placesAt + "/" + compliantNetwork
	if got := b.text(http.MethodGet, at, ""); !strings.Contains(got, `"displayName":"All Compliant Network locations"`) {
		t.Error(got)
	}
	policy := `{"displayName":"x","state":"disabled","conditions":{"applications":{"includeApplications":["All"]},"users":{"includeUsers":["All"]},"locations":{"includeLocations":["All"],"excludeLocations":["` + compliantNetwork + `"]}},"grantControls":{"operator":"OR","builtInControls":["mfa"]}}`
	id := b.id(http.MethodPost, policiesAt, policy)
	if got := b.text(http.MethodGet, policiesAt+"/"+id, ""); !strings.Contains(got, `"excludeLocations":["`+compliantNetwork+`"]`) {
		t.Error(got)
	}
	if ids := b.ids(placesAt); len(ids) != 0 {
		t.Errorf("listed: %v", ids)
	}
	_, e := b.ask(http.MethodPatch, at, `{"@odata.type":"#microsoft.graph.ipNamedLocation","isTrusted":false}`)
	wantError(t, "PATCH", e, 400, "BadRequest", "1920: ")
	_, e = b.ask(http.MethodDelete, at, "")
	wantError(t, "DELETE", e, 400, "BadRequest", "1921: ")
}
