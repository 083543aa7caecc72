package auditlog

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/risksweep/risksweep/internal/graphsim/evaluate"
	"github.com/risksweep/risksweep/internal/graphsim/generate"
	"github.com/risksweep/risksweep/internal/graphsim/risk"
)

// span is the time before the tenant's birth that the asked number of sign-ins
// is spread over; afterwards they go on at the same pace.
const span = 28 * 24 * time.Hour

// signIn is one sign-in, made of the seed and its number.
type signIn struct {
	at time.Time
	// ids are those of its rows.
	ids                     []string
	correlation, homeTenant string
	person                  *generate.Person
	service                 service
	client                  client
	machine                 machine
	from                    place
	// about is what policies are asked.
	about evaluate.SignIn

	// wrongPassword and disabled end it before any policy is asked.
	wrongPassword, disabled bool
	// kept says that the person was asked to stay signed in: a row of its own.
	kept bool
	// retried says that the person tried once more after a wrong password.
	retried bool
	// claim says that the token says already that a second factor was given,
	// by method; capable that the person can give one.
	claim, capable, accepted bool
	method, risk             string
	// seen is set for a sign-in that a detection is about.
	seen *risk.SignIn
}

// service is what is signed in to, by a client application.
type service struct {
	appID, app, resourceID, resource string
	kinds                            string // b browser, m mobile or desktop, l legacy
	weight                           int
}

const (
	exchangeID   = "00000002-0000-0ff1-ce00-000000000000"
	sharePointID = "00000003-0000-0ff1-ce00-000000000000"
	teamsID      = "cc15fd57-2c6c-4117-a88c-83b1d56b4bbe"
	managementID = "797f4846-ba00-4fd7-ba43-dac1f8f63013"
	graphID      = "00000003-0000-0000-c000-000000000000"
)

// services are Microsoft's; the tenant's own applications join them.
var services = []service{
	{exchangeID, "Office 365 Exchange Online", exchangeID, "Office 365 Exchange Online", "bbl", 26},
	{"d3590ed6-52b3-4102-aeff-aad2292ab01c", "Microsoft Office", exchangeID, "Office 365 Exchange Online", "m", 16},
	{"1fec8e78-bce4-4aaf-ab1b-5451cc387264", "Microsoft Teams", teamsID, "Microsoft Teams Services", "m", 18},
	{"5e3ce6c0-2b1f-4285-8d4b-75ee78787346", "Microsoft Teams Web Client", teamsID, "Microsoft Teams Services", "b", 6},
	{sharePointID, "Office 365 SharePoint Online", sharePointID, "Office 365 SharePoint Online", "b", 12},
	{"ab9b8c07-8f02-4f72-87fa-80105867a763", "OneDrive SyncEngine", sharePointID, "Office 365 SharePoint Online", "m", 6},
	{"4765445b-32c6-49b0-83e6-1d93765276ca", "OfficeHome", graphID, "Microsoft Graph", "b", 8},
}

// consoles are what administrators sign in to.
var consoles = []service{
	{"c44b4083-3bb0-49c1-b47d-974e53cbdf3c", "Azure Portal", managementID, "Windows Azure Service Management API", "b", 3},
	{"04b07795-8ddb-461a-bbee-02f9e1bf7b46", "Microsoft Azure CLI", managementID, "Windows Azure Service Management API", "m", 1},
	{"14d82eec-204b-4c2f-b7e8-296a70dab67e", "Microsoft Graph Command Line Tools", graphID, "Microsoft Graph", "m", 1},
}

// client is the sort of program.
type client struct {
	// shown is clientAppUsed, kind what policies call it.
	shown, kind string
	legacy      bool
}

var legacies = []client{
	{"IMAP4", "other", true}, {"Authenticated SMTP", "other", true}, {"POP3", "other", true}, {"Exchange ActiveSync", "exchangeActiveSync", true},
}

// machine is the device.
type machine struct {
	platform, system, browser, agent string
	// id and name are empty for one that is not registered; trust is as
	// policies name it.
	id, name, trust    string
	compliant, managed bool
	phone              bool
}

// trusts are the log's words for how a device is registered.
var trusts = map[string]string{"AzureAD": "Azure AD joined", "ServerAD": "Hybrid Azure AD joined", "Workplace": "Azure AD registered"}

// place is where it comes from.
type place struct {
	country, state, city string
	latitude, longitude  float64
	network              netip.Prefix
}

