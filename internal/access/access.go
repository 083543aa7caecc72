// Package access says what a set of Conditional Access policies means for a
// sign-in: whether it is blocked, what it must meet, and for every policy
// whether it applies or the first thing that is not met. It is pure and it is
// the only evaluator of the product: What If, expectations, effects, coverage
// and the replay of logged sign-ins all ask it.
//
// The meaning follows Microsoft's description of Conditional Access and of its
// What If tool: a policy applies when every assignment and every configured
// condition is met; an exclusion beats an inclusion; each enabled policy that
// applies adds its controls; report-only policies are judged beside and never
// counted.
//
// Truth has three values. A fact that is not known makes a condition unknown,
// unless every value of the fact gives the same answer.
package access

import (
	"net/netip"

	"github.com/risksweep/risksweep/internal/entra"
)

// Truth is an answer that may depend on facts that are not known.
type Truth int8

// The three values, in their order: And is the smaller of two, Or the larger.
const (
	No Truth = iota
	Unknown
	Yes
)

// And is Yes if both are, No if one is.
func (t Truth) And(u Truth) Truth { return min(t, u) }

// Or is Yes if one is, No if both are.
func (t Truth) Or(u Truth) Truth { return max(t, u) }

// Not turns Yes into No and leaves Unknown.
func (t Truth) Not() Truth { return Yes - t }

func (t Truth) String() string { return [...]string{"no", "unknown", "yes"}[t] }

func truth(b bool) Truth {
	if b {
		return Yes
	}
	return No
}

// SignIn is who signs in to what under which conditions. An empty member is a
// fact that is not known. Values are Graph's words; their case does not matter.
type SignIn struct {
	User             *User             // either a user
	ServicePrincipal *ServicePrincipal // or a workload identity

	Target Target

	Platform string     // android, iOS, windows, windowsPhone, macOS, linux
	Client   string     // browser, mobileAppsAndDesktopClients, exchangeActiveSync, easSupported, other
	IP       netip.Addr // invalid: not known
	Country  string     // ISO 3166-1 alpha-2, or UnknownCountry
	// AsGiven takes a condition of which a part is given as wholly given, as
	// the service's What If does: of an address and a country the one that is
	// not given is in no location, and a device has no further property.
	AsGiven   bool
	Compliant *bool // through the compliant network of Global Secure Access
	Device    *Device

	SignInRisk           string // none, low, medium, high
	UserRisk             string // none, low, medium, high
	ServicePrincipalRisk string // none, low, medium, high
	InsiderRisk          string // none, minor, moderate, elevated
	Flow                 string // none, deviceCodeFlow, authenticationTransfer
}

// UnknownCountry is the country of an address of which the service knows none.
const UnknownCountry = "??"

// User is who signs in. Groups are the groups that the user is in, also through
// others; Roles the template ids of the directory roles that are active.
type User struct {
	ID            entra.ID
	Groups        []entra.ID
	GroupsUnknown bool // Groups is not complete
	Roles         []entra.ID
	RolesUnknown  bool // Roles is not complete

	// Guest is the kind of guest or external user, in the words of
	// guestOrExternalUserTypes; empty for a member of the tenant.
	Guest        string
	GuestUnknown bool     // a guest or external user, of which kind is not known
	HomeTenant   entra.ID // of an external user, empty if it is not known
}

// ServicePrincipal is a workload identity that signs in.
type ServicePrincipal struct {
	ID         entra.ID
	OwnTenant  Truth      // belongs to this tenant, as a single-tenant application does
	Attributes Attributes // custom security attributes
}

// Target is what the sign-in asks for: exactly one of the three.
type Target struct {
	App     *App
	Action  string // urn:user:registersecurityinfo, urn:user:registerdevice
	Context string // c1 to c99
}

// App is an application. The zero value stands for any application that no
// policy names.
type App struct {
	ID         entra.ID // the application (client) id
	Name       string   // the display name of its service principal, empty if it is not known
	Microsoft  Truth    // belongs to Microsoft's own tenant
	Attributes Attributes
}

// Attributes are custom security attributes, "Set_Name" to values. Nil: not
// known.
type Attributes map[string][]string

// Device is the device that the sign-in comes from.
type Device struct {
	// Unregistered devices have no property: every one of them is null.
	Unregistered bool
	// Properties are those that are known, by their names in device filters.
	Properties map[string][]string
}
