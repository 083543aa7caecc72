package report

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/impact"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/triage"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

const schemas = "../../docs/schema"

func schemaText(t *testing.T, name string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(schemas, name+".schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// check holds a JSON document to a published schema.
func check(t *testing.T, name string, document []byte) {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("https://x/"+name, schemaText(t, name)); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("https://x/" + name)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, document)
	}
	if err := s.Validate(v); err != nil {
		t.Errorf("%s: %v\n%s", name, err, document)
	}
}

func checkLines(t *testing.T, name string, lines []byte, want int) {
	t.Helper()
	list := slices.Collect(bytes.Lines(lines))
	if len(list) != want {
		t.Fatalf("%s: %d lines, want %d", name, len(list), want)
	}
	for _, line := range list {
		check(t, name, line)
	}
}

var (
	at        = time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)
	detection = entra.Detection{ID: "d1", UserID: "u1", UserPrincipalName: "ada@contoso.com", UserDisplayName: "Ada", RiskEventType: "passwordSpray",
		RiskLevel: "high", RiskState: "atRisk", DetectedDateTime: "2026-11-20T10:00:00.1234567Z", ActivityDateTime: "2026-11-20T09:59:00Z",
		LastUpdatedDateTime: "2026-11-20T11:00:00Z", IPAddress: "203.0.113.7", Location: entra.Location{City: "Kiel", CountryOrRegion: "DE"}, RequestID: "r",
		Raw: `{"id":"d1","userId":"u1","riskLevel":"brandNew","riskState":"atRisk","ipAddress":null,"detectedDateTime":"2026-11-20T10:00:00.1234567Z","location":{"city":"Kiel","state":null,"geoCoordinates":{"latitude":-1.5}},"future":[1]}`}
	bare = entra.Detection{ID: "d2", Raw: `{"id":"d2"}`}
	user = entra.RiskyUser{ID: "u1", RiskLevel: "high", RiskState: "atRisk", UserPrincipalName: "ada@contoso.com", RiskLastUpdatedDateTime: "2026-11-20T11:00:00Z",
		Raw: `{"id":"u1","isDeleted":false,"isProcessing":null,"riskLevel":"high","riskState":"atRisk","riskLastUpdatedDateTime":"2026-11-20T11:00:00Z","userPrincipalName":"ada@contoso.com"}`}
	decision = triage.Decision{Verdict: triage.Leave, Code: triage.CodeUncovered, Reasons: []string{"1 of 1 open detections is not covered"}, NeedsPerson: true,
		Covered: map[string]string{"d1": "vpn"}, OpenSince: at.Add(-88 * time.Hour)}
	policyRow = PolicyRow{Kind: entra.KindPolicy, Key: "CA010", ID: "p1", DisplayName: "CA010", State: "enabled", Status: "update", Reasons: []string{"drifted"},
		Differences: []policy.Difference{{Path: "state", Old: json.RawMessage(`"disabled"`), New: json.RawMessage(`"enabled"`), Text: "state: disabled -> enabled"}},
		Live:        entra.Document{"id": "p1", "future": map[string]any{"a": json.Number("1")}}}
	outcome = plan.Outcome{Action: "a1", Kind: plan.Dismiss, Subject: plan.Subject{ID: "u1", Name: "ada@contoso.com"}, Rule: "vpn", Status: plan.OverDismissed, At: at}
)

func wholePlan() plan.Plan {
	return plan.Build(plan.Input{Run: "r1", Tenant: "contoso", TenantID: "t", CreatedAt: at, Limits: plan.Limits{MaxDismissals: 0}, Actions: []plan.Action{
		{Kind: plan.Dismiss, Status: plan.Ready, Subject: plan.Subject{ID: "u1"}, Rule: "vpn", Reasons: []string{"covered"},
			Risk: &plan.Risk{RiskLevel: "low", RiskState: "atRisk", Detections: []plan.SeenDetection{{ID: "d1"}}}},
		{Kind: plan.UpdatePolicy, Status: plan.Ready, Subject: plan.Subject{ID: "p1", Key: "CA010"}, Reasons: []string{"drift"},
			Change: &plan.Change{Kind: entra.KindPolicy, Key: "CA010", Before: policyRow.Live, BeforeHash: strings.Repeat("a", 64), Body: entra.Document{"state": "enabled"}, Differences: policyRow.Differences,
				Effects: []plan.Effect{{Change: "blocks", Users: 1, Examples: []string{"ada@contoso.com"}, Situation: "always", AtRisk: 1}}, Through: []string{"P"}}}},
		Enforcement: plan.Enforcement{Dismiss: true, Policies: true}})
}

