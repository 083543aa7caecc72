// Package fleet is many tenants as one picture. Each run leaves a small summary
// of its tenant in the store; whoever looks puts the summaries together, the
// worst first. No report is read for it, and two runs that end at once lose
// nothing, for each has a file of its own.
//
// It decides nothing about risk: what needs a person the runs have said.
package fleet

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// SchemaVersion is the version of fleet.json and of the summaries.
const SchemaVersion = 1

// Summary is what the last run over a tenant has found.
type Summary struct {
	SchemaVersion int       `json:"schemaVersion"`
	Tenant        string    `json:"tenant"`
	Run           string    `json:"run,omitempty"` // empty if no run came to be
	Mode          string    `json:"mode"`
	Status        string    `json:"status"`
	ExitCode      int       `json:"exitCode"`
	StartedAt     time.Time `json:"startedAt,omitzero"`
	FinishedAt    time.Time `json:"finishedAt"`
	// LastSuccess is the end of the last run that did all it should.
	LastSuccess    time.Time `json:"lastSuccess,omitzero"`
	LastSuccessRun string    `json:"lastSuccessRun,omitempty"`
	// Numbers are those of the last run that read the whole tenant; null if
	// none has.
	Numbers *Numbers `json:"numbers"`
	// Hold says that the file HOLD keeps everything from being written.
	Hold     bool      `json:"hold,omitempty"`
	Failures []Failure `json:"failures,omitempty"`
	// Campaigns are the groups of users whose risk belongs together, Addresses
	// those that open detections came from.
	Campaigns []Campaign `json:"campaigns,omitempty"`
	Addresses []Address  `json:"addresses,omitempty"`
	// Trend is the number of users with open risk in the last runs, the oldest
	// first.
	Trend []Point `json:"trend,omitempty"`

	// NotSweptSince is the last success where two runs should have succeeded since
	// then, NotConfigured that the tenant is not in the configuration of whoever
	// looks. Both are of the time of looking, and not stored with the tenant.
	NotSweptSince time.Time `json:"notSweptSince,omitzero"`
	NotConfigured bool      `json:"notConfigured,omitempty"`

	past bool // not configured, and nothing sweeps it
}

// Numbers are what one run has counted.
type Numbers struct {
	Run    string `json:"run"`
	AtRisk int    `json:"atRisk"`
	// NeedsPerson are the users whom no rule settles, BeyondSLA those of them
	// who wait too long.
	NeedsPerson int `json:"needsPerson"`
	BeyondSLA   int `json:"beyondSla"`
	// ServicePrincipals are those that no rule settles.
	ServicePrincipals int `json:"servicePrincipals,omitempty"`
	// Drift are the policies and locations that are not as the baseline says.
	Drift int `json:"drift"`
	// CoverageGaps are the users at risk whose risk no enabled policy meets; null
	// if that was not judged.
	CoverageGaps *int `json:"coverageGaps,omitempty"`
}

