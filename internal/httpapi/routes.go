package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/risksweep/risksweep/internal/runs"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// create takes an order.
func (a *api) create(w http.ResponseWriter, r *http.Request) {
	o, err := a.order(r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		a.fail(w, r, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", MaxBody))
		return
	case err != nil:
		a.fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	o.By = a.caller(r)
	id, err := a.Runner.Start(r.Context(), o)
	switch {
	case errors.Is(err, ErrBusy):
		w.Header().Set("Retry-After", "30")
		a.fail(w, r, http.StatusConflict, fmt.Sprintf("tenant %s is being swept; try again when that run has ended", o.Tenant))
	case errors.Is(err, ErrStopping):
		w.Header().Set("Retry-After", "30")
		a.fail(w, r, http.StatusServiceUnavailable, ErrStopping.Error())
	case err != nil:
		a.Log.Error("a run could not be started", "tenant", o.Tenant, "mode", o.Mode, "error", err)
		a.fail(w, r, http.StatusInternalServerError, "the run could not be started; the log says why")
	default:
		a.Log.Info("a run was ordered", "tenant", o.Tenant, "mode", o.Mode, "run", id, "by", o.By)
		w.Header().Set("Location", "/api/runs/"+id)
		w.Header().Set("Retry-After", "30")
		a.answer(w, r, http.StatusAccepted, runs.Run{ID: id, Tenant: o.Tenant, Mode: o.Mode, Status: runs.Queued, Counts: map[string]int{}})
	}
}

// order reads and validates a body; the error is for the caller to read.
func (a *api) order(body io.Reader) (Order, error) {
	var o Order
	data, err := io.ReadAll(body)
	if err != nil {
		return o, err
	}
	const example = `a JSON object such as {"tenant":"contoso","mode":"plan"}`
	if len(strings.TrimSpace(string(data))) == 0 {
		return o, errors.New("there is no body; it must be " + example)
	}
	var members map[string]json.RawMessage
	dec := json.NewDecoder(strings.NewReader(string(data)))
	if err := dec.Decode(&members); err != nil || members == nil {
		return o, errors.New("the body must be " + example)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return o, errors.New("the body must be one JSON object and nothing more")
	}
	if name := repeated(data); name != "" {
		return o, fmt.Errorf("%q is given twice", clip(name))
	}
	known := []string{"tenant", "mode", "reason"}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(known, name) {
			return o, fmt.Errorf("unknown member %q%s", clip(name), suggest(name, known))
		}
	}
	for name, to := range map[string]*string{"tenant": &o.Tenant, "mode": &o.Mode, "reason": &o.Reason} {
		if raw, ok := members[name]; ok && json.Unmarshal(raw, to) != nil {
			return o, fmt.Errorf("%s must be a text", name)
		}
	}
	return o, a.check(o)
}

// repeated is a member that an object has twice, of which nobody can know which one
// was meant.
func repeated(object []byte) string {
	dec := json.NewDecoder(bytes.NewReader(object))
	seen := map[string]bool{}
	_, err := dec.Token()
	for err == nil && dec.More() {
		var name json.Token
		if name, err = dec.Token(); err != nil {
			break
		}
		text, _ := name.(string)
		if seen[text] {
			return text
		}
		seen[text] = true
		err = dec.Decode(new(json.RawMessage))
	}
	return ""
}

// maxReason bounds the reason of an order: it goes into a queue message.
const maxReason = 1000

// check says what is wrong with an order.
func (a *api) check(o Order) error {
	switch {
	case o.Tenant == "":
		return errors.New("tenant is missing")
	case !slices.Contains(a.Tenants, o.Tenant):
		return fmt.Errorf("there is no tenant %q in the configuration%s", clip(o.Tenant), suggest(o.Tenant, a.Tenants))
	case o.Mode == "":
		return errors.New("mode is missing: plan or apply")
	case o.Mode != "plan" && o.Mode != "apply":
		return fmt.Errorf("mode %q is neither plan nor apply%s", clip(o.Mode), suggest(o.Mode, []string{"plan", "apply"}))
	case len(o.Reason) > maxReason || strings.ContainsFunc(o.Reason, unicode.IsControl):
		return fmt.Errorf("reason must be one line of at most %d bytes", maxReason)
	case o.Mode == "apply" && !a.AllowApply:
		return errors.New("apply is not allowed here: http.allowApply is off, only a plan can be asked for")
	}
	return nil
}

func (a *api) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	for _, name := range slices.Sorted(maps.Keys(q)) {
		// A function key in the query is the host's business.
		if known := []string{"tenant", "limit"}; !slices.Contains(known, name) && name != "code" {
			a.fail(w, r, http.StatusBadRequest, fmt.Sprintf("unknown parameter %q%s", clip(name), suggest(name, known)))
			return
		}
	}
	tenant := q.Get("tenant")
	if tenant != "" && !slices.Contains(a.Tenants, tenant) {
		a.fail(w, r, http.StatusBadRequest, fmt.Sprintf("there is no tenant %q in the configuration%s", clip(tenant), suggest(tenant, a.Tenants)))
		return
	}
	limit := DefaultLimit
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > MaxLimit {
			a.fail(w, r, http.StatusBadRequest, fmt.Sprintf("limit %q is not a number from 1 to %d", clip(text), MaxLimit))
			return
		}
		limit = n
	}
	list, err := a.History.Runs(r.Context(), tenant, limit)
	if err != nil {
		a.broken(w, r, err)
		return
	}
	if list == nil {
		list = []runs.Run{}
	}
	a.answer(w, r, http.StatusOK, list)
}

