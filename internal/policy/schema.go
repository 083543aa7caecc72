package policy

import (
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
)

// Shape is how the value of a member is written.
type Shape int

// The shapes of value.
const (
	Text   Shape = iota // Edm.String
	Bool                // Edm.Boolean
	Whole               // Edm.Int32
	Enum                // one member of an enumeration
	Flags               // members of an enumeration, joined by commas
	Object              // a complex type
	Opaque              // anything; kept as it is
)

// Member is one property of the documents that a baseline holds: what may be
// written there, what the service makes of it, and what it means when it is
// absent. One table of them serves validation, canonical form and JSON Schema.
type Member struct {
	Name  string
	Shape Shape
	// List says that the value is a collection. Order never matters and
	// repetition has no meaning in any of them.
	List bool
	// Values are the members of the enumeration, in its order.
	Values []string
	// Words are the special words that stand beside ids, such as All.
	Words []string
	// BetaWords are the special words that the beta version alone takes.
	BetaWords []string
	// Ref is the kind of object whose id stands here; a baseline may give its
	// name instead.
	Ref entra.ObjectKind
	// Nullable says that null may be sent to clear the member.
	Nullable bool
	Required bool
	// ReadOnly members are the service's own and never compared or sent.
	ReadOnly bool
	// Beta members exist in the beta version only: exports show them as null,
	// and v1.0 refuses them as unknown (1007).
	Beta bool
	// Default is what an absent value stands for: a string, a bool or a
	// []string. Nil means that absence is a value of its own.
	Default any
	// Upper and Lower fold the case of free text.
	Upper, Lower bool
	// Types are the concrete types of an abstract one, by @odata.type.
	Types []Concrete
	// Members are those of an object.
	Members []Member
	Doc     string

	refers bool // an object may be named in the value, or below it
}

// complete is a schema of which each member knows whether an object may be named
// below it.
func complete(m Member) Member {
	m.refers = m.Ref != ""
	for i := range m.Members {
		m.Members[i] = complete(m.Members[i])
		m.refers = m.refers || m.Members[i].refers
	}
	return m
}

// Concrete is one type that an abstract value can have. Its members are told
// apart by the first one.
type Concrete struct {
	Type    string // #microsoft.graph.ipNamedLocation
	Members []Member
}

// Lookup finds a member of an object by name.
func (m *Member) Lookup(name string) *Member {
	for i := range m.Members {
		if m.Members[i].Name == name {
			return &m.Members[i]
		}
	}
	return nil
}

// At follows a path of member names separated by dots.
func (m *Member) At(path string) *Member {
	for name := range strings.SplitSeq(path, ".") {
		if m = m.Lookup(name); m == nil {
			return nil
		}
	}
	return m
}

// SchemaOf describes the documents of a kind as Graph v1.0 has them
// (conditionalAccessPolicy, namedLocation, authenticationStrengthPolicy); nil
// for a kind that a baseline does not hold. It must not be changed.
func SchemaOf(kind entra.ObjectKind) *Member {
	switch kind {
	case entra.KindPolicy:
		return &policySchema
	case entra.KindLocation:
		return &locationSchema
	case entra.KindStrength:
		return &strengthSchema
	}
	return nil
}

// Special words and ids of the service.
const (
	WordAll        = "All"
	WordNone       = "None"
	WordAllTrusted = "AllTrusted"
	WordGuests     = "GuestsOrExternalUsers"
	WordOwnTenant  = "ServicePrincipalsInMyTenant"
	// LegacyTrustedIPs is the location that stands for the MFA trusted IPs.
	LegacyTrustedIPs = "00000000-0000-0000-0000-000000000000"
	// CompliantNetwork is the location that stands for the tenant's networks of
	// Global Secure Access. Every tenant has it: v1.0 takes its id in a policy,
	// but has no type for the location itself.
	CompliantNetwork     = "3d46dbda-8382-466a-856d-eb00cbc6b910"
	CompliantNetworkName = "All Compliant Network locations"
	// DirectorySyncRole is the role template of the accounts that synchronise
	// a directory.
	DirectorySyncRole = "d29b2b05-8046-44ba-8758-1e26182fcf32"
	// OnPremisesSyncRole is the newer role template of the same accounts.
	OnPremisesSyncRole = "a92aed5d-d78a-4d16-b381-09adb37eb3b0"
)

// IsFixedLocation reports whether an id is that of a location that no list
// shows: every tenant has it.
func IsFixedLocation(id string) bool { return id == LegacyTrustedIPs || id == CompliantNetwork }

// The types of named location.
const (
	TypeIPLocation      = "#microsoft.graph.ipNamedLocation"
	TypeCountryLocation = "#microsoft.graph.countryNamedLocation"
	// TypeCompliantNetwork exists in the beta version only.
	TypeCompliantNetwork = "#microsoft.graph.compliantNetworkNamedLocation"
	typeIPv4             = "#microsoft.graph.iPv4CidrRange"
	typeIPv6             = "#microsoft.graph.iPv6CidrRange"
	typeIPv4Range        = "#microsoft.graph.iPv4Range"
	typeIPv6Range        = "#microsoft.graph.iPv6Range"
	typeAllTenants       = "#microsoft.graph.conditionalAccessAllExternalTenants"
	typeSomeTenants      = "#microsoft.graph.conditionalAccessEnumeratedExternalTenants"
)

// The states of a policy.
const (
	StateEnabled    = "enabled"
	StateDisabled   = "disabled"
	StateReportOnly = "enabledForReportingButNotEnforced"
)

func readOnly(names ...string) []Member {
	ms := make([]Member, len(names))
	for i, n := range names {
		ms[i] = Member{Name: n, Shape: Opaque, ReadOnly: true, Doc: "read-only: accepted from an export and left out"}
	}
	return ms
}

func beta(names ...string) []Member {
	ms := make([]Member, len(names))
	for i, n := range names {
		ms[i] = Member{Name: n, Shape: Opaque, Beta: true, Doc: "beta only: accepted when null, empty or not enabled"}
	}
	return ms
}

func members(groups ...[]Member) []Member {
	var all []Member
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

func list(name string, ref entra.ObjectKind, doc string, words ...string) Member {
	return Member{Name: name, Shape: Text, List: true, Ref: ref, Words: words, Doc: doc}
}

func (m Member) betaWords(words ...string) Member {
	m.BetaWords = words
	return m
}

// Kinds are the kinds of object of a baseline, in the order in which they are
// made.
var Kinds = [...]entra.ObjectKind{entra.KindLocation, entra.KindStrength, entra.KindPolicy}
