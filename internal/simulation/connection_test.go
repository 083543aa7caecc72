package simulation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fault is what happens to one request.
type fault int

const (
	none fault = iota
	throttled
	throttledFor
	unavailable
	failedAfter // the effect, then a 500
	refused     // nothing was sent
	resetBefore
	resetAfter
	hangs // after its effect
	truncated
	loops
	repeats // the rows of the page before come once more
	chosen  = iota - 1
)

// What a chosen one becomes, or is by order.
const (
	hangsBefore fault = chosen + 1 + iota
	diesAfter
)

var faultNames = [...]string{"", "429", "429 with Retry-After", "503", "500 after the effect", "connection refused", "reset before the effect", "reset after the effect",
	"timeout after the effect", "truncated", "looping link", "repeated rows", "timeout", "its last"}

// fate carries what befalls a request from the process's side of the
// connection to the tenant's.
const fate = "Simulated-Fate"

// RoundTrip sends one request to the tenant, or not.
func (p *process) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if p.between != nil {
		if p.between(p.requests + 1); r.Context().Err() != nil {
			return nil, r.Context().Err()
		}
	}
	f, err := p.meet(r)
	if err != nil {
		return nil, err
	}
	sent := r.Clone(r.Context())
	sent.Header.Set(fate, strconv.Itoa(int(f)))
	res, err := p.transport.RoundTrip(sent)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead && err == nil {
		err = errors.Join(errDead, res.Body.Close())
	}
	if err != nil {
		return nil, err
	}
	return res, nil
}

// meet decides what befalls a request. An error is one that it meets before it
// is sent.
func (p *process) meet(r *http.Request) (fault, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return none, errDead
	}
	if p.requests++; p.requests == p.jumpAt {
		p.w.say("%s: its clock jumps by %s", p.name, p.jump)
		p.skew.Add(int64(p.jump))
	}
	if p.requests == p.holdAt && !p.w.quiet {
		p.w.hold(p)
	}
	p.renew()
	p.w.befall()
	if p.requests == p.revokeAt {
		p.w.say("%s: its token is revoked", p.name)
		p.tokens.revoke()
	}
	f := none
	if !p.w.quiet && p.net.IntN(100) < p.faulty {
		f = fault(1 + p.net.IntN(int(chosen)))
	}
	path := strings.TrimPrefix(r.URL.Path, "/v1.0")
	p.sent = append(p.sent, r.Method+" "+path)
	if p.outage != "" && !p.w.quiet && strings.HasPrefix(path, p.outage) {
		f = unavailable
	}
	if f == hangs && p.net.IntN(2) == 0 {
		f = hangsBefore
	}
	if p.dieAt > 0 && p.requests == p.dieAt {
		if f = diesAfter; !p.dieLate {
			p.die(r.Method + " " + path)
			return none, errDead
		}
	}
	if p.lose != nil && p.lose(path) {
		f = resetBefore
	}
	if f != none {
		p.w.say("%s: %s %s: %s", p.name, r.Method, path, faultNames[f])
	}
	if f == refused {
		// The client is to see that nobody was reached.
		if t := httptrace.ContextClientTrace(r.Context()); t != nil && t.GetConn != nil {
			t.GetConn(r.URL.Host)
		}
		return none, errors.New("dial: connection refused")
	}
	return f, nil
}

// ServeHTTP is the tenant's end of the process's connections.
func (p *process) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	n, err := strconv.Atoi(r.Header.Get(fate))
	if err != nil {
		panic(err) // RoundTrip sets it
	}
	f := fault(n)
	r.Header.Del(fate)
	switch f {
	case throttled, throttledFor:
		if f == throttledFor {
			out.Header().Set("Retry-After", "3")
		}
		refuse(out, http.StatusTooManyRequests, "TooManyRequests")
		return
	case unavailable:
		refuse(out, http.StatusServiceUnavailable, "ServiceUnavailable")
		return
	case resetBefore:
		hangUp(out)
		return
	case hangsBefore:
		<-r.Context().Done()
		return
	}
	if !p.admits(r) {
		refuse(out, http.StatusUnauthorized, "InvalidAuthenticationToken")
		return
	}
	rec, data := p.answer(r, body, f)
	switch f {
	case failedAfter:
		refuse(out, http.StatusInternalServerError, "InternalServerError")
		return
	case resetAfter, diesAfter:
		hangUp(out)
		return
	case hangs:
		<-r.Context().Done()
		return
	}
	maps.Copy(out.Header(), rec.Header())
	out.Header().Set("Content-Length", strconv.Itoa(len(data)))
	out.WriteHeader(rec.Code)
	if f == truncated && len(data) > 2 {
		data = data[:len(data)/2]
	}
	_, _ = out.Write(data) // the client may be gone
}

// answer lets the tenant answer, and gives the body as the service shows it.
func (p *process) answer(r *http.Request, body []byte, f fault) (*httptest.ResponseRecorder, []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/v1.0")
	rec := p.w.serve(p, r, body, path)
	if f == diesAfter {
		p.die(r.Method + " " + path + ", after its effect")
	}
	data := rec.Body.Bytes()
	if _, paged := pageSizes[path]; paged && rec.Code == 200 {
		data = p.page(path, data, f == repeats && r.URL.Query().Has("$skiptoken"))
	}
	if f == loops {
		data = bytes.Replace(data, []byte(`"value":`), []byte(`"@odata.nextLink":"http://`+r.Host+r.URL.RequestURI()+`","value":`), 1)
	}
	return rec, data
}

func refuse(out http.ResponseWriter, code int, name string) {
	out.Header().Set("Content-Type", "application/json")
	out.WriteHeader(code)
	_, _ = fmt.Fprintf(out, `{"error":{"code":%q,"message":""}}`, name) // the client may be gone
}

// hangUp breaks the connection without an answer.
func hangUp(out http.ResponseWriter) {
	if conn, _, err := out.(http.Hijacker).Hijack(); err == nil {
		_ = conn.Close()
	}
}

// end closes the process's connections.
func (p *process) end() {
	p.transport.CloseIdleConnections()
	_ = p.server.Close() // all that it had to say is said
}

// pageSizes are the pages that a sweep asks for; the service may give smaller
// ones, and then what changes meanwhile shifts the later rows.
var pageSizes = map[string]string{"/identityProtection/riskDetections": "500", "/identityProtection/riskyUsers": "500"}

// page makes of a page what the service shows: without what is late, and
// perhaps with the rows of the page before once more.
func (p *process) page(path string, data []byte, again bool) []byte {
	var page map[string]any
	if err := json.Unmarshal(data, &page); err != nil {
		panic(err) // the simulator's own answer
	}
	rows, _ := page["value"].([]any)
	rows = slices.DeleteFunc(rows, func(row any) bool {
		at, late := p.w.late[row.(map[string]any)["id"].(string)]
		return late && time.Now().Before(at)
	})
	page["value"] = rows
	if again {
		page["value"] = slices.Concat(p.pages[path], rows)
	}
	p.pages[path] = rows
	out, err := json.Marshal(page)
	if err != nil {
		panic(err) // it was JSON
	}
	return out
}
