package graph

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
)

// Error is a refused or failed call. It unwraps to the kind of failure (a
// sentinel of package entra), to entra.ErrUnknownOutcome when a write may have
// taken effect, and to its cause.
type Error struct {
	// Status is the HTTP status, 0 if there was no answer.
	Status int
	// Code and Message are error.code and error.message of Graph's envelope.
	Code, Message string
	// RequestID and ClientRequestID are what Microsoft's support asks for.
	RequestID, ClientRequestID string
	Method                     string
	// Path is below the version, without the query.
	Path string
	// RetryAfter is how long the service asked to wait, 0 if it did not say.
	RetryAfter time.Duration

	kind    error // the sentinel, may be nil
	unknown bool  // a write that may have taken effect
	cause   error
	unsent  bool // nothing of the request left this machine

	challenged bool      // the SDK answered a claims challenge with a new token already
	asked      time.Time // when the refused request asked for its token
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", e.Method, e.Path)
	switch {
	case e.Status >= 400:
		fmt.Fprintf(&b, ": %d", e.Status)
		if e.Code != "" {
			fmt.Fprintf(&b, " %s", e.Code)
		}
		if e.Message != "" {
			fmt.Fprintf(&b, ": %s", clip(e.Message))
		}
	case e.cause != nil:
		fmt.Fprintf(&b, ": %s", e.cause)
	}
	if e.kind != nil && (e.cause == nil || !strings.Contains(e.cause.Error(), e.kind.Error())) {
		fmt.Fprintf(&b, " (%s)", e.kind)
	}
	if e.RetryAfter > 0 && (errors.Is(e.kind, entra.ErrThrottled) || errors.Is(e.kind, entra.ErrUnavailable)) && (e.cause == nil || !strings.Contains(e.cause.Error(), e.RetryAfter.String())) {
		fmt.Fprintf(&b, " (it asks to wait %s)", e.RetryAfter.Round(time.Second))
	}
	if e.unknown {
		fmt.Fprintf(&b, " (%s)", entra.ErrUnknownOutcome)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, " [request-id %s]", e.RequestID)
	}
	return b.String()
}

// ServiceCode is error.code.
func (e *Error) ServiceCode() string { return e.Code }

// ServiceMessage is error.message.
func (e *Error) ServiceMessage() string { return e.Message }

// ServiceRequestID is what Microsoft's support asks for.
func (e *Error) ServiceRequestID() string { return e.RequestID }

// Unwrap gives the kind, the unknown outcome and the cause.
func (e *Error) Unwrap() []error {
	var errs []error
	if e.kind != nil {
		errs = append(errs, e.kind)
	}
	if e.unknown {
		errs = append(errs, entra.ErrUnknownOutcome)
	}
	if e.cause != nil {
		errs = append(errs, e.cause)
	}
	return errs
}

// clip keeps a message that a server may have made of any length readable, on
// one line.
func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	const most = 500
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// envelope is Graph's error body (graph-api §5.3).
type envelope struct {
	Error *struct {
		Code       string `json:"code"`
		Message    string `json:"message"`
		InnerError *struct {
			Code            string `json:"code"`
			RequestID       string `json:"request-id"`
			ClientRequestID string `json:"client-request-id"`
		} `json:"innerError"`
	} `json:"error"`
}

// refusal makes the error of an answer that is not a success. roles are those
// of the token it was asked with, nil if the token does not show them.
func refusal(method, path string, status int, header http.Header, body []byte, roles []string, now time.Time) *Error {
	e := &Error{
		Method: method, Path: path, Status: status,
		RequestID: header.Get("request-id"), ClientRequestID: header.Get("client-request-id"),
		RetryAfter: retryAfter(header, now),
	}
	var env envelope
	if json.Unmarshal(body, &env) == nil && env.Error != nil {
		e.Code, e.Message = env.Error.Code, env.Error.Message
		if in := env.Error.InnerError; in != nil {
			if e.RequestID == "" {
				e.RequestID = in.RequestID
			}
			if e.ClientRequestID == "" {
				e.ClientRequestID = in.ClientRequestID
			}
			if in.Code != "" && e.Code == "" {
				e.Code = in.Code
			}
		}
	} else if len(body) > 0 {
		e.Message = fmt.Sprintf("an answer of %s that is not Graph's", contentType(header))
	}
	e.kind = kindOf(method, path, e, roles)
	return e
}

