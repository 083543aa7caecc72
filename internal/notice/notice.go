// Package notice tells people through a webhook what needs them: in the form
// that Microsoft Teams, Slack or a program of their own takes.
//
// A notice never decides anything and never fails a run: what cannot be sent
// is logged and given up. It carries what the report says, redacted as the
// report is, and no more of it than the receiver's form has room for.
package notice

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Event is what one notice says.
type Event struct {
	SchemaVersion int    `json:"schemaVersion"`
	Tenant        string `json:"tenant"`
	// Tenants are those that a digest speaks of.
	Tenants []string `json:"tenants,omitempty"`
	// Summary says of a digest how many tenants are in what state.
	Summary string `json:"summary,omitempty"`
	Run     string `json:"run,omitempty"`
	Mode    string `json:"mode,omitempty"`
	// Kind is sweep, order or destroy; Order says in words what a person
	// ordered.
	Kind  string `json:"kind,omitempty"`
	Order string `json:"order,omitempty"`
	// Status is that of the run, or "missed".
	Status string `json:"status"`
	// Unread are the parts of the tenant that the run did not read to their
	// end: that nobody of them is named means nothing.
	Unread []string  `json:"unread,omitempty"`
	At     time.Time `json:"at"`
	// Report is where the run's files are.
	Report string `json:"report,omitempty"`
	// Facts are sentences: what was refused, failed, differs.
	Facts []string `json:"facts"`
	// Groups are sentences about users whose risk belongs together. NewGroups is
	// how many of them no earlier notice has told of: those alone are a reason to
	// tell.
	Groups    []string `json:"groups,omitempty"`
	NewGroups int      `json:"newGroups,omitempty"`
	// People are users that need a person and were not named in an earlier
	// notice of the same risk episode.
	People []Person `json:"people"`
	// ServicePrincipals is how many of them need a person and were not named in
	// an earlier notice; the facts name them.
	ServicePrincipals int `json:"servicePrincipals,omitempty"`
	// More is how many of both are left out.
	More int `json:"more,omitempty"`
}

// Person is a user who needs a person.
type Person struct {
	ID    string    `json:"id"`
	Name  string    `json:"userPrincipalName"`
	Level string    `json:"riskLevel"`
	Since time.Time `json:"openSince,omitzero"`
	Why   string    `json:"why"`
}

// The bounds of a notice: a Teams message holds 28 KB, a text of Slack 3,000
// characters (Microsoft: incoming webhooks; Slack: block kit).
const (
	maxPeople = 20
	maxFacts  = 10
	maxText   = 300
)

// Worth reports whether there is anything that needs a person.
func (e Event) Worth() bool { return len(e.Facts)+len(e.People)+e.NewGroups > 0 }

// Body is the event in the form of a receiver: teams, slack or json.
func (e Event) Body(kind string) ([]byte, error) {
	e = e.bounded()
	switch kind {
	case "teams":
		return json.Marshal(e.teams())
	case "slack":
		return json.Marshal(e.slack())
	case "json":
		return json.Marshal(e)
	}
	return nil, fmt.Errorf("no form for %q", kind)
}

// bounded leaves out what has no room.
func (e Event) bounded() Event {
	e.SchemaVersion = 1
	e.More = max(0, len(e.People)-maxPeople) + max(0, len(e.Facts)-maxFacts)
	people := make([]Person, 0, maxPeople)
	for _, p := range e.People[:min(len(e.People), maxPeople)] {
		p.Name, p.Why = clip(p.Name), clip(p.Why)
		people = append(people, p)
	}
	facts := make([]string, 0, maxFacts)
	for _, f := range e.Facts[:min(len(e.Facts), maxFacts)] {
		facts = append(facts, clip(f))
	}
	groups := make([]string, 0, len(e.Groups))
	for _, g := range e.Groups[:min(len(e.Groups), maxFacts)] {
		groups = append(groups, clip(g))
	}
	e.People, e.Facts, e.Groups = people, facts, groups
	return e
}

// clip bounds a text and takes out what could turn its reading order or break
// its line.
func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '\uFFFD'
		}
		return r
	}, s)
	if utf8.RuneCountInString(s) <= maxText {
		return s
	}
	return string([]rune(s)[:maxText-1]) + "…"
}

func (e Event) title() string {
	if e.Summary != "" {
		return clip("risksweep: " + e.Summary)
	}
	what := e.Status
	switch {
	case e.Order != "":
		what = e.Order + ", " + e.Status
	case e.Mode != "":
		what = e.Mode + " " + e.Status
	}
	if who := e.who(""); who != "" {
		what += ", " + who
	}
	return clip("risksweep, " + e.Tenant + ": " + what)
}

// who says how many users and service principals need a person, more being a
// word before their names; empty if none does.
func (e Event) who(more string) string {
	var said []string
	for _, k := range [...]struct {
		n    int
		name string
	}{{len(e.People), "user"}, {e.ServicePrincipals, "service principal"}} {
		switch {
		case k.n == 1:
			said = append(said, "one "+more+k.name)
		case k.n > 1:
			said = append(said, fmt.Sprintf("%d %s%ss", k.n, more, k.name))
		}
	}
	switch n := len(e.People) + e.ServicePrincipals; n {
	case 0:
		return ""
	case 1:
		return said[0] + " needs a person"
	}
	return strings.Join(said, " and ") + " need a person"
}

// lines are what a notice says below its title.
func (e Event) lines() []string {
	out := append([]string(nil), e.Facts...)
	out = append(out, e.Groups...)
	for _, p := range e.People {
		line := fmt.Sprintf("%s (%s", p.Name, p.Level)
		if !p.Since.IsZero() {
			line += ", open since " + p.Since.UTC().Format(time.DateOnly)
		}
		out = append(out, line+"): "+p.Why)
	}
	if e.More > 0 {
		out = append(out, fmt.Sprintf("and %d more, see the report", e.More))
	}
	if e.Report != "" {
		out = append(out, "Report: "+e.Report)
	}
	return out
}

type object = map[string]any

// teams is an adaptive card in the envelope of a Teams workflow. Texts of a
// card are Markdown, so what names hold of it is escaped.
func (e Event) teams() object {
	text := func(s string, more object) object {
		b := object{"type": "TextBlock", "text": markdown.Replace(s), "wrap": true}
		for k, v := range more {
			b[k] = v
		}
		return b
	}
	body := []object{text(e.title(), object{"weight": "Bolder", "size": "Medium"})}
	for _, l := range e.lines() {
		body = append(body, text(l, object{"spacing": "Small"}))
	}
	// Who has no room for the card, a toast or an old client, shows the summary.
	return object{"type": "message", "summary": e.title(), "attachments": []object{{
		"contentType": "application/vnd.microsoft.card.adaptive",
		"content":     object{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "fallbackText": markdown.Replace(e.title()), "body": body},
	}}}
}

var markdown = strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "(", `\(`, ")", `\)`, "`", "\\`", "#", `\#`, "<", "‹", ">", "›", "~", `\~`)

// slack is a message of plain texts: in them nothing is markup.
func (e Event) slack() object {
	plain := func(s string) object { return object{"type": "plain_text", "text": s, "emoji": false} }
	title := e.title()
	if r := []rune(title); len(r) > 150 {
		title = string(r[:149]) + "…"
	}
	blocks := []object{{"type": "header", "text": plain(title)}}
	for _, l := range e.lines() {
		if r := []rune(l); len(r) > 3000 {
			l = string(r[:2999]) + "…"
		}
		blocks = append(blocks, object{"type": "section", "text": plain(l)})
	}
	return object{"text": strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(title), "blocks": blocks}
}
