package risk

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/risksweep/risksweep/internal/graphsim/odata"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

func badRequest(message string) *wire.Error {
	return &wire.Error{Status: http.StatusBadRequest, Code: "BadRequest", Message: message}
}

func notFound(id string) *wire.Error {
	return &wire.Error{Status: http.StatusNotFound, Code: "ResourceNotFound", Message: "Resource '" + id + "' does not exist or one of its queried reference-property objects are not present."}
}

// unlicensed is a measured answer (graph-api §1.4).
func unlicensed() *wire.Error {
	return &wire.Error{Status: http.StatusForbidden, Code: "Forbidden", Message: "Your tenant is not licensed for this feature."}
}

func notAllowed() *wire.Error {
	return &wire.Error{
		Status: http.StatusMethodNotAllowed, Code: "BadRequest", Message: "Specified HTTP method is not allowed for the request target.",
		Header: http.Header{"Allow": {http.MethodGet}},
	}
}

func quote(b []byte, s string) []byte {
	quoted, err := jsontext.AppendQuote(b, s)
	if err != nil { // only for invalid UTF-8
		return append(b, `""`...)
	}
	return quoted
}

// Serve answers one call.
func (w *Workload) Serve(r *wire.Request) (*wire.Response, *wire.Error) {
	now := odata.Ticks(r.Now)
	w.settle(now)
	if w.opt.License == "none" || (w.opt.License != "P2" && len(r.Path) > 1 && r.Path[1] == usersPath) {
		return nil, unlicensed()
	}
	if len(r.Path) == 1 {
		if r.Method != http.MethodGet {
			return nil, notAllowed()
		}
		b := append(quote([]byte(`{"@odata.context":`), r.Root+"/$metadata#identityProtection/$entity"), '}')
		return &wire.Response{Status: http.StatusOK, Body: json.RawMessage(b)}, nil
	}
	reg := w.users
	if r.Path[1] == principalsPath || r.Path[1] == principalDetectionsPath {
		reg = w.principals
	}
	if r.Path[1] == usersPath || r.Path[1] == principalsPath {
		if len(r.Path) == 3 {
			if f, ok := action(r.Path[2], reg.principals); ok {
				if r.Method != http.MethodPost {
					return nil, notAllowed()
				}
				return w.act(r, reg, f, now)
			}
		}
		if r.Method != http.MethodGet {
			return nil, notAllowed()
		}
		return w.serveSubjects(r, reg)
	}
	if r.Method != http.MethodGet {
		return nil, notAllowed()
	}
	return w.serveDetections(r, reg)
}

func (w *Workload) serveDetections(r *wire.Request, reg *register) (*wire.Response, *wire.Error) {
	l := &rows{
		set: detectionSet, context: detectionsPath, register: reg,
		first: reg.firstVisible(r.Now, w.retention()), end: len(reg.detections),
		value: func(i int, member string) odata.Value { return w.detectionValue(reg, i, member) },
	}
	owner := "userId"
	if reg.principals {
		l.set, l.context, owner = principalDetectionSet, "identityProtection/"+principalDetectionsPath, "servicePrincipalId"
	}
	l.narrow = func(f *odata.Filter) ([]int32, bool) { return reg.narrowDetections(f, owner) }
	if len(r.Path) == 2 {
		return l.page(r)
	}
	if r.Path[2] == "$count" {
		return l.count(r)
	}
	i, ok := reg.find(r.Path[2])
	if !ok || i < l.first {
		return nil, notFound(r.Path[2])
	}
	return l.one(r, i)
}

// narrowDetections uses the ids in a filter instead of looking at everything.
func (r *register) narrowDetections(f *odata.Filter, owner string) ([]int32, bool) {
	if ids, ok := f.Required("id"); ok {
		var few []int32
		for _, id := range ids {
			if i, ok := r.find(id); ok {
				few = append(few, int32(i)) //nolint:gosec // detections of one tenant
			}
		}
		return sorted(few), true
	}
	ids, ok := f.Required(owner)
	if !ok {
		return nil, false
	}
	var few []int32
	for _, id := range ids {
		if s := r.subject(id); s != nil {
			few = append(few, s.detections...)
		}
	}
	return sorted(few), true
}

func sorted(indexes []int32) []int32 {
	slices.Sort(indexes)
	return slices.Compact(indexes)
}

func (w *Workload) serveSubjects(r *wire.Request, reg *register) (*wire.Response, *wire.Error) {
	l := &rows{
		set: userSet, context: "identityProtection/" + usersPath, register: reg, end: len(reg.subjects),
		value: func(i int, member string) odata.Value { return w.subjectValue(reg, i, member) },
		narrow: func(f *odata.Filter) ([]int32, bool) {
			ids, ok := f.Required("id")
			var few []int32
			for _, id := range ids {
				if i, known := reg.byID[strings.ToLower(id)]; known {
					few = append(few, i)
				}
			}
			return sorted(few), ok
		},
	}
	if reg.principals {
		l.set, l.context = principalSet, "identityProtection/"+principalsPath
	}
	if len(r.Path) == 2 {
		return l.page(r)
	}
	if r.Path[2] == "$count" {
		return l.count(r)
	}
	i, ok := reg.byID[strings.ToLower(r.Path[2])]
	if !ok {
		return nil, notFound(r.Path[2])
	}
	if len(r.Path) == 3 {
		return l.one(r, int(i))
	}
	return w.serveHistory(r, reg, &reg.subjects[i], l.context)
}

func (w *Workload) serveHistory(r *wire.Request, reg *register, s *subject, context string) (*wire.Response, *wire.Error) {
	history := reg.history(s)
	l := &rows{
		set: userHistorySet, context: context + "('" + s.id + "')/history", end: len(history),
		value: func(i int, member string) odata.Value { return w.historyValue(reg, s, &history[i], member) },
	}
	if reg.principals {
		l.set = principalHistorySet
	}
	if len(r.Path) == 4 {
		return l.page(r)
	}
	if r.Path[4] == "$count" && len(r.Path) == 5 {
		return l.count(r)
	}
	i := slices.IndexFunc(history, func(h historyRow) bool { return strings.EqualFold(h.id, r.Path[4]) })
	if i < 0 {
		return nil, notFound(r.Path[4])
	}
	if len(r.Path) == 5 {
		return l.one(r, i)
	}
	// The documentation shows the history of a history item: that item.
	only := *l
	only.context = l.context + "('" + history[i].id + "')/history"
	only.first, only.end = i, i+1
	return only.page(r)
}
