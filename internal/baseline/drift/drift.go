// Package drift compares a baseline with a tenant and plans what to write.
//
// It is pure: it never calls the service, keeps no state and knows no clock.
// What it cannot resolve or prove safe it blocks with the reason; it never
// drops a name, and it never plans a write to an object that is not recorded as
// its own.
package drift

import (
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/audit"
	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/exception"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

// Live is what one run read of the tenant. Every list is whole, or named in
// Unread: half a read is an error of the reader and never gets here.
type Live struct {
	Policies, Locations, Strengths []entra.Document
	// Names answers the baseline's Refs.
	Names entra.Names
	// ObjectNames names ids that live policies refer to, for texts; worth
	// reading where NeedsNames says so.
	ObjectNames map[string]entra.DirectoryObject
	// Unread are the kinds that are not ours to read. A plan blocks what needs
	// them; policies are always read.
	Unread []Unread
	// Members are the transitive members of the break-glass groups by group
	// id; a group that could not be read is absent.
	Members map[entra.ID][]entra.DirectoryObject
	Tenant  entra.Tenant
	// SyncAccounts are the holders of the roles of directory synchronisation;
	// SyncError says why they are not known. Worth reading where
	// NeedsSyncAccounts says so.
	SyncAccounts []entra.RoleHolder
	SyncError    string
	// Self is the service principal that the job runs as, or the person who is
	// signed in; only where NeedsSelf says so.
	Self entra.DirectoryObject
	// Deleted tells of recorded ids that the lists do not show and that were
	// looked for by id: true is among the deleted items, false nowhere. An id
	// that is not in it was not looked for, and nothing is concluded.
	Deleted map[string]bool
}

// Unread is a kind of object that could not be read, and why.
type Unread struct {
	Kind   entra.ObjectKind
	Reason string
}

// List are the objects of one kind.
func (l Live) List(kind entra.ObjectKind) []entra.Document {
	switch kind {
	case entra.KindLocation:
		return l.Locations
	case entra.KindStrength:
		return l.Strengths
	}
	return l.Policies
}

// ByID finds an object, nil if the tenant has none.
func (l Live) ByID(kind entra.ObjectKind, id string) entra.Document {
	for _, d := range l.List(kind) {
		if strings.EqualFold(d.ID(), id) {
			return d
		}
	}
	return nil
}

// Settings are the switches and records that a plan is judged by.
type Settings struct {
	AllowEnabledPolicies, AllowWeakening, Prune bool
	// Undo says that the baseline is what was before some run: what the run made is
	// deleted also where nothing else is wanted.
	Undo  bool
	Owned plan.OwnedObjects
	// Exceptions are who stays out of what; nil where there is no file of them
	// and never was one.
	Exceptions *exception.Bound
	// Evidence is what the sign-in log shows of policies that wait for their
	// promotion, by key; Promotions is how many may be promoted now.
	Evidence   map[string]*plan.Promotion
	Promotions int
}

// Status says how an object of the baseline, or of the tenant, stands.
type Status string

// How objects stand.
const (
	InSync    Status = "inSync"
	Create    Status = "create"
	Update    Status = "update"
	Renamed   Status = "renamed" // only the displayName differs, changed by hand
	Restore   Status = "restore" // to come back from the deleted items, by a person's order
	Prune     Status = "prune"   // recorded, but no longer in the baseline
	Gone      Status = "gone"    // recorded, neither in the baseline nor in the tenant
	Blocked   Status = "blocked"
	Unmanaged Status = "unmanaged" // in the tenant and not ours
)

// Entry is one object of the baseline or of the tenant.
type Entry struct {
	Key         string           `json:"key,omitempty"`
	Kind        entra.ObjectKind `json:"kind"`
	ID          string           `json:"id,omitempty"`
	DisplayName string           `json:"displayName"`
	State       string           `json:"state,omitempty"` // of a policy: wanted, else live
	Status      Status           `json:"status"`
	// Summary says in a sentence what the object of the baseline does.
	Summary string `json:"summary,omitempty"`
	// Adopt is the id of the one live object that has the name of an object
	// that is not recorded; the differences are then what would change if it
	// were adopted.
	Adopt       string              `json:"adopt,omitempty"`
	Differences []policy.Difference `json:"differences,omitempty"`
	// Reasons are what is to be said of it: why it is blocked or not enabled,
	// what was noticed.
	Reasons []string `json:"reasons,omitempty"`
	// ChangedBy says who made it differ; nil where nobody but ourselves has
	// changed it.
	ChangedBy *audit.ChangedBy `json:"changedBy,omitempty"`
	// Promotion says how far a policy is on its way to being enabled.
	Promotion *plan.Promotion `json:"promotion,omitempty"`
}

// Drift reports whether the tenant is not what the baseline says.
func (e Entry) Drift() bool {
	return e.Status != InSync && e.Status != Unmanaged && e.Status != Gone
}

// Result is what a comparison comes to.
type Result struct {
	// Actions in the order in which they must be carried out, each Ready, or
	// NotEnabled or Blocked with the reason.
	Actions []plan.Action
	Entries []Entry
	// Waiting are the policies whose promotion hangs on the sign-in log.
	Waiting []Waiting
	// Problems keep a part of the baseline from being judged or applied; a
	// run with one is partial.
	Problems []string
	// Warnings are worth a person's eye and stop nothing: policies not ours
	// that do not exclude break-glass, disabled break-glass accounts.
	Warnings []string
	// BreakGlass says of each break-glass user id why it is one.
	BreakGlass map[entra.ID]string
	// Exceptions say of each exclusion by an exception how it stands.
	Exceptions []plan.Exempt
	// Excluded are the exclusions by exceptions that the tenant has, to be
	// remembered.
	Excluded []plan.Exclusion
	// Next says of a way back what the next apply of the baseline makes of it.
	Next []string
	// Unexplained are members of excluded groups whom no exception explains;
	// empty where there is no file of exceptions.
	Unexplained []plan.Unexplained
}

// NeedsNames reports whether the result puts differences of live objects into
// words, so that naming what those refer to is worth a request.
func (r Result) NeedsNames() bool {
	return slices.ContainsFunc(r.Entries, func(e Entry) bool { return (e.ID != "" || e.Adopt != "") && len(e.Differences) > 0 })
}

// NeedsSelf reports whether a plan must know the identity that the job runs as:
// a policy of the baseline or of the tenant is for workload identities.
func NeedsSelf(b *baseline.Baseline, policies []entra.Document) bool {
	return slices.ContainsFunc(b.Policies, func(it baseline.Item) bool { return policy.Has(it.Want, policy.PathWorkloads) }) ||
		slices.ContainsFunc(policies, func(d entra.Document) bool {
			return policy.Has(d, policy.PathWorkloads) && policy.Has(policy.CanonicalOf(entra.KindPolicy, d), policy.PathWorkloads)
		})
}

// ExcludedGroups are the groups that policies which are recorded as ours
// exclude.
func ExcludedGroups(owned plan.OwnedObjects, policies []entra.Document) []entra.ID {
	ours := map[entra.ID]bool{}
	for _, o := range owned[entra.KindPolicy] {
		ours[o.ID] = true
	}
	var out []entra.ID
	for _, d := range policies {
		if !ours[entra.NewID(d.ID())] {
			continue
		}
		for _, id := range policy.Strings(policy.CanonicalOf(entra.KindPolicy, d), policy.PathUsers+".excludeGroups") {
			if g := entra.NewID(id); !slices.Contains(out, g) {
				out = append(out, g)
			}
		}
	}
	return out
}

// NewNamer knows the names of all that was read.
func NewNamer(l Live) policy.Names {
	n := policy.Names{}
	for _, o := range l.ObjectNames {
		n.Add(o)
	}
	for _, r := range l.Names {
		if o, ok := r.Resolved(); ok {
			n.Add(o)
		}
	}
	if l.Self.ID != "" {
		n.Add(l.Self)
	}
	for _, kind := range policy.Kinds {
		for _, d := range l.List(kind) {
			n[policy.FoldID(d.ID())] = d.DisplayName()
		}
	}
	return n
}
