package graph

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/risksweep/risksweep/internal/entra"
)

// As the service sends it, with a member and enum values that are newer than
// any metadata.
const liveDetection = `{
  "id": "6a5874ca9abcc5b5a9ea6ef3a2c7c1d0aaaa", "requestId": "46cbd66a-3b8f-4f60-a58c-01a6f1e60900",
  "correlationId": null, "riskType": "unfamiliarFeatures", "riskEventType": "unfamiliarFeatures",
  "riskState": "atRisk", "riskLevel": "medium", "riskDetail": "microsoftRevokedSessions", "source": "IdentityProtection",
  "detectionTimingType": "realtime", "activity": "signin", "tokenIssuerType": "AzureAD", "ipAddress": "203.0.113.26",
  "location": {"city": "Z\u00fcrich", "state": null, "countryOrRegion": "CH",
    "geoCoordinates": {"altitude": null, "latitude": 47.37, "longitude": -8.5e0, "x": []}, "newer": {"a": [1]}},
  "activityDateTime": "2026-11-20T09:13:37.1234567Z", "detectedDateTime": "2026-11-20T09:15:00Z",
  "lastUpdatedDateTime": "2026-11-21T00:00:00.5Z",
  "userId": "aaaaaaaa-0000-0000-0000-000000000001", "userDisplayName": "Ada \"the\" Ünal", "userPrincipalName": "ada@contoso.com",
  "additionalInfo": "[{\"Key\":\"userAgent\",\"Value\":\"x\"}]", "futureNumber": 12345678901234567890, "futureNull": null
}`

func ptr[T any](v T) *T { return &v }

func TestDecodeDetection(t *testing.T) {
	body := `{"@odata.context":"…","value":[` + liveDetection + `],"@odata.count":1}`
	got, next, err := decodePage(body, newInterner(), decodeDetection)
	if err != nil || next != "" {
		t.Fatalf("next %q, error %v", next, err)
	}
	want := []entra.Detection{{
		ID: "6a5874ca9abcc5b5a9ea6ef3a2c7c1d0aaaa", Activity: "signin", ActivityDateTime: "2026-11-20T09:13:37.1234567Z",
		AdditionalInfo: `[{"Key":"userAgent","Value":"x"}]`, DetectedDateTime: "2026-11-20T09:15:00Z", DetectionTimingType: "realtime",
		IPAddress: "203.0.113.26", LastUpdatedDateTime: "2026-11-21T00:00:00.5Z",
		Location:  entra.Location{City: "Zürich", CountryOrRegion: "CH", GeoCoordinates: &entra.GeoCoordinates{Latitude: ptr(47.37), Longitude: ptr(-8.5)}},
		RequestID: "46cbd66a-3b8f-4f60-a58c-01a6f1e60900", RiskDetail: "microsoftRevokedSessions", RiskEventType: "unfamiliarFeatures",
		RiskLevel: "medium", RiskState: "atRisk", Source: "IdentityProtection", TokenIssuerType: "AzureAD",
		UserDisplayName: `Ada "the" Ünal`, UserID: "aaaaaaaa-0000-0000-0000-000000000001", UserPrincipalName: "ada@contoso.com",
		Raw: liveDetection,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDecodeOthers(t *testing.T) {
	user := `{"id":"u","isDeleted":false,"isProcessing":null,"riskDetail":"none","riskLastUpdatedDateTime":"2026-01-01T00:00:00Z","riskLevel":"high","riskState":"somethingNew","userDisplayName":"A","userPrincipalName":null,"x":1}`
	users, _, err := decodePage(`{"value":[`+user+`]}`, newInterner(), decodeRiskyUser)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]entra.RiskyUser{{ID: "u", IsDeleted: ptr(false), RiskDetail: "none", RiskLastUpdatedDateTime: "2026-01-01T00:00:00Z",
		RiskLevel: "high", RiskState: "somethingNew", UserDisplayName: "A", Raw: user}}, users); diff != "" {
		t.Error(diff)
	}

	item := `{"id":"u637","userId":"u","initiatedBy":"adm","riskState":"dismissed","activity":{"detail":"adminDismissedAllRiskForUser","eventTypes":["a"],"riskEventTypes":[],"y":{}}}`
	history, _, err := decodePage(`{"value":[`+item+`,{"id":"v","activity":null}]}`, newInterner(), decodeHistoryItem)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]entra.RiskHistoryItem{
		{RiskyUser: entra.RiskyUser{ID: "u637", RiskState: "dismissed", Raw: item}, UserID: "u", InitiatedBy: "adm",
			ActivityDetail: "adminDismissedAllRiskForUser", RiskEventTypes: []string{"a"}},
		{RiskyUser: entra.RiskyUser{ID: "v", Raw: `{"id":"v","activity":null}`}},
	}, history); diff != "" {
		t.Error(diff)
	}

	sp := `{"id":"s","appId":"a","displayName":"App","isEnabled":true,"isProcessing":false,"riskDetail":"hidden","riskLevel":"hidden","riskState":"atRisk","riskLastUpdatedDateTime":null,"servicePrincipalType":"Application"}`
	sps, _, err := decodePage(`{"value":[`+sp+`]}`, newInterner(), decodeRiskyServicePrincipal)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]entra.RiskyServicePrincipal{{ID: "s", AppID: "a", DisplayName: "App", IsEnabled: ptr(true), IsProcessing: ptr(false),
		RiskDetail: "hidden", RiskLevel: "hidden", RiskState: "atRisk", ServicePrincipalType: "Application", Raw: sp}}, sps); diff != "" {
		t.Error(diff)
	}
}

