package report

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/audit"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

// Redaction says how names and addresses of people stand in a report. Object
// ids stay: without them a report cannot be acted on.
type Redaction struct {
	mode string
	key  []byte
}

// NewRedaction takes none, hash or drop; the key makes hashes of one tenant
// comparable over its runs, and useless to anybody without it.
func NewRedaction(mode string, key []byte) Redaction { return Redaction{mode: mode, key: key} }

// Active reports whether anything is redacted.
func (r Redaction) Active() bool { return r.mode == "hash" || r.mode == "drop" }

// Text redacts one name or address.
func (r Redaction) Text(s string) string {
	switch {
	case s == "" || !r.Active():
		return s
	case r.mode == "drop":
		return ""
	}
	mac := hmac.New(sha256.New, r.key)
	mac.Write([]byte(strings.ToLower(s)))
	return "sha256:" + hex.EncodeToString(mac.Sum(nil)[:12])
}

func (r Redaction) detection(d *entra.Detection) {
	for _, s := range []*string{&d.UserPrincipalName, &d.UserDisplayName, &d.IPAddress, &d.ServicePrincipalDisplayName} {
		*s = r.Text(*s)
	}
	d.Location.City, d.Location.State, d.Location.GeoCoordinates = "", "", nil
	d.AdditionalInfo = ""
}

func (r Redaction) user(u *entra.RiskyUser) {
	u.UserPrincipalName, u.UserDisplayName = r.Text(u.UserPrincipalName), r.Text(u.UserDisplayName)
}

// Sentence takes names, and everything that looks like an address, out of a
// text.
func (r Redaction) Sentence(text string, names ...string) string {
	if !r.Active() {
		return text
	}
	// The longest first, for a name may be a part of another.
	for _, n := range slices.SortedFunc(slices.Values(names), func(a, b string) int { return len(b) - len(a) }) {
		if n != "" {
			text = strings.ReplaceAll(text, n, orDash(r.Text(n)))
		}
	}
	return r.words(text, func(w string) bool { return strings.Contains(w, "@") || looksLikeIP(w) })
}

// words redacts the words of a text that are personal, and leaves the rest.
func (r Redaction) words(text string, personal func(string) bool) string {
	var b strings.Builder
	for text != "" {
		n := strings.IndexAny(text, wordEnds)
		if n == 0 {
			b.WriteByte(text[0])
			text = text[1:]
			continue
		}
		if n < 0 {
			n = len(text)
		}
		word := text[:n]
		if bare := strings.Trim(word, ".:'"); personal(bare) {
			word = strings.Replace(word, bare, orDash(r.Text(bare)), 1)
		}
		b.WriteString(word)
		text = text[n:]
	}
	return b.String()
}

// wordEnds are the characters that neither a UPN nor an address has.
const wordEnds = " \t\r\n,;()[]{}<>\"|\\"

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func looksLikeIP(s string) bool {
	dots, colons := strings.Count(s, "."), strings.Count(s, ":")
	if dots != 3 && colons < 2 || strings.HasPrefix(s, "sha256:") {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F' || r == '.' || r == ':' || r == '/')
	})
}

// personal are the members whose text names or places a person.
var personal = map[string]bool{"userPrincipalName": true, "userDisplayName": true, "ipAddress": true, "displayName": true,
	"initiatedBy": true, "servicePrincipalDisplayName": true, "agentDisplayName": true}

// dropped are the members that hold such text in forms that cannot be redacted
// word by word.
var dropped = map[string]bool{"additionalInfo": true, "geoCoordinates": true, "city": true, "state": true, "riskEvidence": true}

// document redacts a document of Graph, whatever members it has: those that
// are known to name or place a person, and names, UPNs and addresses within
// any other text.
func (r Redaction) document(raw string) (string, error) {
	dec := json.NewDecoder(strings.NewReader(raw))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		return "", err
	}
	names := gatherNames(m, nil)
	out, err := marshal(r.member(m, names), "")
	return string(bytes.TrimSpace(out)), err
}

