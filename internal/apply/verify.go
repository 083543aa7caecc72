package apply

import (
	"context"
	"fmt"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

// verify reads each kind that was written once, after the last write, and
// gives every accepted change its outcome. What does not show yet is looked
// for again until its visibility deadline.
func (r *run) verify(ctx context.Context, wrote []write) {
	var err error
	wrote, err = r.verifyOnce(ctx, wrote, false)
	for d := range backoff(firstPause, r.Visibility) {
		if len(wrote) == 0 || !wait(ctx, d) {
			break
		}
		wrote, err = r.verifyOnce(ctx, wrote, false)
	}
	if err == nil && len(wrote) > 0 {
		wrote, err = r.verifyOnce(ctx, wrote, true)
	}
	for _, w := range wrote { // could not be read back: accepted all the same
		r.settle(ctx, w.action, plan.Processing, w.requestID, fmt.Sprintf("accepted; could not be read back: %v", err), w.made(w.after))
	}
}

func (r *run) verifyOnce(ctx context.Context, wrote []write, last bool) ([]write, error) {
	lists := map[entra.ObjectKind]map[string]entra.Document{}
	for _, w := range wrote {
		kind := w.action.Change.Kind
		if lists[kind] != nil {
			continue
		}
		c, cancel := r.call(ctx)
		live, err := r.Reader.Objects(c, kind)
		cancel()
		if err != nil {
			return wrote, err
		}
		lists[kind] = map[string]entra.Document{}
		for _, d := range live {
			lists[kind][d.ID()] = d
		}
	}
	// An object written twice (un-trusted, then deleted) shows its last state
	// only.
	final := map[string]string{}
	for _, w := range wrote {
		final[w.id] = w.action.ID
	}
	var rest []write
	for _, w := range wrote {
		live, listed := lists[w.action.Change.Kind][w.id]
		if !r.judge(ctx, w, live, listed, final[w.id] != w.action.ID, last) {
			rest = append(rest, w)
		}
	}
	return rest, nil
}

// judge settles one accepted change by what the list shows of it. False means
// that it is too early to say.
func (r *run) judge(ctx context.Context, w write, live entra.Document, listed, overwritten, last bool) bool {
	c := w.action.Change
	switch {
	case overwritten:
		r.settle(ctx, w.action, plan.Done, w.requestID, w.detail, w.made(w.after))
	case w.after == nil && !listed:
		r.settle(ctx, w.action, plan.Done, w.requestID, w.detail, w.made(nil))
	case w.after != nil && listed && policy.CanonicalHash(c.Kind, live) == policy.CanonicalHash(c.Kind, w.after):
		r.settle(ctx, w.action, plan.Done, w.requestID, w.detail, w.made(live))
	case !last:
		return false
	case w.after == nil:
		r.settle(ctx, w.action, plan.Processing, w.requestID, "accepted; the object still shows in the list", w.made(nil))
	case !listed:
		r.settle(ctx, w.action, plan.Processing, w.requestID, "accepted; the object does not show in the list yet", w.made(w.after))
	case policy.CanonicalHash(c.Kind, live) == c.BeforeHash:
		r.settle(ctx, w.action, plan.NotTaken, w.requestID, "accepted, but the object is as it was before", nil)
	default:
		detail := "the service keeps it otherwise than it was sent: " + strings.Join(policy.DifferentPaths(policy.CanonicalOf(c.Kind, live), policy.CanonicalOf(c.Kind, w.after)), ", ")
		r.settle(ctx, w.action, plan.Done, w.requestID, detail, w.made(live))
	}
	return true
}

// made is what is known of the object after the write; live is how the service
// keeps it, nil for one that is deleted.
func (w write) made(live entra.Document) *Written {
	c := w.action.Change
	if len(c.Exclusions) > 0 { // nothing of it is the baseline's
		return nil
	}
	m := &Written{Kind: c.Kind, Key: c.Key, ID: w.id}
	if w.after == nil {
		m.Deleted = true
		return m
	}
	m.DisplayName = w.after.DisplayName()
	out := entra.Texts(c.Excepted)
	m.Hash, m.Wanted = policy.CanonicalOf(c.Kind, live).HashWithout(out), policy.CanonicalOf(c.Kind, w.after).HashWithout(out)
	return m
}
