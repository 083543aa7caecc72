package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/graph"
	"github.com/risksweep/risksweep/internal/impact"
)

const (
	// signers are the people who sign in.
	signers = 5000
	// logged is the time that the log covers.
	logged = 14 * 24 * time.Hour
	// signInPage is the largest page of the log.
	signInPage = 1000
)

// shown is of how many policies each row of the log has the result. The service
// tells of every policy of the tenant, but not to an application that may not
// read policies.
var shown = policies

// signIns answers the sign-in log: n rows, spread evenly, newest first.
func (t *tenant) signIns(r *http.Request) []byte {
	q := r.URL.Query()
	words := strings.Fields(q.Get("$filter"))
	at := func(n int) time.Time {
		when, err := time.Parse(time.RFC3339, words[n])
		check(err)
		return when
	}
	begin, end := at(2), at(6)
	step := logged / time.Duration(t.n)
	first := max(0, int((t.updated.Sub(end)+step-1)/step))
	last := min(t.n, int(t.updated.Sub(begin)/step)+1)
	skip, _ := strconv.Atoi(q.Get("$skiptoken")) // 0 without one
	from := min(first+skip, last)
	to := min(from+signInPage, last)
	var b bytes.Buffer
	b.WriteString(`{"@odata.context":"c",`)
	if to < last {
		q.Set("$skiptoken", strconv.Itoa(skip+signInPage))
		fmt.Fprintf(&b, `"@odata.nextLink":%q,`, "http://"+r.Host+r.URL.Path+"?"+q.Encode())
	}
	b.WriteString(`"value":[`)
	for n := from; n < to; n++ {
		if n > from {
			b.WriteByte(',')
		}
		t.signIn(&b, n, t.updated.Add(-time.Duration(n)*step))
	}
	b.WriteString("]}")
	return b.Bytes()
}

func (t *tenant) signIn(b *bytes.Buffer, n int, at time.Time) {
	who := n * 7 % signers
	fmt.Fprintf(b, `{"id":"dddddddd-0000-4000-8000-%012x","createdDateTime":"%s","userDisplayName":"Ada Lovelace %d","userPrincipalName":"user%d@contoso.com","userId":"%s","appId":"cccccccc-0000-4000-8000-%012x","appDisplayName":"Application %d","ipAddress":"10.%d.%d.%d","clientAppUsed":"Browser","correlationId":"eeeeeeee-0000-4000-8000-%012x","conditionalAccessStatus":"success","isInteractive":true,"riskDetail":"none","riskLevelAggregated":"none","riskLevelDuringSignIn":"%s","riskState":"none","riskEventTypes":[],"riskEventTypes_v2":[],"resourceDisplayName":"Application %d","resourceId":"%s","resourceTenantId":"%s","homeTenantId":"%s","servicePrincipalId":"","servicePrincipalName":null,"userAgent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36","authenticationAppDeviceDetails":null,"status":{"errorCode":0,"failureReason":"Other.","additionalDetails":"MFA requirement satisfied by claim in the token"},"deviceDetail":{"deviceId":"ffffffff-0000-4000-8000-%012x","displayName":"DESKTOP-%d","operatingSystem":"%s","browser":"Chrome 125.0.0","isCompliant":%t,"isManaged":true,"trustType":"Azure AD joined"},"location":{"city":"Berlin","state":"Land Berlin","countryOrRegion":"DE","geoCoordinates":{"altitude":null,"latitude":52.51894,"longitude":13.40787}}`,
		n, at.UTC().Format("2006-01-02T15:04:05Z"), who, who, accessID(9, who), n%9, n%accessApps, who%40, who/40, who%250, n,
		[]string{"none", "low", "medium", "high"}[n/3%4], n%accessApps, accessID(3, n%accessApps), accessID(8, 1), accessID(8, 1), who, who, []string{"Windows10", "Ios 17.4", "MacOs"}[who%3], who%4 != 0)
	if shown > 0 {
		b.WriteString(`,"appliedConditionalAccessPolicies":`)
		b.Write(t.results[n%len(t.results)])
	}
	b.WriteByte('}')
}

// results are what the policies made of sign-ins, a few sorts of them.
func results() (list [][]byte) {
	for sort := range 16 {
		var b bytes.Buffer
		for i := range shown {
			fmt.Fprintf(&b, `,{"id":"%s","displayName":"P%d - Everybody: a second factor where it is risky","enforcedGrantControls":["Mfa"],"enforcedSessionControls":["SignInFrequency"],"result":"%s"}`,
				accessID(4, i), i, []string{"notApplied", "notApplied", "notEnabled", "reportOnlyNotApplied", "success", "reportOnlyInterrupted", "reportOnlySuccess"}[(i*sort+i)%7])
		}
		if shown > 0 {
			b.Bytes()[0] = '['
			b.WriteByte(']')
		}
		list = append(list, b.Bytes())
	}
	return list
}

func logWindow() entra.LogWindow {
	now := time.Now().UTC().Truncate(time.Second)
	return entra.LogWindow{From: now.Add(-30 * 24 * time.Hour), To: now}
}

