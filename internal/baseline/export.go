package baseline

import (
	"fmt"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
)

// ExportRefs are the refs that Export still wants answered to write names: the
// ids of roles, applications and terms of use, and the names of groups,
// applications and service principals, of which must be known that they are
// unique. It is asked again after the answers are in live.Names, until it
// gives none.
func ExportRefs(live Live) []entra.Ref {
	x := exporter{live: live, names: newNamer(live)}
	seen := map[entra.Ref]bool{}
	want := func(r entra.Ref) {
		if _, answered := live.Names[r]; !answered && r.Name != "" {
			seen[r] = true
		}
	}
	for _, p := range live.Policies {
		eachRef(entra.SchemaOf(entra.KindPolicy), entra.Canonical(entra.KindPolicy, p), func(m *entra.Member, id string) {
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
	refs := make([]entra.Ref, 0, len(seen))
	for r := range seen {
		refs = append(refs, r)
	}
	slices.SortFunc(refs, func(a, b entra.Ref) int { return strings.Compare(string(a.Kind)+a.Name, string(b.Kind)+b.Name) })
	return refs
}

// Export writes the live tenant as a baseline that Load accepts and that, once
// adopted, plans nothing. Names stand where they are known to be unique, ids
// with a comment otherwise. An object that no baseline can hold (two of one
// name, a rule broken) is left in as a comment with the reason.
func Export(live Live) ([]byte, error) {
	x := &exporter{live: live, names: newNamer(live)}
	x.line(0, "# Exported from the tenant%s.", tenantName(live.Tenant))
	x.line(0, "# Take it into ownership with: risksweep baseline adopt --by-name")
	x.line(0, "# Name the emergency accounts that no policy may lock out; they are excluded from every policy:")
	x.line(0, "# breakGlass: {users: [bg1@example.com, bg2@example.com]}")
	for _, s := range []struct {
		kind entra.ObjectKind
		name string
	}{{entra.KindLocation, "namedLocations"}, {entra.KindStrength, "authenticationStrengths"}, {entra.KindPolicy, "policies"}} {
		x.section(s.kind, s.name)
	}
	out := []byte(x.out.String())
	if _, problems := Parse("export", out); problems.Err() != nil {
		return nil, fmt.Errorf("the export is no valid baseline: %w", problems.Err())
	}
	return out, nil
}

func tenantName(t entra.Tenant) string {
	if t.DisplayName == "" {
		return ""
	}
	return " " + visible(t.DisplayName)
}

type exporter struct {
	live  Live
	names namer
	out   strings.Builder
}

func (x *exporter) line(indent int, format string, args ...any) {
	x.out.WriteString(strings.Repeat("  ", indent) + fmt.Sprintf(format, args...) + "\n")
}

func (x *exporter) section(kind entra.ObjectKind, name string) {
	var docs []entra.Document
	count := map[string]int{}
	for _, d := range x.live.list(kind) {
		if d.Text("policyType") != entra.PolicyTypeBuiltIn {
			docs = append(docs, d)
			count[strings.ToLower(d.DisplayName())]++
		}
	}
	slices.SortStableFunc(docs, func(a, b entra.Document) int {
		return strings.Compare(a.DisplayName()+a.ID(), b.DisplayName()+b.ID())
	})
	x.line(0, "\n%s:", name)
	for _, d := range docs {
		text := x.item(kind, d)
		reason := ""
		switch n := count[strings.ToLower(d.DisplayName())]; {
		case d.DisplayName() == "":
			reason = "it has no displayName"
		case n > 1:
			reason = fmt.Sprintf("%d objects have this name, and names in a baseline are unique", n)
		default:
			if _, problems := Parse("export", []byte(name+":\n"+text)); problems.Err() != nil {
				reason = problems.Errors()[0].Message
			}
		}
		if reason != "" {
			x.line(1, "# left out (%s): %s", d.ID(), visible(reason))
			text = "  # " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n  # ") + "\n"
		}
		x.out.WriteString(text)
	}
}

// item writes one object as an element of its section.
func (x *exporter) item(kind entra.ObjectKind, d entra.Document) string {
	c, schema := entra.Canonical(kind, d), entra.SchemaOf(kind)
	w := &writer{names: x.names, refName: x.refName}
	var unknown []string
	findUnknown(schema, c, "", &unknown)
	w.object(schema, c, 2, true)
	w.extra(blocksEveryone(c, nil) && enabled(c), unknown)
	text := strings.TrimPrefix(w.out.String(), "    ")
	return "  - " + text
}

// findUnknown lists the paths that only allowUnknown lets pass.
func findUnknown(m *entra.Member, v any, path string, out *[]string) {
	add := func(p string) {
		if !slices.Contains(*out, p) {
			*out = append(*out, p)
		}
	}
	switch v := v.(type) {
	case entra.Document:
		findUnknown(m, map[string]any(v), path, out)
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
			t := entra.TypeOf(m, v)
			i := slices.IndexFunc(m.Types, func(c entra.Concrete) bool { return c.Type == t })
			if i < 0 {
				add(join(path, "@odata.type"))
				return
			}
			m = &entra.Member{Members: m.Types[i].Members}
		}
		for _, name := range sortedKeys(v) {
			sub := m.Lookup(name)
			switch {
			case entra.IsAnnotation(name):
			case sub == nil || sub.Beta:
				add(join(path, name))
			default:
				findUnknown(sub, v[name], join(path, name), out)
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
			if o, ok := r.Resolved(); ok && o.Kind == kind && fold(o.ID) == id {
				return o.DisplayName
			}
		}
		return ""
	}
	if name := x.names.name(id); name != id {
		return name
	}
	return ""
}

// usable reports whether a name can stand for its object: it must not read as
// an id, a special word or a reference.
func usable(m *entra.Member, name string) bool {
	return name == strings.TrimSpace(name) && name != "" && !entra.IsID(name) && !strings.Contains(name, "{{") && name == visible(name) &&
		!slices.ContainsFunc(m.Words, func(w string) bool { return strings.EqualFold(w, name) })
}

// refName gives the name to write for an id, or the id with the name as a
// comment.
func (x *exporter) refName(m *entra.Member, id string) (text, comment string) {
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
		for _, d := range x.live.list(m.Ref) {
			if strings.EqualFold(d.DisplayName(), name) {
				n++
			}
		}
		if n == 1 {
			return name, ""
		}
	default:
		if o, ok := x.live.Names[entra.Ref{Kind: m.Ref, Name: name}].Resolved(); ok && fold(o.ID) == id {
			return name, ""
		}
	}
	return id, name
}
