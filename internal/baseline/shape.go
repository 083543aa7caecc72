package baseline

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// specialKeys are the members that are ours and not Graph's, by kind.
func specialKeys(kind entra.ObjectKind) []string {
	if kind == entra.KindPolicy {
		return []string{"key", "acceptLockout", "exceptions", "unmanaged", "allowUnknown", "promote"}
	}
	return []string{"key", "allowUnknown"}
}

// item reads one object: our own keys, then its members by the schema.
func (l *loader) item(kind entra.ObjectKind, n *yamldoc.Node) {
	if n.Kind != yamldoc.Mapping {
		l.Add(n, "must be %s, not %s", kind.ANoun(), n.Kind)
		return
	}
	if l.fixedLocation(n) {
		return
	}
	it := Item{Kind: kind, node: n}
	if k, ok := l.String(n.Get("key")); ok {
		// The displayName is a key whatever is in it: it is the one of an object without.
		name := n.Get("displayName")
		same := name != nil && name.Kind == yamldoc.String && name.Value == k
		if it.Key = k; strings.TrimSpace(k) == "" || !same && (strings.ContainsAny(k, "{}=") || strings.ContainsFunc(k, unicode.IsControl)) {
			l.Add(n.Get("key"), "must be a name without braces, = and control characters")
		}
	}
	if a, ok := l.Bool(n.Get("acceptLockout")); ok && kind == entra.KindPolicy {
		it.AcceptLockout = a
	}
	if at := n.Get("exceptions"); at != nil && kind == entra.KindPolicy {
		_, it.NoExceptions = l.Enum(at, "none")
	}
	if paths, ok := l.Strings(n.Get("allowUnknown")); ok {
		it.AllowUnknown = paths
	}
	c := &checker{loader: l, item: &it, special: specialKeys(kind)}
	c.object(n, policy.SchemaOf(kind), "")
	if kind == entra.KindPolicy {
		it.Unmanaged = l.unmanaged(n.Get("unmanaged"))
	}
	l.checkAllowUnknown(n.Get("allowUnknown"), kind)
	it.Want = want(kind, n, c.special)
	if kind == entra.KindPolicy {
		l.promote(n.Get("promote"), n, &it)
	}
	l.id(n, &it)
	if it.Key == "" {
		it.Key = it.DisplayName()
	}
	l.b.Add(it)
	l.rules(it)
}

// fixedLocation passes over the location that every tenant has and nobody can
// make, as an export of the beta version shows it.
func (l *loader) fixedLocation(n *yamldoc.Node) bool {
	t := n.Get("@odata.type")
	if t == nil || !strings.EqualFold(strings.TrimPrefix(t.Value, "#"), strings.TrimPrefix(policy.TypeCompliantNetwork, "#")) {
		return false
	}
	id, kind := n.Get("id"), n.Get("compliantNetworkType")
	if (id == nil || !strings.EqualFold(id.Value, policy.CompliantNetwork)) && (kind == nil || kind.Value != "allTenantCompliantNetworks") {
		return false
	}
	l.Warn(n, "every tenant has this location and nobody can make it; it is left out, and policies can name it %q or by the id %s", policy.CompliantNetworkName, policy.CompliantNetwork)
	return true
}

// want is the canonical form of what is written, our own keys left out.
func want(kind entra.ObjectKind, n *yamldoc.Node, special []string) policy.Canonical {
	d, _ := n.JSON().(map[string]any)
	for _, k := range special {
		delete(d, k)
	}
	if s := policy.ObjectAt(d, "grantControls.authenticationStrength"); s != nil && s["id"] == nil && s["displayName"] != nil {
		s["id"] = s["displayName"]
	}
	return policy.CanonicalOf(kind, d)
}

func (l *loader) unmanaged(n *yamldoc.Node) []string {
	items, _ := l.Items(n)
	var out []string
	for _, it := range items {
		p, ok := l.String(it)
		switch {
		case !ok:
		case MayBeUnmanaged(p):
			out = append(out, p)
		case p == "displayName":
			l.Add(it, "displayName cannot be unmanaged")
		case p == "conditions" || p == policy.PathUsers || strings.HasPrefix(p, policy.PathUsers+"."):
			l.Add(it, "%s cannot be unmanaged: whom a policy reaches, and who is excluded from it, is the baseline's", p)
		default:
			l.Suggest(it, p, policyPaths(), "%q is no member of a policy", p)
		}
	}
	return out
}

// MayBeUnmanaged reports whether the values at a path of a policy can be left to the
// tenant.
func MayBeUnmanaged(p string) bool {
	m := policy.SchemaOf(entra.KindPolicy).At(p)
	return m != nil && !m.ReadOnly && p != "conditions" && p != "displayName" && p != policy.PathUsers && !strings.HasPrefix(p, policy.PathUsers+".")
}

// policyPaths are the members of a policy down to the second level.
func policyPaths() []string {
	var out []string
	for _, m := range policy.SchemaOf(entra.KindPolicy).Members {
		if m.ReadOnly {
			continue
		}
		out = append(out, m.Name)
		for _, s := range m.Members {
			out = append(out, m.Name+"."+s.Name)
		}
	}
	return out
}

