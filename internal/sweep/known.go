package sweep

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/triage"
)

// maxKnownRuns bounds the runs that are looked through for a name.
const maxKnownRuns = 100

// Rules are the rules that runs of the period know, sorted: those that decided or
// nearly did, those of actions, keys of the baseline, and what the triage files of
// the runs hold.
func (p Past) Rules(ctx context.Context) ([]string, error) {
	ids, err := p.runs(ctx)
	if err != nil {
		return nil, err
	}
	p.origins = map[string]*origin{}
	known, texts := map[string]bool{"order": true}, map[string]bool{}
	add := func(rules string) {
		for _, r := range strings.Split(rules, ",") {
			known[r] = r != ""
		}
	}
	for _, id := range ids[:min(len(ids), maxKnownRuns)] {
		t, err := p.read(ctx, id, func(u report.UserLine) bool {
			var d triage.Decision
			if len(u.Decision) > 0 && json.Unmarshal(u.Decision, &d) == nil {
				add(d.Rule)
				for _, r := range d.Rules {
					known[r.ID] = true
				}
				for _, n := range d.NearMisses {
					known[n.Entry] = true
				}
			}
			return false
		}, func(r report.PolicyRow) bool { add(r.Key); return false },
			func(o plan.Outcome, _ []plan.Exclusion) bool { add(o.Rule); return false })
		if err != nil {
			return nil, err
		}
		for _, in := range t.manifest.Inputs {
			if !in.Stored || texts[in.SHA256] {
				continue
			}
			texts[in.SHA256] = true
			file, err := p.Ledger.OpenInput(ctx, in)
			if err != nil {
				continue // deleted with the runs that had it
			}
			text, err := io.ReadAll(file)
			if err := file.Close(); err != nil {
				return nil, err
			}
			if err != nil {
				return nil, err
			}
			if rules, problems := triage.Parse(in.Name, text, t.manifest.StartedAt); len(problems) == 0 {
				for _, r := range rules.IDs() {
					known[r] = true
				}
			}
		}
	}
	maps.DeleteFunc(known, func(_ string, is bool) bool { return !is })
	return slices.Sorted(maps.Keys(known)), nil
}
