package blobstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/blobstore"
)

// The contract of package blobstore, as one suite that every store runs. What a
// store cannot do is no option of it.

// opened is one store, opened twice as two processes would. Vanish takes it
// away behind their backs.
type opened struct {
	A, B   blobstore.Store
	Vanish func() error
}

// holdsContract runs the suite; open gives an empty store each time.
func holdsContract(t *testing.T, open func(testing.TB) opened) {
	for name, test := range map[string]func(*testing.T, opened){
		"Put": testPut, "Missing": testMissing, "PutNew": testPutNew, "PutIf": testPutIf, "PutIfRace": testPutIfRace,
		"Create": testCreate, "Abort": testAbort, "Cancelled": testCancelled, "Large": testLarge, "Append": testAppend,
		"List": testList, "ListDirs": testListDirs, "Delete": testDelete, "Names": testNames, "Peek": testPeek, "Lease": testLease, "LeaseRace": testLeaseRace, "Vanished": testVanished,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

func content(t *testing.T, s blobstore.Store, name string) string {
	t.Helper()
	data, _, err := s.Get(t.Context(), name)
	must(t, err)
	in, info, err := s.Open(t.Context(), name)
	must(t, err)
	streamed, err := io.ReadAll(in)
	must(t, errors.Join(err, in.Close()))
	if !bytes.Equal(data, streamed) || info.Size != int64(len(data)) || info.Name != name {
		t.Errorf("%s: Get gives %d bytes, Open %d of %+v", name, len(data), len(streamed), info)
	}
	if age := time.Since(info.Modified); age < -time.Hour || age > time.Hour {
		t.Errorf("%s was modified at %s", name, info.Modified)
	}
	return string(data)
}

func testPut(t *testing.T, o opened) {
	ctx := t.Context()
	for _, text := range []string{"first", "", "a longer second text"} {
		must(t, o.A.Put(ctx, "a/b/c.json", []byte(text)))
		if got := content(t, o.B, "a/b/c.json"); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
	}
	if o.A.URL() == "" || o.A.URL() != o.B.URL() {
		t.Errorf("%q and %q", o.A.URL(), o.B.URL())
	}
}

func testMissing(t *testing.T, o opened) {
	ctx := t.Context()
	must(t, o.A.Put(ctx, "folder/file", nil))
	for _, name := range []string{"none", "folder", "folder/file/deeper", "folder/none"} {
		_, _, err := o.A.Get(ctx, name)
		wants(t, err, blobstore.ErrNotFound)
		_, _, err = o.A.Open(ctx, name)
		wants(t, err, blobstore.ErrNotFound)
	}
}

func testPutNew(t *testing.T, o opened) {
	ctx := t.Context()
	must(t, o.A.PutNew(ctx, "once", []byte("mine")))
	wants(t, o.B.PutNew(ctx, "once", []byte("theirs")), blobstore.ErrExists)
	if got := content(t, o.A, "once"); got != "mine" {
		t.Errorf("got %q", got)
	}
}

func testPutIf(t *testing.T, o opened) {
	ctx := t.Context()
	_, err := o.A.PutIf(ctx, "state", []byte("0"), "nonsense")
	wants(t, err, blobstore.ErrChanged)
	first, err := o.A.PutIf(ctx, "state", []byte("1"), "")
	must(t, err)
	_, err = o.B.PutIf(ctx, "state", []byte("x"), "")
	wants(t, err, blobstore.ErrChanged)
	_, read, err := o.B.Get(ctx, "state")
	must(t, err)
	if read != first {
		t.Errorf("written as %q, read as %q", first, read)
	}
	second, err := o.B.PutIf(ctx, "state", []byte("2"), first)
	must(t, err)
	_, err = o.A.PutIf(ctx, "state", []byte("x"), first)
	wants(t, err, blobstore.ErrChanged)
	_, err = o.A.PutIf(ctx, "state", []byte("3"), second)
	must(t, err)
	if got := content(t, o.B, "state"); got != "3" {
		t.Errorf("got %q", got)
	}
}

// Of several who replace one version, one wins.
func testPutIfRace(t *testing.T, o opened) {
	ctx := t.Context()
	version := ""
	for round := range 5 {
		var won atomic.Int32
		var next sync.Map
		var wg sync.WaitGroup
		for i := range 8 {
			s := []blobstore.Store{o.A, o.B}[i%2]
			wg.Go(func() {
				v, err := s.PutIf(ctx, "state", fmt.Appendf(nil, "%d by %d", round, i), version)
				switch {
				case err == nil:
					won.Add(1)
					next.Store("version", v)
				case !errors.Is(err, blobstore.ErrChanged):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d won", won.Load())
		}
		v, _ := next.Load("version")
		version = v.(string)
	}
}

func testCreate(t *testing.T, o opened) {
	ctx := t.Context()
	must(t, o.A.Put(ctx, "report.csv", []byte("old")))
	w, err := o.A.Create(ctx, "report.csv")
	must(t, err)
	for range 3 {
		_, err = io.WriteString(w, "line\r\n")
		must(t, err)
	}
	if got := content(t, o.B, "report.csv"); got != "old" {
		t.Errorf("before the commit: %q", got)
	}
	must(t, w.Commit(ctx))
	if got := content(t, o.B, "report.csv"); got != "line\r\nline\r\nline\r\n" {
		t.Errorf("got %q", got)
	}
	if w.Commit(ctx) == nil {
		t.Error("committed twice")
	}
}

func testAbort(t *testing.T, o opened) {
	ctx := t.Context()
	w, err := o.A.Create(ctx, "d/aborted")
	must(t, err)
	_, err = w.Write(make([]byte, 3<<20))
	must(t, err)
	must(t, w.Abort())
	invisible(t, o, "d/aborted")
}

func testCancelled(t *testing.T, o opened) {
	w, err := o.A.Create(t.Context(), "d/cancelled")
	must(t, err)
	_, err = io.WriteString(w, "half")
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if w.Commit(ctx) == nil {
		t.Error("committed under a cancelled context")
	}
	if o.A.Put(ctx, "d/cancelled", []byte("x")) == nil {
		t.Error("put under a cancelled context")
	}
	invisible(t, o, "d/cancelled")
}

func invisible(t *testing.T, o opened, name string) {
	t.Helper()
	_, _, err := o.B.Get(t.Context(), name)
	wants(t, err, blobstore.ErrNotFound)
	for i, err := range o.B.List(t.Context(), "") {
		must(t, err)
		t.Errorf("listed: %s", i.Name)
	}
}

// A file of several blocks comes back byte by byte, through a reader that goes
// on reading what was opened although it is replaced meanwhile or not.
func testLarge(t *testing.T, o opened) {
	ctx := t.Context()
	var want bytes.Buffer
	w, err := o.A.Create(ctx, "large")
	must(t, err)
	for i := range 60_000 {
		line := fmt.Sprintf("%07d a line of a file that is larger than one block\n", i)
		want.WriteString(line)
		_, err := io.WriteString(w, line)
		must(t, err)
	}
	must(t, w.Commit(ctx))
	if got := content(t, o.B, "large"); got != want.String() {
		t.Errorf("%d bytes, want %d", len(got), want.Len())
	}
}

func testAppend(t *testing.T, o opened) {
	ctx := t.Context()
	a, err := o.A.Append(ctx, "run/journal.jsonl")
	must(t, err)
	if got := content(t, o.B, "run/journal.jsonl"); got != "" {
		t.Errorf("a new file holds %q", got)
	}
	must(t, a.Append(ctx, []byte("one\n")))
	if got := content(t, o.B, "run/journal.jsonl"); got != "one\n" {
		t.Errorf("after one: %q", got)
	}
	must(t, a.Append(ctx, []byte("two\n")))
	must(t, a.Close())
	b, err := o.B.Append(ctx, "run/journal.jsonl")
	must(t, err)
	must(t, b.Append(ctx, []byte(strings.Repeat("x", 5<<20))))
	must(t, b.Close())
	if got := content(t, o.A, "run/journal.jsonl"); len(got) != 8+5<<20 || !strings.HasPrefix(got, "one\ntwo\nxx") {
		t.Errorf("%d bytes", len(got))
	}
}

func testList(t *testing.T, o opened) {
	ctx := t.Context()
	var want []string
	for i := range 120 {
		name := fmt.Sprintf("t/runs/%03d/report.json", i)
		want = append(want, name)
		must(t, o.A.Put(ctx, name, fmt.Appendf(nil, "%d", i)))
	}
	must(t, o.A.Put(ctx, "t-other/x", nil))
	var got []string
	for i, err := range o.B.List(ctx, "t/") {
		must(t, err)
		got = append(got, i.Name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	got = nil
	for i, err := range o.B.List(ctx, "t/runs/11") {
		must(t, err)
		if got = append(got, i.Name); len(got) == 3 {
			break
		}
	}
	if diff := cmp.Diff(want[110:113], got); diff != "" {
		t.Errorf("a prefix (-want +got)\n%s", diff)
	}
	for i, err := range o.B.List(ctx, "none/") {
		t.Errorf("%v %v", i, err)
	}
}

func testListDirs(t *testing.T, o opened) {
	ctx := t.Context()
	for _, name := range []string{"b/1/x", "a/2/y", "a/2/z", "a/10/y", "a/file", "file", "a-b/x"} {
		must(t, o.A.Put(ctx, name, []byte("x")))
	}
	for dir, want := range map[string][]string{"": {"a", "a-b", "b"}, "a": {"10", "2"}, "a/2": nil, "none": nil} {
		got, err := o.B.ListDirs(ctx, dir)
		must(t, err)
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", dir, got, want)
		}
	}
}

func testDelete(t *testing.T, o opened) {
	ctx := t.Context()
	must(t, o.A.Put(ctx, "a/b", []byte("x")))
	must(t, o.B.Delete(ctx, "a/b"))
	must(t, o.A.Delete(ctx, "a/b"))
	must(t, o.A.Delete(ctx, "none/at/all"))
	invisible(t, o, "a/b")
	if dirs, err := o.A.ListDirs(ctx, ""); err != nil || len(dirs) > 0 {
		t.Errorf("%q, %v", dirs, err)
	}
	must(t, o.A.PutNew(ctx, "a/b", []byte("y")))
}

func testPeek(t *testing.T, o opened) {
	peek := func(name, want string, wantThere bool) {
		t.Helper()
		got, there, err := o.B.Peek(t.Context(), name, 8)
		if string(got) != want || there != wantThere || err != nil {
			t.Errorf("%s: %q, there %v, %v; want %q, %v", name, got, there, err, want, wantThere)
		}
	}
	peek("a/absent", "", false)
	must(t, o.A.Put(t.Context(), "a/short", []byte("why")))
	must(t, o.A.Put(t.Context(), "a/empty", nil))
	must(t, o.A.Put(t.Context(), "a/large", bytes.Repeat([]byte("x"), 1<<20)))
	must(t, o.A.Put(t.Context(), "a/folder/file", []byte("why")))
	must(t, o.A.Put(t.Context(), "a/longername", []byte("why")))
	peek("a/short", "why", true)
	peek("a/empty", "", true)
	peek("a/large", "xxxxxxxx", true)
	peek("a/folder", "", true)
	peek("a/longer", "", false)
	must(t, o.A.Delete(t.Context(), "a/short"))
	peek("a/short", "", false)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, there, err := o.A.Peek(ctx, "a/empty", 8); err == nil {
		t.Errorf("cancelled: there %v without an error", there)
	}
}

func testNames(t *testing.T, o opened) {
	ctx := t.Context()
	odd := []string{"a b", "ä/ö.json", "日本語", "100%", "a+b&c=d?e#f", "'quoted'", "semi;colon,comma", "~tilde", "a%2Fb", strings.Repeat("x", 200)}
	for i, name := range odd {
		must(t, o.A.Put(ctx, name, fmt.Appendf(nil, "%d", i)))
	}
	for i, name := range odd {
		if got := content(t, o.B, name); got != fmt.Sprint(i) {
			t.Errorf("%s holds %q", name, got)
		}
	}
	var listed []string
	for i, err := range o.B.List(ctx, "") {
		must(t, err)
		listed = append(listed, i.Name)
	}
	slices.Sort(odd)
	if diff := cmp.Diff(odd, listed); diff != "" {
		t.Errorf("listed (-want +got)\n%s", diff)
	}
	for _, name := range []string{"", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", `a\b`, "a\x00b", "a\nb", "a.", "a./b", ".writing-x", "\xff", strings.Repeat("x", 2000)} {
		_, _, err := o.A.Get(ctx, name)
		wants(t, err, blobstore.ErrName)
		wants(t, o.A.Put(ctx, name, nil), blobstore.ErrName)
		wants(t, o.A.Delete(ctx, name), blobstore.ErrName)
		_, err = o.A.Create(ctx, name)
		wants(t, err, blobstore.ErrName)
		_, err = o.A.Append(ctx, name)
		wants(t, err, blobstore.ErrName)
		_, err = o.A.Lease(ctx, name, blobstore.Holder{})
		wants(t, err, blobstore.ErrName)
	}
}
