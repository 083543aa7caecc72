package baseline

import (
	"encoding/json"
	"regexp"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
)

// JSONSchema is a JSON Schema (draft 2020-12) of baseline files for editors,
// made from the same table that validation goes by. It accepts whatever
// validation accepts; what no schema can say (composition rules, names that
// stand twice) is left to validation.
func JSONSchema() []byte {
	defs := map[string]any{"nothing": nothing}
	for _, kind := range policy.Kinds {
		strict, free := itemSchema(kind, false), itemSchema(kind, true)
		defs[string(kind)] = map[string]any{
			"if": map[string]any{"required": []string{"allowUnknown"}}, "then": free, "else": strict,
		}
	}
	ref := func(kind entra.ObjectKind) map[string]any { return map[string]any{"$ref": "#/$defs/" + string(kind)} }
	any3 := map[string]any{"anyOf": []any{ref(entra.KindPolicy), ref(entra.KindLocation), ref(entra.KindStrength)}}
	section := func(kind entra.ObjectKind, doc string) map[string]any {
		return map[string]any{"description": doc, "anyOf": []any{
			map[string]any{"type": "array", "items": ref(kind)},
			wrapper(ref(kind)), map[string]any{"type": "null"},
		}}
	}
	properties := map[string]any{
		"$schema": map[string]any{"type": "string"},
		"breakGlass": map[string]any{"type": "object", "additionalProperties": false, "description": "accounts that no policy may lock out; excluded from every policy for people",
			"properties": map[string]any{"users": stringList("UPNs or object ids"), "groups": stringList("names or object ids, at most ten members each"),
				"testEvery": map[string]any{"type": "string", "pattern": periodPattern, "description": "how long an account may go without a sign-in before the report says that a test is due, 1d to 365d, such as 90d"}}},
		"namedLocations":          section(entra.KindLocation, "graph namedLocation, both kinds"),
		"authenticationStrengths": section(entra.KindStrength, "graph authenticationStrengthPolicy, custom ones"),
		"policies":                section(entra.KindPolicy, "graph conditionalAccessPolicy"),
	}
	defs["baseline"] = map[string]any{"type": "object", "properties": properties, "additionalProperties": false,
		"patternProperties": map[string]any{annotation: true}}
	var isFile []any
	for _, k := range topKeys[1:] {
		isFile = append(isFile, map[string]any{"required": []string{k}})
	}
	root := map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"title":   "risksweep baseline", "$defs": defs,
		"if":   map[string]any{"type": "object", "anyOf": isFile},
		"then": map[string]any{"$ref": "#/$defs/baseline"},
		"else": map[string]any{"anyOf": []any{
			map[string]any{"type": "null"}, map[string]any{"$ref": "#/$defs/baseline"},
			map[string]any{"type": "array", "items": any3}, wrapper(any3), any3,
		}},
	}
	out, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil // maps of strings and lists always encode
	}
	return append(out, '\n')
}

func wrapper(items any) map[string]any {
	return map[string]any{"type": "object", "required": []string{"value"}, "additionalProperties": false, "patternProperties": map[string]any{annotation: true},
		"properties": map[string]any{"value": map[string]any{"type": "array", "items": items}}}
}

func stringList(doc string) map[string]any {
	return map[string]any{"type": "array", "description": doc, "items": map[string]any{"type": "string", "minLength": 1}}
}

// itemSchema describes one object with our own keys.
func itemSchema(kind entra.ObjectKind, free bool) map[string]any {
	own := map[string]any{
		"key":          map[string]any{"type": "string", "minLength": 1, "description": "stable identity within the baseline; displayName by default"},
		"allowUnknown": stringList("paths of members that are newer than this schema"),
	}
	if kind == entra.KindPolicy {
		own["acceptLockout"] = map[string]any{"type": "boolean", "description": "the policy may block all users on all applications"}
		own["exceptions"] = map[string]any{"enum": []string{"none"}, "description": "none: the policy takes no exceptions"}
		own["unmanaged"] = stringList("paths whose values are left to the tenant, such as state or sessionControls")
	}
	if kind == entra.KindPolicy {
		count := func(doc string, least int) map[string]any {
			return map[string]any{"type": "integer", "minimum": least, "description": doc}
		}
		own["promote"] = map[string]any{"type": "object", "additionalProperties": false, "description": "beside state: enabled: the policy is made report-only, and enabled when the sign-in log shows that it may be",
			"properties": map[string]any{
				"after":           map[string]any{"type": "string", "pattern": periodPattern, "description": "how long it must have been report-only and unchanged, 1d to 30d; default 14d"},
				"minSignIns":      count("sign-ins that it must have been held against; default 200", 1),
				"maxRefusedUsers": count("users who may be refused; default 0", 0),
				"maxAskedUsers":   count("users who may be asked for something; default 25", 0),
			}}
	}
	out := objectSchema(policy.SchemaOf(kind), free, own)
	// Beside a key an id says which live object is meant; without one it is what a
	// pasted object brings along.
	out["dependentSchemas"] = map[string]any{"key": map[string]any{"properties": map[string]any{"id": map[string]any{"anyOf": []any{
		map[string]any{"type": "null"}, map[string]any{"type": "string", "pattern": idPattern}}}}}}
	return out
}

