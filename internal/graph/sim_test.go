package graph_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/graph"
	"github.com/risksweep/risksweep/internal/graphsim"
	"github.com/risksweep/risksweep/internal/memnet"
	"github.com/risksweep/risksweep/internal/plan"
)

type bearer string

func (b bearer) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(b), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// tenant starts a simulated tenant on a socket and a client for it.
func tenant(t *testing.T, o graphsim.Options) (*graphsim.Tenant, *graph.Client, string) {
	t.Helper()
	sim, err := graphsim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(server.Close)
	root := server.URL + "/v1.0"
	c, err := graph.New(graph.Options{Endpoint: root, Credential: bearer(sim.Token()), Cloud: o.Cloud})
	if err != nil {
		t.Fatal(err)
	}
	return sim, c, root
}

// rows reads a list without our client.
func rows(t *testing.T, root, token, path string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for next := root + strings.ReplaceAll(path, " ", "%20"); next != ""; {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, next, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var page struct {
			Value []map[string]any `json:"value"`
			Next  string           `json:"@odata.nextLink"`
		}
		err = json.NewDecoder(resp.Body).Decode(&page)
		if cerr := resp.Body.Close(); err != nil || cerr != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d, %v", next, resp.StatusCode, err)
		}
		all = append(all, page.Value...)
		next = page.Next
	}
	return all
}

func detections(t *testing.T, c *graph.Client, q entra.DetectionQuery) []entra.Detection {
	t.Helper()
	var all []entra.Detection
	for page, err := range c.Detections(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Items...)
	}
	return all
}

func users(t *testing.T, c *graph.Client, q entra.RiskyUserQuery) []entra.RiskyUser {
	t.Helper()
	var all []entra.RiskyUser
	for page, err := range c.RiskyUsers(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Items...)
	}
	return all
}

