package blobstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Memory is a store that lives in the process, for simulations: its clock, its
// leases and its faults are those of the caller. It starts no goroutine.
type Memory struct {
	// Now is the clock of leases and times of change; nil is the real one.
	Now func() time.Time
	// Fault, if set, is asked before each operation (get, put, create, commit,
	// append, list, delete, lease, renew). An error refuses it; one that wraps
	// ErrAfter lets it take effect and loses the answer.
	Fault func(op, name string) error
	// LeaseFor is how long a lease lasts without renewal; 0 is a minute.
	LeaseFor time.Duration

	mu     sync.Mutex
	files  map[string]memFile
	leases map[string]*memLease
	next   int
	gone   bool
}

// Vanish takes the store away, as a folder is removed or unmounted: what is
// asked of it from then on is ErrGone, and its leases are lost.
func (m *Memory) Vanish() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gone, m.files, m.leases = true, map[string]memFile{}, map[string]*memLease{}
}

type memFile struct {
	data     []byte
	version  string
	modified time.Time
}

// ErrAfter marks a fault that comes after the effect.
var ErrAfter = errors.New("the answer was lost")

// NewMemory makes an empty store.
func NewMemory() *Memory {
	return &Memory{files: map[string]memFile{}, leases: map[string]*memLease{}}
}

// URL names the store.
func (m *Memory) URL() string { return "memory:" }

func (m *Memory) now() time.Time {
	if m.Now == nil {
		return time.Now()
	}
	return m.Now()
}

// begin checks a call and asks for its fault; late is one for after the effect.
func (m *Memory) begin(ctx context.Context, op, name string) (late, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if op != "list" {
		if err := CheckName(name); err != nil {
			return nil, err
		}
	}
	if m.Fault != nil {
		if err := m.Fault(op, name); err != nil {
			if isAfter(err) {
				return err, nil
			}
			return nil, err
		}
		if err := ctx.Err(); err != nil { // the fault took too long
			return nil, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone { // perhaps just now: what is not found in it is not "not there"
		return nil, fmt.Errorf("the store in memory was taken away: %w", ErrGone)
	}
	return nil, nil
}

func isAfter(err error) bool { return errors.Is(err, ErrAfter) }

// Get reads a file.
func (m *Memory) Get(ctx context.Context, name string) ([]byte, string, error) {
	late, err := m.begin(ctx, "get", name)
	if err != nil || late != nil {
		return nil, "", orError(err, late)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	f, ok := m.files[name]
	if !ok {
		return nil, "", fmt.Errorf("%s: %w", name, ErrNotFound)
	}
	return bytes.Clone(f.data), f.version, nil
}

func orError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// Open reads a file as it is now.
func (m *Memory) Open(ctx context.Context, name string) (io.ReadCloser, Info, error) {
	data, version, err := m.Get(ctx, name)
	if err != nil {
		return nil, Info{}, err
	}
	m.mu.Lock()
	modified := m.files[name].modified
	m.mu.Unlock()
	return io.NopCloser(bytes.NewReader(data)), Info{Name: name, Size: int64(len(data)), Modified: modified, Version: version}, nil
}

// Put replaces a file.
func (m *Memory) Put(ctx context.Context, name string, data []byte) error {
	late, err := m.begin(ctx, "put", name)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(name, data)
	return late
}

func (m *Memory) set(name string, data []byte) string {
	m.next++
	version := fmt.Sprint("v", m.next)
	m.files[name] = memFile{data: bytes.Clone(data), version: version, modified: m.now()}
	return version
}

// PutNew makes a file that must not exist. An answer that is lost is settled
// by reading back, as for a real store.
func (m *Memory) PutNew(ctx context.Context, name string, data []byte) error {
	_, err := m.putIf(ctx, name, data, "", ErrExists)
	return err
}

// PutIf replaces the given version of a file.
func (m *Memory) PutIf(ctx context.Context, name string, data []byte, version string) (string, error) {
	return m.putIf(ctx, name, data, version, ErrChanged)
}

func (m *Memory) putIf(ctx context.Context, name string, data []byte, version string, conflict error) (string, error) {
	late, err := m.begin(ctx, "put", name)
	if err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files[name].version != version {
		return "", fmt.Errorf("%s: %w", name, conflict)
	}
	v := m.set(name, data)
	if late != nil { // read back: it is ours
		late = nil
	}
	return v, late
}

// Create streams a file that shows when it is committed.
func (m *Memory) Create(ctx context.Context, name string) (Writer, error) {
	if late, err := m.begin(ctx, "create", name); err != nil || late != nil {
		return nil, orError(err, late)
	}
	return &memWriter{m: m, name: name}, nil
}

type memWriter struct {
	m    *Memory
	name string
	buf  bytes.Buffer
	done bool
}

func (w *memWriter) Write(p []byte) (int, error) { return w.buf.Write(p) }

func (w *memWriter) Commit(ctx context.Context) error {
	if w.done {
		return fmt.Errorf("%s is ended already", w.name)
	}
	w.done = true
	late, err := w.m.begin(ctx, "commit", w.name)
	if err != nil {
		return err
	}
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	w.m.set(w.name, w.buf.Bytes())
	return late
}

func (w *memWriter) Abort() error {
	w.done = true
	return nil
}

// Append opens a file to add to.
func (m *Memory) Append(ctx context.Context, name string) (Appender, error) {
	if late, err := m.begin(ctx, "create", name); err != nil || late != nil {
		return nil, orError(err, late)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.files[name]; !ok {
		m.set(name, nil)
	}
	return &memAppender{m, name}, nil
}

type memAppender struct {
	m    *Memory
	name string
}

func (a *memAppender) Append(ctx context.Context, data []byte) error {
	late, err := a.m.begin(ctx, "append", a.name)
	if err != nil {
		return err
	}
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	a.m.set(a.name, append(bytes.Clone(a.m.files[a.name].data), data...))
	return late
}

func (a *memAppender) Close() error { return nil }

// List yields the files in the order of names.
func (m *Memory) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		if late, err := m.begin(ctx, "list", prefix); err != nil || late != nil {
			yield(Info{}, orError(err, late))
			return
		}
		m.mu.Lock()
		var all []Info
		for _, name := range slices.Sorted(maps.Keys(m.files)) {
			if f := m.files[name]; strings.HasPrefix(name, prefix) {
				all = append(all, Info{Name: name, Size: int64(len(f.data)), Modified: f.modified, Version: f.version})
			}
		}
		m.mu.Unlock()
		for _, i := range all {
			if !yield(i, nil) {
				return
			}
		}
	}
}

// ListDirs gives the folders directly in a folder.
func (m *Memory) ListDirs(ctx context.Context, dir string) ([]string, error) {
	prefix := ""
	if dir != "" {
		prefix = dir + "/"
	}
	var out []string
	for i, err := range m.List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		if seg, _, ok := strings.Cut(strings.TrimPrefix(i.Name, prefix), "/"); ok && !slices.Contains(out, seg) {
			out = append(out, seg)
		}
	}
	slices.Sort(out)
	return out, nil
}

// Delete removes a file.
func (m *Memory) Delete(ctx context.Context, name string) error {
	late, err := m.begin(ctx, "delete", name)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.files, name)
	return late
}

