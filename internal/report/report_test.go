package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/triage"
	"pgregory.net/rapid"
)

func readCSV(t interface{ Fatal(...any) }, data []byte) [][]string {
	if head, _, _ := bytes.Cut(data, []byte("\n")); !bytes.HasSuffix(head, []byte("\r")) || !bytes.HasSuffix(data, []byte("\r\n")) {
		t.Fatal("lines do not end in CRLF")
	}
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestCSVRoundTrip writes random cells and reads them back with the standard
// reader: no cell is lost, and none begins like a formula.
func TestCSVRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"=1+1", "+49 30", "-2", "@SUM(A1)", "\t=1", "a,b", `say "hi"`, "a\nb", " lead", "＝1", "|cmd", " =1", "\u00a0=1", "\ufeff+1", "'quoted", "'", "\n=1"}))
		d := entra.Detection{ID: text.Draw(t, "id"), UserDisplayName: text.Draw(t, "name"), AdditionalInfo: text.Draw(t, "info"), Raw: `{}`}
		var jsonl, out bytes.Buffer
		w := report.NewDetections(&jsonl, &out, report.Redaction{}, report.CSVForm{})
		if err := w.Write(&d); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		rows := readCSV(t, out.Bytes())
		if len(rows) != 2 || len(rows[1]) != len(report.DetectionColumns) {
			t.Fatalf("rows %q", rows)
		}
		for i, want := range map[int]string{0: d.ID, 6: d.UserDisplayName, len(report.DetectionColumns) - 1: d.AdditionalInfo} {
			got := rows[1][i]
			if first := strings.TrimFunc(got, func(r rune) bool { return r == '\ufeff' || unicode.IsSpace(r) }); got != "" && (strings.ContainsAny(got[:1], "\t\r\n") || first != "" && strings.ContainsAny(first[:1], "=+-@|")) {
				t.Fatalf("cell %q is a formula", got)
			}
			// The standard reader turns CRLF within a cell into LF.
			norm := func(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }
			if norm(strings.TrimPrefix(got, "'")) != norm(want) {
				t.Fatalf("cell %q, want %q", got, want)
			}
		}
	})
}

func TestNothingIsLostInJSONLines(t *testing.T) {
	raw := json.RawMessage("{\n \"id\": \"u1\", \"riskLevel\": \"brandNew\", \"future\": {\"a\": [1, 2.50]}\n}")
	var jsonl, out bytes.Buffer
	w := report.NewUsers(&jsonl, &out, report.Redaction{}, report.CSVForm{})
	row := report.UserRow{User: entra.RiskyUser{ID: "u1", RiskLevel: "brandNew", Raw: string(raw)}, OpenDetections: 2,
		Decision: triage.Decision{Verdict: triage.Leave, Code: triage.CodeUncovered, Reasons: []string{"why"}, NeedsPerson: true}}
	if err := w.Write(row); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	want := `{"id":"u1","riskLevel":"brandNew","future":{"a":[1,2.50]},"openDetections":2,"decision":{"verdict":"leave","code":"uncovered","reasons":["why"],"needsPerson":true,"privileged":false}}` + "\n"
	if d := cmp.Diff(want, jsonl.String()); d != "" {
		t.Error(d)
	}
}

func TestReportIsValidJSON(t *testing.T) {
	for _, n := range []int{0, 1, 3} {
		var out bytes.Buffer
		decisions := func(yield func(report.Decided, error) bool) {
			for i := range n {
				if !yield(report.Decided{ID: "u", Decision: json.RawMessage("null"), OpenDetections: i}, nil) {
					return
				}
			}
		}
		if err := report.WriteBoth(&out, io.Discard, report.Report{Run: "r"}, decisions, report.PageDetails{}); err != nil {
			t.Fatal(err)
		}
		var got struct {
			Run       string
			Decisions []report.Decided
			Requests  report.Requests
		}
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		if got.Run != "r" || len(got.Decisions) != n {
			t.Errorf("%d decisions: %+v", n, got)
		}
	}
}

