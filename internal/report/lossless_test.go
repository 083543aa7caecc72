package report_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/triage"
	"pgregory.net/rapid"
)

// drawDocument is any JSON object, as compact or as spaced as it likes.
func drawDocument(t *rapid.T) json.RawMessage {
	var value func(depth int) any
	value = func(depth int) any {
		switch kind := rapid.IntRange(0, 6).Draw(t, "kind"); {
		case kind == 0 && depth > 0:
			return []any{value(depth - 1), value(depth - 1)}
		case kind == 1 && depth > 0:
			return map[string]any{rapid.String().Draw(t, "key"): value(depth - 1)}
		case kind == 2:
			return nil
		case kind == 3:
			return json.Number(rapid.SampledFrom([]string{"0", "-1.50", "1e400", "12345678901234567890"}).Draw(t, "number"))
		case kind == 4:
			return rapid.Bool().Draw(t, "bool")
		}
		return rapid.String().Draw(t, "text")
	}
	doc := map[string]any{}
	for range rapid.IntRange(0, 4).Draw(t, "members") {
		doc["m"+rapid.String().Draw(t, "member")] = value(3)
	}
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	if rapid.Bool().Draw(t, "spaced") {
		var b bytes.Buffer
		if err := json.Indent(&b, text, rapid.SampledFrom([]string{"", " "}).Draw(t, "prefix"), "\t"); err != nil {
			t.Fatal(err)
		}
		text = append(b.Bytes(), rapid.SampledFrom([]string{"", "\r\n", " \t\n"}).Draw(t, "end")...)
	}
	return text
}

func decoded(t *rapid.T, text []byte) map[string]any {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return m
}

// TestEveryDocumentSurvives writes any documents and reads them back from
// lines that are one JSON object each.
func TestEveryDocumentSurvives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		docs := rapid.SliceOfN(rapid.Custom(drawDocument), 1, 3).Draw(t, "documents")
		var detections, users bytes.Buffer
		d, u := report.NewDetections(&detections, discard{}, report.Redaction{}, report.CSVForm{}), report.NewUsers(&users, discard{}, report.Redaction{}, report.CSVForm{})
		for _, raw := range docs {
			if err := d.Write(&entra.Detection{Raw: string(raw)}); err != nil {
				t.Fatal(err)
			}
			if err := u.Write(report.UserRow{User: entra.RiskyUser{Raw: string(raw)}, OpenDetections: 3, Decision: triage.Decision{Verdict: triage.Leave}}); err != nil {
				t.Fatal(err)
			}
		}
		for _, w := range []interface{ Flush() error }{d, u} {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		detectionLines := strings.Split(strings.TrimSuffix(detections.String(), "\n"), "\n")
		userLines := strings.Split(strings.TrimSuffix(users.String(), "\n"), "\n")
		if len(detectionLines) != len(docs) || len(userLines) != len(docs) {
			t.Fatalf("%d and %d lines, want %d", len(detectionLines), len(userLines), len(docs))
		}
		for i, raw := range docs {
			want := decoded(t, raw)
			if diff := cmp.Diff(want, decoded(t, []byte(detectionLines[i]))); diff != "" {
				t.Fatal(diff)
			}
			got := decoded(t, []byte(userLines[i]))
			if got["openDetections"] != json.Number("3") || got["decision"] == nil {
				t.Fatalf("line %s", userLines[i])
			}
			delete(got, "openDetections")
			delete(got, "decision")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}
