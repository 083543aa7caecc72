package conditionalaccess

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// place is where a path leads: a part of the service and what stands after it.
type place struct {
	part string
	rest []string
}

// locate gives a path's place, under /identity/conditionalAccess or by one of
// the older names under /policies.
func locate(path []string) (place, bool) {
	if len(path) >= 2 && path[0] == "policies" {
		switch path[1] {
		case "conditionalAccessPolicies":
			return place{"policies", path[2:]}, true
		case "authenticationStrengthPolicies":
			return place{"strengths", path[2:]}, true
		}
		return place{}, false
	}
	if len(path) == 0 || path[0] != "identity" || len(path) >= 2 && path[1] != "conditionalAccess" {
		return place{}, false
	}
	if len(path) <= 2 {
		return place{part: "root"}, true
	}
	rest := path[3:]
	switch path[2] {
	case "policies", "namedLocations", "templates", "authenticationContextClassReferences", "evaluate", "microsoft.graph.evaluate":
		return place{strings.TrimPrefix(path[2], "microsoft.graph."), rest}, true
	case "authenticationStrength", "authenticationStrengths":
		switch {
		case len(rest) == 0:
			return place{part: "root"}, true
		case rest[0] == "policies":
			return place{"strengths", rest[1:]}, true
		case rest[0] == "authenticationMethodModes":
			return place{"modes", rest[1:]}, true
		}
	case "deletedItems":
		switch {
		case len(rest) == 0:
			return place{part: "root"}, true
		case rest[0] == "policies", rest[0] == "namedLocations":
			return place{"deleted/" + rest[0], rest[1:]}, true
		}
	}
	return place{}, false
}

// Claims says whether a path, or the beginning of one, leads here. The clouds
// of governments and of China keep no deleted items and China has no
// strengths (graph-api §6).
func (w *Workload) Claims(path []string) bool {
	p, ok := locate(path)
	if !ok {
		return false
	}
	if w.opt.Cloud != "global" && (strings.HasPrefix(p.part, "deleted/") || len(path) > 2 && path[2] == "deletedItems") {
		return false
	}
	switch p.part {
	case "strengths":
		return len(p.rest) <= 1 || len(p.rest) == 2 && slices.Contains([]string{"updateAllowedCombinations", "microsoft.graph.updateAllowedCombinations", "usage", "microsoft.graph.usage", "combinationConfigurations"}, p.rest[1])
	case "deleted/policies", "deleted/namedLocations":
		return len(p.rest) <= 1 || len(p.rest) == 2 && (p.rest[1] == "restore" || p.rest[1] == "microsoft.graph.restore")
	}
	return len(p.rest) <= 1 && (p.part != "evaluate" || len(p.rest) == 0)
}

// Needs gives the app roles for a path (graph-api §3.2).
func (w *Workload) Needs(method string, path []string) ([][]string, *wire.Error) {
	denied := &wire.Error{Status: http.StatusForbidden, Code: "AccessDenied", Message: "You cannot perform the requested operation, required scopes are missing in the token."}
	const write = "Policy.ReadWrite.ConditionalAccess"
	p, _ := locate(path)
	switch {
	case p.part == "strengths" && method == http.MethodGet:
		return [][]string{{"Policy.Read.All"}, {"Policy.Read.AuthenticationMethod"}, {"Policy.ReadWrite.AuthenticationMethod"}, {write}}, denied
	case p.part == "strengths":
		return [][]string{{"Policy.ReadWrite.AuthenticationMethod"}, {write}}, denied
	case p.part == "authenticationContextClassReferences" && method == http.MethodGet:
		return [][]string{{"Policy.Read.All"}, {"Policy.Read.ConditionalAccess"}, {"AuthenticationContext.Read.All"}, {"AuthenticationContext.ReadWrite.All"}, {write}}, denied
	case p.part == "authenticationContextClassReferences":
		return [][]string{{"AuthenticationContext.ReadWrite.All"}, {write}}, denied
	case p.part == "evaluate":
		return [][]string{{"Policy.Read.ConditionalAccess"}, {"Policy.Read.All"}, {write}}, denied
	case method == http.MethodGet:
		return [][]string{{"Policy.Read.All"}, {"Policy.Read.ConditionalAccess"}, {"Application.Read.All", write}}, denied
	}
	return [][]string{{"Policy.Read.All", write}, {"Application.Read.All", write}}, denied
}

