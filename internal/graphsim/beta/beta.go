// Package beta is the little of Microsoft Graph's beta version that the simulated
// tenant has: agents at risk, what was detected of them, and the Conditional Access
// policies, among them one with a member that v1.0 does not know. All of it is
// read-only. Paths begin with a segment "beta".
package beta

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// Workload answers calls below /beta. It implements wire.Workload.
type Workload struct {
	policies   wire.Workload // of v1.0
	agents     []map[string]any
	detections []map[string]any
	hidden     map[string]any
}

var _ wire.Workload = (*Workload)(nil)

// New makes the beta version of a tenant beside its policies of v1.0.
func New(seed uint64, born time.Time, policies wire.Workload) *Workload {
	rng := rand.New(rand.NewPCG(seed, 0x62657461)) //nolint:gosec // a simulation
	id := func() string {
		a, b := rng.Uint64(), rng.Uint64()
		return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", uint32(a>>32), uint16(a>>16), a&0xfff, b>>52, b&0xffffffffffff) //nolint:gosec // parts of random numbers
	}
	at := func(age time.Duration) string { return born.Add(-age).UTC().Format("2006-01-02T15:04:05.0000000Z") }
	w := &Workload{policies: policies}
	for n, name := range []string{"Invoice Assistant", "Travel Planner"} {
		agent, blueprint := id(), id()
		level := []string{"high", "medium"}[n]
		w.agents = append(w.agents, map[string]any{
			"id": agent, "agentDisplayName": name, "blueprintId": blueprint, "identityType": "agentIdentity", "isDeleted": false, "isEnabled": true, "isProcessing": false,
			"riskDetail": "none", "riskLastModifiedDateTime": at(time.Duration(n+1) * time.Hour), "riskLevel": level, "riskState": "atRisk",
		})
		w.detections = append(w.detections, map[string]any{
			"id": id(), "agentId": agent, "agentDisplayName": name, "blueprintId": blueprint, "identityId": agent, "identityType": "agentIdentity",
			"activityDateTime": at(time.Duration(n+2) * time.Hour), "detectedDateTime": at(time.Duration(n+1) * time.Hour), "lastModifiedDateTime": at(time.Duration(n+1) * time.Hour),
			"riskEventType": []string{"unfamiliarResourceAccess", "signInSpike"}[n], "riskEvidence": "", "riskLevel": level, "riskState": "atRisk", "riskDetail": "none", "source": "identityProtection",
		})
	}
	w.hidden = map[string]any{
		"id": id(), "displayName": "CA501 Block risky agents", "state": "enabled", "createdDateTime": at(24 * time.Hour), "modifiedDateTime": nil,
		"conditions":    map[string]any{"agentIdRiskLevels": "high", "clientApplications": map[string]any{"includeAgentIdServicePrincipals": []string{"All"}}, "users": map[string]any{"includeUsers": []string{"None"}}},
		"grantControls": map[string]any{"operator": "OR", "builtInControls": []string{"block"}},
	}
	return w
}

const (
	agentsPath     = "identityProtection/riskyAgents"
	detectionsPath = "identityProtection/agentRiskDetections"
	policiesPath   = "identity/conditionalAccess/policies"
)

// Claims says whether a path is one of the three lists.
func (w *Workload) Claims(path []string) bool {
	if len(path) == 0 || path[0] != "beta" {
		return false
	}
	switch strings.Join(path[1:], "/") {
	case "", "identityProtection", "identity", "identity/conditionalAccess", agentsPath, detectionsPath, policiesPath:
		return true
	}
	return false
}

// Needs gives the app roles of a list.
func (w *Workload) Needs(_ string, path []string) ([][]string, *wire.Error) {
	denied := &wire.Error{Status: http.StatusForbidden, Code: "Forbidden", Message: "You cannot perform the requested operation, required scopes are missing in the token."}
	switch strings.Join(path[1:], "/") {
	case agentsPath:
		return [][]string{{"IdentityRiskyAgent.Read.All"}, {"IdentityRiskyAgent.ReadWrite.All"}}, denied
	case detectionsPath:
		return [][]string{{"IdentityRiskEvent.Read.All"}, {"IdentityRiskEvent.ReadWrite.All"}}, denied
	}
	return [][]string{{"Policy.Read.All"}, {"Policy.Read.ConditionalAccess"}, {"Policy.ReadWrite.ConditionalAccess"}}, denied
}

// Serve answers the read of a list, page by page.
func (w *Workload) Serve(r *wire.Request) (*wire.Response, *wire.Error) {
	if r.Method != http.MethodGet {
		return nil, &wire.Error{Status: http.StatusMethodNotAllowed, Code: "BadRequest", Message: "Specified HTTP method is not allowed for the request target.", Header: http.Header{"Allow": {http.MethodGet}}}
	}
	path := strings.Join(r.Path[1:], "/")
	switch path {
	case agentsPath:
		return w.list(r, path, w.agents)
	case detectionsPath:
		return w.list(r, path, w.detections)
	case policiesPath:
		v1 := *r
		v1.Path, v1.Query = r.Path[1:], nil
		response, refused := w.policies.Serve(&v1)
		if refused != nil {
			return nil, refused
		}
		text, err := json.Marshal(response.Body)
		var page struct {
			Value []map[string]any `json:"value"`
		}
		if err != nil || json.Unmarshal(text, &page) != nil {
			return nil, &wire.Error{Status: http.StatusInternalServerError, Code: "InternalServerError", Message: "The list could not be read."}
		}
		return w.list(r, path, append(page.Value, w.hidden))
	}
	return nil, &wire.Error{Status: http.StatusBadRequest, Code: "BadRequest", Message: "Resource not found for the segment '" + r.Path[len(r.Path)-1] + "'."}
}

func (w *Workload) list(r *wire.Request, path string, rows []map[string]any) (*wire.Response, *wire.Error) {
	root := strings.TrimSuffix(r.Root, "/v1.0") + "/beta"
	top, skip := len(rows), 0
	for name, at := range map[string]*int{"$top": &top, "$skiptoken": &skip} {
		if text := r.Query.Get(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 {
				return nil, &wire.Error{Status: http.StatusBadRequest, Code: "BadRequest", Message: "Invalid value '" + text + "' for " + name + "."}
			}
			*at = n
		}
	}
	skip = min(skip, len(rows))
	end := min(skip+top, len(rows))
	page := map[string]any{"@odata.context": root + "/$metadata#" + path, "value": append([]map[string]any{}, rows[skip:end]...)}
	if end < len(rows) && top > 0 {
		page["@odata.nextLink"] = fmt.Sprintf("%s/%s?$top=%d&$skiptoken=%d", root, path, top, end)
	}
	return &wire.Response{Status: http.StatusOK, Body: page}, nil
}

// Export and Import: there is nothing that changes.
func (w *Workload) Export() (json.RawMessage, error) { return json.RawMessage("{}"), nil }

// Import takes what Export gave.
func (w *Workload) Import(json.RawMessage) error { return nil }
