package graphsim

import (
	"net/url"
	"regexp"
	"strings"
	"sync"
)

// keyed is a segment with a key or arguments in parentheses.
var keyed = regexp.MustCompile(`^([A-Za-z$.][A-Za-z0-9$._]*)\((.*)\)$`)

// namedKey is an alternate key inside the parentheses, such as appId='...'.
var namedKey = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*=`)

// splitPath cuts an escaped URL path into decoded segments, keys in
// parentheses into segments of their own. Known names are given their
// canonical case, because the service does not mind how they are written; what
// stands in key position is left alone. The error is the service's message.
func splitPath(escaped string) (segments []string, problem string) {
	escaped = strings.TrimSuffix(strings.TrimPrefix(escaped, "/"), "/")
	if escaped == "" {
		return nil, ""
	}
	for raw := range strings.SplitSeq(escaped, "/") {
		if raw == "" {
			return nil, "Empty segment encountered in request URL. Please make sure that a valid request URL is specified."
		}
		segment, err := url.PathUnescape(raw)
		if err != nil {
			return nil, "Bad Request - Error in query syntax."
		}
		m := keyed.FindStringSubmatch(segment)
		if m == nil {
			segments = append(segments, canonicalName(segment))
			continue
		}
		segments = append(segments, canonicalName(m[1]))
		key := m[2]
		switch {
		case key == "": // a function without arguments
		case namedKey.MatchString(key):
			segments = append(segments, key)
		case len(key) >= 2 && key[0] == '\'' && key[len(key)-1] == '\'':
			segments = append(segments, strings.ReplaceAll(key[1:len(key)-1], "''", "'"))
		default:
			segments = append(segments, key)
		}
	}
	return segments, ""
}

// canonicalName gives a known segment name its documented spelling.
func canonicalName(segment string) string {
	if name, ok := segmentNames()[strings.ToLower(segment)]; ok {
		return name
	}
	const cast = "microsoft.graph."
	if len(segment) > len(cast) && strings.EqualFold(segment[:len(cast)], cast) {
		rest := segment[len(cast):]
		if name, ok := segmentNames()[strings.ToLower(rest)]; ok {
			rest = name
		}
		return cast + rest
	}
	return segment
}

// segmentNames maps lower-case names to their spelling in the metadata.
var segmentNames = sync.OnceValue(func() map[string]string {
	names := map[string]string{}
	for _, n := range strings.Fields(`
		identityProtection riskDetections riskyUsers riskyServicePrincipals servicePrincipalRiskDetections history
		dismiss confirmCompromised confirmSafe auditLogs signIns directoryAudits
		identity conditionalAccess policies namedLocations templates evaluate authenticationContextClassReferences
		authenticationStrength authenticationStrengths authenticationMethodModes deletedItems restore
		authenticationStrengthPolicies conditionalAccessPolicies combinationConfigurations updateAllowedCombinations usage
		identitySecurityDefaultsEnforcementPolicy
		users groups servicePrincipals applications organization subscribedSkus directoryRoles directoryRoleTemplates
		directoryObjects getByIds members transitiveMembers memberOf transitiveMemberOf owners manager directReports
		revokeSignInSessions checkMemberGroups getMemberGroups checkMemberObjects getMemberObjects
		roleManagement directory roleAssignments roleDefinitions roleEligibilityScheduleInstances
		roleAssignmentScheduleInstances roleEligibilitySchedules
		identityGovernance privilegedAccess group eligibilityScheduleInstances assignmentScheduleInstances
		user device servicePrincipal directoryObject $count $ref $value $metadata $batch me domains`) {
		names[strings.ToLower(n)] = n
	}
	return names
})
