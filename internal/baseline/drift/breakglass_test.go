package drift_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/baseline/adopt"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

// A break-glass group and its members count as the same in a policy that was adopted:
// forty that spare the accounts the one way are not changed to the other. Whoever is not
// spared is added, and what we wrote and somebody took out comes back.
func TestBreakGlassByGroupAndByItsMembers(t *testing.T) {
	const users, groups = "users: [bg1@contoso.com, bg2@contoso.com]", "groups: [CA Break Glass]"
	for _, c := range []struct {
		name, glass string
		live        map[string][]any // what the policy in the tenant excludes
		members     int              // of the group that are known, -1: not read
		want        string           // where a plan would change it
	}{
		{"by its members", groups, map[string][]any{"excludeUsers": {bg1, bg2}}, 2, ""},
		{"by the group", users + ", " + groups, map[string][]any{"excludeGroups": {bgGroup}}, 2, ""},
		{"by the group and a member", groups, map[string][]any{"excludeUsers": {bg1}, "excludeGroups": {bgGroup}}, 2, ""},
		{"by both", users + ", " + groups, map[string][]any{"excludeUsers": {bg1, bg2}, "excludeGroups": {bgGroup}}, 2, ""},
		{"one member is missing", groups, map[string][]any{"excludeUsers": {bg1}}, 2, "conditions.users.excludeGroups conditions.users.excludeUsers"},
		{"an account that is not in the group", users + ", " + groups, map[string][]any{"excludeGroups": {bgGroup}}, 1, "conditions.users.excludeUsers"},
		{"the members are not known", groups, map[string][]any{"excludeUsers": {bg1, bg2}}, -1, "conditions.users.excludeGroups conditions.users.excludeUsers"},
		{"a group without members", groups, map[string][]any{"excludeUsers": {bg1, bg2}}, 0, "conditions.users.excludeGroups conditions.users.excludeUsers"},
		{"a group that is not named", users, map[string][]any{"excludeGroups": {bgGroup}}, 2, "conditions.users.excludeGroups conditions.users.excludeUsers"},
		{"somebody else is not kept", groups, map[string][]any{"excludeUsers": {bg1, bg2, ada}}, 2, "conditions.users.excludeGroups conditions.users.excludeUsers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := "breakGlass: {" + c.glass + "}\n" + small[strings.Index(small, "namedLocations:"):]
			tn, _ := applied(t, text)
			b := load(t, text)
			id := string(tn.owned[entra.KindPolicy]["CA010"].ID)
			for _, list := range []string{"excludeUsers", "excludeGroups"} {
				ids := c.live[list]
				if list == "excludeGroups" {
					ids = append([]any{finance}, ids...)
				}
				policy.Put(tn.docs[entra.KindPolicy][id], "conditions.users."+list, ids)
			}
			written := tn.owned[entra.KindPolicy]["CA010"]
			tn.owned[entra.KindPolicy]["CA010"] = plan.Owned{ID: written.ID, Hash: written.Hash, DisplayName: written.DisplayName} // adopted
			live := answered(b, tn.read())
			members := live.Members[bgGroup]
			live.Members = map[entra.ID][]entra.DirectoryObject{}
			if c.members >= 0 {
				live.Members[bgGroup] = members[:c.members]
			}
			for _, e := range drift.Compare(b, live, drift.Settings{AllowEnabledPolicies: true, AllowWeakening: true, Owned: tn.owned}).Entries {
				if e.Key != "CA010" {
					continue
				}
				var paths []string
				for _, d := range e.Differences {
					paths = append(paths, d.Path)
				}
				if got := strings.Join(paths, " "); got != c.want {
					t.Errorf("%s: differs in %q, want %q", e.Status, got, c.want)
				}
			}
			tn.owned[entra.KindPolicy]["CA010"] = written
			as := drift.Compare(b, live, drift.Settings{AllowEnabledPolicies: true, AllowWeakening: true, Owned: tn.owned}).Actions
			if changed := c.name != "by both"; changed != (len(as) > 0) {
				t.Errorf("written by us: %v", shape(as))
			}
		})
	}
}

// An export proposes what every policy excludes, the group where all accounts are in
// it, and to leave to the tenant what a baseline that is there says otherwise.
func TestExportProposes(t *testing.T) {
	for _, c := range []struct {
		name    string
		users   []any
		groups  []any
		members int
		want    string
	}{
		{"accounts", []any{bg1, bg2}, []any{finance}, 0, "# breakGlass: {users: [bg1@contoso.com, bg2@contoso.com], groups: [Finance]}\n"},
		{"a group with all of them", []any{bg1, bg2}, []any{bgGroup}, 2, "# breakGlass: {groups: [CA Break Glass]}\n"},
		{"one who is not in the group", []any{bg1, bg2}, []any{bgGroup}, 1, "# breakGlass: {users: [bg2@contoso.com], groups: [CA Break Glass]}\n"},
		{"a group that is too large", []any{bg1}, []any{bgGroup}, 11, "# breakGlass: {users: [bg1@contoso.com]}\n"},
		{"nobody", nil, nil, 0, "# breakGlass: {users: [bg1@example.com, bg2@example.com]}\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tn := newTenant()
			var id string
			for i, more := range []any{ada, "GuestsOrExternalUsers"} {
				id = tn.put(entra.KindPolicy, "", doc(t, fmt.Sprintf(`{"displayName":"P%d","state":"enabled","conditions":{"applications":{"includeApplications":["All"]},"users":{"includeUsers":["All"]}},"grantControls":{"operator":"OR","builtInControls":["mfa"]}}`, i)))
				policy.Put(tn.docs[entra.KindPolicy][id], "conditions.users.excludeUsers", append([]any{more}, c.users...))
				policy.Put(tn.docs[entra.KindPolicy][id], "conditions.users.excludeGroups", c.groups)
			}
			live := tn.read()
			known := live.Members[bgGroup]
			live.Members = map[entra.ID][]entra.DirectoryObject{bgGroup: known[:min(c.members, 2)]}
			for i := range c.members - 2 {
				live.Members[bgGroup] = append(live.Members[bgGroup], entra.DirectoryObject{ID: entra.NewID(fmt.Sprint("other", i))})
			}
			export, err := adopt.Export(live, map[string][]string{id: {"state", "conditions.users.excludeUsers", "sessionControls.signInFrequency", "displayName"}})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(export.Text), c.want) {
				t.Errorf("no %s in\n%s", c.want, export.Text)
			}
			const leave = "    # The baseline that is there says otherwise of these; to leave them to the tenant, take the # away:\n    # unmanaged: [state, sessionControls.signInFrequency]\n"
			if strings.Count(string(export.Text), "unmanaged") != 1 || !strings.Contains(string(export.Text), leave) {
				t.Errorf("no %s in\n%s", leave, export.Text)
			}
			// With the # taken away it is a baseline that plans nothing.
			plain := strings.NewReplacer("# breakGlass", "breakGlass", "# unmanaged", "unmanaged").Replace(string(export.Text))
			if c.name == "nobody" {
				return
			}
			b := load(t, plain)
			owned, _, problems := adopt.Adopt(b, live, plan.OwnedObjects{}, adopt.Order{ByName: true})
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			live.Members[finance] = known
			if left := drift.Compare(b, answered(b, live), drift.Settings{Owned: owned}).Actions; len(left) > 0 {
				t.Errorf("%v %+v", shape(left), left[0].Change.Differences)
			}
		})
	}
}
