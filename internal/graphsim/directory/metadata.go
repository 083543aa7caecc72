package directory

import (
	_ "embed" // the declared types
	"slices"
	"strings"
	"sync"

	"github.com/risksweep/risksweep/internal/graphsim/odata"
)

// metadata holds the directory's types as Microsoft's metadata of version 1.0
// declares them: a type and the one it derives from on a line of its own, then
// its properties with their types, a star after collections and ">" before
// navigation properties. Enumerations stand as strings.
//
//go:embed metadata.txt
var metadata string

// property is one declared property.
type property struct {
	name, kind            string
	collection, navigable bool
}

type declaration struct {
	base       string
	properties []property
}

// declarations reads the metadata once.
var declarations = sync.OnceValue(func() map[string]*declaration {
	all := map[string]*declaration{}
	var at *declaration
	for line := range strings.Lines(metadata) {
		line = strings.TrimSuffix(line, "\n")
		inner, isProperty := strings.CutPrefix(line, "\t")
		if !isProperty {
			name, base, _ := strings.Cut(line, " < ")
			at = &declaration{base: base}
			all[name] = at
			continue
		}
		inner, navigable := strings.CutPrefix(inner, "> ")
		name, kind, _ := strings.Cut(inner, " ")
		kind, collection := strings.CutSuffix(kind, "*")
		at.properties = append(at.properties, property{name, kind, collection, navigable})
	}
	return all
})

// declared gives the properties of a type, those of its bases first.
func declared(name string) []property {
	d := declarations()[name]
	if d == nil {
		return nil
	}
	return append(declared(d.base), d.properties...)
}

var primitives = map[string]odata.Kind{
	"String": odata.String, "Boolean": odata.Bool, "Int32": odata.Int, "Int64": odata.Int, "Double": odata.Double,
	"DateTimeOffset": odata.DateTime, "Date": odata.DateTime, "Guid": odata.GUID, "Duration": odata.String, "Stream": odata.String, "Binary": odata.String,
}

// maxNesting bounds how deep complex types are followed.
const maxNesting = 4

// member is a declared property for queries.
func (p property) member(depth int) odata.Member {
	m := odata.Member{Name: p.name, Collection: p.collection, Navigation: p.navigable}
	kind, primitive := primitives[p.kind]
	switch {
	case p.navigable:
		m.Kind, m.Type, m.NoFilter, m.NoOrder = odata.Complex, "microsoft.graph."+p.kind, true, true
	case primitive:
		m.Kind = kind
		m.NoFilter = p.kind == "Stream" || p.kind == "Binary"
	default:
		m.Kind, m.Type, m.NoOrder = odata.Complex, "microsoft.graph."+p.kind, true
		if depth < maxNesting {
			for _, inner := range declared(p.kind) {
				m.Members = append(m.Members, inner.member(depth+1))
			}
		}
	}
	return m
}

// searchable are the declared properties that lists can be filtered by, beside
// those that newSets names (resource pages of user, group, servicePrincipal and
// application).
var searchable = map[string][]string{
	"user": strings.Fields(`assignedLicenses assignedPlans consentProvidedForMinor employeeHireDate employeeOrgData externalUserStateChangeDateTime
		faxNumber identities isResourceAccount legalAgeGroupClassification lastPasswordChangeDateTime onPremisesDistinguishedName onPremisesDomainName onPremisesExtensionAttributes
		onPremisesLastSyncDateTime onPremisesProvisioningErrors onPremisesSamAccountName onPremisesSecurityIdentifier onPremisesUserPrincipalName
		passwordPolicies passwordProfile preferredDataLocation provisionedPlans securityIdentifier serviceProvisioningErrors showInAddressList signInActivity`),
	"group":            strings.Fields(`assignedLabels assignedLicenses hasMembersWithLicenseErrors licenseProcessingState onPremisesProvisioningErrors serviceProvisioningErrors`),
	"servicePrincipal": strings.Fields(`appRoles createdByAppId info keyCredentials oauth2PermissionScopes passwordCredentials resourceSpecificApplicationPermissions verifiedPublisher isDisabled`),
	"application":      nil,
}

// expandable are the navigation properties that $expand takes beside those that
// lead to objects of the directory.
var expandable = map[string][]string{
	"user":             strings.Fields(`appRoleAssignments extensions oauth2PermissionGrants scopedRoleMemberOf licenseDetails agreementAcceptances`),
	"group":            strings.Fields(`appRoleAssignments extensions permissionGrants settings`),
	"servicePrincipal": strings.Fields(`appRoleAssignedTo appRoleAssignments appManagementPolicies claimsMappingPolicies delegatedPermissionClassifications endpoints federatedIdentityCredentials homeRealmDiscoveryPolicies oauth2PermissionGrants tokenIssuancePolicies tokenLifetimePolicies`),
	"application":      strings.Fields(`appManagementPolicies extensionProperties federatedIdentityCredentials homeRealmDiscoveryPolicies tokenIssuancePolicies tokenLifetimePolicies`),
	"agreement":        strings.Fields(`acceptances file files`),
	"organization":     strings.Fields(`extensions`),
}

// singleOnly are the properties that a list of users cannot show (user-list).
var singleOnly = strings.Fields(`aboutMe birthday hireDate interests mailboxSettings mySite pastProjects preferredName responsibilities schools skills`)

// complete adds what the metadata declares to a set that names the members that
// this tenant fills: each can be selected, and is null where nobody filled it.
func (s *set) complete(name string) {
	for _, p := range declared(name) {
		m := p.member(0)
		i := slices.IndexFunc(s.Members, func(x odata.Member) bool { return x.Name == p.name })
		canFilter := slices.Contains(searchable[name], p.name)
		switch {
		case i >= 0 && m.Kind == odata.Complex:
			s.Members[i].Type, s.Members[i].Members = m.Type, m.Members
			s.Members[i].NoFilter = s.Members[i].NoFilter && !canFilter
		case i >= 0:
		case p.navigable:
			s.Members = append(s.Members, m)
			if (p.kind == "directoryObject" || slices.Contains(expandable[name], p.name)) && !slices.Contains(s.Expandable, p.name) {
				s.Expandable = append(s.Expandable, p.name)
			}
		default:
			m.NoFilter = m.NoFilter || !canFilter
			m.NoOrder = true
			s.Members = append(s.Members, m)
		}
	}
}
