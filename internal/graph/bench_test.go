package graph

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/entra"
)

// benchPage is a page of 500 detections as the service sends them.
func benchPage(next string, page int) string {
	rows := make([]string, 500)
	for i := range rows {
		n := page*500 + i
		rows[i] = fmt.Sprintf(`{"id":"%064x","requestId":"46cbd66a-3b8f-4f60-a58c-%012x","correlationId":"aed54ab2-7e23-4d5d-bb76-%012x","riskEventType":"unfamiliarFeatures","riskState":"atRisk","riskLevel":"medium","riskDetail":"none","source":"IdentityProtection","detectionTimingType":"realtime","activity":"signin","tokenIssuerType":"AzureAD","ipAddress":"203.0.113.%d","activityDateTime":"2026-11-20T09:13:37.1234567Z","detectedDateTime":"2026-11-20T09:15:00Z","lastUpdatedDateTime":"2026-11-21T00:00:00.5Z","userId":"aaaaaaaa-0000-0000-0000-%012x","userDisplayName":"Ada Lovelace %d","userPrincipalName":"ada.lovelace%d@contoso.com","additionalInfo":"[{\"Key\":\"userAgent\",\"Value\":\"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36\"},{\"Key\":\"riskReasons\",\"Value\":[\"UnfamiliarASN\",\"UnfamiliarBrowser\",\"UnfamiliarDevice\",\"UnfamiliarIP\",\"UnfamiliarLocation\"]}]","location":{"city":"Berlin","state":"Land Berlin","countryOrRegion":"DE","geoCoordinates":{"altitude":null,"latitude":52.51894,"longitude":13.40787}}}`,
			n, n, n, n%250, n%1000, n%1000, n%1000)
	}
	return list(next, rows...)
}

// floorDetection is what a typed program would unmarshal into.
type floorDetection struct {
	ID                  string  `json:"id"`
	Activity            *string `json:"activity"`
	ActivityDateTime    *string `json:"activityDateTime"`
	AdditionalInfo      *string `json:"additionalInfo"`
	CorrelationID       *string `json:"correlationId"`
	DetectedDateTime    *string `json:"detectedDateTime"`
	DetectionTimingType *string `json:"detectionTimingType"`
	IPAddress           *string `json:"ipAddress"`
	LastUpdatedDateTime *string `json:"lastUpdatedDateTime"`
	Location            *struct {
		City            *string `json:"city"`
		State           *string `json:"state"`
		CountryOrRegion *string `json:"countryOrRegion"`
		GeoCoordinates  *struct {
			Altitude  *float64 `json:"altitude"`
			Latitude  *float64 `json:"latitude"`
			Longitude *float64 `json:"longitude"`
		} `json:"geoCoordinates"`
	} `json:"location"`
	RequestID         *string `json:"requestId"`
	RiskDetail        *string `json:"riskDetail"`
	RiskEventType     *string `json:"riskEventType"`
	RiskLevel         *string `json:"riskLevel"`
	RiskState         *string `json:"riskState"`
	Source            *string `json:"source"`
	TokenIssuerType   *string `json:"tokenIssuerType"`
	UserDisplayName   *string `json:"userDisplayName"`
	UserID            *string `json:"userId"`
	UserPrincipalName *string `json:"userPrincipalName"`
}

// BenchmarkDetection gives the cost of one detection: decoded by us, read over
// HTTP by us, and, as the floor, unmarshalled by encoding/json into typed
// structs without any reading.
func BenchmarkDetection(b *testing.B) {
	body := []byte(benchPage("", 0))
	perRow := func(b *testing.B, rows int) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rows), "ns/detection")
		b.ReportMetric(0, "ns/op")
	}
	b.Run("floor", func(b *testing.B) {
		b.ReportAllocs()
		rows := 0
		for b.Loop() {
			var page struct {
				Value []floorDetection `json:"value"`
			}
			if err := json.Unmarshal(body, &page); err != nil || len(page.Value) != 500 {
				b.Fatal(err)
			}
			rows += len(page.Value)
		}
		perRow(b, rows)
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		rows := 0
		in := newInterner()
		for b.Loop() {
			items, _, err := decodePage(string(body), in, decodeDetection)
			if err != nil || len(items) != 500 {
				b.Fatal(err)
			}
			rows += len(items)
		}
		perRow(b, rows)
	})
	b.Run("read", func(b *testing.B) {
		const n = 20
		var server *httptest.Server
		bodies := map[string]string{}
		server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answerJSON(w, 200, bodies[r.URL.Query().Get("step")])
		}))
		defer server.Close()
		for i := range n {
			next := ""
			if i+1 < n {
				next = fmt.Sprintf("%s/v1.0/identityProtection/riskDetections?step=%d", server.URL, i+1)
			}
			bodies[strings.TrimPrefix(fmt.Sprint(i), "0")] = benchPage(next, i)
		}
		c, err := New(Options{Endpoint: server.URL + "/v1.0", Credential: fixedToken{token: "opaque"}})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		rows := 0
		for b.Loop() {
			for page, err := range c.Detections(b.Context(), entra.DetectionQuery{}) {
				if err != nil {
					b.Fatal(err)
				}
				rows += len(page.Items)
			}
		}
		perRow(b, rows)
	})
}
