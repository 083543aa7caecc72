package simulation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/ledger"
)

// store is the store as one process sees it.
type store struct {
	blobstore.Store
	p *process
}

// step is asked before each call of the store: nil lets it through, before
// refuses it, after lets it take effect and loses the answer.
func (s *store) step(op, name string) (before, after error) {
	p := s.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return errDead, nil
	}
	p.renew()
	full := fmt.Errorf("%s %s: no space left on device", op, name)
	if p.gone || p.calls+1 == p.goneCall {
		p.leave(op, name)
		if p.vanishes { // it says so itself
			return nil, nil
		}
		return fmt.Errorf("%s %s: %w", op, name, blobstore.ErrGone), nil
	}
	if p.calls++; p.fullCall > 0 && p.calls >= p.fullCall && !p.w.quiet && writes[op] {
		p.w.say("%s: the store is full: %s %s", p.name, op, name)
		return full, nil
	}
	if p.calls == p.dieCall {
		p.die("the store: " + op + " " + name)
		if p.dieLate {
			return nil, errDead
		}
		return errDead, nil
	}
	if p.w.quiet || p.faulty == 0 || p.fs.IntN(1000) >= p.faulty {
		return nil, nil
	}
	late := p.fs.IntN(2) == 0
	p.w.say("%s: the store fails: %s %s (after its effect: %t)", p.name, op, name, late)
	if late {
		return nil, full
	}
	return full, nil
}

// writes are what a full store refuses.
var writes = map[string]bool{"put": true, "put new": true, "put if": true, "create": true, "commit": true, "append": true}

func do[T any](s *store, op, name string, f func() (T, error)) (T, error) {
	var zero T
	before, after := s.step(op, name)
	if before != nil {
		return zero, before
	}
	v, err := f()
	if err == nil && after != nil {
		return zero, after
	}
	return v, err
}

func act(s *store, op, name string, f func() error) error {
	_, err := do(s, op, name, func() (struct{}, error) { return struct{}{}, f() })
	return err
}

func (s *store) Get(ctx context.Context, name string) ([]byte, string, error) {
	type got struct {
		data    []byte
		version string
	}
	g, err := do(s, "get", name, func() (got, error) { d, v, err := s.Store.Get(ctx, name); return got{d, v}, err })
	return g.data, g.version, err
}

func (s *store) Peek(ctx context.Context, name string, most int64) ([]byte, bool, error) {
	if before, after := s.step("peek", name); before != nil || after != nil {
		return nil, false, errors.Join(before, after)
	}
	return s.Store.Peek(ctx, name, most)
}

func (s *store) Open(ctx context.Context, name string) (io.ReadCloser, blobstore.Info, error) {
	if before, _ := s.step("open", name); before != nil {
		return nil, blobstore.Info{}, before
	}
	return s.Store.Open(ctx, name)
}

func (s *store) Put(ctx context.Context, name string, data []byte) error {
	s.entering(name)
	return act(s, "put", name, func() error { return s.Store.Put(ctx, name, data) })
}

// entering lets happen what is to happen before the list of plan runs changes.
func (s *store) entering(name string) {
	if s.p.entering != nil && strings.HasSuffix(name, "/plans.json") {
		s.p.entering()
	}
}

// PutNew and PutIf settle a lost answer by reading back, as real stores do.
func (s *store) PutNew(ctx context.Context, name string, data []byte) error {
	if before, _ := s.step("put new", name); before != nil {
		return before
	}
	if dir, ok := strings.CutSuffix(name, "/plan.json"); ok {
		s.p.run = dir[strings.LastIndex(dir, "/")+1:]
	}
	return s.Store.PutNew(ctx, name, data)
}

func (s *store) PutIf(ctx context.Context, name string, data []byte, version string) (string, error) {
	if before, _ := s.step("put if", name); before != nil {
		return "", before
	}
	s.entering(name)
	if strings.HasSuffix(name, "/state.json") {
		s.p.w.beforeState(s.p, data)
	}
	return s.Store.PutIf(ctx, name, data, version)
}

func (s *store) Create(ctx context.Context, name string) (blobstore.Writer, error) {
	w, err := do(s, "create", name, func() (blobstore.Writer, error) { return s.Store.Create(ctx, name) })
	if err != nil {
		return nil, err
	}
	return &writer{Writer: w, s: s, name: name}, nil
}

type writer struct {
	blobstore.Writer
	s    *store
	name string
}

func (w *writer) Commit(ctx context.Context) error {
	return act(w.s, "commit", w.name, func() error { return w.Writer.Commit(ctx) })
}

