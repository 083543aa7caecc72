package directory

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/risksweep/risksweep/internal/graphsim/body"
	"github.com/risksweep/risksweep/internal/graphsim/generate"
	"github.com/risksweep/risksweep/internal/graphsim/odata"
)

// row is one object. get gives a member as nil, string, bool, int, time.Time,
// []string or something that marshals by itself.
type row struct {
	// kind is the type without its namespace.
	kind string
	set  *set
	id   string
	get  func(member string) any
	// navigation gives what $expand may ask for; many says that it is a list.
	navigation func(name string) (rows []*row, many bool)
}

// value is a member, by a path below it if it is complex, for $filter and
// $orderby.
func (r *row) value(member string) odata.Value {
	name, below, nested := strings.Cut(member, "/")
	v := r.get(name)
	if !nested {
		return valueOf(v)
	}
	o, ok := v.(*body.Object)
	if !ok {
		return odata.Value{}
	}
	return fieldsOf(o)(below)
}

func valueOf(v any) odata.Value {
	switch v := v.(type) {
	case string:
		return odata.Text(v)
	case uuid.UUID:
		return odata.Guid(v.String())
	case bool:
		return odata.Boolean(v)
	case int:
		return odata.Integer(int64(v))
	case time.Time:
		return odata.Time(v)
	case []string:
		return odata.Texts(v)
	case *body.Object:
		return odata.Object(fieldsOf(v))
	case []*body.Object:
		items := make([]odata.Value, len(v))
		for i, o := range v {
			items[i] = valueOf(o)
		}
		return odata.List(items...)
	}
	return odata.Value{}
}

// fieldsOf gives the members of a complex value by their paths.
func fieldsOf(o *body.Object) odata.Getter {
	return func(member string) odata.Value {
		name, below, nested := strings.Cut(member, "/")
		v, _ := o.Get(name)
		inner, complex := v.(*body.Object)
		switch {
		case !nested:
			return valueOf(v)
		case complex:
			return fieldsOf(inner)(below)
		}
		return odata.Value{}
	}
}

// write gives the object as an answer shows it. typed adds the type, as lists
// of mixed objects do; whole adds to what is shown without $select all that the
// tenant has; what the caller may not see is null or left out.
func (r *row) write(o *odata.Options, typed, whole bool, seen sight) *body.Object {
	out := &body.Object{}
	if typed {
		out.Set("@odata.type", "#microsoft.graph."+r.kind)
	}
	for _, m := range r.set.Members {
		switch {
		case m.Navigation, seen == outline && m.Name != "id":
			continue
		case o.Select == nil && !r.set.shown[m.Name] && !(whole && r.set.filled[m.Name]):
			continue
		case !o.Selected(m.Name):
			continue
		}
		if seen == basics && !slices.Contains(basicMembers, m.Name) {
			out.Set(m.Name, shown(nil, m))
			continue
		}
		out.Set(m.Name, shown(r.get(m.Name), m))
	}
	return out
}

// shown is a member as JSON: dates as the service writes them, and no null in
// the place of a list.
func shown(v any, m odata.Member) any {
	switch v := v.(type) {
	case time.Time:
		if v.IsZero() {
			return nil
		}
		return odata.FormatTicks(odata.Ticks(v))
	case nil:
		if m.Collection {
			return []string{}
		}
	case []string:
		if v == nil {
			return []string{}
		}
	}
	return v
}

