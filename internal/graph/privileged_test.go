package graph

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/entra"
)

// Where the roles of a tenant are read, and what of a group.
const (
	activeRoles   = "/roleManagement/directory/roleAssignments?$expand=principal"
	eligibleRoles = "/roleManagement/directory/roleEligibilityScheduleInstances?$expand=principal"
	byIDs         = "/directoryObjects/getByIds"
)

func ofGroup(id string) (members, owners, eligible, assigned string) {
	const pim = "/identityGovernance/privilegedAccess/group/"
	return "/groups/" + id + "/transitiveMembers?$select=id,displayName&$top=999", "/groups/" + id + "/owners?$select=id,displayName&$top=999",
		pim + "eligibilityScheduleInstances?$filter=groupId eq '" + id + "'", pim + "assignmentScheduleInstances?$filter=groupId eq '" + id + "'"
}

func valueOf(rows ...string) string { return `{"value":[` + strings.Join(rows, ",") + `]}` }

func object(kind, id string) string {
	return fmt.Sprintf(`{"@odata.type":"#microsoft.graph.%s","id":%q}`, kind, id)
}

func assigned(n int, principal, role, kind string) string {
	p := "null"
	if kind != "" {
		p = object(kind, principal)
	}
	return fmt.Sprintf(`{"id":"ra%d","principalId":%q,"roleDefinitionId":%q,"directoryScopeId":"/administrativeUnits/x","principal":%s}`, n, principal, role, p)
}

func accessTo(group, principal, as string) string {
	return fmt.Sprintf(`{"id":"%s_%s_x","groupId":%q,"principalId":%q,"accessId":%q}`, group, as, group, principal, as)
}

// roles is a directory with every way to a role that there is.
func roles() map[string]string {
	a := map[string]string{
		activeRoles: valueOf(assigned(1, "u1", "r2", "user"), assigned(2, "U1", "R1", "user"), assigned(3, "g1", "r1", "group"),
			assigned(4, "s1", "r1", "servicePrincipal"), assigned(5, "u3", "a-role-of-its-own", ""), assigned(6, "gone", "r9", "")),
		eligibleRoles: valueOf(assigned(7, "u2", "r1", "user"), assigned(8, "u1", "r1", "user"), assigned(9, "g5", "r1", "group")),
		byIDs:         valueOf(object("user", "u3"), object("group", "g2"), object("user", "u7"), object("user", "u8"), object("user", "u9"), object("user", "u10"), object("servicePrincipal", "s2")),
	}
	for _, g := range []string{"g1", "g2", "g3", "g5"} {
		m, o, e, s := ofGroup(g)
		a[m], a[o], a[e], a[s] = valueOf(), valueOf(), valueOf(), valueOf()
	}
	// g1: a member, an owner, who may become one, and a group that may.
	m, o, e, s := ofGroup("g1")
	a[m] = valueOf(object("user", "U4"), object("device", "d1"))
	a[o] = valueOf(object("user", "u5"), object("servicePrincipal", "s3"))
	a[e] = strings.TrimSuffix(valueOf(accessTo("g1", "U7", "member"), accessTo("g1", "s2", "member")), "}") + `,"@odata.nextLink":"` + testRoot + `/more"}`
	a["/more"] = valueOf(accessTo("g1", "u8", "Owner"), accessTo("g1", "G2", "member"))
	a[s] = valueOf(accessTo("g1", "u4", "member"), accessTo("g1", "u10", "owner"))
	// g2 holds g3, for which somebody is eligible, and which may become a member of g1.
	m, _, e, _ = ofGroup("g2")
	a[m] = valueOf(object("group", "g3"), object("user", "u6"))
	a[e] = valueOf(accessTo("g2", "g1", "member")) // in a circle
	_, _, e, _ = ofGroup("g3")
	a[e] = valueOf(accessTo("g3", "u9", "member"))
	m, _, _, _ = ofGroup("g5")
	a[m] = valueOf(object("user", "u4"))
	return a
}

func TestPrivileged(t *testing.T) {
	want := map[entra.ID][]string{
		"u1":   {"holds the directory role r1", "holds the directory role r2", "is eligible for the directory role r1"},
		"u2":   {"is eligible for the directory role r1"},
		"u3":   {"holds the directory role a-role-of-its-own"},
		"gone": {"holds the directory role r9"},
		"u4":   {"is a member of the privileged group g1", "is a member of the privileged group g5"},
		"u5":   {"is an owner of the privileged group g1"},
		"u6":   {"is a member of the privileged group g2"},
		"u7":   {"may become a member of the privileged group g1"},
		"u8":   {"may become an owner of the privileged group g1"},
		"u9":   {"may become a member of the privileged group g3"},
		"u10":  {"is an owner of the privileged group g1"},
	}
	s := &scripted{t: t, answers: roles()}
	s.bubble(Options{}, func(t *testing.T, c *Client) {
		got, err := c.Privileged(ctx(t))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got.Users); diff != "" {
			t.Error(diff)
		}
	})
}

