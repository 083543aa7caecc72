package graph

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// recorder keeps what was sent, a line for each request.
type recorder struct {
	mu     sync.Mutex
	lines  []string
	answer func(w http.ResponseWriter, r *http.Request)
}

func (rec *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	rec.mu.Lock()
	line := r.Method + " " + strings.TrimPrefix(r.URL.RequestURI(), "/v1.0")
	if len(body) > 0 {
		line += " " + r.Header.Get("Content-Type") + " " + string(body)
		if r.ContentLength != int64(len(body)) {
			line += " without its length"
		}
	}
	rec.lines = append(rec.lines, line)
	rec.mu.Unlock()
	rec.answer(w, r)
}

func TestWritesOnTheWire(t *testing.T) {
	rec := &recorder{answer: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("request-id", "rid")
		if r.Method == http.MethodPost && !strings.Contains(r.URL.Path, "riskyUsers") && !strings.HasSuffix(r.URL.Path, "Combinations") {
			answerJSON(w, 201, `{"@odata.context":"c","id":"new","state":"disabled","newer":1.0}`)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}}
	bubble(t, rec.ServeHTTP, Options{}, func(t *testing.T, c *Client) {
		must := func(id string, err error) {
			t.Helper()
			if err != nil || id == "" {
				t.Errorf("request id %q, error %v", id, err)
			}
		}
		must(c.ActOnUsers(ctx(t), plan.Dismiss, []string{"u1", "u2"}))
		must(c.ActOnUsers(ctx(t), plan.ConfirmCompromised, []string{"u1"}))
		must(c.ActOnUsers(ctx(t), plan.ConfirmSafe, []string{"u1"}))
		doc, id, err := c.CreateObject(ctx(t), entra.KindPolicy, entra.Document{"displayName": "p", "sessionControls": nil})
		must(id, err)
		if diff := cmp.Diff(`1.0`, string(doc["newer"].(interface{ String() string }).String())); diff != "" || doc.ID() != "new" {
			t.Errorf("%v %s", doc, diff)
		}
		_, id, err = c.CreateObject(ctx(t), entra.KindLocation, entra.Document{"@odata.type": "#microsoft.graph.ipNamedLocation"})
		must(id, err)
		_, id, err = c.CreateObject(ctx(t), entra.KindStrength, entra.Document{"allowedCombinations": []any{"fido2"}})
		must(id, err)
		if _, err := c.UpdateObject(ctx(t), entra.KindPolicy, "a/b?c", entra.Document{"grantControls": nil}); !errors.Is(err, errNotAllowed) {
			t.Errorf("an id that is none: %v", err)
		}
		must(c.UpdateObject(ctx(t), entra.KindPolicy, "p1", entra.Document{"grantControls": nil}))
		must(c.UpdateObject(ctx(t), entra.KindLocation, "l1", entra.Document{"isTrusted": false}))
		if _, err := c.UpdateObject(ctx(t), entra.KindStrength, "s1", entra.Document{"displayName": "x", "allowedCombinations": []any{"fido2"}}); !errors.Is(err, entra.ErrBadRequest) {
			t.Errorf("two requests in one: %v", err)
		}
		must(c.UpdateObject(ctx(t), entra.KindStrength, "s1", entra.Document{"displayName": "x"}))
		must(c.UpdateObject(ctx(t), entra.KindStrength, "s1", entra.Document{"allowedCombinations": []any{"fido2"}}))
		must(c.DeleteObject(ctx(t), entra.KindPolicy, "p1"))
		must(c.DeleteObject(ctx(t), entra.KindLocation, "l1"))
		must(c.DeleteObject(ctx(t), entra.KindStrength, "s1"))
	})
	const j = " application/json "
	if diff := cmp.Diff([]string{
		"POST /identityProtection/riskyUsers/dismiss" + j + `{"userIds":["u1","u2"]}`,
		"POST /identityProtection/riskyUsers/confirmCompromised" + j + `{"userIds":["u1"]}`,
		"POST /identityProtection/riskyUsers/confirmSafe" + j + `{"userIds":["u1"]}`,
		"POST /identity/conditionalAccess/policies" + j + `{"displayName":"p","sessionControls":null}`,
		"POST /identity/conditionalAccess/namedLocations" + j + `{"@odata.type":"#microsoft.graph.ipNamedLocation"}`,
		"POST /policies/authenticationStrengthPolicies" + j + `{"allowedCombinations":["fido2"]}`,
		"PATCH /identity/conditionalAccess/policies/p1" + j + `{"grantControls":null}`,
		"PATCH /identity/conditionalAccess/namedLocations/l1" + j + `{"isTrusted":false}`,
		"PATCH /policies/authenticationStrengthPolicies/s1" + j + `{"displayName":"x"}`,
		"POST /policies/authenticationStrengthPolicies/s1/updateAllowedCombinations" + j + `{"allowedCombinations":["fido2"]}`,
		"DELETE /identity/conditionalAccess/policies/p1",
		"DELETE /identity/conditionalAccess/namedLocations/l1",
		"DELETE /policies/authenticationStrengthPolicies/s1",
	}, rec.lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Lists ask for no page size, follow links and keep what no SDK knows.
func TestObjectLists(t *testing.T) {
	rec := &recorder{}
	rec.answer = func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/policies") && r.URL.RawQuery == "":
			answerJSON(w, 200, list(testRoot+"/identity/conditionalAccess/policies?$skip=1", `{"id":"1","conditions":{"newer":12345678901234567890}}`))
		case strings.HasSuffix(r.URL.Path, "/policies"):
			answerJSON(w, 200, list("", `{"id":"2"}`))
		case strings.HasSuffix(r.URL.Path, "/namedLocations"):
			answerJSON(w, 200, list("", `{"displayName":"no id"}`))
		case strings.HasSuffix(r.URL.Path, "/conditionalAccess/policies/1"):
			answerJSON(w, 200, `{"id":"1","state":"enabled"}`)
		case strings.HasSuffix(r.URL.Path, "/conditionalAccess/policies/2"):
			answerJSON(w, 200, `{"id":"1"}`)
		case strings.HasSuffix(r.URL.Path, "/deletedItems/policies/1"):
			answerJSON(w, 200, `{"id":"1"}`)
		case strings.HasSuffix(r.URL.Path, "/deletedItems/namedLocations/l"):
			refuseWith(w, 400, "BadRequest", "Resource not found for the segment 'deletedItems'.")
		case strings.HasSuffix(r.URL.Path, "/deletedItems/policies/3"):
			refuseWith(w, 403, "AccessDenied", "x")
		default:
			refuseWith(w, 404, "ResourceNotFound", "x does not exist in the directory.")
		}
	}
	bubble(t, rec.ServeHTTP, Options{}, func(t *testing.T, c *Client) {
		docs, err := c.Objects(ctx(t), entra.KindPolicy)
		if err != nil || len(docs) != 2 || docs[0]["conditions"].(map[string]any)["newer"].(interface{ String() string }).String() != "12345678901234567890" {
			t.Errorf("policies %v, %v", docs, err)
		}
		if _, err := c.Objects(ctx(t), entra.KindLocation); !errors.Is(err, entra.ErrMalformed) {
			t.Errorf("location without id: %v", err)
		}
		if doc, err := c.Object(ctx(t), entra.KindPolicy, "1"); err != nil || doc.Text("state") != "enabled" {
			t.Errorf("object %v, %v", doc, err)
		}
		if _, err := c.Object(ctx(t), entra.KindPolicy, "2"); !errors.Is(err, entra.ErrMalformed) {
			t.Errorf("another object: %v", err)
		}
		if _, err := c.Object(ctx(t), entra.KindPolicy, "9"); !errors.Is(err, entra.ErrNotFound) {
			t.Errorf("unknown object: %v", err)
		}
		for _, tc := range []struct {
			kind entra.ObjectKind
			id   string
			want bool
			err  error
		}{
			{entra.KindPolicy, "1", true, nil}, {entra.KindPolicy, "2", false, nil}, {entra.KindLocation, "l", false, nil},
			{entra.KindStrength, "s", false, nil}, {entra.KindPolicy, "3", false, entra.ErrForbidden},
		} {
			got, err := c.Deleted(ctx(t), tc.kind, tc.id)
			if got != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("deleted %s %s: %t, %v", tc.kind, tc.id, got, err)
			}
		}
	})
}

