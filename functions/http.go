package functions

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/risksweep/risksweep/internal/httpapi"
	"github.com/risksweep/risksweep/internal/runs"
)

// starter takes orders by keeping them for the queue.
type starter struct {
	book   Book
	orders []runs.Order
}

// Start records an order and keeps it for the output binding.
func (s *starter) Start(ctx context.Context, o httpapi.Order) (string, error) {
	busy, err := s.book.Busy(ctx, o.Tenant)
	if err != nil {
		return "", err
	}
	if busy {
		return "", httpapi.ErrBusy
	}
	order, err := s.book.Ordered(o.Tenant, o.Mode, o.By, o.Reason)
	if err != nil {
		return "", err
	}
	if err := s.book.Accept(ctx, order); err != nil {
		return "", err
	}
	s.orders = append(s.orders, order)
	return order.Run, nil
}

func (c *call) api(b *Backend, s *starter) http.Handler {
	return httpapi.New(httpapi.Options{Runner: s, History: b.Book, Tenants: b.Tenants, Caller: "a function key", AllowApply: b.AllowApply, Log: c.log})
}

// runsCreate answers POST /api/runs: the order goes to the queue with the
// answer.
func (c *call) runsCreate() (answer, error) {
	req, err := c.request()
	if err != nil {
		return answer{}, err
	}
	var a answer
	if req.lostBody() {
		a.Outputs = map[string]any{"res": problem(http.StatusLengthRequired, "no body arrived: the Functions host passes none on that is sent in chunks; send it with Content-Length")}
		return a, nil
	}
	b, err := c.backendFor()
	if err != nil {
		c.log.Error("the call cannot be answered", "error", err)
		a.Outputs = map[string]any{"res": unusable}
		return a, nil
	}
	s := &starter{book: b.Book}
	res, err := c.through(c.api(b, s), http.MethodPost, "/api/runs", req)
	if err != nil {
		return a, err
	}
	a.enqueue(s.orders...)
	a.Outputs["res"] = res
	return a, nil
}

// httpGet answers RunsGet and RunFile of a host that wraps requests into JSON.
func (c *call) httpGet() (answer, error) {
	req, err := c.request()
	if err != nil {
		return answer{}, err
	}
	path := "/api/runs"
	if id := req.param("id"); id != "" {
		path += "/" + url.PathEscape(id)
	}
	if c.function == "RunFile" {
		path += "/files/" + url.PathEscape(req.param("name"))
	}
	b, err := c.backendFor()
	if err != nil {
		c.log.Error("the call cannot be answered", "error", err)
		return answer{Outputs: map[string]any{"res": unusable}}, nil
	}
	method := http.MethodGet
	if strings.EqualFold(req.Method, http.MethodHead) {
		method = http.MethodHead
	}
	res, err := c.through(c.api(b, &starter{book: b.Book}), method, path, req)
	return answer{Outputs: map[string]any{"res": res}}, err
}

// unusable answers a caller while the configuration is broken: what is wrong
// with it is for the log.
var unusable = problem(http.StatusInternalServerError, "the function app's configuration cannot be used; its log says why")

// problem is an answer with a status other than success, as package httpapi
// writes them.
func problem(status int, text string) httpResult {
	data, err := json.Marshal(httpapi.Problem{Error: text})
	if err != nil {
		panic(err) // a text
	}
	return httpResult{StatusCode: status, Headers: map[string]string{"Content-Type": "application/json"}, Body: string(data)}
}

func (c *call) request() (request, error) {
	raw, err := c.in.input("req")
	if err != nil {
		return request{}, err
	}
	return parseRequest(raw)
}