func marshalled(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestOutputsMeetTheSchemas holds what the writers write, whole and empty, to
// the published schemas.
func TestOutputsMeetTheSchemas(t *testing.T) {
	check(t, "plan", marshalled(t, wholePlan()))
	check(t, "plan", marshalled(t, plan.Build(plan.Input{Run: "r1", Tenant: "contoso"})))
	for _, mode := range []string{"none", "hash", "drop"} {
		red := NewRedaction(mode, []byte("key"))
		var detections, users, policies, finding bytes.Buffer
		d, u, o := NewDetections(&detections, io.Discard, red, CSVForm{}), NewUsers(&users, io.Discard, red, CSVForm{}), NewOCSF(&finding, OCSFSource{Run: "r1", TenantID: "t", At: at}, red)
		closed := detection
		closed.RiskState, closed.RiskLevel = entra.StateRemediated, "brandNew"
		for _, det := range []entra.Detection{detection, bare, closed, {ID: "s1", ServicePrincipalID: "sp", ServicePrincipalDisplayName: "Backup", RiskState: "brandNew", Raw: `{"id":"s1"}`}} {
			if err := d.Write(&det); err != nil {
				t.Fatal(err)
			}
			if err := o.Detection(&det); err != nil {
				t.Fatal(err)
			}
		}
		for _, row := range []UserRow{{User: user, Decision: decision, OpenDetections: 1, Reach: wholeCoverage().Risky[0].Reach}, {User: entra.RiskyUser{ID: "u2", Raw: `{"id":"u2"}`}},
			{User: user, Decision: triage.Decision{Verdict: triage.Dismiss, Code: triage.CodeAllowlisted, Rule: "vpn", Reasons: []string{"covered"}}}} {
			if err := u.Write(row); err != nil {
				t.Fatal(err)
			}
			if err := o.Decision(row); err != nil {
				t.Fatal(err)
			}
		}
		for _, f := range []interface{ Flush() error }{d, u, o} {
			if err := f.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		checkLines(t, "detections", detections.Bytes(), 4)
		checkLines(t, "users", users.Bytes(), 3)
		checkLines(t, "ocsf", finding.Bytes(), 7)
		for line := range bytes.Lines(finding.Bytes()) {
			var f ocsfFinding
			if err := json.Unmarshal(line, &f); err != nil || f.TypeUID != f.ClassUID*100+f.ActivityID {
				t.Errorf("%v in %s", err, line)
			}
			if mode != "none" && (bytes.Contains(line, []byte("ada@")) || bytes.Contains(line, []byte("203.0.113.7")) || bytes.Contains(line, []byte("Kiel"))) {
				t.Errorf("%s: %s", mode, line)
			}
		}
		if err := WritePolicies(&policies, io.Discard, red.Policies([]PolicyRow{policyRow, {Kind: entra.KindLocation, DisplayName: "L", Status: "unmanaged"}}), CSVForm{}); err != nil {
			t.Fatal(err)
		}
		check(t, "policies", policies.Bytes())
	}
	var none bytes.Buffer
	if err := WritePolicies(&none, io.Discard, nil, CSVForm{}); err != nil {
		t.Fatal(err)
	}
	check(t, "policies", none.Bytes())
	check(t, "impact", marshalled(t, wholeImpact()))
	check(t, "impact", marshalled(t, impact.New(impact.Options{Policies: []impact.Policy{{DisplayName: "P", Place: -1}}}).Result()))
	for _, c := range []Reached{{Policies: "live", Scope: "off"}, {Policies: "live", Scope: "risky", Risky: []RiskyReach{{ID: "u1", Reach: &access.Reach{ReachedBy: []access.Met{}, NotReached: []access.Unmet{}, Unknown: true}}}}, wholeCoverage()} {
		var out bytes.Buffer
		if err := WriteReached(&out, io.Discard, c, CSVForm{}); err != nil {
			t.Fatal(err)
		}
		check(t, "coverage", out.Bytes())
	}
}

func wholeImpact() impact.Result {
	some := impact.Group{SignIns: 2, Users: 1, Applications: []impact.Counted{{Name: "Portal", SignIns: 2}}, Clients: []impact.Counted{{Name: "Browser", SignIns: 2}},
		Countries: []impact.Counted{{Name: "DE", SignIns: 2}}, Days: []impact.Counted{{Name: "2026-11-24", SignIns: 2}}}
	return impact.Result{SchemaVersion: 1, Days: 7, From: at.Add(-7 * 24 * time.Hour), To: at, Read: 9, Early: 1, Note: impact.Note, Warnings: []string{"w"},
		Policies: []impact.PolicyResult{{Key: "CA010", ID: "p1", DisplayName: "P", State: "enabledForReportingButNotEnforced", By: impact.ByLog, Since: at, Judged: 8, Applied: 4, Users: 2, Days: 1,
			Refused: some, Asked: some, Unknown: some, Why: map[string]int{"no device": 2}, Who: []impact.Person{{ID: "u1", Name: "ada@contoso.com", SignIns: 2, Last: at, Applications: []string{"Portal"}}}, Unnamed: 1}}}
}

func wholeCoverage() Reached {
	return Reached{Policies: "live", Scope: "full",
		Risky: []RiskyReach{{ID: "u1", Name: "ada@contoso.com", RiskLevel: "high", Privileged: true, Reach: &access.Reach{ReachedBy: []access.Met{{Key: "CA1", DisplayName: "P", Demands: []access.Demand{{"mfa"}}}}, NotReached: []access.Unmet{{DisplayName: "Q", Why: "it is report-only"}}}}},
		Coverage: &access.Coverage{Users: 2, Classes: 1, Demands: []access.DemandCoverage{{Demand: "mfa", With: 1, Without: 1, Because: []access.Exclusion{{ExcludedBy: "bg@contoso.com", Policy: "P", Users: 1}}}},
			Groups: []access.GroupCoverage{{Group: "guests", Users: 1, Demands: map[string]int{"mfa": 1}, Fewer: []string{"x"}}},
			Gaps:   []access.Gap{{Users: 1, Examples: []string{"ada@contoso.com"}, Situation: access.Situation{"target": {"x"}}, Nearest: []access.Nearest{{DisplayName: "P", Lacks: "y"}}}}}}
}

func TestReportMeetsTheSchema(t *testing.T) {
	var users bytes.Buffer
	u := NewUsers(&users, io.Discard, Redaction{}, CSVForm{})
	for _, row := range []UserRow{{User: user, Decision: decision, OpenDetections: 1}, {User: user}} {
		if err := u.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := u.Flush(); err != nil {
		t.Fatal(err)
	}
	waiting := u.Waiting(at, SLA{High: time.Hour})
	difference, err := Compare(Side{Run: "r0", Users: strings.NewReader("")}, Side{Run: "r1", Users: bytes.NewReader(users.Bytes()), Policies: Policies{Objects: []PolicyRow{policyRow}}})
	if err != nil {
		t.Fatal(err)
	}
	whole := Report{Run: "r1", Tenant: "contoso", TenantID: "t", Mode: "apply", Status: "partial", ExitCode: 3, Version: "v", StartedAt: at, FinishedAt: at, Hold: "held",
		OverDismissed: []plan.Outcome{outcome}, Coverage: Coverage{Complete: true, Full: true, Since: at, ServiceTime: at}, Counts: map[string]int{"users": 2},
		Enforcement: plan.Enforcement{Dismiss: true}, Limits: plan.Limits{MaxDismissals: 50}, Violations: wholePlan().Violations, NeedsPerson: waiting,
		Outcomes: []plan.Outcome{outcome}, Settled: []plan.Outcome{outcome}, Drift: []PolicyRow{policyRow}, ServicePrincipals: []json.RawMessage{json.RawMessage(`{"id":"sp"}`)},
		Difference: &difference, Skipped: []string{"baseline: none"}, Warnings: []string{"w"}, Errors: []Problem{{Message: "m", Code: "c", Hint: "h", RequestID: "r"}},
		Timings: []Timing{{Part: "read", Seconds: 1.5}}, Requests: Requests{Total: 3, ByPath: map[string]int{"/x": 3}}, Previous: "r0",
		BreakGlassTests: []GlassTest{NewGlassTest("u1", "bg1@contoso.com", at.Add(-time.Hour), at, 24*time.Hour), NewGlassTest("u2", "", time.Time{}, at, 36*time.Hour)}}
	for _, r := range []Report{whole, {Mode: "plan", Enforcement: plan.Enforcement{}}} {
		var out bytes.Buffer
		if err := WriteBoth(&out, io.Discard, r, Decisions(bytes.NewReader(users.Bytes()), at), PageDetails{}); err != nil {
			t.Fatal(err)
		}
		check(t, "report", out.Bytes())
	}
}

// TestLedgerMeetsTheSchemas holds what a ledger stores of a run to the schemas.
func TestLedgerMeetsTheSchemas(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	store, err := blobstore.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	l := ledger.New(store, "contoso", ledger.Options{Now: func() time.Time { return at }})
	run, err := l.Begin(ctx, ledger.BeginOptions{Mode: "apply"})
	if err != nil {
		t.Fatal(err)
	}
	fatal := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	fatal(run.Journal().Append(ctx,
		ledger.Entry{Type: ledger.EntryIntent, At: at, Run: run.ID(), Action: "a1", Kind: plan.Dismiss, Subject: outcome.Subject},
		ledger.Entry{Type: ledger.EntryOutcome, At: at, Run: run.ID(), Action: "a1", Kind: plan.Dismiss, Subject: outcome.Subject, Outcome: &outcome},
		ledger.Entry{Type: ledger.EntryNote, At: at, Run: run.ID(), Detail: json.RawMessage(`{"seen":["p1"]}`)}))
	fatal(run.PutFile(ctx, "plan.json", marshalled(t, wholePlan())))
	head, err := run.Finish(ctx, ledger.Manifest{Version: "v", Status: "succeeded", StartedAt: at, FinishedAt: at, Counts: map[string]int{"users": 1}}, strings.Repeat("b", 64), "r0")
	fatal(err)
	s, version, err := l.State(ctx)
	fatal(err)
	s.Head, s.HeadRun, s.Watermark, s.LastFull = head, run.ID(), at, at
	s.Owned = plan.OwnedObjects{entra.KindPolicy: {"CA010": {ID: "p1", Hash: "h", Run: run.ID()}}}
	s.Dismissals = []ledger.PastAction{{UserID: "u1", At: at, Run: run.ID(), Detections: []string{"d1"}, Outcome: "done"}}
	s.Confirmations = []ledger.PastAction{{UserID: "u1", At: at, Run: run.ID()}}
	s.BreakGlassSignIns = map[entra.ID]time.Time{"u1": at}
	s.GroupMembers, s.OpenRuns, s.SettledActions = map[entra.ID][]entra.ID{"g": {"u1"}}, []string{"r0"}, []string{"r0/a1"}
	_, err = l.SaveState(ctx, s, version)
	fatal(err)
	fatal(run.Latest(ctx, "succeeded"))
	fatal(run.Close(ctx))
	read := func(elem ...string) []byte {
		data, err := os.ReadFile(filepath.Join(append([]string{dir}, elem...)...))
		fatal(err)
		return data
	}
	checkLines(t, "journal", read(filepath.FromSlash(run.Dir()), "journal.jsonl"), 3)
	check(t, "plan", read(filepath.FromSlash(run.Dir()), "plan.json"))
	check(t, "manifest", read(filepath.FromSlash(run.Dir()), "manifest.json"))
	check(t, "state", read("contoso", "state.json"))
	check(t, "latest", read("contoso", "latest.json"))
	planned, err := l.Begin(ctx, ledger.BeginOptions{Mode: "plan"})
	fatal(err)
	_, err = planned.Finish(ctx, ledger.Manifest{Version: "v", Status: "succeeded", StartedAt: at, FinishedAt: at, Counts: map[string]int{}}, "", "")
	fatal(err)
	fatal(planned.Close(ctx))
	check(t, "manifest", read(filepath.FromSlash(planned.Dir()), "manifest.json"))
	check(t, "plans", read("contoso", "plans.json"))
}

// TestSchemasDescribeEveryMember compares the schemas with the types that are
// written: each member is described, and required if it is always there.
func TestSchemasDescribeEveryMember(t *testing.T) {
	for name, typ := range map[string]reflect.Type{"plan": reflect.TypeFor[plan.Plan](), "journal": reflect.TypeFor[ledger.Entry](), "policies": reflect.TypeFor[Policies](),
		"report": reflect.TypeFor[Report](), "manifest": reflect.TypeFor[ledger.Manifest](), "state": reflect.TypeFor[ledger.State](), "latest": reflect.TypeFor[ledger.Latest](),
		"plans": reflect.TypeFor[ledger.Plans](), "ocsf": reflect.TypeFor[ocsfFinding](), "coverage": reflect.TypeFor[Reached](), "impact": reflect.TypeFor[impact.Result]()} {
		root := schemaText(t, name)
		w := &walker{t: t, root: root, seen: map[reflect.Type]bool{}}
		if name == "report" {
			w.besides = []string{"decisions", "breakdown"} // streamed, and given by the run
		}
		w.object(name, typ, root)
	}
	// What the types above hold as raw JSON or any.
	for _, d := range []struct {
		schema, def string
		typ         reflect.Type
	}{
		{"users", "decision", reflect.TypeFor[triage.Decision]()}, {"serviceprincipals", "decision", reflect.TypeFor[triage.Decision]()}, {"report", "decision", reflect.TypeFor[triage.Decision]()},
		{"report", "decided", reflect.TypeFor[Decided]()}, {"report", "enforcement", reflect.TypeFor[plan.Enforcement]()},
	} {
		root := schemaText(t, d.schema)
		def, ok := below(root, "$defs", d.def).(map[string]any)
		if !ok {
			t.Errorf("%s: no definition %s", d.schema, d.def)
			continue
		}
		(&walker{t: t, root: root, seen: map[reflect.Type]bool{}}).object(d.schema+" "+d.def, d.typ, def)
	}
	for _, name := range []string{"users", "serviceprincipals", "report"} {
		codes := below(schemaText(t, name), "$defs", "decision", "properties", "code", "enum")
		var listed []string
		for _, c := range codes.([]any) {
			listed = append(listed, c.(string))
		}
		if d := cmp.Diff(append(triage.Codes(), "order"), listed); d != "" {
			t.Errorf("%s: codes of decisions: %s", name, d)
		}
	}
}

// below follows member names into a document.
func below(v any, path ...string) any {
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	return v
}

type walker struct {
	t       *testing.T
	root    map[string]any
	seen    map[reflect.Type]bool
	besides []string
}

func (w *walker) object(path string, typ reflect.Type, schema map[string]any) {
	w.t.Helper()
	if w.seen[typ] {
		return
	}
	w.seen[typ] = true
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	known := slices.Clone(w.besides)
	w.besides = nil
	for _, f := range reflect.VisibleFields(typ) {
		if f.Anonymous || !f.IsExported() || f.Tag.Get("json") == "-" {
			continue
		}
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		if typ.Field(f.Index[0]).Type.Kind() == reflect.Pointer && len(f.Index) > 1 { // of what may be missing as a whole
			opts = "omitempty"
		}
		known = append(known, name)
		p, ok := properties[name].(map[string]any)
		if !ok {
			w.t.Errorf("%s.%s is not in the schema", path, name)
			continue
		}
		if got := slices.Contains(required, any(name)); got != (opts == "") {
			w.t.Errorf("%s.%s: required is %t", path, name, got)
		}
		w.value(path+"."+name, f.Type, p)
	}
	for name := range properties {
		if !slices.Contains(known, name) {
			w.t.Errorf("%s.%s is in the schema and nowhere else", path, name)
		}
	}
}

// value looks for structs below a member and for what describes them.
func (w *walker) value(path string, typ reflect.Type, schema map[string]any) {
	w.t.Helper()
	if typ.Implements(reflect.TypeFor[json.Marshaler]()) {
		return // times, raw messages
	}
	switch typ.Kind() {
	case reflect.Pointer:
		if one, ok := schema["oneOf"].([]any); ok {
			schema, _ = one[0].(map[string]any)
		}
		w.value(path, typ.Elem(), schema)
	case reflect.Slice:
		items, _ := schema["items"].(map[string]any)
		w.value(path, typ.Elem(), items)
	case reflect.Map:
		items, _ := schema["additionalProperties"].(map[string]any)
		w.value(path, typ.Elem(), items)
	case reflect.Struct:
		ref, _ := schema["$ref"].(string)
		def, ok := below(w.root, "$defs", strings.TrimPrefix(ref, "#/$defs/")).(map[string]any)
		if !ok {
			w.t.Errorf("%s: no definition %q", path, ref)
			return
		}
		w.object(path, typ, def)
	}
}
