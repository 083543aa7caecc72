package ledger_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/blobstore/azuritetest"
	"github.com/risksweep/risksweep/internal/ledger"
)

// offering is the emulator behind an account that offers version-level
// immutability, which the emulator itself answers with 501.
type offering struct {
	policies map[string]string // file -> mode and end
	refuse   string            // file whose policy is refused
}

func (o *offering) Do(r *http.Request) (*http.Response, error) {
	if r.URL.Query().Get("comp") == "immutabilityPolicies" {
		name := path.Base(r.URL.Path)
		code := http.StatusOK
		if name == o.refuse {
			code = http.StatusForbidden
		} else {
			o.policies[name] = header(r, "x-ms-immutability-policy-mode") + " " + header(r, "x-ms-immutability-policy-until-date")
		}
		return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(nil)), Request: r}, nil
	}
	res, err := http.DefaultClient.Do(r)
	if err == nil && r.URL.Query().Get("restype") == "container" {
		res.Header.Set("x-ms-immutable-storage-with-versioning-enabled", "true")
	}
	return res, err
}

// header is a header whose name the SDK writes in small letters, as
// http.Header.Get does not look for it.
func header(r *http.Request, name string) string {
	for k, v := range r.Header {
		if strings.EqualFold(k, name) {
			return strings.Join(v, ",")
		}
	}
	return ""
}

func immutable(t *testing.T, o *offering) *ledger.Ledger {
	t.Helper()
	server := azuritetest.Shared(t)
	opt := blobstore.AzureOptions{URL: server.Container(), ConnectionString: server.ConnectionString()}
	if o != nil {
		opt.Transport = o
	}
	store, err := blobstore.OpenAzure(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.CheckImmutable(t.Context()); o != nil && err != nil || o == nil && !errors.Is(err, blobstore.ErrNotImmutable) {
		t.Fatalf("what the container offers: %v", err)
	}
	return ledger.New(store, "contoso", ledger.Options{Now: time.Now, ImmutableDays: 30})
}

// Every file of a run has a policy that ends with the days that it is to be
// kept for, counted from the start of the run.
func TestFilesAreKeptFromChange(t *testing.T) {
	o := &offering{policies: map[string]string{}}
	w := &world{Ledger: immutable(t, o)}
	id := w.run(t, "apply")
	start, err := ledger.StartOf(id)
	if err != nil {
		t.Fatal(err)
	}
	until := "Unlocked " + start.Add(30*24*time.Hour).Format(http.TimeFormat)
	if d := cmp.Diff(map[string]string{"plan.json": until, "journal.jsonl": until, "manifest.json": until}, o.policies); d != "" {
		t.Error(d)
	}
}

// A policy that is refused fails the run before it is complete.
func TestAPolicyThatIsRefused(t *testing.T) {
	l := immutable(t, &offering{policies: map[string]string{}, refuse: "plan.json"})
	r, err := l.Begin(t.Context(), ledger.BeginOptions{Mode: "plan"})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.PutFile(t.Context(), "plan.json", []byte("{}\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Finish(t.Context(), ledger.Manifest{}, "", ""); err == nil {
		t.Error("the run is complete all the same")
	}
	runs, err := l.Runs(t.Context(), 0)
	if err != nil || slices.ContainsFunc(runs, func(i ledger.RunInfo) bool { return i.Complete }) {
		t.Errorf("%+v, %v", runs, err)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// The emulator offers none, and a folder has none.
func TestWhereNothingIsImmutable(t *testing.T) {
	immutable(t, nil)
	l := ledger.New(blobstore.NewMemory(), "contoso", ledger.Options{ImmutableDays: 30})
	r, err := l.Begin(t.Context(), ledger.BeginOptions{Mode: "plan"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Finish(t.Context(), ledger.Manifest{}, "", ""); err == nil {
		t.Error("a store without policies passed for one with")
	}
}
