package graphsim

// AllRoles are the app roles of Microsoft Graph that mean something to this
// tenant (graph-api §1.4, §3.2, §4), sorted.
func AllRoles() []string {
	return []string{
		"Agreement.Read.All",
		"Application.Read.All",
		"AuditLog.Read.All",
		"Directory.Read.All",
		"Group.Read.All",
		"GroupMember.Read.All",
		"GroupMember.ReadWrite.All",
		"IdentityRiskEvent.Read.All",
		"IdentityRiskEvent.ReadWrite.All",
		"IdentityRiskyAgent.Read.All",
		"IdentityRiskyServicePrincipal.Read.All",
		"IdentityRiskyServicePrincipal.ReadWrite.All",
		"IdentityRiskyUser.Read.All",
		"IdentityRiskyUser.ReadWrite.All",
		"LicenseAssignment.Read.All",
		"Member.Read.Hidden",
		"Organization.Read.All",
		"Policy.Read.All",
		"Policy.Read.ConditionalAccess",
		"Policy.ReadWrite.AuthenticationMethod",
		"Policy.ReadWrite.ConditionalAccess",
		"Policy.ReadWrite.SecurityDefaults",
		"PrivilegedAssignmentSchedule.Read.AzureADGroup",
		"PrivilegedEligibilitySchedule.Read.AzureADGroup",
		"RoleAssignmentSchedule.Read.Directory",
		"RoleEligibilitySchedule.Read.Directory",
		"RoleManagement.Read.All",
		"RoleManagement.Read.Directory",
		"User.EnableDisableAccount.All",
		"User.Read.All",
		"User.ReadBasic.All",
		"User.RevokeSessions.All",
	}
}

// holds says whether the held roles contain one whole set of those needed.
func holds(held []string, anyOf [][]string) bool {
	if len(anyOf) == 0 {
		return true
	}
	have := map[string]bool{}
	for _, r := range held {
		have[r] = true
	}
sets:
	for _, set := range anyOf {
		for _, r := range set {
			if !have[r] {
				continue sets
			}
		}
		return true
	}
	return false
}
