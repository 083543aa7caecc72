package report

import (
	"slices"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/triage"
)

// Evidence is what a user's open detections show: of which types they are, from
// which addresses and places they came, the newest first.
type Evidence struct {
	Types     []string `json:"types"`
	Addresses []string `json:"addresses"`
	Places    []string `json:"places"`
}

// maxEvidence bounds each list of an Evidence; detections.csv has all.
const maxEvidence = 20

// SortDetections puts the newest detection first.
func SortDetections(list []triage.Detection) {
	slices.SortStableFunc(list, func(a, b triage.Detection) int {
		at, _ := a.Detected.Time()
		bt, _ := b.Detected.Time()
		return bt.Compare(at)
	})
}

// evidenceOf sums up open detections, redacted; nil without any.
func (r Redaction) evidenceOf(open []triage.Detection) *Evidence {
	if len(open) == 0 {
		return nil
	}
	e := Evidence{Types: []string{}, Addresses: []string{}, Places: []string{}}
	add := func(list *[]string, s string) {
		if s != "" && len(*list) < maxEvidence && !slices.Contains(*list, s) {
			*list = append(*list, s)
		}
	}
	for _, d := range open {
		d = r.OpenDetection(d)
		add(&e.Types, d.EventType)
		add(&e.Addresses, d.IP)
		add(&e.Places, PlaceText(d.City, d.Country))
	}
	return &e
}

// OpenDetection redacts what an open detection says of where somebody was.
func (r Redaction) OpenDetection(d triage.Detection) triage.Detection {
	if r.Active() {
		d.IP, d.City, d.UserAgent = r.Text(d.IP), "", ""
	}
	return d
}

// Decision redacts a decision on a user of these names with these open
// detections.
func (r Redaction) Decision(d triage.Decision, open []triage.Detection, names ...string) triage.Decision {
	if !r.Active() {
		return d
	}
	hidden := make([]triage.Detection, len(open))
	for i, one := range open {
		hidden[i] = r.OpenDetection(one)
	}
	d = d.Hide(open, hidden)
	d.Reasons = r.sentences(d.Reasons, names...)
	d.Rules, d.NearMisses = slices.Clone(d.Rules), slices.Clone(d.NearMisses)
	for i := range d.Rules {
		u := &d.Rules[i]
		u.Owner, u.Reason, u.Names = r.Sentence(u.Owner, names...), r.Sentence(u.Reason, names...), r.Sentence(u.Names, names...)
	}
	for i := range d.NearMisses {
		d.NearMisses[i].Why = r.Sentence(d.NearMisses[i].Why, names...)
	}
	return d
}

// PlaceText names a place: "Kiel, DE".
func PlaceText(city, country string) string {
	switch {
	case city == "":
		return country
	case country == "":
		return city
	}
	return city + ", " + country
}

// Age is how long a user's risk is open, and whether it waits for a person
// longer than the level may.
func (s SLA) Age(d triage.Decision, level entra.RiskLevel, now time.Time) (ageHours float64, overdue bool) {
	ageHours = hours(d.OpenSince, now)
	return ageHours, d.NeedsPerson && s.overdue(level, ageHours)
}
