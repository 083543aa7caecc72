package baseline

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// specialKeys are the members that are ours and not Graph's, by kind.
func specialKeys(kind entra.ObjectKind) []string {
	if kind == entra.KindPolicy {
		return []string{"key", "acceptLockout", "unmanaged", "allowUnknown"}
	}
	return []string{"key", "allowUnknown"}
}

// item reads one object: our own keys, then its members by the schema.
func (l *loader) item(kind entra.ObjectKind, n *yamldoc.Node) {
	if n.Kind != yamldoc.Mapping {
		l.Add(n, "must be %s, not %s", article(kind), n.Kind)
		return
	}
	it := Item{Kind: kind, node: n}
	if k, ok := l.String(n.Get("key")); ok {
		if it.Key = k; strings.TrimSpace(k) == "" || strings.ContainsAny(k, "{}=\n") {
			l.Add(n.Get("key"), "must be a name without braces or =")
		}
	}
	if a, ok := l.Bool(n.Get("acceptLockout")); ok && kind == entra.KindPolicy {
		it.AcceptLockout = a
	}
	if paths, ok := l.Strings(n.Get("allowUnknown")); ok {
		it.AllowUnknown = paths
	}
	c := &checker{loader: l, item: &it, special: specialKeys(kind)}
	c.object(n, entra.SchemaOf(kind), "")
	if kind == entra.KindPolicy {
		it.Unmanaged = l.unmanaged(n.Get("unmanaged"))
	}
	l.checkAllowUnknown(n.Get("allowUnknown"), kind)
	it.Want = want(kind, n, c.special)
	if it.Key == "" {
		it.Key = it.DisplayName()
	}
	switch kind {
	case entra.KindLocation:
		l.b.Locations = append(l.b.Locations, it)
	case entra.KindStrength:
		l.b.Strengths = append(l.b.Strengths, it)
	default:
		l.b.Policies = append(l.b.Policies, it)
	}
	l.rules(it)
}

// want is the canonical form of what is written, our own keys left out.
func want(kind entra.ObjectKind, n *yamldoc.Node, special []string) entra.Document {
	d, _ := n.JSON().(map[string]any)
	for _, k := range special {
		delete(d, k)
	}
	if s := obj(d, "grantControls.authenticationStrength"); s != nil && s["id"] == nil && s["displayName"] != nil {
		s["id"] = s["displayName"]
	}
	return entra.Canonical(kind, d)
}

func article(kind entra.ObjectKind) string {
	switch kind {
	case entra.KindLocation:
		return "a named location"
	case entra.KindStrength:
		return "an authentication strength"
	}
	return "a policy"
}

func (l *loader) unmanaged(n *yamldoc.Node) []string {
	items, _ := l.Items(n)
	var out []string
	for _, it := range items {
		p, ok := l.String(it)
		switch {
		case !ok:
		case p == "conditions" || p == "conditions.users" || strings.HasPrefix(p, "conditions.users."):
			l.Add(it, "%s cannot be unmanaged: whom a policy reaches, and who is excluded from it, is the baseline's", p)
		case p == "displayName":
			l.Add(it, "displayName cannot be unmanaged")
		case !knownPath(p):
			l.Suggest(it, p, policyPaths(), "%q is no member of a policy", p)
		default:
			out = append(out, p)
		}
	}
	return out
}

func knownPath(p string) bool {
	m := entra.SchemaOf(entra.KindPolicy).At(p)
	return m != nil && !m.ReadOnly
}

