package drift_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// TestIDsAreVerified: an id that stands for nothing, for something else, or
// that could not be looked up blocks the policy that names it, and no other.
func TestIDsAreVerified(t *testing.T) {
	const id = "b0000000-0000-0000-0000-00000000000b"
	refused := fmt.Errorf("GET /x: 403: %w", entra.ErrForbidden)
	group := &entra.DirectoryObject{Kind: entra.KindGroup, ID: id, DisplayName: "VPN Users"}
	for _, c := range []struct {
		name, users string
		ref         entra.ObjectKind
		answer      *entra.Resolution
		reason      string
	}{
		{"nothing", "excludeUsers: [" + id + "]", entra.KindUser, &entra.Resolution{}, "b.yaml:3:140: excludeUsers: no user has the id " + id},
		{"capitals", "excludeUsers: [" + strings.ToUpper(id) + "]", entra.KindUser, &entra.Resolution{}, "b.yaml:3:140: excludeUsers: no user has the id " + id},
		{"another kind", "excludeUsers: [" + id + "]", entra.KindUser, &entra.Resolution{Is: group}, "excludeUsers: " + id + ` is the group "VPN Users", not a user`},
		{"a role", "excludeRoles: [" + id + "]", entra.KindRole, &entra.Resolution{}, "excludeRoles: no directory role has the id " + id},
		{"unread", "excludeGroups: [" + id + "]", entra.KindGroup, &entra.Resolution{Unread: refused}, "the app role GroupMember.Read.All is missing"},
		{"not asked", "excludeGroups: [" + id + "]", "", nil, "was not looked up"},
		{"a location", "excludeUsers: [" + id + "]", entra.KindUser, &entra.Resolution{}, `is the named location "Office", not a user`},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := load(t, `policies:
  - {displayName: A, state: disabled, conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All]}}, grantControls: {operator: OR, builtInControls: [mfa]}}
  - {displayName: B, state: disabled, conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All], `+c.users+`}}, grantControls: {operator: OR, builtInControls: [mfa]}}
`)
			tn := newTenant()
			if c.name == "a location" {
				tn.put(entra.KindLocation, id, doc(t, `{"@odata.type":"#microsoft.graph.ipNamedLocation","displayName":"Office"}`))
			}
			if c.answer != nil {
				ref := entra.Ref{Kind: c.ref, Name: id}
				c.answer.Ref = ref
				tn.live.Names[ref] = *c.answer
				if !slices.Contains(append(b.IDs(), b.Refs()...), ref) {
					t.Errorf("%v is not asked for", ref)
				}
			}
			r := drift.Compare(b, tn.read(), everything)
			if r.Actions[0].Status != plan.Ready || r.Actions[1].Status != plan.Blocked || !strings.Contains(strings.Join(r.Actions[1].Reasons, "\n"), c.reason) {
				t.Errorf("%v %v, want %s", shape(r.Actions), r.Actions[1].Reasons, c.reason)
			}
		})
	}
}

// TestIDsThatTheTenantHoldsAnyway: the service does not ask again for an id that
// stands in a policy already, so neither does a plan. In another list it does.
func TestIDsThatTheTenantHoldsAnyway(t *testing.T) {
	const id = "b0000000-0000-0000-0000-00000000000b"
	text := policyOf("", "") // names no id
	for _, unread := range []error{nil, errors.Join(entra.ErrForbidden)} {
		with := strings.Replace(text, "includeUsers: [All]", "includeUsers: [All], excludeUsers: ["+id+"]", 1)
		if with == text {
			t.Fatal(text)
		}
		tn, b := applied(t, with)
		tn.live.Names[entra.Ref{Kind: entra.KindUser, Name: id}] = entra.Resolution{Unread: unread}
		if r := tn.plan(b, everything); len(r.Actions) > 0 {
			t.Errorf("%v %v", shape(r.Actions), r.Actions[0].Reasons)
		}
		moved := load(t, strings.Replace(with, "excludeUsers:", "excludeGroups:", 1))
		tn.live.Names[entra.Ref{Kind: entra.KindGroup, Name: id}] = entra.Resolution{Unread: unread}
		if r := tn.plan(moved, everything); len(r.Actions) != 1 || r.Actions[0].Status != plan.Blocked {
			t.Errorf("moved: %v", shape(r.Actions))
		}
	}
}
