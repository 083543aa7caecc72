package expectation

import (
	"encoding/json"

	"github.com/risksweep/risksweep/internal/access"
)

// JSONSchema is the schema of expectations files, for editors.
func JSONSchema() []byte {
	text := map[string]any{"type": "string", "minLength": 1}
	enum := func(values []string) map[string]any { return map[string]any{"enum": values} }
	object := func(properties map[string]any, required ...string) map[string]any {
		return map[string]any{"type": "object", "additionalProperties": false, "properties": properties, "required": append([]string{}, required...)}
	}
	list := func(of any) map[string]any { return map[string]any{"type": "array", "items": of} }
	device := map[string]any{"registered": map[string]any{"type": "boolean"}}
	for _, p := range access.DeviceProperties() {
		device[p] = map[string]any{"type": []string{"string", "boolean", "array"}}
	}
	one := object(map[string]any{
		"name": text, "user": text, "group": text, "role": text, "servicePrincipal": text,
		"guests": map[string]any{"const": true}, "everyone": map[string]any{"const": true},
		"app": text, "action": enum(actions), "context": text, "withReportOnly": map[string]any{"type": "boolean"},
		"when": object(map[string]any{
			"platform": enum(platforms), "clientAppType": enum(clients), "ipAddress": text, "country": map[string]any{"type": "string", "pattern": "^[A-Za-z]{2}$"},
			"signInRiskLevel": enum(levels), "userRiskLevel": enum(levels), "servicePrincipalRiskLevel": enum(levels), "insiderRiskLevel": enum(insider),
			"authenticationFlow": enum(flows), "compliantNetwork": map[string]any{"type": "boolean"}, "device": object(device),
		}),
		"expect": object(map[string]any{
			"outcome": enum(outcomes), "demands": list(map[string]any{"anyOf": []any{text, list(text)}}), "policies": list(text), "notPolicies": list(text),
		}),
	}, "name", "expect")
	exactlyOne := func(keys ...string) map[string]any {
		var of []any
		for _, k := range keys {
			of = append(of, map[string]any{"required": []string{k}})
		}
		return map[string]any{"oneOf": of}
	}
	one["allOf"] = []any{exactlyOne(subjectKeys...), exactlyOne("app", "action", "context")}
	schema := object(map[string]any{"expectations": list(one)}, "expectations")
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "risksweep expectations"
	out, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		panic(err) // made of literals above
	}
	return out
}
