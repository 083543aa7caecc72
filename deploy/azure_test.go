// Package deploy_test holds the deployments to the product as far as that can
// be done without a cloud: their commands and flags exist, their settings are
// read, their app roles are those of one table, and nothing runs with more
// rights than it needs.
package deploy_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/doctor"
)

// The roles in the template and in the script are those of the table, each for
// the same parts.
func TestGraphRoles(t *testing.T) {
	type role struct{ Role, ID, Parts string }
	var want []role
	for _, p := range doctor.Permissions() {
		var parts []string
		for _, part := range p.Parts {
			parts = append(parts, string(part))
		}
		want = append(want, role{p.Role, p.ID, strings.Join(parts, ",")})
	}
	var bicep []role
	for _, m := range regexp.MustCompile(`(?m)^  '([\w.]+)': \{ id: '([0-9a-f-]{36})', wanted: ([\w| ]+) \}$`).FindAllStringSubmatch(read(t, "azure/graph.bicep"), -1) {
		parts := strings.ReplaceAll(m[3], " || ", ",")
		if parts == "true" {
			parts = "read"
		}
		bicep = append(bicep, role{m[1], m[2], parts})
	}
	if diff := cmp.Diff(want, bicep); diff != "" {
		t.Errorf("graph.bicep (-table +template)\n%s", diff)
	}
	var script []role
	for _, m := range regexp.MustCompile(`(?m)^([A-Z][\w.]+) +([0-9a-f-]{36}) +([\w,]+)$`).FindAllStringSubmatch(read(t, "azure/grant-roles.sh"), -1) {
		script = append(script, role{m[1], m[2], m[3]})
	}
	if diff := cmp.Diff(want, script); diff != "" {
		t.Errorf("grant-roles.sh (-table +script)\n%s", diff)
	}
	type row struct{ Role, Parts string }
	var rows, docs []row
	parts := map[string]bool{}
	for _, r := range want {
		rows = append(rows, row{r.Role, r.Parts})
		for _, p := range strings.Split(r.Parts, ",") {
			parts[p] = true
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([A-Z][\\w.]+)` \\| ([\\w, ]+) \\| .+ \\|$").FindAllStringSubmatch(read(t, "../docs/deploy.md"), -1) {
		docs = append(docs, row{m[1], strings.ReplaceAll(m[2], ", ", ",")})
	}
	if diff := cmp.Diff(rows, docs); diff != "" {
		t.Errorf("docs/deploy.md (-table +page)\n%s", diff)
	}
	// Whoever asks for a part gets it, by the script and by the template.
	help, _, _ := strings.Cut(read(t, "azure/grant-roles.sh"), "set -euo")
	help = help[strings.Index(help, "Parts:"):]
	taken := regexp.MustCompile(`(?m)^    ([\w |]+)\) ;;$`).FindStringSubmatch(read(t, "azure/grant-roles.sh"))
	for p := range parts {
		if word := regexp.MustCompile(`\b` + p + `\b`); !word.MatchString(help) || taken == nil || !word.MatchString(taken[1]) {
			t.Errorf("grant-roles.sh does not name the part %s in its help, or does not take it", p)
		}
		if p != "read" && !strings.Contains(read(t, "azure/main.bicep"), "\n    "+p+": "+p+"\n") {
			t.Errorf("main.bicep does not hand %s on to graph.bicep", p)
		}
	}
}

// The script grants what is missing of the named parts, once, and nothing else.
func TestGrantRolesScript(t *testing.T) {
	bin, log := t.TempDir(), filepath.Join(t.TempDir(), "log")
	az := `#!/bin/sh
case "$*" in
  "cloud show"*) echo https://graph.microsoft.us/ ;;
  "ad sp show"*) echo the-graph ;;
  *"--method GET"*) echo dc5007c0-2d7d-4c42-879c-2dab87571379 ;;
  *) printf '%s\n' "$*" >> "` + log + `" ;;
