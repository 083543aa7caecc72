package simulation

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
)

// journals yields all entries in the store.
func (w *world) journals() []ledger.Entry {
	var out []ledger.Entry
	for i, err := range w.store.List(context.Background(), "contoso/runs/") {
		if err != nil {
			panic(err) // the store itself never fails
		}
		if !strings.HasSuffix(i.Name, "/journal.jsonl") {
			continue
		}
		in := bufio.NewScanner(bytes.NewReader(w.stored(i.Name)))
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			var e ledger.Entry
			if json.Unmarshal(in.Bytes(), &e) == nil {
				out = append(out, e)
			}
		}
	}
	return out
}

// intended says whether an intent on a user stands in some run's journal
// without a later outcome in the same.
func (w *world) intended(kind plan.Kind, user string) bool {
	return w.anyIntent(func(e ledger.Entry) bool { return e.Kind == kind && string(e.Subject.ID) == user })
}

// undecided names another run that intended something for a user, as long ago
// by the process's clock as is still to be waited for, and of which no journal
// says what became; empty if there is none. A process that stood still, or whose
// clock was put back, looked when it was earlier.
func (w *world) undecided(p *process, user string) string {
	open := map[string]time.Time{}
	var settled []string // by another run, whose journal may come first
	for _, e := range w.journals() {
		switch {
		case !e.Kind.OnUser() || string(e.Subject.ID) != user || e.Run == p.run:
		case e.Type == ledger.EntryIntent:
			open[e.Run+"/"+e.Action] = e.At
		case e.Type == ledger.EntryOutcome && e.Outcome != nil && e.Outcome.Status != plan.Unknown:
			delete(open, e.Run+"/"+e.Action)
			if e.Outcome.Status == plan.SettledTaken || e.Outcome.Status == plan.SettledNotTaken {
				settled = append(settled, e.Run+"/"+e.Action)
			}
		}
	}
	for _, action := range settled {
		delete(open, action)
	}
	for action, at := range open {
		run, _, _ := strings.Cut(action, "/")
		if p.now().Sub(at) < settle+min(p.jump, 0) && w.intents[action].Before(p.began) {
			return run
		}
	}
	return ""
}

func (w *world) intendedObject(id, name string) bool {
	return w.anyIntent(func(e ledger.Entry) bool {
		return !e.Kind.OnUser() && (string(e.Subject.ID) == id || name != "" && e.Subject.Name == name || w.ours[id] != "" && e.Subject.Name == w.ours[id])
	})
}

func (w *world) anyIntent(match func(ledger.Entry) bool) bool {
	open := map[string]bool{}
	for _, e := range w.journals() {
		if match(e) {
			open[e.Run] = e.Type == ledger.EntryIntent
		}
	}
	for _, is := range open {
		if is {
			return true
		}
	}
	return false
}

// reported are the outcomes in the reports of all complete runs.
func (w *world) reported() []plan.Outcome {
	var out []plan.Outcome
	for i, err := range w.store.List(context.Background(), "contoso/runs/") {
		if err != nil {
			panic(err) // the store itself never fails
		}
		dir, ok := strings.CutSuffix(i.Name, "/manifest.json")
		if !ok {
			continue
		}
		var rep struct{ Outcomes, Settled []plan.Outcome }
		if err := json.Unmarshal(w.stored(dir+"/report.json"), &rep); err != nil {
			w.breaks("a finished run has a whole report", "%s: %v", dir, err)
		}
		out = slices.Concat(out, rep.Outcomes, rep.Settled)
	}
	return out
}

// rows are the ids in a row file of a report, which counted them.
func (w *world) rows(dir, kind string, counted int) map[string]bool {
	ids, lines := map[string]bool{}, 0
	for row, err := range report.ReadLines[struct{ ID string }](bytes.NewReader(w.stored(dir + "/" + kind + ".jsonl"))) {
		if err != nil {
			w.breaks("a finished run has a whole report", "%s.jsonl: %v", kind, err)
			break
		}
		lines++
		id := strings.ToLower(row.ID) // the report keeps the service's spelling
		if ids[id] {
			w.breaks("nothing is counted twice", "%s is in %s.jsonl twice", row.ID, kind)
		}
		ids[id] = true
	}
	if lines != counted {
		w.breaks("the numbers of a report agree", "%d lines in %s.jsonl, %d counted", lines, kind, counted)
	}
	return ids
}
