package entra

import "errors"

// The kinds of failure that callers decide on with errors.Is. The detail
// (status, code, request id) is in the error that wraps them.
var (
	ErrNotFound = errors.New("not found")
	ErrNotRisky = errors.New("not among the tenant's risky users")
	// ErrPrincipalNotRisky is ErrNotRisky of a service principal.
	ErrPrincipalNotRisky = errors.New("not among the tenant's risky service principals")
	ErrConflict          = errors.New("conflict")
	ErrBadRequest        = errors.New("refused as a bad request")
	ErrUnauthorized      = errors.New("sign-in refused")
	ErrForbidden         = errors.New("permission missing")
	// ErrPersonsOnly goes with ErrForbidden where the service may let no application
	// do what was asked.
	ErrPersonsOnly = errors.New("the service may let only persons do this")
	ErrUnlicensed  = errors.New("licence missing")
	ErrThrottled   = errors.New("throttled")
	ErrUnavailable = errors.New("service unavailable")
	// ErrPrivileged is an order for a user who holds a directory role, given without
	// saying that such users are meant.
	ErrPrivileged = errors.New("privileged")
	// ErrMalformed is an answer that is not what the service sends: truncated,
	// not JSON, of a wrong type, or paging that loops.
	ErrMalformed = errors.New("malformed answer")
	// ErrOpaqueToken is an access token that does not show whom it stands for.
	ErrOpaqueToken = errors.New("the access token does not show whom it stands for")
	// ErrUnsupported is a call that this cloud or licence does not have.
	ErrUnsupported = errors.New("not offered by this cloud")
	// ErrUnknownOutcome is a write whose answer was lost: it may have taken
	// effect. It is never repeated blindly.
	ErrUnknownOutcome = errors.New("outcome unknown")
	// ErrRedirected is an answer or link that leads to another host.
	ErrRedirected = errors.New("led to another host")
)
