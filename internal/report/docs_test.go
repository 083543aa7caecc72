package report_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/triage"
)

// section gives the first column of the table below a heading of the document.
func section(t *testing.T, doc, heading string) []string {
	t.Helper()
	_, rest, ok := strings.Cut(doc, "\n"+heading+"\n")
	if !ok {
		t.Fatalf("no section %q", heading)
	}
	rest, _, _ = strings.Cut(rest, "\n#")
	var out []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| \\S").FindAllStringSubmatch(rest, -1) {
		out = append(out, m[1])
	}
	return out
}

// TestDocumentedColumns compares docs/reports.md with what is written.
func TestDocumentedColumns(t *testing.T) {
	data, err := os.ReadFile("../../docs/reports.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(data)
	for heading, want := range map[string][]string{
		"### detections.csv":        report.DetectionColumns,
		"### users.csv":             report.UserColumns,
		"### serviceprincipals.csv": report.PrincipalColumns,
		"### coverage.csv":          report.ReachColumns,
		"### policies.csv":          report.PolicyColumns,
		"### actions.csv":           report.ActionColumns,
		"### Codes of decisions":    triage.Codes(),
	} {
		if d := cmp.Diff(want, section(t, doc, heading)); d != "" {
			t.Errorf("%s: %s", heading, d)
		}
	}
	for _, link := range regexp.MustCompile(`\((schema/[^)]+)\)`).FindAllStringSubmatch(doc, -1) {
		if _, err := os.Stat("../../docs/" + link[1]); err != nil {
			t.Error(err)
		}
	}
}