// Everything is read, once, in the fewest requests; each query gives exactly
// the rows that it should of them.
func TestSimulatedRiskIsReadWhole(t *testing.T) {
	sim, c, _ := tenant(t, graphsim.Options{Seed: 7, Users: 300, Detections: 2500})
	all := detections(t, c, entra.DetectionQuery{})
	ids := map[string]bool{}
	for _, d := range all {
		var raw struct{ ID, RiskState, RiskDetail, IPAddress string }
		if err := json.Unmarshal([]byte(d.Raw), &raw); err != nil || raw.ID != d.ID || raw.RiskState != string(d.RiskState) || raw.IPAddress != d.IPAddress {
			t.Fatalf("raw %s of %+v: %v", d.Raw, d, err)
		}
		if d.RiskDetail == entra.DetailUnknownFutureValue {
			t.Errorf("%s: a detail lost its name", d.ID)
		}
		ids[d.ID] = true
	}
	if len(all) != 2500 || len(ids) != 2500 {
		t.Fatalf("%d detections with %d ids, want 2500", len(all), len(ids))
	}
	if n := sim.Requests().Total; n != 5 {
		t.Errorf("%d requests for 2500 detections, want 5", n)
	}
	since := time.Now().AddDate(0, 0, -20)
	updated := func(d entra.Detection) bool {
		at, ok := d.LastUpdatedDateTime.Time()
		return !ok || !at.Before(since)
	}
	someone := []entra.ID{all[0].UserID, all[1].UserID, all[2].UserID}
	for _, tc := range []struct {
		name string
		q    entra.DetectionQuery
		keep func(entra.Detection) bool
	}{
		{"open", entra.DetectionQuery{Open: true}, func(d entra.Detection) bool { return d.RiskState.Open() }},
		{"updated", entra.DetectionQuery{UpdatedSince: since}, updated},
		{"open or updated", entra.DetectionQuery{Open: true, UpdatedSince: since}, func(d entra.Detection) bool { return d.RiskState.Open() || updated(d) }},
		{"users, open", entra.DetectionQuery{Open: true, UserIDs: someone}, func(d entra.Detection) bool { return d.RiskState.Open() && slices.Contains(someone, d.UserID) }},
		{"one user", entra.DetectionQuery{UserIDs: someone[:1]}, func(d entra.Detection) bool { return d.UserID == someone[0] }},
		{"name", entra.DetectionQuery{UserDisplayName: all[0].UserDisplayName}, func(d entra.Detection) bool { return d.UserDisplayName == all[0].UserDisplayName }},
		{"level and raw", entra.DetectionQuery{Level: "high", Filter: "riskState eq 'atRisk' or riskState eq 'dismissed'"},
			func(d entra.Detection) bool {
				return d.RiskLevel == "high" && (d.RiskState == "atRisk" || d.RiskState == "dismissed")
			}},
	} {
		want, got := []string{}, []string{}
		for _, d := range all {
			if tc.keep(d) {
				want = append(want, d.ID)
			}
		}
		for _, d := range detections(t, c, tc.q) {
			got = append(got, d.ID)
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) || len(want) == 0 || len(want) == len(all) {
			t.Errorf("%s: %d rows, want %d", tc.name, len(got), len(want))
		}
	}
	risky := users(t, c, entra.RiskyUserQuery{})
	openUsers := users(t, c, entra.RiskyUserQuery{Open: true})
	if len(openUsers) == 0 || len(openUsers) > len(risky) {
		t.Errorf("%d of %d users are open", len(openUsers), len(risky))
	}
	for _, u := range openUsers {
		if !u.RiskState.Open() || u.IsDeleted == nil {
			t.Errorf("%+v", u)
		}
	}
	one, err := c.RiskyUser(t.Context(), string(risky[0].ID))
	if err != nil || one.ID != risky[0].ID || one.RiskState != risky[0].RiskState {
		t.Errorf("%+v, %v", one, err)
	}
	history, err := c.UserHistory(t.Context(), string(risky[0].ID))
	if err != nil || len(history) == 0 {
		t.Errorf("%d history rows, %v", len(history), err)
	}
	sps := 0
	for page, err := range c.RiskyServicePrincipals(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		sps += len(page.Items)
	}
	for page, err := range c.ServicePrincipalDetections(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page.Items {
			if d.ServicePrincipalID == "" {
				t.Errorf("%+v", d)
			}
		}
	}
	if sps == 0 {
		t.Error("no risky service principals")
	}
}

// Microsoft's tutorial, by our client: a risky sign-in is raised, seen, and
// dismissed with all its detections.
func TestSimulatedDismissal(t *testing.T) {
	sim, c, root := tenant(t, graphsim.Options{Seed: 3, Users: 20})
	upn := rows(t, root, sim.Token(), "/users?$filter=userType eq 'Member'")[0]["userPrincipalName"].(string)
	if _, err := sim.Raise(graphsim.Raised{UserPrincipalName: upn, RiskEventType: "anonymizedIPAddress", RiskLevel: "medium", IPAddress: "203.0.113.9"}); err != nil {
		t.Fatal(err)
	}
	risky := users(t, c, entra.RiskyUserQuery{UserPrincipalName: upn})
	if len(risky) != 1 || risky[0].RiskState != entra.StateAtRisk {
		t.Fatalf("%+v", risky)
	}
	id := risky[0].ID
	requestID, err := c.ActOnUsers(t.Context(), plan.Dismiss, []string{string(id)})
	if err != nil || requestID == "" {
		t.Fatalf("request id %q, %v", requestID, err)
	}
	u, err := c.RiskyUser(t.Context(), string(id))
	if err != nil || u.RiskState != entra.StateDismissed || u.RiskLevel != entra.LevelNone || u.RiskDetail != entra.DetailAdminDismissedAllRisk {
		t.Errorf("%+v, %v", u, err)
	}
	for _, d := range detections(t, c, entra.DetectionQuery{UserIDs: []entra.ID{id}}) {
		if d.RiskState != entra.StateDismissed || d.RiskDetail != entra.DetailAdminDismissedAllRisk {
			t.Errorf("%+v", d)
		}
	}
	if _, err := c.ActOnUsers(t.Context(), plan.ConfirmCompromised, []string{string(id)}); err != nil {
		t.Error(err)
	}
	if u, err = c.RiskyUser(t.Context(), string(id)); err != nil || u.RiskState != entra.StateConfirmedCompromised || u.RiskLevel != entra.LevelHigh {
		t.Errorf("%+v, %v", u, err)
	}
	history, err := c.UserHistory(t.Context(), string(id))
	if err != nil || !slices.ContainsFunc(history, func(h entra.RiskHistoryItem) bool {
		return h.ActivityDetail == entra.DetailAdminDismissedAllRisk && h.InitiatedBy != ""
	}) {
		t.Errorf("%+v, %v", history, err)
	}
	if _, err := c.ActOnUsers(t.Context(), plan.Dismiss, []string{"00000000-0000-4000-8000-000000000000"}); !errors.Is(err, entra.ErrBadRequest) || errors.Is(err, entra.ErrUnknownOutcome) {
		t.Errorf("unknown user: %v", err)
	}
}

