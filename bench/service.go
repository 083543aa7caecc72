package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// usersEach is how many detections a risky user has.
const usersEach = 10

type credential struct{}

func (credential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "bench", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// service answers from memory; its own cost is kept apart.
type service struct {
	n    int
	risk int           // requests for detections and users
	cpu  time.Duration // that its answers took to make
}

func newService(n int) *service { return &service{n: n} }

// RoundTrip is of http.RoundTripper.
func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	began := cpuTime()
	path := strings.TrimPrefix(r.URL.Path, "/v1.0")
	at, _ := strconv.Atoi(r.URL.Query().Get("$skiptoken")) // 0 without one
	var body []byte
	switch path {
	case "/identityProtection/riskDetections":
		s.risk++
		if strings.Contains(r.URL.Query().Get("$filter"), " or ") || at > 0 {
			body = page(path, at, s.n, detection)
		} else {
			body = []byte(`{"value":[]}`) // nothing changed while it was read
		}
	case "/identityProtection/riskyUsers":
		s.risk++
		if strings.Contains(r.URL.Query().Get("$filter"), "riskLastUpdatedDateTime") {
			body = []byte(`{"value":[]}`)
		} else {
			body = page(path, at, s.n/usersEach, user)
		}
	case "/$batch":
		body = s.batch(r)
	default:
		body = []byte(`{"value":[]}`)
	}
	s.cpu += cpuTime() - began
	return &http.Response{StatusCode: 200, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)),
		Header: http.Header{"Content-Type": {"application/json"}, "Date": {time.Now().UTC().Format(http.TimeFormat)}}}, nil
}

func (s *service) batch(r *http.Request) []byte {
	var in struct{ Requests []struct{ ID, URL string } }
	check(json.NewDecoder(r.Body).Decode(&in))
	answers := []map[string]any{}
	for _, q := range in.Requests {
		body := any(map[string]any{"value": []any{}})
		switch {
		case strings.Contains(q.URL, "organization"):
			body = map[string]any{"value": []any{map[string]any{"id": "00000000-0000-0000-0000-000000000001", "displayName": "Contoso",
				"assignedPlans": []any{map[string]any{"capabilityStatus": "Enabled", "service": "AADPremiumService", "servicePlanId": "eec0eb4f-6444-4f95-aba0-50c24d67f998"}}}}}
		case strings.Contains(q.URL, "users"):
			body = map[string]any{"id": userID(1), "userPrincipalName": "user1@contoso.com", "displayName": "User 1", "accountEnabled": true}
		}
		answers = append(answers, map[string]any{"id": q.ID, "status": 200, "headers": map[string]string{"Content-Type": "application/json"}, "body": body})
	}
	out, err := json.Marshal(map[string]any{"responses": answers})
	check(err)
	return out
}

// page is one page of a list of n rows.
func page(path string, at, n int, row func(*bytes.Buffer, int)) []byte {
	b := bytes.NewBuffer(make([]byte, 0, 600<<10))
	b.WriteString(`{"@odata.context":"c",`)
	end := min(at+500, n)
	if end < n {
		fmt.Fprintf(b, `"@odata.nextLink":"http://127.0.0.1/v1.0%s?$top=500&$skiptoken=%d",`, path, end)
	}
	b.WriteString(`"value":[`)
	for i := at; i < end; i++ {
		if i > at {
			b.WriteByte(',')
		}
		row(b, i)
	}
	b.WriteString("]}")
	return b.Bytes()
}

func userID(n int) string { return fmt.Sprintf("aaaaaaaa-0000-4000-8000-%012x", n) }

func detection(b *bytes.Buffer, n int) {
	state := "remediated"
	if n%usersEach == 0 {
		state = "atRisk"
	}
	fmt.Fprintf(b, `{"id":"%064x","requestId":"46cbd66a-3b8f-4f60-a58c-%012x","correlationId":"aed54ab2-7e23-4d5d-bb76-%012x","riskEventType":"unfamiliarFeatures","riskState":"%s","riskLevel":"medium","riskDetail":"none","source":"IdentityProtection","detectionTimingType":"realtime","activity":"signin","tokenIssuerType":"AzureAD","ipAddress":"203.0.113.%d","activityDateTime":"2026-11-20T09:13:37.1234567Z","detectedDateTime":"2026-11-20T09:15:00Z","lastUpdatedDateTime":"2026-11-21T00:00:00.5Z","userId":"%s","userDisplayName":"Ada Lovelace %d","userPrincipalName":"user%d@contoso.com","additionalInfo":"[{\"Key\":\"userAgent\",\"Value\":\"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36\"},{\"Key\":\"riskReasons\",\"Value\":[\"UnfamiliarASN\",\"UnfamiliarBrowser\",\"UnfamiliarDevice\"]}]","location":{"city":"Berlin","state":"Land Berlin","countryOrRegion":"DE","geoCoordinates":{"altitude":null,"latitude":52.51894,"longitude":13.40787}}}`,
		n, n, n, state, n%250, userID(n/usersEach), n/usersEach, n/usersEach)
}

func user(b *bytes.Buffer, n int) {
	fmt.Fprintf(b, `{"id":"%s","isDeleted":false,"isProcessing":false,"riskLevel":"medium","riskState":"atRisk","riskDetail":"none","riskLastUpdatedDateTime":"2026-11-21T00:00:00.5Z","userDisplayName":"Ada Lovelace %d","userPrincipalName":"user%d@contoso.com"}`, userID(n), n, n)
}

// typed is what a program that knows what it wants unmarshals into.
type typed struct {
	Value []struct {
		ID, Activity, ActivityDateTime, AdditionalInfo, CorrelationID, DetectedDateTime, DetectionTimingType, IPAddress, LastUpdatedDateTime *string
		RequestID, RiskDetail, RiskEventType, RiskLevel, RiskState, Source, TokenIssuerType, UserDisplayName, UserID, UserPrincipalName      *string
		Location                                                                                                                             *struct {
			City, State, CountryOrRegion *string
			GeoCoordinates               *struct{ Altitude, Latitude, Longitude *float64 }
		}
	}
}

// floor unmarshals the same pages with encoding/json, and does nothing else.
func floor(n int) (cpu, allocs float64) {
	var took time.Duration
	var mallocs uint64
	for at := 0; at < n; at += 500 {
		data := page("/identityProtection/riskDetections", at, n, detection)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := cpuTime()
		var p typed
		check(json.Unmarshal(data, &p))
		took += cpuTime() - began
		runtime.ReadMemStats(&after)
		mallocs += after.Mallocs - before.Mallocs
	}
	return float64(took.Nanoseconds()) / float64(n), float64(mallocs) / float64(n)
}

// startOnce starts a server and waits for its first answer.
func startOnce(exe string, args ...string) time.Duration {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	check(err)
	check(l.Close())
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), "FUNCTIONS_CUSTOMHANDLER_PORT="+port)
	began := time.Now()
	check(cmd.Start())
	for time.Since(began) < 10*time.Second {
		res, err := http.Get("http://127.0.0.1:" + port + "/")
		if err == nil {
			took := time.Since(began)
			_ = res.Body.Close()
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // it was killed
			return took
		}
		time.Sleep(200 * time.Microsecond)
	}
	check(fmt.Errorf("%s does not answer", exe))
	return 0
}
