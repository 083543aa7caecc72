package risk

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/graphsim/odata"
)

const (
	day = 24 * time.Hour
	// span is how far back generated detections go.
	span = 80 * day
	// spanP1 fits what a P1 licence still shows (graph-api §7).
	spanP1 = 28 * day
)

// generator invents the history of a tenant's risk.
type generator struct {
	w     *Workload
	rng   *rand.Rand
	now   int64
	span  time.Duration
	left  int
	admin string

	drafts []detection
	// closings are the times at which a subject's risk will be ended.
	closings map[int32][]int64
	assigned map[int]bool
	weights  []int
}

func ticks(d time.Duration) int64 { return int64(d / 100) }

func (g *generator) duration(from, to time.Duration) int64 {
	if to <= from {
		return ticks(from)
	}
	return ticks(from) + g.rng.Int64N(ticks(to-from))
}

// ago is a time between two ages.
func (g *generator) ago(from, to time.Duration) int64 {
	return g.now - g.duration(from, min(to, g.span))
}

func pick[T any](g *generator, from []T) T { return from[g.rng.IntN(len(from))] }

// weighted draws an index by weight.
func (g *generator) weighted(weights []int) int {
	total := 0
	for _, w := range weights {
		total += w
	}
	n := g.rng.IntN(total)
	for i, w := range weights {
		if n -= w; n < 0 {
			return i
		}
	}
	return len(weights) - 1
}

// fill generates exactly n user detections and, if there are any, the risk of
// a few service principals.
func (w *Workload) fill(n int) {
	if n <= 0 || len(w.people) == 0 {
		return
	}
	g := &generator{
		w: w, rng: rand.New(rand.NewPCG(w.opt.Seed, 0x7269736b)), //nolint:gosec // a simulation
		now: odata.Ticks(w.opt.Born), span: span, left: n, closings: map[int32][]int64{}, assigned: map[int]bool{},
		drafts: make([]detection, 0, n),
	}
	if w.opt.License != "P2" {
		g.span = spanP1
	}
	for _, t := range userEvents {
		g.weights = append(g.weights, t.weight)
	}
	g.admin = w.admin
	if g.admin == "" {
		g.admin = guid(g.rng.Uint64(), g.rng.Uint64())
	}
	g.cast()
	g.crowd()
	g.replay(w.users)
	g.principals()
}

// subjectOf is the register's index of a person, who becomes a subject.
func (g *generator) subjectOf(person int) int32 {
	p := &g.w.people[person]
	if i, ok := g.w.users.byID[strings.ToLower(p.id)]; ok {
		return i
	}
	return g.w.users.add(p.subject())
}

func (g *generator) draft(d detection) {
	g.drafts = append(g.drafts, d)
	g.left--
}

// detection is one of a type and level, found at a time, without a place.
func (g *generator) detection(r *register, event uint16, level uint8, at int64) detection {
	t := &r.words.types[event]
	d := detection{
		event: event, level: level, state: stateAtRisk, detail: detailNone,
		detectedAt: at, activityAt: at, updatedAt: min(at+g.duration(time.Second, 4*time.Minute), g.now),
		timing: t.timings[0], kind: activitySignin,
	}
	if len(t.timings) > 1 && g.rng.IntN(3) == 0 {
		d.timing = t.timings[1]
	}
	switch {
	case r.principals:
		d.kind = activityPrincipal
	case t.user:
		d.kind = activityUser
	}
	if d.timing == timingOffline {
		// Most are found within two days, some late ones after weeks.
		late := g.duration(20*time.Minute, 2*day)
		if g.rng.IntN(8) == 0 {
			late = g.duration(4*day, 25*day)
		}
		d.activityAt = max(at-late, g.now-ticks(g.span))
	} else {
		d.activityAt = max(at-g.duration(time.Second, 6*time.Minute), g.now-ticks(g.span))
	}
	if !r.principals && g.rng.IntN(25) == 0 {
		d.issuer = 1 // a federated sign-in
	}
	return d
}

