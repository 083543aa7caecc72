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
	"time"

	"github.com/risksweep/risksweep/internal/blobstore"
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
)

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
	// Previous is the manifest before this one in the chain of apply runs.
	Previous *Link `json:"previous"`
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
	sum := sha256.Sum256(data)
	m, err := ParseManifest(data)
	if err != nil {
		err = fmt.Errorf("run %s: %w", run, err)
	}
	return m, hex.EncodeToString(sum[:]), err
}

// Manifest reads a complete run's manifest.
func (l *Ledger) Manifest(ctx context.Context, run string) (Manifest, error) {
	m, _, err := l.manifest(ctx, run)
	return m, err
}

// ParseManifest reads manifest.json.
func ParseManifest(data []byte) (Manifest, error) {
	var m Manifest
	dec := json.NewDecoder(bytes.NewReader(data))
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

// Verification is what Verify found.
type Verification struct {
	Runs       int      `json:"runs"`
	Head       string   `json:"head"`
	HeadRun    string   `json:"headRun"`
	Problems   []string `json:"problems"`
	Incomplete []string `json:"incomplete"`
	// Chained are the complete runs whose deletion or change would show in the
	// runs after them or in the state; Alone those that only their own manifest
	// speaks for.
	Chained int `json:"chained"`
	Alone   int `json:"alone"`
	// HeadGiven and StateRecords say what the newest manifest of the chain was
	// compared with.
	HeadGiven    bool `json:"headGiven"`
	StateRecords bool `json:"stateRecords"`
}

// Verify checks every complete run's files against its manifest and the chain
// of apply runs from the newest to the oldest. head, if given, must be the hash
// of the newest.
func (l *Ledger) Verify(ctx context.Context, head string) (Verification, error) {
	v := Verification{Problems: []string{}, Incomplete: []string{}}
	ids, err := l.runIDs(ctx, 0)
	if err != nil {
		return v, err
	}
	pruned, err := l.pruned(ctx)
	if err != nil {
		return v, err
	}
	manifests := map[string]Manifest{}
	hashes := map[string]string{}
	for _, id := range ids {
		m, sum, err := l.manifest(ctx, id)
		switch {
		case errors.Is(err, blobstore.ErrNotFound):
			exists, err := l.exists(ctx, id)
			if err != nil {
				return v, err
			}
			if exists {
				v.Incomplete = append(v.Incomplete, id)
			}
			continue
		case isCorrupt(err):
			v.Runs++
			v.Problems = append(v.Problems, err.Error())
			continue
		case err != nil:
			return v, err
		}
		v.Runs++
		if m.Mode == "apply" {
			v.Chained++
		} else {
			v.Alone++
		}
		manifests[id], hashes[id] = m, sum
		problems, err := l.verifyRun(ctx, id, m)
		if err != nil {
			return v, err
		}
		v.Problems = append(v.Problems, problems...)
	}
	l.verifyChain(&v, ids, manifests, hashes, pruned)
	l.verifyHead(ctx, &v, head)
	return v, nil
}

// verifyRun checks one run's files.
func (l *Ledger) verifyRun(ctx context.Context, id string, m Manifest) ([]string, error) {
	var problems []string
	bad := func(format string, args ...any) {
		problems = append(problems, fmt.Sprintf("run %s: ", id)+fmt.Sprintf(format, args...))
	}
	if m.Run != id || m.Tenant != l.tenant {
		bad("the manifest is that of run %s of tenant %s", m.Run, m.Tenant)
	}
	dir, err := l.runDir(id)
	if err != nil {
		return nil, err
	}
	listed := map[string]bool{"manifest.json": true}
	for _, f := range m.Files {
		listed[f.Name] = true
		in, _, err := l.store.Open(ctx, dir+"/"+f.Name)
		if errors.Is(err, blobstore.ErrNotFound) || errors.Is(err, blobstore.ErrName) {
			bad("%s is missing", f.Name)
			continue
		}
		if err != nil {
			return nil, err
		}
		sum := sha256.New()
		size, err := io.Copy(sum, in)
		if err = errors.Join(err, in.Close()); err != nil {
			return nil, err
		}
		switch got := hex.EncodeToString(sum.Sum(nil)); {
		case size < f.Size:
			bad("%s is truncated: %d of %d bytes", f.Name, size, f.Size)
		case size > f.Size:
			bad("%s has grown: %d bytes instead of %d", f.Name, size, f.Size)
		case got != f.SHA256:
			bad("%s was changed: its SHA-256 is %s instead of %s", f.Name, got, f.SHA256)
		}
	}
	for info, err := range l.store.List(ctx, dir+"/") {
		if err != nil {
			return nil, err
		}
		if name := info.Name[len(dir)+1:]; !listed[name] {
			bad("%s is not in the manifest", name)
		}
	}
	return problems, nil
}

// verifyChain walks the apply runs from the newest to the oldest.
func (l *Ledger) verifyChain(v *Verification, ids []string, manifests map[string]Manifest, hashes map[string]string, pruned map[string]string) {
	successors := map[string]string{} // previous run -> run that names it
	linked := map[string]bool{}
	var chain []string
	for _, id := range ids {
		m, ok := manifests[id]
		if !ok || m.Mode != "apply" {
			continue
		}
		chain = append(chain, id)
		if m.Previous == nil {
			continue
		}
		prev := m.Previous.Run
		if other, twice := successors[prev]; twice {
			v.Problems = append(v.Problems, fmt.Sprintf("the chain forks: runs %s and %s both follow %s", other, id, prev))
		}
		successors[prev], linked[prev] = id, true
		switch sum := hashes[prev]; {
		case sum == "" && pruned[prev] == m.Previous.SHA256:
		case sum == "":
			v.Problems = append(v.Problems, fmt.Sprintf("run %s follows %s, which is missing from the store", id, prev))
		case sum != m.Previous.SHA256:
			v.Problems = append(v.Problems, fmt.Sprintf("the manifest of run %s was changed: run %s recorded its SHA-256 as %s, it is %s", prev, id, m.Previous.SHA256, sum))
		}
	}
	heads, starts := 0, 0
	for _, id := range chain {
		if !linked[id] {
			if heads++; heads == 1 {
				v.Head, v.HeadRun = hashes[id], id
			} else {
				v.Problems = append(v.Problems, fmt.Sprintf("no run follows %s, and it is not the newest", id))
			}
		}
		if manifests[id].Previous == nil {
			if starts++; starts > 1 {
				v.Problems = append(v.Problems, fmt.Sprintf("run %s begins the chain anew", id))
			}
		}
	}
}

// verifyHead compares the newest manifest with the head that the state has
// recorded and with one that was kept elsewhere.
func (l *Ledger) verifyHead(ctx context.Context, v *Verification, head string) {
	if head != "" && head != v.Head {
		v.Problems = append(v.Problems, fmt.Sprintf("the head is %s, not %s as given", orNone(v.Head), head))
	}
	s, _, err := l.State(ctx)
	if err != nil {
		v.Problems = append(v.Problems, err.Error())
		return
	}
	v.HeadGiven, v.StateRecords = head != "", s.Head != ""
	if s.Head == "" && v.HeadRun != "" {
		// Only the first run of a chain can have died before it made a state.
		m, _, err := l.manifest(ctx, v.HeadRun)
		if err != nil || m.Previous != nil {
			v.Problems = append(v.Problems, fmt.Sprintf("%s is missing or records no head, though run %s followed others", l.name("state.json"), v.HeadRun))
		}
		return
	}
	// A run that died between its manifest and its state is ahead of the state.
	if s.Head != "" && s.Head != v.Head {
		m, _, err := l.manifest(ctx, v.HeadRun)
		if err != nil || m.Previous == nil || m.Previous.SHA256 != s.Head {
			v.Problems = append(v.Problems, fmt.Sprintf("the state records the head %s (run %s), the store ends at %s", s.Head, s.HeadRun, orNone(v.Head)))
		}
	}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// Head finds the newest manifest of the chain: what the state records, or the
// run after it that died before it could record itself.
func (l *Ledger) Head(ctx context.Context, s State) (head, run string, err error) {
	head, run = s.Head, s.HeadRun
	ids, err := l.runIDs(ctx, 0)
	if err != nil {
		return "", "", err
	}
	// Ids carry the clock of the machine that ran: of what follows the head
	// none is a day older.
	before := func(id string) bool {
		at, err := StartOf(id)
		newest, headErr := StartOf(run)
		return err == nil && headErr == nil && at.Before(newest.Add(-24*time.Hour))
	}
	for again := true; again; {
		again = false
		for _, id := range ids {
			if id == run || before(id) {
				continue
			}
			m, sum, err := l.manifest(ctx, id)
			if errors.Is(err, blobstore.ErrNotFound) || isCorrupt(err) || err == nil && m.Mode != "apply" {
				continue
			}
			if err != nil {
				return "", "", err
			}
			if follows := m.Previous == nil && head == "" || m.Previous != nil && m.Previous.SHA256 == head; follows && sum != head {
				head, run, again = sum, id, true
			}
		}
	}
	return head, run, nil
}