esac
`
	if err := os.WriteFile(filepath.Join(bin, "az"), []byte(az), 0o755); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	run := func(args ...string) (string, error) {
		cmd := exec.Command("bash", append([]string{"azure/grant-roles.sh"}, args...)...)
		cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run("the-identity", "read", "dismiss")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := "IdentityRiskEvent.Read.All: granted\nIdentityRiskyUser.Read.All: there already\nOrganization.Read.All: granted\nIdentityRiskyUser.ReadWrite.All: granted\n"
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	posts := strings.Split(strings.TrimSpace(read(t, log)), "\n")
	for _, p := range posts {
		if !strings.Contains(p, "https://graph.microsoft.us/v1.0/servicePrincipals/the-identity/appRoleAssignments ") {
			t.Errorf("not to the cloud that az is signed in to: %s", p)
		}
	}
	if len(posts) != 3 || !strings.Contains(posts[2], `{"principalId":"the-identity","resourceId":"the-graph","appRoleId":"656f6061-f9fe-4807-9708-6a2e0934df76"}`) {
		t.Errorf("requests %q", posts)
	}
	for _, args := range [][]string{{}, {"the-identity"}, {"the-identity", "everything"}} {
		if out, err := run(args...); err == nil {
			t.Errorf("%v: taken\n%s", args, out)
		}
	}
}

// hostSettings are app settings that the platform reads.
var hostSettings = []string{"FUNCTIONS_EXTENSION_VERSION", "FUNCTIONS_WORKER_RUNTIME", "WEBSITE_RUN_FROM_PACKAGE", "APPLICATIONINSIGHTS_CONNECTION_STRING",
	"AzureWebJobsStorage", "AzureWebJobsStorage__accountName", "AzureWebJobsStorage__credential", "AzureWebJobsStorage__clientId", "AzureFunctionsJobHost__functionTimeout"}

func TestTemplateOfTheFunctionApp(t *testing.T) {
	text := read(t, "azure/main.bicep")
	for _, pair := range []string{"{}", "[]", "()"} {
		if a, b := strings.Count(text, pair[:1]), strings.Count(text, pair[1:]); a != b {
			t.Errorf("%d %s and %d %s", a, pair[:1], b, pair[1:])
		}
	}
	// Parameters, variables, resources and modules share their names; what is declared twice does not compile.
	for _, name := range []string{"main.bicep", "graph.bicep"} {
		declared := map[string]bool{}
		for _, m := range regexp.MustCompile(`(?m)^(?:param|var|resource|module|func|type|extension) (\w+)`).FindAllStringSubmatch(read(t, "azure/"+name), -1) {
			if declared[m[1]] {
				t.Errorf("%s declares %s twice", name, m[1])
			}
			declared[m[1]] = true
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^(?:param|var) (\w+)`).FindAllStringSubmatch(text, -1) {
		if n := len(regexp.MustCompile(`\b`+m[1]+`\b`).FindAllString(text, -1)); n < 2 {
			t.Errorf("%s is never used", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^param (\w+)`).FindAllStringSubmatch(read(t, "azure/main.bicepparam"), -1) {
		if !regexp.MustCompile(`(?m)^param ` + m[1] + ` `).MatchString(text) {
			t.Errorf("main.bicepparam sets %s, which the template does not have", m[1])
		}
	}
	_, block, _ := strings.Cut(text, "name: 'appsettings'")
	var settings []string
	for _, m := range regexp.MustCompile(`(?m)^    (\w+): `).FindAllStringSubmatch(block, -1) {
		settings = append(settings, m[1])
		if !slices.Contains(hostSettings, m[1]) && !slices.Contains(variables(), m[1]) {
			t.Errorf("nothing reads the setting %s", m[1])
		}
	}
	for _, need := range []string{"AzureWebJobsStorage__accountName", config.EnvNCRONTAB, config.EnvName("store.url"), config.EnvName("store.credential.kind"), config.EnvName("schedule.mode")} {
		if !slices.Contains(settings, need) {
			t.Errorf("the setting %s is missing", need)
		}
	}
	// Bicep's string(true) is "True".
	if strings.Contains(text, "string(allowApply)") || strings.Contains(text, "string(dismiss)") || strings.Contains(text, "string(policies)") {
		t.Error("a switch is written as Bicep writes it, not as the configuration reads it")
	}
	for _, must := range []string{"allowSharedKeyAccess: false", "allowBlobPublicAccess: false", "minimumTlsVersion: 'TLS1_2'", "httpsOnly: true",
		// Blob Data Owner, Queue Data Contributor, Table Data Contributor
		"b7e6dc6d-f1e8-4753-8033-0f276bb0955b", "974c5e8b-45b9-4653-ba55-5f855dd0fb88", "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3"} {
		if !strings.Contains(text, must) {
			t.Errorf("no %s", must)
		}
	}
	for _, name := range []string{"risksweep-runs", "risksweep-runs-poison"} {
		if !strings.Contains(text, "name: '"+name+"'") {
			t.Errorf("no queue %s", name)
		}
	}
	var bicepConfig map[string]any
	if err := json.Unmarshal([]byte(read(t, "azure/bicepconfig.json")), &bicepConfig); err != nil {
		t.Error(err)
	}
}

// The example of local settings names every setting, and can be loaded.
func TestLocalSettings(t *testing.T) {
	var s struct {
		IsEncrypted bool
		Values      map[string]string
	}
	if err := json.Unmarshal([]byte(read(t, "../local.settings.json.example")), &s); err != nil {
		t.Fatal(err)
	}
	var missing, unknown []string
	for _, v := range variables() {
		if _, ok := s.Values[v]; !ok {
			missing = append(missing, v)
		}
	}
	for v := range s.Values {
		if !slices.Contains(variables(), v) && !slices.Contains(hostSettings, v) {
			unknown = append(unknown, v)
		}
	}
	if len(missing)+len(unknown) > 0 {
		t.Errorf("missing %v, unknown %v", missing, unknown)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../examples")); err != nil {
		t.Fatal(err)
	}
	_, problems := config.Load(config.LoadOptions{WorkDir: dir, Env: func(k string) (string, bool) { v, ok := s.Values[k]; return v, ok }})
	if err := problems.Err(); err != nil {
		t.Errorf("the settings cannot be loaded: %v", err)
	}
}
