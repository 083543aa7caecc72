package risk

// eventType is what the service knows of one riskEventType (graph-api §1.7).
type eventType struct {
	name string
	// timings it may be found with, the usual one first.
	timings []uint8
	// user says that it is about the account and not about one sign-in: a
	// passed MFA does not remedy it, and it has no address.
	user bool
	// premium ones are shown as generic without a P2 licence.
	premium bool
	// weight is how often it happens, and levels how often each level.
	weight int
	levels [3]int
}

var (
	realtime = []uint8{timingRealtime}
	offline  = []uint8{timingOffline}
	either   = []uint8{timingRealtime, timingOffline}
)

// userEvents are the detections of users. adminConfirmedUserCompromised comes
// from an administrator alone and so has no weight.
var userEvents = []eventType{
	{name: "adminConfirmedUserCompromised", timings: offline, user: true, levels: [3]int{0, 0, 1}},
	{name: "anonymizedIPAddress", timings: realtime, weight: 18, levels: [3]int{5, 4, 1}},
	{name: "unfamiliarFeatures", timings: realtime, premium: true, weight: 24, levels: [3]int{6, 3, 1}},
	{name: "anomalousToken", timings: either, premium: true, weight: 6, levels: [3]int{4, 4, 2}},
	{name: "anomalousUserActivity", timings: offline, user: true, premium: true, weight: 3, levels: [3]int{2, 5, 2}},
	{name: "attackerinTheMiddle", timings: offline, premium: true, weight: 1, levels: [3]int{0, 0, 1}},
	{name: "attemptedPrtAccess", timings: offline, user: true, premium: true, weight: 1, levels: [3]int{0, 1, 3}},
	{name: "generic", timings: either, weight: 3, levels: [3]int{3, 2, 0}},
	{name: "impossibleTravel", timings: offline, premium: true, weight: 4, levels: [3]int{2, 3, 0}},
	{name: "investigationsThreatIntelligence", timings: either, weight: 2, levels: [3]int{0, 1, 3}},
	{name: "leakedCredentials", timings: offline, user: true, weight: 3, levels: [3]int{0, 0, 1}},
	{name: "maliciousIPAddress", timings: offline, premium: true, weight: 4, levels: [3]int{2, 4, 1}},
	{name: "malwareInfectedIPAddress", timings: offline, premium: true, weight: 1, levels: [3]int{3, 1, 0}},
	{name: "mcasFinSuspiciousFileAccess", timings: offline, user: true, premium: true, weight: 1, levels: [3]int{1, 3, 0}},
	{name: "mcasImpossibleTravel", timings: offline, premium: true, weight: 2, levels: [3]int{3, 2, 0}},
	{name: "mcasSuspiciousInboxManipulationRules", timings: offline, user: true, premium: true, weight: 1, levels: [3]int{1, 3, 1}},
	{name: "nationStateIP", timings: realtime, premium: true, weight: 1, levels: [3]int{0, 1, 2}},
	{name: "newCountry", timings: offline, premium: true, weight: 4, levels: [3]int{4, 1, 0}},
	{name: "passwordSpray", timings: []uint8{timingOffline, timingRealtime}, premium: true, weight: 5, levels: [3]int{2, 3, 0}},
	{name: "riskyIPAddress", timings: offline, premium: true, weight: 3, levels: [3]int{3, 2, 0}},
	{name: "suspiciousAPITraffic", timings: offline, user: true, premium: true, weight: 1, levels: [3]int{2, 2, 1}},
	{name: "suspiciousBrowser", timings: offline, premium: true, weight: 3, levels: [3]int{3, 2, 0}},
	{name: "suspiciousInboxForwarding", timings: offline, user: true, premium: true, weight: 1, levels: [3]int{1, 3, 0}},
	{name: "suspiciousSendingPatterns", timings: offline, user: true, premium: true, weight: 1, levels: [3]int{1, 2, 0}},
	{name: "tokenIssuerAnomaly", timings: offline, premium: true, weight: 1, levels: [3]int{0, 2, 1}},
	{name: "unlikelyTravel", timings: offline, premium: true, weight: 6, levels: [3]int{4, 2, 0}},
	{name: "userReportedSuspiciousActivity", timings: offline, user: true, premium: true, weight: 1, levels: [3]int{0, 0, 1}},
}

// principalEvents are the detections of service principals.
var principalEvents = []eventType{
	{name: "adminConfirmedServicePrincipalCompromised", timings: offline, user: true, levels: [3]int{0, 0, 1}},
	{name: "investigationsThreatIntelligence", timings: offline, weight: 2, levels: [3]int{0, 1, 3}},
	{name: "generic", timings: offline, weight: 1, levels: [3]int{3, 2, 0}},
	{name: "suspiciousSignins", timings: offline, weight: 6, levels: [3]int{3, 3, 1}},
	{name: "leakedCredentials", timings: offline, user: true, weight: 3, levels: [3]int{0, 0, 1}},
	{name: "anomalousServicePrincipalActivity", timings: offline, user: true, weight: 2, levels: [3]int{1, 2, 1}},
	{name: "maliciousApplication", timings: offline, user: true, weight: 1, levels: [3]int{0, 0, 1}},
	{name: "suspiciousApplication", timings: offline, user: true, weight: 1, levels: [3]int{1, 2, 0}},
}

// vocabulary are the riskEventTypes in use; detections hold indexes into it.
// A type that was raised and is not documented is added as it is.
type vocabulary struct {
	types  []eventType
	byName map[string]uint16
}

func newVocabulary(known []eventType) *vocabulary {
	v := &vocabulary{types: append([]eventType(nil), known...), byName: map[string]uint16{}}
	for i, t := range v.types {
		v.byName[t.name] = uint16(i) //nolint:gosec // a short table
	}
	return v
}

// maxTypes bounds what raising may add.
const maxTypes = 10_000

func (v *vocabulary) intern(name string) (uint16, bool) {
	if i, ok := v.byName[name]; ok {
		return i, true
	}
	if len(v.types) >= maxTypes {
		return 0, false
	}
	i := uint16(len(v.types)) //nolint:gosec // bounded above
	v.types = append(v.types, eventType{name: name, timings: realtime, premium: true})
	v.byName[name] = i
	return i, true
}
