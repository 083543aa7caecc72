package oauth

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// managedIdentity answers both forms: App Service's (IDENTITY_ENDPOINT, with
// the X-IDENTITY-HEADER secret) and the virtual machine's (IMDS, with the
// Metadata header). The simulator cannot know which header value the caller's
// environment was given, so any but an empty one is taken.
func (s *Server) managedIdentity(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		identityError(w, http.StatusMethodNotAllowed, "method_not_allowed", "The method is not allowed.")
		return
	}
	appService := !strings.HasPrefix(strings.ToLower(r.URL.Path), "/metadata/")
	if appService && r.Header.Get("X-IDENTITY-HEADER") == "" {
		identityError(w, http.StatusUnauthorized, "unauthorized", "The X-IDENTITY-HEADER header is missing.")
		return
	}
	if !appService && !strings.EqualFold(r.Header.Get("Metadata"), "true") && r.Header.Get("X-IDENTITY-HEADER") == "" {
		identityError(w, http.StatusBadRequest, "bad_request_102", "Required metadata header not specified")
		return
	}
	q := r.URL.Query()
	if q.Get("api-version") == "" {
		identityError(w, http.StatusBadRequest, "bad_request_102", "Required query variable 'api-version' is missing")
		return
	}
	resource := q.Get("resource")
	if resource == "" {
		identityError(w, http.StatusBadRequest, "bad_request_102", "Required query variable 'resource' is missing")
		return
	}
	for _, name := range []string{"client_id", "object_id", "principal_id", "mi_res_id", "msi_res_id"} {
		switch want := q.Get(name); {
		case want == "", strings.EqualFold(want, s.opt.ClientID), strings.EqualFold(want, s.opt.PrincipalID):
		default:
			identityError(w, http.StatusBadRequest, "invalid_request", "Identity not found")
			return
		}
	}
	audience, f := s.audience(resource, r.Host)
	if f != nil {
		identityError(w, f.status, f.kind, f.Error())
		return
	}
	signed, err := s.Issue(s.issuer(r, false), audience, "1.0", 0)
	if err != nil {
		identityError(w, http.StatusInternalServerError, "server_error", err.Error())
		return
	}
	body := s.v1Answer(signed, audience, int64(s.opt.Lifetime/time.Second))
	body["client_id"] = s.opt.ClientID
	answer(w, http.StatusOK, body)
}

// v1Answer is a token in the older shape: numbers as text, with the moment of
// expiry in the caller's time, because the caller compares it to its own clock.
func (s *Server) v1Answer(token, resource string, seconds int64) map[string]any {
	wall := s.opt.Wall()
	return map[string]any{
		"token_type": "Bearer", "access_token": token, "resource": resource,
		"expires_in": strconv.FormatInt(seconds, 10), "ext_expires_in": strconv.FormatInt(seconds, 10),
		"expires_on": strconv.FormatInt(wall.Unix()+seconds, 10), "not_before": strconv.FormatInt(wall.Unix()-300, 10),
	}
}

func identityError(w http.ResponseWriter, status int, kind, description string) {
	answer(w, status, map[string]any{"error": kind, "error_description": description})
}
