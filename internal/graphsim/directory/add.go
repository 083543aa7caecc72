package directory

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/risksweep/risksweep/internal/graphsim/body"
	"github.com/risksweep/risksweep/internal/graphsim/generate"
	"github.com/risksweep/risksweep/internal/graphsim/odata"
)

// Addition is what is to be added to the directory. Groups, principals and
// roles are named by id or by name.
type Addition struct {
	// Kind is one of Kinds.
	Kind        string `json:"kind"`
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
	Description string `json:"description"`

	// A group's.
	IsAssignableToRole bool     `json:"isAssignableToRole"`
	GroupTypes         []string `json:"groupTypes"`
	MembershipRule     string   `json:"membershipRule"`
	Members            []string `json:"members"`

	// An application's.
	AppID                 string   `json:"appId"`
	ServicePrincipalNames []string `json:"servicePrincipalNames"`
	ReplyURLs             []string `json:"replyUrls"`
	// ServicePrincipalType is Application, ManagedIdentity or Legacy.
	ServicePrincipalType   string `json:"servicePrincipalType"`
	AppOwnerOrganizationID string `json:"appOwnerOrganizationId"`
	// CustomSecurityAttributes are by set and name, each with its values.
	CustomSecurityAttributes map[string]map[string][]string `json:"customSecurityAttributes"`

	// A user's, beside the user principal name below: UserType is Member or
	// Guest, and CreationType Invitation for an account of another tenant.
	UserType     string `json:"userType"`
	CreationType string `json:"creationType"`

	// Who, in a membership, an assignment or an eligibility: any one of them.
	UserPrincipalName string `json:"userPrincipalName"`
	Principal         string `json:"principal"`
	PrincipalID       string `json:"principalId"`
	Member            string `json:"member"`
	MemberID          string `json:"memberId"`
	// What: a group, or a role.
	Group            string    `json:"group"`
	GroupID          string    `json:"groupId"`
	Role             string    `json:"role"`
	RoleDefinitionID string    `json:"roleDefinitionId"`
	DirectoryScopeID string    `json:"directoryScopeId"`
	EndDateTime      time.Time `json:"endDateTime"`
	// AppRole is an application permission, by value or id, of the application
	// Resource; Microsoft Graph if none is named.
	AppRole  string `json:"appRole"`
	Resource string `json:"resource"`
	// AccessID is member or owner, in an eligibility for a group.
	AccessID string `json:"accessId"`
}

// Add puts something into the directory and gives it as Graph shows it.
func (w *Workload) Add(a Addition) (any, error) {
	add, ok := map[string]func(Addition) (any, error){
		"user":  w.addUser,
		"group": w.addGroup, "application": w.addApplication, "agreement": w.addAgreement,
		"membership": w.addMembership, "roleAssignment": w.addAssignment, "eligibility": w.addEligibility, "ownership": w.addOwnership, "appRoleAssignment": w.addAppRole,
	}[a.Kind]
	if !ok {
		return nil, fmt.Errorf("kind: %q cannot be added; one of %s can", a.Kind, strings.Join(Kinds(), ", "))
	}
	v, err := add(a)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.Kind, err)
	}
	return v, nil
}

// Kinds are what can be added.
func Kinds() []string {
	return []string{"user", "group", "application", "agreement", "membership", "roleAssignment", "eligibility", "ownership", "appRoleAssignment"}
}

// newID gives the id that was asked for, or the next free one.
func (w *Workload) newID(asked string) (string, error) {
	taken := func(id string) bool {
		for _, m := range []map[string]int{w.index.people, w.index.groups, w.index.principals, w.index.apps, w.index.agreements} {
			if has(m, id) {
				return true
			}
		}
		if slices.ContainsFunc(w.t.GroupAccess, func(a generate.GroupAccess) bool { return strings.HasSuffix(a.ID, id) }) {
			return true
		}
		return slices.ContainsFunc(slices.Concat(w.t.Roles.Active, w.t.Roles.Eligible), func(a generate.RoleAssignment) bool { return a.ID == id || a.ScheduleID == id })
	}
	if asked != "" {
		id, err := uuid.Parse(asked)
		switch {
		case err != nil || len(asked) != 36:
			return "", fmt.Errorf("%q is not an id such as 3d46dbda-8382-466a-856d-eb00cbc6b910", asked)
		case taken(id.String()):
			return "", fmt.Errorf("the id %s is taken", id)
		}
		return id.String(), nil
	}
	tenant, err := uuid.Parse(w.t.ID)
	if err != nil {
		tenant = uuid.Nil
	}
	for n := 1; ; n++ {
		id := uuid.NewSHA1(tenant, fmt.Appendf(nil, "added %d", n))
		id[6] = id[6]&0x0f | 0x40
		if !taken(id.String()) {
			return id.String(), nil
		}
	}
}

