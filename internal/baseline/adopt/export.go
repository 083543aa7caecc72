package adopt

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// ExportRefs are the refs that Export still wants answered to write names: the
// ids of roles, applications and terms of use, and the names of groups,
// applications and service principals, of which must be known that they are
// unique. It is asked again after the answers are in live.Names, until it
// gives none.
func ExportRefs(live drift.Live) []entra.Ref {
	x := exporter{live: live, names: drift.NewNamer(live)}
	seen := map[entra.Ref]bool{}
	want := func(r entra.Ref) {
		if _, answered := live.Names[r]; !answered && r.Name != "" {
			seen[r] = true
		}
	}
	for _, p := range live.Policies {
		policy.EachRef(policy.SchemaOf(entra.KindPolicy), policy.CanonicalOf(entra.KindPolicy, p), func(m *policy.Member, id string) {
			if !entra.IsID(id) || slices.Contains(m.Words, id) {
				return
			}
			switch m.Ref {
			case entra.KindRole, entra.KindApplication, entra.KindAgreement:
				want(entra.Ref{Kind: m.Ref, Name: id})
			}
			switch m.Ref {
			case entra.KindGroup, entra.KindApplication, entra.KindServicePrincipal, entra.KindRole, entra.KindAgreement:
				if name := x.known(m.Ref, id); name != "" && usable(m, name) {
					want(entra.Ref{Kind: m.Ref, Name: name})
				}
			}
		})
	}
	return slices.SortedFunc(maps.Keys(seen), entra.Ref.Compare)
}

// Export writes the live tenant as a baseline that Load accepts and that, once
// adopted, plans nothing. Names stand where they are known to be unique, ids
// with a comment otherwise. An object that no baseline can hold (two of one
// name, a rule broken) is left in as a comment with the reason, and so is what
// could not be read. What a person has to decide is proposed in comments: the
// emergency accounts, and where varies says in which members an object, by its id,
// differs from a baseline that is there already, what to leave to the tenant.
func Export(live drift.Live, varies map[string][]string) (Exported, error) {
	x := &exporter{live: live, names: drift.NewNamer(live), varies: varies}
	x.gather()
	for {
		text := x.text()
		_, problems := baseline.Parse("export", text)
		errs := problems.Errors()
		if len(errs) == 0 {
			return x.exported(text), nil
		}
		if !x.blame(errs) {
			return Exported{}, fmt.Errorf("the export is no valid baseline: %w", problems.Err())
		}
	}
}

// Exported is a tenant as a baseline, and what of it that holds.
type Exported struct {
	Text    []byte
	Written int
	// Left are the objects that are comments, each with its name and the reason.
	Left []string
}

func (x *exporter) exported(text []byte) Exported {
	e := Exported{Text: text}
	for _, p := range x.parts {
		switch {
		case p.reason == "":
			e.Written++
		case policy.FoldID(p.id) != policy.CompliantNetwork: // which nobody makes
			e.Left = append(e.Left, fmt.Sprintf("%s %s (%s): %s", p.kind.Noun(), policy.Visible(p.name), p.id, policy.Visible(p.reason)))
		}
	}
	return e
}

func tenantName(t entra.Tenant) string {
	if t.DisplayName == "" {
		return ""
	}
	return " " + policy.Visible(t.DisplayName)
}

type exporter struct {
	live  drift.Live
	names policy.Names
	// varies are the paths in which an object differs from a baseline, by its id.
	varies map[string][]string
	parts  []*part
	out    strings.Builder
}

// part is one object on its way into the export.
type part struct {
	kind     entra.ObjectKind
	name     string
	id, text string
	reason   string // why it is left out, empty if it is not
	// first and last are its lines in the text that was written last.
	first, last int
}

func (x *exporter) line(indent int, format string, args ...any) {
	x.out.WriteString(strings.Repeat("  ", indent) + fmt.Sprintf(format, args...) + "\n")
}

// sections are the lists of a baseline in the order in which they are written.
var sections = []struct {
	kind entra.ObjectKind
	name string
}{{entra.KindLocation, "namedLocations"}, {entra.KindStrength, "authenticationStrengths"}, {entra.KindPolicy, "policies"}}

