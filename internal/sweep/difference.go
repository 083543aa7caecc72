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
	latest, err := r.Ledger.LatestRun(ctx)
	if errors.Is(err, blobstore.ErrNotFound) || r.req.ordered() || !r.snapshot.Complete {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rep.Previous = latest.Run
	before, err := openSide(ctx, r.Ledger, latest.Run)
	if errors.Is(err, blobstore.ErrNotFound) {
		return nil, nil // the last run was deleted
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, before.Close()) }()
	users, err := r.reopen(ctx, "users.jsonl")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, users.Close()) }()
	after := report.Side{Run: r.led.ID(), Users: users, Policies: report.Policies{Objects: policies}, Unread: rep.Coverage.Unread}
	out, err := report.Compare(before.Side, after)
	if err != nil {
		return nil, fmt.Errorf("comparing with run %s: %w", latest.Run, err)
	}
	return &out, nil
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
	return report.Compare(before.Side, after.Side)
}

// side is one stored run of a comparison.
type side struct {
	report.Side
	io.Closer
}

func openSide(ctx context.Context, l *ledger.Ledger, run string) (side, error) {
	s := side{Side: report.Side{Run: run}}
	in, _, err := l.Open(ctx, run, "report.json")
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
	if in, _, err = l.Open(ctx, run, "policies.json"); err != nil {
		return s, err
	}
	s.Policies, err = report.ReadPolicies(in)
	if err = errors.Join(err, in.Close()); err != nil {
		return s, fmt.Errorf("policies.json of run %s: %w", run, err)
	}
	users, _, err := l.Open(ctx, run, "users.jsonl")
	s.Users, s.Closer = users, users
	return s, err
}

// reopen reads a committed file of this run.
func (r *publisher) reopen(ctx context.Context, name string) (io.ReadCloser, error) {
	in, _, err := r.Ledger.Open(ctx, r.led.ID(), name)
	return in, err
}
