package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/risksweep/risksweep/internal/blobstore"
)

// PlansVersion is the version of plans.json.
const PlansVersion = 1

// Plans is plans.json: the chain of plan runs. They take no lease, so that
// several may end at once: each enters by compare-and-swap, and what another has
// entered meanwhile stays.
//
// A run enters in three steps, and may die between any two. It announces the hash
// of its manifest under Pending, stores the manifest, and moves to Runs. A
// pending run with a manifest has ended: whoever enters next moves it. One
// without has not.
type Plans struct {
	SchemaVersion int `json:"schemaVersion"`
	// Runs are the plan runs that ended, in the order in which they entered;
	// none is ever taken out.
	Runs []Link `json:"runs"`
	// Pending are those that are about to end, or that died there.
	Pending []Link `json:"pending,omitempty"`
}

// ParsePlans reads plans.json.
func ParsePlans(data []byte) (Plans, error) {
	p := Plans{SchemaVersion: PlansVersion}
	err := scanPlans(bytes.NewReader(data), func(l Link) error {
		p.Runs = append(p.Runs, l)
		return nil
	}, func(l Link) error {
		p.Pending = append(p.Pending, l)
		return nil
	})
	if err != nil {
		return Plans{}, err
	}
	return p, nil
}

// scanPlans reads plans.json entry by entry: it grows with each plan run.
func scanPlans(in io.Reader, run, pending func(Link) error) error {
	version := 0
	err := scanObject(in, map[string]func(*json.Decoder) error{
		"schemaVersion": func(dec *json.Decoder) error {
			// Of a newer version the rest may mean anything.
			if err := dec.Decode(&version); err != nil || version <= PlansVersion {
				return err
			}
			return errNewer
		},
		"runs":    func(dec *json.Decoder) error { return scanArray(dec, run) },
		"pending": func(dec *json.Decoder) error { return scanArray(dec, pending) },
	})
	const mend = "restore it from a backup, or move it away: report verify then names the plan runs that nothing proves any more"
	switch {
	case errors.Is(err, errNewer):
		return fmt.Errorf("the list of plan runs has schema version %d, this program knows %d: use the newer risksweep that wrote it", version, PlansVersion)
	case errors.Is(err, errTrailing):
		return fmt.Errorf("the list of plan runs %w and is not read (data after the end); %s", errCorrupt, mend)
	case err != nil || version < 1:
		return fmt.Errorf("the list of plan runs %w and is not read; %s", errCorrupt, mend)
	}
	return nil
}

var (
	errNewer    = errors.New("of a newer version")
	errTrailing = errors.New("data after the end")
)

// scanObject reads a JSON object member by member, and skips members that
// nothing is said of.
func scanObject(in io.Reader, members map[string]func(*json.Decoder) error) error {
	dec := json.NewDecoder(in)
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return errors.Join(err, errCorrupt)
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		read := members[fmt.Sprint(name)]
		if read == nil {
			read = func(dec *json.Decoder) error { return dec.Decode(new(json.RawMessage)) }
		}
		if err := read(dec); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil { // its end
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errTrailing
	}
	return nil
}

// scanArray reads a JSON array element by element; null is an empty one.
func scanArray[T any](dec *json.Decoder, each func(T) error) error {
	switch t, err := dec.Token(); {
	case err != nil:
		return err
	case t == nil:
		return nil
	case t != json.Delim('['):
		return errCorrupt
	}
	for dec.More() {
		var x T
		if err := dec.Decode(&x); err != nil {
			return err
		}
		if err := each(x); err != nil {
			return err
		}
	}
	_, err := dec.Token() // its end
	return err
}

// Head is the hash that stands for all plan runs that have entered, and for
// their order.
func (p Plans) Head() string {
	head := ""
	for _, l := range p.Runs {
		head = headAfter(head, l)
	}
	return head
}

func headAfter(head string, l Link) string {
	sum := sha256.Sum256([]byte(head + "\n" + l.Run + "\n" + l.SHA256 + "\n"))
	return hex.EncodeToString(sum[:])
}

