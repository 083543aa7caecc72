package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/yamldoc"
)

// tenants reads the list of tenants, keeps the selected ones in cfg, and
// returns their settings.
func (r *reader) tenants(cfg *Config, list, root *yamldoc.Node) []Setting {
	if list == nil {
		if root != nil && (root.Kind == yamldoc.Mapping || root.Kind == yamldoc.Null) && r.text(EnvTenants) == "" {
			r.Missing(root, "tenants", "the list of the tenants to sweep")
		}
		return nil
	}
	items, ok := r.Items(list)
	if ok && len(items) == 0 {
		r.Add(list, "must name at least one tenant")
	}
	var settings []Setting
	var names []string
	byName, byID := map[string]*yamldoc.Node{}, map[string]*yamldoc.Node{}
	for _, n := range items {
		name := ""
		if v := n.Get("name"); v != nil {
			name = v.Value
		}
		names = append(names, name)
		selected := len(r.opts.Tenants) == 0 || slices.Contains(r.opts.Tenants, name)
		r.unswept, r.absent = !selected || r.opts.Use == ToRead, false
		t, given := readTenant(r, n)
		t.Credential.Absent = r.absent
		if first := byName[strings.ToLower(t.Name)]; first != nil && t.Name != "" {
			r.Add(given["name"], "%q is the name of the tenant at line %d, column %d too; names must differ in more than case", t.Name, first.Line, first.Column)
		}
		byName[strings.ToLower(t.Name)] = given["name"]
		if t.TenantID == exampleTenant {
			r.Warn(given["tenantId"], "this is the id of the example, put that of your tenant there")
		}
		id := strings.ToLower(t.TenantID + " " + t.GraphEndpoint)
		if first := byID[id]; first != nil && t.TenantID != "" {
			r.Add(given["tenantId"], "is the tenant at line %d, column %d too; two entries would write to it at once", first.Line, first.Column)
		}
		byID[id] = given["tenantId"]
		if !selected {
			cfg.Others = append(cfg.Others, t)
			continue
		}
		cfg.Tenants = append(cfg.Tenants, t)
		for _, f := range tenantKeys {
			if given[f.name] != nil || f.preset != "" && !f.secret {
				settings = append(settings, Setting{Key: n.Path + "." + f.name, Value: f.get(&t), Source: r.source(given[f.name])})
			}
		}
	}
	r.unswept = false
	for _, wanted := range r.opts.Tenants {
		if !slices.Contains(names, wanted) {
			r.AddProblem(yamldoc.Problem{File: "--tenant", Message: fmt.Sprintf("there is no tenant %q in the configuration", wanted), Offending: wanted, Suggestion: yamldoc.Nearest(wanted, names)})
		}
	}
	return settings
}

func readTenant(r *reader, n *yamldoc.Node) (Tenant, map[string]*yamldoc.Node) {
	var t Tenant
	given := map[string]*yamldoc.Node{}
	for _, f := range tenantKeys {
		if f.preset != "" {
			f.set(r, f.node("default", f.name, f.preset), &t)
		}
	}
	readSection(r, n, "", tenantKeys, &t, given)
	if n.Kind != yamldoc.Mapping {
		return t, given
	}
	for _, required := range []string{"name", "tenantId"} {
		switch v := given[required]; {
		case v == nil:
			r.Missing(n, required)
		case v.Kind == yamldoc.String && v.Value == "":
			r.Add(v, "must not be empty")
		}
	}
	r.exists(given["baseline"], t.Baseline, "file or folder", r.Add)
	r.exists(given["triage"], t.Triage, "file", r.Add)
	r.exists(given["exceptions"], t.Exceptions, "file", r.Add)
	if t.Exceptions != "" && t.Baseline == "" {
		r.Add(given["exceptions"], "exceptions name policies of the baseline, and the tenant has none: give it a baseline")
	}
	r.exists(given["expectations"], t.Expectations, "file", r.Add)
	if t.Cloud == "china" && t.Triage != "" {
		r.Add(given["triage"], "the China cloud has no ID Protection: a triage file cannot be used there")
	}
	members := credentialMembers{of: "credential.", given: given, kind: t.Credential.Kind, at: cmp.Or(given["credential.kind"], n)}
	r.credential(members, t.Credential)
	if t.Credential.Kind == KindStatic {
		if t.GraphEndpoint == "" || !loopbackURL(t.GraphEndpoint) {
			r.Add(members.at, "a static token is only for a graphEndpoint on loopback, such as the simulated tenant's")
		}
	}
	return t, given
}

