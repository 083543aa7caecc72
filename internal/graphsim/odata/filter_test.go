package odata

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var levels = &Enumeration{Name: "microsoft.graph.riskLevel", Members: []string{"low", "medium", "high", "hidden", "none", "unknownFutureValue"}, Known: 6}
var details = &Enumeration{Name: "microsoft.graph.riskDetail", Members: []string{"none", "hidden", "unknownFutureValue", "m365DAdminDismissedDetection"}, Known: 3}

// things is a collection with a member of every kind.
var things = &Collection{
	Type: "microsoft.graph.thing",
	Members: []Member{
		{Name: "id", Kind: String},
		{Name: "displayName", Kind: String},
		{Name: "riskLevel", Kind: Enum, Enum: levels},
		{Name: "riskDetail", Kind: Enum, Enum: details},
		{Name: "createdDateTime", Kind: DateTime},
		{Name: "isDeleted", Kind: Bool},
		{Name: "size", Kind: Int},
		{Name: "weight", Kind: Double},
		{Name: "appRoleId", Kind: GUID},
		{Name: "secret", Kind: String, NoFilter: true, NoOrder: true},
		{Name: "tags", Kind: String, Collection: true},
		{Name: "location", Kind: Complex, Type: "microsoft.graph.signInLocation", Members: []Member{
			{Name: "city", Kind: String}, {Name: "countryOrRegion", Kind: String},
		}},
		{Name: "plans", Kind: Complex, Collection: true, Type: "microsoft.graph.plan", Members: []Member{
			{Name: "name", Kind: String}, {Name: "on", Kind: Bool}, {Name: "tags", Kind: String, Collection: true},
		}},
		{Name: "manager", Kind: Complex, Navigation: true, Type: "microsoft.graph.thing", Members: []Member{{Name: "id", Kind: String}}},
	},
	Filterable: true, Orderable: true, Countable: true, Skippable: true, Expandable: []string{"manager"},
	DefaultTop: 20, MaxTop: 500,
}

func plan(name string, on bool, tags ...string) Value {
	return Object(func(m string) Value {
		switch m {
		case "name":
			return Text(name)
		case "on":
			return Boolean(on)
		case "tags":
			return Texts(tags)
		}
		panic("no member " + m)
	})
}

type row map[string]Value

func (r row) get(member string) Value { return r[member] }

func thing() row {
	return row{
		"id": Text("A1"), "displayName": Text("Ada O'Brien"), "riskLevel": EnumValue("medium"),
		"riskDetail":      EnumValue("m365DAdminDismissedDetection"),
		"createdDateTime": Time(time.Date(2026, 11, 1, 12, 30, 15, 123456700, time.UTC)),
		"isDeleted":       Boolean(false), "size": Integer(7), "weight": Float(1.5),
		"appRoleId": Guid("0123abcd-0000-4000-8000-00000000000f"),
		"tags":      Texts([]string{"Unified", "blue"}), "location/city": Text("Köln"), "location/countryOrRegion": Text("DE"),
		"plans": List(plan("AAD_PREMIUM", true, "x"), plan("INTUNE", false)),
	}
}

