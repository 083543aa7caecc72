// Package baseline reads the wanted Conditional Access policies, named
// locations and authentication strengths from YAML or JSON and checks them
// offline. What a tenant makes of them is its neighbours': drift compares and
// plans, adopt takes live objects into ownership and writes them as files.
//
// It is pure but for Load, which reads the files it is given.
package baseline

import (
	"maps"
	"slices"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// The numbers that a tenant cannot go beyond.
const (
	MaxPolicies        = 240  // per tenant, in every state
	MaxLocations       = 195  // per tenant
	MaxRanges          = 2000 // per named location
	MaxStrengths       = 15   // custom ones, per tenant
	MaxApplications    = 250  // named in one policy
	MaxBreakGlassGroup = 10   // members of a break-glass group
	MinBreakGlass      = 2    // enabled break-glass accounts, to enable anything
)

// Baseline is what the files say, checked and in canonical form, names not
// yet resolved.
type Baseline struct {
	BreakGlass BreakGlass
	Locations  []Item
	Strengths  []Item
	Policies   []Item
}

// BreakGlass names the accounts that no policy may lock out.
type BreakGlass struct {
	Users  []string // UPNs or object ids
	Groups []string // names or object ids
	// TestEvery is how long an account may go without a sign-in; 0: nobody asks.
	TestEvery time.Duration
}

// Item is one policy, named location or authentication strength as wanted.
type Item struct {
	Kind entra.ObjectKind
	// Key is the stable identity within the baseline, the displayName by
	// default.
	Key string
	// Want is the canonical form as written: references may still be names.
	Want policy.Canonical
	// AcceptLockout is the operator's word that a policy may block everyone.
	AcceptLockout bool
	// NoExceptions says that the policy takes no exceptions.
	NoExceptions bool
	// Unmanaged are the paths whose values are left to the tenant.
	Unmanaged []string
	// Promote says on what evidence the policy is enabled; nil: at once.
	Promote *Promote
	// AllowUnknown are the paths that pass although the schema lacks them.
	AllowUnknown []string

	// ID is the id of the live object that stands for the key, as the file says it
	// beside the key; empty where the record in the store alone knows.
	ID string

	// OldID is the id that a pasted object has where it comes from: what refers
	// to it by that id means this object.
	OldID string

	node *yamldoc.Node
}

// DisplayName is the name of the object in the tenant.
func (it Item) DisplayName() string { return it.Want.DisplayName() }

// Ref is how changes name each other: kind:key.
func (it Item) Ref() string { return string(it.Kind) + ":" + it.Key }

// Items are all items in the order in which they are made: locations,
// strengths, policies.
func (b *Baseline) Items() []Item {
	return slices.Concat(b.Locations, b.Strengths, b.Policies)
}

// Add enters an item among those of its kind.
func (b *Baseline) Add(it Item) {
	switch it.Kind {
	case entra.KindLocation:
		b.Locations = append(b.Locations, it)
	case entra.KindStrength:
		b.Strengths = append(b.Strengths, it)
	default:
		b.Policies = append(b.Policies, it)
	}
}

// Empty reports whether nothing at all is wanted.
func (b *Baseline) Empty() bool { return len(b.Locations)+len(b.Strengths)+len(b.Policies) == 0 }

// OfKind are the items of one kind.
func (b *Baseline) OfKind(kind entra.ObjectKind) []Item {
	switch kind {
	case entra.KindLocation:
		return b.Locations
	case entra.KindStrength:
		return b.Strengths
	}
	return b.Policies
}

// Refs are the names that the directory has to resolve, each once, sorted.
// Break-glass accounts are among them also when given by id, for it must be
// known that they exist and are enabled; roles, terms of use and authentication
// contexts, because they are found in short lists either way. Locations and
// strengths are not: they are found in the baseline and in the tenant's lists.
func (b *Baseline) Refs() []entra.Ref {
	seen := map[entra.Ref]bool{}
	for _, r := range b.BreakGlassRefs() {
		seen[r] = true
	}
	b.policyRefs(seen, func(kind entra.ObjectKind, name string) bool {
		return policy.IsDirectory(kind) && !verified(kind, name)
	})
	return slices.SortedFunc(maps.Keys(seen), entra.Ref.Compare)
}

// IDs are the ids that policies name and of which only must be known that they
// exist and are of the right kind, each once, sorted.
func (b *Baseline) IDs() []entra.Ref {
	seen := map[entra.Ref]bool{}
	b.policyRefs(seen, func(kind entra.ObjectKind, name string) bool { return policy.IsDirectory(kind) && verified(kind, name) })
	return slices.SortedFunc(maps.Keys(seen), entra.Ref.Compare)
}

// BreakGlassRefs are the names of the break-glass accounts and groups.
func (b *Baseline) BreakGlassRefs() []entra.Ref {
	var refs []entra.Ref
	for _, u := range b.BreakGlass.Users {
		refs = append(refs, entra.Ref{Kind: entra.KindUser, Name: u})
	}
	return append(refs, b.DirectoryNeeds()...)
}

// NamesTermsOfUse reports whether a policy asks for terms of use, which need an
// app role of their own to be looked up.
func (b *Baseline) NamesTermsOfUse() bool {
	return slices.ContainsFunc(b.Policies, func(it Item) bool { return len(policy.Strings(it.Want, "grantControls.termsOfUse")) > 0 })
}

// policyRefs collects the refs in policies that are wanted.
func (b *Baseline) policyRefs(seen map[entra.Ref]bool, wanted func(entra.ObjectKind, string) bool) {
	for _, it := range b.Policies {
		policy.EachRef(policy.SchemaOf(it.Kind), it.Want, func(m *policy.Member, name string) {
			if !slices.Contains(m.Words, name) && wanted(m.Ref, name) {
				seen[entra.Ref{Kind: m.Ref, Name: name}] = true
			}
		})
	}
}

// verified reports whether a ref is an id that is looked up as such.
func verified(kind entra.ObjectKind, name string) bool {
	switch kind {
	case entra.KindUser, entra.KindGroup, entra.KindServicePrincipal, entra.KindApplication:
		return entra.IsID(name)
	}
	return false
}

// DirectoryNeeds are the groups whose transitive members a plan must know: the
// break-glass groups.
func (b *Baseline) DirectoryNeeds() []entra.Ref {
	var refs []entra.Ref
	for _, g := range b.BreakGlass.Groups {
		refs = append(refs, entra.Ref{Kind: entra.KindGroup, Name: g})
	}
	return refs
}
