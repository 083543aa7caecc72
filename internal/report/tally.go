package report

import (
	"cmp"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/triage"
)

// Tally counts what a run reads, for the breakdown in report.json and the
// charts of report.html. Its size does not grow with the tenant: what is beyond
// its bounds is counted as OtherKey.
type Tally struct {
	// ByType, ByDay (of detection, UTC) and ByCountry count detections.
	ByType    map[string]Split `json:"byType"`
	ByDay     map[string]Split `json:"byDay"`
	ByCountry map[string]Split `json:"byCountry"`
	// ByCode counts decisions by their code.
	ByCode map[string]int `json:"byCode"`
}

// Split is a number of detections and how many of them are open.
type Split struct {
	All  int `json:"all"`
	Open int `json:"open"`
}

// OtherKey counts what no key of its own is kept for; UnknownKey what Graph
// left empty.
const (
	OtherKey   = "(other)"
	UnknownKey = "(unknown)"
)

// The bounds of a tally's maps.
const (
	maxTypes     = 100
	maxDays      = 400
	maxCountries = 300
)

// NewTally begins a tally.
func NewTally() *Tally {
	return &Tally{ByType: map[string]Split{}, ByDay: map[string]Split{}, ByCountry: map[string]Split{}, ByCode: map[string]int{}}
}

// Add counts one detection.
func (t *Tally) Add(d *entra.Detection) {
	open := d.RiskState.Open()
	count(t.ByType, maxTypes, d.RiskEventType, open)
	day := ""
	if at, ok := d.DetectedDateTime.Time(); ok {
		if day = string(d.DetectedDateTime); strings.HasSuffix(day, "Z") {
			day = day[:len("2006-01-02")]
		} else {
			day = at.UTC().Format("2006-01-02")
		}
	}
	count(t.ByDay, maxDays, day, open)
	count(t.ByCountry, maxCountries, d.Location.CountryOrRegion, open)
}

// Decide counts one decision.
func (t *Tally) Decide(d triage.Decision) { t.ByCode[d.Code]++ }

func count(m map[string]Split, bound int, k string, open bool) {
	if k == "" {
		k = UnknownKey
	}
	s, known := m[k]
	if !known {
		if len(m) >= bound {
			k = OtherKey
			s = m[k]
		} else if len(k) > maxKey {
			k = strings.Clone(k[:maxKey]) // no name of the service is as long
			s = m[k]
		} else {
			k = strings.Clone(k) // not a part of the page that was read
		}
	}
	s.All++
	if open {
		s.Open++
	}
	m[k] = s
}

// maxKey bounds a key that the service makes up.
const maxKey = 200

// counted is one key of a tally with its number.
type counted struct {
	Key string
	Split
}

// most gives the keys with the largest numbers first.
func most(m map[string]Split) []counted {
	list := make([]counted, 0, len(m))
	for k, s := range m {
		list = append(list, counted{k, s})
	}
	slices.SortFunc(list, func(a, b counted) int {
		return cmp.Or(cmp.Compare(b.All, a.All), cmp.Compare(a.Key, b.Key))
	})
	return list
}
