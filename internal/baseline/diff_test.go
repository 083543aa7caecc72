package baseline

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/entra"
)

func TestDifferencesInWords(t *testing.T) {
	n := namer{finance: "Finance", ada: "ada@contoso.com"}
	before := doc(t, `{"state":"enabled","conditions":{"users":{"includeUsers":["`+ada+`"],"excludeGroups":["`+finance+`"]},"clientAppTypes":["all"]},
		"sessionControls":{"signInFrequency":{"isEnabled":true,"type":"hours","value":4}},"ipRanges":[{"cidrAddress":"192.0.2.0/24"}]}`)
	after := doc(t, `{"state":"disabled","conditions":{"users":{"includeUsers":["All"],"excludeGroups":["`+finance+`","{{group:New}}"]},"clientAppTypes":["all"]},
		"sessionControls":{"signInFrequency":{"isEnabled":true,"type":"hours","value":8}},"description":"x","ipRanges":[{"cidrAddress":"198.51.100.0/24"},{"lowerAddress":"10.0.0.1","upperAddress":"10.0.0.9"}]}`)
	want := []string{
		`conditions.users.excludeGroups: added "New (new)"`,
		`conditions.users.includeUsers: added "All", removed "ada@contoso.com"`,
		`description: set to "x"`,
		`ipRanges: added 198.51.100.0/24, 10.0.0.1-10.0.0.9, removed 192.0.2.0/24`,
		`sessionControls.signInFrequency.value: 4 becomes 8`,
		`state: "enabled" becomes "disabled"`,
	}
	var got []string
	for _, d := range differences(before, after, n) {
		got = append(got, d.Text)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got := differences(before, before.Clone(), n); got != nil {
		t.Error(got)
	}
}

func TestRenderDiff(t *testing.T) {
	e := Entry{Key: "CA010", Kind: entra.KindPolicy, DisplayName: "Risky\x1b[2J", State: "enabled", Status: Update,
		Differences: differences(doc(t, `{"a":["x"],"b":1}`), doc(t, `{"a":["x","y"],"c":true}`), nil), Reasons: []string{"held back"}}
	want := "~ conditionalAccessPolicy Risky\ufffd[2J [CA010] (enabled): update\n" +
		"    a: added \"y\"\n    b: removed, was 1\n    c: set to true\n    · held back\n"
	if d := cmp.Diff(want, RenderDiff(e, false)); d != "" {
		t.Error(d)
	}
	coloured := RenderDiff(e, true)
	for _, part := range []string{yellow + "~ cond", red + "b: removed", green + "c: set", cyan + "· held"} {
		if !strings.Contains(coloured, part) {
			t.Errorf("%q is not in %q", part, coloured)
		}
	}
	for status, sign := range map[Status]string{Create: "+ ", Prune: "- ", Blocked: "! ", InSync: "= ", Unmanaged: "? "} {
		if got := RenderDiff(Entry{DisplayName: "x", Status: status}, false); !strings.HasPrefix(got, sign) {
			t.Errorf("%s gives %q", status, got)
		}
	}
}

func TestDirectoryIDsAreThoseNotNamedYet(t *testing.T) {
	tn := newTenant()
	tn.put(entra.KindPolicy, "", doc(t, `{"displayName":"P","conditions":{"users":{"includeUsers":["All","`+strings.ToUpper(ada)+`"],"excludeGroups":["f0000000-0000-0000-0000-000000000001"],"includeRoles":["`+entra.DirectorySyncRole+`"]}}}`))
	if d := cmp.Diff([]string{"f0000000-0000-0000-0000-000000000001"}, DirectoryIDs(tn.read().Policies, tn.live.Names)); d != "" {
		t.Error(d)
	}
}

func TestRefs(t *testing.T) {
	want := []entra.Ref{{Kind: entra.KindGroup, Name: "CA Break Glass"}, {Kind: entra.KindGroup, Name: "Finance"},
		{Kind: entra.KindRole, Name: "Global Administrator"}, {Kind: entra.KindUser, Name: "bg1@contoso.com"}, {Kind: entra.KindUser, Name: "bg2@contoso.com"}}
	if d := cmp.Diff(want, load(t, small).Refs()); d != "" {
		t.Error(d)
	}
}
