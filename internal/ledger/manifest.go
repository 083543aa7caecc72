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
	"time"

	fastjson "github.com/go-json-experiment/json/v1"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/plan"
)

// ManifestVersion is the version of manifest.json.
const ManifestVersion = 1

// RunKind says what a run was asked to do. The two orders read no more than they
// need, so that what they do not mention is not known.
type RunKind string

// The kinds of run.
const (
	KindSweep   RunKind = "sweep"   // the tenant's risk and policies, by rules and baseline
	KindOrder   RunKind = "order"   // what a person ordered for named users
	KindDestroy RunKind = "destroy" // the deletion of what the baseline owns
	// KindRollback is the way back to before a run.
	KindRollback RunKind = "rollback"
	// KindRestore brings back what was deleted.
	KindRestore RunKind = "restore"
)

// Ordered reports whether a run of the kind does what a person ordered, and reads
// no more than that needs.
func (k RunKind) Ordered() bool {
	return k == KindOrder || k == KindDestroy || k == KindRollback || k == KindRestore
}

// Manifest is the last file of a run: what the others are.
type Manifest struct {
	SchemaVersion int    `json:"schemaVersion"`
	Run           string `json:"run"`
	Tenant        string `json:"tenant"`
	Mode          string `json:"mode"`
	// Kind is empty in manifests of versions that did not write it.
	Kind       RunKind        `json:"kind,omitempty"`
	Version    string         `json:"version,omitempty"`
	Status     string         `json:"status"`
	ExitCode   int            `json:"exitCode"`
	StartedAt  time.Time      `json:"startedAt"`
	FinishedAt time.Time      `json:"finishedAt"`
	Counts     map[string]int `json:"counts"`
	// Unread are the parts of the tenant that the run did not read to their
	// end, as in report.json.
	Unread []string `json:"unread,omitempty"`
	Files  []File   `json:"files"`
	// Inputs are the texts that the run was steered by, as it used them. Versions
	// that stored none did not write them.
	Inputs []Input `json:"inputs,omitempty"`
	// ConfigCommit is the commit that the configuration was taken from, if
	// RISKSWEEP_CONFIG_COMMIT or a git checkout of its folder names one.
	ConfigCommit string `json:"configCommit,omitempty"`
	// Requested says who asked for the run. Versions that did not know did not
	// write it.
	Requested *plan.Requested `json:"requested,omitempty"`
	// CutShort are earlier runs that began to write and have no manifest.
	CutShort []CutShort `json:"cutShort,omitempty"`
	// Previous is the manifest before this one in the chain of apply runs.
	Previous *Link `json:"previous"`
	// PlanHead is, in a plan run, the head of the chain of plan runs before it;
	// empty in the first. Versions that kept no such chain did not write it.
	PlanHead *string `json:"planHead,omitempty"`
}

// File is one file of a run.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Link names a manifest and the hash of its bytes.
type Link struct {
	Run    string `json:"run"`
	SHA256 string `json:"sha256"`
}

// manifest reads a run's manifest and the hash of its bytes.
func (l *Ledger) manifest(ctx context.Context, run string) (Manifest, string, error) {
	dir, err := l.runDir(run)
	if err != nil {
		return Manifest{}, "", err
	}
	data, _, err := l.store.Get(ctx, dir+"/manifest.json")
	if err != nil {
		return Manifest{}, "", err
	}
	m, err := ParseManifest(data)
	if err != nil {
		err = fmt.Errorf("run %s: %w", run, err)
	}
	return m, hashOf(data), err
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func encodeManifest(m Manifest) ([]byte, error) {
	data, err := json.MarshalIndent(m, "", "  ")
	return append(data, '\n'), err
}

// Manifest reads a complete run's manifest.
func (l *Ledger) Manifest(ctx context.Context, run string) (Manifest, error) {
	m, _, err := l.manifest(ctx, run)
	return m, err
}

// ParseManifest reads manifest.json.
func ParseManifest(data []byte) (Manifest, error) {
	var m Manifest
	dec := fastjson.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&m); err != nil {
		return m, corrupt("manifest.json", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return m, corrupt("manifest.json", errors.New("data after the end"))
	}
	if m.SchemaVersion < 1 || m.Run == "" {
		return m, corrupt("manifest.json", errors.New("it names no run"))
	}
	if m.SchemaVersion > ManifestVersion {
		return m, fmt.Errorf("manifest.json has schema version %d, this program knows %d", m.SchemaVersion, ManifestVersion)
	}
	return m, nil
}

// Head finds the newest manifest of the chain: what the state records, or the
// run after it that died before it could record itself.
func (l *Ledger) Head(ctx context.Context, s State) (head, run string, err error) {
	head, run = s.Head, s.HeadRun
	// Ids carry the clock of the machine that ran: of what follows the head
	// none is a day older. Where there is no head, any run may be the first.
	edge := time.Time{}
	if newest, err := StartOf(run); err == nil {
		edge = newest.Add(-24 * time.Hour)
	}
	ids, err := l.runsSince(ctx, edge)
	if err != nil {
		return "", "", err
	}
	if len(ids) > manyRuns {
		ids = l.withoutPlans(ctx, ids)
	}
	type link struct {
		run, sum string
		previous *Link
	}
	var chain []link
	read := func(ctx context.Context, id string) (*link, error) {
		m, sum, err := l.manifest(ctx, id)
		if errors.Is(err, blobstore.ErrNotFound) || isCorrupt(err) || err == nil && m.Mode != "apply" {
			return nil, nil
		}
		return &link{id, sum, m.Previous}, err
	}
	err = inOrder(ctx, ids, read, func(_ string, x *link) error {
		if x != nil && x.run != run {
			chain = append(chain, *x)
		}
		return nil
	})
	if err != nil {
		return "", "", err
	}
	for again := true; again; {
		again = false
		for _, x := range chain {
			if follows := x.previous == nil && head == "" || x.previous != nil && x.previous.SHA256 == head; follows && x.sum != head {
				head, run, again = x.sum, x.run, true
			}
		}
	}
	return head, run, nil
}

// manyRuns is how many runs are read rather than the list of plan runs.
const manyRuns = 500

// withoutPlans leaves out the runs that plans.json lists, which are not of the
// chain of apply runs. An apply run has no need of that list: one that cannot be
// read leaves nothing out.
func (l *Ledger) withoutPlans(ctx context.Context, ids []string) []string {
	p, _, err := l.Plans(ctx)
	if err != nil {
		return ids
	}
	listed := make(map[string]bool, len(p.Runs))
	for _, link := range p.Runs {
		listed[link.Run] = true
	}
	return slices.DeleteFunc(ids, func(id string) bool { return listed[id] })
}
