// Package doctor finds out what keeps a sweep from working: sign-in, app roles,
// licence, store, clock, schedule, break-glass. It tries each endpoint once and
// says for everything that is missing how it is mended.
//
// It writes nothing to a tenant, and to the store only a probe that it removes.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
)

// Reader is the tenant as the doctor reads it.
type Reader interface {
	TokenRoles(context.Context) ([]string, error)
	Tenant(context.Context) (entra.Tenant, error)
	Self(context.Context) (entra.DirectoryObject, error)
	Detections(context.Context, entra.DetectionQuery) iter.Seq2[entra.Page[entra.Detection], error]
	RiskyUsers(context.Context, entra.RiskyUserQuery) iter.Seq2[entra.Page[entra.RiskyUser], error]
	RiskyServicePrincipals(context.Context) iter.Seq2[entra.Page[entra.RiskyServicePrincipal], error]
	Agents(context.Context) ([]entra.RiskyAgent, error)
	AgentDetections(context.Context) ([]entra.AgentDetection, error)
	BetaPolicies(context.Context) ([]entra.PolicyName, error)
	Privileged(context.Context) (*entra.Privileged, error)
	Objects(context.Context, entra.ObjectKind) ([]entra.Document, error)
	Resolve(context.Context, []entra.Ref) (entra.Names, error)
	Members(ctx context.Context, groupID string) ([]entra.DirectoryObject, error)
	ServerTime() time.Time
}

// Status is what a check found.
type Status string

// The ends of a check.
const (
	OK   Status = "ok"
	Warn Status = "warn" // works, but not as it should
	Fail Status = "fail"
	Skip Status = "skipped" // nothing to check, or not reached
)

// Check is one finding.
type Check struct {
	Tenant string `json:"tenant,omitempty"` // empty: of the whole configuration
	Name   string `json:"check"`
	Status Status `json:"status"`
	Detail string `json:"detail"`
	// Fix is what mends it: a command, or a sentence.
	Fix string `json:"fix,omitempty"`
	// Access says that sign-in or permission failed.
	Access bool `json:"-"`
}

// Patient is one tenant to look at.
type Patient struct {
	Name   string
	Reader Reader
	// Graph is the address of Microsoft Graph in the tenant's cloud, without a version;
	// empty: that of the worldwide one.
	Graph string
	// Parts are what the configuration uses.
	Parts []Part
	// Promote says that policies are enabled on the evidence of the sign-in log.
	Promote bool
	// BreakGlass are the users and groups of the baseline; nil without one.
	BreakGlass *BreakGlass
	Now        func() time.Time
}

// BreakGlass are the emergency accounts that a baseline names.
type BreakGlass struct{ Users, Groups []string }

// maxSkew is how far the clocks may be apart: beyond a few minutes tokens and
// shared access signatures are refused.
const maxSkew = 2 * time.Minute

// Examine looks at one tenant.
func Examine(ctx context.Context, p Patient) []Check {
	e := &examination{Patient: p}
	if !e.signIn(ctx) {
		return e.checks
	}
	e.permissions(ctx)
	e.licence(ctx)
	e.endpoints(ctx)
	e.clock()
	e.breakGlass(ctx)
	return e.checks
}

type examination struct {
	Patient
	checks []Check
	roles  []string
	opaque bool // the token does not show its roles
	tenant *entra.Tenant
}

func (e *examination) add(name string, s Status, fix, format string, args ...any) {
	e.checks = append(e.checks, Check{Tenant: e.Name, Name: name, Status: s, Detail: fmt.Sprintf(format, args...), Fix: fix, Access: false})
}

func (e *examination) denied(name, fix, format string, args ...any) {
	e.add(name, Fail, fix, format, args...)
	e.checks[len(e.checks)-1].Access = true
}

func (e *examination) uses(part Part) bool { return slices.Contains(e.Parts, part) }

func (e *examination) signIn(ctx context.Context) bool {
	roles, err := e.Reader.TokenRoles(ctx)
	if errors.Is(err, entra.ErrOpaqueToken) {
		e.opaque = true
		e.add("sign-in", Warn, "", "a token that does not show its app roles; whether they suffice shows when each endpoint is tried")
		return true
	}
	if err != nil {
		e.denied("sign-in", "check the tenant's credential: risksweep config show, docs/deploy.md", "%v", err)
		return false
	}
	e.roles = roles
	e.add("sign-in", OK, "", "a token with %d app roles", len(roles))
	return true
}

