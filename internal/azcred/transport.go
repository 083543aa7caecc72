package azcred

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// maxDiscovery bounds the document in which an authority describes itself.
const maxDiscovery = 1 << 20

// plainLoopback leads requests for an authority on loopback, which azidentity
// insists on calling by https, to its plain listener.
func plainLoopback(client *http.Client, authority *url.URL) policy.Transporter {
	if client == nil {
		client = &http.Client{}
	}
	return &plain{client: client, host: authority.Host}
}

type plain struct {
	client *http.Client
	host   string
}

// Do sends the request. In the authority's description of itself its own
// address becomes https, as the identity library compares the two.
func (p *plain) Do(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" || r.URL.Host != p.host {
		return p.client.Do(r)
	}
	sent := r.Clone(r.Context())
	sent.URL.Scheme = "http"
	answer, err := p.client.Do(sent)
	if err != nil || !strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration") {
		return answer, err
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxDiscovery+1))
	_ = answer.Body.Close()
	if err != nil {
		return nil, err
	}
	if len(body) > maxDiscovery {
		return nil, fmt.Errorf("the description of %s is larger than %d bytes", p.host, maxDiscovery)
	}
	body = bytes.ReplaceAll(body, []byte("http://"+p.host), []byte("https://"+p.host))
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	answer.Header.Del("Content-Length")
	return answer, nil
}
