package config

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/risksweep/risksweep/internal/plan"
)

// world is what a Load sees.
type world struct {
	files   map[string]string // by full path
	environ []string
	flags   map[string]string
	tenants []string
	named   string // --config
	use     Use
}

func (w world) load() (*Config, string) {
	cfg, problems := Load(LoadOptions{File: w.named, Explicit: w.named != "", Environ: w.environ, Flags: w.flags, Tenants: w.tenants, WorkDir: "/srv/job", Use: w.use,
		ReadFile: w.read})
	return cfg, problems.Error()
}

func (w world) read(name string) ([]byte, error) {
	if data, ok := w.files[name]; ok {
		return []byte(data), nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

const guid1 = "11111111-2222-3333-4444-555555555555"

const whole1 = `tenants:
  - name: contoso
    tenantId: 11111111-2222-3333-4444-555555555555
    credential: {kind: clientSecret, clientId: 99999999-2222-3333-4444-555555555555, clientSecret: {env: CONTOSO_SECRET}}
    baseline: baseline/
    triage: triage.yaml
  - name: sim
    tenantId: fabrikam.example
    cloud: usgov
    credential: {kind: static, token: {file: token.txt}}
    graphEndpoint: http://127.0.0.1:8890/v1.0
    authorityHost: http://localhost:8890
store:
  url: https://account.blob.core.windows.net/reports/nightly
  credential: {kind: connectionString}
  keepDays: 400
  immutableDays: 30
schedule: {cron: "30 3 * * 1-5", timeZone: Europe/Berlin, mode: apply}
sweep: {lookback: 1000h, overlap: 50h, fullEvery: 24h, settle: 20m, timeout: 2h, requestTimeout: 30s, requestsPerSecond: 0.5, servicePrincipals: true, logs: off}
enforcement: {dismiss: true, confirmCompromised: true, policies: true, allowEnabledPolicies: true, allowWeakening: true, prune: true, promote: true}
limits: {maxDismissals: 1, maxConfirmCompromised: 2, maxDetectionDismissals: 8, maxRevocations: 6, maxDisables: 7, maxShareOfRiskyUsers: 0.5, maxPolicyCreates: 3, maxPolicyUpdates: 4, maxPolicyDeletes: 5, maxPromotions: 6}
http: {listen: "0.0.0.0:80", token: {env: API_TOKEN}, allowApply: true, issuer: https://login.example/v2.0, audience: api, role: Run}
report: {redact: hash, formats: [ocsf], csv: {bom: false, times: rfc3339}, sla: {high: 1h, medium: 2h, low: 3h}}
notices:
  - {kind: slack, url: {env: SLACK}, tenants: [sim], timeout: 5s}
`

func fullWorld() world {
	return world{
		files: map[string]string{"/srv/job/etc/risksweep.yaml": whole1, "/srv/job/etc/baseline": "", "/srv/job/etc/triage.yaml": "", "/srv/job/etc/token.txt": "sim-token\r\n"},
		environ: []string{"CONTOSO_SECRET=s3cret-a", "API_TOKEN=s3cret-b", "SLACK=https://hooks.example/s3cret-c",
			"RISKSWEEP_STORE_CONNECTION_STRING=AccountKey=s3cret-d"},
		named: "etc/risksweep.yaml",
	}
}

func TestLoadReadsEverything(t *testing.T) {
	cfg, problems := fullWorld().load()
	if problems != "" {
		t.Fatal(problems)
	}
	want := &Config{
		Dir: "/srv/job/etc", File: "etc/risksweep.yaml",
		Tenants: []Tenant{
			{Name: "contoso", TenantID: guid1, Cloud: "global", Baseline: "/srv/job/etc/baseline", Triage: "/srv/job/etc/triage.yaml",
				Credential: Credential{Kind: "clientSecret", ClientID: "99999999-2222-3333-4444-555555555555", ClientSecret: NewSecret("s3cret-a")}},
			{Name: "sim", TenantID: "fabrikam.example", Cloud: "usgov", Credential: Credential{Kind: "static", Token: NewSecret("sim-token")},
				GraphEndpoint: "http://127.0.0.1:8890/v1.0", AuthorityHost: "http://localhost:8890"},
		},
		Store: Store{URL: "https://account.blob.core.windows.net/reports/nightly", KeepDays: 400, ImmutableDays: 30,
			Credential: StoreCredential{Credential: Credential{Kind: "connectionString"}, ConnectionString: NewSecret("AccountKey=s3cret-d")}},
		Schedule: Schedule{Cron: "30 3 * * 1-5", TimeZone: "Europe/Berlin", Mode: "apply"},
		Sweep: Sweep{Lookback: 1000 * time.Hour, Overlap: 50 * time.Hour, FullEvery: 24 * time.Hour, Settle: 20 * time.Minute, Timeout: 2 * time.Hour,
			RequestTimeout: 30 * time.Second, RequestsPerSecond: 0.5, ServicePrincipals: "true", Logs: "off", Coverage: "auto", MaxConcurrent: 64},
		Enforcement: Enforcement{Enforcement: plan.Enforcement{Dismiss: true, ConfirmCompromised: true, Policies: true, Promote: true}, AllowEnabledPolicies: true, AllowWeakening: true, Prune: true},
		Limits:      plan.Limits{MaxDismissals: 1, MaxConfirmCompromised: 2, MaxDetectionDismissals: 8, MaxRevocations: 6, MaxDisables: 7, MaxServicePrincipals: 5, MaxShareOfRiskyUsers: 0.5, MaxPolicyCreates: 3, MaxPolicyUpdates: 4, MaxPolicyDeletes: 5, MaxPromotions: 6, MaxExceptions: 10},
		Exceptions:  Exceptions{MaxDuration: 720 * time.Hour},
		HTTP:        HTTP{Listen: "0.0.0.0:80", Token: NewSecret("s3cret-b"), AllowApply: true, Issuer: "https://login.example/v2.0", Audience: "api", Role: "Run"},
		Report:      Report{Redact: "hash", Formats: []string{"ocsf"}, CSV: CSV{Times: "rfc3339"}, SLA: SLA{High: time.Hour, Medium: 2 * time.Hour, Low: 3 * time.Hour}},
		Notices:     []Notice{{Kind: "slack", URL: NewSecret("https://hooks.example/s3cret-c"), Tenants: []string{"sim"}, Timeout: 5 * time.Second}},
	}
	if diff := cmp.Diff(want, cfg, cmpopts.IgnoreUnexported(Config{})); diff != "" {
		t.Error(diff)
	}
}

func TestDefaults(t *testing.T) {
	cfg, problems := world{files: map[string]string{"/srv/job/risksweep.yaml": "tenants: [{name: a, tenantId: a.example}]\n"}}.load()
	if problems != "" {
		t.Fatal(problems)
	}
	want := &Config{
		Dir: "/srv/job", File: "risksweep.yaml",
		Tenants:  []Tenant{{Name: "a", TenantID: "a.example", Cloud: "global", Credential: Credential{Kind: "default"}}},
		Store:    Store{URL: "file:/srv/job/reports", Credential: StoreCredential{Credential: Credential{Kind: "default"}}},
		Schedule: Schedule{Cron: "0 2 * * *", TimeZone: "UTC", Mode: "plan"},
		Sweep: Sweep{Lookback: 720 * time.Hour, Overlap: 48 * time.Hour, FullEvery: 168 * time.Hour, Settle: 15 * time.Minute, Timeout: 24 * time.Hour,
			RequestTimeout: 2 * time.Minute, RequestsPerSecond: 1, ServicePrincipals: "auto", Logs: "auto", Coverage: "auto", MaxConcurrent: 64},
		Limits:     plan.Limits{MaxDismissals: 50, MaxConfirmCompromised: 10, MaxDetectionDismissals: 100, MaxRevocations: 10, MaxDisables: 5, MaxServicePrincipals: 5, MaxShareOfRiskyUsers: 0.25, MaxPolicyCreates: 50, MaxPolicyUpdates: 20, MaxPromotions: 1, MaxExceptions: 10},
		Exceptions: Exceptions{MaxDuration: 720 * time.Hour},
		HTTP:       HTTP{Listen: "127.0.0.1:8080"},
		Report:     Report{Redact: "none", CSV: CSV{BOM: true, Times: "excel"}, SLA: SLA{High: 24 * time.Hour, Medium: 72 * time.Hour, Low: 168 * time.Hour}},
	}
	if diff := cmp.Diff(want, cfg, cmpopts.IgnoreUnexported(Config{})); diff != "" {
		t.Error(diff)
	}
}

// Every default in the table is one that its own key takes.
func TestDefaultsAreValid(t *testing.T) {
	r := &reader{opts: withDefaults(LoadOptions{})}
	for _, f := range keys {
		if f.preset != "" {
			f.set(r, f.node("default", f.name, f.preset), &Config{})
		}
	}
	for _, f := range tenantKeys {
		if f.preset != "" {
			f.set(r, f.node("default", f.name, f.preset), &Tenant{})
		}
	}
	if problems := r.Problems(); len(problems) > 0 {
		t.Error(problems)
	}
}

func TestPrecedence(t *testing.T) {
	w := world{
		files:   map[string]string{"/srv/job/risksweep.yaml": "tenants: [{name: a, tenantId: a.example}]\nlimits:\n  maxDismissals: 1\n  maxPolicyCreates: 1\n  maxPolicyUpdates: 1\n"},
		environ: []string{"RISKSWEEP_LIMITS_MAX_DISMISSALS=2", "RISKSWEEP_LIMITS_MAX_POLICY_CREATES=2", "RISKSWEEP_HTTP_LISTEN=", "RISKSWEEP_REPORT_FORMATS=ocsf", "RISKSWEEP_STORE_URL=file:out"},
		flags:   map[string]string{"limits.maxDismissals": "3", "sweep.servicePrincipals": "false"},
	}
	cfg, problems := w.load()
	if problems != "" {
		t.Fatal(problems)
	}
	want := map[string]Setting{
		"limits.maxDismissals":    {Value: "3", Source: "flag --limits-max-dismissals"},
		"limits.maxPolicyCreates": {Value: "2", Source: "environment RISKSWEEP_LIMITS_MAX_POLICY_CREATES"},
		"limits.maxPolicyUpdates": {Value: "1", Source: "file risksweep.yaml:5"},
		"limits.maxPolicyDeletes": {Value: "0", Source: "default"},
		"http.listen":             {Value: "127.0.0.1:8080", Source: "default"},
		"http.token":              {Value: "(not set)", Source: "default"},
		"report.formats":          {Value: "ocsf", Source: "environment RISKSWEEP_REPORT_FORMATS"},
		"sweep.servicePrincipals": {Value: "false", Source: "flag --sweep-service-principals"},
		"store.url":               {Value: "file:/srv/job/out", Source: "environment RISKSWEEP_STORE_URL"},
		"tenants[0].name":         {Value: "a", Source: "file risksweep.yaml:1"},
		"tenants[0].cloud":        {Value: "global", Source: "default"},
	}
	got := map[string]Setting{}
	for _, s := range cfg.Effective() {
		if _, ok := want[s.Key]; ok {
			got[s.Key] = Setting{Value: s.Value, Source: s.Source}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if cfg.Limits.MaxDismissals != 3 {
		t.Errorf("maxDismissals is %d, want 3", cfg.Limits.MaxDismissals)
	}
}

// A function app carries the whole configuration in its settings.
func TestEnvironmentAlone(t *testing.T) {
	w := world{environ: []string{
		"RISKSWEEP_TENANTS=[{name: contoso, tenantId: " + guid1 + ", credential: {kind: managedIdentity}, triage: triage.yaml}]",
		"RISKSWEEP_STORE_URL=https://account.blob.core.windows.net/reports",
		"RISKSWEEP_STORE_CREDENTIAL_KIND=managedIdentity",
		"RISKSWEEP_STORE_CREDENTIAL_CLIENT_ID=" + guid1,
		"RISKSWEEP_HTTP_TOKEN=abc",
		"RISKSWEEP_SCHEDULE_NCRONTAB=0 0 2 * * *",
		"RISKSWEEP_SWEEP_REQUESTS_PER_SECOND=0",
		"RISKSWEEP_REPORT_SLA_HIGH=4h",
		`RISKSWEEP_NOTICES=[{kind: json, url: {env: HOOK}}]`, "HOOK=https://hooks.example/x",
	}, files: map[string]string{"/srv/job/triage.yaml": ""}}
	cfg, problems := w.load()
	if problems != "" {
		t.Fatal(problems)
	}
	if cfg.File != "" || cfg.Tenants[0].Triage != "/srv/job/triage.yaml" || cfg.Store.Credential.ClientID != guid1 || cfg.HTTP.Token.Reveal() != "abc" ||
		cfg.Sweep.RequestsPerSecond != 0 || cfg.Report.SLA.High != 4*time.Hour || len(cfg.Notices) != 1 {
		t.Errorf("%+v", cfg)
	}
}

func TestSecretsNeverPrint(t *testing.T) {
	cfg, problems := fullWorld().load()
	if problems != "" {
		t.Fatal(problems)
	}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb, cfg, *cfg)
		fmt.Fprintf(&out, verb, cfg.HTTP.Token)
	}
	_ = json.NewEncoder(&out).Encode(cfg)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "cfg", cfg, "token", cfg.HTTP.Token)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "cfg", cfg, "token", cfg.HTTP.Token)
	fmt.Fprint(&out, cfg.Effective())
	for _, secret := range []string{"s3cret", "sim-token", "733363726574"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is printed", secret)
		}
	}
	if !strings.Contains(out.String(), "(set)") {
		t.Error("nothing says that secrets are set")
	}
}