// Whatever of it cannot be read, whoever is not known may be privileged: the
// whole fails, and names the app role that is missing.
func TestPrivilegedFailsWhole(t *testing.T) {
	needs := map[string]string{activeRoles: "RoleManagement.Read.Directory", eligibleRoles: "RoleManagement.Read.Directory", byIDs: "", "/more": "PrivilegedEligibilitySchedule.Read.AzureADGroup"}
	for _, g := range []string{"g1", "g2", "g3"} {
		m, o, e, a := ofGroup(g)
		needs[m], needs[o] = "GroupMember.Read.All", "GroupMember.Read.All"
		needs[e], needs[a] = "PrivilegedEligibilitySchedule.Read.AzureADGroup", "PrivilegedAssignmentSchedule.Read.AzureADGroup"
	}
	for _, path := range slices.Sorted(maps.Keys(needs)) {
		for answer, kind := range map[string]error{
			`403 {"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges to complete the operation."}}`: entra.ErrForbidden,
			`400 {"error":{"code":"AadPremiumLicenseRequired","message":"The tenant needs to have Microsoft Entra ID P2."}}`:      entra.ErrUnlicensed,
			`404 {"error":{"code":"Request_ResourceNotFound","message":"Resource does not exist."}}`:                              entra.ErrNotFound,
			`400 {"error":{"code":"BadRequest","message":"Resource not found for the segment 'privilegedAccess'."}}`:              entra.ErrUnsupported,
			`500 {"error":{"code":"InternalServerError","message":"x"}}`:                                                          entra.ErrUnavailable,
			`{"value":[{"principalId":"u","roleDefinitionId":"r","@odata.type":"#microsoft.graph.user"}]}`:                        entra.ErrMalformed,
			`{"value":[{"id":"x"}]}`: entra.ErrMalformed,
			`{"value":null}`:         entra.ErrMalformed,
			`{}`:                     entra.ErrMalformed,
		} {
			s := &scripted{t: t, answers: roles()}
			s.answers[path] = answer
			s.bubble(Options{}, func(t *testing.T, c *Client) {
				got, err := c.Privileged(ctx(t))
				if !errors.Is(err, kind) || got != nil {
					t.Errorf("%s answers %.40s: %v, %v", path, answer, got, err)
				}
				if kind == entra.ErrForbidden && !strings.Contains(err.Error(), needs[path]) {
					t.Errorf("%s is refused: %v, which does not name %s", path, err, needs[path])
				}
			})
		}
	}
}

// Who holds one of some roles is a user, whatever way the role came, and the
// groups of each are known.
func TestRoleHolders(t *testing.T) {
	groups := func(id string) string { return "/users/" + id + "/transitiveMemberOf?$select=id&$top=999" }
	s := &scripted{t: t, answers: map[string]string{
		activeRoles: valueOf(assigned(1, "U1", "R1", "user"), assigned(2, "u2", "r2", "user"), assigned(3, "g1", "r1", "group"),
			assigned(4, "s1", "r1", "servicePrincipal"), assigned(5, "u3", "r3", ""), assigned(6, "gone", "r3", "")),
		byIDs: valueOf(object("user", "u3")),
		"/groups/g1/transitiveMembers?$select=" + userSelect + "&$top=999": valueOf(object("user", "u4"), object("user", "u1")),
		groups("u1"): valueOf(object("group", "G1"), object("directoryRole", "x")),
		groups("u3"): valueOf(), groups("u4"): valueOf(object("group", "g1"), object("group", "g9")),
	}}
	s.bubble(Options{}, func(t *testing.T, c *Client) {
		got, err := c.RoleHolders(ctx(t), []entra.ID{"r1", "r3"})
		if err != nil {
			t.Fatal(err)
		}
		want := []entra.RoleHolder{{ID: "u1", Roles: []entra.ID{"r1"}, Groups: []entra.ID{"g1"}}, {ID: "u4", Roles: []entra.ID{"r1"}, Groups: []entra.ID{"g1", "g9"}}, {ID: "u3", Roles: []entra.ID{"r3"}}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		s.answers[groups("u4")] = `403 {"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges to complete the operation."}}`
		if _, err := c.RoleHolders(ctx(t), []entra.ID{"r1"}); !errors.Is(err, entra.ErrForbidden) {
			t.Errorf("groups that cannot be read: %v", err)
		}
	})
}
