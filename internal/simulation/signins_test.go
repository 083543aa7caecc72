package simulation

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/plan"
)

// maxClosed is how many single detections the limits allow.
const maxClosed = 5

// egress are the addresses whose single detections an entry closes, and how.
var egress = map[plan.Kind]string{plan.DismissDetections: "198.51.100.", plan.SafeDetections: "192.0.2."}

// coveredAlone says whether an entry of scope detections covers a detection with
// this feedback.
func coveredAlone(kind plan.Kind, d map[string]any) bool {
	ip, _ := d["ipAddress"].(string)
	return d["riskEventType"] == "unfamiliarFeatures" && (d["riskLevel"] == "low" || d["riskLevel"] == "medium") && strings.HasPrefix(ip, egress[kind])
}

// onSignIns checks which detections are about to be closed by themselves.
func (w *world) onSignIns(p *process, kind plan.Kind, body []byte) func(int, []byte) {
	var in struct{ RequestIDs []string }
	if err := json.Unmarshal(body, &in); err != nil || len(in.RequestIDs) == 0 || len(in.RequestIDs) > 60 {
		w.breaks("a batch names 1 to 60 sign-ins", "%s", body)
	}
	if p.ordered {
		w.breaks("nobody orders that single sign-ins are closed", "%s", body)
	}
	var closes []string
	users := map[string]bool{}
	for _, d := range w.list("/identityProtection/riskDetections?$top=500") {
		request, _ := d["requestId"].(string)
		named := false
		for _, id := range in.RequestIDs {
			named = named || strings.EqualFold(id, request)
		}
		if state := d["riskState"]; !named || state == "none" || state == "remediated" || state == "dismissed" || state == "confirmedSafe" {
			continue
		}
		id, user := d["id"].(string), strings.ToLower(d["userId"].(string))
		closes, users[user] = append(closes, id), true
		fence, fenced := p.fenced[user]
		if arrived, later := w.arrived[id]; !coveredAlone(kind, d) && !(later && fenced && arrived.After(fence)) {
			w.breaks("only what an entry covers is closed", "detection %.8s of %s: %v %v from %v", id, user, d["riskEventType"], d["riskLevel"], d["ipAddress"])
		}
		if !w.vpn[user] || w.never[user] {
			w.breaks("who is protected, privileged or break-glass is left alone", "detections of %s", user)
		}
		if !fenced || time.Since(fence) > apply.LookAge+writeTimeout {
			w.breaks("the fence is read right before", "detections of %s: read at %s", user, fence)
		}
		if !w.intended(kind, user) {
			w.breaks("an intent is stored before the effect", "detections of %s", user)
		}
		if run := w.undecided(p, user); run != "" {
			w.breaks("who may still be under an earlier order is held back", "detections of %s: run %s", user, run)
		}
		if at, before := w.closedOne[id]; before {
			w.breaks("no detection is closed twice", "%.8s, first at %s", id, at)
		}
	}
	return func(code int, _ []byte) {
		if code != http.StatusNoContent {
			return
		}
		recent := 0
		for user := range users {
			if w.closedOf[kind] == nil {
				w.closedOf[kind] = map[string]bool{}
			}
			w.closedOf[kind][user] = true
		}
		for _, id := range closes {
			w.closedOne[id] = time.Now()
		}
		for _, at := range w.closedOne {
			if time.Since(at) < 24*time.Hour {
				recent++
			}
		}
		if recent > maxClosed {
			w.breaks("the limits hold", "%d detections closed in 24 h", recent)
		}
	}
}
