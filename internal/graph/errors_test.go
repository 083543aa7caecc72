package graph

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
)

func TestKinds(t *testing.T) {
	const scopes = "You cannot perform the requested operation, required scopes are missing in the token."
	for _, tc := range []struct {
		name    string
		status  int
		code    string
		message string
		method  string
		path    string
		roles   []string
		want    error
	}{
		{"unlicensed, role there", 403, "Forbidden", "Your tenant is not licensed for this feature.", "GET", "/identityProtection/riskyUsers", []string{"IdentityRiskyUser.Read.All"}, entra.ErrUnlicensed},
		{"unlicensed, role absent", 403, "Forbidden", "Your tenant is not licensed for this feature.", "GET", "/identityProtection/riskyUsers", []string{"Policy.Read.All"}, entra.ErrForbidden},
		{"unlicensed, opaque token", 403, "Forbidden", "Your tenant is not licensed for this feature.", "GET", "/identityProtection/riskyUsers", nil, entra.ErrUnlicensed},
		{"no consent, opaque token", 403, "Forbidden", scopes, "GET", "/identityProtection/riskyUsers", nil, entra.ErrForbidden},
		{"no consent", 403, "Forbidden", scopes, "GET", "/identityProtection/riskDetections", []string{"IdentityRiskyUser.Read.All"}, entra.ErrForbidden},
		{"reader who writes", 403, "Forbidden", scopes, "POST", "/identityProtection/riskyUsers/dismiss", []string{"IdentityRiskyUser.Read.All"}, entra.ErrForbidden},
		{"writer who reads", 403, "Forbidden", "x", "GET", "/identityProtection/riskyUsers", []string{"IdentityRiskyUser.ReadWrite.All"}, entra.ErrUnlicensed},
		{"policies", 403, "AccessDenied", scopes, "GET", "/identity/conditionalAccess/policies", []string{"Policy.Read.All"}, entra.ErrUnlicensed},
		{"policies, no consent", 403, "AccessDenied", scopes, "POST", "/identity/conditionalAccess/policies", []string{"Policy.Read.All"}, entra.ErrForbidden},
		{"directory", 403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.", "GET", "/users/x", []string{"User.Read.All"}, entra.ErrForbidden},
		{"eligibility without P2", 400, "AadPremiumLicenseRequired", "The tenant needs to have Microsoft Entra ID P2.", "GET", "/roleManagement/directory/roleEligibilityScheduleInstances", nil, entra.ErrUnlicensed},
		{"unknown segment", 400, "BadRequest", "Resource not found for the segment 'identityProtection'.", "GET", "/identityProtection/riskyUsers", nil, entra.ErrUnsupported},
		{"unknown object", 404, "Request_ResourceNotFound", "Resource 'x' does not exist.", "GET", "/users/x", nil, entra.ErrNotFound},
		{"validation", 400, "BadRequest", "1040: NamedLocation with id X does not exist in the directory.", "POST", "/identity/conditionalAccess/policies", nil, entra.ErrBadRequest},
		{"precondition", 412, "", "", "PATCH", "/x", nil, entra.ErrConflict},
		{"timeout", 408, "", "", "GET", "/x", nil, entra.ErrUnavailable},
		{"teapot", 418, "", "", "GET", "/x", nil, entra.ErrBadRequest},
		{"informational", 199, "", "", "GET", "/x", nil, entra.ErrMalformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			body := fmt.Sprintf(`{"error":{"code":%q,"message":%q,"innerError":{"date":"2026-02-13T10:17:05","request-id":"rid","client-request-id":"cid"}}}`, tc.code, tc.message)
			e := refusal(tc.method, tc.path, tc.status, http.Header{}, []byte(body), tc.roles, time.Now())
			if !errors.Is(e, tc.want) {
				t.Errorf("%v is not %v", e, tc.want)
			}
			if e.Status != tc.status || e.Code != tc.code || e.Message != tc.message || e.RequestID != "rid" || e.ClientRequestID != "cid" {
				t.Errorf("%+v", e)
			}
			if !strings.Contains(e.Error(), tc.path) || !strings.Contains(e.Error(), "rid") {
				t.Errorf("%q names neither path nor request id", e)
			}
		})
	}
}

