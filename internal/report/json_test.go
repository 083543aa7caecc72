package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/audit"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/triage"
)

var oddTexts = []string{"", "plain", `"quoted" \ and more`, "O'Brien <b> & Söhne", "日本 語", "\x00\x1f\x7f", "\xff\xfe", "\u2028\u2029", "a\u202eb", "\t\r\n", "🙂", "}"}

// What is written by hand is what encoding/json makes of it.
func TestHandWrittenJSONIsThatOfTheLibrary(t *testing.T) {
	none, full := triage.Decision{}, triage.Decision{}
	at := time.Date(2026, 11, 24, 2, 0, 0, 500, time.FixedZone("", 3600))
	for i, w := range oddTexts {
		next := oddTexts[(i+1)%len(oddTexts)]
		full = triage.Decision{Verdict: triage.Verdict(w), Code: next, Rule: w + next + "x", Close: []triage.Closing{{RequestID: w, Detections: []string{next}}}, Then: []triage.Step{triage.Step(w)},
			Rules: []triage.UsedRule{{}}, Reasons: []string{w, next}, NeedsPerson: true, Covered: map[string]string{w: next, next: w, "x": "y"},
			NearMisses: []triage.NearMiss{{Entry: w, Detections: []string{w, next}, Why: next}, {}}, Privileged: true, OpenSince: at}
		for _, d := range []*triage.Decision{nil, &none, {Reasons: []string{}, Covered: map[string]string{}}, &full} {
			for _, tail := range []userTail{{Decision: d}, {OpenDetections: -7, Decision: d, Evidence: &Evidence{Types: []string{w}, Addresses: []string{}, Places: nil}, ChangedBy: &audit.ChangedBy{}, ReachedBy: []access.Met{{DisplayName: w}}}} {
				want, err := json.Marshal(tail)
				if err != nil {
					t.Fatal(err)
				}
				o := object{b: []byte{'{'}, html: true}
				tail.members(&o)
				o.end()
				if diff := cmp.Diff(string(want), string(o.b)); diff != "" || o.err != nil {
					t.Errorf("%q (-library +ours): %v %s", w, o.err, diff)
				}
			}
		}
		for _, age := range []float64{0, 0.01, 1234.56, 1e-9, -3, 1e20, 1e21, math.MaxFloat64, math.SmallestNonzeroFloat64} {
			evidence, err := json.Marshal(Evidence{Types: []string{w, next}, Addresses: []string{}, Places: []string{"<&>"}})
			if err != nil {
				t.Fatal(err)
			}
			d := Decided{ID: w, Name: next, RiskLevel: entra.RiskLevel(w), RiskState: entra.RiskState(next), OpenDetections: i, Decision: json.RawMessage(`{"code":"\u003c"}`), AgeHours: age, Deleted: i%2 == 0}
			for _, d.Evidence = range []json.RawMessage{nil, evidence} {
				var shown struct {
					Decided
					Evidence *Evidence `json:"evidence,omitempty"`
				}
				shown.Decided = d
				if d.Evidence != nil {
					shown.Evidence = &Evidence{}
					if err := json.Unmarshal(d.Evidence, shown.Evidence); err != nil {
						t.Fatal(err)
					}
				}
				want, err := marshal(shown, "")
				if err != nil {
					t.Fatal(err)
				}
				var got bytes.Buffer
				if err := (&docWriter{w: &got}).decision(d); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(bytes.TrimSpace(want)), got.String()); diff != "" {
					t.Errorf("%q (-library +ours): %s", w, diff)
				}
			}
		}
	}
	// A new member must be written too.
	full.Verdict, full.Code = triage.Leave, triage.CodeUncovered
	v := reflect.ValueOf(full)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("the test knows nothing of %s", v.Type().Field(i).Name)
		}
	}
}

// What a line of users.jsonl is read back as is what encoding/json reads.
func TestDecisionsAreReadBackWhole(t *testing.T) {
	now := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	var lines bytes.Buffer
	var want []Decided
	for i, w := range oddTexts {
		w = string(bytes.ToValidUTF8([]byte(w), []byte("\ufffd"))) // the reader of Graph lets nothing else through
		d := triage.Decision{Verdict: triage.Leave, Code: w, Rule: w, Reasons: []string{w}, Covered: map[string]string{w: w}, NeedsPerson: true, Privileged: i%2 == 0, OpenSince: now.Add(-time.Duration(i+1) * time.Hour)}
		reached := []access.Met{{DisplayName: w}}
		line, err := json.Marshal(map[string]any{"id": w, "userPrincipalName": "n" + w, "riskLevel": w, "riskState": "atRisk", "isDeleted": i%3 == 0, "ID": "other", "additional": map[string]any{"id": "deep"},
			"openDetections": i, "decision": d, "evidence": Evidence{Types: []string{w}}, "reachedBy": reached})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&lines, "%s\n", line)
		var whole UserLine
		if err := json.Unmarshal(line, &whole); err != nil {
			t.Fatal(err)
		}
		evidence, err := json.Marshal(Evidence{Types: []string{w}})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, Decided{ID: string(entra.NewID(w)), Name: "n" + w, RiskLevel: entra.RiskLevel(w), RiskState: "atRisk", OpenDetections: i, Decision: whole.Decision,
			AgeHours: float64(i + 1), Deleted: i%3 == 0, Evidence: evidence, ReachedBy: reached, Privileged: i%2 == 0})
	}
	lines.WriteString(`{"openDetections":0,"id":"last","isDeleted":null,"decision":null}`)
	want = append(want, Decided{ID: "last", Decision: json.RawMessage("null")})
	var got []Decided
	for d, err := range Decisions(&lines, now) {
		if err != nil {
			t.Fatal(err)
		}
		read, err := d.said.decision()
		if err != nil {
			t.Fatal(err)
		}
		var whole triage.Decision
		if err := json.Unmarshal(d.Decision, &whole); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(whole, read); diff != "" {
			t.Error(diff)
		}
		d.said, d.Decision, d.Evidence = said{}, slices.Clone(d.Decision), slices.Clone(d.Evidence)
		got = append(got, d)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Decided{}, said{}), cmp.Transformer("raw", func(m json.RawMessage) string { return string(m) })); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"[]", "{", `{"id":1}`, `{"decision":[]}`, `{"id":"a"} {}`, `{"isDeleted":"no"}`} {
		for _, err := range Decisions(bytes.NewReader([]byte(bad)), now) {
			if err == nil {
				t.Errorf("%s is taken for a line of users.jsonl", bad)
			}
		}
	}
}
