package gather

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/sweep/recovery"
)

// ServicePrincipal is a risky service principal with what was read of it.
type ServicePrincipal struct {
	entra.RiskyServicePrincipal
	// Detections are all that the service keeps, as it sent them.
	Detections []json.RawMessage
	// Directory is what the directory says of it; nil if that was not read.
	Directory *entra.ServicePrincipal
}

// readServicePrincipals reads the workload identities at risk and their
// detections, where the tenant has them. There are few, and the service
// documents only equality for them, so the whole of both lists is read: nothing
// is left out for what a query could not say. What is not licensed or not
// permitted is skipped by name, and never taken for none.
func (r *reading) readServicePrincipals(ctx context.Context) error {
	mode := r.Source.ServicePrincipals
	if mode == "false" {
		return nil
	}
	if mode == "auto" && !r.Tenant.PlansUnknown && !r.Tenant.WorkloadPremium {
		r.Notes.Skip("servicePrincipals", "the tenant has no Workload ID Premium licence")
		return nil
	}
	skips := func(err error) bool {
		return mode == "auto" && (errors.Is(err, entra.ErrUnlicensed) || errors.Is(err, entra.ErrUnsupported) || errors.Is(err, entra.ErrForbidden))
	}
	switch err := r.listPrincipals(ctx); {
	case skips(err):
		r.Notes.Skip("servicePrincipals", err.Error())
		return nil
	case err != nil:
		return err
	}
	r.Rows.Count("riskyServicePrincipals", len(r.Snapshot.ServicePrincipals))
	if !slices.ContainsFunc(r.Snapshot.ServicePrincipals, func(p ServicePrincipal) bool { return p.RiskState.Open() }) {
		r.PrincipalsAtRisk = plan.Count(0)
		return nil
	}
	if err := r.principalDetections(ctx, nil); skips(err) {
		r.Notes.Skip("servicePrincipalRiskDetections", err.Error())
		r.PrincipalsIncomplete = "they could not be read: " + err.Error()
	} else if err != nil {
		return fmt.Errorf("reading their detections: %w", err)
	}
	return r.readOwners(ctx)
}

// listPrincipals reads all risky service principals, each once.
func (r *reading) listPrincipals(ctx context.Context) error {
	r.Snapshot.ServicePrincipals = nil
	place, atRisk := map[entra.ID]int{}, map[entra.ID]bool{}
	for page, err := range r.Reader.RiskyServicePrincipals(ctx) {
		if err != nil {
			r.Snapshot.ServicePrincipals = nil
			return err
		}
		for _, sp := range page.Items {
			if sp.ID == "" {
				return fmt.Errorf("a risky service principal without id: %w", entra.ErrMalformed)
			}
			if at, again := place[sp.ID]; again {
				r.Snapshot.ServicePrincipals[at].RiskyServicePrincipal = sp
			} else {
				place[sp.ID] = len(r.Snapshot.ServicePrincipals)
				r.Snapshot.ServicePrincipals = append(r.Snapshot.ServicePrincipals, ServicePrincipal{RiskyServicePrincipal: sp})
			}
			atRisk[sp.ID] = sp.RiskState == entra.StateAtRisk
		}
	}
	n := 0
	for _, is := range atRisk {
		if is {
			n++
		}
	}
	r.PrincipalsAtRisk = plan.Count(n)
	return ctx.Err()
}

// principalDetections reads the detections of the risky service principals, or of
// those that are named. An open one that does not say whose it is leaves the
// evidence of all incomplete.
func (r *reading) principalDetections(ctx context.Context, ids []entra.ID) error {
	of := map[entra.ID]*ServicePrincipal{}
	for i := range r.Snapshot.ServicePrincipals {
		of[r.Snapshot.ServicePrincipals[i].ID] = &r.Snapshot.ServicePrincipals[i]
	}
	n := 0
	for page, err := range r.Reader.ServicePrincipalDetections(ctx, ids) {
		if err != nil {
			return err
		}
		for i := range page.Items {
			d := &page.Items[i]
			switch {
			case d.ID == "":
				return fmt.Errorf("a detection without id: %w", entra.ErrMalformed)
			case ids != nil && !slices.Contains(ids, d.ServicePrincipalID):
				return fmt.Errorf("detection %q of the service principal %q, for which nobody asked: %w", d.ID, d.ServicePrincipalID, entra.ErrMalformed)
			case !entra.IsID(string(d.ServicePrincipalID)) && d.RiskState.Open():
				r.PrincipalsIncomplete = fmt.Sprintf("the open detection %q does not say which service principal it is about", d.ID)
				continue
			}
			if !r.index.AddOfPrincipal(d) {
				continue // read before: only its state is news
			}
			n++
			if p := of[d.ServicePrincipalID]; p != nil {
				p.Detections = append(p.Detections, []byte(d.Raw))
			}
			if r.Rows == nil {
				continue
			}
			if err := r.Rows.PrincipalDetection(d); err != nil {
				return err
			}
		}
	}
	if r.Rows != nil {
		r.Rows.Count("servicePrincipalDetections", n)
	}
	return ctx.Err()
}

