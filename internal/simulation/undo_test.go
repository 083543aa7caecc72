package simulation

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/sweep"
)

// formerly is what each object that a run wrote to was before, by the name that
// it was made with; nil for one that the run made.
type formerly map[string]map[string]any

// regret lets a process carry out what a person wants undone: the writes of an
// earlier run, or that somebody deleted a policy.
func (w *world) regret(t *testing.T, p *process, dice *rand.Rand, base int) {
	p.ordered = true
	p.faulty = []int{0, 2, 6}[dice.IntN(3)]
	switch dice.IntN(5) {
	case 0:
		p.holdAt = 1 + dice.IntN(15)
	case 1:
		p.dieAt, p.dieLate = 1+dice.IntN(15), dice.IntN(2) == 0
	}
	if dice.IntN(2) == 0 {
		w.rollBack(t, p, dice, base)
	} else {
		w.bringBack(t, p, dice, base)
	}
	w.release()
}

func (w *world) rollBack(t *testing.T, p *process, dice *rand.Rand, base int) {
	wrote := slices.Sorted(maps.Keys(w.wrote))
	if len(wrote) == 0 {
		return
	}
	p.undoes = wrote[dice.IntN(len(wrote))]
	w.say("a person rolls the run %s back", p.undoes)
	_, _ = w.carryOut(context.Background(), t, p, sweep.Request{Mode: sweep.Apply, Rollback: &sweep.Rollback{Run: p.undoes}}, base) // as it may
}

// bringBack lets somebody delete a policy, perhaps after break-glass accounts
// were taken out of it, and a person want it back, perhaps when another run has
// made it anew.
func (w *world) bringBack(t *testing.T, p *process, dice *rand.Rand, base int) {
	const policies = "/identity/conditionalAccess/policies"
	live := w.list(policies)
	if ours := slices.DeleteFunc(slices.Clone(live), func(d map[string]any) bool { _, is := w.ours[d["id"].(string)]; return !is }); len(ours) > 0 && dice.IntN(4) > 0 {
		live = ours
	}
	if len(live) == 0 {
		return
	}
	d := live[dice.IntN(len(live))]
	id := d["id"].(string)
	if dice.IntN(3) == 0 {
		conditions := d["conditions"].(map[string]any)
		conditions["users"] = map[string]any{"includeUsers": []any{"All"}}
		w.call("PATCH", policies+"/"+id, map[string]any{"conditions": conditions, "state": "enabled"})
	}
	w.call("DELETE", policies+"/"+id, nil)
	w.edited[id] = time.Now()
	w.say("event: %v is deleted by hand", d["displayName"])
	if dice.IntN(4) == 0 {
		w.run(t, w.process(p.name+"b", w.seed<<8+uint64(dice.IntN(256))), base)
	}
	time.Sleep(time.Minute) // it shows everywhere
	s, err := p.sweeper(w.bases[base])
	if err != nil {
		t.Fatal(err)
	}
	found, _, err := s.FindDeleted(context.Background(), id)
	if err != nil || found.ID == "" {
		return // the tenant, or the store, does not answer
	}
	if string(found.ID) != id {
		w.breaks("what comes back is what was named", "%s is found for %s", found.ID, id)
	}
	p.restores = id
	w.say("a person restores %s", id)
	_, _ = w.carryOut(context.Background(), t, p, sweep.Request{Mode: sweep.Apply, Restore: &found}, base) // as it may
}

// onRestore checks what is about to come out of the deleted items.
func (w *world) onRestore(p *process, path string) func(int, []byte) {
	id := path[strings.LastIndex(path, "/")+1:]
	if p.restores != id {
		w.breaks("what comes back is what was named", "%s: %s", p.name, id)
	}
	if !w.intendedObject(id, "") {
		w.breaks("an intent is stored before the effect", "the return of %s", id)
	}
	return func(code int, _ []byte) {
		if code >= 300 {
			return
		}
		w.restored[id] = true
		for _, o := range w.list("/identity/conditionalAccess/policies") {
			// Where a run has made another one for the key since, that one keeps it.
			if other := o["id"].(string); other != id && w.ours[other] != "" && w.ours[other] == w.ours[id] {
				delete(w.ours, id)
			}
		}
		w.checkName(id)
		w.checkBreakGlass(p, id)
	}
}

// checkName looks that no other policy has the name of the one that came back:
// nobody could tell them apart. Two others may have one name, once a person has
// changed that of one and the job has put it back.
func (w *world) checkName(id string) {
	with := map[string][]string{}
	back := ""
	for _, o := range w.list("/identity/conditionalAccess/policies") {
		name := strings.ToLower(o["displayName"].(string))
		with[name] = append(with[name], o["id"].(string))
		if o["id"] == id {
			back = name
		}
	}
	if len(with[back]) > 1 {
		w.breaks("nothing comes back beside another of its name", "%q: %v", back, with[back])
	}
}