// permissions compares the token's roles with what the parts in use need.
func (e *examination) permissions(ctx context.Context) {
	if e.opaque {
		e.add("permissions", Skip, "", "the token does not show its app roles")
		return
	}
	self, err := e.Reader.Self(ctx)
	if err != nil {
		self = entra.DirectoryObject{} // its id only makes the commands complete
	}
	var missing, needed int
	for _, p := range For(e.Parts...) {
		optional := p.Role == auditLog && !e.Promote
		if !optional {
			needed++
		}
		switch {
		case p.Has(e.roles):
		case optional:
			e.add("permission "+p.Role, Warn, p.grant(e.Graph, string(self.ID)), "missing: it is needed to %s; all else works. sweep.logs: off says that this is meant", p.Why)
		case p.Role == auditLog:
			missing++
			e.denied("permission "+p.Role, p.grant(e.Graph, string(self.ID)), "missing: enforcement.promote is on, and no policy is promoted without it. It is needed to %s", p.Why)
		default:
			missing++
			e.denied("permission "+p.Role, p.grant(e.Graph, string(self.ID)), "missing: it is needed to %s", p.Why)
		}
	}
	if e.uses(Agents) {
		for _, p := range betaPermissions() {
			if !p.Has(e.roles) && !e.checked("permission "+p.Role) {
				e.add("permission "+p.Role, Warn, p.grant(e.Graph, string(self.ID)), "missing: sweep.beta is on, and it is needed to %s; all else works. sweep.beta: false says that this is meant", p.Why)
			}
		}
	}
	if missing == 0 {
		e.add("permissions", OK, "", "all %d app roles that this configuration needs", needed)
	}
	if e.Promote && !e.uses(Logs) {
		e.add("promotion", Warn, "set sweep.logs to auto, or enforcement.promote to false", "enforcement.promote is on, but sweep.logs is off: there is no evidence, so no policy is promoted")
	}
	// What is there and not needed is a risk of its own.
	for _, p := range Permissions() {
		used := slices.ContainsFunc(p.Parts, e.uses)
		if !used && strings.Contains(p.Role, "ReadWrite") && slices.Contains(e.roles, p.Role) {
			e.add("permission "+p.Role, Warn, "take the role away, or switch the part of enforcement on that uses it", "the token may %s, but this configuration never does", p.Why)
		}
	}
}

func (e *examination) licence(ctx context.Context) {
	t, err := e.Reader.Tenant(ctx)
	if err != nil {
		e.failed("licence", err)
		return
	}
	e.tenant = &t
	switch {
	case t.PlansUnknown:
		e.add("licence", Warn, "grant Organization.Read.All", "the tenant's licences could not be read")
	case t.PlanP2:
		e.add("licence", OK, "", "Microsoft Entra ID P2 in %s", t.DisplayName)
	case t.PlanP1:
		e.add("licence", Warn, "assign Microsoft Entra ID P2 or Entra Suite licences", "Microsoft Entra ID P1: detections are reported with little detail, triage is skipped")
	default:
		e.add("licence", Fail, "assign Microsoft Entra ID P2 or Entra Suite licences", "the tenant has neither Microsoft Entra ID P1 nor P2: it has no risk to read and no Conditional Access")
	}
	if e.uses(ServicePrincipals) && !t.WorkloadPremium && !t.PlansUnknown {
		e.add("licence for workload identities", Warn, "assign Workload Identities Premium, or set sweep.servicePrincipals to false", "there is none: risky service principals have little detail")
	}
	if e.uses(Policies) && t.SecurityDefaults != nil && *t.SecurityDefaults {
		e.add("security defaults", Warn, "switch security defaults off when the baseline's policies are to be enabled", "they are on: policies cannot be enabled beside them")
	}
}

// endpoints tries each endpoint that the parts use, once.
func (e *examination) endpoints(ctx context.Context) {
	objects := func(kind entra.ObjectKind) func() error {
		return func() error { _, err := e.Reader.Objects(ctx, kind); return err }
	}
	type endpoint struct {
		name string
		part Part
		try  func() error
		// without says what a sweep leaves out that is refused this; empty where it
		// cannot do without.
		without string
	}
	for _, t := range []endpoint{
		{"risk detections", Read, func() error { return first(e.Reader.Detections(ctx, entra.DetectionQuery{Open: true})) }, ""},
		{"risky users", Read, func() error { return first(e.Reader.RiskyUsers(ctx, entra.RiskyUserQuery{Open: true})) }, ""},
		{"risky service principals", ServicePrincipals, func() error { return first(e.Reader.RiskyServicePrincipals(ctx)) }, ""},
		{"agents at risk (beta)", Agents, func() error { _, err := e.Reader.Agents(ctx); return err }, "agents at risk"},
		{"detections of agents (beta)", Agents, func() error { _, err := e.Reader.AgentDetections(ctx); return err }, "agents at risk"},
		{"policies that v1.0 hides (beta)", Agents, func() error { _, err := e.Reader.BetaPolicies(ctx); return err }, "the policies that v1.0 hides"},
		{"directory roles", Triage, func() error { _, err := e.Reader.Privileged(ctx); return err }, ""},
		{"Conditional Access policies", Baseline, objects(entra.KindPolicy), ""},
		{"named locations", Baseline, objects(entra.KindLocation), ""},
		{"authentication strengths", Baseline, objects(entra.KindStrength), ""},
		{"terms of use", TermsOfUse, objects(entra.KindAgreement), ""},
	} {
		if !e.uses(t.part) {
			continue
		}
		err := t.try()
		switch {
		case err != nil && t.without != "":
			e.add("reading "+t.name, Warn, "grant the app roles above, or set sweep.beta to false", "a sweep reports without %s, and all else works: %v", t.without, err)
			continue
		case err != nil:
			e.failed("reading "+t.name, err)
			continue
		}
		e.add("reading "+t.name, OK, "", "answered")
	}
}

