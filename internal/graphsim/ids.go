package graphsim

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"

	"github.com/google/uuid"
)

// ids makes the ids of requests, the same ones for the same seed.
type ids struct {
	mu  sync.Mutex
	rng *rand.Rand
}

func (i *ids) reset(seed uint64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.rng = rand.New(rand.NewPCG(seed, 0x7265717565737473)) //nolint:gosec // names, not secrets
}

func (i *ids) next() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	var b uuid.UUID
	binary.BigEndian.PutUint64(b[:8], i.rng.Uint64())
	binary.BigEndian.PutUint64(b[8:], i.rng.Uint64())
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return b.String()
}
