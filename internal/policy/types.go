package policy

import (
	"net/netip"
	"strings"
)

// concrete chooses the type of an abstract object: by its annotation, else by
// the members it has. The name of the result is the type's.
func (m *Member) concrete(v map[string]any) *Member {
	if len(m.Types) == 0 {
		return m
	}
	t := TypeOf(m, v)
	for _, c := range m.Types {
		if c.Type == t {
			return &Member{Name: c.Type, Shape: Object, Members: c.Members}
		}
	}
	unknown := &Member{Name: t, Shape: Object}
	for _, r := range m.Types[0].Members {
		if r.ReadOnly { // what is the service's own in one type is so in all
			unknown.Members = append(unknown.Members, r)
		}
	}
	return unknown
}

// TypeOf derives the @odata.type of an object of an abstract type: from the
// members that only one type has, else from its annotation. It is empty if
// neither tells.
func TypeOf(m *Member, v map[string]any) string {
	given, _ := v["@odata.type"].(string)
	if given != "" && !strings.HasPrefix(given, "#") {
		given = "#" + given
	}
	text := func(name string) string { s, _ := v[name].(string); return s }
	is6 := func(s string) bool { return strings.Contains(s, ":") }
	choose := func(v6 bool, four, six string) string {
		if v6 {
			return six
		}
		return four
	}
	switch {
	case text("cidrAddress") != "":
		return choose(is6(text("cidrAddress")), typeIPv4, typeIPv6)
	case text("lowerAddress") != "":
		return choose(is6(text("lowerAddress")), typeIPv4Range, typeIPv6Range)
	}
	if given != "" {
		for _, c := range m.Types {
			if strings.EqualFold(c.Type, given) {
				return c.Type
			}
		}
		return given
	}
	if strings.EqualFold(text("membershipKind"), "all") {
		return typeAllTenants
	}
	for _, c := range m.Types {
		if _, ok := v[c.Members[0].Name]; ok && c.Type != typeAllTenants {
			return c.Type
		}
	}
	if text("membershipKind") != "" {
		return typeSomeTenants
	}
	return ""
}

// fixAddresses writes ranges as Go's netip does, host bits cleared: the
// service takes 12.34.221.11/22 and means 12.34.220.0/22.
func fixAddresses(t string, out map[string]any) {
	switch t {
	case typeIPv4, typeIPv6:
		s, _ := out["cidrAddress"].(string)
		if p, err := netip.ParsePrefix(strings.TrimSpace(s)); err == nil {
			out["cidrAddress"] = p.Masked().String()
		}
	case typeIPv4Range, typeIPv6Range:
		for _, name := range []string{"lowerAddress", "upperAddress"} {
			s, _ := out[name].(string)
			if a, err := netip.ParseAddr(strings.TrimSpace(s)); err == nil {
				out[name] = a.String()
			}
		}
	}
}
