package graphsim

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/graphsim/auditlog"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// maxBody is the largest request the service takes, before and after
// decompression.
const maxBody = 4 << 20

const notJSON = "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format."

// Handler serves the tenant: Graph under /v1.0, sign-in, and the controls
// under /_sim. It works on any listener, in-memory ones too.
func (t *Tenant) Handler() http.Handler { return http.HandlerFunc(t.serveHTTP) }

func (t *Tenant) serveHTTP(w http.ResponseWriter, r *http.Request) {
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case first == "_sim":
		t.control(w, r)
		return
	case !strings.EqualFold(first, "v1.0") && t.auth.Handles(r):
		t.auth.ServeHTTP(w, r)
		return
	}
	c := &call{
		ctx: r.Context(), method: r.Method, url: r.URL, header: r.Header,
		origin: origin(r), now: t.clock.now(),
		requestID: t.ids.next(), clientRequestID: r.Header.Get("client-request-id"),
	}
	if c.clientRequestID == "" {
		c.clientRequestID = c.requestID
	}
	if !c.read(w, r) {
		return
	}
	a := t.answer(c)
	write(w, r, c, a)
}

func origin(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// call is one Graph request, alone or inside a batch.
type call struct {
	ctx    context.Context
	method string
	// url has the version; inside a batch it is put together.
	url       *url.URL
	header    http.Header
	body      []byte
	bodyError *wire.Error
	origin    string
	now       time.Time

	requestID, clientRequestID string
	// caller is set for the entries of a batch, which share its token.
	caller *caller
	// query replaces the URL's raw query if the call came by a next link of
	// the fault script.
	query   string
	aliased bool
}

// caller is whose token it is.
type caller struct {
	appID, principalID string
	roles              []string
	// person says that somebody acts through the application; the name and
	// the address are the person's.
	person   bool
	name, ip string
}

// actor is a caller as the audit log shows it.
func (t *Tenant) actor(c *caller) auditlog.Actor {
	if c.person {
		return auditlog.Actor{UserID: c.principalID, UserPrincipalName: c.name, IPAddress: c.ip}
	}
	a := auditlog.Actor{AppID: c.appID, PrincipalID: c.principalID}
	if t.parts.people != nil {
		sp, _ := t.parts.people.Application(c.appID)
		a.AppName = sp.DisplayName
	}
	return a
}

// read takes the body in and unpacks it. It reports false if the connection
// failed meanwhile.
func (c *call) read(w http.ResponseWriter, r *http.Request) bool {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if !errors.As(err, &tooLarge) {
			return false
		}
		c.bodyError = &wire.Error{Status: http.StatusRequestEntityTooLarge, Code: "RequestEntityTooLarge", Message: "The request body is larger than 4 MB."}
		return true
	}
	switch encoding := strings.ToLower(r.Header.Get("Content-Encoding")); {
	case len(raw) == 0:
	case encoding == "" || encoding == "identity":
		c.body = raw
	case encoding == "gzip":
		// What is labelled gzip must be gzip: the service does not guess.
		c.body, c.bodyError = gunzip(raw)
	default:
		c.bodyError = &wire.Error{Status: http.StatusUnsupportedMediaType, Code: "UnsupportedMediaType", Message: "The content encoding '" + encoding + "' is not supported."}
	}
	return true
}

func gunzip(raw []byte) ([]byte, *wire.Error) {
	bad := &wire.Error{Status: http.StatusBadRequest, Code: "BadRequest", Message: notJSON}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return raw, bad
	}
	body, err := io.ReadAll(io.LimitReader(z, maxBody+1))
	if err != nil {
		return raw, bad
	}
	if len(body) > maxBody {
		return nil, &wire.Error{Status: http.StatusRequestEntityTooLarge, Code: "RequestEntityTooLarge", Message: "The request body is larger than 4 MB."}
	}
	return body, nil
}

// answer handles a call from counting to journal.
func (t *Tenant) answer(c *call) *answer {
	if c.caller != nil {
		t.journal.countBatched(c.url.Path)
	} else {
		t.journal.count(c.url.Path)
	}
	version, rest, _ := strings.Cut(strings.TrimPrefix(c.url.EscapedPath(), "/"), "/")
	path, problem := splitPath(t.withoutTenant(rest))
	if problem == "" && t.opt.Beta && strings.EqualFold(version, "beta") {
		version, path = "v1.0", append([]string{"beta"}, path...)
	}
	if problem == "" && !strings.EqualFold(version, "v1.0") {
		problem = "Invalid version: " + version
		if version == "" {
			problem = "Empty Path. Please make sure that a valid request URL is specified."
		}
	}
	a, status := t.attempt(c, path, problem)
	if a.status == http.StatusTooManyRequests {
		t.journal.throttled()
	}
	if changes(c.method, path) {
		t.journal.write(Entry{Time: c.now, Method: c.method, Path: c.url.Path, Status: status, Effect: a.effect, Body: decoded(c.body)})
	}
	return a
}

