package sweep

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/sweep/decide"
	"github.com/risksweep/risksweep/internal/sweep/gather"
	"github.com/risksweep/risksweep/internal/sweep/recovery"
	"github.com/risksweep/risksweep/internal/triage"
)

// Beside the runs stand those who only look: nothing is stored or written. They
// go on from the same recovered state, and read with the same functions.

// look begins as a run does.
func (s *Sweeper) look(ctx context.Context, scope recovery.Scope) (source gather.Source, start gather.Start, rec recovery.Recovered, err error) {
	source = s.source(s.Log.With("tenant", s.Name))
	stored, err := recovery.Read(ctx, s.Ledger)
	if err != nil {
		return source, start, rec, err
	}
	if start, err = source.Begin(ctx); err != nil {
		return source, start, rec, err
	}
	if rec, err = s.recovered(ctx, stored, scope); err != nil {
		err = fmt.Errorf("settling what earlier runs left open: %w", err)
	}
	return source, start, rec, err
}

// Explain reads one user or service principal as a sweep would and says why
// triage decides as it does. A name without @ is looked for among the risky
// service principals first, where those are read.
func (s *Sweeper) Explain(ctx context.Context, name string) (triage.Explanation, error) {
	if s.Triage == nil {
		return triage.Explanation{}, errors.New("no triage file is configured")
	}
	source, start, rec, err := s.look(ctx, recovery.Users)
	if err != nil {
		return triage.Explanation{}, err
	}
	if why := start.NoTriage(); why != "" {
		return triage.Explanation{}, fmt.Errorf("triage is skipped: %s", why)
	}
	var unread error
	looked := false
	if s.Settings.ServicePrincipals != "false" && !strings.Contains(name, "@") {
		known, p, err := source.OnePrincipal(ctx, start, rec, name)
		switch {
		case err == nil && p != nil:
			return decide.ExplainServicePrincipal(known, p), nil
		case err != nil && !entra.Unavailable(err):
			return triage.Explanation{}, err
		}
		unread, looked = err, err == nil
	}
	known, u, err := source.One(ctx, start, rec, name)
	if err != nil && unread != nil {
		return triage.Explanation{}, fmt.Errorf("%w; among the risky service principals, which could not be read, it was not looked for: %w", err, unread)
	}
	if looked && errors.Is(err, entra.ErrNotRisky) {
		err = fmt.Errorf("%w, nor among its risky service principals", err)
	}
	if err != nil {
		return triage.Explanation{}, err
	}
	return decide.Explain(known, u), nil
}

// Compared is a tenant beside its baseline.
type Compared struct {
	Live   drift.Live
	State  ledger.State
	Result drift.Result
	// Places say where the policies of the baseline are written, by their keys.
	Places map[string]string
	// BreakGlass are the ids of the break-glass accounts.
	BreakGlass map[entra.ID]bool
}

// CompareDestroy reads the tenant's policies and says what an order to destroy the
// baseline would delete.
func (s *Sweeper) CompareDestroy(ctx context.Context) (Compared, error) {
	source, start, rec, err := s.look(ctx, recovery.None)
	if err != nil {
		return Compared{}, err
	}
	snap, err := source.Owned(ctx, start, rec)
	if err != nil {
		return Compared{}, err
	}
	return Compared{State: snap.State, Live: snap.Live, Result: decide.Destroy(snap, s.Settings.Baseline)}, nil
}

// Compare reads the tenant's policies and compares them with the baseline.
// Without a baseline only the live side is read.
func (s *Sweeper) Compare(ctx context.Context) (Compared, error) {
	source, start, rec, err := s.look(ctx, recovery.None)
	if err != nil {
		return Compared{}, err
	}
	if rec, err = s.pinned(Request{}, rec); err != nil {
		return Compared{}, err
	}
	snap, err := source.Compared(ctx, start, rec)
	c := Compared{State: rec.State, Live: snap.Live, BreakGlass: map[entra.ID]bool{}, Places: s.Baseline.Places(entra.KindPolicy)}
	if err != nil || s.Baseline == nil {
		return c, err
	}
	if snap, err = s.confirmed(snap); err != nil {
		return c, err
	}
	c.State = snap.State
	c.BreakGlass = snap.BreakGlassIDs()
	if snap, c.Result, err = s.drift(ctx, source, snap); err != nil {
		return c, err
	}
	c.Live = snap.Live
	log, err := s.audits(ctx, source.Notes, start.ServiceNow())
	if err != nil {
		return c, fmt.Errorf("reading the audit log: %w", err)
	}
	nameChanges(log, &c.Result, snap)
	c.Result.Warnings = append(c.Result.Warnings, source.Notes.Skipped...)
	return c, nil
}
