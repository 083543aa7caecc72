package risk

import "github.com/risksweep/risksweep/internal/graphsim/odata"

// The enumerations of graph-api §1.6. The constants are indexes into their
// members.
var (
	levelEnum = &odata.Enumeration{
		Name:    "microsoft.graph.riskLevel",
		Members: []string{"low", "medium", "high", "hidden", "none", "unknownFutureValue"}, Known: 6,
	}
	stateEnum = &odata.Enumeration{
		Name:    "microsoft.graph.riskState",
		Members: []string{"none", "confirmedSafe", "remediated", "dismissed", "atRisk", "confirmedCompromised", "unknownFutureValue"}, Known: 7,
	}
	detailEnum = &odata.Enumeration{
		Name: "microsoft.graph.riskDetail",
		Members: []string{
			"none", "adminGeneratedTemporaryPassword", "userPerformedSecuredPasswordChange", "userPerformedSecuredPasswordReset",
			"adminConfirmedSigninSafe", "aiConfirmedSigninSafe", "userPassedMFADrivenByRiskBasedPolicy", "adminDismissedAllRiskForUser",
			"adminConfirmedSigninCompromised", "hidden", "adminConfirmedUserCompromised", "unknownFutureValue",
			"m365DAdminDismissedDetection", "adminConfirmedServicePrincipalCompromised", "adminDismissedAllRiskForServicePrincipal",
			"userChangedPasswordOnPremises", "adminDismissedRiskForSignIn", "adminConfirmedAccountSafe", "microsoftRevokedSessions",
		}, Known: 12,
	}
	activityEnum = &odata.Enumeration{
		Name:    "microsoft.graph.activityType",
		Members: []string{"signin", "user", "unknownFutureValue", "servicePrincipal"}, Known: 3,
	}
	timingEnum = &odata.Enumeration{
		Name:    "microsoft.graph.riskDetectionTimingType",
		Members: []string{"notDefined", "realtime", "nearRealtime", "offline", "unknownFutureValue"}, Known: 5,
	}
	issuerEnum = &odata.Enumeration{
		Name:    "microsoft.graph.tokenIssuerType",
		Members: []string{"AzureAD", "ADFederationServices", "UnknownFutureValue", "AzureADBackupAuth", "ADFederationServicesMFAAdapter", "NPSExtension"}, Known: 3,
	}
)

const (
	levelLow uint8 = iota
	levelMedium
	levelHigh
	levelHidden
	levelNone
)

const (
	stateNone uint8 = iota
	stateConfirmedSafe
	stateRemediated
	stateDismissed
	stateAtRisk
	stateConfirmedCompromised
)

const (
	detailNone uint8 = iota
	detailTemporaryPassword
	detailPasswordChange
	detailPasswordReset
	detailSigninSafe
	detailAISafe
	detailMFA
	detailDismissedUser
	detailSigninCompromised
	detailHidden
	detailUserCompromised
	detailUnknown
	detailDefenderDismissed
	detailPrincipalCompromised
	detailDismissedPrincipal
	detailPasswordOnPremises
	detailDismissedSignin
	detailAccountSafe
	detailRevokedSessions
)

const (
	activitySignin uint8 = iota
	activityUser
	activityUnknown
	activityPrincipal
)

const (
	timingRealtime     uint8 = 1
	timingNearRealtime uint8 = 2
	timingOffline      uint8 = 3
)

// open says whether a state still counts as risk.
func open(state uint8) bool {
	return state == stateAtRisk || state == stateConfirmedCompromised
}

// worse says whether level a is above b; levels do not compare by number.
func worse(a, b uint8) bool { return rank(a) > rank(b) }

func rank(level uint8) int {
	if level <= levelHigh {
		return int(level) + 1
	}
	return 0
}

func text(name string) odata.Member { return odata.Member{Name: name, Kind: odata.String} }
func when(name string) odata.Member { return odata.Member{Name: name, Kind: odata.DateTime} }
func flag(name string) odata.Member { return odata.Member{Name: name, Kind: odata.Bool} }
func enum(name string, e *odata.Enumeration) odata.Member {
	return odata.Member{Name: name, Kind: odata.Enum, Enum: e}
}