// withoutTenant drops the name of the tenant that some clients put before the
// path, as in /v1.0/{tenant id}/users. A token has one tenant only, so that it
// says nothing.
func (t *Tenant) withoutTenant(path string) string {
	first, rest, _ := strings.Cut(path, "/")
	if strings.EqualFold(first, t.TenantID()) || strings.EqualFold(first, "myorganization") {
		return rest
	}
	return path
}

// attempt takes a call through sign-in, throttling and faults. Beside the
// answer it gives the status that the service decided, which a fault may hide
// from the caller.
func (t *Tenant) attempt(c *call, path []string, problem string) (*answer, int) {
	refuse := func(e *wire.Error) (*answer, int) { return c.refusal(e), e.Status }
	if c.caller == nil {
		who, e := t.authenticate(c)
		if e != nil {
			return refuse(e)
		}
		c.caller = who
	}
	if problem != "" {
		return refuse(&wire.Error{Status: http.StatusBadRequest, Code: "BadRequest", Message: problem})
	}
	switch c.method {
	case http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodPut, http.MethodDelete:
	default:
		return refuse(&wire.Error{
			Status: http.StatusMethodNotAllowed, Code: badRequest(path), Message: "Specified HTTP method is not allowed for the request target.",
			Header: http.Header{"Allow": {"GET, POST, PATCH, PUT, DELETE"}},
		})
	}
	if limited(path) && !t.bucket.allow(c.now) {
		return refuse(tooMany())
	}
	if reported(path) && t.opt.Rate > 0 {
		if e := t.reports.take(c.now); e != nil {
			return refuse(e)
		}
	}
	c.resolveAlias(&t.faults)
	canonical := "/" + strings.Join(path, "/")
	do := t.faults.take(c.method, pathOnly(c.url.Path), canonical, c.aliased)
	if do == nil {
		a := t.serve(c, path)
		return a, a.status
	}
	return t.befall(c, path, do)
}

// pathOnly is a URL path without its version.
func pathOnly(path string) string {
	_, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return "/" + strings.TrimSuffix(rest, "/")
}

// authenticate checks the bearer token.
func (t *Tenant) authenticate(c *call) (*caller, *wire.Error) {
	refused := func(message string) *wire.Error {
		return &wire.Error{
			Status: http.StatusUnauthorized, Code: "InvalidAuthenticationToken", Message: message,
			Header: http.Header{"Www-Authenticate": {`Bearer realm="", authorization_uri="` + c.origin + `/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000"`}},
		}
	}
	scheme, token, _ := strings.Cut(c.header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return nil, refused("Access token is empty.")
	}
	if token == t.opt.Token || t.opt.Token == "" && token == t.Token() {
		return &caller{appID: t.who.clientID, principalID: t.who.principalID, roles: t.opt.Roles}, nil
	}
	claims, err := t.auth.Verify(token, strings.TrimPrefix(strings.TrimPrefix(c.origin, "https://"), "http://"))
	if err != nil {
		_, message, _ := strings.Cut(err.Error(), ": ")
		return nil, refused(message)
	}
	return &caller{appID: claims.AppID, principalID: claims.ObjectID, roles: claims.Roles}, nil
}

// resolveAlias replaces a next link of the fault script by what it stands for.
func (c *call) resolveAlias(f *faults) {
	c.query = c.url.RawQuery
	values, err := url.ParseQuery(c.url.RawQuery)
	if err != nil || !values.Has("$skiptoken") {
		return
	}
	if query, ok := f.resolve(values.Get("$skiptoken")); ok {
		c.query, c.aliased = query, true
	}
}

