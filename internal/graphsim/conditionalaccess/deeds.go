package conditionalaccess

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/risksweep/risksweep/internal/graphsim/body"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// operation is what was done to an object, by the log's word for it.
type operation string

const (
	added    operation = "Add"
	updated  operation = "Update"
	deleted  operation = "Delete"
	restored operation = "Restore"
)

// schemaOf is the type of a kept policy or location.
func (w *Workload) schemaOf(kind crudKind, d document) *schema {
	if kind == policyKind {
		return w.types.policy
	}
	return w.placeSchema(d)
}

// deeds tells the audit log what was done to an object (evidence-api §3): the
// whole of it before and after, as JSON text.
func (w *Workload) deeds(op operation, s *schema, i *item, before *version) []wire.Deed {
	d := wire.Deed{Service: "Conditional Access", Category: "Policy", Operation: string(op)}
	property, kind := "NamedLocation", "Policy"
	switch s {
	case w.types.policy:
		d.Activity, property = string(op)+" conditional access policy", "ConditionalAccessPolicy"
	case w.types.strength:
		d.Service, d.Category, property = "Authentication Methods", "ApplicationManagement", "AuthenticationStrengthPolicy"
		d.Activity = "Authentication Strength Policy " + map[operation]string{added: "Create", updated: "Update", deleted: "Delete"}[op]
	default:
		d.Activity = string(op) + " named location"
	}
	change := wire.Change{Name: property}
	if before != nil {
		change.Old = w.logText(s, row{i, *before})
	}
	if op != deleted {
		change.New = w.logText(s, row{i, i.last()})
	}
	d.Targets = []wire.Target{{ID: i.ID, Name: i.last().Doc.text("displayName"), Type: kind, Changed: []wire.Change{change}}}
	return []wire.Deed{d}
}

func contextDeeds(op operation, c context) []wire.Deed {
	return []wire.Deed{{
		Activity: string(op) + " AuthenticationContextClassReference", Service: "Conditional Access", Category: "Policy", Operation: string(op),
		Targets: []wire.Target{{ID: c.ID, Name: c.DisplayName, Type: "Policy"}},
	}}
}

// logText is an object as the log shows it: what is null is left out, and
// controls have the log's names.
func (w *Workload) logText(s *schema, x row) *string {
	r := &wire.Request{Method: http.MethodGet, UnknownEnums: true}
	if s == w.types.strength {
		x = described(x)
	}
	data, err := json.Marshal(w.showUnder(r, s, x, nil, &body.Object{}, ""))
	if err != nil { // documents hold nothing that cannot be marshalled
		return nil
	}
	var v any
	if json.Unmarshal(data, &v) != nil {
		return nil
	}
	v = pruned(v)
	if p, ok := v.(map[string]any); ok {
		if grant, ok := p["grantControls"].(map[string]any); ok {
			if list, ok := grant["builtInControls"].([]any); ok {
				for n, c := range list {
					name, _ := c.(string)
					if list[n] = LogName(name); name == "mfa" {
						list[n] = "MFA"
					}
				}
			}
		}
	}
	if data, err = json.Marshal(v); err != nil {
		return nil
	}
	text := string(data)
	return &text
}

// pruned leaves out what is null and what only annotates.
func pruned(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			if inner == nil || strings.HasSuffix(name, "@odata.context") {
				delete(v, name)
				continue
			}
			v[name] = pruned(inner)
		}
	case []any:
		for i := range v {
			v[i] = pruned(v[i])
		}
	}
	return v
}

// LogName is the name that the logs have for a control: some of their own, and
// for the others that of the policy with a capital letter.
func LogName(control string) string {
	switch control {
	case "compliantDevice":
		return "RequireCompliantDevice"
	case "domainJoinedDevice":
		return "RequireDomainJoinedDevice"
	case "approvedApplication":
		return "RequireApprovedApp"
	case "compliantApplication":
		return "RequireCompliantApp"
	case "":
		return ""
	}
	return strings.ToUpper(control[:1]) + control[1:]
}
