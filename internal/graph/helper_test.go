package graph

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/risksweep/risksweep/internal/memnet"
)

// fixedToken is a credential with a token of its own making.
type fixedToken struct {
	token string
	err   error
	asked chan policy.TokenRequestOptions
}

func (f fixedToken) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if f.asked != nil {
		f.asked <- o
	}
	return azcore.AccessToken{Token: f.token, ExpiresOn: time.Now().Add(time.Hour)}, f.err
}

// jwt is an unsigned token that carries roles.
func jwt(roles ...string) string {
	payload, err := json.Marshal(map[string]any{
		"appid": "11111111-1111-1111-1111-111111111111", "oid": "22222222-2222-2222-2222-222222222222", "roles": roles,
	})
	if err != nil {
		panic(err)
	}
	return "e30." + base64.RawURLEncoding.EncodeToString(payload) + ".sig"
}

const testRoot = "http://127.0.0.1/v1.0"

// bubble runs f with a client of a scripted service, in virtual time. It fails
// if a goroutine is left behind.
func bubble(t *testing.T, handler http.HandlerFunc, o Options, f func(t *testing.T, c *Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		listener := memnet.Listen()
		server := &http.Server{Handler: handler, ErrorLog: nil}
		go func() { _ = server.Serve(listener) }()
		transport := &http.Transport{DialContext: listener.DialContext, DisableCompression: true}
		if o.Endpoint == "" {
			o.Endpoint = testRoot
		}
		if o.Credential == nil {
			o.Credential = fixedToken{token: "opaque"}
		}
		if o.Transport == nil {
			o.Transport = transport
		}
		if o.Jitter == nil {
			o.Jitter = func() float64 { return 0 }
		}
		c, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		f(t, c)
		transport.CloseIdleConnections()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour) // a handler that sleeps wakes, and ends
	})
}

// answerJSON answers with a body as it stands.
func answerJSON(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("request-id", "req-1")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// refuseWith answers with Graph's envelope.
func refuseWith(w http.ResponseWriter, status int, code, message string) {
	answerJSON(w, status, fmt.Sprintf(`{"error":{"code":%q,"message":%q,"innerError":{"date":"2026-11-23T10:00:00","request-id":"r","client-request-id":"c"}}}`, code, message))
}

// list makes a collection's answer of rows.
func list(next string, rows ...string) string {
	link := ""
	if next != "" {
		link = fmt.Sprintf(`,"@odata.nextLink":%q`, next)
	}
	return `{"@odata.context":"c"` + link + `,"value":[` + strings.Join(rows, ",") + `]}`
}

// drop breaks the connection without an answer.
func drop(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_ = conn.Close()
}

func ctx(t *testing.T) context.Context { return t.Context() }

// refusing is a transport whose first dials are refused.
type refusing struct {
	dials   *atomic.Int64
	refused int64
	status  int
}

func (r refusing) RoundTrip(req *http.Request) (*http.Response, error) {
	n := r.dials.Add(1)
	if trace := httptrace.ContextClientTrace(req.Context()); trace != nil {
		trace.GetConn(req.URL.Host)
		if n > r.refused {
			trace.WroteHeaders()
		}
	}
	if n <= r.refused {
		return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	}
	return &http.Response{StatusCode: r.status, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
}