// standing is what an object is before a write to it; nil if there is none.
func (w *world) standing(method, path string) map[string]any {
	if method == http.MethodPost {
		return nil
	}
	if code, d := w.call("GET", path, nil); code == http.StatusOK {
		return d
	}
	return nil
}

// remembers keeps what an object was before the first write of a run.
func (w *world) remembers(p *process, id string, before map[string]any) {
	if p.run == "" {
		return
	}
	if w.wrote[p.run] == nil {
		w.wrote[p.run] = formerly{}
	}
	if before != nil && time.Since(w.edited[id]) < shows {
		before = map[string]any{unsure: true} // what somebody changed a moment before does not show yet
	}
	if _, known := w.wrote[p.run][w.ours[id]]; !known {
		w.wrote[p.run][w.ours[id]] = before
	}
}

// keyName is the name that an object which is made is known by.
func (w *world) keyName(p *process, name string) string {
	for key, was := range w.wrote[p.undoes] {
		if was != nil && was["displayName"] == name {
			return key
		}
	}
	return name
}

// onUndo checks what a rollback, or a restore, is about to write.
func (w *world) onUndo(p *process, method, id string, in map[string]any) {
	if p.restores != "" {
		w.breaks("what comes back is what was named", "%s: %s %s instead", p.name, method, id)
	}
	if p.undoes == "" {
		return
	}
	key := w.ours[id]
	if method == http.MethodPost {
		key = w.keyName(p, fmt.Sprint(in["displayName"]))
	}
	was, wrote := w.wrote[p.undoes][key]
	switch {
	case !wrote:
		w.breaks("a rollback writes only to what its run wrote", "%s %s, run %s", method, key, p.undoes)
	case method == http.MethodDelete && was != nil:
		w.breaks("a rollback ends where its run began", "%s is deleted, and was there before the run %s", key, p.undoes)
	case method == http.MethodPost && was == nil:
		w.breaks("a rollback ends where its run began", "%s is made, and was not there before the run %s", key, p.undoes)
	}
}

// undone checks what a rollback has made of an object.
func (w *world) undone(p *process, method, id string, is map[string]any) {
	was := w.wrote[p.undoes][w.ours[id]]
	if p.undoes == "" || was == nil || was[unsure] == true || method == http.MethodDelete || time.Since(w.edited[id]) < shows {
		return
	}
	for _, member := range []string{"displayName", "state", "conditions", "grantControls", "sessionControls", "isTrusted", "ipRanges"} {
		if a, b := w.plain(was[member]), w.plain(is[member]); !reflect.DeepEqual(a, b) {
			w.breaks("a rollback ends where its run began", "%s of %s was %v before the run %s, and is %v", member, w.ours[id], a, p.undoes, b)
		}
	}
}

// shows is more than it takes for any write to show; unsure marks what is not
// known because somebody wrote too shortly before.
const (
	shows  = 10 * time.Second
	unsure = "unsure"
)

// merged is what an update makes of an object.
func merged(before, update map[string]any) map[string]any {
	out := maps.Clone(before)
	if out == nil {
		out = map[string]any{}
	}
	for name, v := range update {
		part, is := v.(map[string]any)
		if was, of := out[name].(map[string]any); is && of {
			v = merged(was, part)
		}
		out[name] = v
	}
	return out
}

// plain is a value without what says nothing, lists in one order, names in the
// place of the ids of ours, which another one may stand for by now, and without
// who is excluded: that is for exceptions and the break-glass accounts.
func (w *world) plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, member := range v {
			if member = w.plain(member); member != nil && name != "excludeUsers" && !strings.Contains(name, "@odata.context") {
				out[name] = member
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case []any:
		var out []any
		for _, member := range v {
			out = append(out, w.plain(member))
		}
		slices.SortFunc(out, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		if len(out) == 0 {
			return nil
		}
		return out
	case bool:
		if !v {
			return nil
		}
	case string:
		return cmp.Or(w.ours[v], v)
	}
	return v
}

const strengths = "/policies/authenticationStrengthPolicies"

// onStrength checks a write to an authentication strength.
func (w *world) onStrength(method, path string, body []byte) func(int, []byte) {
	id, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(path, strengths), "/"), "/")
	var in struct{ DisplayName string }
	_ = json.Unmarshal(body, &in) // a delete has none
	if _, mine := w.ours[id]; id != "" && !mine {
		w.breaks("what is not ours is never written", "%s %s", method, path)
	}
	if !w.intendedObject(id, in.DisplayName) {
		w.breaks("an intent is stored before the effect", "%s %s %s", method, path, in.DisplayName)
	}
	return func(code int, out []byte) {
		if code < 300 && id == "" {
			var made struct{ ID string }
			_ = json.Unmarshal(out, &made) // the simulator's own answer
			w.ours[made.ID] = in.DisplayName
		}
	}
}
