package simulation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep"
)

// The oracle. It knows the rules of a run by heart and looks at every write
// that reaches the tenant, before and after it takes effect.

// covered says whether the allowlist of triageFile covers a detection.
func covered(d map[string]any) bool {
	kind, _ := d["riskEventType"].(string)
	level, _ := d["riskLevel"].(string)
	ip, _ := d["ipAddress"].(string)
	return (kind == "anonymizedIPAddress" || kind == "unfamiliarFeatures") && (level == "low" || level == "medium") && strings.HasPrefix(ip, "203.0.113.")
}

// beforeWrite checks a write that is about to reach the tenant and gives what
// checks it once it has.
func (w *world) beforeWrite(p *process, method, path string, body []byte) func(int, []byte) {
	if w.held != "" && w.held != fmt.Sprint(p.name, p.requests) {
		w.breaks("nothing leaves while HOLD is set", "%s: %s %s", p.name, method, path)
	}
	if !p.leased() {
		w.breaks("nothing leaves without the lease", "%s: %s %s", p.name, method, path)
	}
	if p.gone {
		w.breaks("nothing leaves once the store is gone", "%s: %s %s", p.name, method, path)
	}
	if p.foreign {
		w.breaks("nothing is written to another tenant than the configuration names", "%s: %s %s", p.name, method, path)
	}
	if (p.undoes != "" || p.restores != "") && !strings.HasPrefix(path, "/identity/conditionalAccess/") && !strings.HasPrefix(path, strengths) {
		w.breaks("who undoes a write to policies touches nobody", "%s: %s %s", p.name, method, path)
	}
	action, onUsers := strings.CutPrefix(path, "/identityProtection/riskyUsers/")
	switch kind := plan.Kind(action); {
	case onUsers && (kind == plan.Dismiss || kind == plan.ConfirmCompromised || kind == plan.ConfirmSafe && p.ordered):
		return w.onUsers(p, kind, body)
	case strings.HasPrefix(path, "/identityProtection/riskyServicePrincipals/"):
		return w.onPrincipals(p, strings.TrimPrefix(path, "/identityProtection/riskyServicePrincipals/"), body)
	case path == "/auditLogs/signIns/dismiss":
		return w.onSignIns(p, plan.DismissDetections, body)
	case path == "/auditLogs/signIns/confirmSafe":
		return w.onSignIns(p, plan.SafeDetections, body)
	case strings.HasPrefix(path, "/users/"):
		return w.onAccount(p, method, path, body)
	case strings.HasPrefix(path, "/identity/conditionalAccess/"):
		return w.onObject(p, method, path, body)
	case strings.HasPrefix(path, strengths):
		return w.onStrength(method, path, body)
	}
	w.breaks("nothing else is written", "%s %s", method, path)
	return func(int, []byte) {}
}

