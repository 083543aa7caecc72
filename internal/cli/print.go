package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/risksweep/risksweep/internal/app"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/sweep"
)

// printResults prints what came of the runs, for a person or as JSON.
func (c *command) printResults(form string, a *app.App, results []sweep.Result, errs []error) error {
	if form == "json" {
		type answer struct {
			sweep.Result
			Error string `json:"error,omitempty"`
			Path  string `json:"path,omitempty"`
		}
		all := []answer{}
		for i, r := range results {
			one := answer{Result: r, Path: ledger.RunPath(r.Tenant, r.Run)}
			if err := cmp.Or(errs[i], r.Err); err != nil {
				one.Error = err.Error()
			}
			all = append(all, one)
		}
		return printJSON(c.data(), all)
	}
	for i, r := range results {
		if errs[i] != nil {
			continue // said already
		}
		if i > 0 {
			fmt.Fprintln(c.Out)
		}
		c.printResult(a, r)
	}
	return nil
}

// The colours of a terminal.
const (
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

func (c *command) paint(colour, text string) string {
	return painted(c.colour(c.OutTTY), colour, text)
}

// painted gives text a colour where the terminal shows any.
func painted(shown bool, colour, text string) string {
	if !shown {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

func (c *command) paintStatus(s sweep.Status) string {
	switch s {
	case sweep.Succeeded:
		return c.paint(green, string(s))
	case sweep.Partial:
		return c.paint(yellow, string(s))
	}
	return c.paint(red, string(s))
}

func outcomes(r sweep.Result) map[string]plan.Outcome {
	out := map[string]plan.Outcome{}
	for _, o := range r.Outcomes {
		out[o.Action] = o
	}
	return out
}

func nameOf(s plan.Subject) string {
	return printable(cmp.Or(s.Name, s.Key, string(s.ID)))
}

func first(s []string) string {
	if len(s) == 0 {
		return ""
	}
	return s[0]
}

// spaced turns a word of the files, notEnabled, into words for a person.
func spaced(word string) string {
	var b strings.Builder
	for _, r := range word {
		if unicode.IsUpper(r) {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// countWords says "12 done, 1 moved", the most first.
func countWords(counts map[plan.OutcomeStatus]int) string {
	type one struct {
		status plan.OutcomeStatus
		n      int
	}
	var all []one
	for s, n := range counts {
		all = append(all, one{s, n})
	}
	slices.SortFunc(all, func(a, b one) int {
		if a.n != b.n {
			return b.n - a.n
		}
		return strings.Compare(string(a.status), string(b.status))
	})
	var words []string
	for _, o := range all {
		words = append(words, fmt.Sprintf("%d %s", o.n, spaced(string(o.status))))
	}
	return strings.Join(words, ", ")
}
