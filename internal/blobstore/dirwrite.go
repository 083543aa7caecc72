package blobstore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
)

// placeFor is where a file is written, with the folders above it made.
func (d *Dir) placeFor(ctx context.Context, name string) (string, error) {
	p, err := d.path(name)
	if err != nil {
		return "", err
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	return p, d.makeFor(p)
}

// Create streams a file into a temporary one beside its place.
func (d *Dir) Create(ctx context.Context, name string) (Writer, error) {
	p, err := d.placeFor(ctx, name)
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(p), tempPrefix+"*")
	if err != nil {
		return nil, err
	}
	return &dirWriter{d: d, f: f, to: p}, nil
}

type dirWriter struct {
	d    *Dir
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
		return errors.Join(w.d.present(), err, remove(w.f.Name()))
	}
	if err := syncDir(filepath.Dir(w.to)); err != nil {
		return errors.Join(w.d.present(), err)
	}
	return w.d.present()
}

func (w *dirWriter) Abort() error {
	if w.done {
		return nil
	}
	w.done = true
	return errors.Join(w.f.Close(), remove(w.f.Name()))
}

// Append opens a file to add to; each addition is synced.
func (d *Dir) Append(ctx context.Context, name string) (Appender, error) {
	p, err := d.placeFor(ctx, name)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(p, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syncDir(filepath.Dir(p)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &dirAppender{d: d, f: f, path: p}, nil
}

type dirAppender struct {
	d    *Dir
	mu   sync.Mutex
	f    *os.File
	path string
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
	if err := a.f.Sync(); err != nil {
		return err
	}
	// A file that was removed takes what is written to it, and nobody finds it.
	return a.d.leadsTo(a.path, st)
}

func (a *dirAppender) Close() error { return a.f.Close() }
