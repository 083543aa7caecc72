package drift

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
)

// syncRoles are the roles of the accounts that synchronise a directory on
// premises with the tenant. The service gives new accounts the second one.
var syncRoles = []struct {
	id   entra.ID
	name string
}{
	{policy.DirectorySyncRole, "Directory Synchronization Accounts"},
	{policy.OnPremisesSyncRole, "On Premises Directory Sync Account"},
}

// SyncRoles are the ids of the roles of directory synchronisation.
func SyncRoles() []entra.ID {
	var ids []entra.ID
	for _, r := range syncRoles {
		ids = append(ids, r.id)
	}
	return ids
}

// NeedsSyncAccounts says whether a plan needs to know who synchronises the
// directory.
func NeedsSyncAccounts(b *baseline.Baseline, t entra.Tenant) bool {
	return t.OnPremisesSynced && len(b.Policies) > 0
}

// synchronising blocks an enabled policy for all users that would hold for an
// account that synchronises: nobody is there to pass a second factor, and the
// synchronisation would stop. Where it is not known who that is, both roles
// must be excluded.
func (p *planner) synchronising(e *entry) {
	const why = "the tenant synchronises from a directory on premises, and the policy holds for all users: "
	excluded := func(of string, ids ...entra.ID) bool {
		list := entra.NewIDs(policy.Strings(e.want, policy.PathUsers+"."+of))
		return slices.ContainsFunc(ids, func(id entra.ID) bool { return slices.Contains(list, id) })
	}
	if p.live.SyncError != "" {
		for _, r := range syncRoles {
			if !excluded("excludeRoles", r.id) {
				e.block("%swho synchronises is not known (%s), so it must exclude the role %s (%s), too", why, p.live.SyncError, r.name, r.id)
			}
		}
		return
	}
	for _, a := range p.live.SyncAccounts {
		if excluded("excludeUsers", a.ID) || excluded("excludeRoles", a.Roles...) || excluded("excludeGroups", a.Groups...) {
			continue
		}
		var held []string
		for _, r := range syncRoles {
			if slices.Contains(a.Roles, r.id) {
				held = append(held, fmt.Sprintf("%s (%s)", r.name, r.id))
			}
		}
		e.block("%sit must exclude the role %s, or the account %s that holds it", why, strings.Join(held, " or "), cmp.Or(a.UserPrincipalName, string(a.ID)))
	}
}
