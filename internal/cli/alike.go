package cli

import (
	"fmt"
	"strings"

	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/report"
)

// manyAlike is from how many entries on equal differences are said once.
const manyAlike = 3

// alikeEntries puts entries together that differ from the baseline in the same way:
// forty policies that lack the same exclusion are one thing to say. Where single is
// set, or fewer are alike, each stands alone.
func alikeEntries(entries []drift.Entry, single bool) [][]drift.Entry {
	key := func(i int) string {
		e := entries[i]
		if single || len(e.Differences) == 0 || e.ID == "" || e.Adopt != "" {
			return fmt.Sprint("alone ", i)
		}
		parts := append([]string{string(e.Kind), string(e.Status), e.State}, e.Reasons...)
		for _, d := range e.Differences {
			parts = append(parts, "\n"+d.Text)
		}
		return strings.Join(parts, "\n")
	}
	count := map[string]int{}
	for i := range entries {
		count[key(i)]++
	}
	at := map[string]int{}
	var out [][]drift.Entry
	for i, e := range entries {
		k := key(i)
		if n, known := at[k]; known && count[k] >= manyAlike {
			out[n] = append(out[n], e)
			continue
		}
		at[k] = len(out)
		out = append(out, []drift.Entry{e})
	}
	return out
}

// namedAlike is how many of them are named.
const namedAlike = 5

// renderAlike is renderDiff of entries that differ in the same way.
func renderAlike(alike []drift.Entry, color bool) string {
	first := alike[0]
	if len(alike) == 1 {
		return renderDiff(first, color)
	}
	var names []string
	for i, e := range alike {
		if i == namedAlike {
			names = append(names, fmt.Sprintf("and %d more", len(alike)-i))
			break
		}
		name := e.Key
		if name == "" {
			name = e.DisplayName
		}
		names = append(names, policy.Visible(name))
	}
	kind := first.Kind.Noun()
	first.DisplayName, first.Key = "", ""
	head, rest, _ := strings.Cut(renderDiff(first, color), "\n")
	return strings.Replace(head, kind+" ", report.Number(len(alike), kind)+": "+strings.Join(names, ", "), 1) + "\n" + rest
}

// markdownDiff prints how a tenant differs from its baseline for a page that many
// read: as Markdown, and without names of people.
func (c *command) markdownDiff(tenant string, r drift.Result, effects []plan.Effect) {
	hide := report.NewRedaction("drop", nil)
	rows := make([]report.PolicyRow, len(r.Entries))
	for i, e := range r.Entries {
		rows[i] = report.PolicyRow{Differences: e.Differences, Reasons: e.Reasons}
	}
	rows = hide.Policies(rows)
	same, foreign := 0, 0
	var differ []drift.Entry
	for i, e := range r.Entries {
		e.Differences, e.Reasons = rows[i].Differences, rows[i].Reasons
		switch {
		case e.Status == drift.InSync && len(e.Reasons) == 0:
			same++
		case e.Status == drift.Unmanaged && len(e.Reasons) == 0:
			foreign++
		default:
			e.Summary = hide.Sentence(e.Summary)
			differ = append(differ, e)
		}
	}
	fmt.Fprintf(c.Out, "### %s: %d to look at, %d in sync, %d in the tenant but not of this baseline\n\n", tenant, len(differ), same, foreign)
	const fence = "```"
	if len(differ) > 0 {
		fmt.Fprintln(c.Out, fence+"diff")
		for _, alike := range alikeEntries(differ, false) {
			fmt.Fprint(c.Out, strings.ReplaceAll(renderAlike(alike, false), fence, "` ` `"))
		}
		fmt.Fprint(c.Out, fence+"\n\n")
	}
	for _, s := range append(append([]string{}, r.Problems...), r.Warnings...) {
		fmt.Fprintln(c.Out, "- "+printable(hide.Sentence(s)))
	}
	for _, text := range report.EffectTexts(hide.Effects(effects), nil) {
		fmt.Fprintln(c.Out, "- effect: "+printable(text))
	}
	fmt.Fprintln(c.Out)
}
