package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/risksweep/risksweep/internal/blobstore"
)

// CutShort is a run that began to write to the tenant and left no manifest, as a
// later run has found it: that run's manifest speaks for it.
type CutShort struct {
	Run   string `json:"run"`
	Files []File `json:"files"`
}

// whatItLeft are the files of a run that was cut short by which later runs go on.
var whatItLeft = []string{"journal.jsonl", "plan.json"}

// CutShort gives those of some runs that have no manifest, with what they left.
func (l *Ledger) CutShort(ctx context.Context, runs []string) ([]CutShort, error) {
	var out []CutShort
	for _, id := range runs {
		if _, _, err := l.manifest(ctx, id); !errors.Is(err, blobstore.ErrNotFound) {
			if err != nil && !isCorrupt(err) {
				return nil, err
			}
			continue
		}
		dir, err := l.runDir(id)
		if err != nil {
			return nil, err
		}
		c := CutShort{Run: id}
		for _, name := range whatItLeft {
			size, sum, err := l.sumOf(ctx, dir+"/"+name)
			switch {
			case err == nil:
				c.Files = append(c.Files, File{Name: name, Size: size, SHA256: sum})
			case !errors.Is(err, blobstore.ErrNotFound):
				return nil, err
			}
		}
		if len(c.Files) > 0 {
			out = append(out, c)
		}
	}
	return out, nil
}

// foundCut is a run that was cut short, with the run that found it.
type foundCut struct {
	CutShort
	by string
}

// verifyCutShort checks that what a run without a manifest left is still as the
// run after it has found it. What was added since is no problem: a process that
// was taken for dead may have written on.
func (l *Ledger) verifyCutShort(ctx context.Context, c foundCut) (problems []string, err error) {
	if _, _, err := l.manifest(ctx, c.Run); err == nil || isCorrupt(err) {
		return nil, nil // it has ended after all, or is named as damaged
	} else if !errors.Is(err, blobstore.ErrNotFound) {
		return nil, err
	}
	dir, err := l.runDir(c.Run)
	if err != nil {
		return nil, err
	}
	for _, f := range c.Files {
		what := ""
		size, sum, err := l.sumOfFirst(ctx, dir+"/"+f.Name, f.Size)
		switch {
		case errors.Is(err, blobstore.ErrNotFound) || errors.Is(err, blobstore.ErrName):
			what = "is missing"
		case err != nil:
			return problems, err
		case size < f.Size:
			what = fmt.Sprintf("is truncated: %d of %d bytes", size, f.Size)
		case sum != f.SHA256:
			what = "was changed"
		}
		if what != "" {
			problems = append(problems, fmt.Sprintf("run %s: %s %s since run %s found that this run was cut short", c.Run, f.Name, what, c.by))
		}
	}
	return problems, nil
}

// sumOfFirst gives the hash of the first bytes of a file, and how many it has of
// them.
func (l *Ledger) sumOfFirst(ctx context.Context, name string, most int64) (int64, string, error) {
	in, _, err := l.store.Open(ctx, name)
	if err != nil {
		return 0, "", err
	}
	sum := sha256.New()
	size, err := io.Copy(sum, io.LimitReader(in, most))
	return size, hex.EncodeToString(sum.Sum(nil)), errors.Join(err, in.Close())
}

// verifyWriters names the runs that the state knows as writers and of which the
// store has nothing.
func (l *Ledger) verifyWriters(v *Verification, s State, ids []string, pruned map[string]string) {
	for _, run := range slices.Compact(slices.Sorted(slices.Values(s.Unpruned()))) {
		if _, deleted := pruned[run]; !deleted && !slices.Contains(ids, run) {
			v.Problems = append(v.Problems, fmt.Sprintf("run %s began to write to the tenant, as the state records, and is missing from the store", run))
		}
	}
}
