package impact

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/graph"
	"github.com/risksweep/risksweep/internal/graphsim"
	"github.com/risksweep/risksweep/internal/whatif"
)

type bearer string

func (b bearer) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(b), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// What a replay says of a policy that is live and unchanged is what the log says
// of it, or that the log does not say enough.
func TestReplayAgreesWithTheLog(t *testing.T) {
	for _, seed := range []uint64{1, 2} {
		sim, err := graphsim.New(graphsim.Options{Seed: seed, Users: 60, Policies: 24, SignIns: 1500})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(sim.Handler())
		defer server.Close()
		c, err := graph.New(graph.Options{Endpoint: server.URL + "/v1.0", Credential: bearer(sim.Token())})
		if err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		var objects whatif.Objects
		for kind, list := range map[entra.ObjectKind]*[]entra.Document{entra.KindPolicy: &objects.Policies, entra.KindLocation: &objects.Locations, entra.KindStrength: &objects.Strengths} {
			if *list, err = c.Objects(ctx, kind); err != nil {
				t.Fatal(err)
			}
		}
		set := whatif.Live(objects, nil)
		people, err := whatif.ReadPopulation(ctx, c, nil, nil, set)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		o := Options{Window: entra.LogWindow{From: now.Add(-28 * 24 * time.Hour), To: now}, TenantID: entra.NewID(sim.TenantID()), Set: set, People: people.UsersByID()}
		for at := range set.Len() {
			if set.State(at) == "disabled" {
				continue
			}
			p := Policy{DisplayName: set.Policy(at).Document.DisplayName(), State: set.State(at), ID: entra.NewID(set.Policy(at).Document.ID()), Place: -1}
			o.Policies = append(o.Policies, p)
			p.Place = at
			o.Policies = append(o.Policies, p)
		}
		i := New(o)
		known, doubt, different := 0, 0, map[string]int{}
		i.observe = func(p *pending) {
			for n := 0; n < len(p.verdicts); n += 2 {
				log, own := p.verdicts[n], p.verdicts[n+1]
				enforced := i.policies[n].State == "enabled"
				switch {
				case own == unknown:
					doubt++
				case log == own, enforced && (log == refused && own == asked || log == satisfied && own == asked):
					known++ // whoever is asked by an enabled policy does it, or does not
				default:
					different[fmt.Sprintf("%s (%s): the log says %d, the replay %d", i.policies[n].DisplayName, i.policies[n].State, log, own)]++
				}
			}
		}
		rows := 0
		for page, err := range c.SignIns(ctx, entra.SignInQuery{LogWindow: o.Window}) {
			if err != nil {
				t.Fatal(err)
			}
			for n := range page {
				i.Add(&page[n])
				rows++
			}
		}
		r := i.Result()
		for text, n := range different {
			t.Errorf("seed %d, %d times: %s", seed, n, text)
		}
		if known < 5*doubt || r.Read+r.Early >= rows || r.Read < 1300 {
			t.Errorf("seed %d: %d known, %d unknown, %d sign-ins of %d rows", seed, known, doubt, r.Read, rows)
		}
	}
}