func TestMalformedPages(t *testing.T) {
	for _, tc := range []struct{ name, body, text string }{
		{"empty", "", "empty answer"},
		{"white space", " \n", "empty answer"},
		{"not JSON", "<html></html>", "invalid character"},
		{"an array", `[]`, "an array where an object"},
		{"null", `null`, "null where an object"},
		{"truncated in a row", `{"value":[{"id":"1","riskLevel":"lo`, "ends after"},
		{"truncated after a row", `{"value":[{"id":"1"}`, "ends after"},
		{"truncated at the end", `{"value":[{"id":"1"}]`, "ends after"},
		{"two answers", `{"value":[]}{"value":[]}`, "after the answer's end"},
		{"value twice", `{"value":[],"value":[]}`, "duplicate"},
		{"member twice", `{"value":[{"id":"1","riskState":"dismissed","riskState":"atRisk"}]}`, "duplicate"},
		{"row is text", `{"value":[{"id":"1"},"x"]}`, "value[1]: a string where an object"},
		{"row is null", `{"value":[null]}`, "value[0]: null where an object"},
		{"id is a number", `{"value":[{"id":7}]}`, "value[0].id: a number where a string"},
		{"level is an object", `{"value":[{"id":"1"},{"id":"2","riskLevel":{}}]}`, "value[1].riskLevel: an object where a string"},
		{"location is text", `{"value":[{"id":"1","location":"Berlin"}]}`, "value[0].location: a string where an object"},
		{"latitude is text", `{"value":[{"id":"1","location":{"geoCoordinates":{"latitude":"47"}}}]}`, "value[0].location.geoCoordinates.latitude: a string where a number"},
		{"key ids of another type", `{"value":[{"id":"1","keyIds":"k"}]}`, "value[0].keyIds: a string where an array"},
		{"a key id of another type", `{"value":[{"id":"1","keyIds":["k",1]}]}`, "value[0].keyIds: a number where a string"},
		{"next link is a number", `{"value":[],"@odata.nextLink":1}`, "@odata.nextLink: a number where a string"},
		{"trailing comma", `{"value":[{"id":"1"},]}`, "invalid"},
		{"bad UTF-8", "{\"value\":[{\"id\":\"\xff\"}]}", "UTF-8"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			items, next, err := decodePage(tc.body, newInterner(), decodeDetection)
			if !errors.Is(err, entra.ErrMalformed) || !strings.Contains(fmt.Sprint(err), tc.text) {
				t.Errorf("error %v, want one of %q", err, tc.text)
			}
			if items != nil || next != "" {
				t.Errorf("items and a link beside the error")
			}
		})
	}
	for _, body := range []string{`{"value":[{"id":"1","isDeleted":"false"}]}`, `{"value":[{"id":"1","isProcessing":0}]}`} {
		if _, _, err := decodePage(body, newInterner(), decodeRiskyUser); !errors.Is(err, entra.ErrMalformed) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// Whatever rows a page has, in whatever spelling of JSON, they are read as
// encoding/json reads them.
func TestDecodeAgreesWithEncodingJSON(t *testing.T) {
	names := []string{"id", "activity", "activityDateTime", "additionalInfo", "correlationId", "detectedDateTime", "riskLevel",
		"riskState", "riskDetail", "riskEventType", "ipAddress", "userId", "userDisplayName", "userPrincipalName", "lastUpdatedDateTime",
		"appId", "servicePrincipalId", "unknownMember", "Id", "quirk\"y"}
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.MapOf(rapid.SampledFrom(names), rapid.OneOf(
			rapid.Map(rapid.String(), func(s string) any { return strings.ToValidUTF8(s, "") }),
			rapid.Just[any](nil))), 0, 5).Draw(t, "rows")
		body, err := json.Marshal(map[string]any{"value": rows, "@odata.nextLink": "l"})
		if err != nil {
			t.Fatal(err)
		}
		got, next, err := decodePage(string(body), newInterner(), decodeDetection)
		if err != nil || next != "l" || len(got) != len(rows) {
			t.Fatalf("%d rows, next %q, error %v", len(got), next, err)
		}
		for i, row := range rows {
			text := func(name string) string { s, _ := row[name].(string); return s }
			d := got[i]
			read := map[string]string{"id": d.ID, "activity": d.Activity, "activityDateTime": string(d.ActivityDateTime), "additionalInfo": d.AdditionalInfo,
				"correlationId": d.CorrelationID, "riskLevel": string(d.RiskLevel), "riskState": string(d.RiskState), "userDisplayName": d.UserDisplayName,
				"lastUpdatedDateTime": string(d.LastUpdatedDateTime), "servicePrincipalId": string(d.ServicePrincipalID)}
			for name, value := range read {
				want := text(name)
				if name == "servicePrincipalId" {
					want = string(entra.NewID(want))
				}
				if value != want {
					t.Fatalf("row %d: %s is %q, want %q", i, name, value, want)
				}
			}
			var raw map[string]any
			if err := json.Unmarshal([]byte(d.Raw), &raw); err != nil || !cmp.Equal(raw, map[string]any(row)) {
				t.Fatalf("row %d: raw %s, %v", i, d.Raw, err)
			}
		}
	})
}

