package simulation

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"
)

// promotedPolicy is to be enabled on the evidence of the sign-in log, in worlds
// in which that is read.
const promotedPolicy = `
  - key: P4
    displayName: P4 Second factor
    state: enabled
    promote: {after: %dd, minSignIns: %d, maxRefusedUsers: %d, maxAskedUsers: %d}
    conditions: {clientAppTypes: [all], applications: {includeApplications: [All]}, users: {includeUsers: [All]}}
    grantControls: {operator: OR, builtInControls: [mfa]}
`

// maxPromoted is how many policies the limits let be promoted in a day.
const maxPromoted = 1

// evidence is what a promotion asks for.
type evidence struct{ days, signIns, refused, asked int }

// onPromotion checks a write that may enable the policy that waits for its
// evidence, and says whether it does. A person who undoes something needs none.
func (w *world) onPromotion(p *process, method, id string, in, before map[string]any) bool {
	name := w.ours[id]
	if method == http.MethodPost {
		name, _ = in["displayName"].(string)
	}
	if p.undoes != "" || in["state"] != "enabled" || before["state"] == "enabled" || !strings.HasPrefix(name, "P4 ") {
		return false
	}
	if method == http.MethodPost {
		w.breaks("no promotion without its evidence", "%s: %s is made enabled", p.name, name)
		return true
	}
	since := lastChange(before)
	if since.After(p.began) {
		return true // by hand, when its evidence was read
	}
	// What came while the run was under way may be in its evidence or not, and
	// the clocks of processes are apart.
	const apart = 20 * time.Minute
	early, late := p.began.Add(-apart), time.Now().Add(apart)
	days := time.Duration(w.asks.days) * 24 * time.Hour
	all := w.counted(id, later(since, early.Add(-days)), late)
	sure := w.counted(id, later(since, late.Add(-days)), early)
	if late.Sub(since) < days || all.signIns < w.asks.signIns || sure.refused > w.asks.refused || sure.asked > w.asks.asked {
		w.breaks("no promotion without its evidence", "%s: since %s there are %d sign-ins, %d users refused, %d asked", p.name, since, all.signIns, sure.refused, sure.asked)
	}
	for _, at := range w.promoted {
		if time.Since(at) < 24*time.Hour {
			w.breaks("the limits hold", "a second promotion in 24 h")
		}
	}
	return true
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// lastChange is when a policy was last changed.
func lastChange(d map[string]any) (last time.Time) {
	for _, m := range []string{"createdDateTime", "modifiedDateTime"} {
		text, _ := d[m].(string)
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil && at.After(last) {
			last = at
		}
	}
	return last
}

func (w *world) counted(id string, from, to time.Time) evidence {
	return counted(func(path string) map[string]any { return look(w.handler, "sim", path) }, id, from, to)
}

// counted counts by hand what the log says of a live policy, from a time on, to
// another.
func counted(look func(string) map[string]any, id string, from, to time.Time) evidence {
	type seen struct{ judged, refused, asked bool }
	signIns, users := map[string]*seen{}, map[string]*seen{}
	path := "/auditLogs/signIns?$filter=" + url.QueryEscape("createdDateTime ge "+from.UTC().Format(time.RFC3339))
	for path != "" {
		page := look(path)
		rows, _ := page["value"].([]any)
		for _, v := range rows {
			row, _ := v.(map[string]any)
			at, _ := time.Parse(time.RFC3339, row["createdDateTime"].(string))
			code := fmt.Sprint(row["status"].(map[string]any)["errorCode"])
			if at.Before(from) || at.After(to) || code == "50126" || code == "50057" {
				continue
			}
			list, _ := row["appliedConditionalAccessPolicies"].([]any)
			for _, p := range list {
				m, _ := p.(map[string]any)
				if !strings.EqualFold(fmt.Sprint(m["id"]), id) {
					continue
				}
				for _, x := range []*seen{of(signIns, row["correlationId"].(string)), of(users, row["userId"].(string))} {
					x.judged = true
					x.refused = x.refused || m["result"] == "reportOnlyFailure"
					x.asked = x.asked || m["result"] == "reportOnlyInterrupted"
				}
			}
		}
		next, _ := page["@odata.nextLink"].(string)
		_, path, _ = strings.Cut(next, "/v1.0")
	}
	e := evidence{signIns: len(signIns)}
	for _, x := range users {
		if x.refused {
			e.refused++
		}
		if x.asked {
			e.asked++
		}
	}
	return e
}

func of[T any](m map[string]*T, key string) *T {
	if m[key] == nil {
		m[key] = new(T)
	}
	return m[key]
}

// look asks a tenant as a client does that knows all values.
func look(tenant http.Handler, token, path string) (m map[string]any) {
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/v1.0"+path, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Prefer", "include-unknown-enum-members")
	rec := httptest.NewRecorder()
	tenant.ServeHTTP(rec, r)
	if err := json.Unmarshal(rec.Body.Bytes(), &m); err != nil || rec.Code != http.StatusOK {
		panic(fmt.Sprintf("%s: %d %v", path, rec.Code, err))
	}
	return m
}