// places are where people live and travel; the first is the office.
var places = []place{
	{"DE", "Berlin", "Berlin", 52.52, 13.40, netip.MustParsePrefix("203.0.113.0/25")},
	{"DE", "Bayern", "Munich", 48.14, 11.58, netip.MustParsePrefix("192.0.2.0/26")},
	{"GB", "England", "London", 51.51, -0.13, netip.MustParsePrefix("192.0.2.64/26")},
	{"FR", "Ile-de-France", "Paris", 48.86, 2.35, netip.MustParsePrefix("192.0.2.128/26")},
	{"NL", "Noord-Holland", "Amsterdam", 52.37, 4.90, netip.MustParsePrefix("192.0.2.192/26")},
	{"US", "Washington", "Seattle", 47.61, -122.33, netip.MustParsePrefix("198.51.100.0/26")},
	{"IN", "Karnataka", "Bengaluru", 12.97, 77.59, netip.MustParsePrefix("198.51.100.64/27")},
	{"JP", "Tokyo", "Tokyo", 35.68, 139.69, netip.MustParsePrefix("198.51.100.96/27")},
	{"BR", "Sao Paulo", "Sao Paulo", -23.55, -46.63, netip.MustParsePrefix("2001:db8:2000::/64")},
	{"ZA", "Western Cape", "Cape Town", -33.92, 18.42, netip.MustParsePrefix("2001:db8:3000::/64")},
	{"IR", "Tehran", "Tehran", 35.69, 51.39, netip.MustParsePrefix("2001:db8:4000::/64")},
}

// dice are the random numbers of one subject.
type dice struct{ *rand.Rand }

func newDice(seed, stream uint64) dice {
	return dice{rand.New(rand.NewPCG(seed, stream))} //nolint:gosec // made-up sign-ins, no secrets
}

// hits is true in so many of a thousand cases.
func (d dice) hits(thousandths int) bool { return d.IntN(1000) < thousandths }

func (d dice) id() string {
	var b uuid.UUID
	binary.BigEndian.PutUint64(b[:8], d.Uint64())
	binary.BigEndian.PutUint64(b[8:], d.Uint64())
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return b.String()
}

// traits are what stays the same with a person.
func (d dice) traits(x *signIn, home []int) {
	x.capable, x.accepted = !d.hits(40), d.hits(850)
	x.machine = desktop(d)
	x.method = "microsoftAuthenticatorPush"
	switch {
	case d.hits(80):
		x.method = "fido2"
	case x.machine.managed && x.machine.platform == "windows" && d.hits(350):
		x.method = "windowsHelloForBusiness"
	}
	x.from = places[home[d.IntN(len(home))]]
}