func TestFilterMatches(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		filter string
		want   bool
	}{
		{"riskLevel eq 'medium'", true},
		{"riskLevel eq 'MEDIUM'", true},
		{"RiskLevel ne 'none'", true},
		{"riskLevel gt 'low' and riskLevel lt 'high'", true},
		{"riskLevel le 'low'", false},
		{"riskLevel in ('high','Medium')", true},
		{"riskLevel in ('high')", false},
		{"'medium' eq riskLevel", true},
		{"displayName eq 'ada o''brien'", true},
		{"displayName eq null", false},
		{"location/countryOrRegion eq 'DE' and LOCATION/City eq 'KÖLN'", true},
		{"manager/id eq null", true},
		{"manager/id ne null", false},
		{"startswith(displayName,'ada')", true},
		{"startsWith(displayName, 'Ada') eq true", true},
		{"not startswith(displayName,'ada')", false},
		{"endswith(displayName,'BRIEN')", true},
		{"contains(displayName,'o''b')", true},
		{"tolower(displayName) eq 'ada o''brien'", true},
		{"startswith(manager/id,'a')", false},
		{"not startswith(manager/id,'a')", false}, // null either way
		{"isDeleted eq false", true},
		{"isDeleted", false},
		{"not isDeleted", true},
		{"not isDeleted eq true", true},
		{"not (isDeleted eq true or size eq 7)", false},
		{"NOT(isDeleted)", true},
		{"size gt 6.5 and size le 7 and weight ge 1", true},
		{"weight lt -1", false},
		{"createdDateTime gt 2026-11-01T12:30:15Z", true},
		{"createdDateTime eq 2026-11-01T12:30:15.1234567Z", true},
		{"createdDateTime eq 2026-11-01T13:30:15.1234567+01:00", true},
		{"createdDateTime gt 2026-11-01T12:30:15.1234567Z", false},
		{"createdDateTime ge 2026-11-01", true},
		{"createdDateTime ge 2026-11-02", false},
		{"createdDateTime lt 2026-11-01T12:31Z", true},
		{"createdDateTime gt '2020-01-01T00:00:00Z'", false},
		{"createdDateTime lt '2020-01-01T00:00:00Z'", false},
		{"not (createdDateTime lt '2020-01-01T00:00:00Z')", false},
		{"createdDateTime ne '2020-01-01T00:00:00Z'", false},
		{"createdDateTime gt '2020-01-01T00:00:00Z' or size eq 7", true},
		{"createdDateTime in ('2026-11-01T12:30:15.1234567Z')", false},
		{"'riskLevel' eq 'medium'", false},
		{"'isDeleted' eq false", false},
		{"'createdDateTime' gt 2020-01-01", false},
		{"appRoleId eq 0123ABCD-0000-4000-8000-00000000000F", true},
		{"appRoleId eq '0123abcd-0000-4000-8000-00000000000f'", true},
		{"tags/any(t:t eq 'unified')", true},
		{"tags/any(t:t eq 'red')", false},
		{"tags/any()", true},
		{"tags/all(t:startswith(t,'u'))", false},
		{"tags/$count eq 2", true},
		{"plans/any(p:p/name eq 'AAD_PREMIUM' and p/on)", true},
		{"plans/any(p:p/name eq 'INTUNE' and p/on eq true)", false},
		{"plans/all(p:p/on)", false},
		{"plans/any(p:p/tags/any(t:t eq 'X' and p/on))", true},
		{"plans/any(p:p/name eq displayName)", false},
		{"size eq 1 or size eq 7 and isDeleted eq false", true},
		{"(size eq 1 or size eq 7) and isDeleted eq true", false},
		{"  ( ( size eq 7 ) )  ", true},
		{"1 eq 1", true},
		{"size eq weight", false},
	} {
		f, err := things.ParseFilter(tt.filter, false)
		if err != nil {
			t.Errorf("%s: %v", tt.filter, err)
			continue
		}
		if got := f.Match(thing().get); got != tt.want {
			t.Errorf("%s: matches %v, want %v", tt.filter, got, tt.want)
		}
		again, err := things.ParseFilter(f.String(), false)
		if err != nil {
			t.Errorf("%s printed as %s: %v", tt.filter, f, err)
			continue
		}
		if got := again.Match(thing().get); got != tt.want || again.String() != f.String() {
			t.Errorf("%s printed as %s then %s: matches %v, want %v", tt.filter, f, again, got, tt.want)
		}
	}
}

func TestFilterRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ filter, want string }{
		{"", "Invalid filter clause: Expression expected at position 0 in ''."},
		{"riskLevel", "Invalid filter clause: The $filter expression must evaluate to a single boolean value."},
		{"riskLevel eq", "Invalid filter clause: Expression expected at position 12 in 'riskLevel eq'."},
		{"riskLevel equals 'low'", "Invalid filter clause: Syntax error at position 10 in 'riskLevel equals 'low''."},
		{"riskLevel eq 'low", "Invalid filter clause: There is an unterminated string literal at position 17 in 'riskLevel eq 'low'."},
		{"(riskLevel eq 'low'", "Invalid filter clause: ')' or operator expected at position 19 in '(riskLevel eq 'low''."},
		{"riskLevel eq 'low')", "Invalid filter clause: Syntax error at position 18 in 'riskLevel eq 'low')'."},
		{"riskLevel eq 'low' && size eq 1", "Invalid filter clause: Syntax error: character '&' is not valid at position 19 in 'riskLevel eq 'low' && size eq 1'."},
		{"riskLevel eq low", "Invalid filter clause: Could not find a property named 'low' on type 'microsoft.graph.thing'."},
		{"riskLevel eq 'severe'", "Invalid filter clause: The string 'severe' is not a valid enumeration type constant."},
		{"riskDetail eq 'm365DAdminDismissedDetection'", "Invalid filter clause: The string 'm365DAdminDismissedDetection' is not a valid enumeration type constant."},
		{"colour eq 'red'", "Invalid filter clause: Could not find a property named 'colour' on type 'microsoft.graph.thing'."},
		{"location/planet eq 'x'", "Invalid filter clause: Could not find a property named 'planet' on type 'microsoft.graph.signInLocation'."},
		{"displayName/x eq 'x'", "Invalid filter clause: Could not find a property named 'x' on type 'Edm.String'."},
		{"isDeleted eq 'false'", "Invalid filter clause: A binary operator with incompatible types was detected. Found operand types 'Edm.Boolean' and 'Edm.String' for operator kind 'Equal'."},
		{"displayName gt 5", "Invalid filter clause: A binary operator with incompatible types was detected. Found operand types 'Edm.String' and 'Edm.Int32' for operator kind 'GreaterThan'."},
		{"id eq 0123abcd-0000-4000-8000-00000000000f", "Invalid filter clause: A binary operator with incompatible types was detected. Found operand types 'Edm.String' and 'Edm.Guid' for operator kind 'Equal'."},
		{"tags eq 'x'", "Invalid filter clause: A binary operator with incompatible types was detected. Found operand types 'Collection(Edm.String)' and 'Edm.String' for operator kind 'Equal'."},
		{"not displayName", "Invalid filter clause: A unary operator with an incompatible type was detected. Found operand type 'Edm.String' for operator kind 'Not'."},
		{"displayName and isDeleted", "Invalid filter clause: A binary operator with incompatible types was detected. Found operand types 'Edm.String' and 'Edm.Boolean' for operator kind 'And'."},
		{"createdDateTime gt 2026-13-01T00:00:00Z", "Invalid filter clause: Unrecognized 'Edm.String' literal '2026-13-01T00:00:00Z' at '19' in 'createdDateTime gt 2026-13-01T00:00:00Z'."},
		{"createdDateTime gt 2026-11-01T00:00:00", "Invalid filter clause: Unrecognized 'Edm.String' literal '2026-11-01T00:00:00' at '19' in 'createdDateTime gt 2026-11-01T00:00:00'."},
		{"substringof('a',displayName)", "Invalid filter clause: An unknown function with name 'substringof' was found. This may also be a function import or a key lookup on a navigation property, which is not allowed."},
		{"startswith(displayName)", "Invalid filter clause: No function signature for the function with name 'startswith' matches the specified arguments."},
		{"startswith(size,'a')", "Invalid filter clause: No function signature for the function with name 'startswith' matches the specified arguments."},
		{"startswith(displayName,'a'", "Invalid filter clause: ')' or ',' expected at position 26 in 'startswith(displayName,'a''."},
		{"id in ()", "Invalid filter clause: Syntax error at position 7 in 'id in ()'."},
		{"id in 'a'", "Invalid filter clause: '(' expected at position 6 in 'id in 'a''."},
		{"displayName/any(x:x eq 'a')", "Invalid filter clause: Any/All may only be used following a collection."},
		{"plans/name eq 'a'", "Invalid filter clause: The parent value for a property access of a property 'name' is not a single value. Property access can only be applied to a single value."},
		{"tags/any(x:y eq 'a')", "Invalid filter clause: Could not find a property named 'y' on type 'microsoft.graph.thing'."},
		{"tags/any(a:tags/any(b:tags/any(c:c eq a)))", "Invalid filter clause: The Any/All nesting limit of '2' has been exceeded."},
		{"secret eq 'a'", "Invalid filter clause: The property 'secret' cannot be used in the $filter query option."},
		{strings.Repeat("(", 200) + "isDeleted" + strings.Repeat(")", 200), "Invalid filter clause: Recursion depth exceeded allowed limit."},
		{strings.Repeat("not ", 200) + "isDeleted", "Invalid filter clause: Recursion depth exceeded allowed limit."},
		{strings.Repeat("size eq 1 or ", 5000) + "size eq 2", "Invalid filter clause: The node count limit of '10000' has been exceeded."},
	} {
		_, err := things.ParseFilter(tt.filter, false)
		if err == nil {
			t.Errorf("%s: no error, want %s", tt.filter, tt.want)
			continue
		}
		if diff := cmp.Diff(tt.want, err.Message); diff != "" {
			t.Errorf("%s: message (-want +got):\n%s", tt.filter, diff)
		}
	}
}

