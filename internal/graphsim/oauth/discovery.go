package oauth

import (
	"encoding/base64"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// clockSkew is how far a caller's clock may be ahead.
const clockSkew = 5 * time.Minute

// openID is the tenant's OpenID Connect discovery document.
func (s *Server) openID(w http.ResponseWriter, r *http.Request, tenant string, v2 bool) {
	if !s.knows(tenant) {
		s.refuse(w, r, http.StatusBadRequest, "invalid_tenant", 90002, "Tenant '"+tenant+"' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.")
		return
	}
	base := origin(r) + "/" + tenant
	path, keys := "/oauth2", "/discovery/keys"
	if v2 {
		path, keys = "/oauth2/v2.0", "/discovery/v2.0/keys"
	}
	graph := strings.TrimPrefix(GraphRoots()[s.cloud()], "https://")
	answer(w, http.StatusOK, map[string]any{
		"token_endpoint":                        base + path + "/token",
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		"jwks_uri":                              base + keys,
		"response_modes_supported":              []string{"query", "fragment", "form_post"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"response_types_supported":              []string{"code", "id_token", "code id_token", "id_token token"},
		"scopes_supported":                      []string{"openid", "profile", "email", "offline_access"},
		"issuer":                                s.issuer(r, v2),
		"request_uri_parameter_supported":       false,
		"authorization_endpoint":                base + path + "/authorize",
		"device_authorization_endpoint":         base + path + "/devicecode",
		"claims_supported":                      []string{"sub", "iss", "aud", "exp", "iat", "tid", "ver", "oid", "appid", "roles"},
		"tenant_region_scope":                   "EU",
		"cloud_instance_name":                   strings.TrimPrefix(LoginHosts()[s.cloud()], "login."),
		"msgraph_host":                          graph,
	})
}

// keys publishes the signing key.
func (s *Server) keys(w http.ResponseWriter, r *http.Request) {
	key, err := s.key()
	if err != nil {
		s.refuse(w, r, http.StatusInternalServerError, "server_error", 90033, err.Error())
		return
	}
	id := keyID(key)
	answer(w, http.StatusOK, map[string]any{"keys": []any{map[string]any{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": id, "x5t": id,
		"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
	}}})
}

// instanceDiscovery says which hosts are one and the same cloud.
func (s *Server) instanceDiscovery(w http.ResponseWriter, r *http.Request) {
	endpoint := r.URL.Query().Get("authorization_endpoint")
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		s.refuse(w, r, http.StatusBadRequest, "invalid_request", 900144, "The request must contain the following parameter: 'authorization_endpoint'.")
		return
	}
	groups := [][]string{
		{"login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"},
		{"login.partner.microsoftonline.cn", "login.chinacloudapi.cn"},
		{"login.microsoftonline.us", "login.usgovcloudapi.net"},
		{"login-us.microsoftonline.com"},
	}
	known := strings.EqualFold(u.Host, r.Host) || loopback(u.Hostname())
	var metadata []any
	for _, g := range groups {
		for _, host := range g {
			known = known || strings.EqualFold(host, u.Host)
		}
		network, cache := g[0], g[0]
		if len(g) > 1 {
			cache = g[1]
		}
		metadata = append(metadata, map[string]any{"preferred_network": network, "preferred_cache": cache, "aliases": g})
	}
	if !known {
		s.refuse(w, r, http.StatusBadRequest, "invalid_instance", 50049, "Unknown or invalid instance.")
		return
	}
	if loopback(u.Hostname()) || strings.EqualFold(u.Host, r.Host) {
		metadata = append(metadata, map[string]any{"preferred_network": u.Host, "preferred_cache": u.Host, "aliases": []string{u.Host}})
	}
	tenant, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if tenant == "" {
		tenant = "common"
	}
	answer(w, http.StatusOK, map[string]any{
		"tenant_discovery_endpoint": u.Scheme + "://" + u.Host + "/" + tenant + "/v2.0/.well-known/openid-configuration",
		"api-version":               "1.1",
		"metadata":                  metadata,
	})
}

// cloudMetadata is what the resource manager tells tools about a cloud, with
// sign-in and Graph led here. Newer versions of the call describe one cloud,
// 2019-05-01 gives a list.
func (s *Server) cloudMetadata(w http.ResponseWriter, r *http.Request) {
	base := origin(r)
	names := map[string]string{"global": "AzureCloud", "usgov": "AzureUSGovernment", "usgovdod": "AzureUSGovernment", "china": "AzureChinaCloud"}
	cloud := map[string]any{
		"name":   names[s.cloud()],
		"portal": base,
		"authentication": map[string]any{
			"loginEndpoint":    base,
			"audiences":        []string{"https://management.core.windows.net/", "https://management.azure.com/"},
			"tenant":           "common",
			"identityProvider": "AAD",
		},
		"resourceManager":          base + "/",
		"graphAudience":            base + "/",
		"graph":                    base + "/",
		"microsoftGraphResourceId": base + "/",
		"suffixes": map[string]any{
			"storage": "core.windows.net", "keyVaultDns": "vault.azure.net", "sqlServerHostname": "database.windows.net",
		},
	}
	if r.URL.Query().Get("api-version") == "2019-05-01" {
		answer(w, http.StatusOK, []any{cloud})
		return
	}
	answer(w, http.StatusOK, cloud)
}

func (s *Server) cloud() string {
	if s.opt.Cloud == "" {
		return "global"
	}
	return s.opt.Cloud
}