// gather writes each object for itself and says of which it can be seen at once
// that no baseline can hold it.
func (x *exporter) gather() {
	for _, s := range sections {
		var docs []entra.Document
		count := map[string]int{}
		for _, d := range x.live.List(s.kind) {
			if d.Text("policyType") != policy.PolicyTypeBuiltIn {
				docs = append(docs, d)
				count[strings.ToLower(d.DisplayName())]++
			}
		}
		slices.SortStableFunc(docs, func(a, b entra.Document) int {
			return strings.Compare(a.DisplayName()+a.ID(), b.DisplayName()+b.ID())
		})
		for _, d := range docs {
			p := &part{kind: s.kind, name: d.DisplayName(), id: d.ID(), text: x.item(s.kind, d)}
			switch n := count[strings.ToLower(d.DisplayName())]; {
			case policy.FoldID(d.ID()) == policy.CompliantNetwork:
				p.reason = "every tenant has it and nobody can make it; policies can name it"
			case d.DisplayName() == "":
				p.reason = "it has no displayName"
			case n > 1:
				p.reason = fmt.Sprintf("%d objects have this name, and names in a baseline are unique", n)
			default:
				if _, problems := baseline.Parse("export", []byte(s.name+":\n"+p.text)); problems.Err() != nil {
					p.reason = problems.Errors()[0].Message
				}
			}
			x.parts = append(x.parts, p)
		}
	}
}

// text writes the whole, and notes which lines each object has.
func (x *exporter) text() []byte {
	x.out.Reset()
	x.line(0, "# Exported from the tenant%s.", tenantName(x.live.Tenant))
	x.line(0, "# Take it into ownership with: risksweep baseline adopt --by-name")
	x.proposeGlass()
	for _, u := range x.live.Unread {
		if !slices.Contains(policy.Kinds[:], u.Kind) {
			x.line(0, "# Names could not be read, so ids stand in their place: %s", policy.Visible(u.Reason))
		}
	}
	for _, s := range sections {
		x.line(0, "\n%s:", s.name)
		for _, u := range x.live.Unread {
			if u.Kind == s.kind {
				x.line(1, "# could not be read: %s", policy.Visible(u.Reason))
			}
		}
		for _, p := range x.parts {
			if p.kind != s.kind {
				continue
			}
			p.first = 1 + strings.Count(x.out.String(), "\n")
			if p.reason == "" {
				x.out.WriteString(p.text)
			} else {
				x.line(1, "# left out (%s): %s", p.id, policy.Visible(p.reason))
				x.out.WriteString("  # " + strings.ReplaceAll(strings.TrimSuffix(p.text, "\n"), "\n", "\n  # ") + "\n")
			}
			p.last = strings.Count(x.out.String(), "\n")
		}
	}
	return []byte(x.out.String())
}

// blame leaves out the objects that mistakes stand in, which only show beside
// the others, such as one more than a tenant can hold.
func (x *exporter) blame(errs yamldoc.Problems) bool {
	found := false
	for _, p := range x.parts {
		for _, e := range errs {
			if p.reason == "" && p.first <= e.Line && e.Line <= p.last {
				p.reason, found = e.Message, true
			}
		}
	}
	return found
}

// item writes one object as an element of its section.
func (x *exporter) item(kind entra.ObjectKind, d entra.Document) string {
	c, schema := policy.CanonicalOf(kind, d), policy.SchemaOf(kind)
	w := &writer{names: x.names, refName: x.refName}
	var unknown []string
	findUnknown(schema, map[string]any(c), "", &unknown)
	w.object(schema, c, 2, true)
	w.extra(policy.BlocksEveryone(c, nil) && policy.Enabled(c), unknown)
	if paths := x.leavable(kind, d.ID()); len(paths) > 0 {
		w.line(2, "# The baseline that is there says otherwise of these; to leave them to the tenant, take the # away:")
		w.line(2, "# unmanaged: ["+policy.Visible(strings.Join(paths, ", "))+"]")
	}
	text := strings.TrimPrefix(w.out.String(), "    ")
	if key := x.proposed(kind, d); key != "" {
		text = "key: " + key + "\n    " + text
	}
	return "  - " + text
}