// onUsers checks a dismissal or a confirmation. No rule confirms anybody safe.
func (w *world) onUsers(p *process, kind plan.Kind, body []byte) func(int, []byte) {
	var in struct {
		UserIDs []string `json:"userIds"`
	}
	if err := json.Unmarshal(body, &in); err != nil || len(in.UserIDs) == 0 || len(in.UserIDs) > 60 {
		w.breaks("a batch names 1 to 60 users", "%s", body)
	}
	for i, user := range in.UserIDs {
		in.UserIDs[i] = strings.ToLower(user)
	}
	dismiss := kind == plan.Dismiss
	max, done := w.dismissals24, &w.dismissals // both that clear risk count as one
	if kind == plan.ConfirmCompromised {
		max, done = maxConfirmed, &w.confirmed
	}
	open := map[string]map[string]bool{}
	for _, user := range in.UserIDs {
		open[user] = map[string]bool{}
		if !w.intended(kind, user) {
			w.breaks("an intent is stored before the effect", "%s of %s", kind, user)
		}
		if run := w.undecided(p, user); run != "" {
			w.breaks("who may still be under an earlier order is held back", "%s of %s, though nobody knows what became of the intent of run %s", kind, user, run)
		}
		if p.ordered {
			if slices.Contains(w.breakGlass, user) || w.protected[user] {
				w.breaks("who is protected or break-glass no order reaches", "%s of %s", kind, user)
			}
			if kind.ClosesRisk() && !p.meant && w.never[user] {
				w.breaks("who holds a directory role no order reaches that does not say so", "%s of %s", kind, user)
			}
		} else if w.never[user] {
			w.breaks("who is protected, privileged or break-glass is left alone", "%s of %s", kind, user)
		}
		fence, fenced := p.fenced[user]
		if !fenced || time.Since(fence) > apply.LookAge+writeTimeout {
			w.breaks("the fence is read right before", "%s of %s: read at %s", kind, user, fence)
		}
		escalates := false
		for _, d := range w.openOf(user) {
			id := d["id"].(string)
			open[user][id] = true
			escalates = escalates || d["riskEventType"] == "passwordSpray" && d["riskLevel"] == "high"
			if arrived, later := w.arrived[id]; later && fenced && arrived.After(fence) {
				continue // nobody could know
			}
			if dismiss && !p.ordered && !covered(d) {
				w.breaks("every detection that could be known is covered", "user %s, detection %.8s: %v %v from %v", user, id, d["riskEventType"], d["riskLevel"], d["ipAddress"])
			}
		}
		if dismiss && !p.ordered && !w.vpn[user] {
			w.breaks("only who is named is dismissed", "user %s", user)
		}
		if kind == plan.ConfirmCompromised && !p.ordered && !escalates && !w.editedSince(user, fence) {
			w.breaks("only what an escalation matches is confirmed", "user %s", user)
		}
	}
	w.checkShare(p, len(in.UserIDs))
	return func(code int, _ []byte) {
		if code != http.StatusNoContent {
			return
		}
		now := time.Now()
		for _, user := range in.UserIDs {
			switch kind {
			case plan.ConfirmSafe:
				w.confirmedSafe[user] = true
			case plan.ConfirmCompromised:
				w.confirmedUsers[user] = true
			default:
				for _, before := range w.dismissed[user] {
					if !hasNew(open[user], before) && !w.editedSince(user, p.fenced[user]) {
						w.breaks("nobody is dismissed twice for the same risk", "user %s", user)
					}
				}
				w.dismissed[user] = append(w.dismissed[user], open[user])
			}
			*done = append(*done, now)
		}
		recent := 0
		for _, at := range *done {
			if now.Sub(at) < 24*time.Hour {
				recent++
			}
		}
		if recent > max {
			w.breaks("the limits hold", "%d times %s in 24 h", recent, kind)
		}
	}
}

func hasNew(now, before map[string]bool) bool {
	for id := range now {
		if !before[id] {
			return true
		}
	}
	return false
}

// onObject checks a write to a policy or a location.
func (w *world) onObject(p *process, method, path string, body []byte) func(int, []byte) {
	if deleted, found := strings.CutSuffix(path, "/restore"); found {
		return w.onRestore(p, deleted)
	}
	id := path[strings.LastIndex(path, "/")+1:]
	_, mine := w.ours[id]
	var in map[string]any
	_ = json.Unmarshal(body, &in) // a delete has none
	name, _ := in["displayName"].(string)
	if method != http.MethodPost && !mine {
		w.breaks("what is not ours is never written", "%s %s", method, path)
	}
	w.checkExclusions(p, method, path, in)
	before := w.standing(method, path)
	w.onUndo(p, method, id, in)
	promotes := w.onPromotion(p, method, id, in, before)
	if !w.intendedObject(id, name) {
		w.breaks("an intent is stored before the effect", "%s %s %s", method, path, name)
	}
	return func(code int, out []byte) {
		if code >= 300 {
			return
		}
		if method == http.MethodPost {
			var made struct{ ID string }
			_ = json.Unmarshal(out, &made) // the simulator's own answer
			id = made.ID
			w.ours[id] = w.keyName(p, name)
		}
		if promotes {
			w.promoted = append(w.promoted, time.Now())
		}
		w.remembers(p, id, before)
		w.undone(p, method, id, merged(before, in))
		live := map[string]int{}
		for _, kind := range []string{"policies", "namedLocations"} {
			for _, o := range w.list("/identity/conditionalAccess/" + kind) {
				if made, ok := w.ours[o["id"].(string)]; ok {
					live[made]++
				}
			}
		}
		for made, n := range live {
			if n > 1 {
				w.breaks("no two objects stand for one key", "%d of %s", n, made)
			}
		}
		if strings.Contains(path, "/policies") && method != http.MethodDelete {
			w.checkBreakGlass(p, id)
		}
	}
}