// Serve answers one call.
func (w *Workload) Serve(r *wire.Request) (*wire.Response, *wire.Error) {
	p, ok := locate(r.Path)
	if !ok || p.part == "root" {
		return nil, badRequest("Resource not found for the segment '%s'.", r.Path[len(r.Path)-1])
	}
	switch p.part {
	case "policies":
		return w.crud(r, p.rest, &w.policies, policyKind)
	case "namedLocations":
		return w.crud(r, p.rest, &w.locations, locationKind)
	case "deleted/policies":
		return w.deleted(r, p.rest, &w.policies, policyKind)
	case "deleted/namedLocations":
		return w.deleted(r, p.rest, &w.locations, locationKind)
	case "strengths":
		return w.serveStrengths(r, p.rest)
	case "authenticationContextClassReferences":
		return w.serveContexts(r, p.rest)
	case "evaluate":
		return w.evaluate(r)
	}
	if r.Method != http.MethodGet {
		return nil, wrongMethod()
	}
	if p.part == "templates" {
		return w.serveTemplates(r, p.rest)
	}
	return w.serveModes(r, p.rest)
}

// crudKind names a kind of object for crud.
type crudKind string

const (
	policyKind   crudKind = "ConditionalAccessPolicy"
	locationKind crudKind = "NamedLocation"
)

// crud serves policies and named locations.
func (w *Workload) crud(r *wire.Request, rest []string, s *store, kind crudKind) (*wire.Response, *wire.Error) {
	if len(rest) == 0 || rest[0] == "$count" {
		switch {
		case r.Method == http.MethodGet:
			return w.list(r, w.listing(r, kind, s.readable(r.Now, false), false), len(rest) > 0)
		case r.Method != http.MethodPost || len(rest) > 0:
			return nil, wrongMethod()
		case kind == policyKind:
			return w.createPolicy(r)
		}
		return w.createLocation(r)
	}
	if kind == locationKind && strings.EqualFold(rest[0], compliantNetwork) {
		return w.serveCompliantNetwork(r)
	}
	i := s.find(rest[0])
	switch r.Method {
	case http.MethodGet:
		if i == nil {
			return nil, missing(string(kind), rest[0])
		}
		x, ok := i.readable(r.Now, false)
		if !ok {
			return nil, missing(string(kind), rest[0])
		}
		return w.one(r, w.listing(r, kind, nil, false), x)
	case http.MethodPatch, http.MethodDelete:
	default:
		return nil, wrongMethod()
	}
	if i == nil || i.last().gone() {
		return nil, missing(string(kind), rest[0])
	}
	switch {
	case r.Method == http.MethodPatch && kind == policyKind:
		return w.patchPolicy(r, i)
	case r.Method == http.MethodPatch:
		return w.patchLocation(r, i)
	case kind == locationKind:
		if bad := w.mayDelete(i); bad != nil {
			return nil, numbered(bad, deleteLocationPage)
		}
	}
	v, old := i.last(), i.last()
	v.Deleted, v.Purged = r.Now, w.opt.Cloud != "global"
	i.add(v, r.Now, w.opt.Lag)
	return &wire.Response{Status: http.StatusNoContent, Effect: true, Deeds: w.deeds(deleted, w.schemaOf(kind, v.Doc), i, &old)}, nil
}

// deleted serves the deleted items: they are listed, read, restored, and
// deleted for good (graph-api §3.8).
func (w *Workload) deleted(r *wire.Request, rest []string, s *store, kind crudKind) (*wire.Response, *wire.Error) {
	if len(rest) == 0 || rest[0] == "$count" {
		if r.Method != http.MethodGet {
			return nil, wrongMethod()
		}
		return w.list(r, w.listing(r, kind, s.readable(r.Now, true), true), len(rest) > 0)
	}
	i := s.find(rest[0])
	if i == nil {
		return nil, missing(string(kind), rest[0])
	}
	if r.Method == http.MethodGet && len(rest) == 1 {
		x, ok := i.readable(r.Now, true)
		if !ok {
			return nil, missing(string(kind), rest[0])
		}
		return w.one(r, w.listing(r, kind, nil, true), x)
	}
	v := i.last()
	if v.Purged || v.Deleted.IsZero() || r.Now.After(v.Deleted.Add(retention)) {
		return nil, missing(string(kind), rest[0])
	}
	switch {
	case r.Method == http.MethodDelete && len(rest) == 1:
		v.Purged = true
		i.add(v, r.Now, w.opt.Lag)
		return &wire.Response{Status: http.StatusNoContent, Effect: true}, nil
	case r.Method == http.MethodPost && len(rest) == 2:
		limit := map[crudKind]int{policyKind: maxPolicies, locationKind: maxLocations}[kind]
		if s.live() >= limit {
			return nil, numbered(refuse(quotaExceeded, "The tenant has reached the limit of %d", limit), restorePolicyPage)
		}
		v.Deleted = time.Time{}
		i.add(v, r.Now, w.opt.Lag)
		answer, e := w.one(r, w.listing(r, kind, nil, false), row{i, i.last()})
		if e == nil {
			answer.Effect, answer.Deeds = true, w.deeds(restored, w.schemaOf(kind, v.Doc), i, nil)
		}
		return answer, e
	}
	return nil, wrongMethod()
}
