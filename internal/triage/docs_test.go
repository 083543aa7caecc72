package triage

import (
	"os"
	"regexp"
	"testing"
	"time"
)

// The examples of docs/triage.md are rules that validate takes.
func TestDocumentedRules(t *testing.T) {
	doc, err := os.ReadFile("../../docs/triage.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$").FindAllSubmatch(doc, -1)
	if len(blocks) < 3 {
		t.Fatalf("%d examples found", len(blocks))
	}
	for i, b := range blocks {
		if _, problems := Parse("triage.yaml", b[1], time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)); len(problems) > 0 {
			t.Errorf("example %d: %v", i+1, problems)
		}
	}
}