// Each fault of the wire ends as it should, and no write has two effects.
func TestSimulatedFaults(t *testing.T) {
	for _, tc := range []struct {
		name, do string
		read     error
	}{
		{"throttled", `{match: {path: /identityProtection/riskDetections, times: 2}, do: {status: 429}}`, nil},
		{"throttled with a wait", `{match: {path: /identityProtection/riskDetections, times: 1}, do: {status: 429, retryAfter: 2s}}`, nil},
		{"unavailable", `{match: {path: /identityProtection/riskDetections, times: 2}, do: {status: 503}}`, nil},
		{"dropped", `{match: {path: /identityProtection/riskDetections, nth: 3}, do: {drop: after}}`, nil},
		{"truncated once", `{match: {path: /identityProtection/riskDetections, nth: 2}, do: {truncate: 1000}}`, nil},
		{"truncated", `{match: {path: /identityProtection/riskDetections}, do: {truncate: 1000}}`, entra.ErrMalformed},
		{"looping link", `{match: {path: /identityProtection/riskDetections}, do: {loopNextLink: true}}`, entra.ErrMalformed},
		{"repeated page", `{match: {path: /identityProtection/riskDetections, nth: 2}, do: {repeatPage: true}}`, nil},
		{"empty page", `{match: {path: /identityProtection/riskDetections, nth: 2}, do: {emptyPage: true}}`, nil},
		{"nonsense", `{match: {path: /identityProtection/riskDetections}, do: {body: "<html>"}}`, entra.ErrMalformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, graphsim.Options{Seed: 1, Users: 50, Detections: 1600, Faults: []byte("faults: [" + tc.do + "]")}, 0, func(t *testing.T, sim *graphsim.Tenant, c *graph.Client) {
				n := map[string]bool{}
				var failed error
				for page, err := range c.Detections(t.Context(), entra.DetectionQuery{}) {
					failed = err
					for _, d := range page.Items {
						n[d.ID] = true
					}
				}
				if tc.read == nil && (failed != nil || len(n) != 1600) || !errors.Is(failed, tc.read) {
					t.Errorf("%d rows, error %v", len(n), failed)
				}
			})
		})
	}
	for _, tc := range []struct {
		name, do string
		unknown  bool
		effects  int
		fails    bool
	}{
		{"dropped before the effect", "drop: before", true, 0, true},
		{"dropped after the effect", "drop: after", true, 1, true},
		{"throttled", "status: 429", false, 1, false},
		{"unavailable", "status: 503", true, 0, true},
	} {
		t.Run("dismiss "+tc.name, func(t *testing.T) {
			faults := fmt.Sprintf("faults: [{match: {method: POST, path: /identityProtection/riskyUsers/dismiss, times: 1}, do: {%s}}]", tc.do)
			bubble(t, graphsim.Options{Seed: 1, Users: 50, Detections: 100, Faults: []byte(faults)}, 0, func(t *testing.T, sim *graphsim.Tenant, c *graph.Client) {
				var id entra.ID
				for page, err := range c.RiskyUsers(t.Context(), entra.RiskyUserQuery{State: entra.StateAtRisk, Filter: "isDeleted eq false"}) {
					if err != nil || len(page.Items) == 0 {
						t.Fatalf("%d users, %v", len(page.Items), err)
					}
					id = page.Items[0].ID
				}
				_, err := c.ActOnUsers(t.Context(), plan.Dismiss, []string{string(id)})
				if (err != nil) != tc.fails || errors.Is(err, entra.ErrUnknownOutcome) != tc.unknown {
					t.Errorf("error %v", err)
				}
				effects := 0
				for _, e := range sim.Journal() {
					if e.Effect {
						effects++
					}
				}
				if effects != tc.effects {
					t.Errorf("%d effects, want %d", effects, tc.effects)
				}
			})
		})
	}
}

