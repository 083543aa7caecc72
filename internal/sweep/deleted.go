package sweep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep/recovery"
)

// ErrUnknownObject says that nothing deleted, owned or stored has a name.
var ErrUnknownObject = errors.New("no deleted object, and no object in a stored run, has the name")

// FindDeleted finds what a person wants back, by its key in the baseline, its id
// or its displayName: among what the state owns and the deleted items, else in
// what the runs have stored. With ErrUnknownObject, names are those that it could
// have been.
func (s *Sweeper) FindDeleted(ctx context.Context, what string) (found Restore, names []string, err error) {
	stored, err := recovery.Read(ctx, s.Ledger)
	if err != nil {
		return found, nil, err
	}
	rec, err := s.recovered(ctx, stored, recovery.None)
	if err != nil {
		return found, nil, err
	}
	f := &finder{Sweeper: s, what: what, state: rec.State}
	for kind, byKey := range rec.State.Owned {
		for key, o := range byKey {
			f.see(Restore{Kind: kind, Key: key, ID: o.ID, Name: o.DisplayName})
		}
	}
	var unread error
	inBin := map[entra.ID]bool{}
	for _, kind := range []entra.ObjectKind{entra.KindPolicy, entra.KindLocation} {
		docs, err := s.Reader.DeletedObjects(ctx, kind)
		switch {
		case errors.Is(err, entra.ErrUnsupported):
			continue
		case err != nil:
			unread = fmt.Errorf("reading the deleted items: %w", err)
			continue
		}
		for _, d := range docs {
			r := Restore{Kind: kind, ID: entra.NewID(d.ID()), Name: d.DisplayName()}
			r.Key = f.keyOf(r)
			f.see(r)
			inBin[r.ID] = true
		}
	}
	if unread != nil {
		return found, nil, unread
	}
	switch {
	case len(f.found) == 0:
		found, err = f.stored(ctx, f.is)
	case len(f.found) == 1 && inBin[f.found[0].ID]:
		found = f.found[0]
	case len(f.found) == 1:
		if found, err = f.stored(ctx, func(r Restore) bool { return r.Kind == f.found[0].Kind && r.ID == f.found[0].ID }); found.Last == nil {
			found = f.found[0]
		} else {
			found.Key, found.Name = f.found[0].Key, f.found[0].Name
		}
	default:
		var all []string
		for _, r := range f.found {
			all = append(all, r.String())
		}
		return found, nil, fmt.Errorf("%q names more than one: %s; give the id", what, strings.Join(all, ", "))
	}
	if err != nil {
		return found, nil, err
	}
	if found.ID == "" {
		for _, it := range f.items() {
			f.name(it.Key)
		}
		return found, f.names, fmt.Errorf("%w %q", ErrUnknownObject, what)
	}
	return found, nil, nil
}

// finder looks for one object. Names are those of others.
type finder struct {
	*Sweeper
	what  string
	state ledger.State
	found []Restore
	names []string
}

func (f *finder) is(r Restore) bool {
	for _, n := range []string{r.Key, string(r.ID), r.Name} {
		if n != "" && strings.EqualFold(n, f.what) {
			return true
		}
	}
	return false
}

// see takes an object in, once: the state and the deleted items may both know it.
func (f *finder) see(r Restore) {
	if !f.is(r) {
		f.name(r.Key)
		f.name(r.Name)
		f.name(string(r.ID))
		return
	}
	if !slices.ContainsFunc(f.found, func(o Restore) bool { return o.Kind == r.Kind && o.ID == r.ID }) {
		f.found = append(f.found, r)
	}
}

func (f *finder) name(n string) {
	if n != "" && len(f.names) < maxNear {
		f.names = append(f.names, n)
	}
}

func (f *finder) items() []baseline.Item {
	if f.Baseline == nil {
		return nil
	}
	return f.Baseline.Items()
}

// keyOf is the key that an object stands for: the one it is recorded for, else
// that of the baseline's object of its name, unless another stands for it.
func (f *finder) keyOf(r Restore) string {
	for key, o := range f.state.Owned[r.Kind] {
		if o.ID == r.ID {
			return key
		}
	}
	for _, it := range f.items() {
		if _, taken := f.state.Owned[it.Kind][it.Key]; it.Kind == r.Kind && !taken && (it.Key == r.Key || r.Key == "" && strings.EqualFold(it.DisplayName(), r.Name)) {
			return it.Key
		}
	}
	return ""
}

// stored is the newest form that a run has stored of an object: what it wrote,
// else what it read.
func (f *finder) stored(ctx context.Context, is func(Restore) bool) (Restore, error) {
	p := Past{Ledger: f.Ledger}
	ids, err := p.runs(ctx)
	if err != nil {
		return Restore{}, err
	}
	for _, run := range ids {
		r, err := f.wrote(ctx, p, run, is)
		if err == nil && r.Last == nil {
			r, err = f.read(ctx, p, run, is)
		}
		if err != nil || r.Last != nil {
			r.Key = f.keyOf(r)
			r.Run = run
			return r, err
		}
	}
	return Restore{}, nil
}

// wrote is what a run has made of an object, or what it was before the run has
// deleted it.
func (f *finder) wrote(ctx context.Context, p Past, run string, is func(Restore) bool) (found Restore, err error) {
	stored, err := f.Ledger.Plan(ctx, run)
	if errors.Is(err, blobstore.ErrNotFound) {
		return found, nil
	}
	if err != nil {
		return found, err
	}
	own, _, err := p.journaled(ctx, run)
	if err != nil {
		return found, err
	}
	sent := map[string]plan.Outcome{}
	for _, o := range own {
		if o.Status.Sent() {
			sent[o.Action] = o
		}
	}
	for _, a := range slices.Backward(stored.Actions) {
		o, did := sent[a.ID]
		c := a.Change
		if !did || c == nil || len(c.Exclusions) > 0 {
			continue
		}
		r := Restore{Kind: c.Kind, Key: c.Key, ID: a.Subject.ID, Name: a.Subject.Name}
		if r.ID == "" {
			r.ID = o.Subject.ID
		}
		if !is(r) || r.ID == "" {
			f.name(r.Key)
			continue
		}
		form := c.After
		if form == nil {
			form = c.Before
		}
		filled, err := apply.Fill(form, recovery.IDs(f.state))
		if err != nil {
			return found, fmt.Errorf("what the run %s has stored of %s: %w", run, r, err)
		}
		r.Last = policy.CanonicalOf(c.Kind, filled).WithoutExcluded(entra.Texts(c.Excepted)).Document()
		return r, nil
	}
	return found, nil
}

// read is what a run has read of an object.
func (f *finder) read(ctx context.Context, p Past, run string, is func(Restore) bool) (found Restore, err error) {
	err = p.file(ctx, run, "policies.json", func(in io.Reader) error {
		all, err := report.ReadPolicies(in)
		for _, row := range all.Objects {
			r := Restore{Kind: row.Kind, Key: row.Key, ID: entra.NewID(row.ID), Name: row.DisplayName, Last: row.Live}
			switch {
			case row.Live == nil || r.ID == "":
			case is(r):
				found = r
			default:
				f.name(r.Key)
				f.name(r.Name)
			}
		}
		return err
	})
	return found, err
}