func (a Addition) named() error {
	if strings.TrimSpace(a.DisplayName) == "" {
		return fmt.Errorf("displayName is missing")
	}
	return nil
}

func (w *Workload) addUser(a Addition) (any, error) {
	if err := a.named(); err != nil {
		return nil, err
	}
	local, domain, ok := strings.Cut(a.UserPrincipalName, "@")
	invited := strings.EqualFold(a.CreationType, "Invitation")
	guest := strings.EqualFold(a.UserType, "Guest")
	_, taken := w.index.upns[lower(a.UserPrincipalName)]
	switch {
	case !ok || local == "" || !strings.EqualFold(domain, w.t.Domain) && !strings.EqualFold(domain, w.t.InitialDomain):
		return nil, fmt.Errorf("userPrincipalName: %q does not end in @%s or @%s", a.UserPrincipalName, w.t.Domain, w.t.InitialDomain)
	case taken:
		return nil, fmt.Errorf("userPrincipalName: %s is taken", a.UserPrincipalName)
	case a.UserType != "" && !guest && !strings.EqualFold(a.UserType, "Member"):
		return nil, fmt.Errorf("userType: %q is not Member or Guest", a.UserType)
	case a.CreationType != "" && !invited:
		return nil, fmt.Errorf("creationType: %q is not Invitation", a.CreationType)
	}
	id, err := w.newID(a.ID)
	if err != nil {
		return nil, err
	}
	// Who is deleted stands last.
	at := slices.IndexFunc(w.t.People, func(p generate.Person) bool { return p.Deleted })
	if at < 0 {
		at = len(w.t.People)
	}
	w.t.People = slices.Insert(w.t.People, at, generate.Person{
		ID: id, UserPrincipalName: a.UserPrincipalName, DisplayName: a.DisplayName, Mail: a.UserPrincipalName, Enabled: true, CreatedAt: w.clock(),
		Guest: guest, Local: guest && !invited, Invited: !guest && invited,
	})
	w.rebuild()
	return whole(w.userRow(at)), nil
}

// Named gives the person of a user principal name.
func (w *Workload) Named(userPrincipalName string) (generate.Person, bool) {
	i, ok := w.index.upns[lower(userPrincipalName)]
	if !ok {
		return generate.Person{}, false
	}
	return w.t.People[i], true
}

func (w *Workload) addGroup(a Addition) (any, error) {
	if err := a.named(); err != nil {
		return nil, err
	}
	dynamic := slices.Contains(a.GroupTypes, "DynamicMembership")
	switch {
	case dynamic != (a.MembershipRule != ""):
		return nil, fmt.Errorf("groupTypes with DynamicMembership and membershipRule go together")
	case dynamic && a.IsAssignableToRole:
		return nil, fmt.Errorf("a group of dynamic membership cannot be assignable to roles")
	}
	id, err := w.newID(a.ID)
	if err != nil {
		return nil, err
	}
	g := generate.Group{
		ID: id, DisplayName: a.DisplayName, Description: a.Description, SecurityEnabled: true, RoleAssignable: a.IsAssignableToRole,
		Types: a.GroupTypes, MembershipRule: a.MembershipRule, CreatedAt: w.clock(), MailNickname: strings.ReplaceAll(a.DisplayName, " ", ""),
	}
	for _, m := range a.Members {
		x, err := w.principal(m)
		if err != nil {
			return nil, fmt.Errorf("members: %w", err)
		}
		if err := mayJoin(g, x); err != nil {
			return nil, fmt.Errorf("members: %w", err)
		}
		g.Members = append(g.Members, x.id)
	}
	w.t.Groups = append(w.t.Groups, g)
	w.rebuild()
	return whole(w.groupRow(len(w.t.Groups) - 1)), nil
}

