package graph

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	auth "github.com/microsoft/kiota-authentication-azure-go"
	kiota "github.com/microsoft/kiota-http-go"

	"github.com/risksweep/risksweep/internal/entra"
)

// Options is what a Client needs to know. Only Credential is required.
type Options struct {
	Credential azcore.TokenCredential
	// Endpoint is the service root with its version, such as
	// "https://graph.microsoft.com/v1.0"; empty means that of Cloud. Plain
	// http is for loopback only.
	Endpoint string
	// Scope is what tokens are asked for; empty means Cloud's Graph root
	// and "/.default".
	Scope string
	// Cloud is global (also if empty), usgov, usgovdod or china.
	Cloud string
	// Beta lets what v1.0 does not show be read from the beta version.
	Beta bool
	// RequestsPerSecond is the rate that calls on /identityProtection and
	// /identity are kept below; 0 means unpaced. The service allows one a
	// second for all apps of a tenant together. The logs have a pace of their
	// own, five in ten seconds, unless this is 0.
	RequestsPerSecond float64
	// Timeout is the deadline of one request, from its being sent to the end
	// of its answer; 0 means 100 s.
	Timeout time.Duration
	// MaxRetryAfter is the longest wait that the service may ask for in a write,
	// or in a call whose context has no deadline; a longer one is an error at
	// once. A read waits as long as its deadline allows. 0 means 5 min.
	MaxRetryAfter time.Duration
	// MaxBody bounds the bytes of one answer; 0 means 64 MiB.
	MaxBody int64
	// MaxPages bounds the pages of one collection; 0 means 100,000.
	MaxPages int
	// Transport sends the requests; nil means one of its own as NewTransport makes
	// it, with HTTP/2 and proxy settings from the environment.
	Transport http.RoundTripper
	// Now is the clock that dates of the service are compared with; nil
	// means time.Now. Waiting always goes by the time package.
	Now func() time.Time
	// Jitter gives numbers from 0 up to 1 for the spread of back-offs; nil
	// means random ones.
	Jitter    func() float64
	Logger    *slog.Logger
	UserAgent string
	// TenantID is only shown in logs.
	TenantID string
}

// Client talks to one tenant. It is safe for concurrent use; what it may send
// at a time is one paced request and any number of others.
type Client struct {
	adapter    *kiota.NetHttpRequestAdapter
	credential azcore.TokenCredential
	scope      string
	base       *url.URL
	beta       *url.URL // nil: it is not read
	cloud      string
	gate       *gate
	logs       *gate // of the logs, which have a rate of their own
	retry      retryRules
	timeout    time.Duration
	maxBody    int64
	maxPages   int
	userAgent  string
	log        *slog.Logger
	now        func() time.Time

	mu         sync.Mutex
	stats      entra.RequestStats
	serverTime time.Time
	handover   map[entra.ObjectKind]handedList
}

// The service roots of design's clouds (graph-api §6).
func cloudRoot(cloud string) (string, error) {
	switch cloud {
	case "", "global":
		return "https://graph.microsoft.com", nil
	case "usgov":
		return "https://graph.microsoft.us", nil
	case "usgovdod":
		return "https://dod-graph.microsoft.us", nil
	case "china":
		return "https://microsoftgraph.chinacloudapi.cn", nil
	}
	return "", fmt.Errorf("unknown cloud %q", cloud)
}

