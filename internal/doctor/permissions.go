package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Part is a part of the product that needs permissions of its own.
type Part string

// The parts, as deployments ask for them.
const (
	Read                 Part = "read"                 // report detections and risky users
	Triage               Part = "triage"               // resolve the names of the triage file, know who is privileged
	Baseline             Part = "baseline"             // compare the baseline with the tenant
	TermsOfUse           Part = "termsOfUse"           // a policy of the baseline asks for terms of use
	ServicePrincipals    Part = "servicePrincipals"    // report risky workload identities
	Agents               Part = "agents"               // sweep.beta; its permission is in preview and has no id that is the same in every tenant
	Logs                 Part = "logs"                 // sweep.logs: read the audit and sign-in logs
	ServicePrincipalRisk Part = "servicePrincipalRisk" // enforcement.servicePrincipals
	Dismiss              Part = "dismiss"              // enforcement.dismiss and enforcement.confirmCompromised
	DismissDetections    Part = "dismissDetections"    // enforcement.dismissDetections
	RevokeSessions       Part = "revokeSessions"       // enforcement.revokeSessions
	DisableAccount       Part = "disableAccount"       // enforcement.disableAccount
	Policies             Part = "policies"             // enforcement.policies
)

// auditLog is the permission that a sweep can do without.
const auditLog = "AuditLog.Read.All"

// Permission is an application permission (app role) of Microsoft Graph.
type Permission struct {
	Role string
	// ID is the role's id in every tenant.
	ID string
	// Parts need it.
	Parts []Part
	Why   string
}

// Permissions are all that the product can use, the least for each part. The
// ids are Microsoft's (permissions reference of Microsoft Graph).
func Permissions() []Permission {
	return []Permission{
		{"IdentityRiskEvent.Read.All", "6e472fd1-ad78-48da-a0f0-97ab2c6b769e", []Part{Read}, "read risk detections"},
		{"IdentityRiskyUser.Read.All", "dc5007c0-2d7d-4c42-879c-2dab87571379", []Part{Read}, "read risky users and their history"},
		{"Organization.Read.All", "498476ce-e0fe-48b0-b801-37ba7e2685c6", []Part{Read}, "read the tenant's licences and domains"},
		{"User.Read.All", "df021288-bdef-4463-88db-98f22de89214", []Part{Triage, Baseline}, "resolve users by name, and see which are disabled"},
		{"GroupMember.Read.All", "98830695-27a2-44f7-8c18-0c3ebc9698f6", []Part{Triage, Baseline}, "resolve groups by name, and read who is in them"},
		{"RoleManagement.Read.Directory", "483bed4a-2ad3-4361-a73b-c83ccdbdc53c", []Part{Triage, Baseline}, "know who holds a directory role, active or eligible; without it nobody is dismissed"},
		{"PrivilegedEligibilitySchedule.Read.AzureADGroup", "edb419d6-7edc-42a3-9345-509bfdf5d87c", []Part{Triage}, "know who may become a member or owner of a group that holds a directory role (PIM for Groups); without it nobody is dismissed once there is such a group"},
		{"PrivilegedAssignmentSchedule.Read.AzureADGroup", "cd4161cb-f098-48f8-a884-1eda9a42434c", []Part{Triage}, "know who is a member or owner of such a group for a time; without it nobody is dismissed once there is such a group"},
		{"Policy.Read.All", "246dd0d5-5bd0-4def-940b-0421030a5b68", []Part{Baseline}, "read Conditional Access policies, named locations, strengths and security defaults"},
		{"Application.Read.All", "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30", []Part{Baseline, ServicePrincipals}, "resolve applications and service principals by name, know whose application each is and what it may do, and find the identity that the job runs as"},
		{"Agreement.Read.All", "2f3e6f8c-093b-4c57-a58b-ba5ce494a169", []Part{TermsOfUse}, "look up the terms of use that policies of the baseline ask for; without it those policies are blocked"},
		{"IdentityRiskyServicePrincipal.Read.All", "607c7344-0eed-41e5-823a-9695ebe1b7b0", []Part{ServicePrincipals}, "read risky workload identities"},
		{auditLog, "b0afded3-3588-46d8-8b3d-9842eff778da", []Part{Logs}, "read the audit and sign-in logs; without it nobody is named as who changed a policy, impact and promote have no evidence, and sign-ins of break-glass accounts are not seen"},
		{"IdentityRiskyUser.ReadWrite.All", "656f6061-f9fe-4807-9708-6a2e0934df76", []Part{Dismiss}, "dismiss risk and confirm users compromised"},
		{"IdentityRiskyServicePrincipal.ReadWrite.All", "cb8d6980-6bcb-4507-afec-ed6de3a2d798", []Part{ServicePrincipalRisk}, "dismiss the risk of service principals and confirm them compromised"},
		{"IdentityRiskEvent.ReadWrite.All", "db06fb33-1953-4b7b-a2ac-f1e2c854f7ae", []Part{DismissDetections}, "close the risk of single sign-ins"},
		{"User.RevokeSessions.All", "77f3a031-c388-4f99-b373-dc68676a979e", []Part{RevokeSessions}, "revoke the sessions of users"},
		{"User.EnableDisableAccount.All", "3011c876-62b7-4ada-afa2-506cbbecc68c", []Part{DisableAccount}, "disable and enable accounts; those of administrators only with the directory role Privileged Authentication Administrator"},
		{"Policy.ReadWrite.ConditionalAccess", "01c0a623-fc9b-48e9-b794-0756f8e8f067", []Part{Policies}, "write Conditional Access policies, named locations and strengths"},
	}
}

