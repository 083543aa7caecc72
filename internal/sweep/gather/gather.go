// Package gather reads a tenant. Whatever the path (a sweep, an order, a
// destroy, an explanation, a comparison), it begins with what recovery returned
// and ends in a Snapshot, a value that decisions are made of and that nobody
// changes any more. Half a read is an error.
package gather

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/exception"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep/evidence"
	"github.com/risksweep/risksweep/internal/sweep/notes"
	"github.com/risksweep/risksweep/internal/sweep/recovery"
	"github.com/risksweep/risksweep/internal/triage"
	"github.com/risksweep/risksweep/internal/whatif"
)

// Reader is the tenant as a run reads it. Sequences end in an error or cleanly;
// a clean end means that everything was read.
type Reader interface {
	apply.Reader
	// ServicePrincipals reads what the directory says of workload identities; one
	// that does not exist is left out.
	ServicePrincipals(context.Context, []entra.ID) (map[entra.ID]entra.ServicePrincipal, error)
	// Agents, AgentDetections and BetaPolicies read from the beta version.
	Agents(context.Context) ([]entra.RiskyAgent, error)
	AgentDetections(context.Context) ([]entra.AgentDetection, error)
	BetaPolicies(context.Context) ([]entra.PolicyName, error)
	Resolve(context.Context, []entra.Ref) (entra.Names, error)
	Identify(context.Context, []entra.Ref) (entra.Names, error)
	Members(ctx context.Context, groupID string) ([]entra.DirectoryObject, error)
	Privileged(context.Context) (*entra.Privileged, error)
	RoleHolders(ctx context.Context, roles []entra.ID) ([]entra.RoleHolder, error)
	Tenant(context.Context) (entra.Tenant, error)
	ObjectNames(ctx context.Context, ids []string) (map[string]entra.DirectoryObject, error)
	Self(context.Context) (entra.DirectoryObject, error)
	// SignedIn is whom the token stands for, as it says itself; nothing is sent
	// for it.
	SignedIn(context.Context) (*entra.SignedIn, error)
	// DecodeDetections reads a page that was kept back.
	DecodeDetections(page []byte) (entra.Page[entra.Detection], error)
	Deleted(ctx context.Context, kind entra.ObjectKind, id string) (bool, error)
	DeletedObjects(ctx context.Context, kind entra.ObjectKind) ([]entra.Document, error)
	Stats() entra.RequestStats
	// ServerTime is the service's time of its last answer, zero before the
	// first.
	ServerTime() time.Time
}

// Rows takes the detections while they are read, and numbers of what was read.
type Rows interface {
	Detection(*entra.Detection) error
	// PrincipalDetection takes one of a service principal.
	PrincipalDetection(*entra.Detection) error
	Count(name string, n int)
}

// Source is where a snapshot comes from.
type Source struct {
	Reader   Reader
	Triage   *triage.Policy
	Baseline *baseline.Baseline
	// Exceptions are nil where there is no file of them.
	Exceptions *exception.List
	TenantID   string
	// Lookback, Overlap and FullEvery say how far back is read; a sweep reads
	// ServicePrincipals if "true", or "auto" and the tenant is licensed.
	Lookback, Overlap, FullEvery time.Duration
	ServicePrincipals            string
	// Beta reads agents and hidden policies.
	Beta bool
	// Coverage says whom to judge by the live policies, and AccessReader reads
	// what that takes.
	Coverage     string
	AccessReader AccessReader
	Writes       bool // the run may write to the tenant
	Now          func() time.Time
	Log          *slog.Logger
	Notes        *notes.Notes
	Rows         Rows
	// Checkpoint is the name under which Store keeps what was read so far; empty
	// keeps nothing.
	Store      blobstore.Store
	Checkpoint string
}

