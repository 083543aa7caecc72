package risk

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/graphsim/odata"
)

// detection is one risk detection, kept small: a tenant may have a million.
// Texts are made when they are asked for. Times are .NET ticks.
type detection struct {
	activityAt, detectedAt, updatedAt int64
	// address is an IPv6 or IPv4-mapped one; all zero means none.
	address [16]byte
	subject int32
	event   uint16
	place   uint16
	level   uint8
	state   uint8
	detail  uint8
	timing  uint8
	kind    uint8
	issuer  uint8
	// thenLevel and thenState are the subject's after this detection, for
	// its history.
	thenLevel, thenState uint8
	// quiet detections came with an administrator's deed, which has the
	// history row.
	quiet bool
}

// deed is something that changed a subject's risk other than a detection.
type deed struct {
	at           int64
	level, state uint8
	detail       uint8
	eventTypes   []string
	by           string
	cause        uint8
}

// subject is a user or service principal that has been at risk.
type subject struct {
	id, name string
	// upn and deleted are of users; appID, principalType, disabled of service
	// principals.
	upn, appID, principalType string
	deleted, disabled         bool

	level, state, detail uint8
	updatedAt            int64
	// busy counts what is still to take effect; processing users have one.
	busy       int
	detections []int32
	deeds      []deed
}

// register holds one kind of subject and its detections, the oldest first.
type register struct {
	principals bool
	seed       uint64
	words      *vocabulary
	subjects   []subject
	byID       map[string]int32
	detections []detection
	// version changes with every change, so that cached lists are not stale.
	version uint64
	lists   listCache
}

func newRegister(seed uint64, principals bool) *register {
	r := &register{principals: principals, seed: mix(seed), byID: map[string]int32{}}
	r.words = newVocabulary(userEvents)
	if principals {
		r.seed = mix(r.seed)
		r.words = newVocabulary(principalEvents)
	}
	return r
}

func (r *register) subject(id string) *subject {
	if i, ok := r.byID[strings.ToLower(id)]; ok {
		return &r.subjects[i]
	}
	return nil
}

func (r *register) add(s subject) int32 {
	i := int32(len(r.subjects)) //nolint:gosec // users of one tenant
	r.subjects = append(r.subjects, s)
	r.byID[strings.ToLower(s.id)] = i
	r.version++
	return i
}

// firstVisible is the index of the first detection that is not past its
// retention (graph-api §7).
func (r *register) firstVisible(now time.Time, retention time.Duration) int {
	since := odata.Ticks(now.Add(-retention))
	return sort.Search(len(r.detections), func(i int) bool { return r.detections[i].detectedAt >= since })
}

// stamp is the time of a change to a subject: later than its last one, so that
// history rows have ids of their own.
func (s *subject) stamp(at int64) int64 {
	if at <= s.updatedAt {
		return s.updatedAt + 1
	}
	return at
}

// highest is the highest level of the subject's open detections, none if
// there are none.
func (r *register) highest(s *subject) uint8 {
	level := levelNone
	for _, i := range s.detections {
		if d := &r.detections[i]; open(d.state) && worse(d.level, level) {
			level = d.level
		}
	}
	return level
}

// mix is a bijection of 64 bits that scatters them (SplitMix64's finish).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// unmix is the inverse of mix.
func unmix(x uint64) uint64 {
	x = (x ^ x>>31 ^ x>>62) * 0x319642b2d24d8ec3
	x = (x ^ x>>27 ^ x>>54) * 0x96de1b173f119089
	x = x ^ x>>30 ^ x>>60
	return x - 0x9e3779b97f4a7c15
}

// noise is the nth random number that belongs to a detection.
func (r *register) noise(i int, n uint64) uint64 {
	return mix(mix(uint64(i)^r.seed) + n) //nolint:gosec // an index is not negative
}

// detectionID is 64 hex digits, of which the first 16 lead back to the index.
func (r *register) detectionID(i int) string {
	var b [32]byte
	first := mix(uint64(i) ^ r.seed) //nolint:gosec // an index is not negative
	binary.BigEndian.PutUint64(b[:], first)
	for n := range uint64(3) {
		binary.BigEndian.PutUint64(b[8*(n+1):], mix(^first+n))
	}
	return hex.EncodeToString(b[:])
}

