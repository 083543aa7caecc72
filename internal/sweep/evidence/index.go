// Package evidence keeps what a run needs of the detections it has read: of each,
// that it was read; of each open one, what triage needs, packed.
package evidence

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/triage"
)

// Index finds the open detections of a user. Everything else of a detection is
// in the report the moment it is read.
type Index struct {
	hash  hasher
	seen  keySet
	heads map[key]int32 // user -> last open detection of the user, +1
	open  chunks[openDetection]
	ids   chunks[byte]
	words interner // event types, countries, odd texts
	enums interner // riskLevel and riskState values
	// ownerless are the ids of open detections that do not say whose they are.
	ownerless map[string]bool
}

// openDetection is an open detection in a hundred and fifty bytes.
type openDetection struct {
	detected, updated, activity int64 // unix nanoseconds, 0 = unknown
	ip                          [16]byte
	id                          int32  // offset in ids; one length byte before the text
	next                        int32  // index+1 of the user's next, 0 = none
	odd                         uint32 // 1+word of an address that is no address
	event, country, city        uint32
	agent                       uint32
	request, correlation        guid
	level, state                uint8
	dead                        bool // closed since it was read
	ipKind                      uint8
}

const (
	ipNone = iota
	ip4
	ip6
	ipOdd
)

// NewIndex is an index without a detection.
func NewIndex() *Index {
	return &Index{hash: newHasher(), heads: map[key]int32{},
		words: interner{index: map[string]uint32{}}, enums: interner{index: map[string]uint32{}}, ownerless: map[string]bool{}}
}

// Add takes a detection in and reports whether it was not read before. A
// detection that comes again replaces what was known of it.
func (e *Index) Add(d *entra.Detection) (fresh bool) {
	e.noteOwner(d)
	return e.add(d.UserID, d)
}

// AddOfPrincipal takes a detection of a service principal in, which names one.
func (e *Index) AddOfPrincipal(d *entra.Detection) (fresh bool) {
	return e.add(d.ServicePrincipalID, d)
}

func (e *Index) add(owner entra.ID, d *entra.Detection) (fresh bool) {
	fresh = e.seen.add(e.hash.key(d.ID))
	user := e.hash.key(string(owner))
	if !fresh {
		e.forget(user, d.ID)
	}
	if !d.RiskState.Open() {
		return fresh
	}
	o := openDetection{
		detected: nanos(d.DetectedDateTime), updated: nanos(d.LastUpdatedDateTime), activity: nanos(d.ActivityDateTime),
		id: e.putID(d.ID), next: e.heads[user],
		event: e.words.word(d.RiskEventType), country: e.words.word(d.Location.CountryOrRegion), city: e.words.word(d.Location.City),
		agent: e.words.word(clipped(d.UserAgent())), request: e.putGUID(d.RequestID), correlation: e.putGUID(d.CorrelationID),
		level: e.enums.enum(string(d.RiskLevel)), state: e.enums.enum(string(d.RiskState)),
	}
	o.setIP(d.IPAddress, &e.words)
	e.open.push(o)
	e.heads[user] = int32(e.open.len())
	return fresh
}

// Done says that all detections were read: which they were is forgotten, what is
// open stays.
func (e *Index) Done() { e.seen = keySet{} }

// Knows reports whether a detection was read before.
func (e *Index) Knows(id string) bool { return e.seen.has(e.hash.key(id)) }

// forget drops what was known of a detection that has been read again.
func (e *Index) forget(user key, id string) {
	for i := e.heads[user]; i != 0; {
		o := e.open.at(int(i - 1))
		if e.idText(o.id) == id {
			o.dead = true
		}
		i = o.next
	}
}

// Of gives the open detections of a user, or of a service principal.
func (e *Index) Of(userID entra.ID) []triage.Detection {
	var out []triage.Detection
	for i := e.heads[e.hash.key(string(userID))]; i != 0; {
		o := e.open.at(int(i - 1))
		if !o.dead {
			out = append(out, triage.Detection{
				ID: e.idText(o.id), EventType: e.words.text(o.event), IP: o.ipText(&e.words), Country: e.words.text(o.country), City: e.words.text(o.city),
				Level: entra.RiskLevel(e.enums.text(uint32(o.level))), State: entra.RiskState(e.enums.text(uint32(o.state))),
				Detected: dateTime(o.detected), Updated: dateTime(o.updated), Activity: dateTime(o.activity),
				RequestID: e.guidText(o.request), CorrelationID: e.guidText(o.correlation), UserAgent: e.words.text(o.agent),
			})
		}
		i = o.next
	}
	return out
}

