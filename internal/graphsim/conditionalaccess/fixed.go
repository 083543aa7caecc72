package conditionalaccess

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/graphsim/body"
	"github.com/risksweep/risksweep/internal/graphsim/odata"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// context is an authentication context.
type context struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
	Description string `json:"description"`
	IsAvailable bool   `json:"isAvailable"`
}

var contextSet = odata.Collection{
	Type: "microsoft.graph.authenticationContextClassReference", Filterable: true, DefaultTop: 100, MaxTop: 100, Countable: true,
	Members: []odata.Member{{Name: "id", Kind: odata.String}, {Name: "displayName", Kind: odata.String}, {Name: "description", Kind: odata.String}, {Name: "isAvailable", Kind: odata.Bool}},
}

func (c context) member(name string) any {
	switch name {
	case "id":
		return c.ID
	case "displayName":
		return c.DisplayName
	case "description":
		return c.Description
	}
	return c.IsAvailable
}

const contextsAt = "identity/conditionalAccess/authenticationContextClassReferences"

// serveContexts lists and keeps the authentication contexts. A PATCH of one
// that is not there makes it.
func (w *Workload) serveContexts(r *wire.Request, rest []string) (*wire.Response, *wire.Error) {
	records := make([]record, len(w.contexts))
	for i, c := range w.contexts {
		records[i] = record{c.ID, c.member}
	}
	id := ""
	if len(rest) > 0 {
		id = rest[0]
	}
	at := slices.IndexFunc(w.contexts, func(c context) bool { return strings.EqualFold(c.ID, id) })
	switch r.Method {
	case http.MethodGet:
		return serveRecords(r, rest, records, &contextSet, contextsAt, "AuthenticationContextClassReference")
	case http.MethodPost, http.MethodPatch:
		var in struct {
			ID          *string `json:"id"`
			DisplayName *string `json:"displayName"`
			Description *string `json:"description"`
			IsAvailable *bool   `json:"isAvailable"`
		}
		if err := json.Unmarshal(r.Body, &in); err != nil {
			return nil, badRequest("The request body is not an authenticationContextClassReference.")
		}
		if r.Method == http.MethodPost {
			if len(rest) > 0 {
				return nil, wrongMethod()
			}
			if in.ID == nil {
				return nil, badRequest("The property 'id' is required.")
			}
			id = *in.ID
			if at = slices.IndexFunc(w.contexts, func(c context) bool { return strings.EqualFold(c.ID, id) }); at >= 0 {
				return nil, badRequest("The authentication context '%s' exists already.", id)
			}
		}
		if !contextID.MatchString(strings.ToLower(id)) {
			return nil, badRequest("'%s' is not an authentication context; c1 to c99 are.", id)
		}
		fresh := at < 0
		if fresh {
			w.contexts = append(w.contexts, context{ID: strings.ToLower(id)})
			at = len(w.contexts) - 1
		}
		c := &w.contexts[at]
		if in.DisplayName != nil {
			c.DisplayName = *in.DisplayName
		}
		if in.Description != nil {
			c.Description = *in.Description
		}
		if in.IsAvailable != nil {
			c.IsAvailable = *in.IsAvailable
		}
		deeds := contextDeeds(updated, *c)
		if fresh {
			deeds = contextDeeds(added, *c)
		}
		if r.Method == http.MethodPatch {
			return &wire.Response{Status: http.StatusNoContent, Effect: true, Deeds: deeds}, nil
		}
		out := (&body.Object{}).Set("@odata.context", r.Root+"/$metadata#"+contextsAt+"/$entity")
		for _, m := range contextSet.Members {
			out.Set(m.Name, c.member(m.Name))
		}
		return &wire.Response{Status: http.StatusCreated, Effect: true, Body: out, Deeds: deeds}, nil
	case http.MethodDelete:
		if at < 0 {
			return nil, missing("AuthenticationContextClassReference", id)
		}
		for _, p := range w.policies.items {
			if !p.last().gone() && slices.Contains(p.last().Doc.list("conditions", "applications", "includeAuthenticationContextClassReferences"), w.contexts[at].ID) {
				return nil, badRequest("The authentication context '%s' is in use by the policy with id %s and cannot be deleted.", id, p.ID)
			}
		}
		deeds := contextDeeds(deleted, w.contexts[at])
		w.contexts = slices.Delete(w.contexts, at, at+1)
		return &wire.Response{Status: http.StatusNoContent, Effect: true, Deeds: deeds}, nil
	}
	return nil, wrongMethod()
}

// record is a row of a list that needs no more than its members.
type record struct {
	id     string
	member func(name string) any
}

