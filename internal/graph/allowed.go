package graph

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// errNotAllowed refuses a request that is on no list.
var errNotAllowed = errors.New("the request is not among those that risksweep may send")

// shape is a form of request other than a plain read.
type shape struct {
	method string
	// path below the version; {id} is one object id.
	path string
	// body, if set, judges what the request holds.
	body func([]byte) error

	match *regexp.Regexp
}

// shapes are all requests that may leave besides reads by GET. A request that
// forgets a segment can do something else altogether: a DELETE of a group's
// member without /$ref deletes the user. So the transport lets nothing through
// but what stands here.
var shapes = []shape{
	// They read, and have a body for what does not fit into an address.
	{method: http.MethodPost, path: "/$batch", body: onlyReads},
	{method: http.MethodPost, path: "/directoryObjects/getByIds"},
	{method: http.MethodPost, path: "/identity/conditionalAccess/evaluate"},

	{method: http.MethodPost, path: "/identityProtection/riskyUsers/dismiss"},
	{method: http.MethodPost, path: "/identityProtection/riskyUsers/confirmCompromised"},
	{method: http.MethodPost, path: "/identityProtection/riskyUsers/confirmSafe"},

	{method: http.MethodPost, path: "/identityProtection/riskyServicePrincipals/dismiss"},
	{method: http.MethodPost, path: "/identityProtection/riskyServicePrincipals/confirmCompromised"},

	{method: http.MethodPost, path: "/auditLogs/signIns/dismiss"},
	{method: http.MethodPost, path: "/auditLogs/signIns/confirmSafe"},
	{method: http.MethodPost, path: "/users/{id}/revokeSignInSessions", body: empty},
	{method: http.MethodPatch, path: "/users/{id}", body: onlyAccountEnabled},

	{method: http.MethodPost, path: "/identity/conditionalAccess/policies"},
	{method: http.MethodPatch, path: "/identity/conditionalAccess/policies/{id}"},
	{method: http.MethodDelete, path: "/identity/conditionalAccess/policies/{id}"},
	{method: http.MethodPost, path: "/identity/conditionalAccess/namedLocations"},
	{method: http.MethodPatch, path: "/identity/conditionalAccess/namedLocations/{id}"},
	{method: http.MethodDelete, path: "/identity/conditionalAccess/namedLocations/{id}"},
	{method: http.MethodPost, path: deletedItems + "policies/{id}/restore", body: empty},
	{method: http.MethodPost, path: deletedItems + "namedLocations/{id}/restore", body: empty},
	{method: http.MethodPost, path: strengths},
	{method: http.MethodPatch, path: strengths + "/{id}"},
	{method: http.MethodDelete, path: strengths + "/{id}"},
	{method: http.MethodPost, path: strengths + "/{id}/updateAllowedCombinations"},
}

// An id has no dot, so that no path of it leads elsewhere, and no percent sign.
const idPattern = `[0-9A-Za-z][0-9A-Za-z_-]*`

func init() {
	for i := range shapes {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(shapes[i].path), `\{id\}`, idPattern)
		shapes[i].match = regexp.MustCompile("^" + pattern + "$")
	}
}

// allowed says why a request may not leave, or nothing. A read by GET may; of
// everything else only what shapes lists, in this spelling and without options.
func (c *Client) allowed(req *http.Request) error {
	if req.Method == http.MethodGet && req.Header.Get("X-HTTP-Method-Override") == "" {
		return nil
	}
	refuse := func(why string) error {
		return fmt.Errorf("%s %s: %w%s", req.Method, clip(req.URL.Path), errNotAllowed, why)
	}
	rest, below := strings.CutPrefix(written(req.URL), c.base.EscapedPath())
	switch {
	case !below:
		return refuse(": it writes outside " + c.base.Path)
	case req.URL.RawQuery != "" || req.URL.Fragment != "":
		return refuse(": a write has no options")
	case req.Header.Get("X-HTTP-Method-Override") != "":
		return refuse(": it names another method")
	}
	for i := range shapes {
		if s := &shapes[i]; s.method == req.Method && s.match.MatchString(rest) {
			if s.body == nil {
				return nil
			}
			body, err := bodyOf(req)
			if err == nil {
				err = s.body(body)
			}
			if err != nil {
				return refuse(": " + err.Error())
			}
			return nil
		}
	}
	return refuse("")
}

// written is the path as it is sent, but for the dollar sign, which may be sent
// either way.
func written(u *url.URL) string { return strings.ReplaceAll(u.EscapedPath(), "%24", "$") }

// bodyOf reads the body of a request and leaves it to be sent.
func bodyOf(req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, fmt.Errorf("reading its body: %w", err)
	}
	_ = req.Body.Close() // it is in memory
	req.Body = io.NopCloser(bytes.NewReader(body))
	return body, nil
}

// empty holds a request to no body at all.
func empty(body []byte) error {
	if len(body) > 0 {
		return errors.New("it has a body")
	}
	return nil
}

// onlyAccountEnabled holds a change of a user to whether the account is enabled.
func onlyAccountEnabled(body []byte) error {
	var in map[string]any
	if err := json.Unmarshal(body, &in); err != nil {
		return fmt.Errorf("its body cannot be read: %w", err)
	}
	if _, is := in["accountEnabled"].(bool); !is || len(in) != 1 {
		return errors.New("it changes more of a user than accountEnabled")
	}
	return nil
}

// onlyReads holds a $batch to reads.
func onlyReads(body []byte) error {
	var in struct {
		Requests []struct {
			Method string `json:"method"`
			URL    string `json:"url"`
		} `json:"requests"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return fmt.Errorf("the batch cannot be read: %w", err)
	}
	for _, r := range in.Requests {
		if r.Method != http.MethodGet {
			return fmt.Errorf("the batch holds a %s of %s", r.Method, clip(r.URL))
		}
	}
	return nil
}
