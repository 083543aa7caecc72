package odata

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAppendRow(t *testing.T) {
	t.Parallel()
	full := thing()
	full["location"] = Object(func(string) Value { return Value{} })
	for _, tt := range []struct {
		name, raw string
		row       row
		unknown   bool
		want      string
	}{
		{
			"all", "", full, false,
			`{"id":"A1","displayName":"Ada O'Brien","riskLevel":"medium","riskDetail":"unknownFutureValue","createdDateTime":"2026-11-01T12:30:15.1234567Z","isDeleted":false,"size":7,"weight":1.5,"appRoleId":"0123abcd-0000-4000-8000-00000000000f","secret":null,"tags":["Unified","blue"],"location":{"city":"Köln","countryOrRegion":"DE"},"plans":[{"name":"AAD_PREMIUM","on":true,"tags":["x"]},{"name":"INTUNE","on":false,"tags":[]}]}`,
		},
		{"unknown members asked for", "$select=riskDetail", full, true, `{"riskDetail":"m365DAdminDismissedDetection"}`},
		{"a part of a complex member", "$select=location/countryOrRegion,ID", full, false, `{"id":"A1","location":{"countryOrRegion":"DE"}}`},
		{"nulls", "$select=id,location,tags,size", row{}, false, `{"id":null,"size":null,"tags":null,"location":null}`},
		{"text that needs care", "$select=id", row{"id": Text("<a href=\"x\">\n\u2028\\é")}, false, `{"id":"<a href=\"x\">\n` + "\u2028" + `\\é"}`},
		{"trimmed times", "$select=createdDateTime", row{"createdDateTime": Time(time.Date(2026, 1, 2, 3, 4, 5, 120_000_000, time.UTC))}, false, `{"createdDateTime":"2026-01-02T03:04:05.12Z"}`},
	} {
		o, err := things.Parse(query(t, tt.raw), false)
		if err != nil {
			t.Fatal(err)
		}
		got := string(things.AppendRow(nil, tt.row.get, o, tt.unknown))
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if !json.Valid([]byte(got)) {
			t.Errorf("%s: not JSON: %s", tt.name, got)
		}
	}
}

func TestTicks(t *testing.T) {
	t.Parallel()
	// graph-api §1.5
	const ticks = 637623861161706539
	if got := FormatTicks(ticks); got != "2021-07-20T13:55:16.1706539Z" {
		t.Errorf("%d is %s", int64(ticks), got)
	}
	if got := Ticks(FromTicks(ticks)); got != ticks {
		t.Errorf("ticks %d", got)
	}
}
