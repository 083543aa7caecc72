package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const oneTenant = "tenants: [{name: a, tenantId: a.example}]\n"

func TestProblems(t *testing.T) {
	file := func(text string) world {
		return world{files: map[string]string{"/srv/job/risksweep.yaml": text}}
	}
	add := func(w world, change func(*world)) world { change(&w); return w }
	tests := map[string]struct {
		world world
		want  []string
	}{
		"no file":                      {world{}, []string{"risksweep.yaml: there is no such file here: name the configuration with --config FILE or RISKSWEEP_CONFIG, or see the whole job without any configuration: risksweep demo"}},
		"named file missing":           {world{named: "my.yaml"}, []string{"my.yaml: there is no such file"}},
		"file of the variable missing": {world{environ: []string{"RISKSWEEP_CONFIG=/etc/x.yaml"}}, []string{"/etc/x.yaml: there is no such file"}},
		"empty file":                   {file(""), []string{"risksweep.yaml:1:1: tenants is missing: the list of the tenants to sweep"}},
		"no tenants":                   {file("tenants: []"), []string{"risksweep.yaml:1:10: tenants: must name at least one tenant"}},
		"a list":                       {file("- a\n"), []string{"risksweep.yaml:1:1: must be a mapping, not a list"}},
		"tenants misspelt":             {file("tennants: []\n"), []string{`risksweep.yaml:1:1: tennants: unknown key (did you mean "tenants"?)`}},
		"misspelt": {file(oneTenant + "limits:\n  maxDismisals: 5\nsweeep: {}\nreport: {sla: {hihg: 1h}}\n"), []string{
			`risksweep.yaml:3:3: limits.maxDismisals: unknown key (did you mean "maxDismissals"?)`,
			`risksweep.yaml:4:1: sweeep: unknown key (did you mean "sweep"?)`,
			`risksweep.yaml:5:16: report.sla.hihg: unknown key (did you mean "high"?)`}},
		"wrong types": {file(oneTenant + "limits: {maxDismissals: many, maxShareOfRiskyUsers: \"0.5\", maxPolicyDeletes: 1.5}\nenforcement: {dismiss: yes}\nsweep: {lookback: 30, settle: soon}\nstore: here\nreport: {formats: ocsf}\n"), []string{
			`risksweep.yaml:2:25: limits.maxDismissals: must be a whole number, not "many"`,
			`risksweep.yaml:2:53: limits.maxShareOfRiskyUsers: must be a number, not "0.5"`,
			`risksweep.yaml:2:78: limits.maxPolicyDeletes: must be a whole number, not 1.5`,
			`risksweep.yaml:3:24: enforcement.dismiss: must be true or false, not "yes"`,
			`risksweep.yaml:4:19: sweep.lookback: must be a duration such as 90s, 15m or 72h, not 30`,
			`risksweep.yaml:4:31: sweep.settle: must be a duration such as 90s, 15m or 72h, not "soon"`,
			`risksweep.yaml:5:8: store: must be a mapping, not "here"`,
			`risksweep.yaml:6:19: report.formats: must be a list, not "ocsf"`}},
		"impossible values": {file(oneTenant + `limits: {maxDismissals: -1, maxShareOfRiskyUsers: 1.5}
sweep: {lookback: 24h, overlap: 24h, requestsPerSecond: -1, settle: 0s}
schedule: {mode: aply, timeZone: Europe/Berln}
report: {redact: all, formats: [ocfs, ocsf, ocsf]}
http: {listen: "8080", role: x}
store: {url: "file:x", keepDays: 5, immutableDays: 10}
`), []string{
			"risksweep.yaml:2:25: limits.maxDismissals: must be from 0 to 1000000, not -1",
			"risksweep.yaml:2:51: limits.maxShareOfRiskyUsers: must be from 0 to 1, not 1.5",
			"risksweep.yaml:3:33: sweep.overlap: sweep.overlap (24h) must be shorter than sweep.lookback (24h)",
			"risksweep.yaml:3:57: sweep.requestsPerSecond: must be from 0 to 10000, not -1",
			"risksweep.yaml:3:69: sweep.settle: must be from 1s to 24h, not 0s",
			`risksweep.yaml:4:18: schedule.mode: must be plan or apply, not "aply" (did you mean "apply"?)`,
			`risksweep.yaml:4:34: schedule.timeZone: must be a time zone such as Europe/Berlin, not "Europe/Berln" (did you mean "Europe/Berlin"?)`,
			`risksweep.yaml:5:18: report.redact: must be none, hash or drop, not "all"`,
			`risksweep.yaml:5:33: report.formats[0]: must be ocsf, not "ocfs" (did you mean "ocsf"?)`,
			`risksweep.yaml:5:45: report.formats[2]: "ocsf" is listed twice`,
			`risksweep.yaml:6:16: http.listen: must be HOST:PORT such as 127.0.0.1:8080, not "8080"`,
			`risksweep.yaml:6:30: http.role: http.issuer is missing: issuer, audience and role go together`,
			`risksweep.yaml:6:30: http.role: http.audience is missing: issuer, audience and role go together`,
			`risksweep.yaml:7:52: store.immutableDays: a folder has no immutability; it needs a blob container`,
			`risksweep.yaml:7:52: store.immutableDays: must not exceed store.keepDays (5): what is immutable cannot be deleted`}},
		"empty values": {file(oneTenant + "store: {url: \"\"}\nschedule: {timeZone: '', cron: ''}\nhttp: {listen: }\n"), []string{
			"risksweep.yaml:2:14: store.url: must not be empty",
			"risksweep.yaml:3:22: schedule.timeZone: must not be empty",
			"risksweep.yaml:4:16: http.listen: must be a string, but has no value"}},
		"short overlap warns": {file(oneTenant + "sweep: {overlap: 1h}\n"), []string{
			"risksweep.yaml:2:18: warning: sweep.overlap: offline detections come up to 48 hours late; a shorter overlap may miss them until the next full sweep"}},
		"tenants": {file(`tenants:
  - {name: contoso, tenantId: 11111111-2222-3333-4444-555555555555}
  - {name: Contoso, tenantId: 11111111-2222-3333-4444-555555555555, cloud: globl}
  - {name: ../x, tenantId: common}
  - {name: NUL, tenantid: a.example}
  - {}
  - {name: cn, tenantId: cn.example, cloud: china, triage: t.yaml, baseline: gone}
`), []string{
			`risksweep.yaml:3:12: tenants[1].name: "Contoso" is the name of the tenant at line 2, column 12 too; names must differ in more than case`,
			`risksweep.yaml:3:31: tenants[1].tenantId: is the tenant at line 2, column 31 too; two entries would write to it at once`,
			`risksweep.yaml:3:76: tenants[1].cloud: must be global, usgov, usgovdod or china, not "globl" (did you mean "global"?)`,
			`risksweep.yaml:4:12: tenants[2].name: "../x" cannot be a path segment in the store: use letters, digits, - _ and single dots inside, at most 63`,
			`risksweep.yaml:4:28: tenants[2].tenantId: must be the GUID of the tenant or one of its verified domains, not "common"`,
			`risksweep.yaml:5:12: tenants[3].name: "NUL" cannot be a path segment in the store: use letters, digits, - _ and single dots inside, at most 63`,
			`risksweep.yaml:5:17: tenants[3].tenantid: unknown key (did you mean "tenantId"?)`,
			`risksweep.yaml:6:5: tenants[4]: name is missing`,
			`risksweep.yaml:6:5: tenants[4]: tenantId is missing`,
			`risksweep.yaml:7:60: tenants[5].triage: there is no file /srv/job/t.yaml`,
			`risksweep.yaml:7:60: tenants[5].triage: the China cloud has no ID Protection: a triage file cannot be used there`,
			`risksweep.yaml:7:78: tenants[5].baseline: there is no file or folder /srv/job/gone`}},
		"credentials": {file(`tenants:
  - {name: a, tenantId: a.example, credential: {kind: clientSecret, clientSecret: hunter2}}
  - {name: b, tenantId: b.example, credential: {kind: managedIdentity, clientId: x, objectId: 11111111-2222-3333-4444-555555555555, clientSecret: hunter2}}
  - {name: c, tenantId: c.example, credential: {kind: clientCertificate, certificatePath: gone.pem}}
  - {name: d, tenantId: d.example, credential: {kind: static, token: {env: NOPE}}, graphEndpoint: "https://graph.microsoft.com/v1.0"}
  - {name: e, tenantId: e.example, credential: {kind: manageIdentity}, graphEndpoint: "http://graph.example/v1.0"}
  - {name: f, tenantId: f.example, credential: {kind: clientSecret, clientId: 11111111-2222-3333-4444-555555555555, clientSecret: {env: "hunter 2", file: x}}}
  - {name: g, tenantId: g.example, credential: {kind: clientSecret, clientId: 11111111-2222-3333-4444-555555555555, clientSecret: {env: "hunter 2"}}}
  - {name: h, tenantId: h.example, credential: {kind: clientSecret, clientId: 11111111-2222-3333-4444-555555555555, clientSecret: {file: gone}}}
`), []string{
			"risksweep.yaml:2:55: tenants[0].credential.kind: kind clientSecret needs clientId",
			"risksweep.yaml:2:83: tenants[0].credential.clientSecret: a secret does not stand in the text: write {env: NAME} or {file: PATH}",
			"risksweep.yaml:3:55: tenants[1].credential.kind: clientId and objectId each name the managed identity: give one of them",
			`risksweep.yaml:3:82: tenants[1].credential.clientId: must be a GUID such as 11111111-2222-3333-4444-555555555555, not "x"`,
			"risksweep.yaml:3:147: tenants[1].credential.clientSecret: a secret does not stand in the text: write {env: NAME} or {file: PATH}",
			"risksweep.yaml:3:147: tenants[1].credential.clientSecret: does not belong to a credential of kind managedIdentity",
			"risksweep.yaml:4:55: tenants[2].credential.kind: kind clientCertificate needs clientId",
			"risksweep.yaml:4:91: tenants[2].credential.certificatePath: there is no file /srv/job/gone.pem",
			"risksweep.yaml:5:55: tenants[3].credential.kind: a static token is only for a graphEndpoint on loopback, such as the simulated tenant's",
			"risksweep.yaml:5:76: tenants[3].credential.token.env: the environment variable NOPE is not set",
			`risksweep.yaml:6:55: tenants[4].credential.kind: must be default, managedIdentity, workloadIdentity, clientSecret, clientCertificate, azureCLI or static, not "manageIdentity" (did you mean "managedIdentity"?)`,
			"risksweep.yaml:6:87: tenants[4].graphEndpoint: the address must use https; plain http is for loopback only",
			"risksweep.yaml:7:131: tenants[5].credential.clientSecret: give env or file, not both",
			"risksweep.yaml:8:131: tenants[6].credential.clientSecret: env must be the name of a variable: letters, digits and _",
			"risksweep.yaml:9:138: tenants[7].credential.clientSecret.file: the secret file /srv/job/gone cannot be read: file does not exist"}},
		"only the selected tenant needs its secrets and files": {add(file(`tenants:
  - {name: a, tenantId: a.example, credential: {kind: clientSecret, clientId: 11111111-2222-3333-4444-555555555555, clientSecret: {env: NOPE}}, triage: gone}
  - {name: b, tenantId: b.example}
`), func(w *world) { w.tenants = []string{"b"} }), nil},
		"unknown tenant": {add(file(oneTenant), func(w *world) { w.tenants = []string{"A"} }), []string{`--tenant: there is no tenant "A" in the configuration (did you mean "a"?)`}},
		"variables": {add(file(oneTenant), func(w *world) {
			w.environ = []string{"RISKSWEEP_LIMITS_MAX_DISMISSALS=many", "RISKSWEEP_STORE_UR=file:x", "RISKSWEEP_NOTICES=[{kind: slak}]", "RISKSWEEP_HTTP_TOKEN=a\nb", "OTHER=1"}
		}), []string{
			"RISKSWEEP_HTTP_TOKEN: http.token: the secret has more than one line",
			`RISKSWEEP_LIMITS_MAX_DISMISSALS: limits.maxDismissals: must be a whole number, not "many"`,
			`RISKSWEEP_NOTICES:1:2: notices[0]: url is missing`,
			`RISKSWEEP_NOTICES:1:9: notices[0].kind: must be teams, slack or json, not "slak" (did you mean "slack"?)`,
			`RISKSWEEP_STORE_UR: warning: nothing reads this variable (did you mean "RISKSWEEP_STORE_URL"?)`}},
		"tenants variable": {world{environ: []string{"RISKSWEEP_TENANTS=- name: a\n  tenantId: x\n"}}, []string{
			`RISKSWEEP_TENANTS:2:13: tenants[0].tenantId: must be the GUID of the tenant or one of its verified domains, not "x"`}},
		"flags": {add(file(oneTenant), func(w *world) {
			w.flags = map[string]string{"store.url": "ftp://x", "store.ulr": "file:x", "http.token": "x"}
		}), []string{
			"--http-token: a secret is no flag, it would show in the list of processes; set RISKSWEEP_HTTP_TOKEN",
			`--store-ulr: is no flag of the configuration (did you mean "store.url"?)`,
			`--store-url: store.url: must be file:PATH or https://ACCOUNT.blob.core.windows.net/CONTAINER[/PREFIX], not "ftp://x"`}},
		"notices": {add(file(oneTenant+"notices:\n  - {kind: teams, url: {env: HOOK}, tenants: [aa, a], timeout: 1h}\n"), func(w *world) { w.environ = []string{"HOOK=http://hooks.example/k3y"} }), []string{
			"risksweep.yaml:3:24: notices[0].url: the address must use https; plain http is for loopback only",
			`risksweep.yaml:3:47: notices[0].tenants[0]: there is no tenant "aa" in the configuration`,
			"risksweep.yaml:3:64: notices[0].timeout: must be from 1s to 5m, not 1h"}},
		"store credential": {file(oneTenant + "store: {url: \"https://a.blob.core.windows.net/c-1\", credential: {kind: clientSecret, clientId: 11111111-2222-3333-4444-555555555555, sas: x}}\n"), []string{
			"risksweep.yaml:2:72: store.credential.kind: kind clientSecret needs clientSecret",
			"risksweep.yaml:2:72: store.credential.kind: kind clientSecret needs tenantId",
			"risksweep.yaml:2:139: store.credential.sas: a secret does not stand in the text: write {env: NAME} or {file: PATH}",
			"risksweep.yaml:2:139: store.credential.sas: does not belong to a credential of kind clientSecret"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, got := tt.world.load()
			if diff := cmp.Diff(strings.Join(tt.want, "\n"), got); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(got, "hunter") || strings.Contains(got, "k3y") {
				t.Error("a secret stands in a message")
			}
		})
	}
}