// Plans reads the chain of plan runs and its version; an empty one with the
// empty version if no plan run has entered yet.
func (l *Ledger) Plans(ctx context.Context) (Plans, string, error) {
	name := l.name("plans.json")
	data, version, err := l.store.Get(ctx, name)
	switch {
	case errors.Is(err, blobstore.ErrNotFound):
		return Plans{SchemaVersion: PlansVersion}, "", nil
	case err != nil:
		return Plans{}, "", fmt.Errorf("reading the list of plan runs: %w", err)
	}
	p, err := ParsePlans(data)
	if err != nil {
		return Plans{}, "", fmt.Errorf("%s: %w", name, err)
	}
	return p, version, nil
}

// changePlans changes the chain until nobody else has changed it meanwhile.
func (l *Ledger) changePlans(ctx context.Context, change func(p *Plans, isNew bool) error) (Plans, error) {
	for {
		p, version, err := l.Plans(ctx)
		if err != nil {
			return Plans{}, err
		}
		if err := change(&p, version == ""); err != nil {
			return Plans{}, err
		}
		p.SchemaVersion = PlansVersion
		if p.Runs == nil {
			p.Runs = []Link{}
		}
		data, err := json.MarshalIndent(p, "", " ")
		if err != nil {
			return Plans{}, err
		}
		// Of those that change it at the same time one always gets through.
		if _, err = l.store.PutIf(ctx, l.name("plans.json"), append(data, '\n'), version); !errors.Is(err, blobstore.ErrChanged) {
			return p, err
		}
	}
}

// announce enters a plan run as pending and gives the text of its manifest,
// which names the head of the chain before it.
func (l *Ledger) announce(ctx context.Context, m Manifest) (data []byte, err error) {
	_, err = l.changePlans(ctx, func(p *Plans, isNew bool) error {
		if isNew {
			if err := l.adoptPlans(ctx, p); err != nil {
				return err
			}
		}
		if err := l.moveEnded(ctx, p); err != nil {
			return err
		}
		head := p.Head()
		m.PlanHead = &head
		if data, err = encodeManifest(m); err != nil {
			return err
		}
		p.Pending = append(without(p.Pending, m.Run), Link{Run: m.Run, SHA256: hashOf(data)})
		return nil
	})
	return data, err
}

// enter moves a run whose manifest is stored to those that have ended, and gives
// the head.
func (l *Ledger) enter(ctx context.Context, link Link) (string, error) {
	p, err := l.changePlans(ctx, func(p *Plans, _ bool) error {
		p.Pending = without(p.Pending, link.Run)
		if !slices.Contains(p.Runs, link) { // another may have moved it
			p.Runs = append(p.Runs, link)
		}
		return nil
	})
	return p.Head(), err
}

// moveEnded moves what has ended from Pending to Runs, and drops what has left
// nothing in the store.
func (l *Ledger) moveEnded(ctx context.Context, p *Plans) error {
	var still []Link
	for _, link := range p.Pending {
		_, sum, err := l.manifest(ctx, link.Run)
		switch {
		case err == nil && sum == link.SHA256:
			p.Runs = append(p.Runs, link)
			continue
		case errors.Is(err, blobstore.ErrNotFound):
			exists, err := l.exists(ctx, link.Run)
			if err != nil {
				return err
			}
			if !exists {
				continue
			}
		case err != nil && !isCorrupt(err):
			return err
		}
		still = append(still, link)
	}
	p.Pending = still
	return nil
}

// adoptPlans enters the plan runs of versions that kept no chain. A run that
// names a head was in one: if the list was lost, verify is to say so.
func (l *Ledger) adoptPlans(ctx context.Context, p *Plans) error {
	ids, err := l.runIDs(ctx, 0)
	if err != nil {
		return err
	}
	for _, id := range slices.Backward(ids) {
		m, sum, err := l.manifest(ctx, id)
		switch {
		case err == nil && m.Mode == "plan" && m.PlanHead == nil:
			p.Runs = append(p.Runs, Link{Run: id, SHA256: sum})
		case err != nil && !errors.Is(err, blobstore.ErrNotFound) && !isCorrupt(err):
			return err
		}
	}
	return nil
}

func without(links []Link, run string) []Link {
	return slices.DeleteFunc(slices.Clone(links), func(l Link) bool { return l.Run == run })
}
