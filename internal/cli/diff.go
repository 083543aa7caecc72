package cli

import (
	"strings"

	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/policy"
)

// How the head line of an entry calls the states of a policy, and which sign
// stands before how an object stands.
var (
	stateWords = map[string]string{policy.StateReportOnly: "report-only"}
	signs      = map[drift.Status]string{drift.Create: "+", drift.Restore: "+", drift.Update: "~", drift.Renamed: "~", drift.Prune: "-", drift.Blocked: "!", drift.InSync: "=", drift.Unmanaged: "?", drift.Gone: "-"}
)

// renderDiff writes one entry as text for a person: a head line with a sign
// (+ create, ~ update, - prune, ! blocked, = in sync, ? not ours), what it does
// if it is new, its differences otherwise, and its reasons. Control characters
// in names are made visible.
func renderDiff(e drift.Entry, color bool) string {
	paint := func(colour, s string) string { return painted(color, colour, s) }
	c := dim
	switch e.Status {
	case drift.Create, drift.Restore:
		c = green
	case drift.Update, drift.Renamed:
		c = yellow
	case drift.Prune, drift.Blocked:
		c = red
	}
	var b strings.Builder
	b.WriteString(paint(c, signs[e.Status]+" "+head(e)+": "+string(e.Status)) + "\n")
	differences := e.Differences
	if e.Status == drift.Create || e.Status == drift.Restore || e.Status == drift.Blocked && e.ID == "" && e.Adopt == "" { // all of it is new
		if differences = nil; e.Summary != "" {
			b.WriteString("    " + paint(c, policy.Visible(e.Summary)) + "\n")
		}
	}
	if e.Adopt != "" { // why comes before what
		reasons(e, &b, paint)
	}
	for _, d := range differences {
		line := c
		switch {
		case d.Old == nil:
			line = green
		case d.New == nil:
			line = red
		}
		b.WriteString("    " + paint(line, policy.Visible(d.Text)) + "\n")
	}
	if e.Adopt == "" {
		reasons(e, &b, paint)
	}
	if e.Promotion != nil {
		b.WriteString("    " + paint(cyan, "· "+policy.Visible(e.Promotion.Text())) + "\n")
	}
	if e.ChangedBy != nil {
		b.WriteString("    " + paint(cyan, "· "+policy.Visible(e.ChangedBy.Text())) + "\n")
	}
	return b.String()
}

// head names an entry: its kind, its name, its key unless the name begins with
// it, and the state of a policy.
func head(e drift.Entry) string {
	kind, state := e.Kind.Noun(), stateWords[e.State]
	if state == "" {
		state = e.State
	}
	s := kind + " " + policy.Visible(e.DisplayName)
	if e.Key != "" && e.Key != e.DisplayName && !strings.HasPrefix(e.DisplayName, e.Key+" ") {
		s += " [" + policy.Visible(e.Key) + "]"
	}
	if state != "" {
		s += " (" + policy.Visible(state) + ")"
	}
	return s
}

func reasons(e drift.Entry, b *strings.Builder, paint func(c, s string) string) {
	for _, r := range e.Reasons {
		b.WriteString("    " + paint(cyan, "· "+policy.Visible(r)) + "\n")
	}
}