func (r *register) find(id string) (int, bool) {
	if len(id) != 64 {
		return 0, false
	}
	b, err := hex.DecodeString(id[:16])
	if err != nil {
		return 0, false
	}
	i := unmix(binary.BigEndian.Uint64(b)) ^ r.seed
	if i >= uint64(len(r.detections)) || !strings.EqualFold(r.detectionID(int(i)), id) { //nolint:gosec // below a length
		return 0, false
	}
	return int(i), true //nolint:gosec // below a length
}

// guid is a version 4 GUID of 128 random bits.
func guid(a, b uint64) string {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], a)
	binary.BigEndian.PutUint64(raw[8:], b)
	raw[6] = raw[6]&0x0f | 0x40
	raw[8] = raw[8]&0x3f | 0x80
	var text [36]byte
	hex.Encode(text[:8], raw[:4])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	hex.Encode(text[9:13], raw[4:6])
	hex.Encode(text[14:18], raw[6:8])
	hex.Encode(text[19:23], raw[8:10])
	hex.Encode(text[24:], raw[10:])
	return string(text[:])
}

func (d *detection) ip() string {
	if d.address == [16]byte{} {
		return ""
	}
	return netip.AddrFrom16(d.address).Unmap().String()
}

// close ends the open detections of a subject that lie below an index, except
// those to keep, and says how many.
func (r *register) close(s *subject, below int32, at int64, state, detail uint8, keep func(*detection) bool) (closed int) {
	for _, i := range s.detections {
		d := &r.detections[i]
		if i >= below || !open(d.state) || (keep != nil && keep(d)) {
			continue
		}
		d.state, d.detail, d.updatedAt = state, detail, at
		closed++
	}
	r.version++
	return closed
}

// settleLevel gives the subject the state that a deed leads to, or what its
// remaining open detections demand, and writes the history.
func (r *register) settleLevel(s *subject, done deed, state uint8) {
	done.level, done.state, done.detail = levelNone, state, done.cause
	if left := r.highest(s); left != levelNone {
		done.level, done.state, done.detail = left, stateAtRisk, detailNone
		if slices.ContainsFunc(s.detections, func(i int32) bool { return r.detections[i].state == stateConfirmedCompromised }) {
			done.level, done.state, done.detail = levelHigh, stateConfirmedCompromised, r.compromised()
		}
	}
	r.write(s, done)
}

// write makes a deed the subject's state and the newest history row.
func (r *register) write(s *subject, done deed) {
	s.level, s.state, s.detail, s.updatedAt = done.level, done.state, done.detail, done.at
	s.deeds = append(s.deeds, done)
	r.version++
}

func (r *register) compromised() uint8 {
	if r.principals {
		return detailPrincipalCompromised
	}
	return detailUserCompromised
}

// detect adds a detection to its subject, which becomes or stays at risk.
func (r *register) detect(d detection) int {
	i := len(r.detections)
	s := &r.subjects[d.subject]
	if i > 0 { // the list stays in the order of detection
		d.detectedAt = max(d.detectedAt, r.detections[i-1].detectedAt)
		d.updatedAt = max(d.updatedAt, d.detectedAt)
	}
	if !d.quiet {
		s.level, s.state, s.detail = r.after(s, d.level)
		s.updatedAt = d.detectedAt
	}
	d.thenLevel, d.thenState = s.level, s.state
	r.detections = append(r.detections, d)
	s.detections = append(s.detections, int32(i)) //nolint:gosec // detections of one tenant
	r.version++
	return i
}

// after is the subject's risk with one more detection of a level.
func (r *register) after(s *subject, level uint8) (uint8, uint8, uint8) {
	if s.state == stateConfirmedCompromised {
		return levelHigh, s.state, s.detail
	}
	if s.state == stateAtRisk && worse(s.level, level) {
		level = s.level
	}
	return level, stateAtRisk, detailNone
}