// some is a string, or null if it is empty.
func some(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (w *Workload) userRow(n int) *row {
	p := &w.t.People[n]
	return &row{
		kind: "user", set: w.sets.users, id: p.ID, get: func(member string) any { return w.userMember(p, member) },
		navigation: func(name string) ([]*row, bool) {
			switch name {
			case "manager":
				return w.managerOf(p), false
			case "directReports":
				return w.reportsOf(p), true
			}
			return w.memberships(name, p.ID)
		},
	}
}

func (w *Workload) userMember(p *generate.Person, member string) any {
	switch member {
	case "id":
		return p.ID
	case "displayName":
		return p.DisplayName
	case "userPrincipalName":
		return p.UserPrincipalName
	case "givenName":
		return some(p.GivenName)
	case "surname":
		return some(p.Surname)
	case "mail":
		return some(p.Mail)
	case "jobTitle":
		return some(p.JobTitle)
	case "department":
		return some(p.Department)
	case "city", "officeLocation":
		return some(p.City)
	case "country", "usageLocation":
		return some(p.Country)
	case "companyName":
		if p.Guest {
			return nil
		}
		return "Contoso"
	case "accountEnabled":
		return p.Enabled
	case "createdDateTime":
		return p.CreatedAt
	case "deletedDateTime":
		return p.DeletedAt
	case "mailNickname":
		return mailNickname(p.UserPrincipalName)
	case "userType":
		if p.Guest {
			return "Guest"
		}
		return "Member"
	case "creationType":
		if p.External() {
			return "Invitation"
		}
	case "externalUserState":
		if p.External() {
			return "Accepted"
		}
	case "otherMails":
		if p.External() {
			return []string{p.Mail}
		}
		return []string{}
	case "proxyAddresses":
		if p.Mail != "" {
			return []string{"SMTP:" + p.Mail}
		}
		return []string{}
	case "lastPasswordChangeDateTime", "signInSessionsValidFromDateTime":
		if member == "signInSessionsValidFromDateTime" && !p.SessionsFrom.IsZero() {
			return p.SessionsFrom
		}
		if !p.Guest {
			return p.CreatedAt
		}
	case "identities":
		identity := func(kind, issuer string, id any) *body.Object {
			return (&body.Object{}).Set("signInType", kind).Set("issuer", issuer).Set("issuerAssignedId", id)
		}
		all := []*body.Object{identity("userPrincipalName", w.t.InitialDomain, p.UserPrincipalName)}
		if p.External() {
			all = append(all, identity("federated", "ExternalAzureAD", nil))
		}
		return all
	}
	return nil
}

func mailNickname(upn string) string {
	for i := len(upn) - 1; i >= 0; i-- {
		if upn[i] == '@' {
			return upn[:i]
		}
	}
	return upn
}

func (w *Workload) groupRow(n int) *row {
	g := &w.t.Groups[n]
	return &row{
		kind: "group", set: w.sets.groups, id: g.ID, get: func(member string) any { return groupMember(g, member) },
		navigation: func(name string) ([]*row, bool) {
			switch name {
			case "members":
				return w.objectRows(g.Members), true
			case "transitiveMembers":
				return w.objectRows(w.within(*g)), true
			case "owners":
				return w.objectRows(w.ownersOf(g.ID)), true
			case "createdOnBehalfOf":
				return nil, false
			}
			return w.memberships(name, g.ID)
		},
	}
}

func groupMember(g *generate.Group, member string) any {
	switch member {
	case "id":
		return g.ID
	case "displayName":
		return g.DisplayName
	case "description":
		return some(g.Description)
	case "createdDateTime", "renewedDateTime":
		return g.CreatedAt
	case "groupTypes":
		return g.Types
	case "isAssignableToRole":
		if g.RoleAssignable {
			return true
		}
	case "mail":
		return some(g.Mail)
	case "mailEnabled":
		return g.MailEnabled
	case "mailNickname":
		return g.MailNickname
	case "membershipRule":
		return some(g.MembershipRule)
	case "membershipRuleProcessingState":
		if g.MembershipRule != "" {
			return "On"
		}
	case "proxyAddresses":
		if g.Mail != "" {
			return []string{"SMTP:" + g.Mail}
		}
		return []string{}
	case "securityEnabled":
		return g.SecurityEnabled
	case "visibility":
		if slices.Contains(g.Types, "Unified") || g.RoleAssignable {
			return "Private"
		}
	}
	return nil
}

func (w *Workload) principalRow(n int) *row {
	sp := &w.t.ServicePrincipals[n]
	return &row{
		kind: "servicePrincipal", set: w.sets.principals, id: sp.ID, get: func(member string) any { return principalMember(sp, member) },
		navigation: func(name string) ([]*row, bool) {
			if name == "appRoleAssignments" {
				return w.appRoleRows(sp.ID), true
			}
			return w.memberships(name, sp.ID)
		},
	}
}

func principalMember(sp *generate.ServicePrincipal, member string) any {
	switch member {
	case "id":
		return sp.ID
	case "appId":
		return sp.AppID
	case "displayName", "appDisplayName":
		if sp.Type == "ManagedIdentity" && member == "appDisplayName" {
			return nil
		}
		return sp.DisplayName
	case "accountEnabled":
		return sp.Enabled
	case "appRoleAssignmentRequired":
		return false
	case "appRoles":
		return appRoles(sp)
	case "appOwnerOrganizationId":
		if id, err := uuid.Parse(sp.OwnerTenant); err == nil && sp.Type != "ManagedIdentity" {
			return id
		}
	case "createdDateTime":
		return sp.CreatedAt
	case "replyUrls":
		return sp.ReplyURLs
	case "servicePrincipalNames":
		return sp.Names
	case "servicePrincipalType":
		return sp.Type
	case "signInAudience":
		switch {
		case sp.Type == "ManagedIdentity":
			return nil
		case len(sp.Tags) == 0:
			return "AzureADMultipleOrgs"
		}
		return "AzureADMyOrg"
	case "tags":
		return sp.Tags
	}
	return nil
}

// object finds any object of the directory that is not deleted by its id.
func (w *Workload) object(id string) *row {
	if n, ok := w.index.people[lower(id)]; ok && !w.t.People[n].Deleted {
		return w.userRow(n)
	}
	if n, ok := w.index.groups[lower(id)]; ok {
		return w.groupRow(n)
	}
	if n, ok := w.index.principals[lower(id)]; ok {
		return w.principalRow(n)
	}
	return nil
}
