// Package risksweep embeds the files that travel with the binary: host.json,
// the function.json files, the examples and the JSON Schemas. It holds data
// only and never reads or writes anything at run time.
package risksweep

import "embed"

// Examples is the example configuration with its triage rules and baseline,
// below "examples".
//
//go:embed examples
var Examples embed.FS

// FunctionApp is what a function app consists of besides the binary: host.json
// and functions/<Name>/function.json.
//
//go:embed host.json functions/*/function.json
var FunctionApp embed.FS
