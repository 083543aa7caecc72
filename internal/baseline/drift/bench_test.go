package drift_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// manyRanges is a baseline with one location of as many ranges as one holds.
func manyRanges(first string) string {
	var b strings.Builder
	b.WriteString("namedLocations:\n  - key: many\n    displayName: Many\n    ipRanges:\n      - {cidrAddress: " + first + "}\n")
	for i := 1; i < baseline.MaxRanges; i++ {
		fmt.Fprintf(&b, "      - {cidrAddress: 172.%d.%d.0/24}\n", 16+i/250, i%250)
	}
	return b.String()
}

// BenchmarkLargeLocation reads and compares a location of 2,000 ranges, in sync
// and with one range changed: the second is to cost no more than three times
// the first.
func BenchmarkLargeLocation(b *testing.B) {
	for _, c := range []struct{ name, first string }{{"inSync", "172.16.0.0/24"}, {"oneChanged", "203.0.113.0/24"}} {
		b.Run(c.name, func(b *testing.B) {
			live, problems := baseline.Parse("live.yaml", []byte(manyRanges("172.16.0.0/24")))
			if err := problems.Err(); err != nil {
				b.Fatal(err)
			}
			tn := newTenant()
			id := tn.put(entra.KindLocation, "", live.Locations[0].Want.Document())
			tn.owned[entra.KindLocation] = map[string]plan.Owned{"many": {ID: entra.NewID(id)}}
			text := []byte(manyRanges(c.first))
			for b.Loop() {
				wanted, problems := baseline.Parse("wanted.yaml", text)
				if err := problems.Err(); err != nil {
					b.Fatal(err)
				}
				tn.plan(wanted, everything)
			}
		})
	}
}

// FuzzCompare: whatever loads can be compared with a tenant.
func FuzzCompare(f *testing.F) {
	for _, text := range []string{small, enforced} {
		f.Add([]byte(text))
	}
	live := newTenant().read()
	f.Fuzz(func(_ *testing.T, data []byte) {
		if b, _ := baseline.Parse("f", data); b != nil {
			drift.Compare(b, live, drift.Settings{})
		}
	})
}
