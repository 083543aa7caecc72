package evidence

import "hash/maphash"

// IDSet is a set of ids that keeps 16 bytes of each.
type IDSet struct {
	hash hasher
	keys keySet
}

// NewIDSet is a set without an id.
func NewIDSet() *IDSet { return &IDSet{hash: newHasher()} }

// Add puts an id into the set and reports whether it was new.
func (s *IDSet) Add(id string) bool { return s.keys.add(s.hash.key(id)) }

// key is a 128-bit keyed hash of an id. Collisions are ignored.
type key struct{ hi, lo uint64 }

// hasher makes keys; its seeds are its own, so that nobody who chooses ids can
// choose collisions.
type hasher struct{ a, b maphash.Seed }

func newHasher() hasher { return hasher{maphash.MakeSeed(), maphash.MakeSeed()} }

func (h hasher) key(id string) key {
	k := key{maphash.String(h.a, id), maphash.String(h.b, id)}
	if k == (key{}) {
		k.lo = 1 // the zero key marks a free slot
	}
	return k
}

// shards splits a set so that its growth never holds twice the whole.
const shards = 64

// keySet is a set of keys in open addressing, 16 bytes a slot, at most three
// quarters full.
type keySet struct{ shard [shards]keyShard }

type keyShard struct {
	slots []key
	n     int
}

// add puts a key into the set and reports whether it was new.
func (s *keySet) add(k key) bool { return s.shard[k.hi%shards].add(k) }

// has reports whether a key is in the set.
func (s *keySet) has(k key) bool { return s.shard[k.hi%shards].has(k) }

func (s *keyShard) add(k key) bool {
	if 4*(s.n+1) > 3*len(s.slots) {
		s.grow()
	}
	i := s.find(k)
	if s.slots[i] == k {
		return false
	}
	s.slots[i] = k
	s.n++
	return true
}

func (s *keyShard) has(k key) bool { return s.n > 0 && s.slots[s.find(k)] == k }

// find gives the slot of a key, or the free one where it would stand.
func (s *keyShard) find(k key) uint64 {
	i := k.lo % uint64(len(s.slots))
	for s.slots[i] != (key{}) && s.slots[i] != k {
		if i++; i == uint64(len(s.slots)) {
			i = 0
		}
	}
	return i
}

func (s *keyShard) grow() {
	old := s.slots
	s.slots = make([]key, max(16, len(old)+len(old)/2))
	for _, k := range old {
		if k == (key{}) {
			continue
		}
		s.slots[s.find(k)] = k
	}
}
