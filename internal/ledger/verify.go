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

// Verification is what Verify found.
type Verification struct {
	Runs       int      `json:"runs"`
	Head       string   `json:"head"`
	HeadRun    string   `json:"headRun"`
	Problems   []string `json:"problems"`
	Incomplete []string `json:"incomplete"`
	// Chained are the complete apply runs: their deletion or change would show in
	// the runs after them or in the state. PlansChained are the plan runs that
	// plans.json lists, whose deletion or change shows there. Alone are the plan
	// runs that only their own manifest speaks for.
	Chained      int `json:"chained"`
	PlansChained int `json:"plansChained"`
	Alone        int `json:"alone"`
	// HeadGiven and StateRecords say what the newest manifest of the chain was
	// found to agree with: a head that was given, and that of the state.
	HeadGiven    bool `json:"headGiven"`
	StateRecords bool `json:"stateRecords"`
	// PlanHead is the head of the chain of plan runs, and PlanHeadGiven says
	// that it was given.
	PlanHead      string `json:"planHead"`
	PlanHeadGiven bool   `json:"planHeadGiven"`
}

// Verify checks every complete run's files against its manifest, and both
// chains: that of apply runs from the newest to the oldest, and that of plan
// runs. Each head that is given must be that of one of them.
func (l *Ledger) Verify(ctx context.Context, heads ...string) (Verification, error) {
	v := Verification{Problems: []string{}, Incomplete: []string{}}
	ids, err := l.runIDs(ctx, 0)
	if err != nil {
		return v, err
	}
	manifests := map[string]Manifest{}
	hashes, inputs := map[string]string{}, map[string]string{}
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
		}
		manifests[id], hashes[id] = m, sum
		problems, err := l.verifyRun(ctx, id, m)
		if err != nil {
			return v, err
		}
		v.Problems = append(v.Problems, problems...)
		if problems, err = l.verifyInputs(ctx, m, inputs); err != nil {
			return v, err
		}
		v.Problems = append(v.Problems, problems...)
	}
	// Read last: what retention deletes it records before.
	pruned, err := l.pruned(ctx)
	if err != nil {
		return v, err
	}
	l.verifyChain(&v, ids, manifests, hashes, pruned)
	l.verifyState(ctx, &v)
	if err := l.verifyPlans(ctx, &v, manifests, hashes, pruned); err != nil {
		return v, err
	}
	v.compare(heads)
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

// compare compares the ends of the chains with heads that were kept elsewhere.
func (v *Verification) compare(heads []string) {
	for _, head := range heads {
		switch {
		case head == "":
		case head == v.Head:
			v.HeadGiven = true
		case head == v.PlanHead:
			v.PlanHeadGiven = true
		case v.PlanHead == "":
			v.Problems = append(v.Problems, fmt.Sprintf("the head is %s, not %s as given", orNone(v.Head), head))
		default:
			v.Problems = append(v.Problems, fmt.Sprintf("the head is %s and that of the plan runs %s, not %s as given", orNone(v.Head), v.PlanHead, head))
		}
	}
}

// verifyState compares the newest manifest with the head that the state has
// recorded.
func (l *Ledger) verifyState(ctx context.Context, v *Verification) {
	s, _, err := l.State(ctx)
	if err != nil {
		v.Problems = append(v.Problems, err.Error())
		return
	}
	v.StateRecords = s.Head != ""
	if s.Head == "" && v.HeadRun != "" {
		// Only the first run of a chain can have died before it made a state,
		// and latest.json is written after that.
		m, _, err := l.manifest(ctx, v.HeadRun)
		if err != nil || m.Previous != nil {
			v.Problems = append(v.Problems, fmt.Sprintf("%s is missing or records no head, though run %s followed others", l.name("state.json"), v.HeadRun))
		} else if _, err := l.LatestRun(ctx); !errors.Is(err, blobstore.ErrNotFound) {
			v.Problems = append(v.Problems, fmt.Sprintf("%s is missing or records no head, though run %s had written it", l.name("state.json"), v.HeadRun))
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

// verifyPlans checks the chain of plan runs: each that is listed stands in the
// store as it entered, or was deleted by retention, and each that says it has
// entered is listed.
func (l *Ledger) verifyPlans(ctx context.Context, v *Verification, manifests map[string]Manifest, hashes, pruned map[string]string) error {
	plans := map[string]bool{} // those that nothing but their own manifest speaks for yet
	for id, m := range manifests {
		if m.Mode != "apply" {
			plans[id] = true
		}
	}
	defer func() { v.Alone = len(plans) }()
	p, version, err := l.Plans(ctx)
	if err != nil {
		v.Problems = append(v.Problems, err.Error())
		return nil
	}
	bad := func(format string, args ...any) { v.Problems = append(v.Problems, fmt.Sprintf(format, args...)) }
	before := map[string]bool{"": true} // the heads that have been so far
	head := ""
	for _, link := range p.Runs {
		sum := hashes[link.Run]
		if sum == "" { // it may have ended since the runs were listed
			if _, sum, err = l.manifest(ctx, link.Run); err != nil && !errors.Is(err, blobstore.ErrNotFound) && !isCorrupt(err) {
				return err
			}
		}
		switch {
		case sum == link.SHA256:
			v.PlansChained++
		case sum != "":
			bad("the manifest of run %s was changed: plans.json recorded its SHA-256 as %s, it is %s", link.Run, link.SHA256, sum)
		case pruned[link.Run] != link.SHA256:
			bad("run %s is missing from the store, though plans.json lists it: it was deleted", link.Run)
		}
		if of := manifests[link.Run].PlanHead; of != nil && !before[*of] {
			bad("run %s followed the head %s, to which the runs before it in plans.json do not lead", link.Run, *of)
		}
		delete(plans, link.Run)
		head = headAfter(head, link)
		before[head] = true
	}
	v.PlanHead = head
	for _, link := range p.Pending {
		if sum := hashes[link.Run]; plans[link.Run] && sum != link.SHA256 {
			bad("the manifest of run %s was changed: plans.json recorded its SHA-256 as %s, it is %s", link.Run, link.SHA256, sum)
		}
	}
	var lost []string
	for id := range plans {
		isPending := slices.ContainsFunc(p.Pending, func(link Link) bool { return link.Run == id })
		if manifests[id].PlanHead != nil && !isPending {
			lost = append(lost, id)
		}
	}
	slices.Sort(lost)
	switch n := len(lost); {
	case n == 0:
	case version == "":
		bad("%s is missing, though %d plan runs had entered it, the last of them %s", l.name("plans.json"), n, lost[n-1])
	default:
		for _, id := range lost {
			bad("run %s had entered plans.json, which does not list it: the list was replaced or changed", id)
		}
	}
	return nil
}
