package simulation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/sweep"
)

// entry is a run in the list of plan runs, as the oracle reads it.
type entry struct{ Run, SHA256 string }

// plans lets somebody look what a run would do, in one turn of three: with
// faults of the store, death at one of its calls, or another who does the same
// and ends while the first is about to.
func (w *world) plans(t *testing.T, course *rand.Rand, n, base int) {
	kind, call, late, between := course.IntN(9), 1+course.IntN(70), course.IntN(2) == 0, 1+course.IntN(2)
	if kind > 2 {
		return
	}
	p := w.process(fmt.Sprint("plan", n), uint64(3000+n))
	switch kind {
	case 0:
		p.dieCall, p.dieLate = call, late
	case 1:
		p.faulty = 20
	case 2:
		p.entering = func() {
			if between--; between == 0 {
				w.plan(t, w.process(p.name+"b", uint64(4000+n)), base)
			}
		}
	}
	w.plan(t, p, base)
}

// plan carries a plan out and looks at the list of plan runs afterwards.
func (w *world) plan(t *testing.T, p *process, base int) {
	before := w.entered()
	res, err := w.carryOut(context.Background(), t, p, sweep.Request{Mode: sweep.Plan}, base)
	after := w.entered()
	if len(after) < len(before) || !slices.Equal(before, after[:len(before)]) {
		w.breaks("what entered the chain of plan runs stays", "%s: %v became %v", p.name, before, after)
	}
	if err == nil && res.Head != "" && !p.dead && !slices.ContainsFunc(after, func(e entry) bool { return e.Run == res.Run }) {
		w.breaks("every plan run that ended is in the chain", "%s of %s", res.Run, p.name)
	}
}

// entered are the runs in the list of plan runs.
func (w *world) entered() []entry {
	var list struct{ Runs []entry }
	if data := w.stored("contoso/plans.json"); data != nil {
		if err := json.Unmarshal(data, &list); err != nil {
			w.breaks("the list of plan runs can be read", "%v", err)
		}
	}
	return list.Runs
}

// allPlansEntered checks that every plan run with a manifest is in the list,
// once and with the hash of its manifest: the last run was one that nothing
// befell.
func (w *world) allPlansEntered() {
	listed := map[string][]string{}
	for _, e := range w.entered() {
		listed[e.Run] = append(listed[e.Run], e.SHA256)
	}
	for i, err := range w.store.List(context.Background(), "contoso/runs/") {
		if err != nil {
			panic(err) // the store itself never fails
		}
		if !strings.HasSuffix(i.Name, "/manifest.json") {
			continue
		}
		data := w.stored(i.Name)
		var m struct{ Run, Mode string }
		if err := json.Unmarshal(data, &m); err != nil || m.Mode != "plan" {
			continue
		}
		sum := sha256.Sum256(data)
		if got := listed[m.Run]; len(got) != 1 || got[0] != hex.EncodeToString(sum[:]) {
			w.breaks("every plan run that ended is in the chain", "%s: %v", m.Run, got)
		}
	}
}
