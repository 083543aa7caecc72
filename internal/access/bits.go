package access

import "math/bits"

// flags is a set of policies, by their place in the set.
type flags []uint64

func newFlags(n int) flags { return make(flags, (n+63)/64) }

func (f flags) set(i int)      { f[i/64] |= 1 << (i % 64) }
func (f flags) unset(i int)    { f[i/64] &^= 1 << (i % 64) }
func (f flags) has(i int) bool { return f[i/64]&(1<<(i%64)) != 0 }

func (f flags) or(g flags) {
	for i := range g {
		f[i] |= g[i]
	}
}

func (f flags) and(g flags) {
	for i := range f {
		f[i] &= g[i]
	}
}

func (f flags) without(g flags) {
	for i := range g {
		f[i] &^= g[i]
	}
}

// each calls do with every member, in order.
func (f flags) each(do func(int)) {
	for w, word := range f {
		for ; word != 0; word &= word - 1 {
			do(w*64 + bits.TrailingZeros64(word))
		}
	}
}

// span is what is known of a condition for every policy: it is met by those in
// must, it may be met by those in may, of which must is a part.
type span struct{ must, may flags }

func (s span) truth(i int) Truth {
	switch {
	case s.must.has(i):
		return Yes
	case s.may.has(i):
		return Unknown
	}
	return No
}

// add records that the condition is met by fs as surely as t says.
func (s span) add(fs flags, t Truth) {
	if t == Yes {
		s.must.or(fs)
	}
	if t != No {
		s.may.or(fs)
	}
}

// except takes away what an exclusion does: surely met less possibly excluded,
// possibly met less surely excluded.
func (s span) except(e span) {
	s.must.without(e.may)
	s.may.without(e.must)
}

func (s span) and(t span) {
	s.must.and(t.must)
	s.may.and(t.may)
}
