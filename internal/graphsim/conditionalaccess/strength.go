package conditionalaccess

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/risksweep/risksweep/internal/graphsim/body"
	"github.com/risksweep/risksweep/internal/graphsim/odata"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// builtIns are the strengths that every tenant has (graph-api §3.10).
var builtIns = []struct{ id, name, description, combinations string }{
	{
		"00000000-0000-0000-0000-000000000002", "Multifactor authentication", "Combinations of methods that satisfy strong authentication, such as a password + SMS",
		"windowsHelloForBusiness fido2 x509CertificateMultiFactor deviceBasedPush temporaryAccessPassOneTime temporaryAccessPassMultiUse password,microsoftAuthenticatorPush password,softwareOath password,hardwareOath password,sms password,voice federatedMultiFactor microsoftAuthenticatorPush,federatedSingleFactor softwareOath,federatedSingleFactor hardwareOath,federatedSingleFactor sms,federatedSingleFactor voice,federatedSingleFactor",
	},
	{
		"00000000-0000-0000-0000-000000000003", "Passwordless MFA", "Passwordless methods that satisfy strong authentication, such as Passwordless sign-in with the Microsoft Authenticator",
		"windowsHelloForBusiness fido2 x509CertificateMultiFactor deviceBasedPush",
	},
	{
		"00000000-0000-0000-0000-000000000004", "Phishing-resistant MFA", "Phishing-resistant, Passwordless methods for the strongest authentication, such as a FIDO2 security key",
		"windowsHelloForBusiness fido2 x509CertificateMultiFactor",
	},
}

// epoch is when the built-in strengths came to every tenant.
var epoch = time.Date(2021, 12, 1, 0, 0, 0, 0, time.UTC)

func (w *Workload) builtIn() {
	for _, b := range builtIns {
		d := document{"displayName": b.name, "description": b.description, "allowedCombinations": strings.Fields(b.combinations), "combinationConfigurations": []document{}}
		w.strengths.items = append(w.strengths.items, &item{ID: b.id, Created: epoch, versions: []version{{Doc: d, Modified: epoch}}})
	}
}

func isBuiltIn(id string) bool {
	return slices.ContainsFunc(builtIns, func(b struct{ id, name, description, combinations string }) bool { return strings.EqualFold(b.id, id) })
}

// alone are the methods that are strong without a second one.
var alone = []string{"fido2", "windowsHelloForBusiness", "x509CertificateMultiFactor", "deviceBasedPush", "temporaryAccessPassOneTime", "temporaryAccessPassMultiUse", "federatedMultiFactor"}

// satisfied says what a strength amounts to: MFA if each of its combinations
// does.
func satisfied(combinations []string) string {
	for _, c := range combinations {
		if !strings.Contains(c, ",") && !slices.Contains(alone, c) {
			return "none"
		}
	}
	return "mfa"
}

// strengthListing declares the collection under the path that was used.
func (w *Workload) strengthListing(r *wire.Request) listing {
	root := "policies/authenticationStrengthPolicies"
	if r.Path[0] == "identity" {
		root = "identity/conditionalAccess/authenticationStrength/policies"
	}
	s := w.types.strength
	members := s.members()
	for i := range members {
		if members[i].Name == "requirementsSatisfied" {
			members[i].NoOrder = true
		}
		if members[i].Name == "allowedCombinations" { // flags, for has
			members[i].Kind, members[i].Enum = odata.Enum, w.types.combinations
		}
	}
	return listing{
		collection: &odata.Collection{Type: "microsoft.graph.authenticationStrengthPolicy", Members: members, Filterable: true, DefaultTop: maxPage},
		rows:       w.strengths.readable(r.Now, false), schema: func(row) *schema { return s }, context: root, entity: root,
		extra: func(x row, member string) (any, bool) { return w.times(x, member) },
		show: func(x row, selected func(string) bool, into *body.Object) *body.Object {
			return w.showStrength(r, x, selected, into, r.Root+"/$metadata#"+root+"('"+x.item.ID+"')")
		},
	}
}

// described is a strength with the members that follow from the others.
func described(x row) row {
	d := x.version.Doc.clone()
	d["policyType"] = "custom"
	if isBuiltIn(x.item.ID) {
		d["policyType"] = "builtIn"
	}
	d["requirementsSatisfied"] = satisfied(d.list("allowedCombinations"))
	owner, _ := uuid.Parse(x.item.ID) // built-in ones have none
	for n, c := range documents(d["combinationConfigurations"]) {
		c["id"] = uuid.NewSHA1(owner, []byte{byte(n)}).String()
	}
	x.version.Doc = d
	return x
}

