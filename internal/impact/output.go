package impact

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Table takes rows of texts.
type Table interface {
	Row(cells []string) error
	Flush() error
}

// Columns are those of impact.csv.
var Columns = []string{"key", "id", "displayName", "state", "by", "since", "judged", "applied", "users", "days", "refusedSignIns", "refusedUsers", "askedSignIns", "askedUsers",
	"unknownSignIns", "applications", "countries", "who", "note"}

// WriteCSV writes one row for each policy.
func WriteCSV(r Result, begin func(columns []string) Table) error {
	t := begin(Columns)
	for _, p := range r.Policies {
		var who []string
		for _, w := range p.Who {
			who = append(who, cmp.Or(w.Name, w.ID))
		}
		since := ""
		if !p.Since.IsZero() {
			since = p.Since.Format(time.RFC3339)
		}
		n := strconv.Itoa
		if err := t.Row([]string{p.Key, p.ID, p.DisplayName, p.State, p.By, since, n(p.Judged), n(p.Applied), n(p.Users), n(p.Days), n(p.Refused.SignIns), n(p.Refused.Users),
			n(p.Asked.SignIns), n(p.Asked.Users), n(p.Unknown.SignIns), counted(p.Refused.Applications), counted(p.Refused.Countries), strings.Join(who, "; "), p.Note}); err != nil {
			return err
		}
	}
	return t.Flush()
}

// text says how many sign-ins, and of how many people.
func (g Group) text() string {
	switch {
	case g.SignIns == 0:
		return "0"
	case g.Users == 1:
		return fmt.Sprintf("%d (1 user)", g.SignIns)
	}
	return fmt.Sprintf("%d (%d users)", g.SignIns, g.Users)
}

func counted(list []Counted) string {
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = fmt.Sprintf("%s %d", c.Name, c.SignIns)
	}
	return strings.Join(out, "; ")
}

// Markdown is the result as a table for a pull request.
func Markdown(r Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d sign-ins in %d days up to %s; %s.\n\n", r.Read, r.Days, r.To.Format("2006-01-02 15:04 UTC"), r.Note)
	b.WriteString("| Policy | By | Sign-ins | Applies | Refused | Asked | Unknown | Who would be refused |\n|---|---|---:|---:|---:|---:|---:|---|\n")
	cell := strings.NewReplacer("|", "\\|", "\n", " ", "\r", " ", "`", "'", "<", "&lt;", ">", "&gt;")
	for _, p := range r.Policies {
		var who []string
		if p.Note != "" {
			who = append(who, p.Note)
		}
		for n, w := range p.Who {
			if n == 10 {
				who = append(who, fmt.Sprintf("and %d more", p.Refused.Users-n))
				break
			}
			who = append(who, cmp.Or(w.Name, w.ID))
		}
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %s | %s | %d | %s |\n", cell.Replace(p.DisplayName), p.By, p.Judged, p.Applied, p.Refused.text(), p.Asked.text(), p.Unknown.SignIns, cell.Replace(strings.Join(who, ", ")))
	}
	return b.String()
}
