package baseline

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// foreign deals with an object that is nothing a baseline knows, but that other
// tools leave beside policies: it takes the one object that stands within it,
// or says in one line what it is. It is false for what may be a baseline file
// with a misspelt key.
func (l *loader) foreign(n *yamldoc.Node) bool {
	if n.Kind != yamldoc.Mapping || len(n.Keys) == 0 || misspelt(n) {
		return false
	}
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return n.Get(name) != nil })
	}
	within, path := inside(n)
	switch {
	case has("Conditions", "GrantControls", "SessionControls", "IpRanges", "CountriesAndRegions", "AllowedCombinations"):
		l.Add(n, "this is an object as the PowerShell modules write it, with members in capitals; read it as Microsoft Graph writes it: Invoke-MgGraphRequest -Uri v1.0/identity/conditionalAccess/policies/ID -OutputType Json")
	case len(within) == 1 && within[0].Get("displayName") == nil && kindOf(within[0]) == entra.KindPolicy:
		l.Add(within[0], "this is a template, its policy stands in %s without displayName and state: put what stands there into a file of its own, and add them", path)
	case len(within) == 1 && within[0].Get("displayName") == nil:
		l.Add(n, "this is another tool's file, what stands in %s has no displayName: write %s of your own as Microsoft Graph has it, or export the one that the tool made", path, kindOf(within[0]).ANoun())
	case len(within) == 1:
		l.Warn(within[0], "only what stands in %s is taken; the rest of the file is another tool's", path)
		l.item(kindOf(within[0]), within[0])
	case len(within) > 1:
		l.Add(n, "this is another tool's file with %d policies, named locations or strengths in it; put each, or a list of them, into a file of its own", len(within))
	case packed(n) != "":
		l.Add(n, "this is another tool's template, its policy stands as text in %s: put that text into a file of its own", packed(n))
	case has("securityEnabled", "mailEnabled", "groupTypes"):
		l.Add(n, "this is a group, and a baseline makes no groups: leave the file out, and name the group in the policies")
	case has("userPrincipalName"):
		l.Add(n, "this is a user, and a baseline makes no users: leave the file out, and name the user in the policies")
	case has("appId"):
		l.Add(n, "this is an application or a service principal, and a baseline makes none: leave the file out, and name it in the policies")
	case len(n.Keys) > 1:
		l.Add(n, "this is neither a baseline nor a policy, named location or authentication strength; leave the file out")
	default:
		return false
	}
	return true
}

// ownWords says in one line that a policy is written in another tool's words: it
// has neither state nor controls, and instead members that Graph lacks. To remove
// those, one by one, would leave a policy that means something else.
func (l *loader) ownWords(n *yamldoc.Node) bool {
	m := policy.SchemaOf(entra.KindPolicy)
	known := append(names(m), specialKeys(entra.KindPolicy)...)
	var others []string
	for i, k := range n.Keys {
		switch sub := m.Lookup(k.Value); {
		case k.Value == "state" || k.Value == "grantControls" || k.Value == "sessionControls":
			return false
		case sub != nil || slices.Contains(known, k.Value) || policy.IsAnnotation(k.Value) || saysNothing(n.Values[i]):
		case yamldoc.Misspelt(k.Value, known) != "":
			return false
		default:
			others = append(others, k.Value)
		}
	}
	if len(others) < 2 {
		return false
	}
	l.Add(n, "this is a policy in another tool's own words (%s), not as Microsoft Graph has it: export the policy that the tool made, or write it anew", strings.Join(others[:min(3, len(others))], ", "))
	return true
}

// misspelt reports whether a key is nearly one of a baseline file.
func misspelt(n *yamldoc.Node) bool {
	for i, k := range n.Keys {
		if v := n.Values[i]; yamldoc.Misspelt(k.Value, topKeys) != "" && (v.Kind != yamldoc.Mapping || kindOf(v) == "") {
			return true
		}
	}
	return false
}

// inside finds the objects of a baseline within another tool's, and where the
// last of them stands.
func inside(n *yamldoc.Node) (found []*yamldoc.Node, path string) {
	for i, k := range n.Keys {
		v := n.Values[i]
		switch {
		case v.Kind == yamldoc.Mapping && kindOf(v) != "":
			found, path = append(found, v), k.Value
		case v.Kind == yamldoc.Mapping:
			if more, at := inside(v); len(more) > 0 {
				found, path = append(found, more...), k.Value+"."+at
			}
		case v.Kind == yamldoc.Sequence:
			for _, it := range v.Items {
				if it.Kind == yamldoc.Mapping && kindOf(it) != "" {
					found, path = append(found, it), k.Value
				}
			}
		}
	}
	return found, path
}

// packed names the member that holds a policy as JSON text, empty if none does.
func packed(n *yamldoc.Node) string {
	for i, k := range n.Keys {
		v := n.Values[i]
		if v.Kind != yamldoc.String || !strings.HasPrefix(strings.TrimSpace(v.Value), "{") {
			continue
		}
		var d map[string]json.RawMessage
		if json.Unmarshal([]byte(v.Value), &d) == nil && (d["conditions"] != nil || d["ipRanges"] != nil || d["countriesAndRegions"] != nil) {
			return k.Value
		}
	}
	return ""
}
