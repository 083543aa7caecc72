// A function app for risksweep: a user-assigned identity, a storage account that
// takes no keys, a plan, the app, and the app roles in Microsoft Graph that the
// parts in use need.
//
//   az group create --name risksweep --location westeurope
//   az deployment group create --resource-group risksweep --template-file main.bicep --parameters main.bicepparam
//   risksweep functions package --out app && (cd app && zip -r ../app.zip .)
//   az functionapp deployment source config-zip --resource-group risksweep --name NAME --src app.zip

@description('Name of the function app; also begins the names of what belongs to it.')
@minLength(3)
@maxLength(20)
param name string

param location string = resourceGroup().location

@description('Plan. A dedicated one, so that a run may take longer than ten minutes.')
@allowed(['B1', 'P0v3', 'P1v3'])
param sku string = 'B1'

@description('The list tenants of the configuration, as YAML. Empty: that of the packed risksweep.yaml.')
param tenants string = ''

@description('When Nightly runs, in UTC: second minute hour day month weekday.')
param scheduleNcrontab string = '0 0 2 * * *'

@description('What Nightly does.')
@allowed(['plan', 'apply'])
param scheduleMode string = 'plan'

@description('POST /api/runs may ask for apply, not only for plan.')
param allowApply bool = false

@description('Triage risky users: reads users, groups and directory roles.')
param triage bool = true

@description('Compare Conditional Access with a baseline: reads policies, users, groups, roles and applications.')
param baseline bool = true

@description('A policy of the baseline asks for terms of use: reads the agreements.')
param termsOfUse bool = false

@description('Report risky workload identities, and decide about them: reads them, their detections and applications.')
param servicePrincipals bool = false

@description('Read the audit and sign-in logs: who changed a policy, evidence for promote, sign-ins of break-glass accounts.')
param logs bool = true

@description('Enforcement: dismiss risk and confirm users compromised. Adds a role that writes.')
param dismiss bool = false

@description('Enforcement: close single sign-ins that an allowlist entry of scope detections covers. Adds a role that writes.')
param dismissDetections bool = false

@description('Enforcement: revoke the sessions of users whom an escalation confirms compromised. Adds a role that writes.')
param revokeSessions bool = false

@description('Enforcement: disable the accounts of users whom an escalation confirms compromised. Adds a role that writes.')
param disableAccount bool = false

@description('Enforcement: dismiss the risk of service principals and confirm them compromised. Needs servicePrincipals. Adds a role that writes.')
param servicePrincipalRisk bool = false

@description('Enforcement: write Conditional Access. Adds a role that writes.')
param policies bool = false

@description('Days that runs are kept; 0 keeps all.')
@minValue(0)
param keepDays int = 0

@description('Grant the app roles in Microsoft Graph here. Needs AppRoleAssignment.ReadWrite.All and Application.Read.All; without them set false and let an administrator run grant-roles.sh.')
param grantGraphRoles bool = true

var suffix = uniqueString(resourceGroup().id, name)
var storageName = take(toLower(replace('${name}${suffix}', '-', '')), 24)
var containerName = 'risksweep'

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: '${name}-identity'
  location: location
}

resource storage 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: storageName
  location: location
  sku: { name: 'Standard_ZRS' }
  kind: 'StorageV2'
  properties: {
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    defaultToOAuthAuthentication: true
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' = {
  parent: storage
  name: 'default'
  properties: {
    deleteRetentionPolicy: { enabled: true, days: 30 }
    containerDeleteRetentionPolicy: { enabled: true, days: 30 }
  }
}

resource container 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = {
  parent: blobs
  name: containerName
  properties: { publicAccess: 'None' }
}

resource queues 'Microsoft.Storage/storageAccounts/queueServices@2023-05-01' = {
  parent: storage
  name: 'default'
}

resource runs 'Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01' = {
  parent: queues
  name: 'risksweep-runs'
}

resource poison 'Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01' = {
  parent: queues
  name: 'risksweep-runs-poison'
}

// The host's own storage (Blob Data Owner, Queue Data Contributor, Table Data
// Contributor) is also where reports go.
var storageRoles = [
  'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
]