func (s *store) Append(ctx context.Context, name string) (blobstore.Appender, error) {
	a, err := do(s, "append", name, func() (blobstore.Appender, error) { return s.Store.Append(ctx, name) })
	if err != nil {
		return nil, err
	}
	return &appender{Appender: a, s: s, name: name}, nil
}

type appender struct {
	blobstore.Appender
	s    *store
	name string
}

// slowNow counts an append and says whether it is the one that takes its time.
func (p *process) slowNow() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.appends++
	if p.appends == p.slowFrom {
		p.w.say("%s: an append takes %s", p.name, p.slowFor)
	}
	return p.appends == p.slowFrom
}

func (a *appender) Append(ctx context.Context, data []byte) error {
	p := a.s.p
	slow := p.slowNow()
	if slow && !p.slowLate {
		p.standStill()
	}
	err := act(a.s, "append to", a.name, func() error {
		for e := range ledger.ParseJournal(bytes.NewReader(data)) {
			if e.Type == ledger.EntryIntent {
				a.s.p.w.intents[e.Run+"/"+e.Action] = time.Now()
			}
		}
		return a.Appender.Append(ctx, data)
	})
	if slow && p.slowLate && err == nil {
		p.standStill()
	}
	return err
}

// standStill is what an append does that takes long.
func (p *process) standStill() {
	if time.Sleep(p.slowFor); p.slowly != nil {
		p.slowly()
	}
}

// leave takes the store away from a process, as a folder is unmounted: nothing
// of it is there any more, nor the lease. The caller holds the process's lock.
func (p *process) leave(op, name string) {
	if p.gone {
		return
	}
	p.gone = true
	p.w.say("%s: the store is gone: %s %s", p.name, op, name)
	if p.vanishes {
		p.w.store.Vanish()
	}
	for _, l := range p.leases {
		l.cancel(blobstore.ErrLeaseLost)
	}
}

func (s *store) List(ctx context.Context, prefix string) iter.Seq2[blobstore.Info, error] {
	if before, _ := s.step("list", prefix); before != nil {
		return func(yield func(blobstore.Info, error) bool) { yield(blobstore.Info{}, before) }
	}
	return s.Store.List(ctx, prefix)
}

func (s *store) ListDirs(ctx context.Context, dir string) ([]string, error) {
	if before, _ := s.step("list folders", dir); before != nil {
		return nil, before
	}
	return s.Store.ListDirs(ctx, dir)
}

func (s *store) Delete(ctx context.Context, name string) error {
	return act(s, "delete", name, func() error { return s.Store.Delete(ctx, name) })
}

func (s *store) Leased(ctx context.Context, name string) (bool, error) {
	return do(s, "look at lease", name, func() (bool, error) { return s.Store.Leased(ctx, name) })
}

func (s *store) Lease(ctx context.Context, name string, h blobstore.Holder) (blobstore.Lease, error) {
	if before, _ := s.step("lease", name); before != nil {
		return nil, before
	}
	l, err := s.Store.Lease(ctx, name, h)
	if err != nil {
		return nil, err
	}
	dead, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	own := &lease{Lease: l, p: s.p, dead: dead, cancel: cancel, ends: time.Now().Add(time.Minute)}
	s.p.mu.Lock()
	s.p.leases, s.p.stalled = append(s.p.leases, own), false
	s.p.mu.Unlock()
	return own, nil
}

// lease is one that a process which died or stalled renews no more.
type lease struct {
	blobstore.Lease
	p      *process
	dead   context.Context
	cancel context.CancelCauseFunc
	ends   time.Time // while the process stalls
}

func (l *lease) alive() bool {
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	return !l.p.dead && !l.p.gone && !(l.p.stalled && time.Now().After(l.ends))
}

func (l *lease) Context() context.Context {
	if !l.alive() {
		l.cancel(blobstore.ErrLeaseLost)
		return l.dead
	}
	if l.p.stalled {
		return l.dead
	}
	return l.Lease.Context()
}

func (l *lease) Expires() time.Time {
	if !l.alive() {
		return time.Now().Add(-time.Hour)
	}
	if l.p.stalled {
		return l.ends.Add(time.Duration(l.p.skew.Load()))
	}
	return l.Lease.Expires().Add(time.Duration(l.p.skew.Load()))
}

func (l *lease) Release(ctx context.Context) error {
	if !l.alive() {
		return errDead
	}
	l.p.mu.Lock()
	l.p.leases = nil
	l.p.mu.Unlock()
	return l.Lease.Release(ctx)
}
