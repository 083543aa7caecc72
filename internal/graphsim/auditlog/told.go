package auditlog

import (
	"net/netip"
	"time"
)

// told is a sign-in that somebody ordered.
type told struct {
	ID            string     `json:"id"`
	At            time.Time  `json:"at"`
	UserID        string     `json:"userId"`
	From          netip.Addr `json:"from,omitzero"`
	WrongPassword bool       `json:"wrongPassword,omitempty"`
}

// SignIn lets a person sign in to the Azure portal, by a browser and with a
// second factor; without an address from where the person lives. It gives the id
// of the row.
func (w *Workload) SignIn(userID string, from netip.Addr, wrongPassword bool, now time.Time) string {
	s := told{ID: w.newID(), At: now.UTC().Truncate(time.Second), UserID: userID, From: from, WrongPassword: wrongPassword}
	w.told = append(w.told, s)
	return s.ID
}

// ordered makes the sign-in that somebody ordered.
func (w *Workload) ordered(s told, index map[string]int) *signIn {
	i, ok := index[s.UserID]
	if !ok {
		return nil
	}
	d := newDice(w.opt.Seed, number(s.ID))
	x := &signIn{
		at: s.At, ids: []string{s.ID}, correlation: d.id(), homeTenant: w.tenant.ID, person: &w.tenant.People[i],
		service: consoles[0], client: client{"Browser", "browser", false}, risk: "none", wrongPassword: s.WrongPassword,
	}
	person := newDice(w.opt.Seed, number(s.UserID))
	person.traits(x, w.homes(x.person))
	x.claim, x.capable, x.accepted = true, true, true
	if x.person.External() {
		x.homeTenant = person.id()
	}
	x.disabled = !x.person.Enabled && !x.at.Before(x.person.DisabledAt)
	from := s.From
	if !from.IsValid() {
		from = address(d, x.from)
	}
	for _, p := range places {
		if p.network.Contains(from) {
			x.from = p
		}
	}
	x.about = x.question(from)
	return x
}