func TestRedaction(t *testing.T) {
	d := entra.Detection{ID: "d1", UserID: "u1", UserPrincipalName: "ada@contoso.com", UserDisplayName: "Ada Lovelace", IPAddress: "203.0.113.7",
		AdditionalInfo: `[{"Key":"userAgent","Value":"Ada's browser"}]`, Location: entra.Location{City: "London", CountryOrRegion: "GB"},
		Raw: `{"id":"d1","userPrincipalName":"ada@contoso.com","userDisplayName":"Ada Lovelace","ipAddress":"203.0.113.7","additionalInfo":"Ada","location":{"city":"London","countryOrRegion":"GB"},"new":[{"displayName":"Ada Lovelace"}]}`}
	for _, mode := range []string{"hash", "drop"} {
		r := report.NewRedaction(mode, []byte("key"))
		var jsonl, out bytes.Buffer
		w := report.NewDetections(&jsonl, &out, r, report.CSVForm{})
		if err := w.Write(&d); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		sentence := r.Sentence("ada@contoso.com signed in from 203.0.113.7 (GB), says Ada Lovelace", "Ada Lovelace")
		p := r.Plan(plan.Plan{Actions: []plan.Action{{Kind: plan.Dismiss, Subject: plan.Subject{ID: "u1", Name: "ada@contoso.com"}, Reasons: []string{"ada@contoso.com"}}}})
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{jsonl.String(), out.String(), sentence, string(text)} {
			for _, secret := range []string{"ada@", "Ada", "203.0.113.7", "London"} {
				if strings.Contains(s, secret) {
					t.Errorf("%s: %q is still in %s", mode, secret, s)
				}
			}
		}
		if !strings.Contains(jsonl.String(), `"GB"`) || !strings.Contains(jsonl.String(), `"d1"`) {
			t.Errorf("%s: too much is gone: %s", mode, jsonl.String())
		}
	}
	a, b := report.NewRedaction("hash", []byte("one")), report.NewRedaction("hash", []byte("two"))
	if a.Text("Ada") != a.Text("ada") || a.Text("Ada") == b.Text("Ada") {
		t.Error("hashes must be stable under one key, and useless under another")
	}
}

func TestCompare(t *testing.T) {
	line := func(id, level, state string) string {
		return `{"id":"` + id + `","userPrincipalName":"` + id + `@x","riskLevel":"` + level + `","riskState":"` + state + `"}` + "\n"
	}
	before := line("same", "low", "atRisk") + line("risen", "low", "atRisk") + line("settled", "high", "atRisk") + line("absent", "low", "atRisk") + line("murky", "medium", "atRisk") + line("old", "none", "dismissed")
	after := line("same", "low", "atRisk") + line("risen", "high", "atRisk") + line("settled", "none", "dismissed") + line("fresh", "medium", "atRisk") + line("murky", "hidden", "atRisk") + line("old", "none", "dismissed")
	d, err := report.Compare(report.Side{Run: "a", Users: strings.NewReader(before), Policies: report.Policies{Objects: []report.PolicyRow{{ID: "p", Status: "inSync"}, {ID: "same", Status: "inSync"}, {Key: "K", Status: "create"}, {ID: "q", DisplayName: "Q", Status: "unmanaged"}}}},
		report.Side{Run: "b", Users: strings.NewReader(after), Policies: report.Policies{Objects: []report.PolicyRow{{ID: "p", DisplayName: "P", Status: "update"}, {ID: "same", Status: "inSync"}, {Key: "K", ID: "made", Status: "inSync"}}}})
	if err != nil {
		t.Fatal(err)
	}
	want := report.Difference{From: "a", To: "b",
		New:     []report.Changed{{ID: "fresh", Name: "fresh@x", Is: "medium"}},
		Gone:    []report.Changed{{ID: "settled", Name: "settled@x", Was: "high", Is: "dismissed"}, {ID: "absent", Name: "absent@x", Was: "low"}},
		Risen:   []report.Changed{{ID: "risen", Name: "risen@x", Was: "low", Is: "high"}, {ID: "murky", Name: "murky@x", Was: "medium", Is: "hidden"}},
		Drifted: []report.Changed{{ID: "p", Name: "P", Was: "inSync", Is: "update"}, {ID: "made", Was: "create", Is: "inSync"}, {ID: "q", Name: "Q", Was: "unmanaged"}},
		Total:   map[string]int{"new": 1, "gone": 2, "risen": 2, "drifted": 3}}
	if diff := cmp.Diff(want, d, cmpopts.IgnoreFields(report.Changed{}, "Kind", "Live")); diff != "" {
		t.Error(diff)
	}
}

