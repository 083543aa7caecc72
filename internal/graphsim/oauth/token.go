package oauth

import (
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxForm bounds a token request; a certificate chain fits many times.
const maxForm = 1 << 20

// token is the client-credentials grant: v2 asks by scope, v1 by resource.
func (s *Server) token(w http.ResponseWriter, r *http.Request, tenant string, v2 bool) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		s.refuse(w, r, http.StatusMethodNotAllowed, "invalid_request", 900561, "The endpoint only accepts POST requests. Received a "+r.Method+" request.")
		return
	}
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "application/x-www-form-urlencoded" {
		s.refuse(w, r, http.StatusBadRequest, "invalid_request", 900144, "The request body must contain the following parameter: 'grant_type'.")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.refuse(w, r, http.StatusBadRequest, "invalid_request", 90100, "The request body cannot be read: "+err.Error())
		return
	}
	if !s.knows(tenant) {
		s.refuse(w, r, http.StatusBadRequest, "invalid_request", 90002, "Tenant '"+tenant+"' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.")
		return
	}
	v2 = v2 || tenant == adfs && r.PostForm.Get("resource") == ""
	audience, f := s.grant(r, v2)
	if f != nil {
		s.fail(w, r, f)
		return
	}
	issuer := s.issuer(r, v2)
	version := "1.0"
	if v2 && loopbackOrigin(audience) {
		version = "2.0"
	}
	signed, err := s.Issue(issuer, audience, version, 0)
	if err != nil {
		s.refuse(w, r, http.StatusInternalServerError, "server_error", 90033, err.Error())
		return
	}
	seconds := int64(s.opt.Lifetime / time.Second)
	if v2 {
		answer(w, http.StatusOK, map[string]any{
			"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": signed,
		})
		return
	}
	answer(w, http.StatusOK, s.v1Answer(signed, audience, seconds))
}

// grant checks everything a client-credentials request must carry and returns
// the audience of the token.
func (s *Server) grant(r *http.Request, v2 bool) (string, *failure) {
	form := r.PostForm
	switch grant := form.Get("grant_type"); grant {
	case "client_credentials":
	case "":
		return "", missing("grant_type")
	default:
		return "", &failure{http.StatusBadRequest, "unsupported_grant_type", 70003, "The app requested an unsupported grant type '" + grant + "'."}
	}
	if f := s.authenticate(r); f != nil {
		return "", f
	}
	if !v2 {
		resource := form.Get("resource")
		if resource == "" {
			return "", missing("resource")
		}
		return s.audience(resource, r.Host)
	}
	scope := form.Get("scope")
	if scope == "" {
		return "", missing("scope")
	}
	// MSAL adds the OpenID scopes to what the program asked for.
	var resources []string
	for _, f := range strings.Fields(scope) {
		switch f {
		case "openid", "profile", "offline_access":
		default:
			resources = append(resources, f)
		}
	}
	if len(resources) != 1 || !strings.HasSuffix(resources[0], "/.default") {
		return "", &failure{http.StatusBadRequest, "invalid_scope", 1002012, "The provided value for scope " + scope + " is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."}
	}
	return s.audience(strings.TrimSuffix(resources[0], "/.default"), r.Host)
}

func missing(parameter string) *failure {
	return &failure{http.StatusBadRequest, "invalid_request", 900144, "The request body must contain the following parameter: '" + parameter + "'."}
}

// audience checks that a resource is one this tenant has.
func (s *Server) audience(resource, host string) (string, *failure) {
	if acceptsAudience(resource, host) {
		return strings.TrimSuffix(resource, "/"), nil
	}
	if s.opt.Resources != nil && s.opt.Resources(resource) {
		return resource, nil
	}
	return "", &failure{http.StatusBadRequest, "invalid_resource", 500011, "The resource principal named " + resource + " was not found in the tenant named " + s.opt.TenantID + ". This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant."}
}

// issuer is the tenant's issuer under the caller's own origin, so that what
// discovery says and what the tokens say agree wherever the server listens.
func (s *Server) issuer(r *http.Request, v2 bool) string {
	if v2 {
		return origin(r) + "/" + s.opt.TenantID + "/v2.0"
	}
	return origin(r) + "/" + s.opt.TenantID + "/"
}

func loopbackOrigin(audience string) bool {
	u, err := url.Parse(audience)
	return err == nil && loopback(u.Hostname())
}