// locate gives a detection of a sign-in its address and place: the VPN's, or
// one elsewhere, sometimes the subject's home.
func (g *generator) locate(d *detection, home uint16, vpn bool) {
	if d.kind == activityUser {
		return
	}
	if vpn {
		d.place = vpnPlace
		d.address = netip.AddrFrom4([4]byte{203, 0, 113, byte(1 + g.rng.IntN(254))}).As16()
		return
	}
	d.place = home
	if home == vpnPlace || g.rng.IntN(5) > 0 {
		d.place = uint16(1 + g.rng.IntN(len(places)-1)) //nolint:gosec // a short table
	}
	d.address = g.address(d.place)
}

// address is one of the ranges kept for documentation and benchmarks, so that
// it belongs to nobody; each place has its own.
func (g *generator) address(place uint16) [16]byte {
	host := byte(1 + g.rng.IntN(254))
	switch n := g.rng.IntN(100); {
	case n < 15:
		a := [16]byte{0x20, 0x01, 0x0d, 0xb8, byte(place), byte(g.rng.IntN(256)), byte(g.rng.IntN(256)), byte(g.rng.IntN(256))}
		for i := 8; i < 16; i++ {
			a[i] = byte(g.rng.IntN(256))
		}
		return a
	case n < 20:
		return netip.AddrFrom4([4]byte{192, 0, 2, host}).As16()
	case n < 25:
		return netip.AddrFrom4([4]byte{198, 51, 100, host}).As16()
	}
	return netip.AddrFrom4([4]byte{198, byte(18 + g.rng.IntN(2)), byte(place)*5 + byte(g.rng.IntN(5)), host}).As16()
}

// crowd gives what is left to everybody else: most of it closed by now, as in
// a tenant that is looked after.
func (g *generator) crowd() {
	if g.left == 0 {
		return
	}
	w := g.w
	var pool []int
	for _, fits := range []func(int, *person) bool{
		func(i int, p *person) bool {
			return !p.guest && !p.deleted && !p.vpn && !p.special && !p.executive && !g.assigned[i] && !strings.EqualFold(p.upn, "ada@contoso.com")
		},
		func(i int, p *person) bool { return !p.guest && !p.deleted && !g.assigned[i] },
		func(_ int, p *person) bool { return !p.guest && !p.deleted },
		func(_ int, p *person) bool { return !p.deleted },
		func(int, *person) bool { return true },
	} {
		for i := range w.people {
			if fits(i, &w.people[i]) {
				pool = append(pool, i)
			}
		}
		if len(pool) > 0 {
			break
		}
	}
	g.rng.Shuffle(len(pool), func(i, j int) { pool[i], pool[j] = pool[j], pool[i] })
	pool = pool[:min(len(pool), max(1, g.left/4))]
	for g.left > 0 {
		// Some people attract more than others.
		person := pool[min(g.rng.IntN(len(pool)), g.rng.IntN(len(pool)))]
		event := uint16(g.weighted(g.weights)) //nolint:gosec // a short table
		level := uint8(g.weighted(userEvents[event].levels[:]))
		d := g.detection(w.users, event, level, g.ago(10*time.Minute, g.span))
		d.subject = g.subjectOf(person)
		g.locate(&d, w.people[person].home, false)
		if w.people[person].vpn {
			g.locate(&d, w.people[person].home, g.rng.IntN(2) == 0)
		}
		g.draft(d)
	}
	g.close(pool)
}

// close decides when the crowd's risk was ended.
func (g *generator) close(pool []int) {
	times := map[int32][]int64{}
	members := map[int32]bool{}
	for _, i := range pool {
		if s, ok := g.w.users.byID[strings.ToLower(g.w.people[i].id)]; ok && !g.assigned[i] {
			members[s] = true
		}
	}
	for _, d := range g.drafts {
		if members[d.subject] {
			times[d.subject] = append(times[d.subject], d.detectedAt)
		}
	}
	for s := range int32(len(g.w.users.subjects)) { //nolint:gosec // users of one tenant
		found := times[s]
		slices.Sort(found)
		for i, at := range found {
			until, chance := g.now, 62
			if i+1 < len(found) {
				until, chance = found[i+1], 50
			}
			if g.rng.IntN(100) < chance && until-at > ticks(2*time.Minute) {
				g.closings[s] = append(g.closings[s], at+ticks(time.Minute)+g.rng.Int64N(until-at-ticks(time.Minute)))
			}
		}
	}
}