// serveRecords serves such a list and its items.
func serveRecords(r *wire.Request, rest []string, records []record, c *odata.Collection, context, what string) (*wire.Response, *wire.Error) {
	write := func(x record, o *odata.Options, into *body.Object) *body.Object {
		for _, m := range c.Members {
			if o.Selected(m.Name) {
				into.Set(m.Name, x.member(m.Name))
			}
		}
		return into
	}
	if len(rest) > 0 {
		for _, x := range records {
			if !strings.EqualFold(x.id, rest[0]) {
				continue
			}
			o, bad := c.ParseOne(r.Query)
			if bad != nil {
				return nil, queryRefusal(bad)
			}
			return &wire.Response{Status: http.StatusOK, Body: write(x, o, (&body.Object{}).Set("@odata.context", o.Context(r.Root, context)+"/$entity"))}, nil
		}
		return nil, missing(what, rest[0])
	}
	query := r.Query
	if f := query.Get("$filter"); f != "" {
		query = map[string][]string{}
		for name, v := range r.Query {
			query[name] = v
		}
		query.Set("$filter", rewritten(f))
	}
	o, bad := c.Parse(query, r.UnknownEnums)
	if bad != nil {
		return nil, queryRefusal(bad)
	}
	var kept []record
	for _, x := range records {
		if o.Filter == nil || o.Filter.Match(func(member string) odata.Value { return recordValue(c, x, member) }) {
			kept = append(kept, x)
		}
	}
	from, to, more := o.Page(len(kept))
	out := (&body.Object{}).Set("@odata.context", o.Context(r.Root, context))
	if o.Count {
		out.Set("@odata.count", len(kept))
	}
	if more {
		out.Set("@odata.nextLink", o.NextLink(r.Root, r.URL, to))
	}
	values := make([]*body.Object, 0, to-from)
	for _, x := range kept[from:to] {
		values = append(values, write(x, o, &body.Object{}))
	}
	return &wire.Response{Status: http.StatusOK, Body: out.Set("value", values)}, nil
}

func recordValue(c *odata.Collection, x record, member string) odata.Value {
	m, _, _ := c.Lookup(member)
	switch v := x.member(member).(type) {
	case bool:
		return odata.Boolean(v)
	case string:
		if m != nil && m.Kind == odata.Enum && m.Collection { // flags
			var all []odata.Value
			for f := range strings.SplitSeq(v, ",") {
				all = append(all, odata.EnumValue(f))
			}
			return odata.List(all...)
		}
		return odata.Text(v)
	}
	return odata.Value{}
}

var modeSet = odata.Collection{
	Type: "microsoft.graph.authenticationMethodModeDetail", Filterable: true, DefaultTop: 100,
	Members: []odata.Member{{Name: "id", Kind: odata.String}, {Name: "authenticationMethod", Kind: odata.String}, {Name: "displayName", Kind: odata.String}},
}

// serveModes lists the methods that combinations are made of.
func (w *Workload) serveModes(r *wire.Request, rest []string) (*wire.Response, *wire.Error) {
	named := map[string][2]string{
		"password": {"password", "Password"}, "voice": {"voice", "Telephone voice"}, "hardwareOath": {"hardwareOath", "Hardware OATH token"}, "softwareOath": {"softwareOath", "Software OATH token"},
		"sms": {"sms", "Text message"}, "fido2": {"fido2", "FIDO2 security key"}, "windowsHelloForBusiness": {"windowsHelloForBusiness", "Windows Hello for Business"},
		"microsoftAuthenticatorPush": {"microsoftAuthenticator", "Microsoft Authenticator (push notification)"}, "deviceBasedPush": {"microsoftAuthenticator", "Microsoft Authenticator (phone sign-in)"},
		"temporaryAccessPassOneTime": {"temporaryAccessPass", "Temporary Access Pass (one-time use)"}, "temporaryAccessPassMultiUse": {"temporaryAccessPass", "Temporary Access Pass (multi-use)"},
		"email": {"email", "Email one-time passcode"}, "x509CertificateSingleFactor": {"x509Certificate", "Certificate-based authentication (single factor)"}, "x509CertificateMultiFactor": {"x509Certificate", "Certificate-based authentication (multifactor)"},
		"federatedSingleFactor": {"federation", "Federated single factor"}, "federatedMultiFactor": {"federation", "Federated multifactor"}, "qrCodePin": {"qrCodePin", "QR code"},
	}
	var records []record
	for _, mode := range w.types.combinations.Members {
		n, ok := named[mode]
		if !ok {
			continue
		}
		records = append(records, record{mode, func(member string) any {
			switch member {
			case "id":
				return mode
			case "authenticationMethod":
				return n[0]
			}
			return n[1]
		}})
	}
	return serveRecords(r, rest, records, &modeSet, "identity/conditionalAccess/authenticationStrength/authenticationMethodModes", "AuthenticationMethodModeDetail")
}