// Known is what is known when a user is decided about.
type Known struct {
	Start
	recovery.Recovered
	Rules      *triage.Rules // nil: no rule decides
	BreakGlass map[entra.ID]string
	// BreakGlassNames are their user principal names, as far as they are known.
	BreakGlassNames map[entra.ID]string
	// BreakGlassUnknown says why somebody may be missing among them.
	BreakGlassUnknown string
	// Roles are who holds a directory role, and how, where an order must not reach
	// them; RolesUnknown says why that is not known.
	Roles        map[entra.ID][]string
	RolesUnknown string
	// PrincipalRoles are the same of service principals.
	PrincipalRoles map[entra.ID][]string
	// Exceptions say who stays out of which policy; nil where that is asked by
	// nobody and recorded of nobody.
	Exceptions *exception.Bound
	Open       Open
	Access     *Access // nil: nobody is judged by the policies
	// PrincipalsIncomplete says why the detections of service principals are not
	// complete, OwnersUnknown why it is not known whose applications they are.
	PrincipalsIncomplete, OwnersUnknown string

	directory directory
}

// Open are the open detections that were read.
type Open interface {
	// Of gives those of a user.
	Of(userID entra.ID) []triage.Detection
	// Ownerless says why no user's evidence is complete, or nothing.
	Ownerless() string
}

// Snapshot is a tenant as one run has read it.
type Snapshot struct {
	Known
	AtRisk plan.Counted
	// PrincipalsAtRisk counts the service principals that are atRisk.
	PrincipalsAtRisk plan.Counted
	// Full and Since say which detections were asked for, PartsRead what was
	// read to its end (as in report.Parts), Complete that everything was.
	Full              bool
	Since             time.Time
	PartsRead         []string
	Complete          bool
	ServicePrincipals []ServicePrincipal
	// Beta is what was read from the beta version; nil if that was not asked for.
	Beta *Beta
	// Changed are the users with an action whose risk changed while it was read.
	Changed []entra.ID
	Live    drift.Live

	liveRead   bool // Live was read already
	checkpoint *checkpoint
}

// Groups are the members of the groups that triage names, for the next run.
func (s Snapshot) Groups() map[entra.ID][]entra.ID { return s.directory.groups }

// Objects are the tenant's policies and what they refer to, as judging sign-ins takes
// them.
func (s Snapshot) Objects() whatif.Objects {
	return whatif.Objects{Policies: s.Live.Policies, Locations: s.Live.Locations, Strengths: s.Live.Strengths}
}

// PolicyKeys are the keys of the baseline by the ids of the policies that stand for
// them.
func (s Snapshot) PolicyKeys() map[entra.ID]string {
	keys := map[entra.ID]string{}
	for key, o := range s.State.Owned[entra.KindPolicy] {
		keys[o.ID] = key
	}
	return keys
}

// BreakGlassIDs are the break-glass accounts that are known.
func (s Snapshot) BreakGlassIDs() map[entra.ID]bool {
	ids := map[entra.ID]bool{}
	for id := range s.BreakGlass {
		ids[id] = true
	}
	return ids
}

// Judge is told of each risky user once and says whether an action came of it.
type Judge func(Known, *entra.RiskyUser) (acts bool, err error)

// JudgePrincipal is told of each risky service principal once.
type JudgePrincipal func(Known, *ServicePrincipal) error

// reading is a snapshot while it is read.
type reading struct {
	Source
	Snapshot
	ordered    bool            // a person names the users
	anybody    bool            // who may also be at no risk
	index      *evidence.Index // of the open detections
	readStart  time.Time       // as ServiceStart, of what this turn has read
	detections int             // rows
}

func (s Source) begin(start Start, rec recovery.Recovered) *reading {
	r := &reading{Source: s, index: evidence.NewIndex()}
	r.Start, r.Recovered, r.Open = start, rec, r.index
	r.directory = newDirectory()
	return r
}

// Sweep reads all that a sweep needs; each risky user goes to judge the moment
// it is read, for they may be more than memory holds. The risky service principals
// go to principal before. With an error, the snapshot is what was read until then.
func (s Source) Sweep(ctx context.Context, start Start, rec recovery.Recovered, judge Judge, principal JudgePrincipal) (Snapshot, error) {
	r := s.begin(start, rec)
	err := r.sweep(ctx, judge, principal)
	return r.Snapshot, err
}

