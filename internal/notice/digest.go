package notice

import (
	"fmt"
	"strings"
)

// severity puts the ends of runs in order.
var severity = map[string]int{"missed": 4, "failed": 5, "refused": 3, "partial": 2, "cancelled": 1}

// Digest is one notice of the runs over several tenants, the worst first. The
// events stand in that order; users are counted, for each tenant's report
// names them.
func Digest(events []Event) Event {
	d := Event{SchemaVersion: 1, Kind: "sweep", Status: "succeeded", Facts: []string{}, People: []Person{}}
	for _, e := range events {
		d.Tenants = append(d.Tenants, e.Tenant)
		d.Mode = e.Mode
		if e.At.After(d.At) {
			d.At = e.At
		}
		if severity[e.Status] > severity[d.Status] {
			d.Status = e.Status
		}
		var said []string
		if e.Status != "succeeded" && (len(e.Facts) == 0 || !strings.HasPrefix(e.Facts[0], e.Status+": ")) {
			said = append(said, e.Status)
		}
		if who := e.who("more "); who != "" {
			said = append(said, who)
		}
		if len(e.Facts) > 0 {
			said = append(said, e.Facts[0])
			if more := len(e.Facts) - 1; more > 0 {
				said = append(said, fmt.Sprintf("and %d more", more))
			}
		}
		if len(e.Groups) > 0 {
			said = append(said, e.Groups[0])
		}
		d.Facts = append(d.Facts, e.Tenant+": "+strings.Join(said, "; "))
	}
	d.Tenant = fmt.Sprintf("%d tenants", len(events))
	return d
}
