package blobstore

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
)

// Peek says whether there is anything at a name: a file, a folder, a link that
// leads nowhere, something that cannot be read. Only what is plainly absent is
// not there; what cannot be found out is an error, also where the whole store
// is gone. It gives the beginning of a file's text, at most that many bytes,
// and none of what is no file or cannot be read.
func (d *Dir) Peek(ctx context.Context, name string, most int64) (beginning []byte, there bool, err error) {
	p, err := d.path(name)
	if err != nil {
		return nil, false, err
	}
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	if _, err := os.Lstat(p); err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, false, err
		}
		return nil, false, d.present()
	}
	// A pipe, for one, would keep its reader waiting.
	if st, err := os.Stat(p); err != nil || !st.Mode().IsRegular() {
		return nil, true, nil
	}
	f, err := os.Open(p)
	if err != nil {
		return nil, true, nil
	}
	return readBeginning(f, most), true, nil
}

// readBeginning reads what it can get of the first bytes.
func readBeginning(in io.ReadCloser, most int64) []byte {
	defer in.Close()
	data, _ := io.ReadAll(io.LimitReader(in, most)) // that it is there is what counts
	return data
}

// Peek says whether there is anything at a name; see Dir.Peek. A folder of
// blobs counts too.
func (a *Azure) Peek(ctx context.Context, name string, most int64) (beginning []byte, there bool, err error) {
	in, _, err := a.Open(ctx, name)
	switch {
	case err == nil:
		return readBeginning(in, most), true, nil
	case !errors.Is(err, ErrNotFound):
		return nil, false, err
	}
	for _, err := range a.List(ctx, name+"/") {
		return nil, err == nil, err
	}
	return nil, false, nil
}

// Peek says whether there is anything at a name; see Dir.Peek.
func (m *Memory) Peek(ctx context.Context, name string, most int64) (beginning []byte, there bool, err error) {
	late, err := m.begin(ctx, "peek", name)
	if err != nil || late != nil {
		return nil, false, orError(err, late)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if f, ok := m.files[name]; ok {
		return append([]byte(nil), f.data[:min(int64(len(f.data)), most)]...), true, nil
	}
	for other := range m.files {
		if strings.HasPrefix(other, name+"/") {
			return nil, true, nil
		}
	}
	return nil, false, nil
}