// first reads one page.
func first[T any](pages iter.Seq2[entra.Page[T], error]) error {
	for _, err := range pages {
		return err
	}
	return nil
}

// failed reports a request that was refused or broke. A role that is there and
// still a refusal means a licence.
func (e *examination) failed(name string, err error) {
	switch {
	case errors.Is(err, entra.ErrUnlicensed) && e.tenant != nil && !e.tenant.PlanP2 && !e.tenant.PlansUnknown:
		e.add(name, Skip, "", "it needs Microsoft Entra ID P2: %v", err)
	case errors.Is(err, entra.ErrUnlicensed):
		e.denied(name, "assign Microsoft Entra ID P2 or Entra ID Governance licences", "%v", err)
	case errors.Is(err, entra.ErrForbidden):
		fix := "grant the app roles above"
		if !e.anyMissing() {
			fix = "the app role is there: the tenant lacks the licence, or the role was granted minutes ago and the token is older"
		}
		e.denied(name, fix, "refused: %v", err)
	case errors.Is(err, entra.ErrUnauthorized):
		e.denied(name, "check the tenant's credential and cloud", "the token is not accepted: %v", err)
	default:
		e.add(name, Fail, "try again; if it stays, see the request id in the message", "%v", err)
	}
}

// checked reports whether there is a finding of a name already.
func (e *examination) checked(name string) bool {
	return slices.ContainsFunc(e.checks, func(c Check) bool { return c.Name == name })
}

func (e *examination) anyMissing() bool {
	return slices.ContainsFunc(e.checks, func(c Check) bool { return c.Status == Fail && strings.HasPrefix(c.Name, "permission ") })
}

func (e *examination) clock() {
	server := e.Reader.ServerTime()
	if server.IsZero() {
		e.add("clock", Skip, "", "the service did not say its time")
		return
	}
	skew := e.Now().Sub(server).Round(time.Second)
	if skew.Abs() > maxSkew {
		e.add("clock", Fail, "set the clock: timedatectl set-ntp true", "this machine's clock is %s off that of the service; tokens will be refused", skew)
		return
	}
	e.add("clock", OK, "", "within %s of the service", max(skew.Abs(), time.Second))
}

// breakGlass looks the emergency accounts up, as a plan would.
func (e *examination) breakGlass(ctx context.Context) {
	if e.BreakGlass == nil {
		return
	}
	const name = "break-glass"
	var refs []entra.Ref
	for _, u := range e.BreakGlass.Users {
		refs = append(refs, entra.Ref{Kind: entra.KindUser, Name: u})
	}
	for _, g := range e.BreakGlass.Groups {
		refs = append(refs, entra.Ref{Kind: entra.KindGroup, Name: g})
	}
	const fix = "name at least two enabled accounts in breakGlass.users, or in a group of breakGlass.groups"
	if len(refs) == 0 {
		e.add(name, Warn, fix, "the baseline names none: its policies cannot be enabled")
		return
	}
	names, err := e.Reader.Resolve(ctx, refs)
	if err != nil {
		e.failed(name, err)
		return
	}
	enabled, trouble := map[entra.ID]bool{}, []string(nil)
	count := func(o entra.DirectoryObject) {
		if o.AccountEnabled != nil && *o.AccountEnabled {
			enabled[o.ID] = true
		} else {
			trouble = append(trouble, o.UserPrincipalName+" is not enabled")
		}
	}
	for _, ref := range refs {
		o, ok := names[ref].Resolved()
		if err := names[ref].Unread; err != nil {
			e.failed(name, err)
			return
		}
		switch {
		case !ok:
			trouble = append(trouble, fmt.Sprintf("%s %q is %d objects", ref.Kind, ref.Name, len(names[ref].Objects)))
		case ref.Kind == entra.KindUser:
			count(o)
		default:
			members, err := e.Reader.Members(ctx, string(o.ID))
			if err != nil {
				e.failed(name, err)
				return
			}
			for _, m := range members {
				count(m)
			}
		}
	}
	switch {
	case len(enabled) < 2:
		e.add(name, Fail, fix, "%d enabled accounts, two are needed%s", len(enabled), because(trouble))
	case len(trouble) > 0:
		e.add(name, Warn, "mend or remove the entry", "%d enabled accounts, but%s", len(enabled), because(trouble))
	default:
		e.add(name, OK, "", "%d enabled accounts", len(enabled))
	}
}

func because(trouble []string) string {
	if len(trouble) == 0 {
		return ""
	}
	return ": " + strings.Join(trouble, ", ")
}
