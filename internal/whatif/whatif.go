// Package whatif reads from a tenant what judging sign-ins needs, and answers
// what a sign-in would meet, under the live policies or under those that a
// baseline plans. It asks the service's own What If to check the answer.
package whatif

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
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
		case len(a.Change.Exclusions) > 0: // of the policy as the changes before have left it
			if at < 0 { // made by this plan
				at = slices.IndexFunc(*list, func(d entra.Document) bool { return entra.NewID(d.ID()) == a.Change.PlannedID() })
			}
			if at >= 0 {
				doc := a.Excepted(policy.CanonicalOf(a.Change.Kind, (*list)[at])).Document()
				doc["id"] = (*list)[at].ID()
				(*list)[at] = doc
			}
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
			id := a.Change.PlannedID()
			if a.Kind.Verb() == plan.Restore {
				id = a.Subject.ID
			}
			doc["id"] = string(id)
			keys[id] = a.Change.Key
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

// OneApp refuses a word that stands for a group of applications.
func OneApp(name string) error {
	for group, member := range map[string]string{"Office365": "Office 365 Exchange Online", "MicrosoftAdminPortals": "c44b4083-3bb0-49c1-b47d-974e53cbdf3c, the Azure portal"} {
		if strings.EqualFold(name, group) {
			return fmt.Errorf("%s is a group of applications: name one of them, such as %s", name, member)
		}
	}
	return nil
}

// App reads one application; All stands for any that no policy names.
func (f *Facts) App(ctx context.Context, name string) (*access.App, error) {
	if strings.EqualFold(name, "All") {
		return &access.App{}, nil
	}
	if app := f.apps[name]; app != nil {
		return app, nil
	}
	if err := OneApp(name); err != nil {
		return nil, err
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
