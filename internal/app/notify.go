package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/risksweep/risksweep/internal/audit"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/notice"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/runs"
	"github.com/risksweep/risksweep/internal/sweep"
)

// notifier keeps what came of a tenant's runs for the fleet, and tells the
// tenant's webhooks.
func (a *App) notifier(t config.Tenant, red report.Redaction) func(context.Context, sweep.Result, error) {
	if a.Store == nil {
		return nil
	}
	return func(ctx context.Context, r sweep.Result, err error) {
		a.remember(ctx, t.Name, r, err, red)
		if !a.hears(t.Name) {
			return
		}
		if errors.Is(err, blobstore.ErrLeaseHeld) {
			return // the run that holds it will tell
		}
		e := event(t.Name, r, err, red)
		e.At = a.opt.Now().UTC()
		if r.Run != "" {
			e.Report = strings.TrimSuffix(a.Store.URL(), "/") + "/" + ledger.RunPath(t.Name, r.Run) + "/report.html"
		}
		open := slices.Concat(e.People, uncovered(r), glassEvents(r), untested(r), workloads(r), groups(r))
		fresh, err := notice.New(ctx, a.Store, t.Name, open, over(r))
		if err != nil {
			// Better to be told twice than not at all.
			runs.Log(ctx, a.opt.Log).Warn("who was named in earlier notices is not known", "tenant", t.Name, "error", err)
			fresh = open
		}
		name(&e, fresh)
		if due, ok := dueOf(ctx); ok {
			a.gatherRound(ctx, due, e)
			return
		}
		if a.gather(e) {
			return
		}
		a.send(ctx, e)
	}
}

// over says which of those whom notices have named need nobody any more, if they
// are not among those of a run.
func over(r sweep.Result) func(id string) bool {
	return func(id string) bool {
		user, reach := strings.CutPrefix(id, uncoveredPrefix)
		switch {
		case !r.Complete:
			return false
		case reach:
			return !r.Unsure.Reach && !slices.Contains(r.Unsure.ReachOf, user)
		case strings.HasPrefix(id, untestedPrefix):
			return !r.Unsure.Tests
		case strings.HasPrefix(id, watchedPrefix):
			return !r.Unsure.BreakGlass
		case strings.HasPrefix(id, workloadPrefix):
			return !r.Unsure.Workloads
		}
		return true
	}
}

// uncoveredPrefix tells users whom no policy reaches from those who need a
// person, among those whom notices have named.
const uncoveredPrefix = "uncovered:"

// untestedPrefix tells break-glass accounts of which a test is due.
const untestedPrefix = "untested:"

// untested are the break-glass accounts of which a test is due, each with its
// sentence.
func untested(r sweep.Result) []notice.Person {
	var out []notice.Person
	for _, t := range report.GlassTestsDue(r.BreakGlassTests) {
		out = append(out, notice.Person{ID: untestedPrefix + t.ID, Name: t.Text()})
	}
	return out
}

// watchedPrefix tells what break-glass accounts did, and what was done to them.
const watchedPrefix = "breakGlass:"

// maxWatched is how many of these events are remembered, the newest first.
const maxWatched = 1000

// glassEvents are these events, each told once with its sentence: later runs see
// it again until an apply has moved the watermark well beyond it.
func glassEvents(r sweep.Result) []notice.Person {
	var out []notice.Person
	for _, g := range r.BreakGlass[:min(len(r.BreakGlass), maxWatched)] {
		out = append(out, notice.Person{ID: fmt.Sprintf("%s%s:%s:%s", watchedPrefix, g.ID, g.At.UTC().Format(time.RFC3339Nano), g.What), Name: g.Text(), Since: g.At})
	}
	return out
}

// groupPrefix tells campaigns.
const groupPrefix = "campaign:"

// groups are the campaigns, each told once as long as it lasts. A near miss says
// something of the allowlist, and nobody is to hurry for it.
func groups(r sweep.Result) []notice.Person {
	var out []notice.Person
	for _, c := range r.Campaigns[:min(len(r.Campaigns), maxGroups)] {
		if c.Kind != report.ByNearMiss {
			out = append(out, notice.Person{ID: groupPrefix + c.Kind + ":" + c.Of})
		}
	}
	return out
}

// workloadPrefix tells service principals that need a person from users, each with
// its sentence.
const workloadPrefix = "servicePrincipal:"

