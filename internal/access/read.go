package access

import (
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
)

// reader takes members out of a policy and remembers what it could not read: a
// policy with a condition that is not understood surely applies to no sign-in.
type reader struct {
	of      entra.Document
	trouble string
	broken  bool // what it asks cannot be told at all
	strange []string
}

func (d *reader) fail(why string) {
	d.broken = true
	d.doubt(why)
}

// doubt records that something of the policy is not understood.
func (d *reader) doubt(why string) {
	if d.trouble == "" {
		d.trouble = why
	}
}

func (d *reader) object(path ...string) map[string]any {
	m := map[string]any(d.of)
	for _, name := range path {
		m = d.child(m, name)
	}
	return m
}

func (d *reader) child(m map[string]any, name string) map[string]any {
	switch v := m[name].(type) {
	case nil:
		return nil
	case map[string]any:
		if len(v) == 0 {
			return nil
		}
		return v
	}
	d.fail(name + " is not an object")
	return nil
}

func (d *reader) list(m map[string]any, name string) []string {
	switch v := m[name].(type) {
	case nil:
		return nil
	case []any:
		out := make([]string, 0, len(v))
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				d.fail(name + " holds something that is not text")
				continue
			}
			out = append(out, s)
		}
		return out
	}
	d.fail(name + " is not a list")
	return nil
}

// words reads flags: one text with commas. A list is taken as well.
func (d *reader) words(m map[string]any, name string) []string {
	text, ok := m[name].(string)
	if !ok {
		return d.list(m, name)
	}
	var out []string
	for w := range strings.SplitSeq(text, ",") {
		if w = strings.TrimSpace(w); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// only remembers the members of m beside these that say something.
func (d *reader) only(m map[string]any, path string, names ...string) {
	for name, v := range m {
		if strings.Contains(name, "@") || slices.Contains(names, name) || saysNothing(v) {
			continue
		}
		d.strange = append(d.strange, path+"."+name)
	}
}

// unread are the conditions of which this version knows nothing.
func (d *reader) unread() []string {
	slices.Sort(d.strange)
	return d.strange
}

func saysNothing(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case []any:
		return len(v) == 0
	case map[string]any:
		for _, e := range v {
			if !saysNothing(e) {
				return false
			}
		}
		return true
	}
	return false
}

// unreadable stands for a rule that cannot be read.
type unreadable struct{}

func (unreadable) met(func(string) ([]string, bool)) Truth { return Unknown }

// guestRule is one guestsOrExternalUsers object of a policy.
type guestRule struct {
	policy  int
	exclude bool
	kinds   []string   // folded
	tenants []entra.ID // nil: all external tenants
}

func (d *reader) guests(i int, exclude bool, m map[string]any) guestRule {
	g := guestRule{policy: i, exclude: exclude}
	for _, k := range d.words(m, "guestOrExternalUserTypes") {
		g.kinds = append(g.kinds, strings.ToLower(k))
	}
	if t := d.child(m, "externalTenants"); t != nil && !strings.EqualFold(text(t, "membershipKind"), "all") {
		g.tenants = entra.NewIDs(d.list(t, "members"))
		if g.tenants == nil {
			g.tenants = []entra.ID{}
		}
	}
	return g
}

// matches reports whether the user is such a guest.
func (g guestRule) matches(u *User) Truth {
	if u.Guest == "" && !u.GuestUnknown {
		return No
	}
	kind := Unknown
	if u.Guest != "" {
		kind = truth(slices.Contains(g.kinds, strings.ToLower(u.Guest)))
	}
	switch {
	case g.tenants == nil || strings.EqualFold(u.Guest, "internalGuest"): // of no other tenant
		return kind
	case u.HomeTenant == "":
		return kind.And(Unknown)
	}
	return kind.And(truth(slices.Contains(g.tenants, u.HomeTenant)))
}

// filters are the rules of one kind of filter.
type filters struct {
	include, exclude []policyRule
}

type policyRule struct {
	policy int
	rule   rule
}

// add reads a filter of a policy and reports whether there is one.
func (f *filters) add(i int, d *reader, m map[string]any, name string) bool {
	o := d.child(m, name)
	if o == nil {
		return false
	}
	r, err := parseRule(text(o, "rule"))
	if err != nil {
		d.doubt("the rule of " + name + " cannot be read: " + err.Error())
		r = unreadable{}
	}
	switch strings.ToLower(text(o, "mode")) {
	case "include":
		f.include = append(f.include, policyRule{i, r})
	case "exclude":
		f.exclude = append(f.exclude, policyRule{i, r})
	default:
		d.fail(name + " has neither the mode include nor exclude")
	}
	return true
}

// unreadable reports whether a filter of the policy has a rule that cannot be
// read.
func (f *filters) unreadable(policy int) bool {
	for _, r := range slices.Concat(f.include, f.exclude) {
		if _, bad := r.rule.(unreadable); bad && r.policy == policy {
			return true
		}
	}
	return false
}

func text(m map[string]any, name string) string {
	s, _ := m[name].(string)
	return s
}

func containsFold(list []string, word string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, word) })
}

func without(list []string, word string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return strings.EqualFold(s, word) })
}
