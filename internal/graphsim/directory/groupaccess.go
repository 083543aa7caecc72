package directory

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/risksweep/risksweep/internal/graphsim/generate"
	"github.com/risksweep/risksweep/internal/graphsim/odata"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// groupAccess serves who may become a member or owner of a group for a time
// (eligibility), and who is one (assignment), under
// /identityGovernance/privilegedAccess/group. Both want a filter on a group or
// on a principal.
func (w *Workload) groupAccess(r *wire.Request) (*wire.Response, *wire.Error) {
	if len(r.Path) < 4 {
		return nil, noSegment(r.Path)
	}
	if w.opt.License != "P2" {
		return nil, &wire.Error{Status: 400, Code: "AadPremiumLicenseRequired", Message: "The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license."}
	}
	context, eligible := strings.Join(r.Path[:4], "/"), r.Path[3] == "eligibilityScheduleInstances"
	var rows []*row
	for _, a := range w.t.GroupAccess {
		if a.Eligible == eligible && (a.End.IsZero() || a.End.After(r.Now)) {
			rows = append(rows, w.groupAccessRow(a))
		}
	}
	if !eligible {
		rows = append(rows, w.standingRows()...)
	}
	if len(r.Path) == 4 {
		o, bad := w.setOf(context).Parse(r.Query, r.UnknownEnums)
		if bad != nil {
			return nil, refusal(bad)
		}
		if !narrowed(o.Filter) {
			return nil, badRequest("The required filter is missing: groupId or principalId must be given.")
		}
	}
	return w.listOrOne(r, rows, context, r.Path[4:])
}

// narrowed says whether a filter asks for one group or principal.
func narrowed(f *odata.Filter) bool {
	if f == nil {
		return false
	}
	_, byGroup := f.Required("groupId")
	_, byPrincipal := f.Required("principalId")
	return byGroup || byPrincipal
}

// standingRows are the memberships that did not come through a schedule; the
// service shows them as permanent assignments.
func (w *Workload) standingRows() []*row {
	var rows []*row
	for _, g := range w.t.Groups {
		if !g.RoleAssignable {
			continue
		}
		for _, m := range g.Members {
			if slices.ContainsFunc(w.t.GroupAccess, func(a generate.GroupAccess) bool {
				return !a.Eligible && a.Access == "member" && a.GroupID == g.ID && a.PrincipalID == m
			}) {
				continue
			}
			id, err := uuid.Parse(g.ID)
			if err != nil {
				id = uuid.Nil
			}
			schedule := uuid.NewSHA1(id, []byte(m)).String()
			rows = append(rows, w.groupAccessRow(generate.GroupAccess{
				ID: g.ID + "_member_" + schedule, ScheduleID: g.ID + "_member_" + schedule, GroupID: g.ID, PrincipalID: m, Access: "member", Start: g.CreatedAt,
			}))
		}
	}
	return rows
}

func (w *Workload) groupAccessRow(a generate.GroupAccess) *row {
	kind, s := "privilegedAccessGroupAssignmentScheduleInstance", w.sets.groupAssigned
	if a.Eligible {
		kind, s = "privilegedAccessGroupEligibilityScheduleInstance", w.sets.groupEligible
	}
	return &row{
		kind: kind, set: s, id: a.ID,
		get: func(member string) any {
			switch member {
			case "id":
				return a.ID
			case "groupId":
				return a.GroupID
			case "principalId":
				return a.PrincipalID
			case "accessId":
				return a.Access
			case "memberType":
				return "direct"
			case "assignmentType":
				return "assigned"
			case "eligibilityScheduleId", "assignmentScheduleId":
				return a.ScheduleID
			case "startDateTime":
				return a.Start
			case "endDateTime":
				return a.End
			}
			return nil
		},
		navigation: func(name string) ([]*row, bool) {
			switch name {
			case "group":
				return w.objectRows([]string{a.GroupID}), false
			case "principal":
				return w.objectRows([]string{a.PrincipalID}), false
			}
			return nil, false
		},
	}
}

// ownersOf are who own a group now.
func (w *Workload) ownersOf(groupID string) []string {
	var ids []string
	for _, a := range w.t.GroupAccess {
		if !a.Eligible && a.Access == "owner" && a.GroupID == groupID && (a.End.IsZero() || a.End.After(w.clock())) {
			ids = append(ids, a.PrincipalID)
		}
	}
	return ids
}

// addGroupEligibility lets a principal become a member or owner of a group.
func (w *Workload) addGroupEligibility(a Addition) (any, error) {
	switch a.AccessID {
	case "":
		a.AccessID = "member"
	case "member", "owner":
	default:
		return nil, fmt.Errorf("accessId: %q is not member or owner", a.AccessID)
	}
	return w.addGroupAccess(a, true)
}

// addOwnership makes somebody an owner of a group.
func (w *Workload) addOwnership(a Addition) (any, error) {
	a.AccessID = "owner"
	return w.addGroupAccess(a, false)
}

func (w *Workload) addGroupAccess(a Addition, eligible bool) (any, error) {
	g, err := w.group(a)
	if err != nil {
		return nil, err
	}
	x, err := w.who(a)
	if err != nil {
		return nil, err
	}
	switch {
	case g.MembershipRule != "" && a.AccessID == "member":
		return nil, fmt.Errorf("the members of %q follow from its rule", g.DisplayName)
	case x.id == g.ID:
		return nil, fmt.Errorf("%q cannot be a member or owner of itself", g.DisplayName)
	case !eligible && x.kind == "group":
		return nil, fmt.Errorf("a group cannot own %q", g.DisplayName)
	case slices.ContainsFunc(w.t.GroupAccess, func(have generate.GroupAccess) bool {
		return have.Eligible == eligible && have.GroupID == g.ID && have.PrincipalID == x.id && have.Access == a.AccessID
	}):
		if eligible {
			return nil, fmt.Errorf("%s is eligible for %q already", x.id, g.DisplayName)
		}
		return nil, fmt.Errorf("%s owns %q already", x.id, g.DisplayName)
	}
	id, err := w.newID(a.ID)
	if err != nil {
		return nil, err
	}
	given := generate.GroupAccess{
		ID: g.ID + "_" + a.AccessID + "_" + id, ScheduleID: g.ID + "_" + a.AccessID + "_" + uuid.NewSHA1(uuid.MustParse(id), []byte("schedule")).String(),
		GroupID: g.ID, PrincipalID: x.id, Access: a.AccessID, Eligible: eligible, Start: w.clock().Truncate(time.Second), End: a.EndDateTime,
	}
	w.t.GroupAccess = append(w.t.GroupAccess, given)
	return whole(w.groupAccessRow(given)), nil
}
