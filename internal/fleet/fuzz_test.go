package fleet_test

import (
	"encoding/json"
	"testing"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/fleet"
)

// Whatever the file of a tenant holds, the tenant is in the picture of all of
// them, and the next run writes it anew.
func FuzzStored(f *testing.F) {
	for _, s := range fifty()[:4] {
		s.Tenant = "acme"
		data, err := json.Marshal(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("{"))
	f.Add([]byte(`{"tenant":"acme","run":"x","finishedAt":"9999-12-31T23:59:59Z","trend":[{}],"campaigns":[{}],"numbers":{"atRisk":-1}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		store := blobstore.NewMemory()
		if err := store.Put(t.Context(), "fleet/tenants/acme.json", data); err != nil {
			t.Fatal(err)
		}
		all, err := fleet.Read(t.Context(), store, fleet.View{})
		if err != nil || len(all.Tenants) != 1 || all.Tenants[0].Tenant != "acme" {
			t.Fatalf("%+v, %v", all.Tenants, err)
		}
		if err := fleet.Publish(t.Context(), store, all); err != nil {
			t.Error(err)
		}
		if err := fleet.Put(t.Context(), store, swept("acme", 0)); err != nil {
			t.Error(err)
		}
	})
}
