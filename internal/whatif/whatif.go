// Package whatif reads from a tenant what judging sign-ins needs, and answers
// what a sign-in would meet, under the live policies or under those that a
// baseline plans. It asks the service's own What If to check the answer.
package whatif

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// Reader is the part of a tenant that is asked.
type Reader interface {
	Resolve(context.Context, []entra.Ref) (entra.Names, error)
	Memberships(ctx context.Context, userID string) (entra.Memberships, error)
	Application(ctx context.Context, name string) ([]entra.Application, error)
	Evaluate(ctx context.Context, request entra.Document) ([]entra.Document, error)
}

// Objects are the tenant's policies and what they refer to.
type Objects struct {
	Policies, Locations, Strengths []entra.Document
}

// Live is the set of policies as the tenant has them.
func Live(o Objects, keys map[entra.ID]string) *access.Set {
	s := state(o, keys)
	return access.NewSet(s.Policies, s.Locations, s.Strengths, access.MicrosoftAppGroups())
}

// Planned is the set as it would stand after the actions of a plan, but for
// those that are blocked.
func Planned(o Objects, keys map[entra.ID]string, actions []plan.Action) *access.Set {
	return Live(afterPlan(o, keys, actions))
}

// afterPlan is what the objects would be.
func afterPlan(o Objects, keys map[entra.ID]string, actions []plan.Action) (Objects, map[entra.ID]string) {
	after := Objects{Policies: slices.Clone(o.Policies), Locations: slices.Clone(o.Locations), Strengths: slices.Clone(o.Strengths)}
	if keys = maps.Clone(keys); keys == nil {
		keys = map[entra.ID]string{}
	}
	for _, a := range actions {
		if a.Change == nil || a.Status == plan.Blocked {
			continue
		}
		list := map[entra.ObjectKind]*[]entra.Document{entra.KindPolicy: &after.Policies, entra.KindLocation: &after.Locations, entra.KindStrength: &after.Strengths}[a.Change.Kind]
		if list == nil {
			continue
		}
		at := slices.IndexFunc(*list, func(d entra.Document) bool { return a.Subject.ID != "" && entra.NewID(d.ID()) == a.Subject.ID })
		switch {
		case a.Change.After == nil && at >= 0:
			*list = slices.Delete(*list, at, at+1)
		case a.Change.After == nil:
		case at >= 0:
			doc := a.Change.After.Clone()
			doc["id"] = string(a.Subject.ID)
			(*list)[at] = doc
			keys[a.Subject.ID] = a.Change.Key
		default:
			doc := a.Change.After.Clone()
			// References to what this plan creates stand in this form.
			id := fmt.Sprintf("{{%s:%s}}", a.Change.Kind, a.Change.Key)
			doc["id"] = id
			keys[entra.NewID(id)] = a.Change.Key
			*list = append(*list, doc)
		}
	}
	return after, keys
}

// Question is one sign-in in an operator's words.
type Question struct {
	User, ServicePrincipal string // one of the two: a name or an id
	App, Action, Context   string // one of the three
	Conditions             access.SignIn
}

// Facts are what was read of those whom questions are about.
type Facts struct {
	reader Reader
	tenant entra.ID
	apps   map[string]*access.App
}

// NewFacts reads on demand; tenant is the tenant's id.
func NewFacts(reader Reader, tenant entra.ID) *Facts {
	return &Facts{reader: reader, tenant: tenant, apps: map[string]*access.App{}}
}

// SignIn turns a question into the sign-in that is judged.
func (f *Facts) SignIn(ctx context.Context, q Question) (access.SignIn, error) {
	in := q.Conditions
	in.AsGiven = true
	var err error
	switch {
	case q.User != "":
		in.User, err = f.User(ctx, q.User)
	default:
		in.ServicePrincipal, err = f.ServicePrincipal(ctx, q.ServicePrincipal)
	}
	if err != nil {
		return in, err
	}
	in.Target = access.Target{Action: q.Action, Context: q.Context}
	if q.App != "" {
		in.Target.App, err = f.App(ctx, q.App)
	}
	return in, err
}