// through sends a wrapped request through the API and wraps its answer. Of the
// request only method, route values, query and body are taken, so that neither
// function keys nor cookies travel further.
func (c *call) through(api http.Handler, method, path string, in request) (httpResult, error) {
	ctx, cancel := context.WithTimeout(c.ctx, quick)
	defer cancel()
	q := url.Values{}
	for k, v := range in.query() {
		q.Set(k, v)
	}
	target := path
	if len(q) > 0 {
		target += "?" + q.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://functions"+target, bytes.NewReader(in.body()))
	if err != nil {
		return problem(http.StatusBadRequest, "the request cannot be read"), nil
	}
	w := &recorder{header: http.Header{}}
	if err := w.serve(api, r); err != nil {
		return httpResult{}, err
	}
	res := httpResult{StatusCode: w.status, Headers: map[string]string{}, Body: w.body.String()}
	if w.tooLarge || !utf8.ValidString(res.Body) {
		w.header = http.Header{"Content-Type": {"application/json"}}
		res.StatusCode, res.Body = http.StatusRequestEntityTooLarge,
			fmt.Sprintf(`{"error":"the file is larger than %d MiB, the most that this host passes on; fetch it from the store"}`, maxAnswer>>20)
	}
	for k, v := range w.header {
		if k != "Content-Length" && len(v) > 0 {
			res.Headers[k] = strings.Join(v, ", ")
		}
	}
	return res, nil
}

// maxAnswer is the most that is put into one JSON answer: the host holds it in
// memory several times.
const maxAnswer = 16 << 20

// recorder keeps an answer in memory.
type recorder struct {
	header   http.Header
	status   int
	body     bytes.Buffer
	tooLarge bool
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

var errTooLarge = fmt.Errorf("the answer is larger than %d bytes", maxAnswer)

func (w *recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.body.Len()+len(p) > maxAnswer {
		w.tooLarge = true
		return 0, errTooLarge
	}
	return w.body.Write(p)
}

// serve runs a handler; one that breaks off its answer is an error unless it
// was too large.
func (w *recorder) serve(h http.Handler, r *http.Request) (err error) {
	defer func() {
		if v := recover(); v != nil && v != http.ErrAbortHandler { //nolint:errorlint // net/http compares so too
			panic(v)
		} else if v != nil && !w.tooLarge {
			err = fmt.Errorf("the file could not be read to its end")
		}
	}()
	h.ServeHTTP(w, r)
	return nil
}

// forwarded answers a host that passes HTTP requests on as they came: files
// stream, and no limit of JSON applies. Orders do not come this way: their
// function has a queue to write to, so the host wraps them.
func (h *Handler) forwarded(w http.ResponseWriter, r *http.Request, id string) {
	ctx, cancel := context.WithTimeout(withAttrs(r.Context(), slog.String("function", "http"), slog.String("invocation", id)), max(quick, h.o.Timeout))
	defer cancel()
	c := &call{Handler: h, ctx: ctx, id: id, function: "http", log: h.o.Log.With("function", "http", "invocation", id)}
	if !slices.Contains([]string{http.MethodGet, http.MethodHead}, r.Method) {
		w.Header().Set("Allow", http.MethodGet)
		writeResult(w, problem(http.StatusMethodNotAllowed, "this route takes GET"))
		return
	}
	b, err := c.backendFor()
	if err != nil {
		c.log.Error("the call cannot be answered", "error", err)
		writeResult(w, unusable)
		return
	}
	r = r.WithContext(ctx)
	r.URL.Path, r.URL.RawPath = route(r.URL.EscapedPath())
	c.api(b, &starter{book: b.Book}).ServeHTTP(w, r)
}

// route writes a path as the routes of the API are written: the host finds its
// functions without regard to case and to a slash at the end.
func route(escaped string) (path, raw string) {
	parts := strings.Split(strings.TrimRight(escaped, "/"), "/")
	for i, name := range map[int]string{1: "api", 2: "runs", 4: "files"} {
		if i < len(parts) && strings.EqualFold(parts[i], name) {
			parts[i] = name
		}
	}
	raw = strings.Join(parts, "/")
	path, err := url.PathUnescape(raw)
	if err != nil {
		return raw, ""
	}
	return path, raw
}

func writeResult(w http.ResponseWriter, res httpResult) {
	for k, v := range res.Headers {
		w.Header().Set(k, v)
	}
	w.WriteHeader(res.StatusCode)
	_, _ = w.Write([]byte(res.Body)) // if the caller is gone there is nobody to tell
}