// Lease takes a lease that lasts LeaseFor and renews itself when it is looked
// at, unless a fault refuses the renewal.
func (m *Memory) Lease(ctx context.Context, name string, holder Holder) (Lease, error) {
	late, err := m.begin(ctx, "lease", name)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if l := m.leases[name]; l != nil && !l.released && m.now().Before(l.expires) {
		return nil, &LeaseHeldError{Holder: l.holder}
	}
	leaseCtx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	l := &memLease{m: m, name: name, holder: holder, ctx: leaseCtx, cancel: cancel, expires: m.now().Add(m.leaseFor())}
	m.leases[name] = l
	return l, late
}

// Leased says whether somebody holds a lease.
func (m *Memory) Leased(ctx context.Context, name string) (bool, error) {
	late, err := m.begin(ctx, "look at lease", name)
	if err != nil || late != nil {
		return false, orError(err, late)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.leases[name]
	return l != nil && !l.released && m.now().Before(l.expires), nil
}

func (m *Memory) leaseFor() time.Duration {
	if m.LeaseFor == 0 {
		return time.Minute
	}
	return m.LeaseFor
}

type memLease struct {
	m        *Memory
	name     string
	holder   Holder
	ctx      context.Context
	cancel   context.CancelCauseFunc
	expires  time.Time
	released bool
}

// Context is that of the lease; to look at it renews a lease that is due, as a
// real one renews itself meanwhile.
func (l *memLease) Context() context.Context {
	l.renew()
	return l.ctx
}

func (l *memLease) Expires() time.Time {
	l.renew()
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	return l.expires
}

func (l *memLease) renew() {
	fault := error(nil)
	if l.m.Fault != nil {
		fault = l.m.Fault("renew", l.name)
	}
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	now := l.m.now()
	if l.released || l.ctx.Err() != nil {
		return
	}
	if l.m.leases[l.name] != l || now.After(l.expires) && fault != nil {
		l.cancel(ErrLeaseLost)
		return
	}
	if fault == nil {
		l.expires = now.Add(l.m.leaseFor())
	}
}

func (l *memLease) Release(context.Context) error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	l.released = true
	l.cancel(fmt.Errorf("the lease was given back"))
	return nil
}

// Expire ends every lease at once, as a store does for a holder that died.
func (m *Memory) Expire() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.leases = map[string]*memLease{}
}