func (l *loader) checkAllowUnknown(n *yamldoc.Node, kind entra.ObjectKind) {
	if n == nil || n.Kind != yamldoc.Sequence {
		return
	}
	for _, it := range n.Items {
		switch m := policy.SchemaOf(kind).At(it.Value); {
		case it.Kind == yamldoc.String && it.Value == "":
			l.Add(it, "must be the path of a member")
		case m != nil && m.ReadOnly:
			l.Add(it, "%s is read-only; the service never takes it", it.Value)
		}
	}
}

// checker walks one object along the schema.
type checker struct {
	*loader
	item    *Item
	special []string
}

func (c *checker) allowed(path string) bool { return slices.Contains(c.item.AllowUnknown, path) }

// object checks a mapping. The path is relative to the item.
func (c *checker) object(n *yamldoc.Node, m *policy.Member, path string) {
	if n.Kind != yamldoc.Mapping {
		c.Add(n, "must be an object with members such as %s, not %s", firstNames(m), n.Kind)
		return
	}
	// An object of which all is null says what null itself would say.
	absent := path != "" && !m.List && saysNothing(n)
	if absent && len(m.Types) > 0 {
		return
	}
	if m = c.concrete(n, m, path); m == nil {
		return
	}
	for i, k := range n.Keys {
		name, v := k.Value, n.Values[i]
		sub := m.Lookup(name)
		p := policy.Join(path, name)
		switch {
		case policy.IsAnnotation(name):
		case path == "" && slices.Contains(c.special, name):
		case sub == nil:
			if !c.allowed(p) {
				c.unknown(k, v, m, path)
			}
		case sub.ReadOnly:
		case sub.Beta:
			c.beta(k, v, p)
		case absent && v.Kind == yamldoc.Null:
		default:
			c.value(v, sub, p)
		}
	}
	for i := range m.Members {
		if r := &m.Members[i]; r.Required && !absent && n.Get(r.Name) == nil {
			if r.Ref == entra.KindStrength && n.Get("displayName") != nil {
				continue
			}
			c.Missing(n, r.Name)
		}
	}
}

// unknown reports a member that the schema lacks. An empty one that is not
// nearly a member we know passes: an export of a newer service may show it.
func (c *checker) unknown(k, v *yamldoc.Node, m *policy.Member, path string) {
	near := yamldoc.Nearest(k.Value, append(names(m), specialAt(path, c.special)...))
	switch {
	case near != "":
		c.Suggest(k, k.Value, []string{near}, "unknown member")
	case !saysNothing(v):
		c.Add(k, "unknown member; the service would refuse it (1007). %s", c.removal(k, path))
	}
}

// removal says what to do about a member that v1.0 does not declare. To let it
// pass would only move the refusal to the service.
func (c *checker) removal(k *yamldoc.Node, path string) string {
	if path == "" {
		for _, t := range policy.SchemaOf(c.item.Kind).Types {
			if (&policy.Member{Members: t.Members}).Lookup(k.Value) != nil {
				return fmt.Sprintf("It belongs to %s, which this is not: remove it", strings.TrimPrefix(t.Type, "#microsoft.graph."))
			}
		}
	}
	if strings.HasSuffix(strings.ToLower(k.File), ".json") {
		return "Remove it"
	}
	return "Remove it; a comment is written with #"
}

func specialAt(path string, special []string) []string {
	if path == "" {
		return special
	}
	return nil
}

// beta reports a member that v1.0 lacks. What is null, empty or not enabled
// asks for nothing, and is left out.
func (c *checker) beta(k, v *yamldoc.Node, path string) {
	off := v.Get("isEnabled")
	switch {
	case saysNothing(v), off != nil && off.Kind == yamldoc.Bool && strings.EqualFold(off.Value, "false"):
	case c.allowed(path):
		c.Warn(k, "is known of the beta version of Graph only; the service refuses it (1007) unless v1.0 has it by now")
	default:
		rule := "1007"
		if k.Value == "deviceStates" {
			rule = "1060 and 1007"
		}
		if c.holdsUp(path) {
			c.Add(k, betaAll, rule)
			return
		}
		c.Add(k, betaOnly, "", rule)
	}
}

// betaOnly is said of whatever v1.0 lacks. To take the member out alone would
// often make the policy hold for more than it was meant for.
const betaOnly = "%sexists in the beta version of Graph only; v1.0 refuses it (%s). Leave the policy out of the baseline, or only this if the policy means the same without it"

// betaAll is said of a member without which nothing would be left that the
// service could hold anybody to.
const betaAll = "exists in the beta version of Graph only; v1.0 refuses it (%s), and takes no policy that is nothing without it. Leave the policy out of the baseline"

