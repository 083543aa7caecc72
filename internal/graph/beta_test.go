package graph

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	abs "github.com/microsoft/kiota-abstractions-go"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/graphsim"
)

// Of the beta version exactly three lists are read, and those only where it is
// switched on; nothing else of it leaves, and no write.
func TestBetaIsOnlyRead(t *testing.T) {
	sim, err := graphsim.New(graphsim.Options{Seed: 3, Users: 20, Policies: 4, Beta: true})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(server.Close)
	for _, on := range []bool{false, true} {
		rec := &passing{}
		c, err := New(Options{Endpoint: server.URL + "/v1.0", Credential: fixedToken{token: sim.Token()}, Transport: rec, Beta: on})
		if err != nil {
			t.Fatal(err)
		}
		agents, err := c.Agents(t.Context())
		if on && (err != nil || len(agents) != 2 || agents[0].DisplayName == "" || agents[0].RiskState != "atRisk" || len(agents[0].Raw) == 0) || !on && !errors.Is(err, entra.ErrUnsupported) {
			t.Errorf("agents: %+v, %v", agents, err)
		}
		found, err := c.AgentDetections(t.Context())
		if on && (err != nil || len(found) != 2 || found[0].AgentID != agents[0].ID) || !on && err == nil {
			t.Errorf("detections: %+v, %v", found, err)
		}
		policies, err := c.BetaPolicies(t.Context())
		if on && (err != nil || len(policies) != 5 || policies[4].DisplayName != "CA501 Block risky agents") || !on && err == nil {
			t.Errorf("policies: %+v, %v", policies, err)
		}
		left := len(rec.sent)
		if on && left != 3 || !on && left != 0 {
			t.Errorf("sent %v", rec.sent)
		}
		for _, r := range []request{
			{method: abs.POST, link: server.URL + "/beta/identityProtection/riskyAgents"},
			{method: abs.POST, link: server.URL + "/beta/identityProtection/riskyAgents/dismiss"},
			{method: abs.DELETE, link: server.URL + "/beta/identity/conditionalAccess/policies"},
			{method: abs.GET, link: server.URL + "/beta/identityProtection/riskyAgents", body: []byte("{}")},
			{method: abs.GET, link: server.URL + "/beta/users", safe: true},
			{method: abs.GET, link: server.URL + "/beta/identityProtection/riskyAgents/x/../../users", safe: true},
			{method: abs.GET, link: server.URL + "/beta/identityProtection/%72iskyAgents", safe: true},
			{method: abs.GET, link: "http://127.0.0.1:1/beta/identityProtection/riskyAgents", safe: true},
		} {
			if _, err := c.do(t.Context(), r); err == nil || len(rec.sent) != left {
				t.Errorf("%s %s (%t): %v, %v", r.method, r.link, on, err, rec.sent[left:])
			}
		}
	}
	if _, err := New(Options{Endpoint: server.URL + "/other", Credential: fixedToken{}, Beta: true}); err == nil || !strings.Contains(err.Error(), "no beta beside it") {
		t.Error(err)
	}
	res, err := http.Get(server.URL + "/beta/identityProtection/riskyAgents")
	if err != nil || res.StatusCode != http.StatusUnauthorized {
		t.Error(res, err)
	}
	_ = res.Body.Close()
}