// replay judges all sign-ins of the log by 200 policies anew.
func replay(t task) (m measured) {
	set := accessSet(accessDocs())
	people := map[entra.ID]*access.User{}
	for i := range signers {
		id := entra.NewID(accessID(9, i))
		people[id] = &access.User{ID: id, Groups: []entra.ID{entra.NewID(accessID(1, i%accessGroups))}}
	}
	o := impact.Options{Window: logWindow(), TenantID: entra.NewID(accessID(8, 1)), Set: set, People: func(id entra.ID) *access.User { return people[id] }}
	for at := range set.Len() {
		d := set.Policy(at).Document
		o.Policies = append(o.Policies, impact.Policy{DisplayName: d.DisplayName(), ID: entra.NewID(d.ID()), State: set.State(at), Place: at})
	}
	client, err := graph.New(graph.Options{Credential: credential{}, Endpoint: t.service})
	check(err)
	var r impact.Result
	m = taking(func() {
		i := impact.New(o)
		for rows, err := range client.SignIns(context.Background(), entra.SignInQuery{LogWindow: o.Window}) {
			check(err)
			for n := range rows {
				i.Add(&rows[n])
			}
		}
		r = i.Result()
	})
	expect("sign-ins", r.Read, t.detections)
	if !slices.ContainsFunc(r.Policies, func(p impact.PolicyResult) bool { return p.Applied > 0 && p.Asked.SignIns+p.Unknown.SignIns > 0 }) {
		check(fmt.Errorf("no policy asks anything"))
	}
	m.Requests, m.Peak = client.Stats().Total, peak()
	return m
}

// signIns is what a program that knows what it wants unmarshals the log into.
type signIns struct {
	Next  string `json:"@odata.nextLink"`
	Value []struct {
		ID, CreatedDateTime, UserDisplayName, UserPrincipalName, UserID, AppID, AppDisplayName, IPAddress, ClientAppUsed, CorrelationID *string
		ConditionalAccessStatus, RiskDetail, RiskLevelAggregated, RiskLevelDuringSignIn, RiskState, ResourceDisplayName, ResourceID     *string
		ResourceTenantID, HomeTenantID, ServicePrincipalID, ServicePrincipalName, UserAgent                                             *string
		IsInteractive                                                                                                                   *bool
		RiskEventTypes                                                                                                                  []string
		RiskEventTypesV2                                                                                                                []string `json:"riskEventTypes_v2"`
		Status                                                                                                                          *struct {
			ErrorCode                        *int
			FailureReason, AdditionalDetails *string
		}
		DeviceDetail *struct {
			DeviceID, DisplayName, OperatingSystem, Browser, TrustType *string
			IsCompliant, IsManaged                                     *bool
		}
		Location *struct {
			City, State, CountryOrRegion *string
			GeoCoordinates               *struct{ Altitude, Latitude, Longitude *float64 }
		}
		AppliedConditionalAccessPolicies []struct {
			ID, DisplayName, Result                        *string
			EnforcedGrantControls, EnforcedSessionControls []string
		}
	}
}

// decodeSignIns is the floor of a replay: it unmarshals the same pages.
func decodeSignIns(t task) (m measured) {
	w := logWindow()
	filter := "createdDateTime ge " + w.From.Format(time.RFC3339) + " and createdDateTime le " + w.To.Format(time.RFC3339)
	rows := 0
	for link := t.service + "/auditLogs/signIns?$top=1000&$filter=" + url.QueryEscape(filter); link != ""; {
		var p signIns
		m.add(unmarshal(link, &p))
		rows += len(p.Value)
		link = p.Next
	}
	expect("sign-ins", rows, t.detections)
	return m
}

// replays are the rows of what policies would have done to past sign-ins.
func replays(row rowFunc) {
	const allowed = 96 << 20
	for _, c := range []struct {
		what  string
		n, of int
	}{{"", 40_000, policies}, {", a log without the policies' results", 400_000, 0}} {
		service, stop := startTenant(c.n, "-shown", strconv.Itoa(c.of))
		ours, floor := beside(service, "replay", c.n), beside(service, "decodeSignIns", c.n)
		stop()
		each := func(d time.Duration) string {
			return fmt.Sprintf("%.1f µs", float64(d.Nanoseconds())/1e3/float64(c.n))
		}
		row(fmt.Sprintf("CPU of replaying a sign-in under %d policies%s", policies, c.what), each(ours.CPU), each(floor.CPU), ratio(ours.CPU, floor.CPU), 1.8, "encoding/json into typed structs of the same pages")
		row(fmt.Sprintf("peak memory of that replay, %d sign-ins", c.n), mib(ours.Peak), mib(allowed), ratio(ours.Peak, int64(allowed)), 1, "96 MiB, however many they are")
	}
	for _, c := range []struct{ n, of int }{{200_000, policies}, {1_000_000, 0}} {
		service, stop := startTenant(c.n, "-shown", strconv.Itoa(c.of))
		m := beside(service, "replay", c.n)
		stop()
		row(fmt.Sprintf("the same, %d sign-ins", c.n), mib(m.Peak), mib(allowed), ratio(m.Peak, int64(allowed)), 1, "96 MiB, however many they are")
	}
}
