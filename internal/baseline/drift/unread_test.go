package drift_test

import (
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

const unreadSet = `namedLocations:
  - {key: vpn, "@odata.type": "#microsoft.graph.ipNamedLocation", displayName: VPN, ipRanges: [{cidrAddress: 203.0.113.0/24}]}
authenticationStrengths:
  - {key: keys, displayName: Keys, allowedCombinations: [fido2]}
policies:
  - displayName: A plain
    state: disabled
    conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All]}}
    grantControls: {operator: OR, builtInControls: [mfa]}
  - displayName: B strength
    state: disabled
    conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All]}}
    grantControls: {operator: OR, authenticationStrength: {id: keys}}
  - displayName: C built in
    state: disabled
    conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All]}}
    grantControls: {operator: OR, authenticationStrength: {id: 00000000-0000-0000-0000-000000000004}}
  - displayName: D location
    state: disabled
    conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All]}, locations: {includeLocations: [All], excludeLocations: [vpn]}}
    grantControls: {operator: OR, builtInControls: [mfa]}
  - displayName: E trusted
    state: disabled
    conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All]}, locations: {includeLocations: [All], excludeLocations: [AllTrusted]}}
    grantControls: {operator: OR, builtInControls: [mfa]}
`

// hidden is a tenant whose list of one kind is not ours to read.
func hidden(l drift.Live, kind entra.ObjectKind) drift.Live {
	if kind == entra.KindStrength {
		l.Strengths = nil
	} else {
		l.Locations = nil
	}
	l.Unread = []drift.Unread{{Kind: kind, Reason: "403"}}
	return l
}

// TestAListThatIsNotOursToRead blocks what needs it, and nothing else: neither
// is anything made, for it may be there, nor is a recorded object taken for gone.
func TestAListThatIsNotOursToRead(t *testing.T) {
	for _, c := range []struct {
		kind    entra.ObjectKind
		blocked string // the first letters of the names
	}{{entra.KindStrength, "KB"}, {entra.KindLocation, "VD"}} {
		t.Run("new "+string(c.kind), func(t *testing.T) {
			b, tn := load(t, unreadSet), newTenant()
			for _, a := range drift.Compare(b, hidden(answered(b, tn.read()), c.kind), everything).Actions {
				want := plan.Ready
				if strings.Contains(c.blocked, a.Subject.Name[:1]) {
					want = plan.Blocked
				}
				if a.Status != want {
					t.Errorf("%s is %s, want %s: %v", a.Subject.Name, a.Status, want, a.Reasons)
				}
			}
		})
		t.Run("recorded "+string(c.kind), func(t *testing.T) {
			tn, b := applied(t, unreadSet)
			set := everything
			set.Owned = tn.owned
			r := drift.Compare(b, hidden(answered(b, tn.read()), c.kind), set)
			if len(r.Actions) != 1 || r.Actions[0].Status != plan.Blocked || !strings.HasPrefix(string(r.Actions[0].Kind), "update") {
				t.Errorf("what is in sync stays so: %v", shape(r.Actions))
			}
			changed := load(t, strings.ReplaceAll(unreadSet, "state: disabled", "state: enabledForReportingButNotEnforced"))
			for _, a := range drift.Compare(changed, hidden(answered(b, tn.read()), c.kind), set).Actions {
				if want := strings.Contains(c.blocked, a.Subject.Name[:1]); want != (a.Status == plan.Blocked) {
					t.Errorf("%s is %s: %v", a.Subject.Name, a.Status, a.Reasons)
				}
			}
			empty := load(t, unreadSet[strings.Index(unreadSet, "policies:"):strings.Index(unreadSet, "  - displayName: B")])
			r = drift.Compare(empty, hidden(answered(b, tn.read()), c.kind), set)
			if len(r.Problems) != 1 {
				t.Error(r.Problems)
			}
			for _, e := range r.Entries {
				if e.Kind == c.kind && e.Status != drift.Blocked {
					t.Error(e)
				}
			}
		})
	}
}

// TestTrustIsNotKnown: whether a block of everybody outside trusted places locks
// everybody out depends on a list.
func TestTrustIsNotKnown(t *testing.T) {
	text := `breakGlass: {users: [bg1@contoso.com, bg2@contoso.com]}
policies:
  - displayName: Outside
    state: enabled
    conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All]}, locations: {includeLocations: [All], excludeLocations: [AllTrusted]}}
    grantControls: {operator: OR, builtInControls: [block]}
`
	b, tn := load(t, text), newTenant()
	r := drift.Compare(b, hidden(answered(b, tn.read()), entra.KindLocation), everything)
	if a := r.Actions[0]; a.Status != plan.Blocked || !strings.Contains(strings.Join(a.Reasons, "\n"), "unless a location is trusted, and the tenant's list") {
		t.Errorf("%s %v", a.Status, a.Reasons)
	}
}
