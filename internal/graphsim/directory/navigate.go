package directory

import (
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/risksweep/risksweep/internal/graphsim/body"
	"github.com/risksweep/risksweep/internal/graphsim/generate"
	"github.com/risksweep/risksweep/internal/graphsim/odata"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// maxExpanded is how many objects of a list $expand shows (user-list).
const maxExpanded = 20

// objectRows gives the rows of objects that exist.
func (w *Workload) objectRows(ids []string) []*row {
	var rows []*row
	for _, id := range ids {
		x := w.object(id)
		if x == nil {
			x = w.roleByID(id)
		}
		if x != nil {
			rows = append(rows, x)
		}
	}
	return rows
}

// memberships follows the navigation properties that all principals share.
// Lists that this tenant has nothing for are empty.
func (w *Workload) memberships(name, id string) (rows []*row, many bool) {
	switch name {
	case "memberOf", "transitiveMemberOf":
		return w.objectRows(w.memberIDs(id, name == "transitiveMemberOf")), true
	}
	return nil, true
}

// chief is the person whom all others report to, nil in a tenant without.
func (w *Workload) chief() *generate.Person {
	if n, ok := w.index.upns["ceo@"+lower(w.t.Domain)]; ok {
		return &w.t.People[n]
	}
	return nil
}

func (w *Workload) managerOf(p *generate.Person) []*row {
	c := w.chief()
	if c == nil || p.Guest || p.Deleted || p.ID == c.ID {
		return nil
	}
	return []*row{w.object(c.ID)}
}

func (w *Workload) reportsOf(p *generate.Person) []*row {
	c := w.chief()
	if c == nil || p.ID != c.ID {
		return nil
	}
	var rows []*row
	for n := range w.t.People {
		if q := &w.t.People[n]; q.ID != c.ID && !q.Guest && !q.Deleted {
			rows = append(rows, w.userRow(n))
		}
	}
	return rows
}

// expanded shows what a navigation property leads to.
func (w *Workload) expanded(r *wire.Request, x *row, e odata.Expand) (any, *wire.Error) {
	if x.navigation == nil {
		return nil, unsupported("The navigation property '%s' cannot be expanded.", e.Name)
	}
	// $levels follows managers upwards; nobody here has a manager's manager.
	if e.Name == "manager" {
		e.Options.Del("$levels")
	}
	targets, many := x.navigation(e.Name)
	if !many && len(targets) == 0 {
		return nil, nil //nolint:nilnil // null, as JSON has it
	}
	shown := []any{}
	for _, target := range targets[:min(len(targets), maxExpanded)] {
		inner, bad := target.set.ParseOne(e.Options)
		if bad != nil {
			return nil, refusal(bad)
		}
		v, refused := w.writtenAs(r, target, inner, target.kind != "unifiedRoleDefinition", e.Name == "principal")
		if refused != nil {
			return nil, refused
		}
		shown = append(shown, v)
	}
	if !many {
		return shown[0], nil
	}
	return shown, nil
}

// readable refuses what a list of users cannot show, or what the caller has no
// leave to see.
func (w *Workload) readable(r *wire.Request, o *odata.Options, s *set, one bool) *wire.Error {
	if s != w.sets.users {
		return nil
	}
	for _, name := range o.Select {
		if !one && slices.Contains(singleOnly, name) {
			return &wire.Error{Status: http.StatusNotImplemented, Code: "NotImplemented", Message: "The property '" + name + "' can be read of a single user only."}
		}
	}
	activity := slices.ContainsFunc(o.Select, func(name string) bool { return strings.HasPrefix(name, "signInActivity") })
	if o.Filter != nil {
		activity = activity || slices.ContainsFunc(o.Filter.Uses(), func(u odata.Use) bool { return strings.HasPrefix(u.Member, "signInActivity") })
	}
	switch {
	case !activity:
	case !slices.Contains(r.Roles, "AuditLog.Read.All"):
		return &wire.Error{Status: http.StatusForbidden, Code: "Authentication_MSGraphPermissionMissing", Message: "Calling principal does not have required MSGraph permissions AuditLog.Read.All"}
	case w.opt.License == "none":
		return &wire.Error{Status: http.StatusForbidden, Code: "Authentication_RequestFromNonPremiumTenantOrB2CTenant", Message: "Neither tenant is B2C or tenant doesn't have premium license"}
	default:
		o.Top = min(o.Top, maxWithActivity)
	}
	return nil
}

// maxWithActivity is the largest page that shows signInActivity (graph-api §4).
const maxWithActivity = 120

// applicationID is the object id of an application, which is not that of its
// service principal.
func applicationID(tenantID, appID string) string {
	tenant, err := uuid.Parse(tenantID)
	if err != nil {
		tenant = uuid.Nil
	}
	return uuid.NewSHA1(tenant, []byte("application "+lower(appID))).String()
}

// applicationRows are the applications registered here.
func (w *Workload) applicationRows() []*row {
	var rows []*row
	for n := range w.t.ServicePrincipals {
		sp := &w.t.ServicePrincipals[n]
		if sp.OwnerTenant != w.t.ID || sp.Type != "Application" {
			continue
		}
		id := applicationID(w.t.ID, sp.AppID)
		rows = append(rows, &row{
			kind: "application", set: w.sets.applications, id: id,
			navigation: func(name string) ([]*row, bool) { return nil, name != "createdOnBehalfOf" },
			get: func(member string) any {
				switch member {
				case "id":
					return id
				case "appId":
					return sp.AppID
				case "displayName":
					return sp.DisplayName
				case "createdDateTime":
					return sp.CreatedAt
				case "publisherDomain":
					return w.t.Domain
				case "signInAudience":
					return "AzureADMyOrg"
				case "identifierUris":
					return slices.DeleteFunc(slices.Clone(sp.Names), func(n string) bool { return n == sp.AppID })
				case "web":
					return (&body.Object{}).Set("homePageUrl", nil).Set("logoutUrl", nil).Set("redirectUris", slices.Concat([]string{}, sp.ReplyURLs))
				}
				return nil
			},
		})
	}
	return rows
}

func (w *Workload) applications(r *wire.Request) (*wire.Response, *wire.Error) {
	rows := w.applicationRows()
	if len(r.Path) == 1 || r.Path[1] == "$count" {
		return w.list(r, listing{rows: rows, set: w.sets.applications, context: "applications", countOnly: len(r.Path) == 2})
	}
	key := r.Path[1]
	if name, value, ok := alternate(key); ok {
		if !strings.EqualFold(name, "appId") {
			return nil, badRequest("The key '%s' is not a key of type 'microsoft.graph.application'.", name)
		}
		key = applicationID(w.t.ID, value)
	}
	for _, x := range rows {
		if strings.EqualFold(x.id, key) {
			return w.one(r, x, "applications")
		}
	}
	return nil, notFound(key)
}
