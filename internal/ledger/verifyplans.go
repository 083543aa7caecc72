package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/risksweep/risksweep/internal/blobstore"
)

// verifyPlans checks the chain of plan runs: each that is listed stands in the
// store as it entered, or was deleted by retention, and each that says it has
// entered is listed.
func (l *Ledger) verifyPlans(ctx context.Context, v *Verification, runs verified, pruned map[string]string) (planHeads, error) {
	defer func() {
		for _, r := range runs {
			if !r.apply && !r.listed {
				v.Alone++
			}
		}
	}()
	listed, pending, there, err := l.readLinks(ctx)
	if err != nil {
		v.Problems = append(v.Problems, err.Error())
		return planHeads{}, nil
	}
	bad := func(format string, args ...any) { v.Problems = append(v.Problems, fmt.Sprintf(format, args...)) }
	had := planHeads{at: make(map[digest]int, len(listed)+1)}
	had.at[digest{}] = -1
	head := ""
	for _, link := range listed {
		r := runs.find(link.run)
		var sum digest
		if r != nil {
			sum = r.sum
		} else { // it may have ended since the runs were listed
			_, text, err := l.manifest(ctx, link.run)
			if err != nil && !errors.Is(err, blobstore.ErrNotFound) && !isCorrupt(err) {
				return had, err
			}
			sum = digestOf(text)
		}
		switch {
		case sum == link.sum:
			v.PlansChained++
		case sum != digest{}:
			bad("the manifest of run %s was changed: plans.json recorded its SHA-256 as %s, it is %s", link.run, link.sum, sum)
		case pruned[link.run] == "" || digestOf(pruned[link.run]) != link.sum:
			bad("run %s is missing from the store, though plans.json lists it: it was deleted", link.run)
		}
		if r != nil && !r.apply {
			r.listed = true
			if _, is := had.at[r.before]; r.links && !is {
				bad("run %s followed the head %s, to which the runs before it in plans.json do not lead", link.run, r.before)
			}
		}
		head = headAfter(head, Link{Run: link.run, SHA256: link.sum.String()})
		had.at[digestOf(head)] = len(had.runs)
		had.runs = append(had.runs, link.run)
	}
	v.PlanHead = head
	isPending := map[string]bool{}
	for _, link := range pending {
		isPending[link.Run] = true
		if r := runs.find(link.Run); r != nil && !r.apply && !r.listed && r.sum != digestOf(link.SHA256) {
			bad("the manifest of run %s was changed: plans.json recorded its SHA-256 as %s, it is %s", link.Run, link.SHA256, r.sum)
		}
	}
	var lost []string
	for _, r := range slices.Backward(runs) {
		if !r.apply && !r.listed && r.links && !isPending[r.id] {
			lost = append(lost, r.id)
		}
	}
	switch n := len(lost); {
	case n == 0:
	case !there:
		bad("%s is missing, though %d plan runs had entered it, the last of them %s", l.name("plans.json"), n, lost[n-1])
	default:
		for _, id := range lost {
			bad("run %s had entered plans.json, which does not list it: the list was replaced or changed", id)
		}
	}
	return had, nil
}

// planHeads are the heads that the chain of plan runs has had: the run that made
// each, by its place in the list.
type planHeads struct {
	at   map[digest]int
	runs []string
}

// planLink is an entry of plans.json, kept small.
type planLink struct {
	run string
	sum digest
}

// readLinks reads plans.json entry by entry; there says whether it exists.
func (l *Ledger) readLinks(ctx context.Context) (listed []planLink, pending []Link, there bool, err error) {
	name := l.name("plans.json")
	in, _, err := l.store.Open(ctx, name)
	if errors.Is(err, blobstore.ErrNotFound) {
		return nil, nil, false, nil
	}
	if err != nil {
		return nil, nil, false, fmt.Errorf("reading the list of plan runs: %w", err)
	}
	err = scanPlans(in, func(link Link) error {
		if !isHash(link.SHA256) {
			return fmt.Errorf("%q is no SHA-256", link.SHA256)
		}
		listed = append(listed, planLink{link.Run, digestOf(link.SHA256)})
		return nil
	}, func(link Link) error {
		pending = append(pending, link)
		return nil
	})
	if err = errors.Join(err, in.Close()); err != nil {
		return nil, nil, true, fmt.Errorf("%s: %w", name, err)
	}
	return listed, pending, true, nil
}
