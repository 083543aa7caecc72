package generate

import "time"

// cast is who plays which part; the groups and roles are made from it. Each
// holds positions in Tenant.People.
type cast struct {
	ada, ceo              int // -1 if there is nobody
	breakGlass            []int
	admins, guests        []int
	ordinary, disabled    []int
	allStaff              []int
	employeesInDepartment map[string][]int
}

type place struct{ country, city string }

var places = []place{
	{"DE", "Berlin"}, {"DE", "Munich"}, {"GB", "London"}, {"GB", "Manchester"}, {"FR", "Paris"}, {"NL", "Amsterdam"},
	{"US", "Seattle"}, {"US", "New York"}, {"US", "Austin"}, {"ES", "Madrid"}, {"SE", "Stockholm"}, {"PL", "Kraków"},
	{"IN", "Bengaluru"}, {"JP", "Tokyo"}, {"BR", "São Paulo"}, {"ZA", "Cape Town"}, {"CH", "Zürich"}, {"IT", "Milan"},
}

var departments = map[string][]string{
	"Engineering":     {"Software Engineer", "Senior Software Engineer", "Site Reliability Engineer", "Engineering Manager"},
	"Sales":           {"Account Executive", "Sales Representative", "Regional Sales Manager"},
	"Finance":         {"Accountant", "Financial Analyst", "Controller"},
	"Marketing":       {"Marketing Specialist", "Content Designer", "Brand Manager"},
	"Operations":      {"Operations Analyst", "Logistics Coordinator", "Plant Manager"},
	"Legal":           {"Counsel", "Paralegal"},
	"Human Resources": {"Recruiter", "HR Business Partner"},
	"IT":              {"Support Engineer", "Systems Administrator", "Identity Engineer"},
}

// departmentNames are the keys of departments in a fixed order.
var departmentNames = []string{"Engineering", "Sales", "Finance", "Marketing", "Operations", "Legal", "Human Resources"}

var partners = []string{"fabrikam.com", "adatum.com", "northwindtraders.com", "tailspintoys.com", "woodgrovebank.com"}

// people fills Tenant.People: the few that stories are told about come first,
// so that a small tenant has them, then everybody else.
func people(t *Tenant, s source, users int, now time.Time) *cast {
	c := &cast{ada: -1, ceo: -1, employeesInDepartment: map[string][]int{}}
	m := &maker{t: t, s: s, now: now, start: s.Uint64N(1 << 20), step: nameStep(s)}
	t.People = make([]Person, 0, users+deleted(users))
	for len(t.People) < min(users, 4) {
		switch at := len(t.People); at {
		case 0:
			m.known("ada", "Ada", "Lovelace", "Engineering", "Principal Engineer")
			c.ada = at
		case 1:
			m.known("ceo", "Grace", "Ekwueme-Holt", "Executive Office", "Chief Executive Officer")
			c.ceo = at
		default:
			n := string(rune('1' + at - 2))
			m.known("bg"+n, "Break Glass", n, "", "")
			t.People[at].DisplayName = "Break Glass " + n
			t.People[at].Mail, t.People[at].City, t.People[at].Country = "", "", ""
			t.People[at].GivenName, t.People[at].Surname = "", ""
			c.breakGlass = append(c.breakGlass, at)
		}
	}
	rest := users - len(t.People)
	admins, guests, disabled := parts(users, rest)
	// Who is what is dealt out like cards, so that a page of users shows all
	// sorts of them.
	deal := make([]byte, 0, max(rest, 0))
	for i := range max(rest, 0) {
		switch {
		case i < admins:
			deal = append(deal, 'a')
		case i < admins+guests:
			deal = append(deal, 'g')
		case i < admins+guests+disabled:
			deal = append(deal, 'd')
		default:
			deal = append(deal, 'o')
		}
	}
	s.Shuffle(len(deal), func(i, j int) { deal[i], deal[j] = deal[j], deal[i] })
	for _, part := range deal {
		at := len(t.People)
		switch part {
		case 'a':
			m.employee("IT")
			c.admins = append(c.admins, at)
		case 'g':
			m.guest()
			c.guests = append(c.guests, at)
		case 'd':
			m.employee(pick(s, departmentNames))
			t.People[at].Enabled = false
			c.disabled = append(c.disabled, at)
		default:
			m.employee(pick(s, departmentNames))
			c.ordinary = append(c.ordinary, at)
		}
	}
	for range deleted(users) {
		m.employee(pick(s, departmentNames))
		p := &t.People[len(t.People)-1]
		p.Deleted, p.Enabled = true, s.IntN(2) == 0
		p.DeletedAt = now.Add(-time.Duration(1+s.IntN(28*24*3600)) * time.Second)
	}
	for i, p := range t.People {
		if p.Deleted || p.Guest {
			continue
		}
		c.allStaff = append(c.allStaff, i)
		if p.Enabled {
			c.employeesInDepartment[p.Department] = append(c.employeesInDepartment[p.Department], i)
		}
	}
	return c
}

