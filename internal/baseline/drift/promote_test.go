package drift_test

import (
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

const waiting = `
breakGlass: {users: [bg1@contoso.com, bg2@contoso.com]}
namedLocations:
  - {key: VPN, displayName: VPN, isTrusted: true, ipRanges: [{cidrAddress: 203.0.113.0/24}]}
  - {key: OLD, displayName: Old, ipRanges: [{cidrAddress: 192.0.2.0/24}]}
  - {key: NEAR, displayName: Near, countriesAndRegions: [DE]}
authenticationStrengths:
  - {key: KEYS, displayName: Keys, allowedCombinations: [fido2]}
policies:
  - key: P
    displayName: P
    state: enabled
    promote: {after: 1d}
    conditions:
      applications: {includeApplications: [All]}
      users: {includeUsers: [All]}
      locations: {includeLocations: [All], excludeLocations: [WHERE]}
    grantControls: {operator: OR, authenticationStrength: {id: STRENGTH}}
`

// What a policy uses without being changed itself makes its evidence old when it
// changes: a location that it names, any location with addresses if it names all
// trusted ones, and its authentication strength.
func TestEvidenceIsOfWhatThePolicyUses(t *testing.T) {
	const builtIn = "00000000-0000-0000-0000-000000000002"
	created, changed := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		where, strength string
		kind            entra.ObjectKind
		key             string
		since           time.Time
	}{
		{"VPN", builtIn, entra.KindLocation, "VPN", changed},
		{"VPN", builtIn, entra.KindLocation, "OLD", created},
		{"AllTrusted", builtIn, entra.KindLocation, "VPN", changed},
		{"AllTrusted", builtIn, entra.KindLocation, "OLD", changed}, // it may have been trusted until then
		{"AllTrusted", builtIn, entra.KindLocation, "NEAR", created},
		{"VPN", "KEYS", entra.KindStrength, "KEYS", changed},
		{"VPN", builtIn, entra.KindStrength, "KEYS", created},
	} {
		b := load(t, strings.NewReplacer("WHERE", c.where, "STRENGTH", c.strength).Replace(waiting))
		tenant := newTenant()
		tenant.apply(t, tenant.plan(b, drift.Settings{}).Actions)
		tenant.docs[c.kind][string(tenant.owned[c.kind][c.key].ID)]["modifiedDateTime"] = changed.Format(time.RFC3339)
		r := tenant.plan(b, drift.Settings{})
		if len(r.Waiting) != 1 || !r.Waiting[0].Since.Equal(c.since) {
			t.Errorf("%s and %s, %s changed: %+v", c.where, c.strength, c.key, r.Waiting)
		}
	}
}

// Where the locations could not be read, nobody knows since when the trusted ones
// are as they are.
func TestEvidenceNeedsTheLocations(t *testing.T) {
	b := load(t, strings.NewReplacer("WHERE", "AllTrusted", "STRENGTH", "KEYS").Replace(waiting))
	tenant := newTenant()
	tenant.apply(t, tenant.plan(b, drift.Settings{}).Actions)
	live := tenant.read()
	live.Locations, live.Unread = nil, []drift.Unread{{Kind: entra.KindLocation, Reason: "403"}}
	r := drift.Compare(b, live, drift.Settings{Owned: tenant.owned})
	for _, e := range r.Entries {
		if e.Key == "P" && (len(r.Waiting) > 0 || e.Promotion == nil || len(e.Promotion.Waits) != 1 || !strings.Contains(e.Promotion.Waits[0], "could not be read: 403")) {
			t.Errorf("%+v, %+v", e.Promotion, r.Waiting)
		}
	}
}

// A comparison changes nothing of the evidence that it is given.
func TestEvidenceIsOnlyRead(t *testing.T) {
	b := load(t, strings.NewReplacer("WHERE", "VPN", "STRENGTH", "KEYS").Replace(waiting))
	tenant := newTenant()
	tenant.apply(t, tenant.plan(b, drift.Settings{}).Actions)
	evidence := &plan.Promotion{Since: tenant.plan(b, drift.Settings{}).Waiting[0].Since, Holds: true}
	r := tenant.plan(b, drift.Settings{Evidence: map[string]*plan.Promotion{"P": evidence}}) // none may be promoted now
	if !evidence.Holds || len(evidence.Waits) > 0 || len(r.Waiting) != 1 {
		t.Errorf("%+v", evidence)
	}
}