// Failure is why a run did not do all it should.
type Failure struct {
	// Kind is access, network, store, configuration, limits, outcomes,
	// cancelled or failed.
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// Campaign is a group of users of one tenant.
type Campaign struct {
	Kind    string `json:"kind"`
	Of      string `json:"of"`
	Users   int    `json:"users"`
	Summary string `json:"summary"`
}

// Address is where open detections of a tenant came from.
type Address struct {
	Address string `json:"address"`
	Users   int    `json:"users"`
}

// Point is the open risk at the time of one run.
type Point struct {
	At   time.Time `json:"at"`
	Open int       `json:"open"`
}

// The bounds of a summary: it stays small whatever the tenant.
const (
	maxTrend     = 30
	MaxFailures  = 5
	MaxCampaigns = 5
	MaxAddresses = 100
)

// After is the summary that follows an earlier one: a run that failed keeps
// the numbers of the last that read everything.
func (s Summary) After(before Summary) Summary {
	s.SchemaVersion = SchemaVersion
	if s.Status == "succeeded" {
		s.LastSuccess, s.LastSuccessRun = s.FinishedAt, s.Run
	} else {
		s.LastSuccess, s.LastSuccessRun = before.LastSuccess, before.LastSuccessRun
	}
	s.Trend = append(slices.Clone(before.Trend), s.Trend...)
	s.Trend = s.Trend[max(0, len(s.Trend)-maxTrend):]
	if s.Numbers == nil {
		s.Numbers = before.Numbers
		s.Campaigns, s.Addresses = before.Campaigns, before.Addresses
	}
	return s
}

// Trouble reports whether the last run did not do all it should, or may not
// write, or is too long ago.
func (s Summary) Trouble() bool {
	return !s.past && (s.Status != "succeeded" || s.Hold || len(s.Failures) > 0 || !s.NotSweptSince.IsZero())
}

// NeedsSomebody reports whether a person should look at the tenant.
func (s Summary) NeedsSomebody() bool {
	n := s.numbers()
	return s.Trouble() || !s.past && (len(s.Campaigns) > 0 || n.NeedsPerson > 0 || n.ServicePrincipals > 0 || n.Drift > 0)
}

func (s Summary) numbers() Numbers {
	if s.Numbers == nil {
		return Numbers{}
	}
	return *s.Numbers
}

// severity puts the ends of runs in order.
var severity = map[string]int{"failed": 7, "refused": 6, "partial": 4, "cancelled": 3, "succeeded": 0}

// notSwept is the place of those without a success for too long.
const notSwept = 5

func (s Summary) severity() int {
	rank, known := severity[s.Status]
	switch {
	case s.past:
		return -1
	case !known:
		return severity["failed"]
	case rank < notSwept && !s.NotSweptSince.IsZero():
		return notSwept
	case rank == 0 && (s.Hold || len(s.Failures) > 0):
		return 2
	case rank == 0 && len(s.Campaigns) > 0:
		return 1
	}
	return rank
}

// Worst orders summaries: runs that failed first, then those that were refused,
// those not swept for too long, those that ended in part, then campaigns by
// their users, then by how many wait too long, wait at all, are at risk.
func Worst(a, b Summary) int {
	m, n := a.numbers(), b.numbers()
	return cmp.Or(b.severity()-a.severity(), b.CampaignUsers()-a.CampaignUsers(), n.BeyondSLA-m.BeyondSLA, n.NeedsPerson-m.NeedsPerson, n.AtRisk-m.AtRisk, n.Drift-m.Drift,
		strings.Compare(a.Tenant, b.Tenant))
}

// What says in a few words what a person should know of a tenant first.
func (s Summary) What() string {
	what := s.what()
	if !s.NotConfigured {
		return what
	}
	return strings.TrimSuffix("no longer configured; "+what, "; ")
}

func (s Summary) what() string {
	switch {
	case len(s.Failures) > 0:
		what := s.Failures[0].Kind + ": " + s.Failures[0].Text
		if !s.NotSweptSince.IsZero() {
			what = s.unsweptText() + "; " + what
		}
		return what
	case !s.NotSweptSince.IsZero():
		return s.unsweptText()
	case s.Hold:
		return "HOLD: nothing is written"
	case len(s.Campaigns) > 0:
		return "campaign: " + s.Campaigns[0].Summary
	}
	return ""
}

// Path is where a run's report stands, from the root of the store.
func (s Summary) Path() string {
	if len(s.Run) < 8 {
		return ""
	}
	return strings.Join([]string{s.Tenant, "runs", s.Run[0:4], s.Run[4:6], s.Run[6:8], s.Run, "report.html"}, "/")
}

// Fleet is fleet.json.
type Fleet struct {
	SchemaVersion int       `json:"schemaVersion"`
	At            time.Time `json:"at"`
	Total         Total     `json:"total"`
	// Campaigns are what several tenants have in common, each named once.
	Campaigns []Common  `json:"campaigns"`
	Tenants   []Summary `json:"tenants"`
}

// Total adds the tenants up.
type Total struct {
	Tenants       int `json:"tenants"`
	Trouble       int `json:"trouble"`
	NeedsSomebody int `json:"needsSomebody"`
	AtRisk        int `json:"atRisk"`
	NeedsPerson   int `json:"needsPerson"`
	BeyondSLA     int `json:"beyondSla"`
	Drift         int `json:"drift"`
}

// Common is an address, or a type of detection in a group of users, that
// several tenants share.
type Common struct {
	Kind    string   `json:"kind"` // address or type
	Of      string   `json:"of"`
	Tenants []string `json:"tenants"`
	Users   int      `json:"users"`
}

// maxCommon bounds the list of what tenants have in common.
const maxCommon = 50

// Of puts summaries together, the worst first.
func Of(list []Summary, view View) Fleet {
	f := Fleet{SchemaVersion: SchemaVersion, At: view.At.UTC(), Tenants: slices.Clone(list), Campaigns: []Common{}}
	view.known = set(view.Tenants)
	for i := range f.Tenants {
		f.Tenants[i] = view.of(f.Tenants[i])
	}
	slices.SortFunc(f.Tenants, Worst)
	if f.Tenants == nil {
		f.Tenants = []Summary{}
	}
	common := map[[2]string]*Common{}
	see := func(kind, of, tenant string, users int) {
		key := [2]string{kind, of}
		c := common[key]
		if c == nil {
			c = &Common{Kind: kind, Of: of}
			common[key] = c
		}
		c.Users += users
		if n := len(c.Tenants); n == 0 || c.Tenants[n-1] != tenant { // one tenant after the other
			c.Tenants = append(c.Tenants, tenant)
		}
	}
	for _, s := range f.Tenants {
		n := s.numbers()
		f.Total.Tenants++
		f.Total.AtRisk += n.AtRisk
		f.Total.NeedsPerson += n.NeedsPerson
		f.Total.BeyondSLA += n.BeyondSLA
		f.Total.Drift += n.Drift
		if s.Trouble() {
			f.Total.Trouble++
		}
		if s.NeedsSomebody() {
			f.Total.NeedsSomebody++
		}
		for _, a := range s.Addresses {
			see("address", a.Address, s.Tenant, a.Users)
		}
		for _, c := range s.Campaigns {
			if c.Kind == "type" {
				see("type", c.Of, s.Tenant, c.Users)
			}
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(common), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		if c := common[key]; len(c.Tenants) > 1 && c.Of != "" {
			slices.Sort(c.Tenants)
			f.Campaigns = append(f.Campaigns, *c)
		}
	}
	slices.SortStableFunc(f.Campaigns, func(a, b Common) int { return cmp.Or(len(b.Tenants)-len(a.Tenants), b.Users-a.Users) })
	f.Campaigns = f.Campaigns[:min(len(f.Campaigns), maxCommon)]
	return f
}