// checkBreakGlass looks at a policy that was just written: if it is enabled, no
// break-glass account is under it.
func (w *world) checkBreakGlass(p *process, id string) {
	for _, o := range w.list("/identity/conditionalAccess/policies") {
		if o["id"] != id || o["state"] != "enabled" {
			continue
		}
		if at, ok := w.edited[id]; ok && at.After(p.looked[id]) {
			continue // by hand, after the last look
		}
		users, _ := o["conditions"].(map[string]any)["users"].(map[string]any)
		excluded, _ := users["excludeUsers"].([]any)
		for _, bg := range w.breakGlass {
			if !slices.Contains(excluded, any(bg)) {
				w.breaks("no enabled policy without its break-glass exclusion", "%v", o["displayName"])
			}
		}
	}
}

// afterRun checks what a run that came to its end has left behind.
func (w *world) afterRun(p *process, began time.Time, res sweep.Result, err error) {
	if errors.Is(res.Err, entra.ErrUnauthorized) && !p.barred {
		w.breaks("a 401 is answered once by a new token", "%s: %v", p.name, res.Err)
	}
	if err != nil || p.dead || res.Head == "" {
		return
	}
	dir := strings.Join([]string{"contoso/runs", res.Run[0:4], res.Run[4:6], res.Run[6:8], res.Run}, "/")
	for _, name := range []string{"plan.json", "journal.jsonl", "detections.jsonl", "detections.csv", "users.jsonl", "users.csv", "serviceprincipals.jsonl", "serviceprincipals.csv", "policies.json", "policies.csv", "coverage.json", "coverage.csv",
		"actions.csv", "report.json", "report.html", "manifest.json"} {
		if _, _, err := w.store.Get(context.Background(), dir+"/"+name); err != nil {
			w.breaks("a finished run has a whole report", "%s: %v", name, err)
		}
	}
	var rep struct {
		Status   string
		Outcomes []plan.Outcome
		Coverage struct{ Complete bool }
		Counts   map[string]int
	}
	if err := json.Unmarshal(w.stored(dir+"/report.json"), &rep); err != nil {
		w.breaks("a finished run has a whole report", "report.json: %v", err)
		return
	}
	if rep.Status == string(sweep.Succeeded) && !rep.Coverage.Complete && !p.ordered {
		w.breaks("a run that could not read everything is not clean", "%s", res.Run)
	}
	for _, o := range rep.Outcomes {
		if o.Kind == plan.Dismiss && o.Status == plan.Failed && string(o.Subject.ID) != w.poison && strings.Contains(o.Detail, "not valid") {
			w.breaks("one bad id costs only itself", "%s: %s", o.Subject.ID, o.Detail)
		}
		if o.Kind == plan.Dismiss && o.Status == plan.Done && len(w.dismissed[string(o.Subject.ID)]) == 0 {
			w.breaks("the report agrees with the tenant", "%s of %s was done, and no effect was seen", o.Kind, o.Subject.ID)
		}
	}
	if !rep.Coverage.Complete {
		return
	}
	// Whoever was at risk all the time is in the report, with all open risk.
	users, detections := w.rows(dir, "users", rep.Counts["users"]), w.rows(dir, "detections", rep.Counts["detections"])
	for _, u := range w.list("/identityProtection/riskyUsers?$filter=riskState eq 'atRisk'") {
		id := u["id"].(string)
		at, _ := time.Parse(time.RFC3339Nano, u["riskLastUpdatedDateTime"].(string))
		if at.After(began.Add(-30 * time.Second)) {
			continue // it changed meanwhile
		}
		if !users[id] {
			w.breaks("everybody at risk is read", "%v is not in users.jsonl", u["userPrincipalName"])
		}
		for _, d := range w.openOf(id) {
			if !detections[d["id"].(string)] {
				w.breaks("all open risk is read", "detection %.8s of %v is not in detections.jsonl", d["id"], u["userPrincipalName"])
			}
		}
	}
}