// replay lets everything happen in its order, so that levels, states and
// history agree with each other.
func (g *generator) replay(r *register) {
	slices.SortStableFunc(g.drafts, func(a, b detection) int { return cmp.Compare(a.detectedAt, b.detectedAt) })
	r.detections = make([]detection, 0, len(g.drafts))
	sizes := make([]int32, len(r.subjects))
	for _, d := range g.drafts {
		sizes[d.subject]++
	}
	for i := range r.subjects {
		r.subjects[i].detections = make([]int32, 0, sizes[i])
		slices.Sort(g.closings[int32(i)]) //nolint:gosec // users of one tenant
	}
	until := func(s int32, at int64) {
		due := g.closings[s]
		for len(due) > 0 && due[0] <= at {
			g.end(r, s, due[0])
			due = due[1:]
		}
		g.closings[s] = due
	}
	for _, d := range g.drafts {
		if len(g.closings) > 0 && len(g.closings[d.subject]) > 0 {
			until(d.subject, d.detectedAt)
		}
		s := &r.subjects[d.subject]
		d.detectedAt = s.stamp(d.detectedAt)
		d.updatedAt = max(d.updatedAt, d.detectedAt)
		r.detect(d)
	}
	for i := range r.subjects {
		until(int32(i), g.now) //nolint:gosec // users of one tenant
	}
	g.drafts, g.closings = nil, map[int32][]int64{}
}

// end closes a subject's risk in one of the ways it is closed in practice.
func (g *generator) end(r *register, i int32, at int64) {
	s := &r.subjects[i]
	if s.state != stateAtRisk {
		return
	}
	if r.principals {
		r.dismiss(s, int32(len(r.detections)), s.stamp(at), g.admin) //nolint:gosec // detections of one tenant
		return
	}
	account := slices.ContainsFunc(s.detections, func(i int32) bool {
		d := &r.detections[i]
		return open(d.state) && r.words.types[d.event].user
	})
	weights := []int{55, 12, 12, 3, 3, 15, 10, 2}
	if account {
		weights[0] = 0
	}
	at = s.stamp(at)
	switch g.weighted(weights) {
	case 0:
		r.remedy(s, at, detailMFA)
	case 1:
		r.remedy(s, at, detailPasswordReset)
	case 2:
		r.remedy(s, at, detailPasswordChange)
	case 3:
		r.remedy(s, at, detailTemporaryPassword)
	case 4:
		r.remedy(s, at, detailPasswordOnPremises)
	case 5:
		r.dismiss(s, int32(len(r.detections)), at, g.admin) //nolint:gosec // detections of one tenant
	case 6:
		r.remedy(s, at, detailAISafe)
	default:
		r.remedy(s, at, detailDefenderDismissed)
	}
}

// principals gives a few workload identities their risk.
func (g *generator) principals() {
	r := g.w.principals
	for n, p := range g.w.workloads[:g.w.atFirst] {
		s := r.add(p)
		events := []string{"suspiciousSignins", "suspiciousSignins"}
		level := levelMedium
		if n == 1 {
			events, level = []string{"leakedCredentials", "anomalousServicePrincipalActivity"}, levelHigh
		}
		for _, name := range events {
			event, _ := r.words.intern(name)
			d := g.detection(r, event, level, g.ago(time.Hour, 25*day))
			d.subject = s
			if !r.words.types[event].user {
				d.place = uint16(1 + g.rng.IntN(len(places)-1)) //nolint:gosec // a short table
				d.address = g.address(d.place)
			}
			g.drafts = append(g.drafts, d)
		}
		if n == 2 {
			g.closings[s] = []int64{g.now - ticks(10*time.Minute)}
		}
	}
	g.replay(r)
}
