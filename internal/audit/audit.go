// Package audit says who changed what, from the directory's audit log: which
// person, application or service, when, by which activity, and what it was
// before and after.
//
// It is pure. It names nobody whom the log does not name, and what the log does
// not show it says so of: a record comes some minutes late, and goes after 30
// days.
package audit

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
)

// Kind is the sort of who did it.
type Kind string

// The kinds.
const (
	User    Kind = "user"
	App     Kind = "app"
	Service Kind = "service" // Microsoft itself, or nobody that the log names
	NotSeen Kind = "unknown" // the log shows no change, or could not be read
)

// NotThere is what is said where the log shows nothing.
const NotThere = "not in the audit log yet, or older than it keeps"

// ChangedBy says who changed an object.
type ChangedBy struct {
	Name     string         `json:"name"`
	Kind     Kind           `json:"kind"`
	At       entra.DateTime `json:"at,omitempty"`
	Activity string         `json:"activity,omitempty"`
	// Own says that this product's own identity did it.
	Own bool `json:"own,omitempty"`
	// Before and After are the whole object as the log shows it, in canonical
	// form; absent where it shows none.
	Before policy.Canonical `json:"before,omitempty"`
	After  policy.Canonical `json:"after,omitempty"`
	// Differences put into words what changed.
	Differences []policy.Difference `json:"differences,omitempty"`
	// Others are the other changes since our own last one, the newest first.
	Others []ChangedBy `json:"others,omitempty"`
	// Note says why nobody is named.
	Note string `json:"note,omitempty"`
}

// Text says it in one sentence without an end.
func (c *ChangedBy) Text() string {
	if c == nil {
		return ""
	}
	if c.Kind == NotSeen {
		return "who changed it is " + c.Note
	}
	text := "changed by " + c.who()
	if n := len(c.Others); n > 0 {
		names := []string{}
		for i := range c.Others {
			if w := c.Others[i].who(); !slices.Contains(names, w) {
				names = append(names, w)
			}
		}
		text += "; also by " + policy.ShortList(names)
	}
	return text
}

func (c *ChangedBy) who() string {
	text := c.Name
	switch c.Kind {
	case App:
		text += " (application)"
	case Service:
		text += " (service)"
	}
	if c.Own {
		text += ", which is this job"
	}
	if t, ok := c.At.Time(); ok {
		text += " on " + t.UTC().Format("2006-01-02 15:04 UTC")
	}
	if c.Activity != "" {
		text += fmt.Sprintf(" (%s)", c.Activity)
	}
	return text
}

// Log is what was read of the audit log.
type Log struct {
	self     entra.Identity
	unread   string // why it was not read
	byTarget map[entra.ID][]*record
}

// record is one change of one object.
type record struct {
	at     time.Time
	from   *entra.Audit
	target int
}

// New makes a log in which self's writes are told from others'.
func New(self entra.Identity) *Log {
	return &Log{self: self, byTarget: map[entra.ID][]*record{}}
}

// Unread is a log that was not read, with the reason.
func Unread(why string) *Log { return &Log{unread: why} }

// Add takes a record that succeeded; it is kept.
func (l *Log) Add(a *entra.Audit) {
	at, ok := a.ActivityDateTime.Time()
	if !ok || a.Result != "" && !strings.EqualFold(a.Result, "success") {
		return
	}
	for i := range a.Targets {
		id := a.Targets[i].ID
		if id == "" {
			continue
		}
		l.byTarget[id] = append(l.byTarget[id], &record{at: at, from: a, target: i})
	}
}

// of gives the changes of an object, the newest first.
func (l *Log) of(id entra.ID) []*record {
	list := slices.Clone(l.byTarget[id])
	slices.SortStableFunc(list, func(a, b *record) int {
		return cmp.Or(b.at.Compare(a.at), cmp.Compare(b.from.ID, a.from.ID))
	})
	return list
}

func (l *Log) own(a *entra.Audit) bool {
	by := a.By
	return l.self.AppID != "" && by.AppID == l.self.AppID ||
		l.self.ObjectID != "" && (by.ServicePrincipalID == l.self.ObjectID || by.UserID == l.self.ObjectID)
}

// All are the changes of an object that the log shows, the oldest first, ours
// among them.
func (l *Log) All(id entra.ID, names policy.Names) []ChangedBy {
	var out []ChangedBy
	for _, r := range slices.Backward(l.of(id)) {
		c := r.changed(names)
		c.Own = l.own(r.from)
		out = append(out, c)
	}
	return out
}

// Changed says who made an object differ in these paths from what it was: whoever
// set one of them to what is live now, after our own last write. Without paths
// any change counts. A change that the log does not show yet is not taken for an
// earlier one of somebody else.
func (l *Log) Changed(id entra.ID, paths []string, live policy.Canonical, names policy.Names) *ChangedBy {
	return l.who(id, names, func(c ChangedBy) bool { return touches(c, paths, live) })
}

// Deleted says who deleted an object that is gone.
func (l *Log) Deleted(id entra.ID, names policy.Names) *ChangedBy {
	first := true
	return l.who(id, names, func(c ChangedBy) bool {
		last := first
		first = false
		return last && strings.Contains(strings.ToLower(c.Activity), "delete")
	})
}

