package cli_test

import (
	"context"
	"testing"

	"github.com/risksweep/risksweep/internal/graphsim"
)

// serveTenant serves a simulated tenant until the test ends.
func serveTenant(t *testing.T, tenant *graphsim.Tenant) graphsim.Ready {
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan graphsim.Ready, 1), make(chan error, 1)
	go func() {
		ended <- graphsim.Serve(ctx, tenant, graphsim.ServeOptions{Listen: "127.0.0.1:0"}, func(r graphsim.Ready) { ready <- r })
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the simulated tenant: %v", err)
		}
	})
	select {
	case r := <-ready:
		return r
	case err := <-ended:
		ended <- err
		t.Fatalf("the simulated tenant: %v", err)
		return graphsim.Ready{}
	}
}
