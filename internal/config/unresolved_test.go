package config

import (
	"strings"
	"testing"
)

const reference = "@Microsoft.KeyVault(SecretUri=https://kv-acme.vault.azure.net/secrets/k3y/)"

// A reference that the platform left as it stands is never used as a value,
// wherever a variable is read, and its text is not shown.
func TestUnresolvedReferences(t *testing.T) {
	tenant := func(credential string) map[string]string {
		return map[string]string{"/srv/job/risksweep.yaml": "tenants: [{name: a, tenantId: a.example, credential: " + credential + "}]\n", "/run/s": reference + "\n"}
	}
	bySecret := "{kind: clientSecret, clientId: " + guid1 + ", clientSecret: "
	tests := map[string]struct {
		world world
		where string
		says  string
	}{
		"secret":                  {world{files: tenant(bySecret + "{env: KV}}"), environ: []string{"KV=" + reference}}, "clientSecret", "Key Vault"},
		"secret's file":           {world{files: tenant(bySecret + "{file: /run/s}}")}, "clientSecret", "Key Vault"},
		"App Configuration":       {world{files: tenant(bySecret + "{env: KV}}"), environ: []string{"KV= @microsoft.appconfiguration(Endpoint=https://a; Key=k3y)"}}, "clientSecret", "App Configuration"},
		"named by vault":          {world{files: tenant(bySecret + "{env: KV}}"), environ: []string{"KV=@Microsoft.KeyVault(VaultName=kv;SecretName=k3y)"}}, "clientSecret", "Key Vault"},
		"setting":                 {world{files: tenant("{kind: azureCLI}"), environ: []string{"RISKSWEEP_STORE_URL=" + reference}}, "RISKSWEEP_STORE_URL:", "Key Vault"},
		"secret's own variable":   {world{files: tenant("{kind: azureCLI}"), environ: []string{"RISKSWEEP_HTTP_TOKEN=" + reference}}, "RISKSWEEP_HTTP_TOKEN:", "Key Vault"},
		"tenants":                 {world{environ: []string{"RISKSWEEP_TENANTS=" + reference}}, "RISKSWEEP_TENANTS:", "Key Vault"},
		"notices":                 {world{files: tenant("{kind: azureCLI}"), environ: []string{"RISKSWEEP_NOTICES=" + reference}}, "RISKSWEEP_NOTICES:", "Key Vault"},
		"configuration":           {world{environ: []string{"RISKSWEEP_CONFIG=" + reference}}, "RISKSWEEP_CONFIG:", "Key Vault"},
		"sign-in by the platform": {world{files: tenant("{kind: default}"), environ: []string{"AZURE_CLIENT_SECRET=" + reference}}, "AZURE_CLIENT_SECRET:", "Key Vault"},
		"connection string": {world{files: map[string]string{"/srv/job/risksweep.yaml": oneTenant + "store: {url: \"https://a.blob.core.windows.net/reports\", credential: {kind: connectionString}}\n"},
			environ: []string{"RISKSWEEP_STORE_CONNECTION_STRING=" + reference}}, "RISKSWEEP_STORE_CONNECTION_STRING:", "Key Vault"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, got := tt.world.load()
			if !strings.Contains(got, tt.where) || !strings.Contains(got, "a reference to "+tt.says+" that was not resolved") || strings.Contains(got, "k3y") || strings.Contains(got, "warning") {
				t.Errorf("%s", got)
			}
			if n := strings.Count(got, "\n"); n > 0 {
				t.Errorf("more than one message: %s", got)
			}
		})
	}
	// What no sign-in of this configuration reads is a warning.
	_, problems := Load(LoadOptions{Environ: []string{"AZURE_CLIENT_SECRET=" + reference, "OTHER=" + reference}, WorkDir: "/srv/job", ReadFile: world{files: tenant("{kind: azureCLI}")}.read})
	if problems.Err() != nil || len(problems.Warnings()) != 2 {
		t.Errorf("%v", problems)
	}
}

// The secret of a file is what the file holds now; in the middle of a rotation
// it is what the file held before.
func TestSecretOfAFileIsReadAgain(t *testing.T) {
	w := world{files: map[string]string{"/run/s": "first\n",
		"/srv/job/risksweep.yaml": "tenants: [{name: a, tenantId: a.example, credential: {kind: clientSecret, clientId: " + guid1 + ", clientSecret: {file: /run/s}}}]\nhttp: {token: {file: /run/s}}\n"}}
	cfg, got := w.load()
	if got != "" {
		t.Fatal(got)
	}
	for _, step := range []struct{ text, want string }{{"second", "second"}, {"", "second"}, {"a\nb", "second"}, {reference, "second"}, {"third\r\n", "third"}} {
		w.files["/run/s"] = step.text
		if got := cfg.Tenants[0].Credential.ClientSecret.Reveal(); got != step.want {
			t.Errorf("after %q: %q", step.text, got)
		}
		if got := cfg.HTTP.Token.Reveal(); got != step.want {
			t.Errorf("after %q: the token is %q", step.text, got)
		}
	}
	delete(w.files, "/run/s")
	if got := cfg.HTTP.Token.Reveal(); got != "third" {
		t.Errorf("without the file: %q", got)
	}
}
