package apply

import (
	"context"
	"time"

	"github.com/risksweep/risksweep/internal/plan"
)

// clockSkew is how far our clock may be from the service's when rows that
// changed since one of our own writes are asked for.
const clockSkew = 10 * time.Minute

// readBack looks what became of the orders that went out, in growing pauses,
// until all have had their effect or the time for it is over. A cancelled run
// looks once.
func (r *run) readBack(ctx context.Context, kind plan.Kind, out []sent) {
	if len(out) == 0 {
		return
	}
	since := r.Now().Add(-clockSkew - r.WriteTimeout)
	out, err := r.look(ctx, kind, out, since, false)
	for d := range backoff(time.Second, r.ReadBack) {
		if len(out) == 0 || !wait(ctx, d) {
			break
		}
		out, err = r.look(ctx, kind, out, since, false)
	}
	if err == nil && len(out) > 0 {
		out, err = r.look(ctx, kind, out, since, true)
	}
	for _, s := range out { // could not be read back
		detail := "accepted; could not be read back"
		status := plan.Processing
		if s.lost != nil {
			status, detail = plan.Unknown, "the answer was lost ("+s.lost.Error()+") and the "+kind.Words().Noun+" could not be read back"
		}
		if err != nil {
			detail += ": " + err.Error()
		}
		r.settle(ctx, s.action, status, s.requestID, detail, nil)
	}
}

// look reads the users back once, settles those whose outcome is plain and
// returns the others. With last set every one is settled.
func (r *run) look(ctx context.Context, kind plan.Kind, out []sent, since time.Time, last bool) ([]sent, error) {
	actions := make([]plan.Action, len(out))
	for i, s := range out {
		actions[i] = s.action
	}
	c, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*r.WriteTimeout)
	defer cancel()
	live, err := readUsers(c, r.Reader, actions, since)
	if err != nil {
		return out, err
	}
	var rest []sent
	otherwise := userActions[kind].otherwise
	for _, s := range out {
		l := live[s.action.Subject.ID]
		done, begun := taken(s.action, l)
		switch {
		case done && s.lost != nil && otherwise != nil && otherwise(l.User):
			r.settle(ctx, s.action, plan.Moved, s.requestID, "the answer was lost ("+s.lost.Error()+"), and the risk was settled otherwise: "+string(l.User.RiskState), nil)
		case done:
			status, detail := doneDetail(kind, s, l)
			r.settle(ctx, s.action, status, s.requestID, detail, nil)
		case !last:
			rest = append(rest, s)
		case s.lost != nil: // what has begun may be new risk, or somebody else's order
			r.settle(ctx, s.action, plan.Unknown, s.requestID,
				"the answer was lost ("+s.lost.Error()+") and its effect does not show yet; it is looked at again by the next run", nil)
		case begun || kind.OnAccount(): // it shows within minutes, and nothing tells how far it is
			r.settle(ctx, s.action, plan.Processing, s.requestID, "accepted; the service is still processing it", nil)
		default:
			r.settle(ctx, s.action, plan.NotTaken, s.requestID, "accepted, but nothing has changed after "+r.ReadBack.String(), nil)
		}
	}
	return rest, nil
}

// doneDetail says what is to be told of an effect that shows.
func doneDetail(kind plan.Kind, s sent, l *Live) (plan.OutcomeStatus, string) {
	status, detail := plan.Done, ""
	if effect := userActions[kind].effect; effect != nil {
		status, detail = effect(s.action, l)
	}
	if s.lost == nil || status != plan.Done {
		return status, detail
	}
	if detail != "" {
		detail = "; " + detail
	}
	return status, "the answer was lost; read back as done" + detail
}
