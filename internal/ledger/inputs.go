package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/risksweep/risksweep/internal/blobstore"
)

// The kinds of an input.
const (
	InputConfiguration = "configuration" // the effective values, without secrets
	InputBaseline      = "baseline"
	InputTriage        = "triage"
	InputExceptions    = "exceptions"
	InputExpectations  = "expectations"
)

// Input is a text that a run was steered by, as manifest.json names it.
type Input struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"` // of the file, below the folder of the configuration
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	// Stored says that the text lies in the store at inputs/SHA256. It does not
	// where names are redacted, for the text holds names.
	Stored bool `json:"stored"`
}

// InputText is an input with its text.
type InputText struct {
	Kind, Name string
	Text       []byte
	// Names says that the text may hold names of people.
	Names bool
}

// Inputs stores the texts that the run was steered by and enters them into the
// manifest. Equal texts are stored once for all runs of the tenant. Where names
// are redacted, of texts that may hold some only the hash is kept.
func (r *Run) Inputs(ctx context.Context, texts []InputText, redacted bool) error {
	there := map[string]bool{}
	for info, err := range r.l.store.List(ctx, r.l.name(inputs)+"/") {
		if err != nil {
			return fmt.Errorf("looking for stored inputs: %w", err)
		}
		there[path.Base(info.Name)] = true
	}
	for _, t := range texts {
		in := Input{Kind: t.Kind, Name: t.Name, Size: int64(len(t.Text)), SHA256: hashOf(t.Text), Stored: !redacted || !t.Names}
		if in.Stored && !there[in.SHA256] {
			err := r.l.store.PutNew(ctx, r.l.inputName(in.SHA256), t.Text)
			if err != nil && !errors.Is(err, blobstore.ErrExists) {
				return fmt.Errorf("storing %s as it was used: %w", t.Name, err)
			}
			there[in.SHA256] = true
		}
		r.inputs = append(r.inputs, in)
	}
	return nil
}

// inputs is the folder of the texts that runs were steered by.
const inputs = "inputs"

func (l *Ledger) inputName(sum string) string { return l.name(inputs, sum) }

// protectInputs gives the stored inputs of the run the retention policy of its
// files.
func (r *Run) protectInputs(ctx context.Context) error {
	done := map[string]bool{}
	for _, in := range r.inputs {
		if !in.Stored || done[in.SHA256] {
			continue
		}
		done[in.SHA256] = true
		if err := r.protectName(ctx, r.l.inputName(in.SHA256)); err != nil {
			return err
		}
	}
	return nil
}

// OpenInput opens an input of a run; blobstore.ErrNotFound if the text was not
// stored, ErrChanged if it is not the one that the run used.
func (l *Ledger) OpenInput(ctx context.Context, in Input) (io.ReadCloser, error) {
	if !in.Stored || !isHash(in.SHA256) {
		return nil, fmt.Errorf("the text of %s was not stored: %w", in.Name, blobstore.ErrNotFound)
	}
	if err := l.proves(ctx, l.inputName(in.SHA256), in.SHA256); err != nil {
		return nil, err
	}
	file, _, err := l.store.Open(ctx, l.inputName(in.SHA256))
	return file, err
}

func isHash(s string) bool {
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) == 64
}

// verifyInputs checks the stored inputs that a manifest names; checked are those
// that were looked at before, with what was wrong.
func (l *Ledger) verifyInputs(ctx context.Context, m Manifest, checked map[string]string) ([]string, error) {
	var problems []string
	for _, in := range m.Inputs {
		if !in.Stored {
			continue
		}
		wrong, known := checked[in.SHA256]
		if !known {
			var err error
			if wrong, err = l.verifyInput(ctx, in); err != nil {
				return nil, err
			}
			checked[in.SHA256] = wrong
		}
		if wrong != "" {
			problems = append(problems, fmt.Sprintf("run %s: %s as it was used (inputs/%s) %s", m.Run, in.Name, in.SHA256, wrong))
		}
	}
	return problems, nil
}

func (l *Ledger) verifyInput(ctx context.Context, in Input) (wrong string, err error) {
	if !isHash(in.SHA256) {
		return "has no valid hash", nil
	}
	data, _, err := l.store.Get(ctx, l.inputName(in.SHA256))
	switch {
	case errors.Is(err, blobstore.ErrNotFound):
		return "is missing", nil
	case err != nil:
		return "", err
	case hashOf(data) != in.SHA256:
		return "was changed: its SHA-256 is " + hashOf(data), nil
	}
	return "", nil
}

// leftInputs are the inputs that deleted runs have named, and that nobody may
// name any more.
type leftInputs struct {
	named map[string]bool
	any   bool // of some of the runs it is not known which
}

func (l *leftInputs) by(r storedRun) {
	l.any = l.any || !r.complete
	for _, in := range r.Inputs {
		if in.Stored && isHash(in.SHA256) {
			l.named[in.SHA256] = true
		}
	}
}

// pruneInputs deletes those of the inputs of deleted runs that no run names any
// more. A run that has begun and not ended may be about to name one, and one
// that begins meanwhile too: then none is deleted.
func (l *Ledger) pruneInputs(ctx context.Context, left leftInputs) error {
	if left.any {
		for info, err := range l.store.List(ctx, l.name(inputs)+"/") {
			if err != nil {
				return err
			}
			left.named[path.Base(info.Name)] = true
		}
	}
	last, err := l.runIDs(ctx, 8*atOnce) // most inputs are those of the last runs too
	if err != nil {
		return err
	}
	if sure, err := l.stillNamed(ctx, last, left.named); err != nil || !sure || len(left.named) == 0 {
		return err
	}
	before, err := l.runIDs(ctx, 0)
	if err != nil {
		return err
	}
	if sure, err := l.stillNamed(ctx, before, left.named); err != nil || !sure || len(left.named) == 0 {
		return err
	}
	after, err := l.runIDs(ctx, 0)
	if err != nil || len(after) != len(before) {
		return err
	}
	for sum := range left.named {
		if err := l.store.Delete(ctx, l.inputName(sum)); err != nil {
			return err
		}
	}
	return nil
}

// stillNamed takes out what the runs name; false if it is not known what all of
// them name.
func (l *Ledger) stillNamed(ctx context.Context, ids []string, named map[string]bool) (sure bool, err error) {
	sure = true
	err = inOrder(ctx, ids, l.stored, func(_ string, r storedRun) error {
		for _, in := range r.Inputs {
			delete(named, in.SHA256)
		}
		sure = sure && (r.complete || !r.exists)
		return nil
	})
	return sure, err
}