func (r *reading) sweep(ctx context.Context, judge Judge, principal JudgePrincipal) error {
	if r.Tenant.PlansUnknown {
		r.Notes.Warn("the tenant's licences could not be read")
	}
	r.coverage()
	if err := r.Notes.Timed("detections", func() error { return r.readDetections(ctx) }); err != nil {
		return fmt.Errorf("reading risk detections: %w", err)
	}
	r.PartsRead = append(r.PartsRead, report.PartDetections)
	if why := r.index.Ownerless(); why != "" {
		why += "; nobody is dismissed or confirmed compromised by a rule"
		r.Notes.Warn(why)
		r.Notes.Fail(fmt.Errorf("%s: %w", why, entra.ErrMalformed))
	}
	if err := r.Notes.Timed("servicePrincipals", func() error { return r.readServicePrincipals(ctx) }); err != nil {
		return fmt.Errorf("reading risky service principals: %w", err)
	}
	r.index.Done()
	if err := r.readBeta(ctx); err != nil {
		return fmt.Errorf("reading from the beta version: %w", err)
	}
	if err := r.Notes.Timed("directory", func() error { return r.readDirectory(ctx) }); err != nil {
		return fmt.Errorf("resolving names: %w", err)
	}
	if err := r.judgePrincipals(ctx, principal); err != nil {
		return fmt.Errorf("deciding on risky service principals: %w", err)
	}
	if err := r.readAccess(ctx); err != nil {
		return fmt.Errorf("reading whom the policies reach: %w", err)
	}
	if err := r.Notes.Timed("users", func() error { return r.readUsers(ctx, judge) }); err != nil {
		return fmt.Errorf("reading risky users: %w", err)
	}
	return nil
}

// Order reads the users that an order names, how many are at risk, and their
// open detections, and with roles also who holds a directory role. A name that
// stands for no risky user, or for several, is an error; where the order is about
// accounts, anybody may be named.
func (s Source) Order(ctx context.Context, start Start, rec recovery.Recovered, kind plan.Kind, names []string, roles bool, judge Judge) (Snapshot, error) {
	r := s.begin(start, rec)
	r.anybody = kind.OnAccount()
	err := r.Notes.Timed("order", func() error { return r.order(ctx, names, roles, judge) })
	return r.Snapshot, err
}

func (r *reading) order(ctx context.Context, names []string, roles bool, judge Judge) error {
	users, err := r.named(ctx, names)
	if err != nil {
		return err
	}
	if roles {
		if err := r.readRoles(ctx); err != nil {
			return err
		}
	}
	if r.AtRisk, err = r.countAtRisk(ctx); err != nil {
		return fmt.Errorf("counting the users at risk, of whom the limits allow a share: %w", err)
	}
	if err := r.readDetectionsOf(ctx, users); err != nil {
		return fmt.Errorf("reading risk detections: %w", err)
	}
	for i := range users {
		if _, err := judge(r.Known, &users[i]); err != nil {
			return err
		}
	}
	return nil
}

// One reads one user.
func (s Source) One(ctx context.Context, start Start, rec recovery.Recovered, name string) (Known, *entra.RiskyUser, error) {
	r := s.begin(start, rec)
	users, err := r.named(ctx, []string{name})
	if err != nil {
		return r.Known, nil, err
	}
	if err := r.readDetectionsOf(ctx, users); err != nil {
		return r.Known, nil, fmt.Errorf("reading risk detections: %w", err)
	}
	return r.Known, &users[0], nil
}

// named resolves all names and reads the users that somebody names.
func (r *reading) named(ctx context.Context, names []string) ([]entra.RiskyUser, error) {
	r.ordered = true
	if err := r.readDirectory(ctx); err != nil {
		return nil, fmt.Errorf("resolving names: %w", err)
	}
	return r.orderedUsers(ctx, names)
}

