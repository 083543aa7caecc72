package blobstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/blobstore/azuritetest"
)

// account answers as a storage account that throttles some requests first.
type account struct {
	throttle int // how many requests from now on
	status   int
	header   map[string]string
	asked    int
	bodies   []string // of the writes that were taken
}

func (a *account) Do(r *http.Request) (*http.Response, error) {
	a.asked++
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	answer := func(code int, text string, header map[string]string) (*http.Response, error) {
		h := http.Header{}
		for k, v := range header {
			h.Set(k, v)
		}
		return &http.Response{StatusCode: code, Header: h, Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)), Request: r}, nil
	}
	if a.throttle > 0 {
		a.throttle--
		return answer(a.status, "", a.header)
	}
	switch {
	case r.URL.Query().Get("comp") == "list":
		return answer(200, `<?xml version="1.0"?><EnumerationResults><Blobs></Blobs></EnumerationResults>`, map[string]string{"Content-Type": "application/xml"})
	case leaseAction(r.Header) == "release":
		return answer(200, "", nil)
	case r.Method == http.MethodPut:
		a.bodies = append(a.bodies, string(body))
		return answer(201, "", map[string]string{"ETag": `"1"`})
	case r.Method == http.MethodDelete:
		return answer(202, "", nil)
	}
	return answer(200, "content", map[string]string{"ETag": `"1"`, "Content-Length": "7"})
}

func throttled(t *testing.T, a *account, told *[]time.Duration) *blobstore.Azure {
	t.Helper()
	s, err := blobstore.OpenAzure(t.Context(), blobstore.AzureOptions{URL: "https://acct.blob.core.windows.net/c", Transport: a,
		ConnectionString: "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net",
		Throttled:        func(wait time.Duration) { *told = append(*told, wait) }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// An account that throttles is waited for as long as it asks, at whatever call.
func TestAThrottledStoreIsWaitedFor(t *testing.T) {
	for name, call := range map[string]func(context.Context, *blobstore.Azure) error{
		"put": func(ctx context.Context, s *blobstore.Azure) error { return s.Put(ctx, "a", []byte("text")) },
		"put if": func(ctx context.Context, s *blobstore.Azure) error {
			_, err := s.PutIf(ctx, "a", []byte("text"), "1")
			return err
		},
		"get": func(ctx context.Context, s *blobstore.Azure) error {
			data, _, err := s.Get(ctx, "a")
			if err == nil && string(data) != "content" {
				err = errors.New(string(data))
			}
			return err
		},
		"stream": func(ctx context.Context, s *blobstore.Azure) error {
			w, err := s.Create(ctx, "a")
			if err == nil {
				_, err = w.Write(bytes.Repeat([]byte("x"), 1<<20))
			}
			return errors.Join(err, w.Commit(ctx))
		},
		"append": func(ctx context.Context, s *blobstore.Azure) error {
			a, err := s.Append(ctx, "a")
			if err != nil {
				return err
			}
			return a.Append(ctx, []byte("line\n"))
		},
		"list": func(ctx context.Context, s *blobstore.Azure) error {
			for _, err := range s.List(ctx, "") {
				return err
			}
			return nil
		},
		"folders": func(ctx context.Context, s *blobstore.Azure) error { _, err := s.ListDirs(ctx, ""); return err },
		"delete":  func(ctx context.Context, s *blobstore.Azure) error { return s.Delete(ctx, "a") },
		"lease": func(ctx context.Context, s *blobstore.Azure) error {
			l, err := s.Lease(ctx, "lock", blobstore.Holder{})
			if err != nil {
				return err
			}
			if left := time.Until(l.Expires()); left < 30*time.Second {
				err = errors.New("it ends in " + left.String())
			}
			return errors.Join(err, l.Release(ctx))
		},
	} {
		for _, c := range []struct {
			status int
			header map[string]string
			wait   time.Duration
		}{
			{429, map[string]string{"Retry-After": "300"}, 5 * time.Minute},
			{503, map[string]string{"Retry-After": "61"}, 61 * time.Second},
			{503, map[string]string{"Retry-After": "30"}, 30 * time.Second},
			{503, map[string]string{"Retry-After-Ms": "90000"}, 90 * time.Second},
			{429, map[string]string{"Retry-After": "Mon, 30 Nov 2026 10:02:00 GMT", "Date": "Mon, 30 Nov 2026 10:00:00 GMT"}, 2 * time.Minute},
		} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var told []time.Duration
					a := &account{status: c.status, header: c.header}
					s := throttled(t, a, &told)
					a.throttle = 6
					began := time.Now()
					if err := call(t.Context(), s); err != nil {
						t.Fatal(err)
					}
					if took := time.Since(began); took < 6*c.wait || len(told) != 6 || told[0] != c.wait {
						t.Errorf("%d %v: waited %s, told %v", c.status, c.header, took, told)
					}
				})
			})
		}
	}
}

