package report_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/triage"
	"pgregory.net/rapid"
)

// secrets are what must not be in a redacted file, wherever Graph put it.
var secrets = []string{"ada.lovelace@contoso.com", "Ada Lovelace", "203.0.113.77", "2001:db8::77"}

// drawValue is a document that hides secrets at random places, in members that
// nobody knows yet.
func drawValue(t *rapid.T, depth int) any {
	secret := rapid.SampledFrom(secrets)
	switch kind := rapid.IntRange(0, 6).Draw(t, "kind"); {
	case kind == 0 && depth > 0:
		return []any{drawValue(t, depth-1), drawValue(t, depth-1)}
	case kind == 1 && depth > 0:
		return map[string]any{rapid.SampledFrom([]string{"new", "displayName", "location", "initiatedBy"}).Draw(t, "member"): drawValue(t, depth-1)}
	case kind == 2:
		return 12
	case kind == 3:
		return "said by " + secret.Draw(t, "one") + ", not (" + secret.Draw(t, "other") + ")."
	case kind == 4:
		return `{"user":"` + secret.Draw(t, "quoted") + `"}`
	}
	return secret.Draw(t, "bare")
}

func TestNoSecretSurvivesRedaction(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := map[string]any{"id": "0f0f0f0f-0000-4000-8000-000000000001", "userPrincipalName": secrets[0], "userDisplayName": secrets[1],
			"detectedDateTime": "2026-11-20T10:00:00.1234567Z", "extra": drawValue(t, 3)}
		raw, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		mode := rapid.SampledFrom([]string{"hash", "drop"}).Draw(t, "mode")
		out, err := report.NewRedaction(mode, []byte("key")).Document(raw)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range secrets {
			if bytes.Contains(out, []byte(s)) {
				t.Fatalf("%s: %q is still in %s", mode, s, out)
			}
		}
		for _, keep := range []string{"0f0f0f0f-0000-4000-8000-000000000001", "2026-11-20T10:00:00.1234567Z"} {
			if !bytes.Contains(out, []byte(keep)) {
				t.Fatalf("%s: %s is gone from %s", mode, keep, out)
			}
		}
	})
}

func TestRedactedTexts(t *testing.T) {
	r := report.NewRedaction("drop", nil)
	for text, want := range map[string]string{
		"1 of 2 open detections is not covered: passwordSpray high from 203.0.113.7 (DE); it matches no entry": "1 of 2 open detections is not covered: passwordSpray high from - (DE); it matches no entry",
		"protected.users names ceo@contoso.com":                     "protected.users names -",
		`the user "o'brien@contoso.com" does not exist`:             `the user "-" does not exist`,
		"at 2026-11-24T02:00:00Z for Ada Lovelace":                  "at 2026-11-24T02:00:00Z for -",
		"from 2001:db8::1.":                                         "from -.",
		"conditions.users.excludeGroups: added CA Break Glass":      "conditions.users.excludeGroups: added CA Break Glass",
		"requested 500, id 0f0f0f0f-0000-4000-8000-000000000001 ok": "requested 500, id 0f0f0f0f-0000-4000-8000-000000000001 ok",
	} {
		if got := r.Sentence(text, "Ada Lovelace"); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	if got := report.NewRedaction("none", nil).Sentence("ada@contoso.com from 203.0.113.7"); got != "ada@contoso.com from 203.0.113.7" {
		t.Errorf("none: %q", got)
	}
}

// TestRedactionOfPolicies keeps ids, ranges and names of policies, and takes
// out the people whom reasons name.
func TestRedactionOfPolicies(t *testing.T) {
	r := report.NewRedaction("drop", nil)
	rows := []report.PolicyRow{{Kind: entra.KindPolicy, Key: "CA010", DisplayName: "CA010", Reasons: []string{"the user bg1@contoso.com is disabled"},
		Differences: []policy.Difference{{Path: "conditions.users.excludeUsers", New: json.RawMessage(`["0f"]`), Text: "excludeUsers: + bg1@contoso.com"},
			{Path: "ipRanges", Text: "ipRanges: + 203.0.113.0/24"}}}}
	before := slices.Clone(rows)
	want := []report.PolicyRow{{Kind: entra.KindPolicy, Key: "CA010", DisplayName: "CA010", Reasons: []string{"the user - is disabled"},
		Differences: []policy.Difference{{Path: "conditions.users.excludeUsers", New: json.RawMessage(`["0f"]`), Text: "excludeUsers: + -"},
			{Path: "ipRanges", Text: "ipRanges: + 203.0.113.0/24"}}}}
	if d := cmp.Diff(want, r.Policies(rows)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(before, rows); d != "" {
		t.Errorf("the rows given were changed: %s", d)
	}
	p := plan.Plan{Actions: []plan.Action{{Kind: plan.UpdatePolicy, Subject: plan.Subject{Name: "CA010"}, Reasons: []string{"excludes bg1@contoso.com"},
		Change: &plan.Change{Differences: []policy.Difference{{Text: "+ bg1@contoso.com"}}}}}}
	text, err := json.Marshal(r.Plan(p))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "bg1@") || !strings.Contains(string(text), "CA010") || p.Actions[0].Change.Differences[0].Text != "+ bg1@contoso.com" {
		t.Errorf("%s", text)
	}
}

// TestRedactionOfUsers covers the decision beside the document.
func TestRedactionOfUsers(t *testing.T) {
	for at, mode := range []string{"hash", "hash", "drop", "drop"} {
		at %= 2
		var jsonl, out bytes.Buffer
		w := report.NewUsers(&jsonl, &out, report.NewRedaction(mode, []byte("key")), report.CSVForm{})
		row := report.UserRow{User: entra.RiskyUser{ID: "u1", UserPrincipalName: secrets[0], UserDisplayName: secrets[1],
			Raw: string(`{"id":"u1","userPrincipalName":"` + secrets[0] + `","userDisplayName":"` + secrets[1] + `"}`)},
			Decision: triage.Decision{Verdict: triage.Leave, Code: triage.CodeUncovered, Reasons: []string{"passwordSpray high from " + secrets[2] + " by " + secrets[1]}}}
		place := triage.Detection{ID: "d", EventType: "passwordSpray", IP: secrets[2], City: "Musterstadt", Country: "DE", UserAgent: "Musterstadt"}
		if at == 1 {
			row.Open = []triage.Detection{place}
			row.Decision.Reasons = []string{triage.Shows(row.Open), secrets[2] + " is in vpn's ranges"}
			row.Decision.NearMisses = []triage.NearMiss{{Entry: "vpn", Why: secrets[2] + " is in vpn's ranges"}}
			row.Decision.Rules = []triage.UsedRule{{ID: "vpn", Owner: secrets[0], Reason: "for " + secrets[0], Names: "direct"}}
		}
		first := row.Decision.Reasons[0]
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		for _, s := range append([]string{"Musterstadt"}, secrets...) {
			if strings.Contains(jsonl.String()+out.String(), s) {
				t.Errorf("%s: %q is still there", mode, s)
			}
		}
		if row.Decision.Reasons[0] != first {
			t.Error("the decision given was changed")
		}
	}
}
