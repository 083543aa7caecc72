package auditlog

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/graphsim/conditionalaccess"
	"github.com/risksweep/risksweep/internal/graphsim/odata"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

func enumerated(name, kind, members string, known int) odata.Member {
	return odata.Member{Name: name, Kind: odata.Enum, NoOrder: true, Enum: &odata.Enumeration{Name: "microsoft.graph." + kind, Members: strings.Fields(members), Known: known}}
}

const (
	riskLevels  = "low medium high hidden none unknownFutureValue"
	riskStates  = "none confirmedSafe remediated dismissed atRisk confirmedCompromised unknownFutureValue"
	riskDetails = "none adminGeneratedTemporaryPassword userPerformedSecuredPasswordChange userPerformedSecuredPasswordReset adminConfirmedSigninSafe aiConfirmedSigninSafe userPassedMFADrivenByRiskBasedPolicy adminDismissedAllRiskForUser adminConfirmedSigninCompromised hidden adminConfirmedUserCompromised unknownFutureValue m365DAdminDismissedDetection adminConfirmedServicePrincipalCompromised adminDismissedAllRiskForServicePrincipal userChangedPasswordOnPremises adminDismissedRiskForSignIn adminConfirmedAccountSafe microsoftRevokedSessions"
	results     = "success failure notApplied notEnabled unknown unknownFutureValue reportOnlySuccess reportOnlyFailure reportOnlyNotApplied reportOnlyInterrupted"
)

const appliedPolicies = "appliedConditionalAccessPolicies"

// signInSet declares a sign-in (evidence-api §2.3).
var signInSet = &odata.Collection{
	Type: "microsoft.graph.signIn", Filterable: true, Orderable: true, DefaultTop: 1000, MaxTop: 1000,
	Members: slices.Concat(
		texts("id"), []odata.Member{{Name: "createdDateTime", Kind: odata.DateTime}},
		texts("userDisplayName userPrincipalName userId appId appDisplayName ipAddress clientAppUsed correlationId"),
		[]odata.Member{enumerated("conditionalAccessStatus", "conditionalAccessStatus", "success failure notApplied unknownFutureValue", 4)},
		unasked([]odata.Member{{Name: "isInteractive", Kind: odata.Bool}}),
		[]odata.Member{
			enumerated("riskDetail", "riskDetail", riskDetails, 12), enumerated("riskLevelAggregated", "riskLevel", riskLevels, 6),
			enumerated("riskLevelDuringSignIn", "riskLevel", riskLevels, 6), enumerated("riskState", "riskState", riskStates, 7),
		},
		unasked([]odata.Member{many(odata.Member{Name: "riskEventTypes", Kind: odata.String})}),
		[]odata.Member{many(odata.Member{Name: "riskEventTypes_v2", Kind: odata.String, NoOrder: true})},
		texts("resourceDisplayName resourceId"), unasked(texts("resourceTenantId homeTenantId servicePrincipalId servicePrincipalName userAgent")),
		unasked([]odata.Member{structured("authenticationAppDeviceDetails", "authenticationAppDeviceDetails", texts("deviceId operatingSystem appVersion clientApp"))}),
		[]odata.Member{
			structured("status", "signInStatus", members(odata.Int, "errorCode"), unasked(texts("failureReason additionalDetails"))),
			structured("deviceDetail", "deviceDetail", unasked(texts("deviceId displayName")), texts("operatingSystem browser"), unasked(members(odata.Bool, "isCompliant isManaged")), unasked(texts("trustType"))),
			structured("location", "signInLocation", texts("city state countryOrRegion"), unasked([]odata.Member{structured("geoCoordinates", "geoCoordinates", members(odata.Double, "altitude latitude longitude"))})),
		},
		unasked([]odata.Member{many(structured(appliedPolicies, "appliedConditionalAccessPolicy", texts("id displayName"),
			[]odata.Member{many(odata.Member{Name: "enforcedGrantControls", Kind: odata.String}), many(odata.Member{Name: "enforcedSessionControls", Kind: odata.String})},
			[]odata.Member{enumerated("result", "appliedConditionalAccessPolicyResult", results, 6)}))}),
	),
}

// withoutPolicies is what a caller sees who may not read policies: the member is
// left out, without a word (evidence-api §2.1).
var withoutPolicies = func() *odata.Collection {
	c := *signInSet
	c.Members = slices.DeleteFunc(slices.Clone(c.Members), func(m odata.Member) bool { return m.Name == appliedPolicies })
	return &c
}()

func (w *Workload) serveSignIns(r *wire.Request) (*wire.Response, *wire.Error) {
	if w.opt.License == "none" {
		return nil, &wire.Error{Status: http.StatusForbidden, Code: "Authentication_RequestFromNonPremiumTenantOrB2CTenant", Message: "Neither tenant is B2C or tenant doesn't have premium license"}
	}
	l := list{set: withoutPolicies, context: "auditLogs/signIns"}
	for _, role := range []string{"Policy.Read.All", "Policy.Read.ConditionalAccess", "Policy.ReadWrite.ConditionalAccess"} {
		if slices.Contains(r.Roles, role) {
			l.set = signInSet
		}
	}
	if len(r.Path) == 3 {
		l.id = r.Path[2]
	}
	l.rows = w.signInRows(r.Now, l.set)
	return l.answer(r)
}