// annotation matches the names that are OData's own.
const annotation = "@|^#"

// nothing matches what an export shows for a member that is not in use, and
// empty refers to it.
var (
	empty   = map[string]any{"$ref": "#/$defs/nothing"}
	nothing = map[string]any{"anyOf": []any{map[string]any{"type": "null"}, map[string]any{"type": "array", "items": empty},
		map[string]any{"type": "object", "patternProperties": map[string]any{annotation: true}, "additionalProperties": empty}}}
)

func objectSchema(m *policy.Member, free bool, own map[string]any) map[string]any {
	if len(m.Types) > 0 {
		var types []any
		for _, c := range m.Types {
			types = append(types, objectSchema(&policy.Member{Members: c.Members}, free, own))
		}
		if free {
			types = append(types, map[string]any{"type": "object", "required": []string{"@odata.type"}})
		}
		return map[string]any{"anyOf": types}
	}
	properties, required := map[string]any{}, []string{}
	for i := range m.Members {
		sub := &m.Members[i]
		properties[sub.Name] = memberSchema(sub, free)
		if sub.Required && sub.Ref != entra.KindStrength {
			required = append(required, sub.Name)
		}
	}
	for k, v := range own {
		properties[k] = v
	}
	out := map[string]any{"type": "object", "properties": properties, "patternProperties": map[string]any{annotation: true}}
	if len(required) > 0 {
		out["required"] = required
	}
	if !free {
		out["additionalProperties"] = empty
	}
	return out
}

func memberSchema(m *policy.Member, free bool) map[string]any {
	doc := m.Doc
	if m.ReadOnly || m.Beta && free {
		return map[string]any{"description": doc}
	}
	if m.Beta {
		off := map[string]any{"type": "object", "required": []string{"isEnabled"}, "properties": map[string]any{"isEnabled": map[string]any{"const": false}}}
		return map[string]any{"description": doc, "anyOf": []any{empty, off}}
	}
	s := singleSchema(m, free)
	if m.List {
		s = map[string]any{"type": "array", "items": map[string]any{"anyOf": []any{s, map[string]any{"type": "null"}}}}
		if m.Required {
			s["minItems"] = 1
		}
	}
	switch {
	case m.Shape == policy.Object && !m.Required:
		s = map[string]any{"anyOf": []any{s, empty}}
	case !m.Required:
		s = map[string]any{"anyOf": []any{s, map[string]any{"type": "null"}}}
	}
	s["description"] = doc
	return s
}

// enumSchema takes the values as they are spelled, and all in any case, as
// exports and the service's own samples write it.
func enumSchema(values []string) map[string]any {
	enum := map[string]any{"type": "string", "enum": values}
	if !isAll(policy.WordAll, values) {
		return enum
	}
	return map[string]any{"anyOf": []any{enum, map[string]any{"type": "string", "pattern": "^[Aa][Ll][Ll]$"}}}
}

func singleSchema(m *policy.Member, free bool) map[string]any {
	switch m.Shape {
	case policy.Object:
		return objectSchema(m, free, nil)
	case policy.Bool:
		return map[string]any{"type": "boolean"}
	case policy.Whole:
		return map[string]any{"type": "integer"}
	case policy.Enum:
		if !free {
			return enumSchema(m.Values)
		}
	case policy.Flags:
		if !free {
			var values []string
			for _, v := range m.Values {
				values = append(values, regexp.QuoteMeta(v))
			}
			one := "(" + strings.Join(values, "|") + ")"
			return map[string]any{"type": "string", "pattern": `^\s*` + one + `(\s*,\s*` + one + `)*\s*$`}
		}
	}
	s := map[string]any{"type": "string"}
	if m.Required || m.List {
		s["minLength"] = 1
	}
	return s
}
