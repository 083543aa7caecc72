package access

import (
	"encoding/binary"
	"slices"

	"github.com/risksweep/risksweep/internal/entra"
)

// Person is a user of the tenant as coverage sees one.
type Person struct {
	ID         entra.ID
	Name       string // user principal name
	Guest      string // as in User
	HomeTenant entra.ID
	GuestKind  Truth // Unknown: a guest of a kind that is not known
	BreakGlass bool
	Privileged bool
	AtRisk     bool       // the user's risk is open
	Roles      []entra.ID // active
}

// People are the users of a tenant, folded into classes: those who are alike
// in everything that the set of policies asks.
type People struct {
	set     *Set
	list    []Person
	at      map[entra.ID]int
	named   []entra.ID       // groups and roles that policies name
	place   map[entra.ID]int // of them
	held    []flags          // by person: which of them the person has
	unknown flags            // groups whose members could not be read
	classed []*class         // once folded
}

// NewPeople takes the users; Members tells of their groups before Classes is
// asked.
func (s *Set) NewPeople(list []Person) *People {
	p := &People{set: s, list: list, at: make(map[entra.ID]int, len(list)), place: map[entra.ID]int{}, named: s.users.named()}
	for k, id := range p.named {
		p.place[id] = k
	}
	words := len(newFlags(len(p.named)))
	slab := make(flags, words*len(list))
	p.held = make([]flags, len(list))
	p.unknown = newFlags(len(p.named))
	for i, u := range list {
		p.at[u.ID] = i
		p.held[i] = slab[i*words : (i+1)*words : (i+1)*words]
		if k, ok := p.place[u.ID]; ok {
			p.held[i].set(k)
		}
		for _, r := range u.Roles {
			if k, ok := p.place[r]; ok {
				p.held[i].set(k)
			}
		}
	}
	return p
}

// Members records who is in a group, also through other groups. It may be
// called several times for one group. Who is no user of the list is passed
// over.
func (p *People) Members(group entra.ID, members []entra.ID) {
	k, ok := p.place[group]
	if !ok {
		return
	}
	for _, id := range members {
		if i, ok := p.at[id]; ok {
			p.held[i].set(k)
		}
	}
}

// MembersUnknown records that the members of a group could not be read.
func (p *People) MembersUnknown(group entra.ID) {
	if k, ok := p.place[group]; ok {
		p.unknown.set(k)
	}
}

// class is people who are alike in everything that the policies ask.
type class struct {
	first                         int // of them, in the list
	people, atRisk                int
	examples                      []string
	held                          flags
	breakGlass, privileged, guest bool
	reach                         *reach
}

// reach is what a class meets as users, shared by classes that differ in
// nothing that matters.
type reach struct {
	span
	gaps []box
	more bool // there are further gaps
}

const mostExamples = 5

// folded are the classes of the people, in the order of their first members; nobody's
// groups may change any more.
func (p *People) folded() []*class {
	if p.classed == nil {
		p.classed = p.classes()
	}
	return p.classed
}

func (p *People) classes() []*class {
	byKey := map[string]*class{}
	reaches := map[string]*reach{}
	var out []*class
	var key []byte
	for i := range p.list {
		u := &p.list[i]
		key = key[:0]
		for _, w := range p.held[i] {
			key = binary.LittleEndian.AppendUint64(key, w)
		}
		guest := u.Guest != "" || u.GuestKind == Unknown
		key = append(key, bit(u.BreakGlass)|bit(u.Privileged)<<1|bit(guest)<<2)
		if guest {
			key = append(append(append(key, u.Guest...), 0), u.HomeTenant...)
		}
		c := byKey[string(key)]
		if c == nil {
			c = &class{first: i, held: p.held[i], breakGlass: u.BreakGlass, privileged: u.Privileged, guest: guest}
			sp := p.span(u, p.held[i])
			if c.reach = reaches[sp.key()]; c.reach == nil {
				c.reach = &reach{span: sp}
				reaches[sp.key()] = c.reach
			}
			byKey[string(key)] = c
			out = append(out, c)
		}
		c.people++
		if u.AtRisk {
			c.atRisk++
		}
		if len(c.examples) < mostExamples {
			c.examples = append(c.examples, u.Name)
		}
	}
	return out
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// span is what policies ask of the person, met or not.
func (p *People) span(u *Person, held flags) span {
	n := p.set.Len()
	in, ex := newSpan(n), newSpan(n)
	user := &User{ID: u.ID, Guest: u.Guest, GuestUnknown: u.GuestKind == Unknown, HomeTenant: u.HomeTenant}
	p.set.user(user, in, ex)
	held.each(func(k int) { p.set.users.meet(in, ex, p.named[k], Yes) })
	p.unknown.each(func(k int) { p.set.users.meet(in, ex, p.named[k], Unknown) })
	in.except(ex)
	in.must.and(p.set.forUsers)
	in.may.and(p.set.forUsers)
	return in
}

// excludedBy are the ids by which a policy leaves the class out.
func (p *People) excludedBy(c *class, policy int) []entra.ID {
	var out []entra.ID
	c.held.each(func(k int) {
		if f := p.set.users.ex[p.named[k]]; f != nil && f.has(policy) {
			out = append(out, p.named[k])
		}
	})
	slices.Sort(out)
	return out
}

// Representative is one user of a class, who stands for all of it.
type Representative struct {
	Name   string
	Others int
	User   *User
}

// Representatives has one user of each class.
func (p *People) Representatives() []Representative {
	var out []Representative
	for _, c := range p.folded() {
		first := &p.list[c.first]
		u := &User{ID: first.ID, Roles: first.Roles, Guest: first.Guest, GuestUnknown: first.GuestKind == Unknown, HomeTenant: first.HomeTenant,
			GroupsUnknown: !p.unknown.empty()}
		c.held.each(func(k int) { u.Groups = append(u.Groups, p.named[k]) })
		out = append(out, Representative{Name: first.Name, Others: c.people - 1, User: u})
	}
	return out
}
