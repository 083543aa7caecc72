package risk

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/graphsim/odata"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// SignIn is a sign-in that a detection is about, for the log of sign-ins.
type SignIn struct {
	RequestID, CorrelationID, UserID string
	At                               time.Time
	IPAddress                        string
	Country, State, City             string
	Latitude, Longitude              float64
	EventType                        string
	// Level and Realtime say how risky it was, and whether that was known at
	// once; RiskState and Detail are what has become of the risk.
	Level, RiskState, Detail string
	Realtime                 bool
}

// SignIns gives the risky sign-ins of users from a time on.
func (w *Workload) SignIns(since, now time.Time) []SignIn {
	w.settle(odata.Ticks(now))
	var all []SignIn
	r := w.users
	for i := range r.detections {
		d := &r.detections[i]
		if d.address == [16]byte{} || d.activityAt < odata.Ticks(since) {
			continue
		}
		p := &places[d.place]
		all = append(all, SignIn{
			RequestID: guid(r.noise(i, 1), r.noise(i, 2)), CorrelationID: guid(r.noise(i, 3), r.noise(i, 4)), UserID: r.subjects[d.subject].id,
			At: odata.FromTicks(d.activityAt), IPAddress: d.ip(), Country: p.country, State: p.state, City: p.city, Latitude: p.latitude, Longitude: p.longitude,
			EventType: r.words.types[d.event].name, Level: levelEnum.Members[d.level], RiskState: stateEnum.Members[d.state], Detail: detailEnum.Members[d.detail],
			Realtime: d.timing == timingRealtime,
		})
	}
	return all
}

// closeOne ends one detection; the subject's risk is what the others leave.
func (r *register) closeOne(s *subject, i int32, at int64, by string, state, detail uint8) {
	d := &r.detections[i]
	if !open(d.state) {
		return
	}
	d.state, d.detail, d.updatedAt = state, detail, at
	r.settleLevel(s, deed{at: at, cause: detail, by: by}, state)
}

// notRisky is what the service says to ids that it knows nothing risky of.
const notRisky = "These requestIds do not exist in your tenant or they are not risky."

// SignInFeedback takes feedback on sign-ins, by their ids (evidence-api §6): all
// of it or, with one bad id, none. Only the detections of those sign-ins are
// meant. A sign-in without risk may be confirmed safe, if it is known.
func (w *Workload) SignInFeedback(r *wire.Request, name string, known func(id string) bool) (*wire.Response, *wire.Error) {
	now := odata.Ticks(r.Now)
	w.settle(now)
	f, activity := feedbackNone, ""
	switch strings.TrimPrefix(name, "microsoft.graph.") {
	case "dismiss":
		f, activity = feedbackSignInDismiss, "DismissSignIn"
	case "confirmCompromised":
		f, activity = feedbackSignInCompromised, "ConfirmCompromised"
	case "confirmSafe":
		f, activity = feedbackSignInSafe, "ConfirmSafe"
	default:
		return nil, badRequest("Resource not found for the segment '" + name + "'.")
	}
	switch {
	case r.Method != http.MethodPost:
		return nil, notAllowed()
	case w.opt.License != "P2":
		return nil, unlicensed()
	}
	for option := range r.Query {
		return nil, badRequest("Query option '" + option + "' is not allowed for an action.")
	}
	ids, refused := readIDs(r.Body, "requestIds")
	if refused != nil {
		return nil, refused
	}
	var meant []int32
	for _, id := range ids {
		found := w.openDetections(id)
		if len(found) == 0 && (f != feedbackSignInSafe || !known(id)) {
			return nil, badRequest(notRisky)
		}
		meant = append(meant, found...)
	}
	var deeds []wire.Deed
	for _, id := range ids {
		deeds = append(deeds, wire.Deed{
			Activity: activity, Service: "Identity Protection", Category: "Other", Operation: "Update", Targets: []wire.Target{{ID: id, Type: "SignIn"}},
		})
	}
	for _, i := range sorted(meant) {
		s := w.users.detections[i].subject
		w.users.subjects[s].busy++
		w.users.version++
		w.later(pending{Due: now + ticks(w.opt.Lag), Subject: s, Feedback: f, By: r.PrincipalID, Detection: i})
	}
	w.settle(now)
	return &wire.Response{Status: http.StatusNoContent, Effect: len(meant) > 0, Deeds: deeds}, nil
}

// openDetections are those of one sign-in of a user who is not deleted.
func (w *Workload) openDetections(requestID string) []int32 {
	var found []int32
	for i := range w.users.detections {
		d := &w.users.detections[i]
		if open(d.state) && d.state != stateConfirmedCompromised && !w.users.subjects[d.subject].deleted && w.users.signInID(d, i, 1).Equals(requestID) {
			found = append(found, int32(i)) //nolint:gosec // detections of one tenant
		}
	}
	return slices.Clip(found)
}
