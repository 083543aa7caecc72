package sweep_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/sweep"
)

// pastOf is a store with a run that was killed while it sent, one that settled
// what it had sent, and an order that was refused as a whole.
func pastOf(t *testing.T, rule string) sweep.Past {
	t.Helper()
	store, err := blobstore.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)
	l := ledger.New(store, "contoso", ledger.Options{Now: func() time.Time { return now }})
	ada := plan.Subject{ID: "id-ada", Name: "ada@contoso.com"}
	begin := func(p plan.Plan) *ledger.Run {
		p.SchemaVersion = plan.SchemaVersion
		now = now.Add(time.Hour)
		r, err := l.Begin(t.Context(), ledger.BeginOptions{Mode: "apply"})
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Claim(t.Context(), "plan.json", text); err != nil {
			t.Fatal(err)
		}
		return r
	}
	killed := begin(plan.Plan{Actions: []plan.Action{{ID: "a0001", Kind: plan.Dismiss, Subject: ada, Rule: rule, Reasons: []string{"ordered by a person: INC-77 by root"}}}})
	err = killed.Journal().Append(t.Context(),
		ledger.Entry{Type: ledger.EntryNote, At: now, Run: killed.ID(), Detail: json.RawMessage(`{"requested":{"through":"commandLine","by":"root","reason":"INC-77 by root"}}`)},
		ledger.Entry{Type: ledger.EntryIntent, At: now, Run: killed.ID(), Action: "a0001", Kind: plan.Dismiss, Subject: ada})
	if err != nil {
		t.Fatal(err)
	}
	if err := killed.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`{"settled":[{"action":"a0001","kind":"dismiss","subject":{"id":"id-ada","name":"ada@contoso.com"},"status":"settledTaken","run":"` + killed.ID() + `"}]}`,
		`{"order":{"action":"dismiss","users":[{"id":"id-eve","userPrincipalName":"eve@contoso.com"}]},"errors":[{"message":"eve@contoso.com holds a directory role"}]}`,
	} {
		r := begin(plan.Plan{})
		if err := r.PutFile(t.Context(), "report.json", []byte(text)); err != nil {
			t.Fatal(err)
		}
		_, err := r.Finish(t.Context(), ledger.Manifest{Status: "succeeded", Requested: &plan.Requested{By: "mallory"}}, "", "")
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return sweep.Past{Ledger: l}
}

// Who had something done is who ordered it, also where the process was killed and
// somebody else's run found out what became of it.
func TestActionsOfAKilledRunKeepWhoOrderedThem(t *testing.T) {
	for _, rule := range []string{"order", "corp-vpn,hq"} {
		p := pastOf(t, rule)
		events, err := p.Actions(t.Context(), sweep.ActionFilter{Rule: strings.Split(rule, ",")[0], User: "ada@contoso.com"})
		if err != nil || len(events) != 2 {
			t.Fatalf("%s: %+v %v", rule, events, err)
		}
		for i, is := range []plan.OutcomeStatus{plan.Unknown, plan.SettledTaken} {
			e := events[i]
			if e.Is != string(is) || e.Rule != rule || e.By != "root" || e.Reason != "INC-77 by root" || e.Mode != "apply" || i == 0 != (e.OfRun == "") {
				t.Errorf("%s: %+v", rule, e)
			}
		}
		told, _, err := p.History(t.Context(), "ada@contoso.com")
		if err != nil || len(told) != 2 || told[0].By != "root" || told[1].By != "root" || told[1].Rule != rule {
			t.Errorf("%s: %+v %v", rule, told, err)
		}
	}
}

// An order that was refused as a whole was tried.
func TestActionsHaveWhatWasRefusedAsAWhole(t *testing.T) {
	p := pastOf(t, "order")
	for _, of := range []string{"eve@contoso.com", "id-eve"} {
		told, _, err := p.History(t.Context(), of)
		if err != nil || len(told) != 1 || told[0].Is != string(plan.NotAttempted) || !strings.Contains(told[0].Detail, "directory role") || told[0].By != "mallory" {
			t.Errorf("%s: %+v %v", of, told, err)
		}
	}
}
