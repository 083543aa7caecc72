package risk

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/graphsim/generate"
)

// Raised is a risky sign-in that Microsoft has just seen.
type Raised struct {
	UserPrincipalName, RiskEventType, RiskLevel string
	// ServicePrincipal, instead of a user, is one by object id, appId or
	// displayName.
	ServicePrincipal string
	// IPAddress may be empty: then it is somewhere in the world.
	IPAddress string
}

// someone finds a user who may be at risk in this tenant.
func (w *Workload) someone(upn string) (int, error) {
	i, ok := w.byUPN[strings.ToLower(upn)]
	switch {
	case !ok:
		return 0, fmt.Errorf("no user %q in this tenant", upn)
	case w.people[i].deleted:
		return 0, fmt.Errorf("user %q is deleted: no new risk is detected", upn)
	case w.people[i].guest:
		// graph-api §2.2
		return 0, fmt.Errorf("user %q is a guest: risk is evaluated in the home tenant", upn)
	}
	return i, nil
}

// Join takes in somebody who is new in the tenant: from now on there may be risk.
func (w *Workload) Join(p generate.Person) {
	i := len(w.people)
	w.people = append(w.people, person{id: p.ID, upn: p.UserPrincipalName, name: p.DisplayName, home: home(p.Country, p.ID), guest: p.Guest})
	w.byID[strings.ToLower(p.ID)], w.byUPN[strings.ToLower(p.UserPrincipalName)] = i, i
}

// whom finds the register and the id of whom a detection is about.
func (w *Workload) whom(raised Raised) (*register, string, error) {
	if raised.ServicePrincipal == "" {
		person, err := w.someone(raised.UserPrincipalName)
		if err != nil {
			return nil, "", err
		}
		return w.users, strings.ToLower(w.people[person].id), nil
	}
	if raised.UserPrincipalName != "" {
		return nil, "", fmt.Errorf("a detection is about a user or a service principal, not both")
	}
	named := func(s subject) bool {
		return strings.EqualFold(s.id, raised.ServicePrincipal) || strings.EqualFold(s.appID, raised.ServicePrincipal) || strings.EqualFold(s.name, raised.ServicePrincipal)
	}
	i := slices.IndexFunc(w.workloads, named)
	if i < 0 {
		return nil, "", fmt.Errorf("no service principal %q in this tenant whose risk is judged; managed identities are out of scope", raised.ServicePrincipal)
	}
	return w.principals, strings.ToLower(w.workloads[i].id), nil
}

// Raise adds a detection, which is visible at once, and returns its id. Any
// word is taken as an event type, because the service adds new ones without
// notice.
func (w *Workload) Raise(raised Raised) (string, error) {
	now := w.nowTicks()
	w.settle(now)
	r, owner, err := w.whom(raised)
	if err != nil {
		return "", err
	}
	level := slices.Index(levelEnum.Members[:levelHigh+1], strings.ToLower(raised.RiskLevel))
	if level < 0 {
		return "", fmt.Errorf("risk level %q is not one of low, medium, high", raised.RiskLevel)
	}
	if name := raised.RiskEventType; name == "" || len(name) > 100 || strings.ContainsFunc(name, notWord) {
		return "", fmt.Errorf("risk event type %q is not a name such as anonymizedIPAddress", name)
	}
	address := [16]byte{}
	if raised.IPAddress != "" {
		ip, err := netip.ParseAddr(raised.IPAddress)
		if err != nil || ip.Zone() != "" {
			return "", fmt.Errorf("IP address %q is not an IPv4 or IPv6 address", raised.IPAddress)
		}
		address = ip.As16()
	}
	event, ok := r.words.intern(raised.RiskEventType)
	if !ok {
		return "", fmt.Errorf("too many risk event types")
	}
	i, ok := r.byID[owner]
	if !ok {
		i = w.enrol(r, owner)
	}
	t := &r.words.types[event]
	at := r.subjects[i].stamp(now)
	d := detection{
		subject: i, event: event, level: uint8(level), state: stateAtRisk, address: address, //nolint:gosec // of three
		activityAt: at, detectedAt: at, updatedAt: at, timing: t.timings[0], kind: activitySignin,
	}
	if r.principals {
		d.kind = activityPrincipal
	}
	n := len(r.detections)
	switch {
	case raised.IPAddress == "" && r.principals && t.user:
	case raised.IPAddress == "" && t.user:
		d.kind = activityUser
	case raised.IPAddress == "":
		d.place = uint16(1 + r.noise(n, 20)%uint64(len(places)-1))                                                                   //nolint:gosec // a short table
		d.address = netip.AddrFrom4([4]byte{198, 18, byte(d.place)*5 + byte(r.noise(n, 21)%5), byte(1 + r.noise(n, 22)%254)}).As16() //nolint:gosec // bytes
	case netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, 0}), 24).Contains(netip.AddrFrom16(address).Unmap()):
		d.place = vpnPlace
	default:
		var sum uint64
		for _, b := range address {
			sum = mix(sum + uint64(b))
		}
		d.place = uint16(1 + sum%uint64(len(places)-1)) //nolint:gosec // a short table
	}
	return r.detectionID(r.detect(d)), nil
}

func notWord(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
}

// remedies are the details that users and Microsoft close risk with.
var remedies = []uint8{
	detailMFA, detailPasswordReset, detailPasswordChange, detailTemporaryPassword, detailPasswordOnPremises,
	detailRevokedSessions, detailAISafe, detailDefenderDismissed,
}

// Remediate closes a user's risk at once, by default by a passed MFA, which
// answers for sign-ins alone. The user stays at risk if anything is left open.
func (w *Workload) Remediate(userPrincipalName, detail string) error {
	now := w.nowTicks()
	w.settle(now)
	person, err := w.someone(userPrincipalName)
	if err != nil {
		return err
	}
	code := detailMFA
	if detail != "" {
		i := slices.IndexFunc(remedies, func(d uint8) bool { return strings.EqualFold(detailEnum.Members[d], detail) })
		if i < 0 {
			names := make([]string, len(remedies))
			for n, d := range remedies {
				names[n] = detailEnum.Members[d]
			}
			return fmt.Errorf("detail %q is not one of %s", detail, strings.Join(names, ", "))
		}
		code = remedies[i]
	}
	s := w.users.subject(w.people[person].id)
	if s == nil || !open(s.state) {
		return fmt.Errorf("user %q is not at risk", userPrincipalName)
	}
	w.users.remedy(s, s.stamp(now), code)
	return nil
}
