package impact

import (
	"net/netip"
	"strings"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
)

// beforePolicies are the errors that end a sign-in before any policy is asked: no
// such user, a locked or disabled account, a wrong, expired or missing password.
var beforePolicies = map[int]bool{50034: true, 50053: true, 50055: true, 50056: true, 50057: true, 50059: true, 50064: true, 50126: true, 50128: true}

// clients are the words of clientAppUsed for what policies call the client app.
// Everything else that has a name is a client of the old protocols.
var clients = map[string]string{"browser": "browser", "mobile apps and desktop clients": "mobileAppsAndDesktopClients", "exchange activesync": "exchangeActiveSync"}

// trusts are the log's words for how a device is registered.
var trusts = map[string]string{"azure ad joined": "AzureAD", "hybrid azure ad joined": "ServerAD", "azure ad registered": "Workplace",
	"microsoft entra joined": "AzureAD", "microsoft entra hybrid joined": "ServerAD", "microsoft entra registered": "Workplace"}

// client is what policies call the client app of a row; empty if it is not known.
func client(used string) string {
	if used == "" {
		return ""
	}
	if c, ok := clients[strings.ToLower(used)]; ok {
		return c
	}
	return "other"
}

// platforms are the beginnings of operatingSystem.
var platforms = [...][2]string{{"windowsphone", "windowsPhone"}, {"windows phone", "windowsPhone"}, {"windows", "windows"}, {"macos", "macOS"}, {"ios", "iOS"}, {"android", "android"}, {"linux", "linux"}}

func platform(system string) string {
	s := strings.ToLower(system)
	for _, p := range platforms {
		if strings.HasPrefix(s, p[0]) {
			return p[1]
		}
	}
	return ""
}

// facts is what a row says of the sign-in. What the log does not say stays
// unknown: the risk of the user and of insiders, the authentication flow, and
// anything of which a member is empty.
func (i *Impact) facts(row *entra.SignIn) *access.SignIn {
	in := &i.in
	*in = access.SignIn{User: i.person(row), Target: access.Target{App: i.app(row)}, Platform: word(i.platforms, row.Device.OperatingSystem, platform), Client: word(i.clients, row.ClientApp, client), Country: row.CountryOrRegion}
	if ip, err := netip.ParseAddr(row.IPAddress); err == nil {
		in.IP = ip
	}
	if row.RiskDuring != "hidden" && row.RiskDuring != "unknownFutureValue" {
		in.SignInRisk = row.RiskDuring
	}
	in.Device = i.device(&row.Device)
	return in
}

// word is what a text of the log comes to, remembered for the next row.
func word(known map[string]string, text string, means func(string) string) string {
	is, ok := known[text]
	if !ok {
		is = means(text)
		if len(known) < 4096 {
			known[strings.Clone(text)] = is
		}
	}
	return is
}

// person is who signs in. Of somebody whom the directory no longer has neither
// groups nor roles are known.
func (i *Impact) person(row *entra.SignIn) *access.User {
	if u, ok := i.users[row.UserID]; ok {
		return u
	}
	u := i.people(row.UserID)
	if u == nil {
		u = &access.User{ID: row.UserID, GroupsUnknown: true, RolesUnknown: true}
		if row.HomeTenantID != "" && row.HomeTenantID != i.tenant {
			u.GuestUnknown = true
		}
	}
	if u.Guest != "" && u.HomeTenant == "" && row.HomeTenantID != i.tenant {
		u.HomeTenant = clone(row.HomeTenantID)
	}
	id := clone(row.UserID)
	u.ID = id
	i.users[id] = u
	return u
}

func (i *Impact) app(row *entra.SignIn) *access.App {
	if a, ok := i.apps[row.ResourceID]; ok {
		return a
	}
	a := &access.App{ID: clone(row.ResourceID), Name: strings.Clone(row.ResourceName), Microsoft: access.Unknown}
	i.apps[a.ID] = a
	return a
}

var unregistered = &access.Device{Unregistered: true}

// device is what the row says of the device.
func (i *Impact) device(d *entra.SignInDevice) *access.Device {
	if d.ID == "" {
		return unregistered
	}
	if !i.filtered { // no policy asks for more
		return nil
	}
	out := &access.Device{Properties: map[string][]string{"deviceId": {d.ID}, "displayName": {d.DisplayName}}}
	if d.IsCompliant != nil {
		out.Properties["isCompliant"] = []string{map[bool]string{true: "True", false: "False"}[*d.IsCompliant]}
	}
	if t := trusts[strings.ToLower(d.TrustType)]; t != "" {
		out.Properties["trustType"] = []string{t}
	}
	return out
}