// desktop is the device that somebody works with.
func desktop(d dice) machine {
	m := machine{platform: "windows", system: "Windows10", browser: "Edge 141.0.0", agent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Edg/141.0.0.0"}
	switch {
	case d.hits(180):
		m = machine{platform: "macOS", system: "MacOs", browser: "Safari 26.0", agent: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Safari/605.1.15"}
	case d.hits(40):
		m = machine{platform: "linux", system: "Linux", browser: "Firefox 145.0", agent: "Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0"}
	}
	if d.hits(780) {
		m.id, m.managed, m.compliant, m.trust = d.id(), true, d.hits(920), "AzureAD"
		if m.platform == "windows" && d.hits(250) {
			m.trust = "ServerAD"
		}
		m.name = fmt.Sprintf("CONTOSO-%04d", d.IntN(10000))
	}
	return m
}

func phone(d dice) machine {
	m := machine{platform: "iOS", system: "Ios 26.1", browser: "Mobile Safari 26.1", agent: "Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) Mobile/15E148", phone: true}
	if d.hits(450) {
		m = machine{platform: "android", system: "Android", browser: "Chrome Mobile 142.0.0", agent: "Mozilla/5.0 (Linux; Android 16) Chrome/142.0.0.0 Mobile", phone: true}
	}
	if d.hits(500) {
		m.id, m.managed, m.compliant, m.trust, m.name = d.id(), true, d.hits(900), "Workplace", "Phone"
	}
	return m
}

// signIn makes the sign-in of a number, nil if nobody is there to sign in.
func (w *Workload) signIn(nth int, index map[string]int) *signIn {
	if len(w.cast) == 0 {
		return nil
	}
	d := newDice(w.opt.Seed, uint64(nth)) //nolint:gosec // a count
	interval := span / time.Duration(w.opt.SignIns)
	at := w.opt.Born.Add(-span).Add(time.Duration(nth) * interval)
	x := &signIn{at: at.Add(time.Duration(d.Int64N(max(int64(interval), 1)))).UTC().Truncate(time.Second)}
	id := w.cast[d.IntN(len(w.cast))]
	i, ok := index[id]
	if !ok {
		return nil
	}
	x.person = &w.tenant.People[i]
	person := newDice(w.opt.Seed, number(id))
	person.traits(x, w.homes(x.person))
	x.ids = []string{d.id(), d.id()}
	x.correlation, x.homeTenant = d.id(), w.tenant.ID
	if x.person.External() {
		x.homeTenant = person.id()
	}
	x.disabled = !x.person.Enabled && !x.at.Before(x.person.DisabledAt)
	x.wrongPassword = d.hits(45)
	x.retried = x.wrongPassword && d.hits(800)
	x.kept, x.claim = d.hits(90), x.capable && d.hits(720)
	x.service = w.pick(d, x.person)
	switch kind := x.service.kinds[d.IntN(len(x.service.kinds))]; {
	case kind == 'l' && d.hits(120):
		x.client, x.claim, x.kept = legacies[d.IntN(len(legacies))], false, false
		x.machine = machine{system: "", browser: "", agent: "BAV2ROPC"}
	case kind == 'm':
		x.client, x.kept = client{"Mobile Apps and Desktop clients", "mobileAppsAndDesktopClients", false}, false
		if d.hits(350) && x.service.resourceID != managementID {
			x.machine = phone(person)
		}
	default:
		x.client = client{"Browser", "browser", false}
	}
	if x.method == "windowsHelloForBusiness" && !x.machine.phone && !x.client.legacy {
		x.claim = true // the method is the first factor, too
	}
	if d.hits(25) {
		x.from = places[d.IntN(len(places))]
	}
	x.risk = "none"
	switch {
	case d.hits(6):
		x.risk = "high"
	case d.hits(10):
		x.risk = "medium"
	case d.hits(15):
		x.risk = "low"
	}
	x.about = x.question(address(d, x.from))
	if strings.HasSuffix(x.service.app, "CLI") && d.hits(300) {
		x.about.TransferMethod = "deviceCodeFlow"
	}
	return x
}

// risky makes the sign-in that a detection is about: by a browser, on a machine
// that nobody has registered.
func (w *Workload) risky(seen *risk.SignIn, index map[string]int) *signIn {
	i, ok := index[seen.UserID]
	from, err := netip.ParseAddr(seen.IPAddress)
	if !ok || err != nil {
		return nil
	}
	d := newDice(w.opt.Seed, number(seen.RequestID))
	x := &signIn{
		at: seen.At.Truncate(time.Second), ids: []string{seen.RequestID}, correlation: seen.CorrelationID, homeTenant: w.tenant.ID, person: &w.tenant.People[i],
		client: client{"Browser", "browser", false}, risk: "none", seen: seen,
	}
	newDice(w.opt.Seed, number(seen.UserID)).traits(x, w.homes(x.person))
	x.claim = x.capable && d.hits(250)
	x.service = w.pick(d, x.person)
	x.machine.id, x.machine.name, x.machine.trust, x.machine.compliant, x.machine.managed = "", "", "", false, false
	x.from = place{country: seen.Country, state: seen.State, city: seen.City, latitude: seen.Latitude, longitude: seen.Longitude}
	if seen.Realtime {
		x.risk = seen.Level
	}
	x.disabled = !x.person.Enabled && !x.at.Before(x.person.DisabledAt)
	x.about = x.question(from)
	return x
}

// number is a number that belongs to an id.
func number(id string) uint64 {
	raw, err := uuid.Parse(id)
	if err != nil {
		return 0
	}
	return binary.BigEndian.Uint64(raw[:])
}

// homes are the places that a person may live at.
func (w *Workload) homes(p *generate.Person) []int {
	var all []int
	for i, at := range places {
		if at.country == p.Country {
			all = append(all, i)
		}
	}
	if len(all) == 0 {
		return []int{1}
	}
	return all
}

// pick chooses what is signed in to.
func (w *Workload) pick(d dice, p *generate.Person) service {
	all := services
	switch {
	case p.Department == "IT" && d.hits(300):
		all = consoles
	case d.hits(120):
		var own []service
		for _, sp := range w.tenant.ServicePrincipals {
			if strings.HasPrefix(sp.DisplayName, "Contoso ") && len(sp.ReplyURLs) > 0 {
				own = append(own, service{sp.AppID, sp.DisplayName, sp.AppID, sp.DisplayName, "b", 1})
			}
		}
		if len(own) > 0 {
			all = own
		}
	}
	total := 0
	for _, s := range all {
		total += s.weight
	}
	n := d.IntN(total)
	for _, s := range all {
		if n -= s.weight; n < 0 {
			return s
		}
	}
	return all[0]
}

func address(d dice, from place) netip.Addr {
	b := from.network.Addr().AsSlice()
	host := byte(d.IntN(28) + 2) //nolint:gosec // small
	b[len(b)-1] += host
	a, _ := netip.AddrFromSlice(b)
	return a
}

// question is the sign-in as policies are asked about it.
func (x *signIn) question(from netip.Addr) evaluate.SignIn {
	s := evaluate.SignIn{
		UserID: x.person.ID, Applications: []string{x.service.resourceID}, Platform: x.machine.platform, ClientApp: x.client.kind,
		Country: x.from.country, IPAddress: from, SignInRisk: x.risk, UserRisk: "none", InsiderRisk: "none", TransferMethod: "none", Device: evaluate.Device{},
	}
	if x.person.External() {
		s.ExternalTenantID = x.homeTenant
	}
	if x.machine.id != "" {
		s.Device = evaluate.Device{
			"deviceId": x.machine.id, "displayName": x.machine.name, "isCompliant": x.machine.compliant, "trustType": x.machine.trust,
			"operatingSystem": strings.TrimSuffix(x.machine.system, "10"), "ownership": "Company",
		}
		if x.machine.managed {
			s.Device["mdmAppId"] = "0000000a-0000-0000-c000-000000000000"
		}
	}
	return s
}