// A body that is not Graph's is told by its type and never printed.
func TestForeignErrorBody(t *testing.T) {
	h := http.Header{"Content-Type": {"text/html; charset=utf-8"}, "Request-Id": {"from-header"}}
	e := refusal("GET", "/x", 502, h, []byte("<html>"+strings.Repeat("x", 5000)), nil, time.Now())
	if !errors.Is(e, entra.ErrUnavailable) || e.RequestID != "from-header" || !strings.Contains(e.Error(), "text/html") || strings.Contains(e.Error(), "xxxx") {
		t.Errorf("%v", e)
	}
	e = refusal("GET", "/x", 400, h, []byte(`{"error":{"code":"C","message":"two\nlines\u001b[31m `+strings.Repeat("é", 5000)+`"}}`), nil, time.Now())
	if s := e.Error(); len(s) > 800 || strings.ContainsAny(s, "\n\x1b") {
		t.Errorf("%q", s)
	}
}

// The roles that decide are those of the token that was sent.
// personsToken is of a person who has consented, and may lack the directory role that the
// service asks for besides.
var personsToken = "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"appid":"11111111-1111-1111-1111-111111111111","scp":"IdentityRiskyUser.Read.All User.Read"}`)) + ".sig"

func TestTokenRolesDecideOn403(t *testing.T) {
	handler := func(w http.ResponseWriter, _ *http.Request) {
		refuseWith(w, 403, "Forbidden", "You cannot perform the requested operation.")
	}
	for _, tc := range []struct {
		token string
		want  error
	}{
		{jwt("IdentityRiskyUser.Read.All"), entra.ErrUnlicensed},
		{jwt("Policy.Read.All"), entra.ErrForbidden},
		{jwt(), entra.ErrForbidden},
		{"opaque", entra.ErrForbidden},
		{personsToken, entra.ErrForbidden},
	} {
		bubble(t, handler, Options{Credential: fixedToken{token: tc.token}}, func(t *testing.T, c *Client) {
			if _, err := readUsers(t, c); !errors.Is(err, tc.want) {
				t.Errorf("token %q: %v, want %v", tc.token, err, tc.want)
			}
		})
	}
}

func TestEndpoints(t *testing.T) {
	for _, tc := range []struct {
		endpoint, cloud string
		ok              bool
		base            string
	}{
		{"", "", true, "https://graph.microsoft.com/v1.0"},
		{"", "global", true, "https://graph.microsoft.com/v1.0"},
		{"", "usgov", true, "https://graph.microsoft.us/v1.0"},
		{"", "usgovdod", true, "https://dod-graph.microsoft.us/v1.0"},
		{"", "china", true, "https://microsoftgraph.chinacloudapi.cn/v1.0"},
		{"", "mars", false, ""},
		{"http://127.0.0.1:8890/v1.0/", "", true, "http://127.0.0.1:8890/v1.0"},
		{"http://localhost:8890/v1.0", "", true, "http://localhost:8890/v1.0"},
		{"http://[::1]:8890/v1.0", "", true, "http://[::1]:8890/v1.0"},
		{"http://graph.microsoft.com/v1.0", "", false, ""},
		{"http://10.0.0.1/v1.0", "", false, ""},
		{"http://localhost.evil.example/v1.0", "", false, ""},
		{"ftp://127.0.0.1/v1.0", "", false, ""},
		{"https://user:secret@graph.microsoft.com/v1.0", "", false, ""},
		{"https://graph.microsoft.com/v1.0?x=1", "", false, ""},
		{"graph.microsoft.com/v1.0", "", false, ""},
		{"https://", "", false, ""},
	} {
		c, err := New(Options{Credential: fixedToken{}, Endpoint: tc.endpoint, Cloud: tc.cloud})
		if (err == nil) != tc.ok || tc.ok && c.base.String() != tc.base {
			t.Errorf("%q %q: %v", tc.endpoint, tc.cloud, err)
		}
	}
	if _, err := New(Options{}); err == nil {
		t.Error("no credential: no error")
	}
}

func TestChinaHasNoRisk(t *testing.T) {
	bubble(t, func(http.ResponseWriter, *http.Request) { t.Error("a request") }, Options{Cloud: "china"}, func(t *testing.T, c *Client) {
		if _, err := readUsers(t, c); !errors.Is(err, entra.ErrUnsupported) {
			t.Errorf("risky users: %v", err)
		}
		if err := dismissUser(ctx(t), c); !errors.Is(err, entra.ErrUnsupported) {
			t.Errorf("dismiss: %v", err)
		}
		if _, err := c.UserHistory(ctx(t), "u"); !errors.Is(err, entra.ErrUnsupported) {
			t.Errorf("history: %v", err)
		}
		if gone, err := c.Deleted(ctx(t), entra.KindPolicy, "p"); gone || err != nil {
			t.Errorf("deleted: %t, %v", gone, err)
		}
	})
}
