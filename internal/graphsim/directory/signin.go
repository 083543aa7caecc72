package directory

import (
	"github.com/risksweep/risksweep/internal/graphsim/evaluate"
	"github.com/risksweep/risksweep/internal/graphsim/generate"
)

// User gives a user who is not deleted as policies are judged by it.
func (w *Workload) User(id string) (evaluate.User, bool) {
	n, ok := w.index.people[lower(id)]
	if !ok || w.t.People[n].Deleted {
		return evaluate.User{}, false
	}
	p := &w.t.People[n]
	u := evaluate.User{ID: p.ID, Groups: w.groupsOf(p.ID, true)}
	u.Roles = w.activeRoles(append(u.Groups[:len(u.Groups):len(u.Groups)], p.ID))
	for member, to := range map[string]*string{"userType": &u.UserType, "creationType": &u.CreationType, "externalUserState": &u.ExternalUserState} {
		*to, _ = w.userMember(p, member).(string)
	}
	return u, true
}

// ServicePrincipal gives a service principal by its object id.
func (w *Workload) ServicePrincipal(id string) (evaluate.ServicePrincipal, bool) {
	n, ok := w.index.principals[lower(id)]
	if !ok {
		return evaluate.ServicePrincipal{}, false
	}
	return judged(&w.t.ServicePrincipals[n]), true
}

// Application gives a service principal by its application's id.
func (w *Workload) Application(appID string) (evaluate.ServicePrincipal, bool) {
	n, ok := w.index.apps[lower(appID)]
	if !ok {
		return evaluate.ServicePrincipal{}, false
	}
	return judged(&w.t.ServicePrincipals[n]), true
}

func judged(sp *generate.ServicePrincipal) evaluate.ServicePrincipal {
	return evaluate.ServicePrincipal{ID: sp.ID, AppID: sp.AppID, DisplayName: sp.DisplayName, OwnerTenant: sp.OwnerTenant, Type: sp.Type, Attributes: sp.Attributes}
}
