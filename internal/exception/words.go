package exception

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// Time says an end for a person.
func Time(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// Days says a length of time in days, where it is that long.
func Days(d time.Duration) string {
	days := d.Hours() / 24
	switch {
	case days < 1:
		return d.Round(time.Minute).String()
	case math.Round(days) == 1:
		return "1 day"
	}
	return fmt.Sprintf("%.0f days", math.Ceil(days-0.001))
}

// JSONSchema is the schema of exceptions files, for editors.
func JSONSchema() []byte {
	text := func(description string) map[string]any {
		return map[string]any{"type": "string", "minLength": 1, "description": description}
	}
	list := func(description string) map[string]any {
		return map[string]any{"type": "array", "minItems": 1, "uniqueItems": true, "items": map[string]any{"type": "string", "minLength": 1}, "description": description}
	}
	one := map[string]any{"type": "object", "additionalProperties": false,
		"required": []string{"id", "users", "policies", "until", "reason", "owner"},
		"properties": map[string]any{
			"id": text("unique in the file"), "users": list("user principal names or object ids"), "policies": list("keys of policies in the baseline"),
			"until":  map[string]any{"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}", "description": "a time with its zone such as 2026-12-08T18:00:00Z, or a day, which counts to its end in UTC"},
			"reason": text("why, for the report"), "owner": text("who answers for it"), "ticket": text("where it was asked for"),
			"privileged": map[string]any{"type": "boolean", "description": "its users may hold directory roles"},
		}}
	schema := map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "risksweep exceptions",
		"type": "object", "additionalProperties": false, "required": []string{"exceptions"},
		"properties": map[string]any{"$schema": map[string]any{"type": "string"}, "exceptions": map[string]any{"type": "array", "items": one}},
	}
	out, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		panic(err) // made of literals above
	}
	return out
}
