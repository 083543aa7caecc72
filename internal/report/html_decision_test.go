package report

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/triage"
)

// The row of a decision is what html/template makes of the same row, whatever is
// in it.
func TestDecisionRowIsWhatATemplateMakes(t *testing.T) {
	text, err := os.ReadFile("testdata/decision.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := newTemplate().Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	const request = "46cbd66a-3b8f-4f60-a58c-0123456789ab"
	words := []string{"", "plain", `<script>alert("x")</script>`, "O'Brien & Söhne + <b>", "a\x00b\u202egnp.exe\u200f", "\xff\xfe", sampleUser, `" onmouseover="x`, "javascript:alert(1)", "{{.}}", "日本 語"}
	for i, w := range words {
		next := words[(i+1)%len(words)]
		for _, cloud := range []string{"", "global", "china"} {
			for _, full := range []bool{false, true} {
				row := decisionRow{Decided: Decided{ID: w, Name: next, RiskLevel: entra.RiskLevel(w), RiskState: entra.RiskState(next), OpenDetections: i, AgeHours: float64(i) * 61.37},
					D: triage.Decision{Verdict: triage.Leave, Code: w}}
				if full {
					row.RiskLevel, row.RiskState, row.AgeHours = entra.LevelHigh, "confirmedCompromised", 1e22
					if i%2 == 0 {
						row.RiskState, row.ID = "atRisk", sampleUser
					}
					row.Deleted, row.Overdue, row.More = true, true, 3
					row.D = triage.Decision{Verdict: triage.Leave, Code: w, Rule: w, Reasons: []string{w, next}, Privileged: true, NeedsPerson: true}
					row.ReachedBy = []access.Met{{DisplayName: w}, {DisplayName: next}}
					row.Detections = []coveredDetection{{triage.Detection{ID: w, EventType: next, IP: w, City: w, Country: next, Level: entra.RiskLevel(w), Detected: "2026-11-24T02:00:00Z", RequestID: request, CorrelationID: w, UserAgent: next}, w},
						{triage.Detection{Detected: entra.DateTime(w), RequestID: next}, ""}}
				}
				of := pageOf{Tenant: "contoso", Cloud: cloud}
				var want, straight bytes.Buffer
				if err := tmpl.ExecuteTemplate(&straight, "decision", tableRow{Row: row, pageOf: of}); err != nil {
					t.Fatal(err)
				}
				if _, err := directionMarks.WriteString(&want, straight.String()); err != nil {
					t.Fatal(err)
				}
				var got markup
				decisionHTML(&got, row, of)
				if diff := cmp.Diff(want.String(), got.String()); diff != "" {
					t.Errorf("%s (-template +ours): %s", fmt.Sprintf("%q %s %v", w, cloud, full), diff)
				}
			}
		}
	}
}

// So are the rows of those who wait, and the lists of people.
func TestWaitingRowIsWhatATemplateMakes(t *testing.T) {
	text, err := os.ReadFile("testdata/waiting.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := newTemplate().Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	ours := func(name string, data any) string {
		var straight, want bytes.Buffer
		if err := tmpl.ExecuteTemplate(&straight, name, data); err != nil {
			t.Fatal(err)
		}
		if _, err := directionMarks.WriteString(&want, straight.String()); err != nil {
			t.Fatal(err)
		}
		return want.String()
	}
	for i, w := range append(oddTexts, sampleUser, `" onmouseover="x`, "javascript:alert(1)", "a/b?c=d#e+f%20") {
		row := waitingRow{Waiting{ID: w, Name: w, RiskLevel: entra.RiskLevel(w), AgeHours: float64(i) * 61.37}, w}
		if i%2 == 0 {
			row.Name, row.Privileged, row.Deleted, row.Overdue = "", true, true, true
			row.Reasons, row.OpenSince = []string{w, "<>"}, time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)
		}
		of := pageOf{Tenant: "contoso"}
		var got markup
		waitingHTML(&got, row, i%3 == 0, of)
		if diff := cmp.Diff(ours("waiting", tableRow{Row: row, More: i%3 == 0, pageOf: of}), got.String()); diff != "" {
			t.Errorf("%q (-template +ours): %s", w, diff)
		}
		people := []UserRef{{ID: w, Name: w}, {ID: "x", Name: w}, {ID: w}}
		if diff := cmp.Diff(ours("users", people), string(peopleHTML(people))); diff != "" {
			t.Errorf("%q (-template +ours): %s", w, diff)
		}
	}
}