// readOwners reads whose applications the open service principals are, and those
// that an order or a question names. Where that may not be read, nothing is done
// to any of them.
func (r *reading) readOwners(ctx context.Context) error {
	var ids []entra.ID
	for _, p := range r.Snapshot.ServicePrincipals {
		if (p.RiskState.Open() || r.ordered) && entra.IsID(string(p.ID)) {
			ids = append(ids, p.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	found, err := r.Reader.ServicePrincipals(ctx, ids)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		r.OwnersUnknown = err.Error()
		return nil
	}
	for i := range r.Snapshot.ServicePrincipals {
		p := &r.Snapshot.ServicePrincipals[i]
		if d, is := found[p.ID]; is {
			p.Directory = &d
		}
	}
	return nil
}

// judgePrincipals hands the service principals to judge, when all names are
// resolved.
func (r *reading) judgePrincipals(ctx context.Context, judge JudgePrincipal) error {
	for i := range r.Snapshot.ServicePrincipals {
		if err := judge(r.Known, &r.Snapshot.ServicePrincipals[i]); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// OrderPrincipals reads the service principals that an order names, how many are
// at risk, their open detections, and with roles also who holds a directory role.
// A name that stands for no risky service principal, or for several, is an error.
func (s Source) OrderPrincipals(ctx context.Context, start Start, rec recovery.Recovered, names []string, roles bool, judge JudgePrincipal) (Snapshot, error) {
	r := s.begin(start, rec)
	err := r.Notes.Timed("order", func() error { return r.orderPrincipals(ctx, names, roles, judge) })
	return r.Snapshot, err
}

func (r *reading) orderPrincipals(ctx context.Context, names []string, roles bool, judge JudgePrincipal) error {
	r.ordered = true
	if err := r.readDirectory(ctx); err != nil {
		return fmt.Errorf("resolving names: %w", err)
	}
	if err := r.listPrincipals(ctx); err != nil {
		return fmt.Errorf("reading risky service principals: %w", err)
	}
	named, err := r.namedPrincipals(names)
	if err != nil {
		return err
	}
	r.Snapshot.ServicePrincipals = named
	if roles {
		if err := r.readRoles(ctx); err != nil {
			return err
		}
	}
	ids := make([]entra.ID, len(named))
	for i, p := range named {
		ids[i] = p.ID
	}
	for some := range slices.Chunk(ids, plan.PrincipalBatch) {
		if err := r.principalDetections(ctx, some); err != nil {
			return fmt.Errorf("reading their risk detections: %w", err)
		}
	}
	if err := r.readOwners(ctx); err != nil {
		return err
	}
	return r.judgePrincipals(ctx, judge)
}

// OnePrincipal reads one risky service principal; nil if a name stands for none.
func (s Source) OnePrincipal(ctx context.Context, start Start, rec recovery.Recovered, name string) (Known, *ServicePrincipal, error) {
	r := s.begin(start, rec)
	var one *ServicePrincipal
	err := r.orderPrincipals(ctx, []string{name}, false, func(_ Known, p *ServicePrincipal) error {
		one = p
		return nil
	})
	if errors.Is(err, entra.ErrPrincipalNotRisky) {
		err = nil
	}
	return r.Known, one, err
}

// namedPrincipals finds the risky service principals of names: object ids, app
// ids or display names.
func (r *reading) namedPrincipals(names []string) ([]ServicePrincipal, error) {
	var out []ServicePrincipal
	var missing []string
	for _, name := range names {
		found := slices.DeleteFunc(slices.Clone(r.Snapshot.ServicePrincipals), func(p ServicePrincipal) bool {
			id := entra.NewID(name)
			return p.ID != id && entra.NewID(p.AppID) != id && !strings.EqualFold(p.DisplayName, name)
		})
		switch {
		case len(found) == 0:
			missing = append(missing, name)
		case len(found) > 1:
			return nil, fmt.Errorf("%s stands for %d risky service principals; name the object id", name, len(found))
		case !slices.ContainsFunc(out, func(p ServicePrincipal) bool { return p.ID == found[0].ID }):
			out = append(out, found[0])
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%s: %w", strings.Join(missing, ", "), entra.ErrPrincipalNotRisky)
	}
	return out, nil
}