// What the caller has no time for is given up at once, and told as throttling.
func TestNoTimeForAThrottledStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []time.Duration
		a := &account{status: 503, header: map[string]string{"Retry-After": "300"}}
		s := throttled(t, a, &told)
		a.throttle = 1000
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
		defer cancel()
		began := time.Now()
		err := s.Put(ctx, "a", nil)
		if !errors.Is(err, blobstore.ErrThrottled) || time.Since(began) > time.Second || len(told) > 0 ||
			!strings.Contains(err.Error(), "store https://acct.blob.core.windows.net/c: a: the store is throttling (503) and asks to wait 5m0s, for which there is no time left") {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		// Where nobody set a time it ends all the same.
		if err := s.Put(context.Background(), "a", nil); !errors.Is(err, blobstore.ErrThrottled) || time.Since(began) > 2*time.Hour {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

func TestAWaitThatIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []time.Duration
		a := &account{status: 429, header: map[string]string{"Retry-After": "300"}}
		s := throttled(t, a, &told)
		a.throttle = 1000
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		began := time.Now()
		if err := s.Put(ctx, "a", nil); !errors.Is(err, context.Canceled) || !errors.Is(err, blobstore.ErrThrottled) || time.Since(began) > 61*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

// An answer without a wish is left to the SDK's few tries.
func TestAStoreThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []time.Duration
		a := &account{status: 503}
		s := throttled(t, a, &told)
		a.throttle, a.asked = 1000, 0
		began := time.Now()
		if err := s.Put(t.Context(), "a", nil); err == nil || time.Since(began) > 30*time.Second || len(told) > 0 {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

// A secret that was rotated is read again when the account refuses the old one.
func TestARotatedSecretOfTheStore(t *testing.T) {
	server := azuritetest.Shared(t)
	url := server.Container()
	azure(t, url, nil) // makes it
	key, err := container.NewSharedKeyCredential(azuritetest.Account, azuritetest.Key)
	if err != nil {
		t.Fatal(err)
	}
	client, err := container.NewClientWithSharedKeyCredential(url, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed := func(ends time.Duration) string {
		start := time.Now().Add(-time.Hour)
		text, err := client.GetSASURL(sas.ContainerPermissions{Read: true, Write: true, Create: true, List: true, Delete: true, Add: true},
			time.Now().Add(ends), &container.GetSASURLOptions{StartTime: &start})
		if err != nil {
			t.Fatal(err)
		}
		_, query, _ := strings.Cut(text, "?")
		return query
	}
	const foreign = "AccountName=" + azuritetest.Account + ";AccountKey=b3RoZXI="
	for name, c := range map[string]struct {
		set             func(*blobstore.AzureOptions)
		broken, renewed string
	}{
		"key":               {func(o *blobstore.AzureOptions) { o.ConnectionString = foreign }, "AccountName=half", server.ConnectionString()},
		"signature":         {func(o *blobstore.AzureOptions) { o.ConnectionString, o.SAS = "", signed(-time.Minute) }, "sv=half", signed(time.Hour)},
		"marked signature":  {func(o *blobstore.AzureOptions) { o.ConnectionString, o.SAS = "", signed(-time.Minute) }, "", "?" + signed(time.Hour)},
		"connection by SAS": {func(o *blobstore.AzureOptions) { o.ConnectionString = "SharedAccessSignature=" + signed(-time.Minute) }, "", "SharedAccessSignature=" + signed(time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			now := ""
			o := blobstore.AzureOptions{URL: url, Reread: func() string { return now }}
			c.set(&o)
			s, err := blobstore.OpenAzure(t.Context(), o)
			if err != nil && name != "key" {
				t.Fatal(err)
			}
			if err != nil { // a wrong key does not even open the emulator
				now = c.renewed
				if s, err = blobstore.OpenAzure(t.Context(), o); err != nil {
					t.Fatal(err)
				}
			}
			now = c.broken
			if err := s.Put(t.Context(), "a", []byte("b")); err == nil && name != "key" {
				t.Error("the old signature is taken")
			}
			now = c.renewed
			for range 2 {
				if err := s.Put(t.Context(), "a", bytes.Repeat([]byte("b"), 2<<20)); err != nil {
					t.Error(err)
				}
			}
			if data, _, err := s.Get(t.Context(), "a"); err != nil || len(data) != 2<<20 {
				t.Errorf("%d bytes, %v", len(data), err)
			}
		})
	}
}

// leaseAction is what is done to a lease. The SDK writes the header in lower
// case.
func leaseAction(h http.Header) string {
	for name, values := range h {
		if strings.EqualFold(name, "x-ms-lease-action") {
			return values[0]
		}
	}
	return ""
}
