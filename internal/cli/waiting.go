package cli

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/risksweep/risksweep/internal/report"
)

// waitingWords are how those who need a person are called.
type waitingWords struct{ head, one, many, privileged string }

var (
	waitingUsers      = waitingWords{"USER", "1 risky user needs a person", "%d risky users need a person", "hold a directory role"}
	waitingPrincipals = waitingWords{"SERVICE PRINCIPAL", "1 service principal needs a person", "%d service principals need a person", "are privileged"}
)

// printWaiting says who needs a person, the most urgent first; all is their number,
// also of those that a report does not list, and everybody says where they are.
func (c *command) printWaiting(words waitingWords, list []report.Waiting, all int, everybody string) {
	all = max(all, len(list))
	if all == 0 {
		return
	}
	overdue, oldest := 0, 0.0
	for _, n := range list {
		oldest = max(oldest, n.AgeHours)
		if n.Overdue {
			overdue++
		}
	}
	text := words.one
	if all > 1 {
		text = fmt.Sprintf(words.many, all)
	}
	if overdue > 0 {
		more := ""
		if all > len(list) {
			more = "at least "
		}
		text += c.paint(red, fmt.Sprintf(", %s%d beyond the SLA", more, overdue))
	}
	if oldest > 0 {
		text += ", the oldest open for " + report.Age(oldest)
	}
	if n := report.PrivilegedOf(list); n > 0 {
		verb := words.privileged
		if n == 1 {
			verb = strings.NewReplacer("hold ", "holds ", "are ", "is ").Replace(verb)
		}
		text += fmt.Sprintf("; %d of them %s", n, verb)
	}
	fmt.Fprintln(c.Out, "\n  "+wrap(text, c.Width, 2))
	t := newTable(words.head, "LEVEL", "OPEN FOR", "WHY")
	t.indent = 2
	for i, n := range report.MostUrgent(list) {
		if i == shownPeople && !c.wide {
			break
		}
		wait := report.Age(n.AgeHours)
		if n.Overdue {
			wait += ", overdue"
		}
		t.row(printable(cmp.Or(n.Name, n.ID)), string(n.RiskLevel), wait, c.why(n.Reasons))
	}
	if len(t.rows) > 0 {
		t.print(c.Out, c.Width)
	}
	where := "report.html"
	if all > len(list) { // the page lists no more than this
		where = everybody
	}
	c.printMore(all, len(t.rows), where)
}

// why is the first reason, what the open detections show, or with -o wide all.
func (c *command) why(reasons []string) string {
	if c.wide {
		return printable(strings.Join(reasons, "; "))
	}
	return first(reasons)
}