func (w *Workload) addApplication(a Addition) (any, error) {
	if err := a.named(); err != nil {
		return nil, err
	}
	kind := a.ServicePrincipalType
	switch kind {
	case "":
		kind = "Application"
	case "Application", "ManagedIdentity", "Legacy":
	default:
		return nil, fmt.Errorf("servicePrincipalType: %q is not Application, ManagedIdentity or Legacy", kind)
	}
	id, err := w.newID(a.ID)
	if err != nil {
		return nil, err
	}
	appID, err := uuid.NewSHA1(uuid.MustParse(id), []byte("application")).String(), error(nil)
	if a.AppID != "" {
		if appID, err = w.newID(a.AppID); err != nil {
			return nil, fmt.Errorf("appId: %w", err)
		}
	}
	owner := a.AppOwnerOrganizationID
	if owner == "" {
		owner = w.t.ID
	} else if uuid.Validate(owner) != nil {
		return nil, fmt.Errorf("appOwnerOrganizationId: %q is not a tenant's id", owner)
	}
	sp := generate.ServicePrincipal{
		ID: id, AppID: appID, DisplayName: a.DisplayName, OwnerTenant: owner, Type: kind, Enabled: true, CreatedAt: w.clock(),
		Names: append([]string{appID}, a.ServicePrincipalNames...), ReplyURLs: a.ReplyURLs,
		Attributes: a.CustomSecurityAttributes,
	}
	if kind == "Application" {
		sp.Tags = []string{"WindowsAzureActiveDirectoryIntegratedApp"}
	}
	w.t.ServicePrincipals = append(w.t.ServicePrincipals, sp)
	w.rebuild()
	return whole(w.principalRow(len(w.t.ServicePrincipals) - 1)), nil
}

func (w *Workload) addAgreement(a Addition) (any, error) {
	if err := a.named(); err != nil {
		return nil, err
	}
	id, err := w.newID(a.ID)
	if err != nil {
		return nil, err
	}
	w.t.Agreements = append(w.t.Agreements, generate.Agreement{ID: id, DisplayName: a.DisplayName, CreatedAt: w.clock()})
	w.rebuild()
	rows := w.agreementRows()
	return whole(rows[len(rows)-1]), nil
}

// mayJoin says why something cannot be a member of a group.
func mayJoin(g generate.Group, x *row) error {
	switch {
	case g.MembershipRule != "":
		return fmt.Errorf("the members of %q follow from its rule", g.DisplayName)
	case x.id == g.ID:
		return fmt.Errorf("%q cannot be a member of itself", g.DisplayName)
	case g.RoleAssignable && x.kind == "group":
		return fmt.Errorf("%q is assignable to roles and can have no groups as members", g.DisplayName)
	case slices.Contains(g.Members, x.id):
		return fmt.Errorf("%s is a member of %q already", x.id, g.DisplayName)
	}
	return nil
}

func (w *Workload) addMembership(a Addition) (any, error) {
	g, err := w.group(a)
	if err != nil {
		return nil, err
	}
	x, err := w.who(a)
	if err != nil {
		return nil, err
	}
	if err := mayJoin(*g, x); err != nil {
		return nil, err
	}
	g.Members = append(g.Members, x.id)
	w.rebuild()
	return (&body.Object{}).Set("groupId", g.ID).Set("group", g.DisplayName).Set("memberId", x.id).Set("member", whole(x)), nil
}

func (w *Workload) addAssignment(a Addition) (any, error) {
	return w.addRole(a, &w.t.Roles.Active, "unifiedRoleAssignment")
}

func (w *Workload) addEligibility(a Addition) (any, error) {
	if a.Group != "" || a.GroupID != "" {
		if a.Role != "" || a.RoleDefinitionID != "" {
			return nil, fmt.Errorf("an eligibility is for a role or for a group, not for both")
		}
		return w.addGroupEligibility(a)
	}
	return w.addRole(a, &w.t.Roles.Eligible, "unifiedRoleEligibilityScheduleInstance")
}

