package config

import (
	"regexp"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/yamldoc"
)

// platformReference is how an app setting points to a value that is kept
// elsewhere. The platform puts that value in its place before the process
// starts; where it cannot, it leaves the reference as it stands.
var platformReference = regexp.MustCompile(`(?i)^@Microsoft\.([A-Za-z]+)\s*\(`)

// unresolved names the service of a reference that the platform left
// unresolved; empty for every other value.
func unresolved(value string) string {
	m := platformReference.FindStringSubmatch(strings.Trim(value, " \t\r\n\"'\ufeff"))
	switch {
	case m == nil:
		return ""
	case strings.EqualFold(m[1], "KeyVault"):
		return "Key Vault"
	case strings.EqualFold(m[1], "AppConfiguration"):
		return "App Configuration"
	}
	return "Microsoft." + m[1]
}

// adviceUnresolved says what such a value is and where to look. Nothing of the
// value itself is shown.
func adviceUnresolved(service string) string {
	text := "a reference to " + service + " that was not resolved: look at the setting's status under Environment variables of the function app"
	switch service {
	case "Key Vault":
		text += "; the app's identity needs the role Key Vault Secrets User on the vault, the secret must exist and be enabled, and the vault's firewall must let the app in"
	case "App Configuration":
		text += "; the app's identity needs the role App Configuration Data Reader on the store, and the key must exist"
	}
	return text + ". Outside Azure, as under Core Tools, nothing resolves it: set the value itself"
}

// signInVariables are read by the identity library, not by a key.
var signInVariables = []string{"AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PASSWORD",
	"AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST"}

// unresolvedVariables reports what the platform left unresolved in variables
// that others read: an error where a sign-in of this configuration reads it,
// else a warning.
func (r *reader) unresolvedVariables(cfg *Config) {
	ambient := func(kind string) bool { return kind == KindDefault || kind == KindWorkloadIdentity }
	used := strings.HasPrefix(cfg.Store.URL, "https://") && ambient(cfg.Store.Credential.Kind)
	if r.opts.Use != ToRead {
		used = used || slices.ContainsFunc(cfg.Tenants, func(t Tenant) bool { return ambient(t.Credential.Kind) })
	}
	for _, e := range r.opts.Environ {
		name, value, _ := strings.Cut(e, "=")
		service := unresolved(value)
		if service == "" || strings.HasPrefix(name, "RISKSWEEP_") || r.named[name] {
			continue
		}
		r.AddProblem(yamldoc.Problem{File: name, Message: "the value is " + adviceUnresolved(service),
			Warning: !used || !slices.Contains(signInVariables, name)})
	}
}

// resolved reports whether the text of a variable is a value; what is not is
// reported.
func (r *reader) resolved(variable, value string) bool {
	service := unresolved(value)
	if service != "" {
		r.AddProblem(yamldoc.Problem{File: variable, Message: "the value is " + adviceUnresolved(service)})
	}
	return service == ""
}