// Files that begin alike differ in nothing there, whatever follows.
func TestCompareFilesThatBeginAlike(t *testing.T) {
	line := func(id string, n int) string {
		return `{"id":"` + id + `","riskLevel":"low","riskState":"atRisk","more":"` + strings.Repeat("x", n) + `"}` + "\n"
	}
	many := ""
	for i := range 200 {
		many += line(fmt.Sprint("u", i), 700+i)
	}
	long := line("long", 100_000)
	for name, c := range map[string]struct{ before, after, changed string }{
		"both are empty":          {"", "", ""},
		"the same":                {many, many, ""},
		"the same, of long lines": {many + long, many + long, ""},
		"one more":                {many, many + line("z", 1), "new z"},
		"one less":                {many + line("z", 1), many, "gone z"},
		"one more between":        {many + line("z", 1), many + line("y", 1) + line("z", 1), "new y"},
		"the first one":           {"", line("z", 1), "new z"},
		"without an end":          {many + strings.TrimSpace(line("z", 1)), many + line("z", 1), ""},
	} {
		d, err := report.Compare(report.Side{Users: strings.NewReader(c.before)}, report.Side{Users: strings.NewReader(c.after)})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := ""
		for _, x := range d.New {
			got += "new " + x.ID
		}
		for _, x := range d.Gone {
			got += "gone " + x.ID
		}
		if got != c.changed || len(d.Risen) > 0 {
			t.Errorf("%s: %q, want %q", name, got, c.changed)
		}
	}
}

// What one of the runs did not read is neither new nor gone.
func TestCompareLeavesOutWhatWasNotRead(t *testing.T) {
	one := func(id string) report.Side {
		return report.Side{Run: id, Users: strings.NewReader(`{"id":"` + id + `","riskLevel":"low","riskState":"atRisk"}` + "\n"),
			Policies: report.Policies{Objects: []report.PolicyRow{{ID: id, Status: "inSync"}}}}
	}
	for _, part := range []string{report.PartUsers, report.PartPolicies} {
		for i := range 2 {
			sides := []report.Side{one("a"), one("b")}
			sides[i].Unread = []string{part}
			d, err := report.Compare(sides[0], sides[1])
			if err != nil || len(d.NotCompared) != 1 || d.NotCompared[0] != part {
				t.Fatalf("%s: not compared %v, error %v", part, d.NotCompared, err)
			}
			if users, policies := len(d.New)+len(d.Gone), len(d.Drifted); (users == 0) != (part == report.PartUsers) || (policies == 0) != (part == report.PartPolicies) {
				t.Errorf("%s: %+v", part, d)
			}
		}
	}
}

// The decisions at the end of report.json may be of tens of thousands of users:
// what a run covers is read without them.
func TestReadCoverageStopsBeforeTheDecisions(t *testing.T) {
	var out bytes.Buffer
	want := report.Coverage{Complete: true, Unread: []string{report.PartPolicies}}
	whole := report.Report{Run: "r1", Status: "partial", Coverage: want, OverDismissed: []plan.Outcome{{Action: "a"}}}
	if err := report.WriteBoth(&out, io.Discard, whole, report.Decisions(strings.NewReader(""), time.Now()), report.PageDetails{}); err != nil {
		t.Fatal(err)
	}
	head, _, found := strings.Cut(out.String(), `"decisions"`)
	if !found {
		t.Fatal("report.json has no decisions")
	}
	status, got, err := report.ReadCoverage(io.MultiReader(strings.NewReader(head), iotest.ErrReader(errors.New("read too far"))))
	if err != nil || status != "partial" || !cmp.Equal(want, got) {
		t.Errorf("%s, %+v, %v", status, got, err)
	}
	for _, broken := range []string{"", "[]", "{", `{"status":"done"}`, `{"coverage":3}`, `{"coverage":{"complete":tr`} {
		if _, _, err := report.ReadCoverage(strings.NewReader(broken)); err == nil {
			t.Errorf("%q passes for a report", broken)
		}
	}
}