func TestUserHistoryAndRiskyUser(t *testing.T) {
	bubble(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1.0/identityProtection/riskyUsers/u1/history":
			answerJSON(w, 200, list("", `{"id":"u1","riskState":"dismissed"}`, `{"id":"u1637","riskState":"atRisk","activity":{"riskEventTypes":["newCountry"]}}`))
		case "/v1.0/identityProtection/riskyUsers/u1":
			answerJSON(w, 200, `{"@odata.context":"c","id":"u1","riskState":"atRisk"}`)
		case "/v1.0/identityProtection/riskyUsers/u2":
			answerJSON(w, 200, `{"id":"u1"}`)
		default:
			refuseWith(w, 404, "ResourceNotFound", "x")
		}
	}, Options{}, func(t *testing.T, c *Client) {
		items, err := c.UserHistory(ctx(t), "u1")
		if err != nil || len(items) != 2 || items[1].RiskEventTypes[0] != "newCountry" {
			t.Errorf("history %+v, %v", items, err)
		}
		if u, err := c.RiskyUser(ctx(t), "u1"); err != nil || u.RiskState != "atRisk" || !strings.Contains(string(u.Raw), "context") {
			t.Errorf("user %+v, %v", u, err)
		}
		if _, err := c.RiskyUser(ctx(t), "u2"); !errors.Is(err, entra.ErrMalformed) {
			t.Errorf("another user: %v", err)
		}
		if _, err := c.RiskyUser(ctx(t), "u3"); !errors.Is(err, entra.ErrNotFound) {
			t.Errorf("no risk: %v", err)
		}
	})
}