func (w *Workload) showStrength(r *wire.Request, x row, selected func(string) bool, into *body.Object, place string) *body.Object {
	x = described(x)
	if !r.UnknownEnums {
		// A combination with a method newer than the caller is shown as
		// unknown.
		shown := clone(x.version.Doc["allowedCombinations"]).([]string) //nolint:forcetypeassert // it always is
		for i, c := range shown {
			for m := range strings.SplitSeq(c, ",") {
				if w.types.combinations.Shown(m, false) != m {
					shown[i] = unknownFuture
				}
			}
		}
		x.version.Doc["allowedCombinations"] = shown
	}
	configured := selected == nil || selected("combinationConfigurations")
	w.showDocument(r, w.types.strength, x, func(name string) bool {
		if name == "combinationConfigurations" && configured && place != "" {
			into.Set(name+"@odata.context", place+"/combinationConfigurations") // stands before it
		}
		return selected == nil || selected(name)
	}, into)
	return into
}

// combined brings combinations to the form that the service keeps: methods in
// the order of the metadata, combinations too.
func (w *Workload) combined(given []string) ([]string, *refused) {
	p := property{name: "allowedCombinations", enum: w.types.combinations}
	var all []string
	for _, g := range given {
		v, bad := p.flags(g)
		if bad != nil {
			return nil, bad
		}
		if c := v.(string); !slices.Contains(all, c) { //nolint:forcetypeassert // flags gives strings
			all = append(all, c)
		}
	}
	if len(all) == 0 {
		return nil, refuse(badStrength, "An authentication strength must allow at least one combination")
	}
	slices.SortFunc(all, func(a, b string) int {
		return slices.Compare(w.ranks(a), w.ranks(b))
	})
	return all, nil
}

func (w *Workload) ranks(combination string) []int {
	var ranks []int
	for m := range strings.SplitSeq(combination, ",") {
		ranks = append(ranks, slices.Index(w.types.combinations.Members, m))
	}
	return ranks
}

func (w *Workload) serveStrengths(r *wire.Request, rest []string) (*wire.Response, *wire.Error) {
	l := w.strengthListing(r)
	if len(rest) == 0 {
		switch r.Method {
		case http.MethodGet:
			for i := range l.rows {
				l.rows[i] = described(l.rows[i])
			}
			return w.list(r, l, false)
		case http.MethodPost:
			return w.createStrength(r, l)
		}
		return nil, wrongMethod()
	}
	i := w.strengths.find(rest[0])
	if i == nil || (r.Method != http.MethodGet && i.last().gone()) {
		return nil, missing("AuthenticationStrengthPolicy", rest[0])
	}
	x, visible := i.readable(r.Now, false)
	if r.Method == http.MethodGet && !visible {
		return nil, missing("AuthenticationStrengthPolicy", rest[0])
	}
	what := ""
	if len(rest) > 1 {
		what = strings.TrimPrefix(rest[1], "microsoft.graph.")
	}
	switch {
	case r.Method == http.MethodGet && what == "":
		return w.one(r, l, x)
	case r.Method == http.MethodGet && what == "usage":
		return w.usage(r, i)
	case r.Method == http.MethodGet && what == "combinationConfigurations":
		out := (&body.Object{}).Set("@odata.context", r.Root+"/$metadata#"+l.context+"('"+i.ID+"')/combinationConfigurations").
			Set("value", writer{unknownEnums: r.UnknownEnums}.show(w.types.strength.find("combinationConfigurations"), described(x).version.Doc["combinationConfigurations"]))
		return &wire.Response{Status: http.StatusOK, Body: out}, nil
	case r.Method == http.MethodPost && what == "updateAllowedCombinations":
		return w.updateCombinations(r, i)
	case r.Method == http.MethodPatch && what == "":
		return w.patchStrength(r, i)
	case r.Method == http.MethodDelete && what == "":
		return w.deleteStrength(r, i)
	}
	return nil, wrongMethod()
}

