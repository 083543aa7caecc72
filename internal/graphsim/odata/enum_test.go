package odata

import (
	"strings"
	"testing"
)

// Literals of enumerations may name their type, and flags are asked for by has.
func TestEnumerationLiterals(t *testing.T) {
	t.Parallel()
	level := &Enumeration{Name: "microsoft.graph.riskLevel", Members: []string{"low", "medium", "high"}}
	mode := &Enumeration{Name: "microsoft.graph.mode", Members: []string{"password", "sms", "voice"}}
	c := &Collection{Type: "microsoft.graph.thing", Filterable: true, Members: []Member{
		{Name: "level", Kind: Enum, Enum: level}, {Name: "name", Kind: String},
		{Name: "way", Kind: Enum, Enum: mode}, {Name: "ways", Kind: Enum, Enum: mode, Collection: true},
	}}
	row := func(member string) Value {
		switch member {
		case "level":
			return EnumValue("medium")
		case "way":
			return EnumValue("password,sms")
		case "ways":
			return Texts([]string{"voice", "password,sms"})
		}
		return Text("x")
	}
	for filter, want := range map[string]any{
		"level eq microsoft.graph.riskLevel'medium'":         true,
		"level ne Microsoft.Graph.RiskLevel'MEDIUM'":         false,
		"microsoft.graph.riskLevel'low' lt level":            true,
		"level in (microsoft.graph.riskLevel'low','medium')": true,
		"way has 'sms'": true,
		"way has microsoft.graph.mode'sms,password'": true,
		"way has 'voice'":                                            false,
		"ways/any(x:x has 'sms, password')":                          true,
		"ways/all(x:x has 'password')":                               false,
		"not (way has 'voice') and ways/any(w: w eq 'password,sms')": true,
		"level eq microsoft.graph.mode'sms'":                         "incompatible types",
		"name eq microsoft.graph.riskLevel'low'":                     "incompatible types",
		"level eq microsoft.graph.riskLevel'huge'":                   "not a valid enumeration",
		"way has microsoft.graph.riskLevel'low'":                     "incompatible types",
		"way has 'fax'":                                              "not a valid enumeration",
		"name has 'x'":                                               "incompatible types",
		"way has level":                                              "incompatible types",
		"level eq microsoft.graph.riskLevel'low":                     "unterminated",
	} {
		f, err := c.ParseFilter(filter, false)
		message, wrong := want.(string)
		switch {
		case wrong && (err == nil || !strings.Contains(err.Message, message)):
			t.Errorf("%s: %v, want %s", filter, err, message)
		case !wrong && err != nil:
			t.Errorf("%s: %v", filter, err)
		case !wrong:
			if f.Match(row) != want {
				t.Errorf("%s is not %v", filter, want)
			}
			again, err := c.ParseFilter(f.String(), false)
			if err != nil || again.Match(row) != want {
				t.Errorf("%s was printed as %s: %v", filter, f, err)
			}
		}
	}
}