// Whole is a snapshot for which everything was read, these parts among it.
func (s Snapshot) Whole(parts ...string) Snapshot {
	s.PartsRead, s.Complete = append(slices.Clone(s.PartsRead), parts...), true
	return s
}

// Policies adds what the baseline is compared with.
func (s Source) Policies(ctx context.Context, snap Snapshot) (Snapshot, error) {
	r := &reading{Source: s, Snapshot: snap}
	err := r.readPolicies(ctx)
	return r.Snapshot, err
}

// Owned reads what a destroy needs: the live side of what is owned.
func (s Source) Owned(ctx context.Context, start Start, rec recovery.Recovered) (Snapshot, error) {
	r := s.begin(start, rec)
	err := r.readLive(ctx)
	if err == nil && len(r.Live.Unread) > 0 {
		err = fmt.Errorf("listing %s: %w: %s", r.Live.Unread[0].Kind, entra.ErrForbidden, r.Live.Unread[0].Reason)
	}
	return r.Snapshot, err
}

// Compared reads what a comparison with the baseline needs, and nothing of risk.
// Without a baseline it reads what an export writes.
func (s Source) Compared(ctx context.Context, start Start, rec recovery.Recovered) (Snapshot, error) {
	r := s.begin(start, rec)
	if s.Baseline == nil {
		err := r.readToExport(ctx)
		return r.Snapshot, err
	}
	var err error
	refs := r.Baseline.Refs()
	if r.directory.names, err = r.lookUp(ctx, append(refs, r.newRefs(refs)...), r.Baseline.IDs()); err != nil {
		return r.Snapshot, fmt.Errorf("resolving names: %w", err)
	}
	if err = r.readBreakGlass(ctx); err == nil {
		err = r.bindExceptions(ctx, nil, "")
	}
	if err == nil {
		err = r.readPolicies(ctx)
	}
	return r.Snapshot, err
}

// Start is what the first call to the service says.
type Start struct {
	Tenant       entra.Tenant
	ServiceStart time.Time     // the service's time at the start of the read
	Ahead        time.Duration // how far the service's clock is ahead of ours
	// Identity is who is signed in; nil where the token does not tell.
	Identity *entra.SignedIn
	now      func() time.Time
}

// OwnAccount is the user that the run works as; empty if it works as an
// application, or the token does not tell.
func (s Start) OwnAccount() entra.ID {
	if s.Identity == nil || s.Identity.Kind != entra.SignedInUser {
		return ""
	}
	return entra.NewID(s.Identity.ID)
}

// ServiceNow is the service's time, by which ages are told.
func (s Start) ServiceNow() time.Time { return s.now().Add(s.Ahead) }

// NoTriage says why no rule may decide in this tenant, or nothing.
func (s Start) NoTriage() string {
	if !s.Tenant.PlansUnknown && !s.Tenant.PlanP2 {
		return "the tenant has no Entra ID P2 licence: levels and users at risk are hidden"
	}
	return ""
}

// Begin reads the tenant's own properties. It is the first call to the service,
// so its time is that of the start of the read.
func (s Source) Begin(ctx context.Context) (out Start, err error) {
	if out.Tenant, err = s.Reader.Tenant(ctx); err != nil {
		return out, err
	}
	if out.Identity, err = s.Reader.SignedIn(ctx); err != nil {
		out.Identity = nil // where it is needed, it is said that it is not known
	}
	out.now, out.ServiceStart = s.Now, s.Reader.ServerTime().UTC()
	if out.ServiceStart.IsZero() {
		out.ServiceStart = s.Now().UTC()
	}
	out.Ahead = out.ServiceStart.Sub(s.Now())
	if err := s.compareClocks(out.ServiceStart); err != nil {
		return out, err
	}
	if s.TenantID != "" && out.Tenant.ID != "" && entra.NewID(out.Tenant.ID) != entra.NewID(s.TenantID) && entra.IsID(s.TenantID) {
		return out, fmt.Errorf("the sign-in leads to tenant %s, but the configuration names %s", out.Tenant.ID, s.TenantID)
	}
	return out, nil
}
