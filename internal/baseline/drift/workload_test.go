package drift_test

import (
	"testing"

	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
)

const workloads = `
policies:
  - key: W
    displayName: W
    state: disabled
    conditions:
      applications: {includeApplications: [All]}
      clientApplications: {includeServicePrincipals: [ServicePrincipalsInMyTenant]}
    grantControls: {operator: OR, builtInControls: [block]}
`

// A policy that the service keeps otherwise than it was sent is left alone, unless it
// lacks the exclusion of the job's own identity.
func TestTheOwnIdentityIsNoDetail(t *testing.T) {
	b := load(t, workloads)
	tenant := newTenant()
	tenant.apply(t, tenant.plan(b, drift.Settings{}).Actions)
	owned := tenant.owned[entra.KindPolicy]["W"]
	for _, excluded := range []bool{true, false} {
		doc := tenant.docs[entra.KindPolicy][string(owned.ID)]
		path, value := "displayName", any("W otherwise")
		if !excluded {
			path, value = policy.PathWorkloads+".excludeServicePrincipals", []any{}
		}
		policy.Put(doc, path, value)
		owned.Hash = policy.CanonicalHash(entra.KindPolicy, doc)
		tenant.owned[entra.KindPolicy]["W"] = owned
		e := tenant.plan(b, drift.Settings{}).Entries[0]
		if (e.Status == drift.InSync) != excluded {
			t.Errorf("excluded %t: %s", excluded, e)
		}
	}
}