// gatherNames gives the names that a document gives to people.
func gatherNames(v any, names []string) []string {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if s, ok := e.(string); ok && personal[k] && s != "" {
				names = append(names, s)
				continue
			}
			names = gatherNames(e, names)
		}
	case []any:
		for _, e := range v {
			names = gatherNames(e, names)
		}
	}
	return names
}

// member redacts a value that stands below no known name.
func (r Redaction) member(v any, names []string) any {
	switch v := v.(type) {
	case string:
		return r.Sentence(v, names...)
	case []any:
		for i, e := range v {
			v[i] = r.member(e, names)
		}
	case map[string]any:
		for k, e := range v {
			text, isText := e.(string)
			switch {
			case dropped[k]:
				v[k] = nil
			case isText && personal[k]:
				v[k] = r.Text(text)
			case isText && opaque(text):
			default:
				v[k] = r.member(e, names)
			}
		}
	}
	return v
}

// opaque reports whether a text is an id or a time, in which no name hides.
func opaque(s string) bool {
	if entra.IsID(s) {
		return true
	}
	_, ok := entra.DateTime(s).Time()
	return ok
}

// Plan redacts the names of people in a plan. What an action on a policy sends
// and compares stays whole: it names ids.
func (r Redaction) Plan(p plan.Plan) plan.Plan {
	if !r.Active() {
		return p
	}
	actions := make([]plan.Action, len(p.Actions))
	for i, a := range p.Actions {
		if a.Kind.OnUser() {
			a.Reasons = r.sentences(a.Reasons, a.Subject.Name)
			a.Subject.Name = r.Text(a.Subject.Name)
		} else {
			a.Reasons = r.principals(a.Reasons)
		}
		if a.Change != nil {
			c := *a.Change
			c.Differences = r.differences(c.Differences)
			c.Exclusions = r.Exclusions(c.Exclusions)
			c.Effects = r.Effects(c.Effects)
			a.Change = &c
		}
		if a.Account != nil {
			account := *a.Account
			account.UserPrincipalName = r.Text(account.UserPrincipalName)
			a.Account = &account
		}
		a.ChangedBy = r.ChangedBy(a.ChangedBy)
		a.Promotion = r.Promotion(a.Promotion)
		actions[i] = a
	}
	p.Actions, p.Effects = actions, r.Effects(p.Effects)
	return p
}

// Effects redacts the names of examples.
func (r Redaction) Effects(list []plan.Effect) []plan.Effect {
	if !r.Active() || list == nil {
		return list
	}
	out := make([]plan.Effect, len(list))
	for i, e := range list {
		e.Examples = r.Names(e.Examples)
		out[i] = e
	}
	return out
}

// Names redacts a list of names of people; dropped ones are left out.
func (r Redaction) Names(list []string) []string {
	if !r.Active() {
		return list
	}
	out := []string{}
	for _, n := range list {
		if n = r.Text(n); n != "" {
			out = append(out, n)
		}
	}
	return out
}

// Policies redacts the names of people in rows of policies.json. The names and
// ranges of policies and locations are the organisation's, not a person's.
func (r Redaction) Policies(rows []PolicyRow) []PolicyRow {
	if !r.Active() {
		return rows
	}
	out := make([]PolicyRow, len(rows))
	for i, row := range rows {
		row.Reasons, row.Differences = r.principals(row.Reasons), r.differences(row.Differences)
		row.ChangedBy = r.ChangedBy(row.ChangedBy)
		row.Promotion = r.Promotion(row.Promotion)
		out[i] = row
	}
	return out
}

// Promotion redacts the names of people who would be refused.
func (r Redaction) Promotion(p *plan.Promotion) *plan.Promotion {
	if p == nil || !r.Active() {
		return p
	}
	out := *p
	out.Who, out.Waits = nil, r.sentences(p.Waits, p.Who...)
	for _, w := range p.Who {
		out.Who = append(out.Who, r.Text(w))
	}
	return &out
}

