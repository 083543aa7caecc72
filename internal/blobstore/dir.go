package blobstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"syscall"
)

// Dir is a store in a folder. Files are written beside their place, synced and
// renamed; conditional writes are serialised by a lock on the folder, so that
// they hold between processes of one machine.
type Dir struct {
	root string
	mu   sync.Mutex
}

// OpenDir opens a folder as a store and makes it if it is missing.
func OpenDir(root string) (*Dir, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(abs, 0o755); err != nil {
		return nil, err
	}
	return &Dir{root: abs}, nil
}

// URL is the folder as a file: address.
func (d *Dir) URL() string { return "file:" + d.root }

func (d *Dir) path(name string) (string, error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	return filepath.Join(d.root, filepath.FromSlash(name)), nil
}

// notFound maps the ways in which a file can be missing.
func notFound(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR) {
		return fmt.Errorf("%s: %w", name, ErrNotFound)
	}
	return err
}

// Get reads a file; its version is the hash of its content.
func (d *Dir) Get(ctx context.Context, name string) ([]byte, string, error) {
	p, err := d.path(name)
	if err != nil {
		return nil, "", err
	}
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	data, err := os.ReadFile(p)
	if err != nil {
		return nil, "", notFound(name, err)
	}
	return data, versionOf(data), nil
}

func versionOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}

// Open reads a file as a stream. Its Info holds no version.
func (d *Dir) Open(ctx context.Context, name string) (io.ReadCloser, Info, error) {
	p, err := d.path(name)
	if err != nil {
		return nil, Info{}, err
	}
	if err := ctx.Err(); err != nil {
		return nil, Info{}, err
	}
	f, err := os.Open(p)
	if err != nil {
		return nil, Info{}, notFound(name, err)
	}
	st, err := f.Stat()
	if err == nil && st.IsDir() {
		err = syscall.EISDIR
	}
	if err != nil {
		return nil, Info{}, errors.Join(notFound(name, err), f.Close())
	}
	return f, Info{Name: name, Size: st.Size(), Modified: st.ModTime()}, nil
}

// Put replaces a file atomically.
func (d *Dir) Put(ctx context.Context, name string, data []byte) error {
	w, err := d.Create(ctx, name)
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return errors.Join(err, w.Abort())
	}
	return w.Commit(ctx)
}

// PutNew makes a file that must not exist.
func (d *Dir) PutNew(ctx context.Context, name string, data []byte) error {
	_, err := d.PutIf(ctx, name, data, "")
	if errors.Is(err, ErrChanged) {
		return fmt.Errorf("%s: %w", name, ErrExists)
	}
	return err
}

// PutIf replaces the given version of a file.
func (d *Dir) PutIf(ctx context.Context, name string, data []byte, version string) (string, error) {
	unlock, err := d.serialise()
	if err != nil {
		return "", err
	}
	defer unlock()
	_, live, err := d.Get(ctx, name)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "", err
	}
	if live != version {
		return "", fmt.Errorf("%s: %w", name, ErrChanged)
	}
	return versionOf(data), d.Put(ctx, name, data)
}

// serialise keeps conditional writes of all processes in a row.
func (d *Dir) serialise() (func(), error) {
	d.mu.Lock()
	f, err := os.Open(d.root)
	if err == nil {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
			err = errors.Join(err, f.Close())
		}
	}
	if err != nil {
		d.mu.Unlock()
		return nil, err
	}
	return func() {
		_ = f.Close() // closing gives the lock back
		d.mu.Unlock()
	}, nil
}

// Create streams a file into a temporary one beside its place.
func (d *Dir) Create(ctx context.Context, name string) (Writer, error) {
	p, err := d.path(name)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(p), tempPrefix+"*")
	if err != nil {
		return nil, err
	}
	return &dirWriter{f: f, to: p}, nil
}

type dirWriter struct {
	f    *os.File
	to   string
	err  error
	done bool
}

func (w *dirWriter) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.f.Write(p)
	w.err = err
	return n, err
}

