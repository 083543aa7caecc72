package sweep

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/report"
)

// difference compares this run with the last complete one; nil without one.
func (r *publisher) difference(ctx context.Context, rep *report.Report, policies []report.PolicyRow) (d *report.Difference, err error) {
	if r.req.ordered() || !r.snapshot.Complete {
		return nil, nil
	}
	before, err := r.previous(ctx)
	if err != nil || before == nil {
		return nil, err
	}
	rep.Previous = before.Run
	defer func() { err = errors.Join(err, before.Close()) }()
	users, err := r.reopen(ctx, "users.jsonl")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, users.Close()) }()
	after := report.Side{Run: r.led.ID(), Users: users, Policies: report.Policies{Objects: policies}, Unread: rep.Coverage.Unread}
	out, err := report.Compare(before.Side, after)
	if err != nil {
		return nil, fmt.Errorf("comparing with run %s: %w", before.Run, err)
	}
	out = r.Output.Redaction.Difference(out)
	return &out, nil
}

// previous opens the run that this one is compared with: the last complete run of
// apply, and where there is none, as in a store of plans alone, the last sweep
// that read everything; nil without one.
func (r *publisher) previous(ctx context.Context) (*side, error) {
	latest, err := r.Ledger.LatestRun(ctx)
	if err == nil {
		s, err := openSide(ctx, r.Ledger, latest.Run)
		switch {
		case errors.Is(err, blobstore.ErrNotFound):
			return nil, nil // it was deleted
		case errors.Is(err, ledger.ErrChanged): // no reason to lose this run's report
			r.log.Warn("what changed since the last run is not said: "+err.Error(), "run", latest.Run)
			return nil, nil
		}
		return &s, err
	}
	if !errors.Is(err, blobstore.ErrNotFound) {
		return nil, err
	}
	ids, err := r.Ledger.RunIDs(ctx, historyRuns)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if id == r.led.ID() {
			continue
		}
		m, err := r.Ledger.Manifest(ctx, id)
		if errors.Is(err, blobstore.ErrNotFound) || err == nil && m.Kind.Ordered() {
			continue
		}
		if err != nil {
			return nil, err
		}
		s, err := openSide(ctx, r.Ledger, id)
		if errors.Is(err, blobstore.ErrNotFound) || errors.Is(err, ErrNotWhole) || errors.Is(err, ledger.ErrChanged) {
			continue
		}
		return &s, err
	}
	return nil, nil
}

// ErrNotWhole says that a run did not read the whole tenant.
var ErrNotWhole = errors.New("did not read the whole tenant, so it cannot be compared")

// CompareRuns says what changed between two stored runs. ErrNotWhole says that
// one of them was an order, or failed before it had read everything.
func CompareRuns(ctx context.Context, l *ledger.Ledger, from, to string) (d report.Difference, err error) {
	before, err := openSide(ctx, l, from)
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, before.Close()) }()
	after, err := openSide(ctx, l, to)
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, after.Close()) }()
	if d, err = report.Compare(before.Side, after.Side); err != nil {
		return d, err
	}
	d.Between, err = between(ctx, l, from, to)
	return d, err
}

// side is one stored run of a comparison.
type side struct {
	report.Side
	io.Closer
}

func openSide(ctx context.Context, l *ledger.Ledger, run string) (side, error) {
	s := side{Side: report.Side{Run: run}}
	in, _, err := l.OpenProved(ctx, run, "report.json")
	if err != nil {
		return s, err
	}
	status, coverage, err := report.ReadCoverage(in)
	if err = errors.Join(err, in.Close()); err != nil {
		return s, fmt.Errorf("report.json of run %s: %w", run, err)
	}
	if !coverage.Complete {
		return s, fmt.Errorf("run %s (%s) %w", run, status, ErrNotWhole)
	}
	s.Unread = coverage.Unread
	if in, _, err = l.OpenProved(ctx, run, "policies.json"); err != nil {
		return s, err
	}
	s.Policies, err = report.ReadPolicies(in)
	if err = errors.Join(err, in.Close()); err != nil {
		return s, fmt.Errorf("policies.json of run %s: %w", run, err)
	}
	users, _, err := l.OpenProved(ctx, run, "users.jsonl")
	s.Users, s.Closer = users, users
	return s, err
}

// reopen reads a committed file of this run.
func (r *publisher) reopen(ctx context.Context, name string) (io.ReadCloser, error) {
	in, _, err := r.Ledger.Open(ctx, r.led.ID(), name)
	return in, err
}