resource storageAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in storageRoles: {
    name: guid(storage.id, identity.id, role)
    scope: storage
    properties: {
      principalId: identity.properties.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    }
  }
]

module graphRoles 'graph.bicep' = if (grantGraphRoles) {
  name: '${name}-graph'
  params: {
    principalId: identity.properties.principalId
    triage: triage
    baseline: baseline
    termsOfUse: termsOfUse
    servicePrincipals: servicePrincipals
    logs: logs
    dismiss: dismiss
    dismissDetections: dismissDetections
    revokeSessions: revokeSessions
    disableAccount: disableAccount
    servicePrincipalRisk: servicePrincipalRisk
    policies: policies
  }
}

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: '${name}-logs'
  location: location
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: 30
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: '${name}-insights'
  location: location
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
  }
}

resource plan 'Microsoft.Web/serverfarms@2023-12-01' = {
  name: '${name}-plan'
  location: location
  kind: 'linux'
  sku: { name: sku }
  properties: { reserved: true }
}

resource app 'Microsoft.Web/sites@2023-12-01' = {
  name: name
  location: location
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identity.id}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identity.id
    siteConfig: {
      alwaysOn: true
      ftpsState: 'Disabled'
      http20Enabled: true
      minTlsVersion: '1.2'
      linuxFxVersion: 'DOTNET-ISOLATED|8.0'
    }
  }
  dependsOn: [storageAccess]
}

resource settings 'Microsoft.Web/sites/config@2023-12-01' = {
  parent: app
  name: 'appsettings'
  properties: {
    FUNCTIONS_EXTENSION_VERSION: '~4'
    FUNCTIONS_WORKER_RUNTIME: 'custom'
    WEBSITE_RUN_FROM_PACKAGE: '1'
    APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
    AzureWebJobsStorage__accountName: storage.name
    AzureWebJobsStorage__credential: 'managedidentity'
    AzureWebJobsStorage__clientId: identity.properties.clientId
    AzureFunctionsJobHost__functionTimeout: '01:00:00'
    RISKSWEEP_SCHEDULE_NCRONTAB: scheduleNcrontab
    RISKSWEEP_SCHEDULE_MODE: scheduleMode
    RISKSWEEP_HTTP_ALLOW_APPLY: allowApply ? 'true' : 'false'
    RISKSWEEP_TENANTS: tenants
    RISKSWEEP_STORE_URL: '${storage.properties.primaryEndpoints.blob}${container.name}'
    RISKSWEEP_STORE_CREDENTIAL_KIND: 'managedIdentity'
    RISKSWEEP_STORE_CREDENTIAL_CLIENT_ID: identity.properties.clientId
    RISKSWEEP_STORE_KEEP_DAYS: string(keepDays)
    RISKSWEEP_SWEEP_SERVICE_PRINCIPALS: servicePrincipals ? 'true' : 'false'
    RISKSWEEP_SWEEP_LOGS: logs ? 'auto' : 'off'
    RISKSWEEP_ENFORCEMENT_DISMISS: dismiss ? 'true' : 'false'
    RISKSWEEP_ENFORCEMENT_CONFIRM_COMPROMISED: dismiss ? 'true' : 'false'
    RISKSWEEP_ENFORCEMENT_DISMISS_DETECTIONS: dismissDetections ? 'true' : 'false'
    RISKSWEEP_ENFORCEMENT_REVOKE_SESSIONS: revokeSessions ? 'true' : 'false'
    RISKSWEEP_ENFORCEMENT_DISABLE_ACCOUNT: disableAccount ? 'true' : 'false'
    RISKSWEEP_ENFORCEMENT_SERVICE_PRINCIPALS: servicePrincipalRisk ? 'true' : 'false'
    RISKSWEEP_ENFORCEMENT_POLICIES: policies ? 'true' : 'false'
  }
}

@description('Object id of the identity, for grant-roles.sh.')
output principalId string = identity.properties.principalId

@description('Client id of the identity: tenants[].credential is {kind: managedIdentity, clientId: …}.')
output clientId string = identity.properties.clientId

output storeUrl string = '${storage.properties.primaryEndpoints.blob}${container.name}'
