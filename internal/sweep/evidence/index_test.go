package evidence

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/triage"
)

// guids are ids of sign-ins, also such as no service sends.
var guids = []string{"", "0f0f0f0f-0000-4000-8000-000000000001", "0F0F0F0F-0000-4000-8000-000000000001", "00000001-0000-0000-0000-000000000000",
	"00000000-0000-0000-0000-000000000000", "0f0f0f0f000040008000000000000001", "no id"}

// TestEvidenceKeepsWhatTriageNeeds compares the packed evidence with a plain
// map over random detections, some of them read twice.
func TestEvidenceKeepsWhatTriageNeeds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := NewIndex()
		type model struct {
			user entra.ID
			d    triage.Detection
			open bool
		}
		want := map[string]model{}
		n := rapid.IntRange(0, 60).Draw(t, "n")
		for range n {
			id := rapid.SampledFrom([]string{"", "ab", "abc", "AB", "00ff00ff", "x'y", "détection", fmt.Sprintf("%064x", rapid.IntRange(0, 20).Draw(t, "hex"))}).Draw(t, "id")
			when := entra.NewDateTime(time.Unix(rapid.Int64Range(1, 2e9).Draw(t, "at"), 0))
			d := entra.Detection{
				ID: id, UserID: rapid.SampledFrom([]entra.ID{"u1", "u2", "u3"}).Draw(t, "user"),
				RiskEventType:    rapid.SampledFrom([]string{"passwordSpray", "", "new"}).Draw(t, "event"),
				IPAddress:        rapid.SampledFrom([]string{"", "203.0.113.7", "2001:db8::1", "::ffff:203.0.113.7", "fe80::1%eth0", "not an address", "010.0.0.1"}).Draw(t, "ip"),
				Location:         entra.Location{CountryOrRegion: rapid.SampledFrom([]string{"", "US", "DE"}).Draw(t, "country")},
				RiskLevel:        rapid.SampledFrom([]entra.RiskLevel{"low", "high", "hidden", ""}).Draw(t, "level"),
				RiskState:        rapid.SampledFrom([]entra.RiskState{"atRisk", "dismissed", "remediated", "future"}).Draw(t, "state"),
				DetectedDateTime: when, LastUpdatedDateTime: when,
				RequestID:      rapid.SampledFrom(guids).Draw(t, "request"),
				CorrelationID:  rapid.SampledFrom(guids).Draw(t, "correlation"),
				AdditionalInfo: rapid.SampledFrom([]string{"", "odd", `[{"Key":"userAgent","Value":"Mozilla/5.0"}]`, `[{"Key":"userAgent","Value":7}]`}).Draw(t, "info"),
			}
			if was, ok := want[id]; ok {
				d.UserID = was.user // a detection never changes its user
			}
			_, known := want[id]
			if fresh := e.Add(&d); fresh == known {
				t.Fatalf("add(%q) fresh=%v, known=%v", id, fresh, known)
			}
			want[id] = model{user: d.UserID, open: d.RiskState.Open(), d: triage.Detection{ID: id, EventType: d.RiskEventType, IP: d.IPAddress,
				Country: d.Location.CountryOrRegion, Level: d.RiskLevel, State: d.RiskState, Detected: when, Updated: when,
				RequestID: d.RequestID, CorrelationID: d.CorrelationID, UserAgent: d.UserAgent()}}
		}
		for _, user := range []entra.ID{"u1", "u2", "u3", "nobody"} {
			var w []triage.Detection
			for _, m := range want {
				if m.user == user && m.open {
					w = append(w, m.d)
				}
			}
			sorted := cmpopts.SortSlices(func(a, b triage.Detection) bool { return a.ID < b.ID })
			if d := cmp.Diff(w, e.Of(user), sorted, cmpopts.EquateEmpty()); d != "" {
				t.Fatalf("open detections of %s (-want +got):\n%s", user, d)
			}
		}
		seen := 0
		for _, s := range e.seen.shard {
			seen += s.n
		}
		if seen != len(want) {
			t.Fatalf("seen %d, want %d", seen, len(want))
		}
	})
}

func BenchmarkEvidenceAdd(b *testing.B) {
	e := NewIndex()
	d := entra.Detection{RiskEventType: "anonymizedIPAddress", IPAddress: "203.0.113.7", RiskLevel: "medium",
		RiskState: "atRisk", DetectedDateTime: "2026-11-24T02:00:00Z", LastUpdatedDateTime: "2026-11-24T02:00:00Z"}
	b.ReportAllocs()
	for i := range b.N {
		d.ID = fmt.Sprintf("%064x", i)
		d.UserID = entra.NewID(fmt.Sprintf("%08x-0000-4000-8000-000000000000", i%1000))
		e.Add(&d)
	}
}