func (o *openDetection) setIP(text string, w *interner) {
	a, err := netip.ParseAddr(text)
	switch {
	case text == "":
	case err != nil || a.String() != text || a.Zone() != "" || a.Is4In6():
		o.ipKind, o.odd = ipOdd, w.word(text)
	case a.Is4():
		b := a.As4()
		o.ipKind = ip4
		copy(o.ip[:], b[:])
	default:
		o.ipKind, o.ip = ip6, a.As16()
	}
}

func (o *openDetection) ipText(w *interner) string {
	switch o.ipKind {
	case ip4:
		return netip.AddrFrom4([4]byte(o.ip[:4])).String()
	case ip6:
		return netip.AddrFrom16(o.ip).String()
	case ipOdd:
		return w.text(o.odd)
	}
	return ""
}

// putID stores an id; lower-case hexadecimal ids, as detections have, take half
// the room. The first byte is the length in bytes, with the top bit for packed.
func (e *Index) putID(id string) int32 {
	if len(id) > 127 {
		return -1 - int32(e.words.word(id))
	}
	at := int32(e.ids.len())
	if raw, err := hex.DecodeString(id); err == nil && strings.ToLower(id) == id {
		e.ids.push(byte(len(raw)) | 0x80)
		for _, b := range raw {
			e.ids.push(b)
		}
		return at
	}
	e.ids.push(byte(len(id)))
	for i := range len(id) {
		e.ids.push(id[i])
	}
	return at
}

func (e *Index) idText(at int32) string {
	if at < 0 {
		return e.words.text(uint32(-1 - at))
	}
	head := *e.ids.at(int(at))
	n := int(head & 0x7f)
	b := make([]byte, n)
	for i := range b {
		b[i] = *e.ids.at(int(at) + 1 + i)
	}
	if head&0x80 != 0 {
		return hex.EncodeToString(b)
	}
	return string(b)
}

// guid is a GUID in lower case, or, with the last bytes zero, the number of the
// word that stands in its place.
type guid [16]byte

func (e *Index) putGUID(s string) (g guid) {
	if len(s) == 36 && entra.IsID(s) && strings.ToLower(s) == s {
		if n, err := hex.Decode(g[:], []byte(strings.ReplaceAll(s, "-", ""))); err == nil && n == len(g) && [12]byte(g[4:]) != [12]byte{} {
			return g
		}
	}
	g = guid{}
	binary.BigEndian.PutUint32(g[:4], e.words.word(s))
	return g
}

func (e *Index) guidText(g guid) string {
	if [12]byte(g[4:]) == [12]byte{} {
		return e.words.text(binary.BigEndian.Uint32(g[:4]))
	}
	s := hex.EncodeToString(g[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// maxAgent bounds a user agent, which anybody may send at any length.
const maxAgent = 256

func clipped(s string) string {
	if len(s) <= maxAgent {
		return s
	}
	return strings.ToValidUTF8(s[:maxAgent], "") + "…"
}

func nanos(d entra.DateTime) int64 {
	t, ok := d.Time()
	if !ok {
		return 0
	}
	return t.UnixNano()
}

func dateTime(n int64) entra.DateTime {
	if n == 0 {
		return ""
	}
	return entra.NewDateTime(time.Unix(0, n))
}

// interner keeps each distinct text once.
type interner struct {
	index map[string]uint32
	texts []string
}

func (w *interner) word(s string) uint32 {
	if i, ok := w.index[s]; ok {
		return i
	}
	s = strings.Clone(s)
	i := uint32(len(w.texts))
	w.texts = append(w.texts, s)
	w.index[s] = i
	return i
}

// enum interns one of the few values of an enum. A service that sends hundreds
// of them is not understood: the rest becomes the unknown value, which has no
// rank and is open.
func (w *interner) enum(s string) uint8 {
	if _, ok := w.index[s]; !ok && len(w.texts) >= 254 {
		s = string(entra.DetailUnknownFutureValue)
	}
	return uint8(w.word(s))
}

func (w *interner) text(i uint32) string { return w.texts[i] }

// chunkSize is the number of elements in one piece of a chunks.
const chunkSize = 1 << 12

// chunks is a list that grows without being copied.
type chunks[T any] struct {
	pieces [][]T
	n      int
}

func (c *chunks[T]) push(v T) {
	if c.n%chunkSize == 0 {
		c.pieces = append(c.pieces, make([]T, 0, min(chunkSize, max(c.n, 32)))) // the first one grows: most tenants fill no more
	}
	last := len(c.pieces) - 1
	c.pieces[last] = append(c.pieces[last], v)
	c.n++
}

func (c *chunks[T]) at(i int) *T { return &c.pieces[i/chunkSize][i%chunkSize] }

func (c *chunks[T]) len() int { return c.n }
