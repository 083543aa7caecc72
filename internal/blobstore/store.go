// Package blobstore keeps named files: in a folder, in an Azure blob container,
// or in memory for simulations. All three hold one contract, which
// contract_test.go checks: a file is seen whole or not at all, a conditional write
// wins once, a lease has one holder.
//
// It knows nothing of what the files mean, and never shows half a file.
package blobstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path"
	"strings"
	"time"
	"unicode/utf8"
)

// The kinds of failure that callers decide on.
var (
	ErrNotFound  = errors.New("not found in the store")
	ErrExists    = errors.New("exists already in the store")
	ErrChanged   = errors.New("changed in the store since it was read")
	ErrLeaseHeld = errors.New("another run holds the lease")
	ErrLeaseLost = errors.New("the lease was lost")
	// ErrGone says that the store itself, or a file that is open in it, is no
	// longer where it was: nothing can be known of what is in it.
	ErrGone = errors.New("the store is not what it was when it was opened")
	// ErrThrottled says that the store has asked to come back later.
	ErrThrottled = errors.New("the store is throttling")
	ErrName      = errors.New("not a name for a file in the store")
)

// Store keeps named files. Names are slash-separated paths without empty, dot
// or dot-dot segments. All methods are safe for concurrent use.
type Store interface {
	// Get reads a small file whole; version is for PutIf.
	Get(ctx context.Context, name string) (data []byte, version string, err error)
	// Open reads a file as a stream.
	Open(ctx context.Context, name string) (io.ReadCloser, Info, error)
	// Peek says whether there is anything at a name, in whatever form, and
	// gives the beginning of its text if it is a file that can be read. What
	// cannot be found out is an error.
	Peek(ctx context.Context, name string, most int64) (beginning []byte, there bool, err error)
	// Put replaces a file.
	Put(ctx context.Context, name string, data []byte) error
	// PutNew makes a file that must not exist, else ErrExists.
	PutNew(ctx context.Context, name string, data []byte) error
	// PutIf replaces the given version of a file, else ErrChanged. The empty
	// version is that of a file that does not exist.
	PutIf(ctx context.Context, name string, data []byte, version string) (newVersion string, err error)
	// Create streams a file, which shows only once it is committed.
	Create(ctx context.Context, name string) (Writer, error)
	// Append opens a file to add to its end.
	Append(ctx context.Context, name string) (Appender, error)
	// List yields all files whose name begins with prefix, sorted by name. Of
	// their Info only the name is certain.
	List(ctx context.Context, prefix string) iter.Seq2[Info, error]
	// ListDirs gives the names of the folders directly in a folder, sorted;
	// the empty name is the root.
	ListDirs(ctx context.Context, dir string) ([]string, error)
	// Delete removes a file; one that is not there is no error.
	Delete(ctx context.Context, name string) error
	// Lease takes an exclusive lease, else *LeaseHeldError.
	Lease(ctx context.Context, name string, holder Holder) (Lease, error)
	// Leased says whether somebody holds a lease, and keeps nobody from taking it.
	Leased(ctx context.Context, name string) (bool, error)
	// URL says where the store is, without secrets.
	URL() string
}

// Info describes a file.
type Info struct {
	Name     string
	Size     int64
	Modified time.Time
	Version  string
}

// Writer streams one new file. Exactly one of Commit and Abort ends it; after
// a failed Commit nothing shows.
type Writer interface {
	io.Writer
	Commit(ctx context.Context) error
	Abort() error
}

// Appender adds to the end of a file. What Append was given survives a crash
// once it has returned.
type Appender interface {
	Append(ctx context.Context, data []byte) error
	Close() error
}

// Holder is who holds a lease.
type Holder struct {
	Run   string    `json:"run"`
	Host  string    `json:"host"`
	PID   int       `json:"pid"`
	Since time.Time `json:"since"`
}

// NewHolder is this process, which takes a lease for a run or for what else is said.
func NewHolder(run string, since time.Time) Holder {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return Holder{Run: run, Host: host, PID: os.Getpid(), Since: since.UTC()}
}

func (h Holder) String() string {
	return fmt.Sprintf("run %s on %s (process %d), since %s", h.Run, h.Host, h.PID, h.Since.UTC().Format(time.RFC3339))
}

// Lease is held until it is released or lost.
type Lease interface {
	// Context is cancelled with the cause ErrLeaseLost when the lease is lost.
	Context() context.Context
	// Expires is when the lease ends unless it is renewed; zero if it lasts
	// as long as the process.
	Expires() time.Time
	Release(ctx context.Context) error
}

// LeaseHeldError says who holds a lease; it wraps ErrLeaseHeld.
type LeaseHeldError struct{ Holder Holder }

func (e *LeaseHeldError) Error() string {
	if e.Holder.Run == "" && e.Holder.Host == "" {
		return ErrLeaseHeld.Error()
	}
	return ErrLeaseHeld.Error() + ": " + e.Holder.String()
}

// Unwrap gives ErrLeaseHeld.
func (e *LeaseHeldError) Unwrap() error { return ErrLeaseHeld }

// heldBy makes the error for a lease that another holds. Who took it a moment
// ago has yet to write its name: it is looked for a few times.
func heldBy(ctx context.Context, read func() ([]byte, error)) error {
	held := &LeaseHeldError{}
	for range 25 {
		data, err := read()
		if err != nil || json.Unmarshal(data, &held.Holder) == nil && held.Holder != (Holder{}) {
			break
		}
		select {
		case <-ctx.Done():
			return held
		case <-time.After(20 * time.Millisecond):
		}
	}
	return held
}

// maxName is what blob storage allows for a name, in bytes with room to spare.
const maxName = 900

// CheckName refuses names that could lead out of a store or mean two files in
// one of its forms.
func CheckName(name string) error {
	switch {
	case name == "", len(name) > maxName, !utf8.ValidString(name),
		strings.HasPrefix(name, "/"), strings.HasSuffix(name, "/"), path.Clean(name) != name, name == ".", name == "..",
		strings.HasPrefix(name, "../"), strings.ContainsAny(name, "\\\x00"),
		strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("%q: %w", name, ErrName)
	}
	for seg := range strings.SplitSeq(name, "/") {
		if strings.HasSuffix(seg, ".") || strings.HasPrefix(seg, tempPrefix) {
			return fmt.Errorf("%q: %w", name, ErrName)
		}
	}
	return nil
}

// tempPrefix begins the names of files that are being written.
const tempPrefix = ".writing-"
