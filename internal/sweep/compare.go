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
func (r *run) difference(ctx context.Context, rep *report.Report) (*report.Difference, error) {
	latest, err := r.Ledger.LatestRun(ctx)
	if errors.Is(err, blobstore.ErrNotFound) || r.req.ordered() || !r.readAll {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rep.Previous = latest.Run
	var after report.Policies
	after.Objects = r.policyRows()
	d, err := compareRuns(ctx, r.Ledger, latest.Run, r.led.ID(), &after)
	if errors.Is(err, blobstore.ErrNotFound) {
		return nil, nil // the last run was deleted
	}
	if err != nil {
		return nil, fmt.Errorf("comparing with run %s: %w", latest.Run, err)
	}
	return &d, nil
}

// CompareRuns says what changed between two stored runs.
func CompareRuns(ctx context.Context, l *ledger.Ledger, from, to string) (report.Difference, error) {
	return compareRuns(ctx, l, from, to, nil)
}

func compareRuns(ctx context.Context, l *ledger.Ledger, from, to string, after *report.Policies) (d report.Difference, err error) {
	var open []io.Closer
	defer func() {
		for _, c := range open {
			err = errors.Join(err, c.Close())
		}
	}()
	file := func(run, name string) (io.Reader, error) {
		in, _, err := l.Open(ctx, run, name)
		if err == nil {
			open = append(open, in)
		}
		return in, err
	}
	usersBefore, err := file(from, "users.jsonl")
	if err != nil {
		return d, err
	}
	usersAfter, err := file(to, "users.jsonl")
	if err != nil {
		return d, err
	}
	policies := func(run string) (report.Policies, error) {
		in, err := file(run, "policies.json")
		if err != nil {
			return report.Policies{}, err
		}
		return report.ReadPolicies(in)
	}
	before, err := policies(from)
	if err != nil {
		return d, err
	}
	if after == nil {
		p, err := policies(to)
		if err != nil {
			return d, err
		}
		after = &p
	}
	return report.Compare(from, to, usersBefore, usersAfter, before, *after)
}
