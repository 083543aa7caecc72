// Package impact says what enabling policies would do to people, from the sign-in
// log: for a live report-only policy by what the service itself noted beside each
// sign-in, for a draft or a changed one by judging each logged sign-in anew.
//
// It is pure, takes rows one by one in the order of the log, newest first, and
// keeps no row: what it holds grows with the users, applications and policies of
// a tenant, not with its sign-ins.
//
// It is evidence of interactive sign-ins alone; others the log does not show. What
// the log does not say of a sign-in is counted as unknown, never as harmless.
package impact

import (
	"hash/maphash"
	"time"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
)

// Note stands beside every result.
const Note = "interactive sign-ins only: others are not in the log that is read"

// Policy is one policy to be judged.
type Policy struct {
	Key, DisplayName, State string
	ID                      entra.ID
	// Place is its place in the set, for a replay; below 0 the log's own results
	// are counted.
	Place int
	// Since is from when on sign-ins count: the policy's last change. Zero: all.
	Since time.Time
	// Silent says why the log does not show what the policy would do.
	Silent string
}

// Silent says why the log does not show what a policy would do, counted by the
// log's own results or replayed; empty if it does.
func Silent(d entra.Document, replayed bool) string {
	what := policy.NotInSignInLog(d)
	if what == "" && replayed && policy.ForContexts(d) {
		what = "authentication contexts, which the log does not name"
	}
	if what == "" {
		return ""
	}
	return "the sign-in log does not show what it would do: it is for " + what
}

// By names the two ways.
const (
	ByLog    = "log"
	ByReplay = "replay"
)

// Options say what is to be judged.
type Options struct {
	Window   entra.LogWindow
	TenantID entra.ID
	Set      *access.Set // nil if nothing is replayed
	// People gives a user, nil for one that the directory does not have.
	People   func(entra.ID) *access.User
	Policies []Policy
}

// Impact takes rows in.
type Impact struct {
	window   entra.LogWindow
	tenant   entra.ID
	set      *access.Set
	people   func(entra.ID) *access.User
	policies []*tally
	byID     map[entra.ID]int // of those counted by the log
	byPlace  []int            // place in the set -> policy, -1
	replay   *access.Replay
	filtered bool // a policy asks for properties of devices

	in access.SignIn
	// What texts of the log come to, each sort for itself.
	platforms, clients map[string]string
	users              map[entra.ID]*access.User
	apps               map[entra.ID]*access.App

	signIns, rows int
	hidden        int // rows without results of policies
	early         int // sign-ins that ended before any policy was asked
	open          map[uint64]*pending
	queue         []*pending // in the order in which they came
	free          []*pending
	seed          maphash.Seed
	numbers       map[entra.ID]int // users
	names         []string
	observe       func(*pending) // for tests
}

// New begins to take rows.
func New(o Options) *Impact {
	i := &Impact{window: o.Window, tenant: o.TenantID, set: o.Set, people: o.People, byID: map[entra.ID]int{}, platforms: map[string]string{}, clients: map[string]string{},
		users: map[entra.ID]*access.User{}, apps: map[entra.ID]*access.App{}, open: map[uint64]*pending{}, seed: maphash.MakeSeed(), numbers: map[entra.ID]int{}}
	if i.people == nil {
		i.people = func(entra.ID) *access.User { return nil }
	}
	for n, p := range o.Policies {
		i.policies = append(i.policies, newTally(p))
		if p.Place < 0 {
			i.byID[p.ID] = n
			continue
		}
		if i.replay == nil {
			i.replay = o.Set.Replay()
			i.byPlace = make([]int, o.Set.Len())
			for at := range i.byPlace {
				i.byPlace[at] = -1
			}
		}
		i.byPlace[p.Place] = n
		i.filtered = i.filtered || o.Set.FiltersDevices()
	}
	return i
}

// pending is a sign-in of which more rows may come.
type pending struct {
	correlation uint64
	at          time.Time
	user        int
	app, client string
	country     string
	verdicts    []verdict
	applies     []bool // of which policies it is known that they apply
	early       bool
	why         map[int]string // of those that are unknown
}

