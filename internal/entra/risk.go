package entra

import (
	"slices"
	"strings"
)

// RiskLevel is a riskLevel. Levels compare low < medium < high by Rank, never
// by the number of the enum member.
type RiskLevel string

// The members of riskLevel that risksweep knows.
const (
	LevelLow    RiskLevel = "low"
	LevelMedium RiskLevel = "medium"
	LevelHigh   RiskLevel = "high"
	LevelHidden RiskLevel = "hidden"
	LevelNone   RiskLevel = "none"
)

// Rank gives 1 for low, 2 for medium and 3 for high. Every other value, also
// null, hidden, none and members we do not know, has no rank: it can neither
// be above nor below another, and what depends on it must take the safe side.
func (l RiskLevel) Rank() (rank int, ok bool) {
	switch l {
	case LevelLow:
		return 1, true
	case LevelMedium:
		return 2, true
	case LevelHigh:
		return 3, true
	}
	return 0, false
}

// RiskState is a riskState.
type RiskState string

// The members of riskState that risksweep knows.
const (
	StateNone                 RiskState = "none"
	StateConfirmedSafe        RiskState = "confirmedSafe"
	StateRemediated           RiskState = "remediated"
	StateDismissed            RiskState = "dismissed"
	StateAtRisk               RiskState = "atRisk"
	StateConfirmedCompromised RiskState = "confirmedCompromised"
)

// ClosedStates are the states in which risk is settled; all others are open.
var ClosedStates = [...]RiskState{StateNone, StateConfirmedSafe, StateRemediated, StateDismissed}

// Open reports whether risk in this state still stands. An unknown state, also
// an empty one, is open.
func (s RiskState) Open() bool {
	for _, c := range ClosedStates {
		if s == c {
			return false
		}
	}
	return true
}

// RiskDetail is a riskDetail.
type RiskDetail string

// The members of riskDetail that risksweep acts on.
const (
	DetailNone                     RiskDetail = "none"
	DetailHidden                   RiskDetail = "hidden"
	DetailAdminDismissedAllRisk    RiskDetail = "adminDismissedAllRiskForUser"
	DetailAdminConfirmedUser       RiskDetail = "adminConfirmedUserCompromised"
	DetailAdminConfirmedSafe       RiskDetail = "adminConfirmedAccountSafe"
	DetailUnknownFutureValue       RiskDetail = "unknownFutureValue"
	DetailUserPassedMFA            RiskDetail = "userPassedMFADrivenByRiskBasedPolicy"
	DetailUserSecuredPasswordReset RiskDetail = "userPerformedSecuredPasswordReset"
)

// EventTypes lists the riskEventType values of user detections that this
// version knows. The service may send others.
var EventTypes = []string{
	"adminConfirmedUserCompromised", "aiCompoundAccountRisk", "anomalousToken", "anomalousUserActivity", "anonymizedIPAddress",
	"attackerinTheMiddle", "attemptedPrtAccess", "generic", "impossibleTravel", "investigationsThreatIntelligence",
	"investigationsThreatIntelligenceSigninLinked", "leakedCredentials", "maliciousIPAddress",
	"maliciousIPAddressValidCredentialsBlockedIP", "malwareInfectedIPAddress", "mcasFinSuspiciousFileAccess",
	"mcasImpossibleTravel", "mcasSuspiciousInboxManipulationRules", "nationStateIP", "newCountry", "passwordSpray",
	"riskyIPAddress", "suspiciousAPITraffic", "suspiciousAuthAppApproval", "suspiciousBrowser", "suspiciousInboxForwarding", "suspiciousIPAddress",
	"suspiciousSendingPatterns", "tokenIssuerAnomaly", "unfamiliarFeatures", "unifiedAgentRisk", "unlikelyTravel",
	"userReportedSuspiciousActivity",
}

// KnownEventType reports whether this version knows an event type.
func KnownEventType(eventType string) bool {
	return slices.ContainsFunc(EventTypes, func(known string) bool { return strings.EqualFold(known, eventType) })
}

// ComesBack reports whether risk of an event type comes back after a dismissal, for
// as long as an account that is linked to the user is under attack.
// https://learn.microsoft.com/entra/id-protection/concept-identity-protection-unified-risk
func ComesBack(eventType string) bool { return strings.EqualFold(eventType, "aiCompoundAccountRisk") }

// NeverAllowed reports whether an event type may not be allow-listed: what it
// says is not a matter of where somebody signed in from.
func NeverAllowed(eventType string) bool {
	if ComesBack(eventType) {
		return true
	}
	t := strings.ToLower(eventType)
	switch t {
	case "leakedcredentials", "adminconfirmedusercompromised", "attackerinthemiddle", "generic",
		"adminconfirmedserviceprincipalcompromised", "maliciousapplication", "suspiciousapplication":
		return true
	}
	return strings.HasPrefix(t, "investigationsthreatintelligence")
}
