package ledger

import (
	"context"
	"iter"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// atOnce is how many files of the store are read at the same time.
const atOnce = 8

// inOrder does work on all items, several at a time, and hands over what came of
// each in the order of the items. No more than a few of them are in memory.
func inOrder[T, R any](ctx context.Context, items []T, work func(context.Context, T) (R, error), take func(T, R) error) error {
	for part := range slices.Chunk(items, 8*atOnce) {
		done := make([]R, len(part))
		g, c := errgroup.WithContext(ctx)
		g.SetLimit(atOnce)
		for i, item := range part {
			g.Go(func() (err error) {
				done[i], err = work(c, item)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		for i, item := range part {
			if err := take(item, done[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// runIDs lists run ids, newest first; limit 0 is all. It stops when it has
// enough.
func (l *Ledger) runIDs(ctx context.Context, limit int) ([]string, error) {
	var out []string
	for id, err := range l.walk(ctx, newestFirst) {
		if err != nil {
			return nil, err
		}
		if out = append(out, id); len(out) == limit {
			break
		}
	}
	return out, nil
}

// runsSince lists the runs whose ids are dated at a time or later, newest first.
// Older folders are not looked at.
func (l *Ledger) runsSince(ctx context.Context, oldest time.Time) ([]string, error) {
	var out []string
	for id, err := range l.walk(ctx, newestFirst) {
		if err != nil {
			return nil, err
		}
		if start, err := StartOf(id); err != nil || start.Before(oldest) {
			break
		}
		out = append(out, id)
	}
	return out, nil
}

// runsBefore lists the runs whose ids are dated before a time, oldest first.
// Later folders are not looked at.
func (l *Ledger) runsBefore(ctx context.Context, edge time.Time) ([]string, error) {
	var out []string
	for id, err := range l.walk(ctx, oldestFirst) {
		if err != nil {
			return nil, err
		}
		if start, err := StartOf(id); err != nil || !start.Before(edge) {
			break
		}
		out = append(out, id)
	}
	return out, nil
}

// order is the order in which runs are walked.
type order bool

const (
	newestFirst order = true
	oldestFirst order = false
)

// walk yields the ids of runs in the order of their start. It opens the folders
// of years, months and days one after the other, so that who stops early has
// not looked at the others. A folder that does not lie where its date says is no
// run.
func (l *Ledger) walk(ctx context.Context, o order) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		var down func(dir string, levels int) bool
		down = func(dir string, levels int) bool {
			names, err := l.store.ListDirs(ctx, dir)
			if err != nil {
				yield("", err)
				return false
			}
			slices.Sort(names)
			if o == newestFirst {
				slices.Reverse(names)
			}
			for _, name := range names {
				at := dir + "/" + name
				if levels > 0 {
					if !down(at, levels-1) {
						return false
					}
				} else if should, err := l.runDir(name); err == nil && should == at && !yield(name, nil) {
					return false
				}
			}
			return true
		}
		down(l.name("runs"), 3)
	}
}
