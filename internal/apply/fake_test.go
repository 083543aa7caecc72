package apply_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// tenant is a tenant small enough to be wrong on purpose: hooks run before a
// write takes effect and may refuse it, or after, and lose its answer.
type tenant struct {
	users      map[string]*entra.RiskyUser
	detections map[string]*entra.Detection
	accounts   map[string]*entra.Account
	principals map[string]*entra.RiskyServicePrincipal
	objects    map[entra.ObjectKind][]entra.Document
	deleted    map[entra.ObjectKind][]entra.Document
	next       int
	calls      []string
	before     func(call string) error
	after      func(call string) error
	ignore     bool          // accept risk orders without any effect
	wait       time.Duration // before a write leaves
	astray     bool          // answer also with detections of nobody
	nameless   bool          // answer a create without the id
}

func newTenant() *tenant {
	return &tenant{users: map[string]*entra.RiskyUser{}, detections: map[string]*entra.Detection{}, accounts: map[string]*entra.Account{}, principals: map[string]*entra.RiskyServicePrincipal{}, objects: map[entra.ObjectKind][]entra.Document{}}
}

func (t *tenant) user(id string, detections ...string) plan.Action {
	deleted, processing := false, false
	t.users[id] = &entra.RiskyUser{ID: entra.NewID(id), UserPrincipalName: id + "@contoso.com", IsDeleted: &deleted, IsProcessing: &processing,
		RiskLevel: "medium", RiskState: "atRisk", RiskLastUpdatedDateTime: "2026-01-01T00:00:00Z"}
	risk := &plan.Risk{RiskLevel: "medium", RiskState: "atRisk", RiskLastUpdatedDateTime: "2026-01-01T00:00:00Z"}
	for _, d := range detections {
		t.detections[d] = &entra.Detection{ID: d, UserID: entra.NewID(id), RiskEventType: "unfamiliarFeatures", RiskLevel: "medium", RiskState: "atRisk",
			LastUpdatedDateTime: "2026-01-01T00:00:00Z"}
		risk.Detections = append(risk.Detections, plan.SeenDetection{ID: d, RiskEventType: "unfamiliarFeatures", RiskLevel: "medium",
			RiskState: "atRisk", LastUpdatedDateTime: "2026-01-01T00:00:00Z"})
	}
	return plan.Action{ID: "a-" + id, Kind: plan.Dismiss, Status: plan.Ready, Subject: plan.Subject{ID: entra.NewID(id), Name: id}, Risk: risk}
}

func (t *tenant) RiskyUsers(_ context.Context, q entra.RiskyUserQuery) iter.Seq2[entra.Page[entra.RiskyUser], error] {
	return func(yield func(entra.Page[entra.RiskyUser], error) bool) {
		if err := t.hook(t.before, "GET riskyUsers"); err != nil {
			yield(entra.Page[entra.RiskyUser]{}, err)
			return
		}
		var p entra.Page[entra.RiskyUser]
		for _, id := range q.IDs {
			if u := t.users[string(id)]; u != nil {
				p.Items = append(p.Items, *u)
			}
		}
		yield(p, nil)
	}
}

func (t *tenant) Detections(_ context.Context, q entra.DetectionQuery) iter.Seq2[entra.Page[entra.Detection], error] {
	return func(yield func(entra.Page[entra.Detection], error) bool) {
		if err := t.hook(t.before, "GET riskDetections"); err != nil {
			yield(entra.Page[entra.Detection]{}, err)
			return
		}
		var p entra.Page[entra.Detection]
		for _, d := range t.detections {
			at, _ := d.LastUpdatedDateTime.Time()
			since := !q.UpdatedSince.IsZero() && !at.Before(q.UpdatedSince)
			if (slices.Contains(q.UserIDs, d.UserID) || t.astray && d.UserID == "") && (d.RiskState.Open() || since) {
				p.Items = append(p.Items, *d)
			}
		}
		yield(p, nil)
	}
}

// depart is what a client does before a request leaves: it may have to wait.
func (t *tenant) depart(ctx context.Context) error {
	if t.wait > 0 {
		time.Sleep(t.wait)
	}
	return entra.CheckWrite(ctx)
}

func (t *tenant) hook(h func(string) error, call string) error {
	if h == nil {
		return nil
	}
	return h(call)
}