// At the tenant's rate nothing of ours is refused.
func TestSimulatedPace(t *testing.T) {
	bubble(t, graphsim.Options{Seed: 1, Users: 400, Detections: 8000, Rate: 1}, 1, func(t *testing.T, sim *graphsim.Tenant, c *graph.Client) {
		begin := time.Now()
		for _, err := range c.Detections(t.Context(), entra.DetectionQuery{}) {
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, err := range c.RiskyUsers(t.Context(), entra.RiskyUserQuery{}) {
			if err != nil {
				t.Fatal(err)
			}
		}
		r := sim.Requests()
		took := time.Since(begin)
		if r.Throttled != 0 || r.Total != 17 || took > 16*105*time.Second/100 {
			t.Errorf("%+v in %v", r, took)
		}
	})
}

// What the tenant refuses for the token, and what for the licence.
func TestSimulatedRefusals(t *testing.T) {
	for _, tc := range []struct {
		name string
		o    graphsim.Options
		want error
	}{
		{"no consent", graphsim.Options{Users: 5, Roles: []string{"User.Read.All"}}, entra.ErrForbidden},
		{"no licence", graphsim.Options{Users: 5, License: "none"}, entra.ErrUnlicensed},
		{"P1", graphsim.Options{Users: 5, License: "P1"}, entra.ErrUnlicensed},
		{"China", graphsim.Options{Users: 5, Cloud: "china"}, entra.ErrUnsupported},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, c, root := tenant(t, tc.o)
			for _, err := range c.RiskyUsers(t.Context(), entra.RiskyUserQuery{}) {
				if !errors.Is(err, tc.want) {
					t.Errorf("error %v, want %v", err, tc.want)
				}
			}
			foreign, err := graph.New(graph.Options{Endpoint: root, Credential: bearer("e30.e30.e30")})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := foreign.RiskyUser(t.Context(), "x"); !errors.Is(err, entra.ErrUnauthorized) {
				t.Errorf("foreign token: %v", err)
			}
		})
	}
}

// bubble runs f with a simulated tenant and a client in virtual time.
func bubble(t *testing.T, o graphsim.Options, rate float64, f func(t *testing.T, sim *graphsim.Tenant, c *graph.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sim, err := graphsim.New(o)
		if err != nil {
			t.Fatal(err)
		}
		l := memnet.Listen()
		server := &http.Server{Handler: sim.Handler(), ReadHeaderTimeout: time.Minute}
		go func() { _ = server.Serve(l) }()
		transport := &http.Transport{DialContext: l.DialContext, DisableCompression: true}
		c, err := graph.New(graph.Options{Endpoint: "http://127.0.0.1/v1.0", Credential: bearer(sim.Token()), RequestsPerSecond: rate, Transport: transport})
		if err != nil {
			t.Fatal(err)
		}
		f(t, sim, c)
		transport.CloseIdleConnections()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
}
