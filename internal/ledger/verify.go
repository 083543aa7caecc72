package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
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
	// CutShort are the incomplete runs for which the manifest of a later run
	// speaks.
	CutShort int `json:"cutShort"`
	// HeadGiven and StateRecords say what the newest manifest of the chain was
	// found to agree with: a head that was given, and that of the state.
	HeadGiven    bool `json:"headGiven"`
	StateRecords bool `json:"stateRecords"`
	// PlanHead is the head of the chain of plan runs, and PlanHeadGiven says
	// that it was given.
	PlanHead      string `json:"planHead"`
	PlanHeadGiven bool   `json:"planHeadGiven"`
	// Earlier are the given heads that a chain had before its newest runs.
	Earlier []EarlierHead `json:"earlier,omitempty"`
}

// EarlierHead is a head that was kept before a chain went on. It proves the runs
// up to its own, and says nothing of those since.
type EarlierHead struct {
	Head string `json:"head"`
	Run  string `json:"run"`
	Mode string `json:"mode"`
	// Since is how many runs the chain has after it.
	Since int `json:"since"`
}

// Verify checks every complete run's files against its manifest, and both
// chains: that of apply runs from the newest to the oldest, and that of plan
// runs. Each head that is given must be that of one of them, now or earlier. Of
// a run that was read only its links are kept.
func (l *Ledger) Verify(ctx context.Context, heads ...string) (Verification, error) {
	v := Verification{Problems: []string{}, Incomplete: []string{}}
	ids, err := l.runIDs(ctx, 0)
	if err != nil {
		return v, err
	}
	runs, inputs := make(verified, 0, len(ids)), map[string]string{}
	cut := map[string]foundCut{} // by the run that was cut short
	err = inOrder(ctx, ids, l.checkRun, func(id string, c checked) error {
		switch {
		case c.damaged != nil:
			v.Runs++
			v.Problems = append(v.Problems, c.damaged.Error())
			return nil
		case !c.complete:
			if c.exists {
				v.Incomplete = append(v.Incomplete, id)
			}
			return nil
		}
		v.Runs++
		v.Problems = append(v.Problems, c.problems...)
		r, problems := linksOf(id, c.storedRun)
		if r.apply {
			v.Chained++
		}
		runs = append(runs, r)
		v.Problems = append(v.Problems, problems...)
		for _, was := range c.CutShort {
			cut[was.Run] = foundCut{was, id} // the newest first: who found it first stays
		}
		problems, err := l.verifyInputs(ctx, c.Manifest, inputs)
		v.Problems = append(v.Problems, problems...)
		return err
	})
	if err != nil {
		return v, err
	}
	// Read last: what retention deletes it records before.
	pruned, err := l.pruned(ctx)
	if err != nil {
		return v, err
	}
	verifyChain(&v, runs, pruned)
	for _, run := range slices.Sorted(maps.Keys(cut)) {
		if _, deleted := pruned[run]; deleted {
			continue
		}
		if slices.Contains(v.Incomplete, run) {
			v.CutShort++
		}
		problems, err := l.verifyCutShort(ctx, cut[run])
		v.Problems = append(v.Problems, problems...)
		if err != nil {
			return v, err
		}
	}
	if s, ok := l.verifyState(ctx, &v); ok {
		l.verifyWriters(&v, s, ids, pruned)
	}
	planHeads, err := l.verifyPlans(ctx, &v, runs, pruned)
	if err != nil {
		return v, err
	}
	for _, head := range heads {
		v.compare(head, runs, planHeads)
	}
	return v, nil
}

// verifiedRun is what is kept of a complete run once its files are checked.
type verifiedRun struct {
	id  string
	sum digest // of its manifest
	// before is the hash of the manifest that an apply run follows, or the head
	// that a plan run found; links says whether it names one.
	before   digest
	previous string // the run that an apply run follows
	next     string // the run that follows an apply run
	apply    bool
	links    bool
	listed   bool // plans.json lists it
}

// verified are the complete runs, the newest first.
type verified []verifiedRun

// find gives a run; nil if it is not complete.
func (v verified) find(id string) *verifiedRun {
	i, found := slices.BinarySearchFunc(v, id, func(r verifiedRun, id string) int { return cmp.Compare(id, r.id) })
	if !found {
		return nil
	}
	return &v[i]
}