// New makes a Client. It sends nothing.
func New(o Options) (*Client, error) {
	if o.Credential == nil {
		return nil, errors.New("graph: no credential")
	}
	root, err := cloudRoot(o.Cloud)
	if err != nil {
		return nil, fmt.Errorf("graph: %w", err)
	}
	if o.Endpoint == "" {
		o.Endpoint = root + "/v1.0"
	}
	if o.Scope == "" {
		o.Scope = root + "/.default"
	}
	base, err := parseEndpoint(o.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("graph: %w", err)
	}
	if o.RequestsPerSecond < 0 {
		return nil, fmt.Errorf("graph: %v requests per second", o.RequestsPerSecond)
	}
	c := &Client{
		credential: o.Credential, scope: o.Scope, base: base, cloud: o.Cloud,
		gate:    newGate(o.RequestsPerSecond),
		logs:    newGate(logsPerSecond(o.RequestsPerSecond)),
		retry:   retryRules{maxRetryAfter: orDefault(o.MaxRetryAfter, 5*time.Minute), jitter: o.Jitter},
		timeout: orDefault(o.Timeout, 100*time.Second),
		maxBody: orDefault(o.MaxBody, 64<<20), maxPages: orDefault(o.MaxPages, 100_000),
		userAgent: o.UserAgent, log: o.Logger, now: o.Now,
		stats:    entra.RequestStats{ByPath: map[string]int{}},
		handover: map[entra.ObjectKind]handedList{},
	}
	if o.Beta {
		if c.beta, err = betaRoot(base); err != nil {
			return nil, fmt.Errorf("graph: %w", err)
		}
	}
	if c.retry.jitter == nil {
		c.retry.jitter = rand.Float64
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.log == nil {
		c.log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if o.TenantID != "" {
		c.log = c.log.With("tenantId", o.TenantID)
	}
	transport := o.Transport
	if transport == nil {
		transport = NewTransport(1)
	}
	provider, err := auth.NewAzureIdentityAuthenticationProviderWithScopesAndValidHosts(
		noting{c.credential}, []string{o.Scope}, []string{base.Hostname()})
	if err != nil {
		return nil, fmt.Errorf("graph: %w", err)
	}
	// The middlewares are named one by one, which leaves out three of the
	// SDK's own: its retry would repeat a POST whose answer was lost, its
	// redirect would carry the token away, and its compression labels a
	// repeated plain body as gzip.
	client := &http.Client{
		Transport: kiota.NewCustomTransportWithParentTransport(transport,
			kiota.NewParametersNameDecodingHandler(), &carrier{client: c}),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c.adapter, err = kiota.NewNetHttpRequestAdapterWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(provider, nil, nil, client)
	if err != nil {
		return nil, fmt.Errorf("graph: %w", err)
	}
	c.adapter.SetBaseUrl(strings.TrimSuffix(base.String(), "/"))
	return c, nil
}

func orDefault[T time.Duration | int64 | int](v, d T) T {
	if v <= 0 {
		return d
	}
	return v
}

// parseEndpoint checks a service root. Plain http would show the token to the
// network, so it is for loopback only.
func parseEndpoint(endpoint string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSuffix(endpoint, "/"))
	switch {
	case err != nil:
		return nil, fmt.Errorf("endpoint: %w", err)
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return nil, fmt.Errorf("endpoint %q is not an http or https URL", endpoint)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("endpoint %q has more than a host and a path", endpoint)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, fmt.Errorf("endpoint %q: plain http is for loopback only", endpoint)
	}
	return u, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// NewTransport is a transport for the clients of any number of tenants, so many
// of them at work at a time: they share its connections. It is without transparent
// compression: a body is what Content-Length says, and no small answer grows into a
// large one.
func NewTransport(tenants int) http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true
	t.ForceAttemptHTTP2 = true
	t.MaxResponseHeaderBytes = 256 << 10
	t.ReadBufferSize = 64 << 10 // pages are around a megabyte
	t.MaxIdleConnsPerHost = max(tenants, http.DefaultMaxIdleConnsPerHost)
	t.MaxIdleConns = max(t.MaxIdleConns, tenants)
	// A connection on which nothing comes any more would hold up all tenants on it.
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second}
	return t
}

// Stats counts what was sent so far.
func (c *Client) Stats() entra.RequestStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.ByPath = maps.Clone(c.stats.ByPath)
	return s
}

// ServerTime is the Date of the service's last answer, zero before the first.
func (c *Client) ServerTime() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.serverTime
}

// hasRisk is an error in a cloud without ID Protection: China has none (graph-api §6).
func (c *Client) hasRisk() error {
	if c.cloud == "china" {
		return fmt.Errorf("ID Protection: %w", entra.ErrUnsupported)
	}
	return nil
}