// User reads one user.
func (f *Facts) User(ctx context.Context, name string) (*access.User, error) {
	o, err := f.one(ctx, entra.Ref{Kind: entra.KindUser, Name: name})
	if err != nil {
		return nil, err
	}
	m, err := f.reader.Memberships(ctx, string(o.ID))
	if err != nil {
		return nil, err
	}
	return &access.User{ID: m.ID, Groups: m.Groups, Roles: m.Roles, Guest: m.Guest, GuestUnknown: m.GuestUnknown}, nil
}

// ServicePrincipal reads one workload identity. Custom security attributes
// need a permission of their own and are not read.
func (f *Facts) ServicePrincipal(ctx context.Context, name string) (*access.ServicePrincipal, error) {
	o, err := f.one(ctx, entra.Ref{Kind: entra.KindServicePrincipal, Name: name})
	if err != nil {
		return nil, err
	}
	sp := &access.ServicePrincipal{ID: o.ID, OwnTenant: access.Unknown}
	found, err := f.reader.Application(ctx, o.AppID)
	if err != nil {
		return nil, err
	}
	for _, a := range found {
		if a.ID == o.ID && a.OwnerTenant != "" {
			sp.OwnTenant = access.No
			if a.OwnerTenant == f.tenant {
				sp.OwnTenant = access.Yes
			}
		}
	}
	return sp, nil
}

// App reads one application; All stands for any that no policy names.
func (f *Facts) App(ctx context.Context, name string) (*access.App, error) {
	if strings.EqualFold(name, "All") {
		return &access.App{}, nil
	}
	if app := f.apps[name]; app != nil {
		return app, nil
	}
	if strings.EqualFold(name, "Office365") || strings.EqualFold(name, "MicrosoftAdminPortals") {
		return nil, fmt.Errorf("%s is a group of applications: name one of them, such as \"Office 365 Exchange Online\"", name)
	}
	found, err := f.reader.Application(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0 && entra.IsID(name): // policies may name it all the same
		found = []entra.Application{{AppID: entra.NewID(name)}}
	case len(found) == 0:
		return nil, fmt.Errorf("no application is named %q: %w", name, entra.ErrNotFound)
	case len(found) > 1:
		ids := make([]string, len(found))
		for i, a := range found {
			ids[i] = string(a.AppID)
		}
		return nil, fmt.Errorf("%d applications are named %q: give one of the application ids %s", len(found), name, strings.Join(ids, ", "))
	}
	a := found[0]
	app := &access.App{ID: a.AppID, Name: a.DisplayName, Microsoft: access.Unknown}
	if a.OwnerTenant != "" {
		app.Microsoft = access.No
		if a.OwnerTenant == entra.MicrosoftTenant {
			app.Microsoft = access.Yes
		}
	}
	f.apps[name] = app
	return app, nil
}

func (f *Facts) one(ctx context.Context, ref entra.Ref) (entra.DirectoryObject, error) {
	names, err := f.reader.Resolve(ctx, []entra.Ref{ref})
	if err != nil {
		return entra.DirectoryObject{}, err
	}
	r := names[ref]
	o, ok := r.Resolved()
	switch {
	case ok:
		return o, nil
	case r.Unread != nil:
		return o, fmt.Errorf("the %s %q could not be looked up: %w", ref.Kind.Noun(), ref.Name, r.Unread)
	case len(r.Objects) == 0:
		return o, fmt.Errorf("no %s is named %q: %w", ref.Kind, ref.Name, entra.ErrNotFound)
	}
	return o, fmt.Errorf("%d objects of kind %s are named %q: give the id of one", len(r.Objects), ref.Kind, ref.Name)
}