// atTheEnd checks the store once everything is over.
func (w *world) atTheEnd() {
	v, err := ledger.New(w.store, "contoso", ledger.Options{Now: time.Now}).Verify(context.Background(), "")
	if err != nil || len(v.Problems) > 0 {
		w.breaks("the chain is whole", "%v, %v", v.Problems, err)
	}
	w.allPlansEntered()
	// What shows late is read all the same.
	read := map[string]bool{}
	for i, err := range w.store.List(context.Background(), "contoso/runs/") {
		if err != nil {
			panic(err) // the store itself never fails
		}
		if !strings.HasSuffix(i.Name, "/detections.jsonl") {
			continue
		}
		for d, err := range report.ReadLines[struct{ ID string }](bytes.NewReader(w.stored(i.Name))) {
			if err == nil {
				read[d.ID] = true
			}
		}
	}
	for id := range w.late {
		if !read[id] {
			w.breaks("what shows late is read", "detection %.8s is in no report", id)
		}
	}
	for _, o := range w.orders {
		if n := w.completeRuns(o); n > 1 {
			w.breaks("an order is carried out once", "%s has %d complete runs", o.Run, n)
		}
	}
	// What became of every effect is in a journal, or in a report if the journal
	// took no more.
	accounted := map[plan.Kind]map[string]bool{}
	for _, kind := range append(plan.UserKinds(), plan.PrincipalKinds()...) {
		accounted[kind] = map[string]bool{}
	}
	var objects []plan.Subject
	account := func(kind plan.Kind, subject plan.Subject) {
		if kind.OnUser() {
			accounted[kind][string(subject.ID)] = true
		} else {
			objects = append(objects, subject)
		}
	}
	for _, e := range w.journals() {
		if e.Type == ledger.EntryOutcome {
			account(e.Kind, e.Subject)
		}
	}
	for _, o := range w.reported() {
		account(o.Kind, o.Subject)
	}
	for kind, users := range w.closedOf {
		for user := range users {
			if !accounted[kind][user] {
				w.breaks("every effect is accounted for", "%s of %s has no outcome in any journal or report", kind, user)
			}
		}
	}
	for id := range w.restored {
		if !slices.ContainsFunc(objects, func(s plan.Subject) bool { return string(s.ID) == id }) {
			w.breaks("every effect is accounted for", "the return of %s has no outcome in any journal or report", id)
		}
	}
	for kind, users := range w.contained {
		for user := range users {
			if !accounted[kind][user] {
				w.breaks("every effect is accounted for", "%s of %s has no outcome in any journal or report", kind, user)
			}
		}
	}
	w.accountPrincipals(accounted)
	for user := range w.dismissed {
		if !accounted[plan.Dismiss][user] {
			w.breaks("every effect is accounted for", "the dismissal of %s has no outcome in any journal or report", user)
		}
	}
	for user := range w.confirmedUsers {
		if !accounted[plan.ConfirmCompromised][user] {
			w.breaks("every effect is accounted for", "the confirmation of %s has no outcome in any journal or report", user)
		}
	}
	for user := range w.confirmedSafe {
		if !accounted[plan.ConfirmSafe][user] {
			w.breaks("every effect is accounted for", "that %s was confirmed safe has no outcome in any journal or report", user)
		}
	}
	for id, name := range w.ours {
		if !slices.ContainsFunc(objects, func(s plan.Subject) bool { return string(s.ID) == id || s.Name == name }) {
			w.breaks("every effect is accounted for", "%s (%s) has no outcome in any journal or report", name, id)
		}
	}
}
