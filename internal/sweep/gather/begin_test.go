package gather_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/sweep/gather"
	"github.com/risksweep/risksweep/internal/sweep/notes"
)

// tenant answers as the tenant of an id.
type tenant struct {
	gather.Reader
	id string
}

func (t tenant) Tenant(context.Context) (entra.Tenant, error)    { return entra.Tenant{ID: t.id}, nil }
func (tenant) SignedIn(context.Context) (*entra.SignedIn, error) { return nil, nil }
func (tenant) ServerTime() time.Time                             { return time.Now() }

// An id is the same in capitals; a domain is not compared.
func TestTheTenantOfTheSignIn(t *testing.T) {
	const id = "0a1b2c3d-0000-4000-8000-00000000abcd"
	for configured, same := range map[string]bool{
		id: true, "0A1B2C3D-0000-4000-8000-00000000ABCD": true, "contoso.example": true, "": true,
		"0a1b2c3d-0000-4000-8000-00000000abce": false, "0A1B2C3D-0000-4000-8000-00000000ABCE": false,
	} {
		s := gather.Source{Reader: tenant{id: id}, TenantID: configured, Now: time.Now, Notes: &notes.Notes{Log: slog.New(slog.DiscardHandler), Now: time.Now}}
		if _, err := s.Begin(t.Context()); (err == nil) != same {
			t.Errorf("configured as %q: %v", configured, err)
		}
	}
}
