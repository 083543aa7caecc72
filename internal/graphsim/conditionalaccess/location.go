package conditionalaccess

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/risksweep/risksweep/internal/graphsim/body"
	"github.com/risksweep/risksweep/internal/graphsim/odata"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// placeSchema is the type of a kept location.
func (w *Workload) placeSchema(d document) *schema {
	if d[typeName] == "#microsoft.graph.countryNamedLocation" {
		return w.types.country
	}
	return w.types.ip
}

// readLocation reads a body as the type it names.
func (w *Workload) readLocation(data []byte) (document, *schema, *refused) {
	var named struct {
		Type string `json:"@odata.type"`
	}
	if err := json.Unmarshal(data, &named); err != nil {
		return nil, nil, malformed("an object was expected for 'namedLocation'")
	}
	s := w.types.ip
	switch name := strings.TrimPrefix(strings.TrimPrefix(named.Type, "#"), "microsoft.graph."); {
	case strings.EqualFold(name, w.types.country.name):
		s = w.types.country
	case strings.EqualFold(name, w.types.ip.name):
	case name == "":
		return nil, nil, malformed("'@odata.type' is needed for 'namedLocation'")
	default:
		return nil, nil, malformed("'%s' is no type of 'namedLocation'", name)
	}
	d, bad := s.read(data, nil)
	return d, s, bad
}

func (w *Workload) createLocation(r *wire.Request) (*wire.Response, *wire.Error) {
	if len(r.Body) == 0 {
		return nil, badRequest(emptyPayload)
	}
	d, s, bad := w.readLocation(r.Body)
	if bad == nil {
		bad = d.required(s)
	}
	if bad == nil {
		d.fill(s)
		bad = w.checkPlace(d)
	}
	switch {
	case bad != nil:
	case w.opt.License == "none":
		return nil, unlicensed()
	case w.locations.live() >= maxLocations:
		bad = refuse(quotaExceeded, "The tenant has reached the limit of %d named locations", maxLocations)
	}
	if bad != nil {
		return nil, numbered(bad, postLocationsPage)
	}
	i := &item{ID: w.newID(), Created: r.Now}
	// Unlike a policy's, the time of change is that of creation.
	i.add(version{Doc: d, Modified: r.Now}, r.Now, w.opt.Lag)
	w.locations.items = append(w.locations.items, i)
	into := (&body.Object{}).Set("@odata.context", r.Root+"/$metadata#namedLocations/$entity")
	return &wire.Response{
		Status: http.StatusCreated, Effect: true, Deeds: w.deeds(added, s, i, nil), Body: w.showDocument(r, s, row{i, i.last()}, nil, into),
		Header: http.Header{"Location": {r.Root + "/identity/conditionalAccess/namedLocations('" + i.ID + "')"}},
	}, nil
}

func (w *Workload) patchLocation(r *wire.Request, i *item) (*wire.Response, *wire.Error) {
	if len(r.Body) == 0 {
		return nil, badRequest(emptyPayload)
	}
	patch, s, bad := w.readLocation(r.Body)
	before := i.last()
	old := before
	switch {
	case bad != nil:
	case w.opt.License == "none":
		return nil, unlicensed()
	case patch[typeName] != before.Doc[typeName]:
		bad = refuse(badLocation, "The type of a named location cannot be changed")
	default:
		d := before.Doc.clone()
		d.merge(patch)
		if bad = d.required(s); bad == nil {
			bad = w.checkPlace(d)
		}
		before.Doc = d
	}
	if bad != nil {
		return nil, numbered(bad, updateLocationPage)
	}
	before.Modified = r.Now
	i.add(before, r.Now, w.opt.Lag)
	return &wire.Response{Status: http.StatusNoContent, Effect: true, Deeds: w.deeds(updated, s, i, &old)}, nil
}