// Values that are the same in every row share one copy, apart from the page.
func TestWordsAreInterned(t *testing.T) {
	in := newInterner()
	page := []byte(`{"value":[{"id":"1","riskLevel":"low"},{"id":"2","riskLevel":"low"}]}`)
	allocs := testing.AllocsPerRun(10, func() {
		if in.get("low") != "low" || in.get("medium") != "medium" {
			t.Error("interned wrong")
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations for known words", allocs)
	}
	if _, _, err := decodePage(string(page), in, decodeDetection); err != nil {
		t.Fatal(err)
	}
	for i := range 10000 {
		in.get(fmt.Sprint("hostile", i))
	}
	if len(in.m) > 4096 {
		t.Errorf("%d words kept", len(in.m))
	}
}

func FuzzPage(f *testing.F) {
	f.Add([]byte(`{"value":[` + liveDetection + `]}`))
	f.Add([]byte(list("http://127.0.0.1/v1.0/x", `{"id":"1","keyIds":["a"],"activity":{"detail":null}}`)))
	f.Add([]byte(`{"value":[{"id":"\ud800"}]} `))
	f.Add([]byte(`{"value":[{"location":{"geoCoordinates":{"latitude":1e999}}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		check := func(err error, n int) {
			if err != nil && (!errors.Is(err, entra.ErrMalformed) || n != 0 || len(err.Error()) > 2000) {
				t.Errorf("%d rows, error %v", n, err)
			}
			if err == nil && !json.Valid(body) {
				t.Errorf("read %q without an error", body)
			}
		}
		detections, _, err := decodePage(string(body), newInterner(), decodeDetection)
		check(err, len(detections))
		for _, d := range detections {
			if !json.Valid([]byte(d.Raw)) {
				t.Errorf("raw %q", d.Raw)
			}
		}
		users, _, err := decodePage(string(body), newInterner(), decodeRiskyUser)
		check(err, len(users))
		items, _, err := decodePage(string(body), newInterner(), decodeHistoryItem)
		check(err, len(items))
		sps, _, err := decodePage(string(body), newInterner(), decodeRiskyServicePrincipal)
		check(err, len(sps))
		docs, _, err := decodePage(string(body), newInterner(), decodeDocument)
		check(err, len(docs))
		dirs, _, err := decodePage(string(body), newInterner(), decodeJSON[directoryItem])
		check(err, len(dirs))
	})
}