func TestWaitingIsOldestFirst(t *testing.T) {
	now := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	users := report.NewUsers(io.Discard, io.Discard, report.Redaction{}, report.CSVForm{})
	add := func(id string, level entra.RiskLevel, d triage.Decision) {
		if err := users.Write(report.UserRow{User: entra.RiskyUser{ID: entra.NewID(id), RiskLevel: level, Raw: `{}`}, Decision: d}); err != nil {
			t.Fatal(err)
		}
	}
	waits := func(since time.Time) triage.Decision {
		return triage.Decision{Verdict: triage.Leave, NeedsPerson: true, OpenSince: since}
	}
	add("young", entra.LevelHigh, waits(now.Add(-time.Hour)))
	add("old", entra.LevelLow, waits(now.Add(-100*time.Hour)))
	add("late", entra.LevelHigh, waits(now.Add(-30*time.Hour)))
	add("fine", entra.LevelHigh, triage.Decision{Verdict: triage.Dismiss})
	add("none", entra.LevelHigh, triage.Decision{})
	got := users.Waiting(now, report.SLA{High: 24 * time.Hour, Medium: 72 * time.Hour, Low: 168 * time.Hour})
	var ids []string
	for _, w := range got {
		id := w.ID
		if w.Overdue {
			id += "!"
		}
		ids = append(ids, id)
	}
	if d := cmp.Diff([]string{"late!", "young", "old"}, ids); d != "" {
		t.Error(d)
	}
}

// Of more than the list holds, whoever is most urgent is in it: a high risk of today is
// not left out for a thousand low ones of last month.
func TestTheMostUrgentAreListed(t *testing.T) {
	now := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	users := report.NewUsers(io.Discard, io.Discard, report.Redaction{}, report.CSVForm{})
	add := func(id string, level entra.RiskLevel, privileged bool, since time.Time) {
		d := triage.Decision{Verdict: triage.Leave, NeedsPerson: true, OpenSince: since, Privileged: privileged}
		if err := users.Write(report.UserRow{User: entra.RiskyUser{ID: entra.NewID(id), RiskLevel: level, Raw: `{}`}, Decision: d}); err != nil {
			t.Fatal(err)
		}
	}
	add("high", entra.LevelHigh, false, now)
	add("admin", entra.LevelLow, true, now)
	for i := range 1001 {
		add(fmt.Sprintf("low%04d", i), entra.LevelLow, false, now.Add(-time.Duration(i)*time.Hour))
	}
	listed := map[string]bool{}
	for _, w := range users.Waiting(now, report.SLA{}) {
		listed[w.ID] = true
	}
	if len(listed) != 1000 || !listed["high"] || !listed["admin"] || !listed["low1000"] || listed["low0000"] || listed["low0002"] {
		t.Errorf("%d listed", len(listed))
	}
}

func BenchmarkDetections(b *testing.B) {
	d := entra.Detection{ID: strings.Repeat("a", 64), UserPrincipalName: "ada@contoso.com", IPAddress: "203.0.113.7", Raw: string(`{"id":"` + strings.Repeat("a", 900) + `"}`)}
	w := report.NewDetections(discard{}, discard{}, report.Redaction{}, report.CSVForm{})
	b.ReportAllocs()
	for range b.N {
		if err := w.Write(&d); err != nil {
			b.Fatal(err)
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// TestCoordinatesAreNoFormulas: also a number with a sign is text to a
// spreadsheet that looks for formulas.
func TestCoordinatesAreNoFormulas(t *testing.T) {
	south, east := -33.8688, 151.2093
	d := entra.Detection{ID: "d", Location: entra.Location{GeoCoordinates: &entra.GeoCoordinates{Latitude: &south, Longitude: &east}}, Raw: `{}`}
	var out bytes.Buffer
	w := report.NewDetections(discard{}, &out, report.Redaction{}, report.CSVForm{})
	if err := w.Write(&d); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	row := readCSV(t, out.Bytes())[1]
	if row[15] != "'-33.8688" || row[16] != "151.2093" {
		t.Errorf("coordinates %q, %q", row[15], row[16])
	}
}

// TestDocumentsThatAreNone are an error, never an empty row.
func TestDocumentsThatAreNone(t *testing.T) {
	for _, raw := range []string{"", "null", "[]", `"x"`, "{"} {
		w := report.NewUsers(discard{}, discard{}, report.Redaction{}, report.CSVForm{})
		if err := w.Write(report.UserRow{User: entra.RiskyUser{ID: "u1", Raw: string(raw)}}); err == nil || !strings.Contains(err.Error(), "u1") {
			t.Errorf("%q: %v", raw, err)
		}
	}
}
