package report_test

import (
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/report"
)

// The service may send the same id in another case than the day before: it is the
// same user, in a comparison and on the page.
func TestIDsOfStoredUsersAreFolded(t *testing.T) {
	const upper = `{"id":"0A1B2C3D-0000-4000-8000-00000000ABCD","riskState":"atRisk","riskLevel":"low","decision":null}` + "\n"
	d, err := report.Compare(report.Side{Run: "r1", Users: strings.NewReader(upper)}, report.Side{Run: "r2", Users: strings.NewReader(strings.ToLower(upper[:50]) + upper[50:])})
	if err != nil || len(d.New)+len(d.Gone) > 0 {
		t.Errorf("%+v, %v", d, err)
	}
	for one, err := range report.Decisions(strings.NewReader(upper), time.Now()) {
		if err != nil || one.ID != "0a1b2c3d-0000-4000-8000-00000000abcd" {
			t.Errorf("%q, %v", one.ID, err)
		}
	}
}

// A report that ends too early is an error: what is missing was not nothing.
func TestAReportThatIsCutShort(t *testing.T) {
	for text, whole := range map[string]bool{
		`{"run":"r","outcomes":[]}`: true, `{"run":"r"}`: true, `{"run":"r","decisions":[`: true, `{"outcomes":[],"settled":[],"x`: true,
		`{"run":"r",`: false, `{"run":"r"`: false, `{`: false, `{"outcomes":[],`: false, `{"outcomes":[`: false, ``: false, `[]`: false,
	} {
		var outcomes, settled []any
		err := report.ReadMembers(strings.NewReader(text), map[string]any{"outcomes": &outcomes, "settled": &settled})
		if (err == nil) != whole {
			t.Errorf("%s: %v", text, err)
		}
	}
}
