package graph

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	abs "github.com/microsoft/kiota-abstractions-go"

	"github.com/risksweep/risksweep/internal/entra"
)

// betaReads are the only requests that leave for the beta version, and only as
// reads, and only where that was asked for: what v1.0 does not show at all.
var betaReads = []string{"/identityProtection/riskyAgents", "/identityProtection/agentRiskDetections", "/identity/conditionalAccess/policies"}

// betaRoot is the beta version beside a root of v1.0.
func betaRoot(base *url.URL) (*url.URL, error) {
	before, is := strings.CutSuffix(base.Path, "/v1.0")
	if !is {
		return nil, fmt.Errorf("the endpoint %s does not end in /v1.0, so there is no beta beside it", base)
	}
	beta := *base
	beta.Path, beta.RawPath = before+"/beta", ""
	return &beta, nil
}

// betaRead reports whether a URL is one of the reads of the beta version that may
// leave: in exactly this spelling, on the configured host.
func (c *Client) betaRead(u *url.URL) bool {
	if c.beta == nil || u.User != nil || !strings.EqualFold(u.Scheme, c.beta.Scheme) || !strings.EqualFold(u.Host, c.beta.Host) {
		return false
	}
	path, below := strings.CutPrefix(u.EscapedPath(), c.beta.Path)
	return below && slices.Contains(betaReads, path)
}

// mayReadBeta refuses what is not a plain read.
func mayReadBeta(req *http.Request) error {
	if req.Method != http.MethodGet || req.Header.Get("X-HTTP-Method-Override") != "" || req.Body != nil && req.Body != http.NoBody {
		return fmt.Errorf("%s %s: %w: nothing is written to beta", req.Method, clip(req.URL.Path), errNotAllowed)
	}
	return nil
}

// fromBeta reads a whole list of the beta version.
func fromBeta[T any](ctx context.Context, c *Client, path string, row func(*rowReader, *T) error, id func(*T) string) ([]T, error) {
	if c.beta == nil {
		return nil, fmt.Errorf("graph: beta is not read: %w", entra.ErrUnsupported)
	}
	return all(ctx, c, collection[T]{first: request{method: abs.GET, link: c.beta.String() + path, safe: true}, row: row, id: id})
}

// Agents reads the agents at risk. Only the beta version has them.
func (c *Client) Agents(ctx context.Context) ([]entra.RiskyAgent, error) {
	return fromBeta(ctx, c, betaReads[0], func(r *rowReader, a *entra.RiskyAgent) (err error) { a.Raw, err = decodeKept(r, a); return err }, func(a *entra.RiskyAgent) string { return string(a.ID) })
}

// AgentDetections reads what was detected of agents.
func (c *Client) AgentDetections(ctx context.Context) ([]entra.AgentDetection, error) {
	return fromBeta(ctx, c, betaReads[1], func(r *rowReader, d *entra.AgentDetection) (err error) { d.Raw, err = decodeKept(r, d); return err }, func(d *entra.AgentDetection) string { return d.ID })
}

// BetaPolicies reads the names of the Conditional Access policies as the beta
// version lists them, those that v1.0 leaves out among them.
func (c *Client) BetaPolicies(ctx context.Context) ([]entra.PolicyName, error) {
	return fromBeta(ctx, c, betaReads[2], decodeJSON[entra.PolicyName], func(p *entra.PolicyName) string { return string(p.ID) })
}
