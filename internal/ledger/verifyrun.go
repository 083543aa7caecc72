package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/risksweep/risksweep/internal/blobstore"
)

// digest is a SHA-256; the zero value stands for the empty text, which is that
// of no run.
type digest [sha256.Size]byte

// digestOf reads a hash as a manifest names it. A text that is no hash becomes
// one that no file has.
func digestOf(text string) (d digest) {
	if text == "" {
		return d
	}
	if !isHash(text) {
		return sha256.Sum256([]byte("no hash: " + text))
	}
	_, _ = hex.Decode(d[:], []byte(text)) // a hash: it cannot fail
	return d
}

func (d digest) String() string {
	if d == (digest{}) {
		return ""
	}
	return hex.EncodeToString(d[:])
}

// checked is a run with what is wrong with its files.
type checked struct {
	storedRun
	damaged  error // why its manifest cannot be read
	problems []string
}

// checkRun reads a run's manifest and checks its files.
func (l *Ledger) checkRun(ctx context.Context, id string) (c checked, err error) {
	c.Manifest, c.sum, err = l.manifest(ctx, id)
	switch {
	case errors.Is(err, blobstore.ErrNotFound):
		c.exists, err = l.exists(ctx, id)
	case isCorrupt(err):
		c.damaged, err = err, nil
	case err == nil:
		c.exists, c.complete = true, true
		c.problems, err = l.verifyRun(ctx, id, c.Manifest)
	}
	return c, err
}

// verifyRun checks one run's files.
func (l *Ledger) verifyRun(ctx context.Context, id string, m Manifest) ([]string, error) {
	var problems []string
	bad := func(format string, args ...any) {
		problems = append(problems, fmt.Sprintf("run %s: ", id)+fmt.Sprintf(format, args...))
	}
	if m.Run != id || m.Tenant != l.tenant {
		bad("the manifest is that of run %s of tenant %s", m.Run, m.Tenant)
	}
	dir, err := l.runDir(id)
	if err != nil {
		return nil, err
	}
	listed := map[string]bool{"manifest.json": true}
	for _, f := range m.Files {
		listed[f.Name] = true
		size, sum, err := l.sumOf(ctx, dir+"/"+f.Name)
		switch {
		case errors.Is(err, blobstore.ErrNotFound) || errors.Is(err, blobstore.ErrName):
			bad("%s is missing", f.Name)
		case err != nil:
			return nil, err
		case size < f.Size:
			bad("%s is truncated: %d of %d bytes", f.Name, size, f.Size)
		case size > f.Size:
			bad("%s has grown: %d bytes instead of %d", f.Name, size, f.Size)
		case sum != f.SHA256:
			bad("%s was changed: its SHA-256 is %s instead of %s", f.Name, sum, f.SHA256)
		}
	}
	for info, err := range l.store.List(ctx, dir+"/") {
		if err != nil {
			return nil, err
		}
		if name := info.Name[len(dir)+1:]; !listed[name] {
			bad("%s is not in the manifest", name)
		}
	}
	return problems, nil
}

// buffers are used again from file to file.
var buffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// sumOf gives the size of a file and the hash of its bytes.
func (l *Ledger) sumOf(ctx context.Context, name string) (int64, string, error) {
	in, _, err := l.store.Open(ctx, name)
	if err != nil {
		return 0, "", err
	}
	buf := buffers.Get().(*[64 << 10]byte)
	defer buffers.Put(buf)
	sum := sha256.New()
	// Only a Reader: what writes itself would take a buffer of its own.
	size, err := io.CopyBuffer(sum, struct{ io.Reader }{in}, buf[:])
	return size, hex.EncodeToString(sum.Sum(nil)), errors.Join(err, in.Close())
}
