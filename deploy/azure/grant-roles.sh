#!/usr/bin/env bash
# Grants an identity the app roles in Microsoft Graph that the named parts need,
# and nothing else. For an administrator with the Azure CLI, where the template
# may not do it.
#
#   ./grant-roles.sh OBJECT_ID_OF_THE_IDENTITY read triage baseline logs
#   ./grant-roles.sh OBJECT_ID_OF_THE_IDENTITY dismiss policies
#
# Parts: read, triage, baseline, termsOfUse, servicePrincipals, logs, dismiss,
# dismissDetections, revokeSessions, disableAccount, servicePrincipalRisk, policies.
set -euo pipefail

if [ $# -lt 2 ]; then
  sed -n '2,11p' "$0" | cut -c3- >&2
  exit 10
fi
principal=$1
shift

# role  id  parts
roles='
IdentityRiskEvent.Read.All                       6e472fd1-ad78-48da-a0f0-97ab2c6b769e  read
IdentityRiskyUser.Read.All                       dc5007c0-2d7d-4c42-879c-2dab87571379  read
Organization.Read.All                            498476ce-e0fe-48b0-b801-37ba7e2685c6  read
User.Read.All                                    df021288-bdef-4463-88db-98f22de89214  triage,baseline
GroupMember.Read.All                             98830695-27a2-44f7-8c18-0c3ebc9698f6  triage,baseline
RoleManagement.Read.Directory                    483bed4a-2ad3-4361-a73b-c83ccdbdc53c  triage,baseline
PrivilegedEligibilitySchedule.Read.AzureADGroup  edb419d6-7edc-42a3-9345-509bfdf5d87c  triage
PrivilegedAssignmentSchedule.Read.AzureADGroup   cd4161cb-f098-48f8-a884-1eda9a42434c  triage
Policy.Read.All                                  246dd0d5-5bd0-4def-940b-0421030a5b68  baseline
Application.Read.All                             9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30  baseline,servicePrincipals
Agreement.Read.All                               2f3e6f8c-093b-4c57-a58b-ba5ce494a169  termsOfUse
IdentityRiskyServicePrincipal.Read.All           607c7344-0eed-41e5-823a-9695ebe1b7b0  servicePrincipals
AuditLog.Read.All                                b0afded3-3588-46d8-8b3d-9842eff778da  logs
IdentityRiskyUser.ReadWrite.All                  656f6061-f9fe-4807-9708-6a2e0934df76  dismiss
IdentityRiskyServicePrincipal.ReadWrite.All      cb8d6980-6bcb-4507-afec-ed6de3a2d798  servicePrincipalRisk
IdentityRiskEvent.ReadWrite.All                  db06fb33-1953-4b7b-a2ac-f1e2c854f7ae  dismissDetections
User.RevokeSessions.All                          77f3a031-c388-4f99-b373-dc68676a979e  revokeSessions
User.EnableDisableAccount.All                    3011c876-62b7-4ada-afa2-506cbbecc68c  disableAccount
Policy.ReadWrite.ConditionalAccess               01c0a623-fc9b-48e9-b794-0756f8e8f067  policies
'
for part in "$@"; do
  case $part in
    read | triage | baseline | termsOfUse | servicePrincipals | logs | dismiss | dismissDetections | revokeSessions | disableAccount | servicePrincipalRisk | policies) ;;
    *) echo "there is no part $part" >&2; exit 10 ;;
  esac
done

# In the cloud that az is signed in to: az cloud set --name AzureUSGovernment, say.
graph=$(az cloud show --query endpoints.microsoftGraphResourceId --output tsv)
graph=${graph%/}
resource=$(az ad sp show --id 00000003-0000-0000-c000-000000000000 --query id --output tsv)
have=$(az rest --method GET --url "$graph/v1.0/servicePrincipals/$principal/appRoleAssignments" --query 'value[].appRoleId' --output tsv)
while read -r role id parts; do
  [ -n "$role" ] || continue
  wanted=false
  for part in "$@"; do
    case ",$parts," in *",$part,"*) wanted=true ;; esac
  done
  [ "$wanted" = true ] || continue
  case $have in *"$id"*) echo "$role: there already"; continue ;; esac
  az rest --method POST --url "$graph/v1.0/servicePrincipals/$principal/appRoleAssignments" --output none \
    --body "{\"principalId\":\"$principal\",\"resourceId\":\"$resource\",\"appRoleId\":\"$id\"}" </dev/null
  echo "$role: granted"
done <<<"$roles"