// together is within what time the rows of one sign-in lie.
const together = time.Hour

// Add takes a row; it is not kept.
func (i *Impact) Add(row *entra.SignIn) {
	at, ok := row.CreatedDateTime.Time()
	if !ok {
		return
	}
	i.rows++
	i.settle(at.Add(together))
	key := maphash.String(i.seed, row.CorrelationID)
	if row.CorrelationID == "" {
		key = maphash.String(i.seed, row.ID)
	}
	p := i.open[key]
	if p == nil {
		p = i.begin(key, at, row)
	}
	if beforePolicies[row.ErrorCode] {
		return
	}
	p.early = false
	if len(i.byID) > 0 {
		if !row.PoliciesShown {
			i.hidden++
		}
		for n := range row.Policies {
			a := row.Policies[n]
			if t, ok := i.byID[a.ID]; ok && !at.Before(i.policies[t].Since) {
				v := logged[a.Result]
				p.note(t, v)
				p.applies[t] = p.applies[t] || v >= satisfied
			}
		}
	}
	if i.replay != nil {
		i.judge(p, at, row)
	}
}

func (p *pending) note(n int, v verdict) { p.verdicts[n] = max(p.verdicts[n], v) }

func (i *Impact) begin(key uint64, at time.Time, row *entra.SignIn) *pending {
	var p *pending
	if n := len(i.free); n > 0 {
		p, i.free = i.free[n-1], i.free[:n-1]
		clear(p.verdicts)
		clear(p.applies)
		p.why = nil
	} else {
		p = &pending{verdicts: make([]verdict, len(i.policies)), applies: make([]bool, len(i.policies))}
	}
	p.correlation, p.at, p.early, p.user = key, at, true, i.number(row)
	p.app, p.client, p.country = row.AppDisplayName, row.ClientApp, row.CountryOrRegion
	i.open[key] = p
	i.queue = append(i.queue, p)
	return p
}

// number gives a user a number.
func (i *Impact) number(row *entra.SignIn) int {
	if n, ok := i.numbers[row.UserID]; ok {
		return n
	}
	n := len(i.names)
	i.numbers[clone(row.UserID)] = n
	i.names = append(i.names, clone(row.UserPrincipalName))
	return n
}

// judge replays a row.
func (i *Impact) judge(p *pending, at time.Time, row *entra.SignIn) {
	in := i.facts(row)
	e := evidenceOf(row, in.Client)
	for _, t := range i.byPlace {
		if t >= 0 && !at.Before(i.policies[t].Since) {
			p.note(t, notApplied)
		}
	}
	i.replay.Judge(in, row.Device.ID, func(place int, t access.Truth) {
		n := i.byPlace[place]
		if n < 0 || at.Before(i.policies[n].Since) {
			return
		}
		v := i.policies[n].under(i.set.Grants(place), e)
		if t == access.Unknown && v > satisfied { // if it applied, it would not matter
			v = unknown
		}
		p.note(n, v)
		p.applies[n] = p.applies[n] || t == access.Yes
		if v == unknown && p.why[n] == "" {
			if p.why == nil {
				p.why = map[int]string{}
			}
			p.why[n] = i.policies[n].reason(t, func() string { return i.set.Unknowns(*in, place) })
		}
	})
}

// settle counts the sign-ins of which no more rows come: those that are newer than
// a time.
func (i *Impact) settle(newer time.Time) {
	n := 0
	for ; n < len(i.queue) && i.queue[n].at.After(newer); n++ {
		p := i.queue[n]
		delete(i.open, p.correlation)
		i.count(p)
		i.free = append(i.free, p)
	}
	if n > 0 {
		i.queue = i.queue[:copy(i.queue, i.queue[n:])]
	}
}

func (i *Impact) count(p *pending) {
	if p.early {
		i.early++
		return
	}
	i.signIns++
	if i.observe != nil {
		i.observe(p)
	}
	for n, v := range p.verdicts {
		if v != notJudged {
			i.policies[n].count(p, v, p.applies[n], p.why[n])
		}
	}
}

func clone[S ~string](s S) S { return S(append([]byte(nil), s...)) }