// codeInName is the number that many give their policies: CA001, GLOBAL-101.
var codeInName = regexp.MustCompile(`^([A-Za-z]{1,10}-?[0-9]{2,5})(?:[^0-9A-Za-z]|$)`)

// proposed is a key that outlives the name of a policy: the code that the name
// begins with, where no other policy's does; else empty, and the name is the key.
func (x *exporter) proposed(kind entra.ObjectKind, d entra.Document) string {
	m := codeInName.FindStringSubmatch(d.DisplayName())
	if kind != entra.KindPolicy || m == nil || m[1] == d.DisplayName() {
		return ""
	}
	n := 0
	for _, o := range x.live.List(kind) {
		if name := o.DisplayName(); len(name) >= len(m[1]) && strings.EqualFold(name[:len(m[1])], m[1]) {
			n++
		}
	}
	if n > 1 {
		return ""
	}
	return m[1]
}

// findUnknown lists the paths that only allowUnknown lets pass.
func findUnknown(m *policy.Member, v any, path string, out *[]string) {
	add := func(p string) {
		if !slices.Contains(*out, p) {
			*out = append(*out, p)
		}
	}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			findUnknown(m, e, path, out)
		}
	case string:
		values := m.Values
		if m.Name == "includeUserActions" {
			values = m.Words
		}
		for part := range strings.SplitSeq(v, ",") {
			if len(values) > 0 && !slices.Contains(values, part) {
				add(path)
			}
		}
	case map[string]any:
		if len(m.Types) > 0 {
			t := policy.TypeOf(m, v)
			i := slices.IndexFunc(m.Types, func(c policy.Concrete) bool { return c.Type == t })
			if i < 0 {
				add(policy.Join(path, "@odata.type"))
				return
			}
			m = &policy.Member{Members: m.Types[i].Members}
		}
		for _, name := range policy.SortedKeys(v) {
			sub := m.Lookup(name)
			switch {
			case policy.IsAnnotation(name):
			case sub == nil || sub.Beta:
				add(policy.Join(path, name))
			default:
				findUnknown(sub, v[name], policy.Join(path, name), out)
			}
		}
	}
}

// known is the name of an id as far as anything read tells, empty if nothing
// does.
func (x exporter) known(kind entra.ObjectKind, id string) string {
	if r, ok := x.live.Names[entra.Ref{Kind: kind, Name: id}]; ok {
		if o, ok := r.Resolved(); ok {
			return o.DisplayName
		}
	}
	if kind == entra.KindApplication { // app ids are no object ids
		for _, r := range x.live.Names {
			if o, ok := r.Resolved(); ok && o.Kind == kind && string(o.ID) == id {
				return o.DisplayName
			}
		}
		return ""
	}
	if name := x.names.Name(id); name != id {
		return name
	}
	return ""
}

// usable reports whether a name can stand for its object: it must not read as
// an id, a special word or a reference.
func usable(m *policy.Member, name string) bool {
	return name == strings.TrimSpace(name) && name != "" && !entra.IsID(name) && !strings.Contains(name, "{{") && name == policy.Visible(name) &&
		!slices.ContainsFunc(m.Words, func(w string) bool { return strings.EqualFold(w, name) })
}

// refName gives the name to write for an id, or the id with the name as a
// comment.
func (x *exporter) refName(m *policy.Member, id string) (text, comment string) {
	if !entra.IsID(id) || slices.Contains(m.Words, id) {
		return id, ""
	}
	name := x.known(m.Ref, id)
	if name == "" || !usable(m, name) {
		return id, name
	}
	switch m.Ref {
	case entra.KindUser:
		if strings.Contains(name, "@") { // a UPN is unique
			return name, ""
		}
	case entra.KindLocation, entra.KindStrength:
		n := 0
		for _, d := range x.live.List(m.Ref) {
			if strings.EqualFold(d.DisplayName(), name) {
				n++
			}
		}
		if n == 1 {
			return name, ""
		}
	default:
		if o, ok := x.live.Names[entra.Ref{Kind: m.Ref, Name: name}].Resolved(); ok && string(o.ID) == id {
			return name, ""
		}
	}
	return id, name
}