// exists reports a file that is named and is not there. An export writes the
// baseline that the configuration names.
func (r *reader) exists(n *yamldoc.Node, path, what string, report func(*yamldoc.Node, string, ...any)) {
	if n == nil || path == "" || r.unswept || r.opts.Use == ToExport {
		return
	}
	switch _, err := r.opts.ReadFile(path); {
	case errors.Is(err, fs.ErrNotExist):
		report(n, "there is no %s %s", what, path)
	case errors.Is(err, fs.ErrPermission):
		r.Add(n, "%s %s may not be read", what, path)
	case err != nil && what == "file": // a folder, as a rule; a baseline may be one
		var of *fs.PathError
		if errors.As(err, &of) {
			err = of.Err
		}
		r.Add(n, "%s is no file that can be read: %v", path, err)
	}
}

// credentialMembers is one credential as it was written.
type credentialMembers struct {
	of    string // prefix of its keys
	given map[string]*yamldoc.Node
	kind  string
	at    *yamldoc.Node // where to report what is missing
}

// members are what a kind takes; those with a ! are required.
var members = map[string][]string{
	KindDefault:           {},
	KindManagedIdentity:   {"clientId", "resourceId", "objectId"},
	KindWorkloadIdentity:  {"clientId", "tokenFile"},
	KindClientSecret:      {"clientId!", "clientSecret!"},
	KindClientCertificate: {"clientId!", "certificatePath!", "certificatePassword", "sendCertificateChain"},
	KindAzureCLI:          {},
	KindStatic:            {"token!"},
	KindConnectionString:  {"connectionString!"},
	KindSAS:               {"sas!"},
}

// credential checks that the members belong to the kind and none is missing.
func (r *reader) credential(m credentialMembers, c Credential) {
	taken, ok := members[m.kind]
	if !ok {
		return // the kind itself was wrong
	}
	for _, name := range []string{"clientId", "resourceId", "objectId", "clientSecret", "certificatePath", "certificatePassword", "sendCertificateChain", "tokenFile", "token", "connectionString", "sas"} {
		n := m.given[m.of+name]
		required := slices.Contains(taken, name+"!")
		switch {
		case n == nil && required && r.opts.Use == ToCheck && strings.HasPrefix(m.of, "store."):
			r.absent = true // a variable of its own may give it where the job runs
			r.Warn(m.at, "kind %s needs %s", m.kind, name)
		case n == nil && required:
			r.Add(m.at, "kind %s needs %s", m.kind, name)
		case n != nil && required && n.Kind == yamldoc.String && n.Value == "":
			r.Add(n, "must not be empty")
		case n != nil && !required && !slices.Contains(taken, name):
			bare := *n
			bare.Value = "" // may be a secret
			r.Add(&bare, "does not belong to a credential of kind %s", m.kind)
		}
	}
	if m.kind == KindManagedIdentity {
		var named []string
		for _, name := range taken {
			if n := m.given[m.of+name]; n != nil && n.Value != "" {
				named = append(named, name)
			}
		}
		if len(named) > 1 {
			r.Add(m.at, "%s each name the managed identity: give one of them", strings.Join(named, " and "))
		}
	}
	r.exists(m.given[m.of+"certificatePath"], c.CertificatePath, "file", r.missing)
	r.exists(m.given[m.of+"tokenFile"], c.TokenFile, "file", r.missing)
}

// notices reads the list of webhooks and returns their settings.
func (r *reader) notices(cfg *Config, list, tenants *yamldoc.Node) []Setting {
	items, _ := r.Items(list)
	var names []string
	if tenants != nil {
		for _, t := range tenants.Items {
			if name := t.Get("name"); name != nil {
				names = append(names, name.Value)
			}
		}
	}
	var settings []Setting
	for _, n := range items {
		var notice Notice
		given := map[string]*yamldoc.Node{}
		for _, f := range noticeKeys {
			if f.preset != "" {
				f.set(r, f.node("default", f.name, f.preset), &notice)
			}
		}
		readSection(r, n, "", noticeKeys, &notice, given)
		if n.Kind != yamldoc.Mapping {
			continue
		}
		for _, required := range []string{"kind", "url"} {
			if given[required] == nil {
				r.Missing(n, required)
			}
		}
		if !notice.URL.IsZero() {
			if why := badWebAddress(notice.URL.Reveal()); why != "" {
				r.Add(given["url"], "the address %s", why)
			}
		}
		if v := given["tenants"]; v != nil {
			for _, it := range v.Items {
				if it.Kind == yamldoc.String && !slices.Contains(names, it.Value) {
					r.Suggest(it, it.Value, names, "there is no tenant %q in the configuration", it.Value)
				}
			}
		}
		cfg.Notices = append(cfg.Notices, notice)
		for _, f := range noticeKeys {
			settings = append(settings, Setting{Key: n.Path + "." + f.name, Value: f.get(&notice), Source: r.source(given[f.name])})
		}
	}
	return settings
}

// exampleTenant stands in examples/risksweep.yaml.
const exampleTenant = "00000000-0000-0000-0000-000000000000"