// checkPlace holds a location to the service's rules (graph-api §3.9).
func (w *Workload) checkPlace(d document) *refused {
	if utf8.RuneCountInString(d.text("displayName")) > maxDisplayName {
		return refuse(tooLong, "The display name is longer than %d characters", maxDisplayName)
	}
	if d[typeName] == "#microsoft.graph.countryNamedLocation" {
		countries := d.list("countriesAndRegions")
		if len(countries) == 0 && d["includeUnknownCountriesAndRegions"] != true {
			return refuse(badLocation, "A country location must name at least one country or region")
		}
		for n, c := range countries {
			c = strings.ToUpper(c)
			if !isCountry(c) {
				return refuse(noSuchCountry, "'countriesAndRegions' contains '%s', which is not a country or region code of ISO 3166-1 alpha-2", countries[n])
			}
			countries[n] = c
		}
		if d["countryLookupMethod"] == "authenticatorAppGps" && strings.HasPrefix(w.opt.Cloud, "usgov") {
			return refuse(badLocation, "The lookup method 'authenticatorAppGps' is not available in this cloud")
		}
		return nil
	}
	ranges := documents(d["ipRanges"])
	switch {
	case len(ranges) == 0:
		return refuse(badLocation, "An IP location must have at least one range")
	case len(ranges) > maxRanges:
		return refuse(quotaExceeded, "A named location cannot have more than %d ranges", maxRanges)
	}
	for _, r := range ranges {
		if bad := checkRange(r); bad != nil {
			return bad
		}
	}
	return nil
}

// checkRange wants a range that an address can lie in, and gives it the type of
// its addresses: callers send IPv6 ranges in the types of IPv4 and the service
// takes them.
func checkRange(r document) *refused {
	kind := strings.TrimPrefix(r.text(typeName), "#microsoft.graph.")
	if strings.HasSuffix(kind, "CidrRange") {
		// Host bits may be set; a bare address is refused.
		prefix, err := netip.ParsePrefix(r.text("cidrAddress"))
		switch {
		case err != nil:
			return refuse(badLocation, "'%s' is not a valid address range of type '%s'", r.text("cidrAddress"), kind)
		case prefix.Bits() <= 8:
			return refuse(badLocation, "'%s' is too wide: the prefix must be longer than /8", r.text("cidrAddress"))
		}
		r[typeName] = "#microsoft.graph." + addressFamily(prefix.Addr()) + "CidrRange"
		return nil
	}
	low, err1 := netip.ParseAddr(r.text("lowerAddress"))
	high, err2 := netip.ParseAddr(r.text("upperAddress"))
	if err1 != nil || err2 != nil || low.Is4() != high.Is4() || high.Less(low) {
		return refuse(badLocation, "'%s' to '%s' is not a valid address range of type '%s'", r.text("lowerAddress"), r.text("upperAddress"), kind)
	}
	r[typeName] = "#microsoft.graph." + addressFamily(low) + "Range"
	return nil
}

// addressFamily is how the types of ranges begin.
func addressFamily(a netip.Addr) string {
	if a.Is4() {
		return "iPv4"
	}
	return "iPv6"
}

// mayDelete refuses to delete a location that is trusted or in use.
func (w *Workload) mayDelete(i *item) *refused {
	if i.last().Doc["isTrusted"] == true {
		return refuse(locationTrusted, "NamedLocation with id %s is trusted and cannot be deleted. Mark it as not trusted first", i.ID)
	}
	for _, p := range w.policies.items {
		if p.last().gone() {
			continue
		}
		for _, side := range []string{"includeLocations", "excludeLocations"} {
			if slices.Contains(p.last().Doc.list("conditions", "locations", side), strings.ToLower(i.ID)) {
				return refuse(locationInUse, "NamedLocation with id %s is in use by the policy with id %s and cannot be deleted", i.ID, p.ID)
			}
		}
	}
	return nil
}

// placeSet is a named location without what its derived types add.
var placeSet = odata.Collection{
	Type: "microsoft.graph.namedLocation",
	Members: []odata.Member{
		{Name: "id", Kind: odata.String}, {Name: "displayName", Kind: odata.String},
		{Name: "createdDateTime", Kind: odata.DateTime}, {Name: "modifiedDateTime", Kind: odata.DateTime}, {Name: "deletedDateTime", Kind: odata.DateTime},
	},
}

// serveCompliantNetwork shows the service's own location, which is fixed.
func (w *Workload) serveCompliantNetwork(r *wire.Request) (*wire.Response, *wire.Error) {
	switch r.Method {
	case http.MethodGet:
	case http.MethodPatch:
		return nil, numbered(refuse(badLocation, "NamedLocation with id %s belongs to the service and cannot be changed", compliantNetwork), updateLocationPage)
	case http.MethodDelete:
		return nil, numbered(refuse(locationTrusted, "NamedLocation with id %s belongs to the service and cannot be deleted", compliantNetwork), deleteLocationPage)
	default:
		return nil, wrongMethod()
	}
	fixed := record{compliantNetwork, func(name string) any {
		switch name {
		case "id":
			return compliantNetwork
		case "displayName":
			return "All Compliant Network locations"
		}
		return nil
	}}
	return serveRecords(r, []string{compliantNetwork}, []record{fixed}, &placeSet, "namedLocations", string(locationKind))
}