// Answer is what a sign-in would meet.
type Answer struct {
	Policies   string          `json:"policies"` // live or planned
	Outcome    access.Result   `json:"outcome"`
	Demands    []access.Demand `json:"demands"`
	Session    []string        `json:"session"`
	Evaluated  []Evaluated     `json:"evaluated"`
	ReportOnly ReportOnly      `json:"reportOnly"`
	Verify     *Verified       `json:"verify,omitempty"`
}

// Evaluated is what one policy says.
type Evaluated struct {
	ID          string   `json:"id"`
	Key         string   `json:"key,omitempty"`
	DisplayName string   `json:"displayName"`
	State       string   `json:"state"`
	Applies     bool     `json:"applies"`
	Reasons     []string `json:"reasons"`
	Why         string   `json:"why,omitempty"`
}

// ReportOnly is what the report-only policies would add.
type ReportOnly struct {
	Outcome access.Result   `json:"outcome"`
	Demands []access.Demand `json:"demands"`
}

// Ask judges the sign-in. A fact that is not given counts as not met, as in
// the service's What If; a policy of which that decides says so in why.
func Ask(set *access.Set, policies string, in access.SignIn) Answer {
	j := set.Judge(in)
	o, beside := j.Outcome(), j.ReportOnly()
	a := Answer{
		Policies: policies, Outcome: o.Result, Demands: nonNil(o.Demands), Session: nonNil(o.Session), Evaluated: []Evaluated{},
		ReportOnly: ReportOnly{Outcome: beside.Result, Demands: nonNil(beside.Demands)},
	}
	for i := range set.Len() {
		p := set.Policy(i)
		v := j.Verdict(i)
		e := Evaluated{ID: p.Document.ID(), Key: p.Key, DisplayName: p.Document.DisplayName(), State: p.Document.Text("state"),
			Applies: v.Applies == access.Yes, Reasons: []string{}, Why: v.Why}
		if v.Reason != access.NotSet {
			e.Reasons = []string{v.Reason.String()}
		}
		a.Evaluated = append(a.Evaluated, e)
	}
	return a
}

func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// Verified is the comparison with the service's What If.
type Verified struct {
	Agrees      bool         `json:"agrees"`
	Differences []Difference `json:"differences"`
}

// Difference is a policy that the service judges differently.
type Difference struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
	Ours        string `json:"ours"`
	Service     string `json:"service"`
}

// ErrNotAsked is a question that the service's What If cannot take.
var ErrNotAsked = errors.New("the service's What If cannot be asked this")

// Verify asks the service and compares policy by policy whether it applies.
// Reasons are not compared: the service names the first condition in an order
// of its own.
func (f *Facts) Verify(ctx context.Context, in access.SignIn, a *Answer) error {
	body, err := request(in)
	if err != nil {
		return err
	}
	docs, err := f.reader.Evaluate(ctx, body)
	if err != nil {
		return fmt.Errorf("asking the service's What If: %w", err)
	}
	v := &Verified{Differences: []Difference{}}
	theirs := map[entra.ID]entra.Document{}
	for _, d := range docs {
		theirs[entra.NewID(d.ID())] = d
	}
	for _, e := range a.Evaluated {
		if strings.EqualFold(e.State, "disabled") {
			continue // the service judges enabled and report-only policies
		}
		ours := "does not apply: " + strings.Join(e.Reasons, ", ")
		if e.Applies {
			ours = "applies"
		}
		d, ok := theirs[entra.NewID(e.ID)]
		applies, _ := d["policyApplies"].(bool)
		service := "does not apply: " + d.Text("analysisReasons")
		switch {
		case !ok:
			service = "not in the answer"
		case applies:
			service = "applies"
		}
		if !ok || applies != e.Applies {
			v.Differences = append(v.Differences, Difference{ID: e.ID, DisplayName: e.DisplayName, Ours: ours, Service: service})
		}
	}
	slices.SortFunc(v.Differences, func(x, y Difference) int { return cmp.Compare(x.DisplayName, y.DisplayName) })
	v.Agrees = len(v.Differences) == 0
	a.Verify = v
	return nil
}

