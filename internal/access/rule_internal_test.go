package access

import (
	"strings"
	"testing"
)

func TestRules(t *testing.T) {
	device := map[string][]string{"device.model": {"Surface Pro"}, "device.physicalids": {"[OrderId]:1", "x"}, "device.displayname": nil}
	value := func(property string) ([]string, bool) { v, ok := device[property]; return v, ok }
	for _, c := range []struct {
		rule string
		want Truth
	}{
		{`device.model -eq "surface pro"`, Yes},
		{`device.model -ne "surface pro"`, No},
		{`device.model -startsWith 'Sur' -and device.model -endsWith "pro"`, Yes},
		{`device.model -contains "face"`, Yes},
		{`device.model -notContains "face"`, No},
		{`device.model -in ["a", "Surface Pro"]`, Yes},
		{`device.model -notIn ["a"]`, Yes},
		{`device.physicalIds -contains "[OrderId]:1"`, Yes},
		{`device.physicalIds -contains "OrderId"`, No}, // of a collection whole strings alone
		{`device.devicePhysicalIDs -contains "x"`, Yes},
		{`device.displayName -eq null`, Yes},
		{`device.displayName -ne "pc"`, Yes}, // null passes what is negative
		{`device.displayName -eq "pc"`, No},
		{`device.trustType -eq "AzureAD"`, Unknown},
		{`device.trustType -eq "AzureAD" -or device.model -startsWith "s"`, Yes},
		{`device.trustType -eq "AzureAD" -and device.model -startsWith "x"`, No},
		{`-not (device.trustType -eq "AzureAD")`, Unknown},
		{`-not device.model -eq "x" -and (device.model -eq "x" -or device.model -eq "surface pro")`, Yes},
		{"device.model -eq \"sur`\"face\"", No}, // an escaped quote
	} {
		r, err := parseRule(c.rule)
		if err != nil {
			t.Errorf("%s: %v", c.rule, err)
			continue
		}
		if got := r.met(value); got != c.want {
			t.Errorf("%s is %v, want %v", c.rule, got, c.want)
		}
	}
	for _, bad := range []string{
		"", "device.model", `device.model -eq`, `device.model -is "x"`, `model -eq "x"`, `device.model -eq "x`, `(device.model -eq "x"`, `device.model -eq "x")`,
		`device.model -in []`, `device.model -in ["x"`, `device.model -eq "x" -xor device.model -eq "y"`, `"device.model" -eq "x"`, strings.Repeat("(", 100),
	} {
		if _, err := parseRule(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// Whatever a rule says, it is read or refused, and judged to one of three.
func FuzzRule(f *testing.F) {
	f.Add(`-not (device.model -in ["a","b"]) -or device.x -eq null`)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseRule(text)
		if err != nil {
			return
		}
		unknown := r.met(func(string) ([]string, bool) { return nil, false })
		for _, values := range [][]string{nil, {"a"}} {
			if got := r.met(func(string) ([]string, bool) { return values, true }); got == Unknown {
				t.Errorf("%q is unknown although all is known", text)
			} else if unknown != Unknown && got != unknown {
				t.Errorf("%q is %v whatever is known, but %v", text, unknown, got)
			}
		}
	})
}