func contentType(h http.Header) string {
	if t, _, _ := strings.Cut(h.Get("Content-Type"), ";"); t != "" {
		return clip(t)
	}
	return "no type"
}

// kindOf maps status and code to the kind of failure. The message decides only
// where the service gives one code to two failures.
func kindOf(method, path string, e *Error, roles []string) error {
	message := strings.ToLower(e.Message)
	switch {
	case e.Code == "Authentication_RequestFromNonPremiumTenantOrB2CTenant", strings.HasSuffix(e.Code, "LicenseRequired"), strings.HasSuffix(e.Code, "LicenseRequiredException"):
		return entra.ErrUnlicensed
	case e.Status >= 300 && e.Status < 400:
		return entra.ErrRedirected
	case e.Status == http.StatusNotImplemented,
		(e.Status == http.StatusBadRequest || e.Status == http.StatusNotFound) && strings.Contains(message, "resource not found for the segment"):
		return entra.ErrUnsupported
	case e.Status == http.StatusUnauthorized:
		return entra.ErrUnauthorized
	case e.Status == http.StatusForbidden:
		return forbiddenKind(method, path, message, roles)
	case e.Status == http.StatusNotFound, e.Status == http.StatusGone:
		return entra.ErrNotFound
	case e.Status == http.StatusConflict, e.Status == http.StatusPreconditionFailed:
		return entra.ErrConflict
	case e.Status == http.StatusTooManyRequests:
		return entra.ErrThrottled
	case e.Status == http.StatusRequestTimeout, e.Status >= 500:
		return entra.ErrUnavailable
	case e.Status >= 400:
		return entra.ErrBadRequest
	}
	return entra.ErrMalformed
}

// forbiddenKind tells a missing licence from a missing consent. Both are 403
// with the same code; for an application with the app role in its token it can
// only be the licence.
func forbiddenKind(method, path, message string, roles []string) error {
	need := rolesFor(method, path)
	switch {
	case len(need) > 0 && roles != nil:
		for _, have := range roles {
			if slices.ContainsFunc(need, func(n string) bool { return strings.EqualFold(have, n) }) {
				return entra.ErrUnlicensed
			}
		}
		return entra.ErrForbidden
	case strings.Contains(message, "license"):
		return entra.ErrUnlicensed
	}
	return entra.ErrForbidden
}

// rolesFor gives the app roles of which one lets a call through (graph-api
// §1.4, §3.2), nil where a 403 has nothing to do with a licence.
func rolesFor(method, path string) []string {
	read := method == http.MethodGet
	seg := strings.Split(strings.Trim(path, "/"), "/")
	if len(seg) < 2 {
		return nil
	}
	either := func(name string) []string {
		if read {
			return []string{name + ".Read.All", name + ".ReadWrite.All"}
		}
		return []string{name + ".ReadWrite.All"}
	}
	switch strings.ToLower(seg[0] + "/" + seg[1]) {
	case "identityprotection/riskdetections", "identityprotection/serviceprincipalriskdetections", "identityprotection/agentriskdetections":
		return either("IdentityRiskEvent")
	case "identityprotection/riskyagents":
		return either("IdentityRiskyAgent")
	case "identityprotection/riskyusers":
		return either("IdentityRiskyUser")
	case "identityprotection/riskyserviceprincipals":
		return either("IdentityRiskyServicePrincipal")
	case "identity/conditionalaccess":
		if read {
			return []string{"Policy.Read.All", "Policy.Read.ConditionalAccess", "Policy.ReadWrite.ConditionalAccess"}
		}
		return []string{"Policy.ReadWrite.ConditionalAccess"}
	case "auditlogs/directoryaudits", "auditlogs/signins":
		if read {
			return []string{"AuditLog.Read.All"}
		}
	case "policies/authenticationstrengthpolicies":
		if read {
			return []string{"Policy.Read.All", "Policy.ReadWrite.AuthenticationMethod", "Policy.ReadWrite.ConditionalAccess"}
		}
		return []string{"Policy.ReadWrite.AuthenticationMethod", "Policy.ReadWrite.ConditionalAccess"}
	}
	return nil
}

func asError(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}