// holdsUp reports whether a member is all that the policy asks for or is about:
// its only control, or all of its applications.
func (c *checker) holdsUp(path string) bool {
	at := strings.LastIndex(path, ".")
	if at < 0 {
		return false
	}
	parent, name, root := path[:at], path[at+1:], c.item.node
	alone := func(n *yamldoc.Node) bool {
		if n == nil || n.Kind != yamldoc.Mapping {
			return false
		}
		for i, k := range n.Keys {
			other := policy.SchemaOf(c.item.Kind).At(policy.Join(parent, k.Value))
			if k.Value != name && (other == nil || !other.Beta) && !policy.IsAnnotation(k.Value) && !saysNothing(n.Values[i]) {
				return false
			}
		}
		return true
	}
	switch parent {
	case "sessionControls":
		grants := root.Get("grantControls")
		return alone(root.Get("sessionControls")) && (grants == nil || saysNothing(grants))
	case "conditions.applications":
		return alone(root.Get("conditions").Get("applications"))
	}
	return false
}

// saysNothing reports whether a value is null, or holds nothing that is not.
func saysNothing(n *yamldoc.Node) bool {
	switch n.Kind {
	case yamldoc.Null:
		return true
	case yamldoc.Sequence:
		return !slices.ContainsFunc(n.Items, func(it *yamldoc.Node) bool { return !saysNothing(it) })
	case yamldoc.Mapping:
		for i, k := range n.Keys {
			if !policy.IsAnnotation(k.Value) && !saysNothing(n.Values[i]) {
				return false
			}
		}
		return true
	}
	return false
}

func names(m *policy.Member) []string {
	var out []string
	for _, s := range m.Members {
		if !s.ReadOnly && !s.Beta {
			out = append(out, s.Name)
		}
	}
	return out
}

func firstNames(m *policy.Member) string {
	ns := append(names(m), typeNames(m)...)
	return strings.Join(ns[:min(3, len(ns))], ", ")
}

// typeNames are the members that tell the types of an abstract object apart.
func typeNames(m *policy.Member) []string {
	var out []string
	for _, t := range m.Types {
		if !slices.Contains(out, t.Members[0].Name) {
			out = append(out, t.Members[0].Name)
		}
	}
	return out
}

// concrete chooses the type of an abstract object, nil if none can be told.
func (c *checker) concrete(n *yamldoc.Node, m *policy.Member, path string) *policy.Member {
	if len(m.Types) == 0 {
		return m
	}
	d, _ := n.JSON().(map[string]any)
	t := policy.TypeOf(m, d)
	var types []string
	for _, k := range m.Types {
		if k.Type == t {
			return &policy.Member{Name: k.Type, Shape: policy.Object, Members: k.Members}
		}
		types = append(types, k.Type)
	}
	switch {
	case t == "":
		c.Add(n, "needs %s, or an @odata.type", strings.Join(typeNames(m), ", "))
	case c.allowed(policy.Join(path, "@odata.type")):
		// Nothing is known of this type: all of it passes but our own keys.
		return nil
	default:
		c.Suggest(n.Get("@odata.type"), t, types, "%s is no type that v1.0 of Graph takes here", t)
	}
	return nil
}

// value checks what stands for a member.
func (c *checker) value(n *yamldoc.Node, m *policy.Member, path string) {
	switch {
	case n.Kind == yamldoc.Null && !m.Required:
	case m.List:
		items, ok := c.Items(n)
		items = slices.DeleteFunc(slices.Clone(items), func(it *yamldoc.Node) bool { return it.Kind == yamldoc.Null })
		if ok && m.Required && len(items) == 0 {
			c.Add(n, "must not be empty")
		}
		for _, it := range items {
			c.single(it, m, path)
		}
	default:
		c.single(n, m, path)
	}
}

func (c *checker) single(n *yamldoc.Node, m *policy.Member, path string) {
	switch m.Shape {
	case policy.Object:
		c.object(n, m, path)
	case policy.Bool:
		c.Bool(n)
	case policy.Whole:
		c.Int(n)
	case policy.Enum:
		if n.Kind == yamldoc.Bool || n.Kind == yamldoc.Number {
			c.enum(n, n.Value, m.Values) // quotes would not mend it
			return
		}
		if s, ok := c.String(n); ok && !slices.Contains(m.Values, s) && !isAll(s, m.Values) && !c.allowed(path) {
			c.enum(n, s, m.Values)
		}
	case policy.Flags:
		if n.Kind == yamldoc.Sequence {
			c.Add(n, "must be one string, with commas between the values, not a list")
			return
		}
		s, ok := c.String(n)
		if !ok || c.allowed(path) {
			return
		}
		for part := range strings.SplitSeq(s, ",") {
			if part = strings.TrimSpace(part); !slices.Contains(m.Values, part) {
				c.enum(n, part, m.Values)
			}
		}
	default:
		s, ok := c.String(n)
		switch {
		case !ok:
		case strings.Contains(s, "{{"):
			c.Add(n, "is the placeholder of a template and must not contain {{; put the name or id there")
		case strings.TrimSpace(s) == "" && (m.Required || m.List):
			c.Add(n, "must not be empty")
		default:
			c.form(n, s, m)
		}
	}
}