func (w *dirWriter) Commit(ctx context.Context) error {
	err := errors.Join(w.err, ctx.Err())
	if w.done {
		return errors.New("the file is ended already")
	}
	if err == nil {
		err = w.f.Chmod(0o644)
	}
	if err == nil {
		err = w.f.Sync()
	}
	if err != nil {
		return errors.Join(err, w.Abort())
	}
	w.done = true
	err = w.f.Close()
	if err == nil {
		err = os.Rename(w.f.Name(), w.to)
	}
	if err != nil {
		return errors.Join(err, os.Remove(w.f.Name()))
	}
	return syncDir(filepath.Dir(w.to))
}

func (w *dirWriter) Abort() error {
	if w.done {
		return nil
	}
	w.done = true
	return errors.Join(w.f.Close(), os.Remove(w.f.Name()))
}

// syncDir makes a rename in a folder survive a crash.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Append opens a file to add to; each addition is synced.
func (d *Dir) Append(ctx context.Context, name string) (Appender, error) {
	p, err := d.path(name)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(p, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syncDir(filepath.Dir(p)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &dirAppender{f: f}, nil
}

type dirAppender struct {
	mu sync.Mutex
	f  *os.File
}

func (a *dirAppender) Append(ctx context.Context, data []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	st, err := a.f.Stat()
	if err != nil {
		return err
	}
	if _, err := a.f.Write(data); err != nil {
		// A full disk may have taken a part: what is not whole goes away.
		return errors.Join(err, a.f.Truncate(st.Size()))
	}
	return a.f.Sync()
}

func (a *dirAppender) Close() error { return a.f.Close() }

// List walks the folder in the order of names.
func (d *Dir) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		var all []Info
		start := d.root
		if i := strings.LastIndex(prefix, "/"); i > 0 {
			if CheckName(prefix[:i]) != nil {
				return
			}
			start = filepath.Join(d.root, filepath.FromSlash(prefix[:i]))
		}
		err := filepath.WalkDir(start, func(p string, e fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			rel, err := filepath.Rel(d.root, p)
			if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), tempPrefix) || !strings.HasPrefix(filepath.ToSlash(rel), prefix) {
				return err
			}
			st, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			all = append(all, Info{Name: filepath.ToSlash(rel), Size: st.Size(), Modified: st.ModTime()})
			return nil
		})
		if err != nil {
			yield(Info{}, err)
			return
		}
		sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
		for _, i := range all {
			if !yield(i, nil) {
				return
			}
		}
	}
}

// ListDirs gives the folders directly in a folder.
func (d *Dir) ListDirs(ctx context.Context, dir string) ([]string, error) {
	p := d.root
	if dir != "" {
		var err error
		if p, err = d.path(dir); err != nil {
			return nil, err
		}
	}
	entries, err := os.ReadDir(p)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out, ctx.Err()
}

// Delete removes a file, and its folders where that leaves them empty.
func (d *Dir) Delete(ctx context.Context, name string) error {
	p, err := d.path(name)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.Remove(p); err != nil && !errors.Is(notFound(name, err), ErrNotFound) {
		return err
	}
	for p = filepath.Dir(p); p != d.root && len(p) > len(d.root); p = filepath.Dir(p) {
		if os.Remove(p) != nil {
			break // not empty
		}
	}
	return nil
}

// Lease locks a file for as long as the process lives; its text is the holder.
func (d *Dir) Lease(ctx context.Context, name string, holder Holder) (Lease, error) {
	p, err := d.path(name)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(p, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(err, f.Close())
		}
		held := heldBy(ctx, func() ([]byte, error) { return io.ReadAll(io.NewSectionReader(f, 0, 4096)) })
		return nil, errors.Join(held, f.Close())
	}
	text, err := json.Marshal(holder)
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt(text, 0)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	leaseCtx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	return &dirLease{f: f, ctx: leaseCtx, cancel: cancel}, nil
}