// betaPermissions are those of what sweep.beta reads, with which a sweep reports
// more and without which it works all the same. The one of agents is in preview.
func betaPermissions() []Permission {
	out := []Permission{{Role: "IdentityRiskyAgent.Read.All", Why: "read agents at risk"}}
	for _, p := range Permissions() {
		switch p.Role {
		case "IdentityRiskEvent.Read.All":
			p.Why = "read what was detected of agents"
		case "Policy.Read.All":
			p.Why = "read the names of the policies that v1.0 hides"
		default:
			continue
		}
		out = append(out, p)
	}
	return out
}

// For are the permissions that parts need, in the order of Permissions.
func For(parts ...Part) []Permission {
	var out []Permission
	for _, p := range Permissions() {
		if slices.ContainsFunc(p.Parts, func(part Part) bool { return slices.Contains(parts, part) }) {
			out = append(out, p)
		}
	}
	return out
}

// Has reports whether a token's roles hold a permission, or a wider one.
func (p Permission) Has(roles []string) bool {
	wider := []string{p.Role, strings.Replace(p.Role, ".Read.", ".ReadWrite.", 1)}
	switch p.Role {
	case "User.Read.All", "GroupMember.Read.All", "Organization.Read.All", "Application.Read.All":
		wider = append(wider, "Directory.Read.All", "Directory.ReadWrite.All")
	case "RoleManagement.Read.Directory":
		wider = append(wider, "RoleManagement.Read.All", "Directory.Read.All")
	case "PrivilegedEligibilitySchedule.Read.AzureADGroup", "PrivilegedAssignmentSchedule.Read.AzureADGroup":
		wider = append(wider, "PrivilegedAccess.Read.AzureADGroup", "PrivilegedAccess.ReadWrite.AzureADGroup")
	}
	if p.Role == "User.RevokeSessions.All" || p.Role == "User.EnableDisableAccount.All" {
		wider = append(wider, "User.ReadWrite.All", "Directory.ReadWrite.All")
	}
	if p.Role == "GroupMember.Read.All" {
		wider = append(wider, "Group.Read.All", "Group.ReadWrite.All")
	}
	return slices.ContainsFunc(wider, func(r string) bool { return slices.Contains(roles, r) })
}

// grant is the command that gives a permission to an identity of the cloud that has its
// Microsoft Graph there.
func (p Permission) grant(graph, principal string) string {
	graph = cmp.Or(graph, "https://graph.microsoft.com")
	if principal == "" {
		principal = "OBJECT_ID_OF_THE_IDENTITY"
	}
	id := p.ID
	if id == "" { // it is looked up by its name
		id = fmt.Sprintf(`'$(az ad sp show --id 00000003-0000-0000-c000-000000000000 --query "appRoles[?value=='%s'].id" -o tsv)'`, p.Role)
	}
	return fmt.Sprintf(`az rest --method POST --url "%s/v1.0/servicePrincipals/%s/appRoleAssignments" --body '{"principalId":"%s","resourceId":"'$(az ad sp show --id 00000003-0000-0000-c000-000000000000 --query id -o tsv)'","appRoleId":"%s"}'`,
		graph, principal, principal, id)
}