// workloads are the service principals that need a person, once for each time that
// their risk opens.
func workloads(r sweep.Result) []notice.Person {
	var out []notice.Person
	for _, w := range report.MostUrgent(r.Workloads) {
		text := fmt.Sprintf("the service principal %s (%s) needs a person: %s", cmp.Or(w.Name, w.ID), w.RiskLevel, strings.Join(w.Reasons, "; "))
		out = append(out, notice.Person{ID: workloadPrefix + w.ID, Name: text, Since: w.OpenSince})
	}
	return out
}

// uncovered are the users at risk whose risk no enabled policy meets.
func uncovered(r sweep.Result) []notice.Person {
	var out []notice.Person
	for _, u := range r.Uncovered {
		out = append(out, notice.Person{ID: uncoveredPrefix + u.ID, Name: cmp.Or(u.Name, u.ID)})
	}
	return out
}

// name names in a notice those whom no earlier one has named.
func name(e *notice.Event, fresh []notice.Person) {
	var newly, glass []string
	e.People = nil
	for _, p := range fresh {
		if strings.HasPrefix(p.ID, watchedPrefix) {
			glass = append(glass, p.Name)
			continue
		}
		if strings.HasPrefix(p.ID, uncoveredPrefix) {
			newly = append(newly, p.Name)
			continue
		}
		if strings.HasPrefix(p.ID, groupPrefix) {
			e.NewGroups++
			continue
		}
		if strings.HasPrefix(p.ID, workloadPrefix) {
			e.ServicePrincipals++
		}
		if strings.HasPrefix(p.ID, untestedPrefix) || strings.HasPrefix(p.ID, workloadPrefix) {
			e.Facts = append(e.Facts, p.Name)
			continue
		}
		e.People = append(e.People, p)
	}
	if text := uncoveredText(newly); text != "" {
		e.Facts = append(e.Facts, text)
	}
	if n := len(glass) - maxChanges; n > 0 {
		glass = append(glass[:maxChanges:maxChanges], fmt.Sprintf("and %d more of break-glass accounts, see the report", n))
	}
	first := slices.IndexFunc(e.Facts, func(f string) bool { return !strings.HasPrefix(f, overdue) })
	if first < 0 {
		first = len(e.Facts)
	}
	e.Facts = slices.Insert(e.Facts, first, glass...) // before all but these
}

// overdue begins the facts that stand before all others.
const overdue = "overdue: "

// uncoveredText says who is newly among them.
func uncoveredText(names []string) string {
	if len(names) == 0 {
		return ""
	}
	text := strings.Join(names[:min(len(names), maxNewly)], ", ")
	if n := len(names) - maxNewly; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return "no enabled policy meets the risk of " + report.Number(len(names), "user") + ": " + text
}

// maxNewly is how many of them a notice names.
const maxNewly = 5

// Missed tells that a scheduled run did not happen when it was due.
func (a *App) Missed(ctx context.Context, tenant string, due time.Time) {
	if len(a.Config.Tenants) > FewTenants { // said with what comes of the run
		a.missed.Store(tenant, due)
		return
	}
	a.send(ctx, notice.Event{Tenant: tenant, Mode: a.Config.Schedule.Mode, Status: "missed", At: a.opt.Now().UTC(), Facts: missedFacts(due)})
}

// hears reports whether anybody is told of a tenant.
func (a *App) hears(tenant string) bool {
	return slices.ContainsFunc(a.Config.Notices, func(n config.Notice) bool { return isOf(n, tenant) })
}

func (a *App) webhooks(tenant string) []config.Notice {
	return slices.DeleteFunc(slices.Clone(a.Config.Notices), func(n config.Notice) bool { return !isOf(n, tenant) })
}

// isOf reports whether a webhook is told of a tenant.
func isOf(n config.Notice, tenant string) bool {
	return len(n.Tenants) == 0 || slices.Contains(n.Tenants, tenant)
}

// send sends an event to every webhook of its tenant, each within its time.
func (a *App) send(ctx context.Context, e notice.Event) {
	if !e.Worth() {
		return
	}
	var g errgroup.Group
	for _, n := range a.webhooks(e.Tenant) {
		g.Go(func() error { a.post(ctx, n, e); return nil })
	}
	_ = g.Wait() // nothing of it fails a run
}