// ChangedBy redacts the name of a person who changed something.
func (r Redaction) ChangedBy(c *audit.ChangedBy) *audit.ChangedBy {
	if c == nil || !r.Active() {
		return c
	}
	out := *c
	if out.Kind == audit.User {
		out.Name = r.Text(out.Name)
	}
	out.Differences = r.differences(out.Differences)
	out.Others = nil
	for i := range c.Others {
		out.Others = append(out.Others, *r.ChangedBy(&c.Others[i]))
	}
	return &out
}

// Exclusions redacts the names of people in exclusions.
func (r Redaction) Exclusions(list []plan.Exclusion) []plan.Exclusion {
	if !r.Active() {
		return list
	}
	out := make([]plan.Exclusion, len(list))
	for i, x := range list {
		x.Name = r.Text(x.Name)
		out[i] = x
	}
	return out
}

// Exempt redacts the names of people in rows of exceptions.
func (r Redaction) Exempt(list []plan.Exempt) []plan.Exempt {
	if !r.Active() {
		return list
	}
	out := make([]plan.Exempt, len(list))
	for i, x := range list {
		x.Why, x.Reason, x.Owner = r.Sentence(x.Why, x.Name), r.Sentence(x.Reason, x.Name), r.Sentence(x.Owner)
		x.Name = r.Text(x.Name)
		out[i] = x
	}
	return out
}

// Unexplained redacts the names of people in rows of excluded groups.
func (r Redaction) Unexplained(list []plan.Unexplained) []plan.Unexplained {
	if !r.Active() {
		return list
	}
	out := make([]plan.Unexplained, len(list))
	for i, u := range list {
		members := make([]plan.Subject, len(u.Members))
		for k, m := range u.Members {
			m.Name = r.Text(m.Name)
			members[k] = m
		}
		u.Members = members
		out[i] = u
	}
	return out
}

func (r Redaction) differences(list []policy.Difference) []policy.Difference {
	out := make([]policy.Difference, len(list))
	for i, d := range list {
		d.Text = r.principal(d.Text)
		out[i] = d
	}
	return out
}

func (r Redaction) sentences(texts []string, names ...string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = r.Sentence(t, names...)
	}
	return out
}

// Difference takes the names of people out of what changed of policies.
func (r Redaction) Difference(d Difference) Difference {
	if !r.Active() {
		return d
	}
	d.Drifted = slices.Clone(d.Drifted)
	for i := range d.Drifted {
		d.Drifted[i].Members = r.principals(d.Drifted[i].Members)
	}
	return d
}

// principals takes user principal names out of texts, and nothing else.
func (r Redaction) principals(texts []string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = r.principal(t)
	}
	return out
}

func (r Redaction) principal(text string) string {
	return r.words(text, func(w string) bool { return strings.Contains(w, "@") && !strings.HasPrefix(w, "@") })
}

// Outcomes redacts the names of people in outcomes.
func (r Redaction) Outcomes(list []plan.Outcome) []plan.Outcome {
	if !r.Active() {
		return list
	}
	out := make([]plan.Outcome, len(list))
	for i, o := range list {
		if o.Kind.OnUser() {
			o.Detail = r.Sentence(o.Detail, o.Subject.Name)
			o.Subject.Name = r.Text(o.Subject.Name)
		} else {
			o.Detail = r.principal(o.Detail)
		}
		out[i] = o
	}
	return out
}

// Subject redacts the name of a user that an action is about.
func (r Redaction) Subject(k plan.Kind, s plan.Subject) plan.Subject {
	if k.OnUser() {
		s.Name = r.Text(s.Name)
	}
	return s
}

// Document redacts a document of Graph.
func (r Redaction) Document(raw []byte) ([]byte, error) {
	if !r.Active() {
		return raw, nil
	}
	hidden, err := r.document(string(raw))
	return []byte(hidden), err
}