// parts says how many of the rest are administrators, guests and disabled. At
// least five stay ordinary.
func parts(users, rest int) (admins, guests, disabled int) {
	switch {
	case users < 12:
		return min(1, max(rest-2, 0)), 0, 0
	case users < 16:
		return 1, 1, 1
	case users < 30:
		return 3, 2, 1
	}
	return min(4+users/100, 14), max(2, users/20), max(2, users/40)
}

// deleted is how many deleted users a tenant of a size remembers.
func deleted(users int) int {
	if users < 12 {
		return 0
	}
	return min(2+users/60, 40)
}

// maker makes people with distinct names.
type maker struct {
	t           *Tenant
	s           source
	now         time.Time
	next        uint64
	start, step uint64
}

func (m *maker) known(alias, given, surname, department, title string) {
	p := Person{
		ID: m.s.id(), UserPrincipalName: alias + "@" + m.t.Domain, Mail: alias + "@" + m.t.Domain,
		DisplayName: given + " " + surname, GivenName: given, Surname: surname,
		Department: department, JobTitle: title, Enabled: true, CreatedAt: m.hired(),
		Country: places[0].country, City: places[0].city,
	}
	m.t.People = append(m.t.People, p)
}

func (m *maker) hired() time.Time {
	return m.s.between(m.t.CreatedAt, m.now.AddDate(0, -4, 0))
}

func (m *maker) name() (given, middle, surname string) {
	given, middle, surname = name(m.next, m.start, m.step)
	m.next++
	return given, middle, surname
}

func (m *maker) employee(department string) {
	given, middle, surname := m.name()
	where := pick(m.s, places)
	p := Person{
		ID: m.s.id(), UserPrincipalName: address(given, middle, surname) + "@" + m.t.Domain,
		DisplayName: displayName(given, middle, surname), GivenName: given, Surname: surname,
		Department: department, JobTitle: pick(m.s, departments[department]),
		Country: where.country, City: where.city, Enabled: true, CreatedAt: m.hired(),
	}
	p.Mail = p.UserPrincipalName
	m.t.People = append(m.t.People, p)
}

func (m *maker) guest() {
	given, middle, surname := m.name()
	domain := pick(m.s, partners)
	local := address(given, middle, surname)
	p := Person{
		ID: m.s.id(), UserPrincipalName: local + "_" + domain + "#EXT#@" + m.t.InitialDomain, Mail: local + "@" + domain,
		DisplayName: displayName(given, middle, surname), GivenName: given, Surname: surname,
		Guest: true, Enabled: true, CreatedAt: m.hired(),
	}
	m.t.People = append(m.t.People, p)
}

func displayName(given, middle, surname string) string {
	if middle != "" {
		return given + " " + middle + ". " + surname
	}
	return given + " " + surname
}
