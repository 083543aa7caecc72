package graphsim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// befall plays a fault on a call.
func (t *Tenant) befall(c *call, path []string, do *action) (*answer, int) {
	status := do.status
	if status == 0 && do.retryAfter != "" {
		status = http.StatusTooManyRequests
	}
	var a *answer
	decided := 0
	switch {
	case do.drop == "before":
		a = &answer{}
	case status != 0 && do.drop != "after":
		// Decided by the fault: nothing is carried out.
		a, decided = &answer{}, status
	default:
		a = t.serve(c, path)
		decided = a.status
	}
	if status != 0 {
		a = c.faulted(path, status, do, a.effect)
	} else {
		a.drop = do.drop != ""
		a.page(c, do, &t.faults)
		if do.body != nil {
			a.setBody(do.body)
		}
	}
	if do.truncate != nil {
		a.truncate = do.truncate
	}
	wait(c, do.delay)
	return a, decided
}

// wait holds an answer back, but not from a caller that has gone.
func wait(c *call, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.ctx.Done():
	}
}

// faulted is the answer of a fault with a status.
func (c *call) faulted(path []string, status int, do *action, effect bool) *answer {
	a := &answer{status: status, header: http.Header{}}
	if status >= 400 {
		code, message := faultCode(path, status)
		a = c.refusal(&wire.Error{Status: status, Code: code, Message: message})
	}
	a.effect = effect
	if do.body != nil {
		a.setBody(do.body)
	}
	if do.retryAfter != "" {
		a.header.Set("Retry-After", do.retryAfter)
	}
	return a
}

func (a *answer) setBody(body []byte) {
	a.body = body
	media := "text/html; charset=utf-8"
	if json.Valid(body) {
		media = jsonType
	}
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header.Set("Content-Type", media)
}

// faultCode gives the words that go with a status (graph-api §5.3).
func faultCode(path []string, status int) (code, message string) {
	directory := badRequest(path) == "Request_BadRequest"
	switch status {
	case http.StatusBadRequest:
		return badRequest(path), "Invalid request."
	case http.StatusUnauthorized:
		return "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired."
	case http.StatusForbidden:
		const scopes = "You cannot perform the requested operation, required scopes are missing in the token."
		switch {
		case directory:
			return "Authorization_RequestDenied", "Insufficient privileges to complete the operation."
		case len(path) > 0 && path[0] == "identityProtection":
			return "Forbidden", scopes
		}
		return "AccessDenied", scopes
	case http.StatusNotFound:
		if directory {
			return "Request_ResourceNotFound", "Resource does not exist or one of its queried reference-property objects are not present."
		}
		return "ResourceNotFound", "Resource not found."
	case http.StatusConflict:
		return "Conflict", "The request conflicts with the current state of the resource."
	case http.StatusTooManyRequests:
		return "TooManyRequests", "Too many requests."
	case http.StatusInternalServerError:
		return "InternalServerError", "Internal server error."
	case http.StatusBadGateway:
		return "BadGateway", "Bad gateway."
	case http.StatusServiceUnavailable:
		return "ServiceUnavailable", "The service is temporarily unavailable."
	case http.StatusGatewayTimeout:
		return "GatewayTimeout", "The service did not answer in time."
	}
	return "UnknownError", http.StatusText(status)
}

// page plays the faults of paging on a collection's answer: a next link that
// leads back to the same page, the same page once more before the next one, or
// an empty page before it.
func (a *answer) page(c *call, do *action, f *faults) {
	if !do.pages() || a.status != http.StatusOK {
		return
	}
	var body map[string]json.RawMessage
	if json.Unmarshal(a.body, &body) != nil || body["value"] == nil {
		return
	}
	next := c.origin + c.url.EscapedPath()
	if do.loopNextLink {
		if c.url.RawQuery != "" {
			next += "?" + c.url.RawQuery
		}
	} else {
		values, err := url.ParseQuery(c.query)
		if err != nil {
			return
		}
		values.Set("$skiptoken", f.alias(c.query))
		next += "?" + values.Encode()
	}
	link, err := encode(next)
	if err != nil {
		return
	}
	body["@odata.nextLink"] = link
	if do.emptyPage {
		body["value"] = json.RawMessage("[]")
	}
	if b, err := encode(body); err == nil {
		a.body = b
	}
}
