package notice_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/notice"
)

// Fifty tenants are one notice that keeps to the bounds of its receiver: the
// worst in the title and in the first line.
func TestDigest(t *testing.T) {
	events := []notice.Event{
		{Tenant: "down", Mode: "plan", Status: "failed", Facts: []string{"connection refused", "to do: run again"}},
		{Tenant: "full", Mode: "plan", Status: "refused", Facts: []string{"refused: limits.maxDismissals"}},
	}
	events = append(events, notice.Event{Tenant: "apps", Mode: "plan", Status: "succeeded", People: make([]notice.Person, 1), ServicePrincipals: 2})
	for i := range 47 {
		events = append(events, notice.Event{Tenant: fmt.Sprintf("t%02d", i), Mode: "plan", Status: "succeeded", People: make([]notice.Person, i+1), Groups: []string{"a campaign"}})
	}
	d := notice.Digest(events)
	d.Summary = "1 failed, 1 refused; 48 in order (50 tenants)"
	if d.Status != "failed" || d.Tenant != "50 tenants" || len(d.Tenants) != 50 || !d.Worth() ||
		d.Facts[0] != "down: failed; connection refused; and 1 more" || d.Facts[1] != "full: refused: limits.maxDismissals" || d.Facts[2] != "apps: one more user and 2 more service principals need a person" || d.Facts[3] != "t00: one more user needs a person; a campaign" {
		t.Errorf("%+v", d)
	}
	for _, kind := range []string{"teams", "slack", "json"} {
		body, err := d.Body(kind)
		if err != nil || len(body) > 28<<10 {
			t.Errorf("%s: %d bytes, %v", kind, len(body), err)
		}
		for _, want := range []string{"1 failed, 1 refused; 48 in order", "50 tenants", "connection refused", "limits.maxDismissals"} {
			if !strings.Contains(string(body), want) {
				t.Errorf("%s does not say %q:\n%s", kind, want, body)
			}
		}
	}
}