// policyPaths are the members of a policy down to the second level.
func policyPaths() []string {
	var out []string
	for _, m := range entra.SchemaOf(entra.KindPolicy).Members {
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
		switch m := entra.SchemaOf(kind).At(it.Value); {
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

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (c *checker) allowed(path string) bool { return slices.Contains(c.item.AllowUnknown, path) }

// object checks a mapping. The path is relative to the item.
func (c *checker) object(n *yamldoc.Node, m *entra.Member, path string) {
	if n.Kind != yamldoc.Mapping {
		c.Add(n, "must be an object with members such as %s, not %s", firstNames(m), n.Kind)
		return
	}
	if m = c.concrete(n, m, path); m == nil {
		return
	}
	for i, k := range n.Keys {
		name, v := k.Value, n.Values[i]
		sub := m.Lookup(name)
		p := join(path, name)
		switch {
		case strings.Contains(name, "@"):
		case path == "" && slices.Contains(c.special, name):
		case sub == nil:
			if !c.allowed(p) {
				c.unknown(k, v, m, path)
			}
		case sub.ReadOnly:
		case sub.Beta:
			if !isEmpty(v) && !c.allowed(p) {
				c.Add(k, "exists in the beta version of Graph only; v1.0 refuses it (%s)", betaRule(name))
			}
		default:
			c.value(v, sub, p)
		}
	}
	for i := range m.Members {
		if r := &m.Members[i]; r.Required && n.Get(r.Name) == nil {
			if r.Ref == entra.KindStrength && n.Get("displayName") != nil {
				continue
			}
			c.Add(n, "%s is missing", r.Name)
		}
	}
}

// unknown reports a member that the schema lacks. An empty one that is not
// nearly a member we know passes: an export of a newer service may show it.
func (c *checker) unknown(k, v *yamldoc.Node, m *entra.Member, path string) {
	near := yamldoc.Nearest(k.Value, append(names(m), specialAt(path, c.special)...))
	switch {
	case near != "":
		c.Suggest(k, k.Value, []string{near}, "unknown member")
	case !isEmpty(v):
		c.Add(k, "unknown member; the service would refuse it (1007). If it is newer than this program, list it: allowUnknown: [%s]", join(path, k.Value))
	}
}

func specialAt(path string, special []string) []string {
	if path == "" {
		return special
	}
	return nil
}

func betaRule(name string) string {
	if name == "deviceStates" {
		return "1060 and 1007"
	}
	return "1007"
}

func isEmpty(n *yamldoc.Node) bool {
	switch n.Kind {
	case yamldoc.Null:
		return true
	case yamldoc.Sequence:
		return len(n.Items) == 0
	case yamldoc.Mapping:
		return len(n.Keys) == 0
	}
	return false
}

func names(m *entra.Member) []string {
	var out []string
	for _, s := range m.Members {
		if !s.ReadOnly && !s.Beta {
			out = append(out, s.Name)
		}
	}
	return out
}

func firstNames(m *entra.Member) string {
	ns := names(m)
	for _, t := range m.Types {
		ns = append(ns, t.Members[0].Name)
	}
	ns = slices.Compact(ns)
	return strings.Join(ns[:min(3, len(ns))], ", ")
}

// concrete chooses the type of an abstract object, nil if none can be told.
func (c *checker) concrete(n *yamldoc.Node, m *entra.Member, path string) *entra.Member {
	if len(m.Types) == 0 {
		return m
	}
	d, _ := n.JSON().(map[string]any)
	t := entra.TypeOf(m, d)
	var types []string
	for _, k := range m.Types {
		if k.Type == t {
			return &entra.Member{Name: k.Type, Shape: entra.Object, Members: k.Members}
		}
		types = append(types, k.Type)
	}
	switch {
	case t == "":
		c.Add(n, "needs %s, or an @odata.type", strings.Join(distinguishing(m), ", "))
	case c.allowed(join(path, "@odata.type")):
		// Nothing is known of this type: all of it passes but our own keys.
		return nil
	default:
		c.Suggest(n.Get("@odata.type"), t, types, "%s is no type that may stand here", t)
	}
	return nil
}

func distinguishing(m *entra.Member) []string {
	var out []string
	for _, t := range m.Types {
		if !slices.Contains(out, t.Members[0].Name) {
			out = append(out, t.Members[0].Name)
		}
	}
	return out
}

// value checks what stands for a member.
func (c *checker) value(n *yamldoc.Node, m *entra.Member, path string) {
	switch {
	case n.Kind == yamldoc.Null && m.Nullable:
	case n.Kind == yamldoc.Null && m.Default != nil:
	case m.List:
		items, ok := c.Items(n)
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

func (c *checker) single(n *yamldoc.Node, m *entra.Member, path string) {
	switch m.Shape {
	case entra.Object:
		c.object(n, m, path)
	case entra.Bool:
		c.Bool(n)
	case entra.Whole:
		c.Int(n)
	case entra.Enum:
		if s, ok := c.String(n); ok && !slices.Contains(m.Values, s) && !c.allowed(path) {
			c.enum(n, s, m.Values)
		}
	case entra.Flags:
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
			c.Add(n, "must not contain {{")
		case strings.TrimSpace(s) == "" && (m.Required || m.List):
			c.Add(n, "must not be empty")
		default:
			c.form(n, s, m)
		}
	}
}

func (c *checker) enum(n *yamldoc.Node, s string, values []string) {
	if s == "unknownFutureValue" {
		c.Add(n, "unknownFutureValue is what an older client reads for a value that it does not know; the service refuses it (1007)")
		return
	}
	p := yamldoc.Problem{File: n.File, Line: n.Line, Column: n.Column, Path: n.Path, Offending: s, Suggestion: yamldoc.Nearest(s, values),
		Message: fmt.Sprintf("%q is not one of %s", s, strings.Join(values, ", "))}
	if v, ok := portalWords[strings.ToLower(s)]; ok && slices.Contains(values, v) {
		p.Suggestion = v
	}
	c.AddProblem(p)
}

// portalWords are what the portal and people call the states of a policy.
var portalWords = map[string]string{"report-only": entra.PolicyReportOnly, "reportonly": entra.PolicyReportOnly, "report": entra.PolicyReportOnly,
	"on": entra.PolicyEnabled, "off": entra.PolicyDisabled}

var (
	country     = regexp.MustCompile(`^[A-Za-z]{2}$`)
	authContext = regexp.MustCompile(`^[cC][1-9][0-9]?$`)
)

// form checks text that has a form of its own.
func (c *checker) form(n *yamldoc.Node, s string, m *entra.Member) {
	isWord := slices.ContainsFunc(m.Words, func(w string) bool { return strings.EqualFold(w, s) })
	if m.Ref == entra.KindUser && !isWord && !isUserName(s) {
		c.Suggest(n, s, m.Words, "%q is neither a user principal name nor an object id nor a special word", s)
	}
	switch m.Name {
	case "displayName":
		if len([]rune(s)) > 256 {
			c.Add(n, "is longer than 256 characters")
		}
	case "cidrAddress":
		p, err := netip.ParsePrefix(s)
		_, bare := netip.ParseAddr(s)
		switch {
		case bare == nil:
			c.Add(n, "%q needs a prefix length; the service refuses a bare address", s)
		case err != nil:
			c.Add(n, "%q is no address range", s)
		case p.Bits() <= 8:
			c.Add(n, "%q is too large: the service takes only prefixes longer than /8", s)
		}
	case "lowerAddress", "upperAddress":
		if _, err := netip.ParseAddr(s); err != nil {
			c.Add(n, "%q is no address", s)
		}
	case "countriesAndRegions":
		if !country.MatchString(s) {
			c.Add(n, "%q is no two-letter country code of ISO 3166-1", s)
		}
	case "includeAuthenticationContextClassReferences":
		if !authContext.MatchString(s) {
			c.Add(n, "%q is no authentication context; they are c1 to c99", s)
		}
	case "includeUserActions":
		if !isWord && !c.allowed("conditions.applications.includeUserActions") {
			c.Suggest(n, s, m.Words, "%q is not one of %s", s, strings.Join(m.Words, ", "))
		}
	case "members":
		if !entra.IsID(s) {
			c.Add(n, "%q is no tenant id", s)
		}
	}
}
