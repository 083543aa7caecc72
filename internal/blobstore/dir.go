package blobstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/gofrs/flock"
)

// Dir is a store in a folder. Files are written beside their place, synced and
// renamed; conditional writes are serialised by a lock on the folder, so that
// they hold between processes of one machine. The folder must stay the one that
// was opened: where it is removed, replaced or unmounted, everything that is
// asked of the store is ErrGone from then on.
type Dir struct {
	root   string
	opened fs.FileInfo // the folder as it was opened
	mu     sync.Mutex
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
	opened, err := os.Stat(abs)
	if err != nil {
		return nil, err
	}
	return &Dir{root: abs, opened: opened}, nil
}

// present proves that the path of the store still leads to the folder that was
// opened. A folder that was removed and made again is another one.
func (d *Dir) present() error {
	now, err := os.Stat(d.root)
	switch {
	case err == nil && os.SameFile(now, d.opened):
		return nil
	case err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("the folder %s was removed, replaced or unmounted since it was opened: %w", d.root, ErrGone)
	}
	return err
}

// leadsTo proves that a name in the store still leads to a file that is open.
func (d *Dir) leadsTo(p string, open fs.FileInfo) error {
	if err := d.present(); err != nil {
		return err
	}
	now, err := os.Stat(p)
	switch {
	case err == nil && os.SameFile(now, open):
		return nil
	case err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%s was removed or replaced while it was open: %w", p, ErrGone)
	}
	return err
}

// missing is the error for a file that is not there, once it is proved that the
// store itself is.
func (d *Dir) missing(name string, err error) error {
	err = notFound(name, err)
	if errors.Is(err, ErrNotFound) {
		if gone := d.present(); gone != nil {
			return gone
		}
	}
	return err
}

// makeFor makes the folder of a file, but never the store's own again.
func (d *Dir) makeFor(p string) error {
	if err := d.present(); err != nil {
		return err
	}
	return os.MkdirAll(filepath.Dir(p), 0o755)
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
		return nil, "", d.missing(name, err)
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
		return nil, Info{}, d.missing(name, err)
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
	lock := flock.New(d.root, flock.SetFlag(os.O_RDONLY))
	if runtime.GOOS == "windows" { // where a folder cannot be locked
		lock = flock.New(filepath.Join(d.root, tempPrefix+"lock"))
	}
	err := d.present()
	if err == nil {
		err = lock.Lock()
	}
	if err == nil {
		err = d.present() // it may have gone while we waited
	}
	if err != nil {
		err = errors.Join(err, lock.Close())
		d.mu.Unlock()
		return nil, err
	}
	return func() {
		_ = lock.Close() // closing gives the lock back
		d.mu.Unlock()
	}, nil
}

// remove deletes a file that may have gone with its folder.
func remove(p string) error {
	if err := os.Remove(p); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// syncDir makes a rename in a folder survive a crash.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" { // which offers this for files alone
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// List walks the folder in the order of names. It looks at no file.
func (d *Dir) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		start := ""
		if i := strings.LastIndex(prefix, "/"); i > 0 {
			if start = prefix[:i]; CheckName(start) != nil {
				return
			}
		}
		names, err := d.below(ctx, start, prefix, nil)
		if err == nil {
			err = d.present()
		}
		if err != nil {
			yield(Info{}, err)
			return
		}
		slices.Sort(names)
		for _, name := range names {
			if !yield(Info{Name: name}, nil) {
				return
			}
		}
	}
}

// below adds the names of the files in a folder and in those in it.
func (d *Dir) below(ctx context.Context, dir, prefix string, names []string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(filepath.Join(d.root, filepath.FromSlash(dir)))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return names, nil
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		switch {
		case err != nil || !strings.HasPrefix(name, prefix):
		case e.IsDir():
			names, err = d.below(ctx, name, prefix, names)
		case !strings.HasPrefix(e.Name(), tempPrefix):
			names = append(names, name)
		}
	}
	return names, err
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
		return nil, d.present()
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
	return out, errors.Join(d.present(), ctx.Err())
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
	if err := d.present(); err != nil {
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