func TestLaterEnumMembersNeedAsking(t *testing.T) {
	t.Parallel()
	f, err := things.ParseFilter("riskDetail eq 'm365dadmindismisseddetection'", true)
	if err != nil {
		t.Fatal(err)
	}
	if !f.Match(thing().get) {
		t.Error("does not match")
	}
	if got := details.Shown("m365DAdminDismissedDetection", false); got != "unknownFutureValue" {
		t.Errorf("shown as %s", got)
	}
	if got := details.Shown("m365DAdminDismissedDetection", true); got != "m365DAdminDismissedDetection" {
		t.Errorf("shown as %s to one who asked", got)
	}
}

func TestOrClausesAreCounted(t *testing.T) {
	t.Parallel()
	c := *things
	c.MaxOr = 3
	if _, err := c.ParseFilter("id eq '1' or id eq '2' or id eq '3'", false); err != nil {
		t.Error(err)
	}
	want := "Invalid filter clause: Too many child clauses specified in search filter expression containing 'OR' operators: 4. Max allowed: 3."
	for _, filter := range []string{"id eq '1' or id eq '2' or id eq '3' or id eq '4'", "id in ('1','2','3','4')"} {
		if _, err := c.ParseFilter(filter, false); err == nil || err.Message != want {
			t.Errorf("%s: %v", filter, err)
		}
	}
}

func TestUsesAndRequired(t *testing.T) {
	t.Parallel()
	f, err := things.ParseFilter("ID in ('a','b') and not (location/city eq null) and tags/any(t:t ne 'x') and endswith(displayName,'y')", false)
	if err != nil {
		t.Fatal(err)
	}
	want := []Use{
		{Member: "id", Operator: "in"}, {Member: "location/city", Operator: "eq", Negated: true, Null: true},
		{Member: "tags", Operator: "any"}, {Member: "", Operator: "ne"}, {Member: "displayName", Operator: "endswith"},
	}
	if diff := cmp.Diff(want, f.Uses()); diff != "" {
		t.Errorf("uses (-want +got):\n%s", diff)
	}
	for _, tt := range []struct {
		filter string
		want   []string
	}{
		{"id in ('a','b') and size eq 1", []string{"a", "b"}},
		{"size eq 1 and (id eq 'a' or 'b' eq id)", []string{"a", "b"}},
		{"id eq 'a' or size eq 1", nil},
		{"not (id eq 'a')", nil},
		{"id ne 'a'", nil},
		{"id in ('a',null)", nil},
	} {
		f, err := things.ParseFilter(tt.filter, false)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := f.Required("id")
		if diff := cmp.Diff(tt.want, got); (diff != "" && ok) || ok != (tt.want != nil) {
			t.Errorf("%s: %v (-want +got):\n%s", tt.filter, ok, diff)
		}
	}
}
