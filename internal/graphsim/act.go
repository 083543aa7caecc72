package graphsim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/risksweep/risksweep/internal/graphsim/generate"
)

// Act is a Graph request of a person, as an administrator's portal sends it.
type Act struct {
	UserPrincipalName string `json:"userPrincipalName"`
	// IPAddress is where the person sits; it may be left out.
	IPAddress string `json:"ipAddress"`
	// Method is GET if it is left out; Path may begin with the version.
	Method string          `json:"method"`
	Path   string          `json:"path"`
	Body   json.RawMessage `json:"body"`
}

// Act carries a request out as a person, who may do what the person's active
// directory roles allow, and returns Graph's status and body. It is not counted,
// throttled, journaled or faulted. The error says what is wrong with the order
// itself.
func (t *Tenant) Act(ctx context.Context, a Act) (status int, body []byte, err error) {
	if t.parts.people == nil {
		return 0, nil, errors.New("this tenant has no directory")
	}
	if a.IPAddress != "" {
		if _, err := netip.ParseAddr(a.IPAddress); err != nil {
			return 0, nil, fmt.Errorf("ipAddress: %q is no address", a.IPAddress)
		}
	}
	method := strings.ToUpper(a.Method)
	switch method {
	case "":
		method = http.MethodGet
	case http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodPut, http.MethodDelete:
	default:
		return 0, nil, fmt.Errorf("method: %q is not GET, POST, PATCH, PUT or DELETE", a.Method)
	}
	u, err := url.Parse("/v1.0/" + strings.TrimPrefix(strings.TrimPrefix(a.Path, "/"), "v1.0/"))
	if err != nil || strings.Trim(a.Path, "/") == "" {
		return 0, nil, fmt.Errorf("path: %q is not a path such as /users", a.Path)
	}
	t.mu.Lock()
	p, templates := t.parts.people.Person(a.UserPrincipalName)
	t.mu.Unlock()
	switch {
	case p == nil:
		return 0, nil, fmt.Errorf("userPrincipalName: there is no user %q", a.UserPrincipalName)
	case !p.Enabled:
		return 0, nil, fmt.Errorf("userPrincipalName: the account of %s is disabled", p.UserPrincipalName)
	}
	c := &call{
		ctx: ctx, method: method, url: u, query: u.RawQuery, header: http.Header{"Content-Type": {"application/json"}}, body: a.Body,
		origin: "https://graph.microsoft.com", now: t.clock.now(), requestID: t.ids.next(),
		caller: &caller{appID: portal, principalID: p.ID, roles: delegated(p, templates), person: true, name: p.UserPrincipalName, ip: a.IPAddress},
	}
	c.clientRequestID = c.requestID
	if string(a.Body) == "null" {
		c.body = nil
	}
	path, problem := splitPath(strings.TrimPrefix(u.EscapedPath(), "/v1.0"))
	if problem != "" {
		return 0, nil, fmt.Errorf("path: %s", problem)
	}
	if len(path) > 0 && path[0] == "me" {
		path = append([]string{"users", p.ID}, path[1:]...)
	}
	if len(path) == 1 && path[0] == "$batch" {
		return 0, nil, errors.New("path: a person's requests are carried out one by one")
	}
	answer := t.serve(c, path)
	return answer.status, answer.body, nil
}

// portal is the application that administrators act through.
const portal = "c44b4083-3bb0-49c1-b47d-974e53cbdf3c"