// Added says who made an object that was not there, or brought it back.
func (l *Log) Added(id entra.ID, names policy.Names) *ChangedBy {
	return l.who(id, names, func(c ChangedBy) bool {
		a := strings.ToLower(c.Activity)
		return strings.Contains(a, "add ") || strings.Contains(a, "create") || strings.Contains(a, "restore")
	})
}

// who finds the newest change since our own last one that is the cause.
func (l *Log) who(id entra.ID, names policy.Names, cause func(ChangedBy) bool) *ChangedBy {
	if l == nil || l.unread != "" {
		return l.missing()
	}
	var changes []ChangedBy
	main := -1
	for _, r := range l.of(id) {
		if l.own(r.from) {
			break
		}
		c := r.changed(names)
		if main < 0 && cause(c) {
			main = len(changes)
		}
		changes = append(changes, c)
	}
	if main < 0 {
		return notThere()
	}
	who := changes[main]
	who.Others = slices.Delete(changes, main, main+1)
	return &who
}

// Closed says who settled the risk of a user last, be it ourselves.
func (l *Log) Closed(id entra.ID) *ChangedBy {
	if l == nil || l.unread != "" {
		return l.missing()
	}
	for _, r := range l.of(id) {
		if strings.EqualFold(r.from.Service, entra.ServiceIdentityProtection) {
			who := r.changed(nil)
			who.Own = l.own(r.from)
			return &who
		}
	}
	return notThere()
}

// After are the changes of an object after a time, the newest first, our own
// among them.
func (l *Log) After(id entra.ID, after time.Time) []ChangedBy {
	if l == nil {
		return nil
	}
	var out []ChangedBy
	for _, r := range l.of(id) {
		if r.at.After(after) {
			c := r.changed(nil)
			c.Own = l.own(r.from)
			out = append(out, c)
		}
	}
	return out
}

func (l *Log) missing() *ChangedBy {
	if l == nil {
		return nil
	}
	return &ChangedBy{Kind: NotSeen, Note: "not known: " + l.unread}
}

func notThere() *ChangedBy { return &ChangedBy{Kind: NotSeen, Note: NotThere} }

// touches reports whether a change has set one of these paths to what is live.
// One of which the log shows neither before nor after may have; that somebody
// made the object is no change of it.
func touches(c ChangedBy, paths []string, live policy.Canonical) bool {
	switch {
	case c.Before == nil && c.After == nil:
		return strings.Contains(strings.ToLower(c.Activity), "update")
	case c.Before == nil || c.After == nil:
		return false
	case len(paths) == 0:
		return true
	}
	for _, d := range c.Differences {
		if slices.Contains(paths, d.Path) && (live == nil || reflect.DeepEqual(policy.At(c.After, d.Path), policy.At(live, d.Path))) {
			return true
		}
	}
	return false
}

func (r *record) changed(names policy.Names) ChangedBy {
	c := ChangedBy{At: entra.NewDateTime(r.at), Activity: r.from.Activity}
	c.Name, c.Kind = initiator(r.from.By)
	for _, p := range r.from.Targets[r.target].Changed {
		kind := kindOf(p.Name, r.from.Activity)
		if kind == "" {
			continue
		}
		c.Before, c.After = document(kind, p.Old), document(kind, p.New)
		if c.Before != nil && c.After != nil {
			c.Differences = policy.Differences(c.Before, c.After, names)
		}
		break
	}
	return c
}

func initiator(by entra.Initiator) (string, Kind) {
	switch {
	case by.UserID != "" || by.UserPrincipalName != "":
		return cmp.Or(by.UserPrincipalName, by.UserDisplayName, string(by.UserID)), User
	case by.AppID != "" || by.ServicePrincipalID != "" || by.AppName != "":
		return cmp.Or(by.AppName, by.ServicePrincipalName, string(by.AppID), string(by.ServicePrincipalID)), App
	}
	return "Microsoft", Service
}

// kindOf is the kind of object whose text a property holds.
func kindOf(property, activity string) entra.ObjectKind {
	p, a := strings.ToLower(property), strings.ToLower(activity)
	switch {
	case p == "conditionalaccesspolicy":
		return entra.KindPolicy
	case strings.Contains(p, "namedlocation"), strings.Contains(a, "named location"):
		return entra.KindLocation
	case strings.Contains(p, "authenticationstrength"), strings.Contains(a, "authentication strength"):
		return entra.KindStrength
	}
	return ""
}

// controls are the names of controls that the log has of its own.
var controls = map[string]string{
	"requirecompliantdevice": "compliantDevice", "requiredomainjoineddevice": "domainJoinedDevice",
	"requireapprovedapp": "approvedApplication", "requirecompliantapp": "compliantApplication",
}

// document reads the text of an object; nil if the log has none that can be
// read.
func document(kind entra.ObjectKind, text *string) policy.Canonical {
	if text == nil {
		return nil
	}
	d, err := entra.ParseDocument([]byte(*text))
	if err != nil {
		return nil
	}
	if grant, ok := d["grantControls"].(map[string]any); ok {
		if list, ok := grant["builtInControls"].([]any); ok {
			for i, c := range list {
				if s, ok := c.(string); ok && controls[strings.ToLower(s)] != "" {
					list[i] = controls[strings.ToLower(s)]
				}
			}
		}
	}
	return policy.CanonicalOf(kind, d)
}