func (a *api) get(w http.ResponseWriter, r *http.Request) {
	id, tenant, ok := a.run(w, r)
	if !ok {
		return
	}
	run, err := a.History.Run(r.Context(), tenant, id)
	if err != nil {
		a.broken(w, r, err)
		return
	}
	if run.Status == runs.Queued || run.Status == runs.Running {
		w.Header().Set("Retry-After", "30")
	}
	a.answer(w, r, http.StatusOK, run)
}

var (
	runID = regexp.MustCompile(`^\d{8}T\d{6}Z-[0-9a-f]{6}$`)
	// fileName is what the files of a run are called; it leads nowhere else.
	fileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}(\.[A-Za-z0-9][A-Za-z0-9_-]{0,15}){0,3}$`)
)

// run reads which run is meant.
func (a *api) run(w http.ResponseWriter, r *http.Request) (id, tenant string, ok bool) {
	id, tenant = r.PathValue("id"), r.URL.Query().Get("tenant")
	if !runID.MatchString(id) || tenant != "" && !slices.Contains(a.Tenants, tenant) {
		a.fail(w, r, http.StatusNotFound, "there is no such run")
		return "", "", false
	}
	return id, tenant, true
}

func (a *api) file(w http.ResponseWriter, r *http.Request) {
	id, tenant, ok := a.run(w, r)
	if !ok {
		return
	}
	name := r.PathValue("name")
	if !fileName.MatchString(name) {
		a.fail(w, r, http.StatusNotFound, "there is no such file")
		return
	}
	content, size, err := a.History.File(r.Context(), tenant, id, name)
	if err != nil {
		a.broken(w, r, err)
		return
	}
	defer content.Close()
	h := w.Header()
	h.Set("Content-Type", contentType(name))
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	// A report for people is a page: it may run its own script and nothing else.
	h.Set("Content-Security-Policy", "sandbox allow-scripts allow-downloads; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:")
	if size >= 0 {
		h.Set("Content-Length", strconv.FormatInt(size, 10))
	}
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	if n, err := io.Copy(paced{w, http.NewResponseController(w)}, content); err != nil || size >= 0 && n != size {
		a.Log.Warn("a file was sent only in part", "run", id, "file", name, "bytes", n, "error", err)
		panic(http.ErrAbortHandler) // half a file must not look whole
	}
}

// paced gives each write its own deadline.
type paced struct {
	w  io.Writer
	rc *http.ResponseController
}

func (p paced) Write(b []byte) (int, error) {
	// A writer without deadlines (a function's answer) is bounded elsewhere.
	if err := p.rc.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return p.w.Write(b)
}

// contentType is that of a file of a run. HTML is sent as a page that is
// sandboxed; everything else as what it is.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".json":
		return "application/json"
	case ".jsonl":
		return "application/x-ndjson"
	case ".csv":
		return "text/csv; charset=utf-8"
	case ".html":
		return "text/html; charset=utf-8"
	}
	return "application/octet-stream"
}

// Problem is the body of every answer that is none of the above.
type Problem struct {
	Error string `json:"error"`
}

func (a *api) fail(w http.ResponseWriter, r *http.Request, status int, text string) {
	a.answer(w, r, status, Problem{text})
}

// broken answers for an error of the store.
func (a *api) broken(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, runs.ErrNotFound) {
		a.fail(w, r, http.StatusNotFound, "there is no such run or file")
		return
	}
	a.Log.Error("the store could not be read", "route", r.Pattern, "error", err)
	a.fail(w, r, http.StatusInternalServerError, "the store could not be read; the log says why")
}

func (a *api) answer(w http.ResponseWriter, r *http.Request, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		a.Log.Error("an answer could not be written as JSON", "route", r.Pattern, "error", err)
		status, data = http.StatusInternalServerError, []byte(`{"error":"the answer could not be written"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(data)+1))
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	if _, err := w.Write(append(data, '\n')); err != nil {
		a.Log.Debug("an answer was not taken", "route", r.Pattern, "error", err)
	}
}

func suggest(word string, candidates []string) string {
	if near := yamldoc.Nearest(word, candidates); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	return ""
}

// clip bounds what of a request is repeated in an answer.
func clip(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "") + "…"
	}
	return s
}
