package report

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// The kinds of a run, as Report.Kind holds them.
const (
	ofOrder    = "order"
	ofDestroy  = "destroy"
	ofRollback = "rollback"
	ofRestore  = "restore"

	// ruleOrder is the rule of a decision that a person made.
	ruleOrder = "order"
)

// Order is what a person asked for, in a run of kind order or destroy.
type Order struct {
	// Action is what was ordered for the users; empty if the baseline is
	// destroyed.
	Action plan.Kind `json:"action,omitempty"`
	Users  []UserRef `json:"users"`
	// Rollback is the run whose writes to policies are undone.
	Rollback string `json:"rollback,omitempty"`
	// Restore is the key or the id of what was deleted and is to come back.
	Restore string `json:"restore,omitempty"`
	// Reason is the person's own words.
	Reason string `json:"reason,omitempty"`
	// By is the account of the machine that gave the order, or the caller of the
	// API.
	By string `json:"by,omitempty"`
}

// UserRef names a user. One that could not be found has only
// what the order called it.
type UserRef struct {
	ID   string `json:"id,omitempty"`
	Name string `json:"userPrincipalName,omitempty"`
}

// Title says in a few words what was ordered; empty for a sweep.
func (o *Order) Title() string {
	switch {
	case o == nil:
		return ""
	case o.Rollback != "":
		return "Roll back the run " + o.Rollback
	case o.Restore != "":
		return "Restore " + o.Restore
	case o.Action == "":
		return "Destroy the baseline"
	}
	text := o.Action.Words().Title
	return strings.ToUpper(text[:1]) + text[1:] + ": " + Number(len(o.Users), o.Action.Words().Noun)
}

// Missed says for a person how much of an order did not come about, to stand
// behind "apply refused: " or the like; empty if all of it did.
func (o *Order) Missed(outcomes []plan.Outcome) string {
	met, all := plan.Met(outcomes)
	if o == nil || met == all {
		return ""
	}
	past, many := "deleted", "deleted"
	switch {
	case o.Rollback != "":
		past, many = "rolled back", "rolled back"
	case o.Restore != "":
		past, many = "restored", "restored"
	case o.Action != "":
		past, many = "done", "carried out"
	}
	if met == 0 {
		return "nothing was " + past
	}
	return fmt.Sprintf("only %d of %d were %s", met, all, many)
}

// Who names the users of an order.
func (o *Order) Who() string {
	if o == nil {
		return ""
	}
	names := make([]string, len(o.Users))
	for i, u := range o.Users {
		names[i] = firstOf(u.Name, u.ID)
	}
	return strings.Join(names, ", ")
}

// Order redacts the names in an order.
func (r Redaction) Order(o *Order) *Order {
	if o == nil || !r.Active() {
		return o
	}
	hidden := *o
	hidden.Users = slices.Clone(o.Users)
	names := make([]string, len(o.Users))
	for i := range hidden.Users {
		names[i] = o.Users[i].Name
		hidden.Users[i].Name = r.Text(o.Users[i].Name)
	}
	hidden.Reason, hidden.By = r.Sentence(o.Reason, names...), r.Text(o.By)
	return &hidden
}

// Reason takes people out of what a person gave as the reason of an order: their
// user principal names, their display names and each word of these. A reason is
// free text: without people to look for, nothing of it is shown.
func (r Redaction) Reason(text string, people []entra.RiskyUser) string {
	if !r.Active() || strings.TrimSpace(text) == "" {
		return text
	}
	if len(people) == 0 {
		return orDash(r.Text(text))
	}
	var names []string
	for _, u := range people {
		names = append(names, u.UserPrincipalName, u.UserDisplayName)
		for _, word := range strings.FieldsFunc(u.UserDisplayName, func(c rune) bool { return !unicode.IsLetter(c) }) {
			if utf8.RuneCountInString(word) > 2 { // shorter ones are words of the language
				names = append(names, word)
			}
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	for _, n := range slices.Compact(names) {
		if n != "" {
			whole := regexp.MustCompile(`(?i)(^|[^\pL\pN])` + regexp.QuoteMeta(n) + `($|[^\pL\pN])`)
			for was := ""; was != text; { // two of them may share the blank between them
				was, text = text, whole.ReplaceAllString(text, "${1}"+orDash(r.Text(n))+"${2}")
			}
		}
	}
	return r.Sentence(text)
}

// Requested redacts who asked for a run, and these names in the reason.
func (r Redaction) Requested(q plan.Requested, names ...string) plan.Requested {
	if !r.Active() {
		return q
	}
	q.By, q.Reason = r.Text(q.By), r.Sentence(q.Reason, names...)
	if q.SignedInAs != nil && q.SignedInAs.Kind == entra.SignedInUser {
		hidden := *q.SignedInAs
		hidden.Name = r.Text(hidden.Name)
		q.SignedInAs = &hidden
	}
	return q
}

// UnreadText says for a person what a run did not read; empty if it read all.
// A part that is not configured is none of it: Skipped says that.
func UnreadText(kind string, c Coverage) string {
	switch {
	case kind == ofOrder:
		return "the rest of the tenant: an order reads only those it names"
	case kind == ofDestroy:
		return "users and their risk: only what this baseline owns was read"
	case kind == ofRollback:
		return "users and their risk: a rollback reads policies alone"
	case kind == ofRestore:
		return "users and their risk: a restore reads policies alone"
	case c.Complete:
		return ""
	}
	var parts []string
	for _, p := range []struct{ part, words string }{{PartDetections, "risk detections"}, {PartUsers, "risky users"}, {PartPolicies, "policies"}} {
		if slices.Contains(c.Unread, p.part) {
			parts = append(parts, p.words)
		}
	}
	return listText(parts)
}
