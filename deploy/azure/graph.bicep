// The app roles in Microsoft Graph that an identity needs: the least for the
// parts that are in use.

extension microsoftGraphV1

@description('Object id of the identity.')
param principalId string
param triage bool
param baseline bool
param termsOfUse bool
param servicePrincipals bool
param logs bool
param dismiss bool
param dismissDetections bool
param revokeSessions bool
param disableAccount bool
param servicePrincipalRisk bool
param policies bool

var roles = {
  'IdentityRiskEvent.Read.All': { id: '6e472fd1-ad78-48da-a0f0-97ab2c6b769e', wanted: true }
  'IdentityRiskyUser.Read.All': { id: 'dc5007c0-2d7d-4c42-879c-2dab87571379', wanted: true }
  'Organization.Read.All': { id: '498476ce-e0fe-48b0-b801-37ba7e2685c6', wanted: true }
  'User.Read.All': { id: 'df021288-bdef-4463-88db-98f22de89214', wanted: triage || baseline }
  'GroupMember.Read.All': { id: '98830695-27a2-44f7-8c18-0c3ebc9698f6', wanted: triage || baseline }
  'RoleManagement.Read.Directory': { id: '483bed4a-2ad3-4361-a73b-c83ccdbdc53c', wanted: triage || baseline }
  'PrivilegedEligibilitySchedule.Read.AzureADGroup': { id: 'edb419d6-7edc-42a3-9345-509bfdf5d87c', wanted: triage }
  'PrivilegedAssignmentSchedule.Read.AzureADGroup': { id: 'cd4161cb-f098-48f8-a884-1eda9a42434c', wanted: triage }
  'Policy.Read.All': { id: '246dd0d5-5bd0-4def-940b-0421030a5b68', wanted: baseline }
  'Application.Read.All': { id: '9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30', wanted: baseline || servicePrincipals }
  'Agreement.Read.All': { id: '2f3e6f8c-093b-4c57-a58b-ba5ce494a169', wanted: termsOfUse }
  'IdentityRiskyServicePrincipal.Read.All': { id: '607c7344-0eed-41e5-823a-9695ebe1b7b0', wanted: servicePrincipals }
  'AuditLog.Read.All': { id: 'b0afded3-3588-46d8-8b3d-9842eff778da', wanted: logs }
  'IdentityRiskyUser.ReadWrite.All': { id: '656f6061-f9fe-4807-9708-6a2e0934df76', wanted: dismiss }
  'IdentityRiskyServicePrincipal.ReadWrite.All': { id: 'cb8d6980-6bcb-4507-afec-ed6de3a2d798', wanted: servicePrincipalRisk }
  'IdentityRiskEvent.ReadWrite.All': { id: 'db06fb33-1953-4b7b-a2ac-f1e2c854f7ae', wanted: dismissDetections }
  'User.RevokeSessions.All': { id: '77f3a031-c388-4f99-b373-dc68676a979e', wanted: revokeSessions }
  'User.EnableDisableAccount.All': { id: '3011c876-62b7-4ada-afa2-506cbbecc68c', wanted: disableAccount }
  'Policy.ReadWrite.ConditionalAccess': { id: '01c0a623-fc9b-48e9-b794-0756f8e8f067', wanted: policies }
}

resource graph 'Microsoft.Graph/servicePrincipals@v1.0' existing = {
  appId: '00000003-0000-0000-c000-000000000000'
}

resource assignments 'Microsoft.Graph/appRoleAssignedTo@v1.0' = [
  for role in filter(items(roles), r => r.value.wanted): {
    appRoleId: role.value.id
    principalId: principalId
    resourceId: graph.id
  }
]