func (w *Workload) createStrength(r *wire.Request, l listing) (*wire.Response, *wire.Error) {
	if len(r.Body) == 0 {
		return nil, badRequest(emptyPayload)
	}
	d, bad := w.types.strength.read(r.Body, nil)
	if bad == nil {
		bad = d.required(w.types.strength)
	}
	if bad == nil {
		d["allowedCombinations"], bad = w.combined(d.list("allowedCombinations"))
	}
	if bad == nil {
		d.fill(w.types.strength)
		bad = w.checkConfigurations(d)
	}
	if bad == nil {
		bad = w.checkStrength(d, "")
	}
	switch {
	case bad != nil:
	case w.opt.License == "none":
		return nil, unlicensed()
	case w.strengths.live()-len(builtIns) >= maxStrengths:
		bad = refuse(quotaExceeded, "The tenant has reached the limit of %d custom authentication strengths", maxStrengths)
	}
	if bad != nil {
		return nil, numbered(bad, postStrengthsPage)
	}
	i := &item{ID: w.newID(), Created: r.Now}
	i.add(version{Doc: d, Modified: r.Now}, r.Now, w.opt.Lag)
	w.strengths.items = append(w.strengths.items, i)
	into := (&body.Object{}).Set("@odata.context", r.Root+"/$metadata#"+l.entity+"/$entity")
	return &wire.Response{
		Status: http.StatusCreated, Effect: true, Deeds: w.deeds(added, w.types.strength, i, nil), Body: l.show(row{i, i.last()}, nil, into),
		Header: http.Header{"Location": {r.Root + "/" + strings.Join(r.Path, "/") + "('" + i.ID + "')"}},
	}, nil
}

// checkConfigurations brings the configurations to the kept form and wants each
// to be for combinations that the strength allows.
func (w *Workload) checkConfigurations(d document) *refused {
	for _, c := range documents(d["combinationConfigurations"]) {
		combinations, bad := w.combined(c.list("appliesToCombinations"))
		if bad != nil {
			return bad
		}
		method := "fido2"
		if c[typeName] == "#microsoft.graph.x509CertificateCombinationConfiguration" {
			method = "x509Certificate"
		}
		for _, one := range combinations {
			if !strings.Contains(one, method) || !slices.Contains(d.list("allowedCombinations"), one) {
				return refuse(badStrength, "A '%s' cannot apply to the combination '%s'", c.text(typeName), one)
			}
		}
		c["appliesToCombinations"] = combinations
	}
	return nil
}

// checkStrength wants a name of its own: strengths, unlike policies, cannot
// share one.
func (w *Workload) checkStrength(d document, id string) *refused {
	name := d.text("displayName")
	if utf8.RuneCountInString(name) > maxDisplayName {
		return refuse(tooLong, "The display name is longer than %d characters", maxDisplayName)
	}
	for _, i := range w.strengths.items {
		if i.ID != id && !i.last().gone() && strings.EqualFold(i.last().Doc.text("displayName"), name) {
			return refuse(badStrength, "An authentication strength with the name '%s' exists already", name)
		}
	}
	return nil
}

func (w *Workload) patchStrength(r *wire.Request, i *item) (*wire.Response, *wire.Error) {
	if len(r.Body) == 0 {
		return nil, badRequest(emptyPayload)
	}
	patch, bad := w.types.strength.read(r.Body, nil)
	v := i.last()
	if bad == nil {
		// The combinations have an action of their own.
		if given, ok := patch["allowedCombinations"]; ok {
			combinations, wrong := w.combined(given.([]string)) //nolint:forcetypeassert // the schema says so
			if bad = wrong; bad == nil && !slices.Equal(combinations, sorted(w, v.Doc)) {
				bad = refuse(badStrength, "'allowedCombinations' cannot be changed here; use the action updateAllowedCombinations")
			}
			delete(patch, "allowedCombinations")
		}
		if given, ok := patch["combinationConfigurations"]; ok && bad == nil {
			for _, c := range documents(given) {
				c.fill(w.types.strength.find("combinationConfigurations").of)
			}
			if !reflect.DeepEqual(given, v.Doc["combinationConfigurations"]) {
				bad = refuse(badStrength, "'combinationConfigurations' cannot be changed with the strength that they belong to")
			}
			delete(patch, "combinationConfigurations")
		}
	}
	if bad == nil && isBuiltIn(i.ID) {
		bad = refuse(strengthFixed, "A built-in authentication strength cannot be changed")
	}
	if bad == nil {
		v.Doc = v.Doc.clone()
		v.Doc.merge(patch)
		if bad = v.Doc.required(w.types.strength); bad == nil {
			bad = w.checkStrength(v.Doc, i.ID)
		}
	}
	if bad != nil {
		return nil, numbered(bad, updateStrengthPage)
	}
	old := i.last()
	v.Modified = r.Now
	i.add(v, r.Now, w.opt.Lag)
	return &wire.Response{Status: http.StatusNoContent, Effect: true, Deeds: w.deeds(updated, w.types.strength, i, &old)}, nil
}