// signInRows are the rows that a reader sees, newest first.
func (w *Workload) signInRows(now time.Time, set *odata.Collection) []odata.Getter {
	if w.opt.SignIns == 0 && len(w.told) == 0 {
		return nil
	}
	oldest := now.Add(-w.retention())
	past := w.policies.Past(now)
	type dated struct {
		at  time.Time
		get odata.Getter
	}
	index := make(map[string]int, len(w.tenant.People))
	for i := range w.tenant.People {
		index[w.tenant.People[i].ID] = i
	}
	var rows []dated
	add := func(x *signIn) {
		if x == nil {
			return
		}
		for part := range x.rows() {
			at := x.at.Add(time.Duration(part) * 19 * time.Second)
			if at.After(now) || at.Before(oldest) {
				continue
			}
			rows = append(rows, dated{at, w.signInRow(x, part, at, past, set)})
		}
	}
	if w.opt.SignIns > 0 {
		begin, interval := w.opt.Born.Add(-span), span/time.Duration(w.opt.SignIns)
		for n := max(int(oldest.Sub(begin)/interval)-1, 0); n <= int(now.Sub(begin)/interval); n++ {
			add(w.signIn(n, index))
		}
		for _, seen := range w.risk.SignIns(oldest, now) {
			add(w.risky(&seen, index))
		}
	}
	for _, s := range w.told {
		add(w.ordered(s, index))
	}
	slices.SortStableFunc(rows, func(a, b dated) int { return b.at.Compare(a.at) })
	getters := make([]odata.Getter, len(rows))
	for i := range rows {
		getters[i] = rows[i].get
	}
	return getters
}

// rows is how many rows a sign-in has: being asked to stay signed in has one, and
// so has a second try.
func (x *signIn) rows() int {
	if !x.disabled && (x.retried || x.kept && !x.wrongPassword) {
		return 2
	}
	return 1
}

// signInRow reads a row; what takes time to find out is found out when it is
// asked for.
func (w *Workload) signInRow(x *signIn, part int, at time.Time, past *conditionalaccess.Past, set *odata.Collection) odata.Getter {
	var whole odata.Getter
	return func(path string) odata.Value {
		switch path {
		case "createdDateTime":
			return odata.Time(at)
		case "id":
			return odata.Text(x.ids[part])
		case "userId":
			return odata.Text(x.person.ID)
		}
		if whole == nil {
			whole = getter(set.Members, w.signInObject(*x, part, at, past))
		}
		return whole(path)
	}
}

func (w *Workload) signInObject(x signIn, part int, at time.Time, past *conditionalaccess.Past) object {
	if part == 1 {
		x.wrongPassword = false
	}
	j := x.judge(past, w.defaults())
	code, reason, details := 0, "Other.", ""
	switch {
	case x.disabled:
		code, reason = 50057, "The user account is disabled."
	case x.wrongPassword:
		code, reason = 50126, "The user name or the password is wrong."
	case j.failed != "" || j.status == "failure":
		code, reason = errorOf(j.failed)
	case x.kept && part == 0:
		code, reason = 50140, "The user was asked whether to stay signed in."
	case j.mfa && x.claim:
		details = "MFA requirement satisfied by claim in the token"
	case j.mfa:
		details = "MFA completed in Azure AD"
	}
	state, detail, events := "none", "none", []string{}
	if x.risk != "none" {
		state, events = "atRisk", []string{"unfamiliarFeatures"}
	}
	aggregated := x.risk
	if x.seen != nil {
		aggregated, state, detail, events = x.seen.Level, x.seen.RiskState, x.seen.Detail, []string{x.seen.EventType}
	}
	m := x.machine
	device := object{"deviceId": m.id, "displayName": m.name, "operatingSystem": m.system, "browser": "", "isCompliant": m.compliant, "isManaged": m.managed, "trustType": trusts[m.trust]}
	if x.client.kind == "browser" {
		device["browser"] = m.browser
	}
	return object{
		"id": x.ids[part], "createdDateTime": at, "userDisplayName": x.person.DisplayName, "userPrincipalName": strings.ToLower(x.person.UserPrincipalName), "userId": x.person.ID,
		"appId": x.service.appID, "appDisplayName": x.service.app, "ipAddress": x.about.IPAddress.String(), "clientAppUsed": x.client.shown, "correlationId": x.correlation,
		"conditionalAccessStatus": j.status, "isInteractive": true, "riskDetail": detail, "riskLevelAggregated": aggregated, "riskLevelDuringSignIn": x.risk, "riskState": state,
		"riskEventTypes": events, "riskEventTypes_v2": events, "resourceDisplayName": x.service.resource, "resourceId": x.service.resourceID,
		"resourceTenantId": w.tenant.ID, "homeTenantId": x.homeTenant, "servicePrincipalId": "", "servicePrincipalName": nil, "userAgent": m.agent, "authenticationAppDeviceDetails": nil,
		"status": object{"errorCode": code, "failureReason": reason, "additionalDetails": some(details)}, "deviceDetail": device,
		"location":      object{"city": x.from.city, "state": x.from.state, "countryOrRegion": x.from.country, "geoCoordinates": object{"altitude": nil, "latitude": x.from.latitude, "longitude": x.from.longitude}},
		appliedPolicies: j.policies,
	}
}