func (t *tenant) risk(ctx context.Context, call string, ids []string, state entra.RiskState) (string, error) {
	if err := t.depart(ctx); err != nil {
		return "", err
	}
	t.calls = append(t.calls, fmt.Sprintf("%s %v", call, ids))
	if err := t.hook(t.before, call); err != nil {
		return "req", err
	}
	for _, id := range ids {
		u := t.users[id]
		if u == nil || *u.IsDeleted {
			return "req", fmt.Errorf("one id is bad: %w", entra.ErrBadRequest)
		}
	}
	if t.ignore {
		return "req", nil
	}
	now := entra.NewDateTime(time.Now())
	for _, id := range ids {
		t.users[id].RiskState, t.users[id].RiskLastUpdatedDateTime = state, now
		for _, d := range t.detections {
			if string(d.UserID) == id && d.RiskState.Open() && state == entra.StateDismissed {
				d.RiskState, d.LastUpdatedDateTime = state, now
			}
		}
	}
	return "req", t.hook(t.after, call)
}

func (t *tenant) Accounts(_ context.Context, ids []entra.ID) (map[entra.ID]entra.Account, error) {
	if err := t.hook(t.before, "GET accounts"); err != nil {
		return nil, err
	}
	out := map[entra.ID]entra.Account{}
	for _, id := range ids {
		if a := t.accounts[string(id)]; a != nil {
			out[id] = *a
		}
	}
	return out, nil
}

// account lets a user have an account, and gives an action on it.
func (t *tenant) account(kind plan.Kind, a plan.Action) plan.Action {
	id, enabled := string(a.Subject.ID), kind != plan.EnableAccount
	if t.accounts[id] == nil {
		t.accounts[id] = &entra.Account{ID: a.Subject.ID, AccountEnabled: &enabled, SignInSessionsValidFromDateTime: "1999-01-01T00:00:00Z"}
	}
	seen := *t.accounts[id]
	a.ID, a.Kind, a.Account = string(kind)+"-"+id, kind, &seen
	return a
}

func (t *tenant) actOnAccount(ctx context.Context, kind plan.Kind, id string) (string, error) {
	if err := t.depart(ctx); err != nil {
		return "", err
	}
	t.calls = append(t.calls, fmt.Sprintf("%s [%s]", kind, id))
	if err := t.hook(t.before, string(kind)); err != nil {
		return "req", err
	}
	if on := kind == plan.EnableAccount; kind != plan.RevokeSessions && !t.ignore {
		t.accounts[id].AccountEnabled = &on
	} else if !t.ignore {
		t.accounts[id].SignInSessionsValidFromDateTime = entra.NewDateTime(time.Now())
	}
	return "req", t.hook(t.after, string(kind))
}

func (t *tenant) actOnSignIns(ctx context.Context, kind plan.Kind, ids []string) (string, error) {
	if err := t.depart(ctx); err != nil {
		return "", err
	}
	t.calls = append(t.calls, fmt.Sprintf("%s %v", kind, ids))
	if err := t.hook(t.before, string(kind)); err != nil {
		return "req", err
	}
	for _, d := range t.detections {
		if slices.Contains(ids, d.RequestID) && d.RiskState.Open() {
			d.RiskState, d.LastUpdatedDateTime = entra.StateDismissed, entra.NewDateTime(time.Now())
		}
	}
	return "req", t.hook(t.after, string(kind))
}

func (t *tenant) ActOnUsers(ctx context.Context, kind plan.Kind, ids []string) (string, error) {
	if kind.OnDetections() {
		return t.actOnSignIns(ctx, kind, ids)
	}
	if kind.OnAccount() {
		return t.actOnAccount(ctx, kind, ids[0])
	}
	if kind.OnPrincipal() {
		return t.actOnPrincipals(ctx, kind, ids)
	}
	state := map[plan.Kind]entra.RiskState{plan.Dismiss: entra.StateDismissed, plan.ConfirmCompromised: entra.StateConfirmedCompromised, plan.ConfirmSafe: entra.StateConfirmedSafe}
	return t.risk(ctx, string(kind), ids, state[kind])
}

func (t *tenant) Objects(_ context.Context, kind entra.ObjectKind) ([]entra.Document, error) {
	t.calls = append(t.calls, "list "+string(kind))
	return slices.Clone(t.objects[kind]), t.hook(t.before, "list")
}

func (t *tenant) Object(_ context.Context, kind entra.ObjectKind, id string) (entra.Document, error) {
	t.calls = append(t.calls, "get "+id)
	if err := t.hook(t.before, "get"); err != nil {
		return nil, err
	}
	for _, d := range t.objects[kind] {
		if d.ID() == id {
			return d.Clone(), nil
		}
	}
	return nil, entra.ErrNotFound
}