// serve carries a call out.
func (t *Tenant) serve(c *call, path []string) *answer {
	if c.bodyError != nil {
		return c.refusal(c.bodyError)
	}
	if len(path) == 1 && path[0] == "$batch" {
		return t.batch(c)
	}
	query, problem := readQuery(c.query)
	if problem != "" {
		return c.refusal(&wire.Error{Status: http.StatusBadRequest, Code: badRequest(path), Message: problem})
	}
	if len(path) == 0 {
		return c.refusal(&wire.Error{Status: http.StatusBadRequest, Code: "BadRequest", Message: "Empty Path. Please make sure that a valid request URL is specified."})
	}
	if path[0] == "me" && !c.caller.person {
		return c.refusal(&wire.Error{Status: http.StatusBadRequest, Code: "BadRequest", Message: "/me request is only valid with delegated authentication flow."})
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.claimed(path)
	if w == nil {
		segment := path[0]
		for n := len(path) - 1; n > 0; n-- { // blame the first segment nobody knows
			if t.claimed(path[:n]) != nil {
				segment = path[n]
				break
			}
		}
		return c.refusal(&wire.Error{Status: http.StatusBadRequest, Code: "BadRequest", Message: "Resource not found for the segment '" + segment + "'."})
	}
	if anyOf, denied := w.Needs(c.method, path); !holds(c.caller.roles, anyOf) {
		return c.refusal(denied)
	}
	if restores(path) && c.method == http.MethodPost && !c.caller.person && !t.opt.AppRestore {
		return c.refusal(&wire.Error{Status: http.StatusForbidden, Code: "AccessDenied", Message: "You cannot perform the requested operation, required scopes are missing in the token."})
	}
	if e := c.checkBody(path); e != nil {
		return c.refusal(e)
	}
	var extra http.Header
	if !limited(path) && !reported(path) && !c.caller.person {
		header, e := t.units.spend(c.now, unitCost(path, query))
		if e != nil {
			return c.refusal(e)
		}
		extra = header
	}
	response, e := w.Serve(&wire.Request{
		Method: c.method, Path: path, Query: query, Header: c.header, Body: c.body, Now: c.now,
		Root: c.origin + "/v1.0", URL: &url.URL{Path: c.url.Path, RawPath: c.url.RawPath, RawQuery: c.query},
		AppID: c.caller.appID, PrincipalID: c.caller.principalID, Roles: c.caller.roles,
		UnknownEnums: c.unknownEnums(), Eventual: strings.EqualFold(c.header.Get("ConsistencyLevel"), "eventual"),
	})
	var a *answer
	if e != nil {
		a = c.refusal(e)
	} else {
		if t.parts.audit != nil {
			t.parts.audit.Record(t.actor(c.caller), response.Deeds, c.requestID, c.now)
		}
		a = c.success(response) // marshals while the workload stands still
	}
	for name, values := range extra {
		a.header[name] = values
	}
	return a
}

// restores says whether a path takes something out of Conditional Access's bin.
// The documentation gives applications no permission for it (evidence-api §4.1).
func restores(path []string) bool {
	return len(path) == 6 && path[0] == "identity" && path[2] == "deletedItems" && strings.TrimPrefix(path[5], "microsoft.graph.") == "restore"
}

// claimed finds the workload that a path belongs to, nil if there is none. The
// China cloud has no Identity Protection (graph-api §6).
func (t *Tenant) claimed(path []string) wire.Workload {
	if t.opt.Cloud == "china" && path[0] == "identityProtection" {
		return nil
	}
	for _, w := range t.parts.workloads {
		if w.Claims(path) {
			return w
		}
	}
	return nil
}

// checkBody holds a write to the rules that all workloads share.
func (c *call) checkBody(path []string) *wire.Error {
	if len(c.body) == 0 || c.method == http.MethodGet || c.method == http.MethodDelete {
		return nil
	}
	header := c.header.Get("Content-Type")
	if header == "" {
		return &wire.Error{Status: http.StatusBadRequest, Code: badRequest(path), Message: "Write requests (excluding DELETE) must contain the Content-Type header declaration."}
	}
	media, _, err := mime.ParseMediaType(header)
	if err != nil || media != "application/json" {
		return &wire.Error{Status: http.StatusUnsupportedMediaType, Code: badRequest(path), Message: "The media type '" + header + "' is not supported; application/json is."}
	}
	if !json.Valid(c.body) {
		return &wire.Error{Status: http.StatusBadRequest, Code: badRequest(path), Message: notJSON}
	}
	return nil
}

// badRequest is the code of a 400 in the part of the service a path lies in
// (graph-api §5.3).
func badRequest(path []string) string {
	if len(path) == 0 || limited(path) || reported(path) || path[0] == "policies" || strings.HasPrefix(path[0], "$") {
		return "BadRequest"
	}
	return "Request_BadRequest"
}

// write sends an answer.
func write(w http.ResponseWriter, r *http.Request, c *call, a *answer) {
	if a.drop {
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	for name, values := range a.header {
		h[name] = values
	}
	h.Set("request-id", c.requestID)
	h.Set("client-request-id", c.clientRequestID)
	h.Set("x-ms-ags-diagnostic", `{"ServerInfo":{"DataCenter":"Simulated","Slice":"E","Ring":"1","ScaleUnit":"000","RoleInstance":"SIM"}}`)
	h.Set("Date", c.now.Format(http.TimeFormat))
	h.Set("Cache-Control", "no-cache")
	if a.truncate != nil && *a.truncate < len(a.body) {
		// The length that was promised is never reached.
		h.Set("Content-Length", strconv.Itoa(len(a.body)))
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body[:*a.truncate]) // the caller may be gone
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	if len(a.body) == 0 {
		w.WriteHeader(a.status)
		return
	}
	h.Add("Vary", "Accept-Encoding")
	body := a.body
	if acceptsGzip(r.Header) {
		var b bytes.Buffer
		z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed) // the level exists
		_, _ = z.Write(body)                            // a buffer takes all
		_ = z.Close()
		body = b.Bytes()
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(body) // the caller may be gone
}

func acceptsGzip(h http.Header) bool {
	for _, v := range h.Values("Accept-Encoding") {
		for part := range strings.SplitSeq(v, ",") {
			name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
			if strings.EqualFold(strings.TrimSpace(name), "gzip") && strings.ReplaceAll(q, " ", "") != "q=0" {
				return true
			}
		}
	}
	return false
}