func sorted(w *Workload, d document) []string {
	all, bad := w.combined(d.list("allowedCombinations"))
	if bad != nil {
		return nil
	}
	return all
}

func (w *Workload) updateCombinations(r *wire.Request, i *item) (*wire.Response, *wire.Error) {
	action := &schema{name: "updateAllowedCombinations", properties: []property{{name: "allowedCombinations", kind: someTexts, need: true}}}
	in, bad := action.read(r.Body, nil)
	if bad == nil {
		bad = in.required(action)
	}
	var combinations []string
	if bad == nil {
		combinations, bad = w.combined(in.list("allowedCombinations"))
	}
	if bad == nil && isBuiltIn(i.ID) {
		bad = refuse(strengthFixed, "A built-in authentication strength cannot be changed")
	}
	v := i.last()
	if bad == nil && satisfied(combinations) != satisfied(v.Doc.list("allowedCombinations")) && len(w.users(i)) > 0 {
		bad = refuse(strengthInUse, "The combinations would change what the authentication strength satisfies while policies use it")
	}
	if bad != nil {
		return nil, numbered(bad, combinationsPage)
	}
	previous, old := v.Doc.list("allowedCombinations"), v
	v.Doc = v.Doc.clone()
	v.Doc["allowedCombinations"], v.Modified = combinations, r.Now
	i.add(v, r.Now, w.opt.Lag)
	references := make([]string, 0)
	for _, p := range w.users(i) {
		references = append(references, p.ID)
	}
	out := (&body.Object{}).Set("@odata.context", r.Root+"/$metadata#microsoft.graph.updateAllowedCombinationsResult").
		Set("additionalInformation", "").Set("conditionalAccessReferences", references).
		Set("currentCombinations", combinations).Set("previousCombinations", previous)
	return &wire.Response{Status: http.StatusOK, Effect: true, Body: out, Deeds: w.deeds(updated, w.types.strength, i, &old)}, nil
}

// users are the policies that use a strength.
func (w *Workload) users(i *item) []*item {
	var all []*item
	for _, p := range w.policies.items {
		if !p.last().gone() && p.last().Doc.at("grantControls", "authenticationStrength") == i.ID {
			all = append(all, p)
		}
	}
	return all
}

func (w *Workload) deleteStrength(r *wire.Request, i *item) (*wire.Response, *wire.Error) {
	switch {
	case isBuiltIn(i.ID):
		return nil, numbered(refuse(strengthFixed, "A built-in authentication strength cannot be deleted"), deleteStrengthPage)
	case len(w.users(i)) > 0:
		return nil, numbered(refuse(strengthInUse, "AuthenticationStrength with id %s is in use by the policy with id %s and cannot be deleted", i.ID, w.users(i)[0].ID), deleteStrengthPage)
	}
	v, old := i.last(), i.last()
	v.Purged = true
	i.add(v, r.Now, w.opt.Lag)
	return &wire.Response{Status: http.StatusNoContent, Effect: true, Deeds: w.deeds(deleted, w.types.strength, i, &old)}, nil
}

// usage shows the policies that use a strength, by whether they ask for the
// MFA claim.
func (w *Workload) usage(r *wire.Request, i *item) (*wire.Response, *wire.Error) {
	lists := map[string][]*body.Object{"mfa": {}, "none": {}}
	for _, p := range w.users(i) {
		if x, ok := p.readable(r.Now, false); ok {
			kind := satisfied(i.last().Doc.list("allowedCombinations"))
			lists[kind] = append(lists[kind], w.showPolicy(r, x, nil, &body.Object{}))
		}
	}
	out := (&body.Object{}).Set("@odata.context", r.Root+"/$metadata#microsoft.graph.authenticationStrengthUsage").Set("mfa", lists["mfa"]).Set("none", lists["none"])
	return &wire.Response{Status: http.StatusOK, Body: out}, nil
}