// post sends an event to one webhook.
func (a *App) post(ctx context.Context, n config.Notice, e notice.Event) {
	c, cancel := context.WithTimeout(context.WithoutCancel(ctx), n.Timeout)
	defer cancel()
	body, err := e.Body(n.Kind)
	if err == nil {
		err = notice.Send(c, n.Kind, n.URL.Reveal(), body)
	}
	if err != nil {
		runs.Log(ctx, a.opt.Log).Warn("a notice could not be sent", "tenant", e.Tenant, "kind", n.Kind, "error", err)
	}
}

// maxChanges is how many changes a notice names.
const maxChanges = 5

// changeFacts name who changed policies since the last run, and those of the
// baseline that differ.
func changeFacts(r sweep.Result, red report.Redaction) []string {
	var out []string
	for _, e := range r.Entries {
		if by := red.ChangedBy(e.ChangedBy); by != nil && by.Kind != audit.NotSeen && !by.Own {
			out = append(out, fmt.Sprintf("%s: %s", e.DisplayName, by.Text()))
		}
	}
	for _, c := range r.Drifted {
		if c.Foreign() && c.ChangedBy != nil {
			what := "changed"
			switch {
			case c.Is == "":
				what = "gone"
			case c.Was == "":
				what = "new"
			}
			out = append(out, fmt.Sprintf("%s, not of the baseline, is %s; %s", c.Name, what, c.ChangedBy.Text()))
		}
	}
	if len(out) > maxChanges {
		out = append(out[:maxChanges:maxChanges], fmt.Sprintf("and %d more changes, see the report", len(out)-maxChanges))
	}
	return out
}

// maxGroups is how many campaigns a notice names.
const maxGroups = 5

// event is what of a run needs a person.
func event(tenant string, r sweep.Result, err error, red report.Redaction) notice.Event {
	e := notice.Event{Tenant: tenant, Run: r.Run, Mode: string(r.Mode), Kind: string(r.Kind), Order: r.Order.Title(), Status: string(r.Status), Unread: r.Unread}
	if err != nil {
		e.Status = string(sweep.Failed)
		e.Facts = append(e.Facts, "no run came to be: "+red.Sentence(err.Error()))
	}
	if r.Err != nil {
		e.Facts = append(e.Facts, red.Sentence(r.Err.Error()))
		if a, ok := entra.AdviceFor(r.Err); ok {
			e.Facts = append(e.Facts, "to do: "+a.Do)
		}
		if text := report.UnreadText(string(r.Kind), report.Coverage{Complete: r.Complete, Unread: r.Unread}); text != "" {
			e.Facts = append(e.Facts, "not read: "+text)
		}
	}
	for _, x := range r.Exceptions {
		if x.Overdue {
			e.Facts = append([]string{red.Sentence(sweep.StillOutText(x.Exclusion), x.Name)}, e.Facts...)
		}
	}
	for _, v := range r.Plan.Violations {
		if text := "refused: " + v.Text; !slices.Contains(e.Facts, text) {
			e.Facts = append(e.Facts, text)
		}
	}
	head := len(e.Facts)
	bad := map[string]int{}
	for _, o := range r.Outcomes {
		if o.Status.Bad() {
			bad[fmt.Sprintf("%s: %s", o.Kind, o.Status)]++
		}
	}
	for what, n := range bad {
		e.Facts = append(e.Facts, fmt.Sprintf("%s %s", report.Number(n, "time"), what))
	}
	slices.Sort(e.Facts[head:])
	blocked, differ := 0, 0
	for _, entry := range r.Entries {
		switch entry.Status {
		case drift.InSync, drift.Unmanaged:
		case drift.Blocked:
			blocked++
		default:
			differ++
		}
	}
	if blocked > 0 {
		e.Facts = append(e.Facts, fmt.Sprintf("policies or locations of the baseline that are blocked: %d", blocked))
	}
	if differ > 0 && r.Mode == sweep.Plan {
		e.Facts = append(e.Facts, fmt.Sprintf("policies or locations that differ from the baseline: %d", differ))
	}
	e.Facts = append(e.Facts, changeFacts(r, red)...)
	for _, x := range r.Ending { // told once
		e.Facts = append(e.Facts, red.Sentence(sweep.EndingText(x), x.Name))
	}
	for i, g := range r.Campaigns {
		if i == maxGroups {
			break
		}
		e.Groups = append(e.Groups, g.Summary)
	}
	for _, w := range r.NeedsPerson {
		p := notice.Person{ID: w.ID, Name: w.Name, Level: string(w.RiskLevel), Since: w.OpenSince}
		p.Why = strings.Join(w.Reasons, "; ")
		e.People = append(e.People, p)
	}
	return e
}
