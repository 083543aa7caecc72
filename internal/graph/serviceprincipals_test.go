package graph

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/entra"
)

// What a service principal may do is told by the roles of the resources that it
// holds. What is not known of them counts as one to change something; what cannot
// be read is said of that one service principal.
func TestPermissions(t *testing.T) {
	const (
		of, microsoft, ours = "/servicePrincipals/" + idA, "f8cdef31-a31e-4b4a-93e4-5f571e91255a", "99999999-9999-4999-8999-999999999999"
		one                 = of + "?$select=id,appId,displayName,appOwnerOrganizationId"
		list                = of + "/appRoleAssignments"
		resource            = "/servicePrincipals/" + idB + "?$select=id,appId,displayName,appOwnerOrganizationId,appRoles"
		write, read, gone   = "11111111-0000-4000-8000-000000000001", "11111111-0000-4000-8000-000000000002", "11111111-0000-4000-8000-000000000003"
	)
	offer := func(owner string) string {
		return `{"id":"` + idB + `","displayName":"Graph","appOwnerOrganizationId":"` + owner + `","appRoles":[{"id":"` + strings.ToUpper(write) + `","value":"RoleManagement.ReadWrite.Directory"},{"id":"` + read + `","value":"User.Read.All"}]}`
	}
	held := func(roles ...string) string {
		var rows []string
		for _, r := range roles {
			rows = append(rows, `{"id":"`+r+`","appRoleId":"`+r+`","principalId":"`+idA+`","resourceId":"`+idB+`"}`)
		}
		return `{"value":[` + strings.Join(rows, ",") + `]}`
	}
	for name, tt := range map[string]struct {
		answers map[string]string
		want    []string
		unknown string
	}{
		"none":                         {map[string]string{list: `{"value":[]}`}, nil, ""},
		"assigned, without a role":     {map[string]string{list: held(noRole)}, nil, ""},
		"one to read":                  {map[string]string{list: held(read), resource: offer(microsoft)}, nil, ""},
		"one to write":                 {map[string]string{list: held(read, write), resource: offer(microsoft)}, []string{"RoleManagement.ReadWrite.Directory of Graph"}, ""},
		"of the tenant's own API":      {map[string]string{list: held(write), resource: offer(ours)}, nil, ""},
		"of nobody knows whose":        {map[string]string{list: held(write), resource: offer("")}, []string{"RoleManagement.ReadWrite.Directory of Graph"}, ""},
		"one that is not described":    {map[string]string{list: held(gone), resource: offer(microsoft)}, []string{"the app role " + gone + " of Graph, which it does not describe"}, ""},
		"of a resource that is gone":   {map[string]string{list: held(read)}, []string{"the app role " + read + " of the application " + idB + ", which is not in the directory"}, ""},
		"on the second page":           {map[string]string{list: `{"value":[],"@odata.nextLink":"` + testRoot + `/next"}`, "/next": held(write), resource: offer(microsoft)}, []string{"RoleManagement.ReadWrite.Directory of Graph"}, ""},
		"refused":                      {map[string]string{list: `403 {"error":{"code":"Authorization_RequestDenied","message":"No."}}`}, nil, "Application.Read.All"},
		"the resource is refused":      {map[string]string{list: held(write), resource: `403 {"error":{"code":"Authorization_RequestDenied","message":"No."}}`}, nil, "Application.Read.All"},
		"of somebody else":             {map[string]string{list: strings.ReplaceAll(held(write), idA, idC)}, nil, "for which nobody asked"},
		"without a resource":           {map[string]string{list: strings.ReplaceAll(held(write), idB, "")}, nil, "without role or resource"},
		"another resource is answered": {map[string]string{list: held(write), resource: strings.ReplaceAll(offer(microsoft), idB, idC)}, nil, idC},
	} {
		t.Run(name, func(t *testing.T) {
			tt.answers[one] = `{"id":"` + idA + `","displayName":"App","appOwnerOrganizationId":"` + ours + `"}`
			s := &scripted{t: t, answers: tt.answers}
			s.bubble(Options{}, func(t *testing.T, c *Client) {
				found, err := c.ServicePrincipals(t.Context(), []entra.ID{idA})
				if err != nil {
					t.Fatal(err)
				}
				p := found[idA]
				if !slices.Equal(p.Permissions, tt.want) && tt.unknown == "" {
					t.Errorf("%q, want %q", p.Permissions, tt.want)
				}
				if p.PermissionsUnknown == nil != (tt.unknown == "") || p.PermissionsUnknown != nil && !strings.Contains(p.PermissionsUnknown.Error(), tt.unknown) {
					t.Errorf("not known: %v, want %q", p.PermissionsUnknown, tt.unknown)
				}
			})
		})
	}
	// Of Microsoft's own nothing more is asked; where nothing can be read, nobody is known.
	s := &scripted{t: t, answers: map[string]string{one: `{"id":"` + idA + `","appOwnerOrganizationId":"` + microsoft + `"}`}}
	s.bubble(Options{}, func(t *testing.T, c *Client) {
		if found, err := c.ServicePrincipals(t.Context(), []entra.ID{idA}); err != nil || found[idA].PermissionsUnknown != nil || len(s.batches) != 1 {
			t.Errorf("%v, %v, %d batches", found, err, len(s.batches))
		}
	})
	s = &scripted{t: t, answers: map[string]string{one: `403 {"error":{"code":"Authorization_RequestDenied","message":"No."}}`}}
	s.bubble(Options{}, func(t *testing.T, c *Client) {
		if _, err := c.ServicePrincipals(t.Context(), []entra.ID{idA}); !errors.Is(err, entra.ErrForbidden) {
			t.Error(err)
		}
	})
}
