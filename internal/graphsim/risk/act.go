package risk

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// maxIDs is how many ids one call may give feedback on (graph-api §2).
const maxIDs = 60

// action reads the name of an action, which may be qualified.
func action(segment string, principals bool) (feedback, bool) {
	switch strings.TrimPrefix(segment, "microsoft.graph.") {
	case "dismiss":
		return feedbackDismiss, true
	case "confirmCompromised":
		return feedbackCompromised, true
	case "confirmSafe":
		// Workload identities cannot be confirmed safe (graph-api §1.1).
		return feedbackSafe, !principals
	}
	return feedbackNone, false
}

// act takes feedback: all of it or, with one bad id, none (graph-api §2.2).
func (w *Workload) act(r *wire.Request, reg *register, f feedback, now int64) (*wire.Response, *wire.Error) {
	for name := range r.Query {
		return nil, badRequest("Query option '" + name + "' is not allowed for an action.")
	}
	parameter := "userIds"
	if reg.principals {
		parameter = "servicePrincipalIds"
	}
	ids, refused := readIDs(r.Body, parameter)
	if refused != nil {
		return nil, refused
	}
	seen := map[string]bool{}
	for _, id := range ids {
		if !w.accepts(reg, id, f) {
			return nil, badRequest("One or more of the ids in '" + parameter + "' are invalid.")
		}
		seen[strings.ToLower(id)] = true
	}
	effect := false
	var deeds []wire.Deed
	for _, id := range ids {
		key := strings.ToLower(id)
		if !seen[key] {
			continue
		}
		delete(seen, key)
		i, ok := reg.byID[key]
		if !ok {
			i = w.enrol(reg, key)
		}
		s := &reg.subjects[i]
		if !f.changes(s) {
			continue
		}
		effect = true
		deeds = append(deeds, reg.deed(f, s))
		s.busy++
		reg.version++
		w.later(pending{
			Due: now + ticks(w.opt.Lag), Principals: reg.principals, Subject: i, Feedback: f,
			By: r.PrincipalID, Below: int32(len(reg.detections)), //nolint:gosec // detections of one tenant
		})
	}
	w.settle(now)
	return &wire.Response{Status: http.StatusNoContent, Effect: effect, Deeds: deeds}, nil
}

// deed is feedback on a subject in the words of the audit log.
func (r *register) deed(f feedback, s *subject) wire.Deed {
	activity := map[feedback]string{feedbackDismiss: "DismissUser", feedbackCompromised: "ConfirmAccountCompromised", feedbackSafe: "ConfirmSafe"}[f]
	kind := "User"
	if r.principals {
		activity = map[feedback]string{feedbackDismiss: "DismissServicePrincipal", feedbackCompromised: "ConfirmServicePrincipalCompromised"}[f]
		kind = "ServicePrincipal"
	}
	return wire.Deed{
		Activity: activity, Service: "Identity Protection", Category: "Other", Operation: "Update",
		Targets: []wire.Target{{ID: s.id, Name: s.name, Type: kind, UserPrincipalName: s.upn}},
	}
}

// accepts says whether an id may be given feedback on: a subject that is not
// deleted; only confirmCompromised may name one that has no risk yet.
func (w *Workload) accepts(reg *register, id string, f feedback) bool {
	if s := reg.subject(id); s != nil {
		return !s.deleted
	}
	if f != feedbackCompromised {
		return false
	}
	if reg.principals {
		return w.principal(id) != nil
	}
	i, ok := w.byID[strings.ToLower(id)]
	return ok && !w.people[i].deleted && !w.people[i].guest
}

func (w *Workload) principal(id string) *subject {
	for i := range w.workloads {
		if strings.EqualFold(w.workloads[i].id, id) {
			return &w.workloads[i]
		}
	}
	return nil
}

// enrol makes a subject of somebody who had no risk.
func (w *Workload) enrol(reg *register, id string) int32 {
	if reg.principals {
		return reg.add(*w.principal(id))
	}
	return reg.add(w.people[w.byID[id]].subject())
}

// changes says whether feedback means anything for a subject as it is.
func (f feedback) changes(s *subject) bool {
	switch f {
	case feedbackDismiss:
		return open(s.state)
	case feedbackCompromised:
		return s.state != stateConfirmedCompromised
	case feedbackSafe:
		return s.state != stateConfirmedSafe
	}
	return false
}

// readIDs reads the action's one parameter, with the messages of the
// service's reader.
func readIDs(body []byte, parameter string) ([]string, *wire.Error) {
	var given map[string]json.RawMessage
	if len(body) == 0 {
		return nil, badRequest("Missing request body: the parameter '" + parameter + "' is required.")
	}
	if err := json.Unmarshal(body, &given); err != nil || given == nil {
		return nil, badRequest("Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.")
	}
	for name := range given {
		if name != parameter && !strings.HasPrefix(name, "@") {
			return nil, badRequest("The parameter '" + name + "' in the request payload is not a valid parameter for the operation.")
		}
	}
	raw, ok := given[parameter]
	if !ok || string(raw) == "null" {
		return nil, badRequest("The parameter '" + parameter + "' is required.")
	}
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		node := "PrimitiveValue"
		if raw[0] == '{' {
			node = "StartObject"
		}
		return nil, badRequest("An unexpected '" + node + "' node was found when reading from the JSON reader. A 'StartArray' node was expected.")
	}
	if len(items) == 0 {
		return nil, badRequest("The parameter '" + parameter + "' must hold at least one id.")
	}
	if len(items) > maxIDs {
		return nil, badRequest(fmt.Sprintf("The parameter '%s' holds %d ids; at most %d are allowed.", parameter, len(items), maxIDs))
	}
	ids := make([]string, len(items))
	for i, item := range items {
		if len(item) == 0 || item[0] != '"' || json.Unmarshal(item, &ids[i]) != nil {
			return nil, badRequest("Cannot convert the literal '" + string(item) + "' to the expected type 'Edm.String'.")
		}
	}
	return ids, nil
}