// linksOf is what a manifest says of the runs before it.
func linksOf(id string, s storedRun) (r verifiedRun, problems []string) {
	r = verifiedRun{id: id, sum: digestOf(s.sum), apply: s.Mode == "apply"}
	switch {
	case r.apply && s.Previous != nil:
		r.links, r.previous, r.before = true, s.Previous.Run, digestOf(s.Previous.SHA256)
		if !isHash(s.Previous.SHA256) {
			problems = append(problems, fmt.Sprintf("run %s follows a manifest whose recorded SHA-256 is no hash: %q", id, s.Previous.SHA256))
		}
	case !r.apply && s.PlanHead != nil:
		r.links, r.before = true, digestOf(*s.PlanHead)
	}
	return r, problems
}

// verifyChain walks the apply runs from the newest to the oldest.
func verifyChain(v *Verification, runs verified, pruned map[string]string) {
	bad := func(format string, args ...any) { v.Problems = append(v.Problems, fmt.Sprintf(format, args...)) }
	gone := map[string]string{} // a run that is not in the store -> the one that follows it
	for _, r := range runs {
		if !r.apply || !r.links {
			continue
		}
		prev := runs.find(r.previous)
		other := gone[r.previous]
		if prev != nil {
			other, prev.next = prev.next, r.id
		} else {
			gone[r.previous] = r.id
		}
		if other != "" {
			bad("the chain forks: runs %s and %s both follow %s", other, r.id, r.previous)
		}
		switch {
		case prev == nil && pruned[r.previous] != "" && digestOf(pruned[r.previous]) == r.before:
		case prev == nil:
			bad("run %s follows %s, which is missing from the store", r.id, r.previous)
		case prev.sum != r.before:
			bad("the manifest of run %s was changed: run %s recorded its SHA-256 as %s, it is %s", r.previous, r.id, r.before, prev.sum)
		}
	}
	heads, start := 0, ""
	for _, r := range runs {
		if !r.apply {
			continue
		}
		if r.next == "" {
			if heads++; heads == 1 {
				v.Head, v.HeadRun = r.sum.String(), r.id
			} else {
				bad("no run follows %s, and it is not the newest", r.id)
			}
		}
		if !r.links {
			if start != "" { // an older one begins it
				bad("run %s begins the chain anew", start)
			}
			start = r.id
		}
	}
}

// compare looks for a head that was kept elsewhere in both chains.
func (v *Verification) compare(head string, runs verified, plans planHeads) {
	switch {
	case head == "":
		return
	case head == v.Head:
		v.HeadGiven = true
		return
	case head == v.PlanHead:
		v.PlanHeadGiven = true
		return
	}
	if since, run := runs.since(digestOf(head)); run != "" {
		v.Earlier = append(v.Earlier, EarlierHead{Head: head, Run: run, Mode: "apply", Since: since})
		return
	}
	if n, is := plans.at[digestOf(head)]; is && n >= 0 {
		v.Earlier = append(v.Earlier, EarlierHead{Head: head, Run: plans.runs[n], Mode: "plan", Since: len(plans.runs) - 1 - n})
		return
	}
	given := fmt.Sprintf("the head is %s", orNone(v.Head))
	if v.PlanHead != "" {
		given += " and that of the plan runs " + v.PlanHead
	}
	v.Problems = append(v.Problems, fmt.Sprintf("%s, not %s as given, and no run of the store had that one", given, head))
}

// since finds the apply run whose manifest is a head, and how many follow it.
func (v verified) since(head digest) (n int, run string) {
	for _, r := range v {
		switch {
		case !r.apply:
		case r.sum == head:
			return n, r.id
		default:
			n++
		}
	}
	return 0, ""
}

// verifyState compares the newest manifest with the head that the state has
// recorded.
func (l *Ledger) verifyState(ctx context.Context, v *Verification) (State, bool) {
	s, _, err := l.State(ctx)
	if err != nil {
		v.Problems = append(v.Problems, err.Error())
		return s, false
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
		return s, true
	}
	// A run that died between its manifest and its state is ahead of the state.
	if s.Head != "" && s.Head != v.Head {
		m, _, err := l.manifest(ctx, v.HeadRun)
		if err != nil || m.Previous == nil || m.Previous.SHA256 != s.Head {
			v.Problems = append(v.Problems, fmt.Sprintf("the state records the head %s (run %s), the store ends at %s", s.Head, s.HeadRun, orNone(v.Head)))
		}
	}
	return s, true
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
