package report

import (
	"bytes"
	"encoding/csv"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/triage"
)

// A file for a spreadsheet begins with a byte order mark and has no time that
// one takes for a text; a file for a program has times as Graph sent them.
func TestCSVForms(t *testing.T) {
	at := time.Date(2026, 11, 30, 3, 10, 5, 0, time.UTC)
	const sent = "2026-11-30T04:10:05.1234567+01:00"
	write := func(form CSVForm) map[string]string {
		out := map[string]*bytes.Buffer{"detections": {}, "users": {}, "actions": {}, "policies": {}}
		d, u := NewDetections(io.Discard, out["detections"], Redaction{}, form), NewUsers(io.Discard, out["users"], Redaction{}, form)
		for _, err := range []error{
			d.Write(&entra.Detection{ID: "d1", DetectedDateTime: sent, ActivityDateTime: "odd", Raw: `{}`}),
			u.Write(UserRow{User: entra.RiskyUser{ID: "u1", RiskLastUpdatedDateTime: sent, Raw: `{}`}, Decision: triage.Decision{OpenSince: at}}),
			d.Flush(), u.Flush(),
			WriteActions(out["actions"], plan.Plan{}, nil, []plan.Outcome{{At: at}}, form),
			WritePolicies(io.Discard, out["policies"], nil, form),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		texts := map[string]string{}
		for name, b := range out {
			texts[name] = b.String()
		}
		return texts
	}
	for name, c := range map[string]struct {
		form CSVForm
		want []string // detected, activity, riskLastUpdated, openSince, at
	}{
		"for programs":     {CSVForm{}, []string{sent, "odd", sent, "2026-11-30T03:10:05Z", "2026-11-30T03:10:05Z"}},
		"for spreadsheets": {CSVForm{BOM: true, Excel: true}, []string{"2026-11-30 03:10:05", "odd", "2026-11-30 03:10:05", "2026-11-30 03:10:05", "2026-11-30 03:10:05"}},
	} {
		cells := map[string]string{}
		for file, text := range write(c.form) {
			bare, marked := strings.CutPrefix(text, "\ufeff")
			if marked != c.form.BOM {
				t.Errorf("%s: %s begins with %q", name, file, text[:4])
			}
			rows, err := csv.NewReader(strings.NewReader(bare)).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			for i, head := range rows[0] {
				if len(rows) > 1 {
					cells[file+"."+head] = rows[1][i]
				}
			}
		}
		got := []string{cells["detections.detectedDateTime"], cells["detections.activityDateTime"], cells["users.riskLastUpdatedDateTime"], cells["users.openSince"], cells["actions.at"]}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}