// delegated are the permissions that a person's roles come to (graph-api §1.4,
// §3.2): everybody reads the directory, guests only names.
func delegated(p *generate.Person, templates []string) []string {
	roles := []string{"User.ReadBasic.All"}
	if !p.Guest {
		roles = append(roles, "Directory.Read.All", "User.Read.All", "Group.Read.All", "GroupMember.Read.All", "Application.Read.All", "Organization.Read.All")
	}
	reads := []string{"IdentityRiskEvent.Read.All", "IdentityRiskyUser.Read.All", "IdentityRiskyServicePrincipal.Read.All", "Policy.Read.All", "AuditLog.Read.All", "RoleManagement.Read.Directory", "Directory.Read.All", "User.Read.All"}
	for _, id := range templates {
		switch id {
		case "62e90394-69f5-4237-9190-012177145e10": // Global Administrator
			roles = append(append(roles, AllRoles()...), "RoleManagement.ReadWrite.Directory")
		case "194ae4cb-b126-40b2-bd5b-6091b380977d": // Security Administrator
			roles = append(append(roles, reads...), "IdentityRiskEvent.ReadWrite.All", "IdentityRiskyUser.ReadWrite.All", "IdentityRiskyServicePrincipal.ReadWrite.All", "Policy.ReadWrite.ConditionalAccess", "Policy.ReadWrite.SecurityDefaults")
		case "b1be1c3e-b65d-4f19-8427-f6fa0d97feb9": // Conditional Access Administrator
			roles = append(roles, "Policy.Read.All", "Policy.ReadWrite.ConditionalAccess", "Policy.ReadWrite.SecurityDefaults", "Directory.Read.All", "Application.Read.All", "Agreement.Read.All")
		case "fe930be7-5e62-47db-91af-98c3a49a38b1", // User Administrator
			"fdd7a751-b60b-444a-984c-02652fe8fa1c": // Groups Administrator
			roles = append(roles, "GroupMember.ReadWrite.All")
			if id == "fe930be7-5e62-47db-91af-98c3a49a38b1" {
				roles = append(roles, "User.EnableDisableAccount.All", "User.RevokeSessions.All")
			}
		case "f2ef992c-3afb-46b9-b7cf-a126ee74c451", // Global Reader
			"5d6b6bb7-de71-4623-b4af-96380a352509", // Security Reader
			"5f2222b1-57c3-48ba-8ad5-d4759f1fde6f": // Security Operator
			roles = append(roles, reads...)
		}
	}
	return roles
}

func (t *Tenant) controlAct(w http.ResponseWriter, r *http.Request) {
	var in Act
	if !controlInput(w, r, &in) {
		return
	}
	status, body, err := t.Act(r.Context(), in)
	if err != nil {
		controlError(w, http.StatusBadRequest, err)
		return
	}
	if len(body) > 0 {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the caller may be gone
}

// SignIn is an interactive sign-in of a person to the Azure portal.
type SignIn struct {
	UserPrincipalName string `json:"userPrincipalName"`
	// IPAddress is where the person sits; it may be left out.
	IPAddress string `json:"ipAddress"`
	// WrongPassword says that the sign-in fails.
	WrongPassword bool `json:"wrongPassword"`
}

// SignIn lets a person sign in now, and returns the id of the row in the log.
// Policies that hold for it say what becomes of it, as they do of others.
func (t *Tenant) SignIn(s SignIn) (string, error) {
	var from netip.Addr
	if s.IPAddress != "" {
		var err error
		if from, err = netip.ParseAddr(s.IPAddress); err != nil {
			return "", fmt.Errorf("ipAddress: %q is no address", s.IPAddress)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.parts.people == nil || t.parts.audit == nil {
		return "", errors.New("this tenant has no log")
	}
	p, _ := t.parts.people.Person(s.UserPrincipalName)
	if p == nil {
		return "", fmt.Errorf("userPrincipalName: there is no user %q", s.UserPrincipalName)
	}
	return t.parts.audit.SignIn(p.ID, from, s.WrongPassword, t.clock.now()), nil
}

func (t *Tenant) controlSignIn(w http.ResponseWriter, r *http.Request) {
	var in SignIn
	if !controlInput(w, r, &in) {
		return
	}
	id, err := t.SignIn(in)
	if err != nil {
		controlError(w, http.StatusBadRequest, err)
		return
	}
	controlAnswer(w, http.StatusCreated, map[string]string{"id": id})
}