func location() odata.Member {
	number := func(name string) odata.Member { return odata.Member{Name: name, Kind: odata.Double} }
	return odata.Member{Name: "location", Kind: odata.Complex, Type: "microsoft.graph.signInLocation", Members: []odata.Member{
		text("city"), text("state"), text("countryOrRegion"),
		{Name: "geoCoordinates", Kind: odata.Complex, Type: "microsoft.graph.geoCoordinates", Members: []odata.Member{
			number("altitude"), number("latitude"), number("longitude"),
		}},
	}}
}

// detectionHead are the members that both kinds of detection begin with.
func detectionHead() []odata.Member {
	return []odata.Member{
		text("id"), text("requestId"), text("correlationId"), text("riskEventType"),
		enum("riskState", stateEnum), enum("riskLevel", levelEnum), enum("riskDetail", detailEnum), text("source"),
		enum("detectionTimingType", timingEnum), enum("activity", activityEnum), enum("tokenIssuerType", issuerEnum), text("ipAddress"),
		when("activityDateTime"), when("detectedDateTime"), when("lastUpdatedDateTime"),
	}
}

// The entity sets (graph-api §1.2, §1.5); members in the order of bodies.
var (
	detectionSet = &odata.Collection{
		Type: "microsoft.graph.riskDetection",
		Members: append(detectionHead(),
			text("userId"), text("userDisplayName"), text("userPrincipalName"), text("additionalInfo"), location()),
		Filterable: true, Orderable: true, DefaultTop: 20, MaxTop: 500,
	}
	principalDetectionSet = &odata.Collection{
		Type: "microsoft.graph.servicePrincipalRiskDetection",
		Members: append(detectionHead(),
			text("servicePrincipalId"), text("servicePrincipalDisplayName"), text("appId"),
			odata.Member{Name: "keyIds", Kind: odata.String, Collection: true}, text("additionalInfo"), location()),
		Filterable: true, Orderable: true, DefaultTop: 20, MaxTop: 500,
	}
	userSet = &odata.Collection{
		Type: "microsoft.graph.riskyUser",
		Members: []odata.Member{
			text("id"), flag("isDeleted"), flag("isProcessing"),
			enum("riskLevel", levelEnum), enum("riskState", stateEnum), enum("riskDetail", detailEnum), when("riskLastUpdatedDateTime"),
			text("userDisplayName"), text("userPrincipalName"), history("microsoft.graph.riskyUserHistoryItem"),
		},
		Filterable: true, Orderable: true, Countable: true, DefaultTop: 20, MaxTop: 500,
	}
	principalSet = &odata.Collection{
		Type: "microsoft.graph.riskyServicePrincipal",
		Members: []odata.Member{
			text("id"), flag("isEnabled"), flag("isProcessing"), when("riskLastUpdatedDateTime"),
			enum("riskLevel", levelEnum), enum("riskState", stateEnum), enum("riskDetail", detailEnum),
			text("displayName"), text("appId"), text("servicePrincipalType"), history("microsoft.graph.riskyServicePrincipalHistoryItem"),
		},
		Filterable: true, Orderable: true, Countable: true, DefaultTop: 20, MaxTop: 500,
	}
	userHistorySet = &odata.Collection{
		Type:       "microsoft.graph.riskyUserHistoryItem",
		Members:    append(own(userSet), text("userId"), text("initiatedBy"), activity("microsoft.graph.riskUserActivity")),
		Filterable: true, Orderable: true, DefaultTop: 20, MaxTop: 500,
	}
	principalHistorySet = &odata.Collection{
		Type:       "microsoft.graph.riskyServicePrincipalHistoryItem",
		Members:    append(own(principalSet), text("initiatedBy"), activity("microsoft.graph.riskServicePrincipalActivity")),
		Filterable: true, Orderable: true, DefaultTop: 20, MaxTop: 500,
	}
)

// own are the members of a set without the navigation at their end.
func own(c *odata.Collection) []odata.Member {
	return append([]odata.Member(nil), c.Members[:len(c.Members)-1]...)
}

func history(kind string) odata.Member {
	return odata.Member{Name: "history", Kind: odata.Complex, Collection: true, Type: kind, Navigation: true, NoFilter: true}
}

func activity(kind string) odata.Member {
	return odata.Member{Name: "activity", Kind: odata.Complex, Type: kind, Members: []odata.Member{
		enum("detail", detailEnum), {Name: "riskEventTypes", Kind: odata.String, Collection: true},
	}}
}
