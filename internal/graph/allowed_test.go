package graph

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"

	abs "github.com/microsoft/kiota-abstractions-go"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/graphsim"
	"github.com/risksweep/risksweep/internal/plan"
)

// passing keeps what left, and sends it on.
type passing struct {
	mu   sync.Mutex
	sent []string
}

func (r *passing) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.sent = append(r.sent, req.Method+" "+strings.TrimPrefix(written(req.URL), "/v1.0"))
	r.mu.Unlock()
	return http.DefaultTransport.RoundTrip(req)
}

func drain[T any](pages iter.Seq2[T, error]) error {
	for _, err := range pages {
		if err != nil {
			return err
		}
	}
	return nil
}

func only(_ any, err error) error { return err }

// Every call of the client is made, and whatever it sends besides plain reads is
// of one of these forms; there is no form that no call needs.
func TestEveryRequestThatCanBeSent(t *testing.T) {
	sim, err := graphsim.New(graphsim.Options{Seed: 5, Users: 20, Detections: 40, Policies: 3, AppRestore: true, Beta: true})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(server.Close)
	rec := &passing{}
	c, err := New(Options{Endpoint: server.URL + "/v1.0", Credential: fixedToken{token: sim.Token()}, Transport: rec, Beta: true})
	if err != nil {
		t.Fatal(err)
	}
	var risky entra.RiskyUser
	for page, err := range c.RiskyUsers(ctx(t), entra.RiskyUserQuery{Open: true}) {
		if err != nil || len(page.Items) == 0 {
			t.Fatal(page, err)
		}
		risky = page.Items[0]
		break
	}
	user, principal := string(risky.ID), ""
	for page, err := range c.RiskyServicePrincipals(ctx(t)) {
		if err != nil || len(page.Items) == 0 {
			t.Fatal(page, err)
		}
		principal = string(page.Items[0].ID)
	}
	refs := []entra.Ref{{Kind: entra.KindUser, Name: risky.UserPrincipalName}, {Kind: entra.KindUser, Name: user}, {Kind: entra.KindGroup, Name: user}}
	body := map[entra.ObjectKind]entra.Document{
		entra.KindPolicy: {"displayName": "P", "state": "disabled", "grantControls": map[string]any{"operator": "OR", "builtInControls": []any{"mfa"}},
			"conditions": map[string]any{"clientAppTypes": []any{"all"}, "applications": map[string]any{"includeApplications": []any{"All"}}, "users": map[string]any{"includeUsers": []any{"All"}}}},
		entra.KindLocation: {"@odata.type": "#microsoft.graph.ipNamedLocation", "displayName": "L",
			"ipRanges": []any{map[string]any{"@odata.type": "#microsoft.graph.iPv4CidrRange", "cidrAddress": "203.0.113.0/24"}}},
		entra.KindStrength: {"displayName": "S", "allowedCombinations": []any{"fido2"}},
	}
	change := map[entra.ObjectKind]entra.Document{
		entra.KindPolicy: {"displayName": "P2"}, entra.KindLocation: {"@odata.type": "#microsoft.graph.ipNamedLocation", "displayName": "L2"},
		entra.KindStrength: {"allowedCombinations": []any{"fido2", "windowsHelloForBusiness"}},
	}
	made := map[entra.ObjectKind]string{}
	forKinds := func(do func(entra.ObjectKind) error) func(context.Context) error {
		return func(context.Context) error {
			var errs []error
			for _, k := range []entra.ObjectKind{entra.KindPolicy, entra.KindLocation, entra.KindStrength} {
				errs = append(errs, do(k))
			}
			return errors.Join(errs...)
		}
	}
	forDeleted := func(do func(entra.ObjectKind) error) func(context.Context) error {
		return func(context.Context) error { return errors.Join(do(entra.KindPolicy), do(entra.KindLocation)) }
	}
	// The calls by name; nil for what sends nothing.
	calls := map[string]func(context.Context) error{
		"ActOnUsers": func(ctx context.Context) error {
			var errs []error
			for _, k := range plan.PrincipalKinds() {
				errs = append(errs, only(c.ActOnUsers(ctx, k, []string{principal})))
			}
			for _, k := range plan.UserKinds() {
				if k.OnDetections() {
					if err := only(c.ActOnUsers(ctx, k, []string{user})); !errors.Is(err, entra.ErrBadRequest) {
						t.Errorf("%s of no sign-in: %v", k, err)
					}
					continue
				}
				errs = append(errs, only(c.ActOnUsers(ctx, k, []string{user})))
			}
			return errors.Join(errs...)
		},
		"CreateObject": forKinds(func(k entra.ObjectKind) error {
			d, _, err := c.CreateObject(ctx(t), k, body[k])
			made[k] = d.ID()
			return err
		}),
		"UpdateObject": forKinds(func(k entra.ObjectKind) error {
			_, err := c.UpdateObject(ctx(t), k, made[k], change[k])
			if k == entra.KindStrength {
				_, second := c.UpdateObject(ctx(t), k, made[k], entra.Document{"displayName": "S2"})
				err = errors.Join(err, second)
			}
			return err
		}),
		"Object":         forKinds(func(k entra.ObjectKind) error { return only(c.Object(ctx(t), k, made[k])) }),
		"Deleted":        forKinds(func(k entra.ObjectKind) error { return only(c.Deleted(ctx(t), k, made[k])) }),
		"DeleteObject":   forKinds(func(k entra.ObjectKind) error { return only(c.DeleteObject(ctx(t), k, made[k])) }),
		"DeletedObjects": forDeleted(func(k entra.ObjectKind) error { return only(c.DeletedObjects(ctx(t), k)) }),
		"DeletedObject":  forDeleted(func(k entra.ObjectKind) error { return only(c.DeletedObject(ctx(t), k, made[k])) }),
		"RestoreObject":  forDeleted(func(k entra.ObjectKind) error { return only(c.RestoreObject(ctx(t), k, made[k])) }),
		"Objects":        forKinds(func(k entra.ObjectKind) error { return only(c.Objects(ctx(t), k)) }),
		"Memberships":    func(ctx context.Context) error { return only(c.Memberships(ctx, user)) },
		"Users":          func(ctx context.Context) error { return drain(c.Users(ctx)) },
		"Guests":         func(ctx context.Context) error { return drain(c.Guests(ctx)) },
		"Application":    func(ctx context.Context) error { return only(c.Application(ctx, "Office 365")) },
		"Evaluate": func(ctx context.Context) error {
			return only(c.Evaluate(ctx, entra.Document{
				"signInIdentity":      map[string]any{"@odata.type": "#microsoft.graph.userSignIn", "userId": user},
				"signInContext":       map[string]any{"@odata.type": "#microsoft.graph.applicationContext", "includeApplications": []any{"All"}},
				"signInConditions":    map[string]any{},
				"appliedPoliciesOnly": false,
			}))
		},
		"ActiveRoles": func(ctx context.Context) error { return only(c.ActiveRoles(ctx)) },
		"Members":     func(ctx context.Context) error { _ = only(c.Members(ctx, user)); return nil },
		"Identify":    func(ctx context.Context) error { return only(c.Identify(ctx, refs)) },
		"Resolve":     func(ctx context.Context) error { return only(c.Resolve(ctx, refs)) },
		"ObjectNames": func(ctx context.Context) error { return only(c.ObjectNames(ctx, []string{user})) },
		"Privileged":  func(ctx context.Context) error { return only(c.Privileged(ctx)) },
		"RoleHolders": func(ctx context.Context) error {
			return only(c.RoleHolders(ctx, []entra.ID{"62e90394-69f5-4237-9190-012177145e10"}))
		},
		"Detections":                 func(ctx context.Context) error { return drain(c.Detections(ctx, entra.DetectionQuery{Open: true})) },
		"RiskyUsers":                 func(ctx context.Context) error { return drain(c.RiskyUsers(ctx, entra.RiskyUserQuery{})) },
		"RiskyServicePrincipals":     func(ctx context.Context) error { return drain(c.RiskyServicePrincipals(ctx)) },
		"ServicePrincipalDetections": func(ctx context.Context) error { return drain(c.ServicePrincipalDetections(ctx, []entra.ID{risky.ID})) },
		"ServicePrincipals":          func(ctx context.Context) error { return only(c.ServicePrincipals(ctx, []entra.ID{risky.ID})) },
		"RiskyUser":                  func(ctx context.Context) error { return only(c.RiskyUser(ctx, user)) },
		"UserHistory":                func(ctx context.Context) error { return only(c.UserHistory(ctx, user)) },
		"ServicePrincipalHistory":    func(ctx context.Context) error { return only(c.ServicePrincipalHistory(ctx, principal)) },
		"Tenant":                     func(ctx context.Context) error { return only(c.Tenant(ctx)) },
		"Self":                       func(ctx context.Context) error { return only(c.Self(ctx)) },
		"Accounts":                   func(ctx context.Context) error { return only(c.Accounts(ctx, []entra.ID{risky.ID})) },
		"Audits":                     func(ctx context.Context) error { return drain(c.Audits(ctx, entra.AuditQuery{})) },
		"SignIns":                    func(ctx context.Context) error { return drain(c.SignIns(ctx, entra.SignInQuery{})) },
		"Agents":                     func(ctx context.Context) error { return only(c.Agents(ctx)) },
		"AgentDetections":            func(ctx context.Context) error { return only(c.AgentDetections(ctx)) },
		"BetaPolicies":               func(ctx context.Context) error { return only(c.BetaPolicies(ctx)) },
		"Identity":                   nil, "TokenRoles": nil, "SignedIn": nil, "DecodeDetections": nil, "Stats": nil, "ServerTime": nil,
	}
	order := []string{"CreateObject", "UpdateObject", "Object", "DeleteObject", "DeletedObjects", "DeletedObject", "RestoreObject"}
	for name := range calls {
		order = append(order, name)
	}
	done := map[string]bool{}
	for _, name := range order {
		if done[name] || calls[name] == nil {
			continue
		}
		done[name] = true
		if err := calls[name](ctx(t)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	client := reflect.TypeFor[*Client]()
	for i := range client.NumMethod() {
		if _, ok := calls[client.Method(i).Name]; !ok {
			t.Errorf("%s is not among the calls of this test", client.Method(i).Name)
		}
	}

	const id = `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`
	forms := map[string]int{
		`POST /\$batch`: 0, `POST /directoryObjects/getByIds`: 0, `POST /identity/conditionalAccess/evaluate`: 0,
		`POST /identityProtection/riskyUsers/(microsoft\.graph\.)?(dismiss|confirmCompromised|confirmSafe)`: 0,
		`POST /identityProtection/riskyServicePrincipals/(microsoft\.graph\.)?(dismiss|confirmCompromised)`: 0,
		`POST /users/` + id + `/revokeSignInSessions`:                                                       0, `PATCH /users/` + id: 0,
		`POST /auditLogs/signIns/(dismiss|confirmSafe)`:                                              0,
		`POST /identity/conditionalAccess/(policies|namedLocations)`:                                 0,
		`PATCH /identity/conditionalAccess/(policies|namedLocations)/` + id:                          0,
		`DELETE /identity/conditionalAccess/(policies|namedLocations)/` + id:                         0,
		`POST /identity/conditionalAccess/deletedItems/(policies|namedLocations)/` + id + `/restore`: 0,
		`POST /policies/authenticationStrengthPolicies`:                                              0,
		`POST /policies/authenticationStrengthPolicies/` + id + `/updateAllowedCombinations`:         0,
		`PATCH /policies/authenticationStrengthPolicies/` + id:                                       0,
		`DELETE /policies/authenticationStrengthPolicies/` + id:                                      0,
	}
	for _, sent := range rec.sent {
		if strings.HasPrefix(sent, "GET ") {
			continue
		}
		found := false
		for form := range forms {
			if regexp.MustCompile("^" + form + "$").MatchString(sent) {
				forms[form]++
				found = true
			}
		}
		if !found {
			t.Errorf("%s was sent", sent)
		}
	}
	for form, n := range forms {
		if n == 0 {
			t.Errorf("no call sends %s", form)
		}
	}
	for _, s := range shapes {
		if !sentAs(rec.sent, s) {
			t.Errorf("%s %s may leave, but no call needs it", s.method, s.path)
		}
	}
}

func sentAs(sent []string, s shape) bool {
	for _, one := range sent {
		if path, ok := strings.CutPrefix(one, s.method+" "); ok && s.match.MatchString(path) {
			return true
		}
	}
	return false
}

// What is on no list does not leave, whoever asks for it.
func TestNoOtherWriteLeaves(t *testing.T) {
	const id = "8f6a7d0e-8f4b-4c7e-9d30-0a4c9b1f2e11"
	c := &Client{base: &url.URL{Scheme: "https", Host: "graph.microsoft.com", Path: "/v1.0"}}
	for _, one := range []struct {
		method, path, body string
		ok                 bool
	}{
		{"GET", "/v1.0/users/" + id, "", true},
		{"POST", "/v1.0/identityProtection/riskyUsers/dismiss", `{}`, true},
		{"POST", "/v1.0/$batch", `{"requests":[{"id":"1","method":"GET","url":"/users"}]}`, true},
		{"POST", "/v1.0/%24batch", `{"requests":[]}`, true},
		{"DELETE", "/v1.0/identity/conditionalAccess/policies/" + id, "", true},

		// Without /$ref, each of these deletes a user.
		{"DELETE", "/v1.0/groups/" + id + "/members/" + id, "", false},
		{"DELETE", "/v1.0/groups/" + id + "/members/" + id + "/", "", false},
		{"DELETE", "/v1.0/users/" + id, "", false},
		{"DELETE", "/v1.0/directoryObjects/" + id, "", false},
		{"DELETE", "/v1.0/groups/" + id, "", false},

		{"POST", "/v1.0/$batch", `{"requests":[{"id":"1","method":"DELETE","url":"/users/x"}]}`, false},
		{"POST", "/v1.0/$batch", `{"requests":[{"id":"1","method":"get","url":"/users/x"}]}`, false},
		{"POST", "/v1.0/$batch", `[]`, false},
		{"POST", "/v1.0/$batch", "", false},
		{"PATCH", "/v1.0/users/" + id, `{"accountEnabled":false}`, true},
		{"PATCH", "/v1.0/users/" + id, `{"displayName":"x"}`, false},
		{"PATCH", "/v1.0/users/" + id, `{"accountEnabled":false,"passwordProfile":{}}`, false},
		{"PATCH", "/v1.0/users/" + id, `{"accountEnabled":null}`, false},
		{"PATCH", "/v1.0/users/ada@contoso.com", `{"accountEnabled":false}`, false},
		{"POST", "/v1.0/users/" + id + "/revokeSignInSessions", "", true},
		{"PUT", "/v1.0/identity/conditionalAccess/policies/" + id, `{}`, false},
		{"DELETE", "/v1.0/identity/conditionalAccess/policies", "", false},
		{"DELETE", "/v1.0/identity/conditionalAccess/policies/", "", false},
		{"DELETE", "/v1.0/identity/conditionalAccess/policies/..", "", false},
		{"DELETE", "/v1.0/identity/conditionalAccess/policies/%2e%2e%2f%2e%2e%2fusers%2f" + id, "", false},
		{"DELETE", "/v1.0/identity/conditionalAccess/policies/" + id + "/" + id, "", false},
		{"DELETE", "/v1.0/identity/conditionalAccess/policies/" + id + "?x=1", "", false},
		{"DELETE", "/v1.0//identity/conditionalAccess/policies/" + id, "", false},
		{"POST", "/beta/identityProtection/riskyUsers/dismiss", `{}`, false},
		{"POST", "/beta/identityProtection/riskyAgents/dismiss", `{}`, false},
		{"POST", "/v1.0/identityProtection/riskyUsers/dismiss/", `{}`, false},
		{"post", "/v1.0/identityProtection/riskyUsers/dismiss", `{}`, false},
		{"HEAD", "/v1.0/users", "", false},
	} {
		req := httptest.NewRequestWithContext(t.Context(), one.method, "https://graph.microsoft.com"+one.path, strings.NewReader(one.body))
		err := c.allowed(req)
		if (err == nil) != one.ok || err != nil && !errors.Is(err, errNotAllowed) {
			t.Errorf("%s %s %s: %v", one.method, one.path, one.body, err)
		}
	}
	req := httptest.NewRequestWithContext(t.Context(), "GET", "https://graph.microsoft.com/v1.0/users/"+id, nil)
	req.Header.Set("X-HTTP-Method-Override", "DELETE")
	if err := c.allowed(req); err == nil {
		t.Error("a read that is to be taken for something else leaves")
	}
}

// A write that is on no list is refused by the client as a whole: nothing
// arrives, and nothing about it is unknown.
func TestAForbiddenWriteIsNotSent(t *testing.T) {
	arrived := 0
	bubble(t, func(w http.ResponseWriter, _ *http.Request) { arrived++; w.WriteHeader(204) }, Options{}, func(t *testing.T, c *Client) {
		_, err := c.do(ctx(t), request{method: abs.DELETE, template: "{+baseurl}/groups/{id}/members/{member}", params: map[string]string{"id": "g", "member": userA}})
		if !errors.Is(err, errNotAllowed) || errors.Is(err, entra.ErrUnknownOutcome) || arrived != 0 {
			t.Errorf("%v, %d arrived", err, arrived)
		}
	})
}