func (t *tenant) CreateObject(ctx context.Context, kind entra.ObjectKind, body entra.Document) (entra.Document, string, error) {
	if err := t.depart(ctx); err != nil {
		return nil, "", err
	}
	t.calls = append(t.calls, "create "+body.DisplayName())
	if err := t.hook(t.before, "create"); err != nil {
		return nil, "req", err
	}
	t.next++
	d := body.Clone()
	d["id"] = fmt.Sprintf("new-%d", t.next)
	d["createdDateTime"] = string(entra.NewDateTime(time.Now()))
	t.objects[kind] = append(t.objects[kind], d)
	if err := t.hook(t.after, "create"); err != nil {
		return nil, "req", err
	}
	if t.nameless {
		return body.Clone(), "req", nil
	}
	return d.Clone(), "req", nil
}

func (t *tenant) UpdateObject(ctx context.Context, kind entra.ObjectKind, id string, body entra.Document) (string, error) {
	if err := t.depart(ctx); err != nil {
		return "", err
	}
	t.calls = append(t.calls, "update "+id)
	if err := t.hook(t.before, "update"); err != nil {
		return "req", err
	}
	for _, d := range t.objects[kind] {
		if d.ID() == id {
			for k, v := range body {
				d[k] = v
			}
			return "req", t.hook(t.after, "update")
		}
	}
	return "req", entra.ErrNotFound
}

func (t *tenant) DeletedObject(_ context.Context, kind entra.ObjectKind, id string) (entra.Document, error) {
	for _, d := range t.deleted[kind] {
		if d.ID() == id {
			return d.Clone(), nil
		}
	}
	return nil, entra.ErrNotFound
}

func (t *tenant) RestoreObject(ctx context.Context, kind entra.ObjectKind, id string) (string, error) {
	if err := t.depart(ctx); err != nil {
		return "", err
	}
	t.calls = append(t.calls, "restore "+id)
	if err := t.hook(t.before, "restore"); err != nil {
		return "req", err
	}
	for i, d := range t.deleted[kind] {
		if d.ID() == id {
			t.deleted[kind] = slices.Delete(t.deleted[kind], i, i+1)
			t.objects[kind] = append(t.objects[kind], d)
			return "req", t.hook(t.after, "restore")
		}
	}
	return "req", entra.ErrNotFound
}

func (t *tenant) DeleteObject(ctx context.Context, kind entra.ObjectKind, id string) (string, error) {
	if err := t.depart(ctx); err != nil {
		return "", err
	}
	t.calls = append(t.calls, "delete "+id)
	if err := t.hook(t.before, "delete"); err != nil {
		return "req", err
	}
	n := len(t.objects[kind])
	t.objects[kind] = slices.DeleteFunc(t.objects[kind], func(d entra.Document) bool { return d.ID() == id })
	if len(t.objects[kind]) == n {
		return "req", entra.ErrNotFound
	}
	return "req", t.hook(t.after, "delete")
}

// diary is a journal in memory.
type diary struct {
	lines []string
	fail  int // fail the n-th line, 0 never
}

func (j *diary) write(line string) error {
	j.lines = append(j.lines, line)
	if len(j.lines) == j.fail {
		return fmt.Errorf("disk full")
	}
	return nil
}

func (j *diary) Intent(_ context.Context, kind plan.Kind, actions []plan.Action) error {
	ids := ""
	for _, a := range actions {
		ids += " " + a.ID
	}
	return j.write("intent " + string(kind) + ids)
}

func (j *diary) Made(_ context.Context, a plan.Action, id string) error {
	return j.write("made " + a.ID + " " + id)
}

func (j *diary) Outcome(_ context.Context, o plan.Outcome, _ *apply.Written) error {
	return j.write("outcome " + o.Action + " " + string(o.Status))
}

func options(t *tenant, j *diary, actions ...plan.Action) apply.Options {
	return apply.Options{Plan: plan.Plan{Actions: actions}, Reader: t, Writer: t, Journal: j,
		Gate: func(context.Context, time.Duration) error { return nil }, Now: time.Now, ServiceTime: time.Now,
		WriteTimeout: 10 * time.Second, ReadBack: time.Minute, Visibility: time.Minute}
}

func statuses(r apply.Result) map[string]plan.OutcomeStatus {
	out := map[string]plan.OutcomeStatus{}
	for _, o := range r.Outcomes {
		out[o.Action] = o.Status
	}
	return out
}
