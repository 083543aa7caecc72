package report

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/triage"
)

// seen is one open detection, so many minutes after at.
func seen(kind, ip string, minutes int) triage.Detection {
	return triage.Detection{ID: fmt.Sprint(kind, ip, minutes), EventType: kind, IP: ip, Detected: entra.NewDateTime(at.Add(time.Duration(minutes) * time.Minute))}
}

func TestCampaigns(t *testing.T) {
	day := 24 * 60
	for name, c := range map[string]struct {
		users [][]triage.Detection
		want  []string
	}{
		"nobody":              {nil, nil},
		"one user twice":      {[][]triage.Detection{{seen("a", "198.51.100.7", 0), seen("a", "198.51.100.7", 5)}}, nil},
		"an address":          {[][]triage.Detection{{seen("spray", "198.51.100.7", 0)}, {seen("spray", "198.51.100.7", 60)}}, []string{"spray from 198.51.100.7 at 2 users since 2026-11-24 02:00 UTC"}},
		"two types":           {[][]triage.Detection{{seen("a", "198.51.100.7", 0)}, {seen("b", "198.51.100.7", 60)}}, []string{"2 types of detection from 198.51.100.7 at 2 users since 2026-11-24 02:00 UTC"}},
		"the same in another": {[][]triage.Detection{{seen("spray", "198.51.100.7", 0)}, {seen("spray", "::ffff:198.51.100.7", 60)}}, []string{"spray from 198.51.100.7 at 2 users since 2026-11-24 02:00 UTC"}},
		"far apart":           {[][]triage.Detection{{seen("a", "198.51.100.7", 0)}, {seen("a", "198.51.100.7", 2*day)}}, nil},
		"a network": {[][]triage.Detection{{seen("a", "198.51.100.1", 0)}, {seen("a", "198.51.100.2", 1)}, {seen("a", "198.51.100.3", 2)}},
			[]string{"a from 3 addresses of 198.51.100.0/24 at 3 users since 2026-11-24 02:00 UTC"}},
		"a network of IPv6": {[][]triage.Detection{{seen("a", "2001:db8:1:1::1", 0)}, {seen("a", "2001:db8:1:2::1", 1)}, {seen("a", "2001:db8:1:3::1", 2)}},
			[]string{"a from 3 addresses of 2001:db8:1::/48 at 3 users since 2026-11-24 02:00 UTC"}},
		"an address says it all": {[][]triage.Detection{{seen("a", "198.51.100.1", 0)}, {seen("a", "198.51.100.1", 1)}, {seen("a", "198.51.100.1", 2)}, {seen("a", "198.51.100.1", 3)}, {seen("a", "198.51.100.1", 4)}},
			[]string{"a from 198.51.100.1 at 5 users since 2026-11-24 02:00 UTC"}},
		"a type": {[][]triage.Detection{{seen("a", "192.0.2.1", 0)}, {seen("a", "198.51.100.1", 1)}, {seen("a", "", 2)}, {seen("a", "odd", 3)}, {seen("a", "203.0.113.1", 4)}},
			[]string{"a from 3 addresses at 5 users since 2026-11-24 02:00 UTC"}},
		"times unknown": {[][]triage.Detection{{{EventType: "a", IP: "198.51.100.7"}}, {{EventType: "a", IP: "198.51.100.7"}}}, []string{"a from 198.51.100.7 at 2 users"}},
	} {
		g := NewCampaigns(Redaction{})
		for i, list := range c.users {
			g.Add(fmt.Sprint("u", i), fmt.Sprintf("user%d@contoso.com", i), list, nil)
		}
		var got []string
		for i, one := range g.Find() {
			got = append(got, one.Summary)
			if one.ID != fmt.Sprint("c", i+1) || one.Total != len(one.Users) {
				t.Errorf("%s: %+v", name, one)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

func TestCampaignsAreRedactedAndBounded(t *testing.T) {
	for _, mode := range []string{"hash", "drop"} {
		g := NewCampaigns(NewRedaction(mode, []byte("key")))
		for i := range maxWaiting + 5 {
			g.Add(fmt.Sprint("u", i), "ada@contoso.com", []triage.Detection{seen("a", "198.51.100.7", i), seen("a", "198.51.100.8", i)}, nil)
		}
		found := g.Find()
		if len(found) != 2 || found[0].Total != maxWaiting+5 || len(found[0].Users) != maxWaiting {
			t.Fatalf("%s: %d groups", mode, len(found))
		}
		for _, c := range found {
			if text := string(marshalled(t, c)); strings.Contains(text, "198.51") || strings.Contains(text, "ada@") {
				t.Errorf("%s: %.200s", mode, text)
			}
		}
	}
}

func TestCampaignsSayWhomTheyMissed(t *testing.T) {
	g := NewCampaigns(Redaction{})
	many := make([]triage.Detection, maxSightings)
	for i, want := range []string{"", "campaigns are looked for among 200000 open detections; those of 1 user more are left out"} {
		if g.Add(fmt.Sprint("u", i), "ada@contoso.com", many, nil); g.Missed() != want {
			t.Errorf("%d: %q", i, g.Missed())
		}
	}
}

// One entry of the allowlist that nearly covers several users is one cause, and
// so is one correlation id.
func TestCampaignsOfNearMissesAndCorrelations(t *testing.T) {
	near := func(list ...triage.Detection) []triage.NearMiss {
		n := triage.NearMiss{Entry: "corp-vpn", Why: "w"}
		for _, d := range list {
			n.Detections = append(n.Detections, d.ID)
		}
		return []triage.NearMiss{n}
	}
	g := NewCampaigns(Redaction{})
	a, b, c := seen("a", "203.0.113.7", 0), seen("b", "198.51.100.9", 9*24*60), seen("c", "192.0.2.1", 0)
	g.Add("u1", "ada", []triage.Detection{a}, near(a))
	g.Add("u2", "bob", []triage.Detection{b}, near(b))
	g.Add("u3", "eve", []triage.Detection{c}, nil)
	d, e := seen("a", "192.0.2.77", 5), seen("a", "", 6)
	d.CorrelationID, e.CorrelationID = "0F0F0F0F-0000-4000-8000-000000000001", "0f0f0f0f-0000-4000-8000-000000000001"
	g.Add("u4", "dan", []triage.Detection{d}, nil)
	g.Add("u5", "kim", []triage.Detection{e}, nil)
	var got []string
	for _, one := range g.Find() {
		got = append(got, one.Kind+" "+one.Of+": "+one.Summary)
	}
	want := []string{"nearMiss corp-vpn: nearly covered by the allowlist entry corp-vpn: 2 types of detection at 2 users since 2026-11-24 02:00 UTC",
		"correlation 0f0f0f0f-0000-4000-8000-000000000001: a in sign-ins with the correlation id 0f0f0f0f-0000-4000-8000-000000000001 at 2 users since 2026-11-24 02:05 UTC"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Who holds a directory role stands first among those of one level.
func TestPrivilegedUsersStandFirstInTheirLevel(t *testing.T) {
	var got []string
	for _, w := range MostUrgent([]Waiting{{ID: "old", RiskLevel: "high", AgeHours: 9}, {ID: "admin", RiskLevel: "high", Privileged: true}, {ID: "late", RiskLevel: "low", Overdue: true}, {ID: "low", RiskLevel: "low", Privileged: true}}) {
		got = append(got, w.ID)
	}
	if diff := cmp.Diff([]string{"admin", "old", "late", "low"}, got); diff != "" {
		t.Error(diff)
	}
}