func TestFolderForAFile(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"risksweep.yaml": "tenants: [{name: a, tenantId: 11111111-2222-3333-4444-555555555555, triage: rules/}]\n", "rules/a.yaml": "allowlist: []\n"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil { //nolint:gosec // a test's own folder
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, problems := Load(LoadOptions{WorkDir: dir})
	if got := problems.Error(); !strings.Contains(got, "risksweep.yaml:1:77: tenants[0].triage: ") || !strings.Contains(got, "is no file that can be read") {
		t.Error(got)
	}
}

// What a configuration is loaded for says which secrets and files it cannot do
// without.
func TestUse(t *testing.T) {
	bare := func(use Use, files map[string]string) world {
		return world{files: files, named: "etc/risksweep.yaml", use: use}
	}
	only := map[string]string{"/srv/job/etc/risksweep.yaml": whole1}
	with := map[string]string{"/srv/job/etc/risksweep.yaml": whole1, "/srv/job/etc/baseline": "", "/srv/job/etc/triage.yaml": ""}
	for _, c := range []struct {
		name        string
		in          world
		wrong, warn []string // what is said, one each
	}{
		{"sweep", bare(ToSweep, with), []string{"CONTOSO_SECRET", "token.txt", "SLACK", "connectionString"}, nil},
		{"check", bare(ToCheck, with), nil, []string{"CONTOSO_SECRET", "token.txt", "SLACK", "connectionString"}},
		{"check without files", bare(ToCheck, only), []string{"baseline", "triage.yaml"}, []string{"CONTOSO_SECRET", "token.txt", "SLACK", "connectionString"}},
		{"export without files", bare(ToExport, only), []string{"CONTOSO_SECRET", "token.txt", "SLACK", "connectionString"}, nil},
		{"read", bare(ToRead, only), []string{"connectionString"}, nil},
	} {
		cfg, problems := Load(LoadOptions{File: c.in.named, Explicit: true, WorkDir: "/srv/job", Use: c.in.use, ReadFile: c.in.read})
		said := func(what string, warning bool, want []string) {
			var got []string
			for _, p := range problems {
				if p.Warning == warning {
					got = append(got, p.Error())
				}
			}
			if len(got) != len(want) {
				t.Errorf("%s: %d %s, want %d:\n%s", c.name, len(got), what, len(want), strings.Join(got, "\n"))
			}
			for _, w := range want {
				if !strings.Contains(strings.Join(got, "\n"), w) {
					t.Errorf("%s: no %s speaks of %s:\n%s", c.name, what, w, strings.Join(got, "\n"))
				}
			}
		}
		said("errors", false, c.wrong)
		said("warnings", true, c.warn)
		if cfg.Store.Credential.Absent != (c.in.use == ToCheck) {
			t.Errorf("%s: the store's credential absent %t", c.name, cfg.Store.Credential.Absent)
		}
		for _, tenant := range cfg.Tenants {
			if tenant.Credential.Absent != (c.in.use == ToCheck) {
				t.Errorf("%s: tenant %s: credential absent %t", c.name, tenant.Name, tenant.Credential.Absent)
			}
		}
	}
}

func TestStoreURL(t *testing.T) {
	tests := map[string]string{ // URL -> what is wrong with it
		"file:./reports":      "",
		"file:/var/reports":   "",
		"file:///var/reports": "",
		"file:":               "file: needs a folder, such as file:./reports",
		"reports":             `must be file:PATH or https://ACCOUNT.blob.core.windows.net/CONTAINER[/PREFIX], not "reports"`,
		"https://a.blob.core.windows.net/risk-reports":      "",
		"https://a.blob.core.windows.net/reports/a/b/":      "",
		"https://a.blob.core.windows.net":                   "the address must name a container: https://a.blob.core.windows.net/CONTAINER",
		"https://a.blob.core.windows.net/Reports":           `"Reports" cannot be a container: 3 to 63 lower-case letters, digits and single hyphens inside`,
		"https://a.blob.core.windows.net/a--b":              `"a--b" cannot be a container: 3 to 63 lower-case letters, digits and single hyphens inside`,
		"https://a.blob.core.windows.net/reports/../x":      "the address must not have empty or dotted segments",
		"https://a.blob.core.windows.net/reports?sv=s3cret": "must not carry a query; a shared access signature belongs to store.credential of kind sas",
		"https://u:p@a.blob.core.windows.net/reports":       "the address must not carry a user name or password",
		"http://a.blob.core.windows.net/reports":            "the address must use https; plain http is for loopback only",
		"http://127.0.0.1:10000/devstoreaccount1/reports":   "",
		"http://[::1]:10000/devstoreaccount1/reports/x":     "",
		"http://127.0.0.1:10000/devstoreaccount1":           "the address must name a container: http://127.0.0.1:10000/devstoreaccount1/CONTAINER",
		"http://127.0.0.1:10000/":                           "an emulator's address must be http://127.0.0.1:PORT/ACCOUNT/CONTAINER[/PREFIX]",
	}
	for url, want := range tests {
		_, got := world{files: map[string]string{"/srv/job/risksweep.yaml": oneTenant}, flags: map[string]string{"store.url": url}}.load()
		if want != "" {
			want = "--store-url: store.url: " + want
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", url, diff)
		}
	}
}

func TestCron(t *testing.T) {
	tests := map[string]string{
		"0 2 * * *": "", "@daily": "", "*/15 1-5 * * MON-FRI": "",
		"0 0 2 * * *":         `must have the five fields minute, hour, day of month, month and day of week, not 6: "0 0 2 * * *"`,
		"CRON_TZ=UTC":         "must not name a time zone; use schedule.timeZone",
		"TZ=UTC 0 2 * * *":    "must not name a time zone; use schedule.timeZone",
		"0 0 31 2 *":          `"0 0 31 2 *" is a day that never comes`,
		"@dayly":              `is not a schedule: unrecognized descriptor: @dayly (did you mean "@daily"?)`,
		"99 2 * * *":          "is not a schedule: end of range (99) above maximum (59): 99",
		"0 2 * * * extra one": `must have the five fields minute, hour, day of month, month and day of week, not 7: "0 2 * * * extra one"`,
	}
	for spec, want := range tests {
		_, got := world{files: map[string]string{"/srv/job/risksweep.yaml": oneTenant}, flags: map[string]string{"schedule.cron": spec}}.load()
		if want != "" {
			want = "--schedule-cron: schedule.cron: " + want
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", spec, diff)
		}
	}
}

// The example of the documentation, as it stands, on a machine where nothing
// is set.
func TestDocumentedExample(t *testing.T) {
	w := world{files: map[string]string{"/srv/job/baseline": "", "/srv/job/triage.yaml": "", "/srv/job/risksweep.yaml": `# risksweep.yaml
tenants:
  - name: contoso                 # a path segment in the store
    tenantId: 00000000-0000-0000-0000-000000000000
    cloud: global                 # global | usgov | usgovdod | china
    credential: {kind: default}
    baseline: baseline/           # a file or a folder
    triage: triage.yaml
    graphEndpoint: ""             # override: the simulator; plain http on loopback only
    authorityHost: ""
store:
  url: file:./reports
  credential: {kind: default}
schedule: {cron: "0 2 * * *", timeZone: Europe/Berlin, mode: plan}
sweep: {lookback: 720h, overlap: 48h, requestsPerSecond: 1, servicePrincipals: auto}
enforcement:
  {dismiss: false, confirmCompromised: false, policies: false, allowEnabledPolicies: false, allowWeakening: false, prune: false}
limits:
  {maxDismissals: 50, maxConfirmCompromised: 10, maxShareOfRiskyUsers: 0.25, maxPolicyCreates: 50, maxPolicyUpdates: 20, maxPolicyDeletes: 0}
http: {listen: 127.0.0.1:8080, token: {env: RISKSWEEP_HTTP_TOKEN}, allowApply: false}
`}}
	if _, problems := w.load(); problems != "risksweep.yaml:4:15: warning: tenants[0].tenantId: this is the id of the example, put that of your tenant there" {
		t.Error(problems)
	}
}