// request is the body of the service's What If.
func request(in access.SignIn) (entra.Document, error) {
	body := entra.Document{}
	switch {
	case in.User != nil:
		body["signInIdentity"] = map[string]any{"@odata.type": "#microsoft.graph.userSignIn", "userId": string(in.User.ID)}
	case in.ServicePrincipal != nil:
		body["signInIdentity"] = map[string]any{"@odata.type": "#microsoft.graph.servicePrincipalSignIn", "servicePrincipalId": string(in.ServicePrincipal.ID)}
	}
	switch t := in.Target; {
	case t.App != nil && t.App.ID != "":
		body["signInContext"] = map[string]any{"@odata.type": "#microsoft.graph.applicationContext", "includeApplications": []any{string(t.App.ID)}}
	case t.App != nil:
		return nil, fmt.Errorf("%w: it needs one application, not All", ErrNotAsked)
	case t.Context != "":
		body["signInContext"] = map[string]any{"@odata.type": "#microsoft.graph.authContext", "authenticationContextValue": t.Context}
	case strings.EqualFold(t.Action, "urn:user:registerdevice"):
		body["signInContext"] = map[string]any{"@odata.type": "#microsoft.graph.userActionContext", "userAction": "registerOrJoinDevices"}
	default:
		body["signInContext"] = map[string]any{"@odata.type": "#microsoft.graph.userActionContext", "userAction": "registerSecurityInformation"}
	}
	if in.Compliant != nil {
		return nil, fmt.Errorf("%w: it knows no compliant network", ErrNotAsked)
	}
	c := map[string]any{}
	for name, value := range map[string]string{
		"devicePlatform": in.Platform, "clientAppType": in.Client, "country": in.Country, "signInRiskLevel": in.SignInRisk, "userRiskLevel": in.UserRisk,
		"servicePrincipalRiskLevel": in.ServicePrincipalRisk, "insiderRiskLevel": in.InsiderRisk,
	} {
		if value != "" {
			c[name] = value
		}
	}
	if in.IP.IsValid() {
		c["ipAddress"] = in.IP.String()
	}
	if in.Flow != "" {
		c["authenticationFlow"] = map[string]any{"transferMethod": in.Flow}
	}
	if in.Device != nil {
		device := map[string]any{}
		for name, values := range in.Device.Properties {
			device[deviceInfoName(name)] = deviceInfoValue(name, values)
		}
		c["deviceInfo"] = device
	}
	body["signInConditions"] = c
	return body, nil
}

// deviceInfoName is a property's name in the request, which differs from that
// in filters for one.
func deviceInfoName(name string) string {
	if strings.EqualFold(name, "deviceOwnership") {
		return "ownership"
	}
	name, _ = access.DeviceProperty(name)
	return name
}

func deviceInfoValue(name string, values []string) any {
	switch strings.ToLower(name) {
	case "iscompliant":
		return len(values) > 0 && strings.EqualFold(values[0], "true")
	case "physicalids", "systemlabels":
		out := make([]any, len(values))
		for i, v := range values {
			out[i] = v
		}
		return out
	}
	return strings.Join(values, ",")
}

// States are the policies as they are and as they would be after a plan.
func States(o Objects, keys map[entra.ID]string, actions []plan.Action) (before, after access.State) {
	o2, keys2 := afterPlan(o, keys, actions)
	return state(o, keys), state(o2, keys2)
}

func state(o Objects, keys map[entra.ID]string) access.State {
	s := access.State{Locations: o.Locations, Strengths: o.Strengths}
	for _, d := range o.Policies {
		s.Policies = append(s.Policies, access.Policy{Key: keys[entra.NewID(d.ID())], Document: d})
	}
	return s
}
