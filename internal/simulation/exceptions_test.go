package simulation

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/exception"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/sweep"
)

// except gives two worlds of three exceptions, some of which end while the
// processes work and one of which is deleted before its end.
func (w *world) except() {
	if w.seed%3 == 0 {
		return
	}
	var other string
	for _, upn := range sortedNames(w) {
		if id := w.names[upn]; w.vpn[id] && !w.never[id] && upn != "ada@contoso.com" {
			other = upn
		}
	}
	begin := time.Now()
	w.exceptions = &exception.List{MaxDuration: exception.DefaultMaxDuration, Exceptions: []exception.Exception{
		{ID: "short", Users: []string{"ada@contoso.com"}, Policies: []string{"P1"}, Until: begin.Add([]time.Duration{time.Hour, 9 * time.Hour, 30 * time.Hour}[w.seed/3%3])},
		{ID: "long", Users: []string{other}, Policies: []string{"P1", "P2", "P3"}, Until: begin.Add(20 * 24 * time.Hour)},
		{ID: "deleted", Users: []string{"ada@contoso.com"}, Policies: []string{"P2", "P3"}, Until: begin.Add(20 * 24 * time.Hour)},
	}}
}

// exceptionsNow is the file as a run that begins now finds it.
func (w *world) exceptionsNow() *exception.List {
	if w.exceptions == nil {
		return nil
	}
	l := *w.exceptions
	if w.seed%2 == 0 && w.quiet {
		l.Exceptions = l.Exceptions[:2]
	}
	return &l
}

// mayBeOut reports whether an entry lets a user be out of a policy at a time.
func (w *world) mayBeOut(user, policy string, at time.Time) bool {
	return slices.Contains(w.breakGlass, user) || w.exceptions != nil && slices.ContainsFunc(w.exceptionsNow().Exceptions, func(e exception.Exception) bool {
		return w.names[e.Users[0]] == user && slices.ContainsFunc(e.Policies, func(key string) bool { return strings.HasPrefix(policy, key+" ") }) && at.Before(e.Until)
	})
}

// endedSince reports whether an exception ended after a time.
func (w *world) endedSince(at time.Time) bool {
	return w.exceptions != nil && slices.ContainsFunc(w.exceptionsNow().Exceptions, func(e exception.Exception) bool {
		return e.Until.After(at) && !e.Until.After(time.Now())
	})
}

func excludedIn(doc map[string]any) (out []string) {
	conditions, _ := doc["conditions"].(map[string]any)
	users, _ := conditions["users"].(map[string]any)
	list, _ := users["excludeUsers"].([]any)
	for _, v := range list {
		if s, ok := v.(string); ok {
			out = append(out, strings.ToLower(s))
		}
	}
	return out
}

// checkExclusions looks at a write to a policy: it puts nobody out whom no entry
// names, as the file was when the process began.
func (w *world) checkExclusions(p *process, method, path string, body map[string]any) {
	if !strings.Contains(path, "/policies") || method == http.MethodDelete {
		return
	}
	var out []string
	name, _ := body["displayName"].(string)
	if method != http.MethodPost {
		_, live := w.call("GET", path, nil)
		out, name = excludedIn(live), w.ours[path[strings.LastIndex(path, "/")+1:]]
	}
	for _, user := range excludedIn(body) {
		if !slices.Contains(out, user) && !w.mayBeOut(user, name, p.configured.Add(-10*time.Minute)) {
			w.breaks("nobody is put out of a policy without an entry", "%s, %s: %s", p.name, name, user)
		}
	}
}

// checkEnds looks after a run that went well: nobody is out of a policy whose
// exception had ended before the run began.
func (w *world) checkEnds(p *process, began time.Time, res sweep.Result) {
	if res.Status != sweep.Succeeded || res.Mode != sweep.Apply || res.Kind != ledger.KindSweep || p.between != nil || len(p.leases) > 1 {
		return
	}
	w.checkNobodyIsLeftOut(began)
}

func (w *world) checkNobodyIsLeftOut(began time.Time) {
	for _, d := range w.list("/identity/conditionalAccess/policies") {
		made, ours := w.ours[d["id"].(string)]
		if !ours || w.edited[d["id"].(string)].After(began) {
			continue
		}
		for _, user := range excludedIn(d) {
			if !w.mayBeOut(user, made, began) {
				w.breaks("nobody stays out past the first apply after the end", "%s of %s", user, made)
			}
		}
	}
}

// checkInForce looks at the end: whoever an entry keeps out is out.
func (w *world) checkInForce() {
	w.checkNobodyIsLeftOut(time.Now())
	if w.exceptions == nil {
		return
	}
	for _, d := range w.list("/identity/conditionalAccess/policies") {
		made, ours := w.ours[d["id"].(string)]
		if !ours || !strings.HasPrefix(made, "P1 ") {
			continue
		}
		if user := w.names[w.exceptions.Exceptions[1].Users[0]]; !slices.Contains(excludedIn(d), user) {
			w.breaks("who an entry keeps out is out once all is quiet", "%s of %s", user, made)
		}
	}
}