// addRole gives a role to a principal.
func (w *Workload) addRole(a Addition, to *[]generate.RoleAssignment, kind string) (any, error) {
	role, err := w.role(a)
	if err != nil {
		return nil, err
	}
	x, err := w.who(a)
	if err != nil {
		return nil, err
	}
	if x.kind == "group" {
		if g := w.t.Groups[w.index.groups[lower(x.id)]]; !g.RoleAssignable {
			return nil, fmt.Errorf("the group %q is not assignable to roles", g.DisplayName)
		}
	}
	scope := a.DirectoryScopeID
	if scope == "" {
		scope = "/"
	}
	if slices.ContainsFunc(*to, func(have generate.RoleAssignment) bool {
		return have.PrincipalID == x.id && have.RoleID == role && have.Scope == scope
	}) {
		return nil, fmt.Errorf("%s has the role %s there already", x.id, role)
	}
	id, err := w.newID(a.ID)
	if err != nil {
		return nil, err
	}
	given := generate.RoleAssignment{
		ID: id, ScheduleID: uuid.NewSHA1(uuid.MustParse(id), []byte("schedule")).String(),
		PrincipalID: x.id, RoleID: role, Scope: scope, Start: w.clock(), End: a.EndDateTime,
	}
	*to = append(*to, given)
	w.rebuild()
	return whole(w.assignmentRow(given, kind)), nil
}

// whole shows an object to who may see everything.
func whole(x *row) *body.Object { return x.write(&odata.Options{}, true, true, everything) }

// one gives the only value that is set, with the names of all.
func one(values map[string]string) (string, error) {
	var given []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if values[name] != "" {
			given = append(given, name)
		}
	}
	switch len(given) {
	case 0:
		return "", fmt.Errorf("one of %s is missing", strings.Join(slices.Sorted(maps.Keys(values)), ", "))
	case 1:
		return values[given[0]], nil
	}
	return "", fmt.Errorf("%s say the same thing; give one", strings.Join(given, " and "))
}

func (w *Workload) who(a Addition) (*row, error) {
	name, err := one(map[string]string{"userPrincipalName": a.UserPrincipalName, "principal": a.Principal, "principalId": a.PrincipalID, "member": a.Member, "memberId": a.MemberID})
	if err != nil {
		return nil, err
	}
	return w.principal(name)
}

// principal finds a user, group or service principal by id, user principal
// name, application id or display name.
func (w *Workload) principal(name string) (*row, error) {
	if x := w.object(name); x != nil {
		return x, nil
	}
	if n, ok := w.index.upns[lower(name)]; ok {
		return w.userRow(n), nil
	}
	if n, ok := w.index.apps[lower(name)]; ok {
		return w.principalRow(n), nil
	}
	var found []*row
	for n := range w.t.Groups {
		if strings.EqualFold(w.t.Groups[n].DisplayName, name) {
			found = append(found, w.groupRow(n))
		}
	}
	for n := range w.t.ServicePrincipals {
		if strings.EqualFold(w.t.ServicePrincipals[n].DisplayName, name) {
			found = append(found, w.principalRow(n))
		}
	}
	for n := range w.t.People {
		if p := w.t.People[n]; !p.Deleted && strings.EqualFold(p.DisplayName, name) {
			found = append(found, w.userRow(n))
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, fmt.Errorf("there is no user, group or service principal %q", name)
	}
	return nil, fmt.Errorf("%d objects are called %q; give an id", len(found), name)
}

func (w *Workload) group(a Addition) (*generate.Group, error) {
	name, err := one(map[string]string{"group": a.Group, "groupId": a.GroupID})
	if err != nil {
		return nil, err
	}
	if n, ok := w.index.groups[lower(name)]; ok {
		return &w.t.Groups[n], nil
	}
	var found []*generate.Group
	for n := range w.t.Groups {
		if strings.EqualFold(w.t.Groups[n].DisplayName, name) {
			found = append(found, &w.t.Groups[n])
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, fmt.Errorf("there is no group %q", name)
	}
	return nil, fmt.Errorf("%d groups are called %q; give an id", len(found), name)
}

func (w *Workload) role(a Addition) (string, error) {
	name, err := one(map[string]string{"role": a.Role, "roleDefinitionId": a.RoleDefinitionID})
	if err != nil {
		return "", err
	}
	for _, t := range w.t.Roles.Templates {
		if strings.EqualFold(t.ID, name) || strings.EqualFold(t.DisplayName, name) {
			return t.ID, nil
		}
	}
	return "", fmt.Errorf("there is no directory role %q", name)
}
