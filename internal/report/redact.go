package report

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
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

func (r Redaction) active() bool { return r.mode == "hash" || r.mode == "drop" }

// Text redacts one name or address.
func (r Redaction) Text(s string) string {
	switch {
	case s == "" || !r.active():
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

// texts takes a user's names and the addresses of its detections out of
// sentences.
func (r Redaction) texts(texts []string, u entra.RiskyUser) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = r.Sentence(t, u.UserPrincipalName, u.UserDisplayName)
	}
	return out
}

// Sentence takes names, and everything that looks like an address, out of a
// text.
func (r Redaction) Sentence(text string, names ...string) string {
	if !r.active() {
		return text
	}
	for _, n := range names {
		if n != "" {
			text = strings.ReplaceAll(text, n, orDash(r.Text(n)))
		}
	}
	words := strings.Split(text, " ")
	for i, w := range words {
		bare := strings.Trim(w, ".,;:()\"'")
		if strings.Contains(bare, "@") || looksLikeIP(bare) {
			words[i] = strings.Replace(w, bare, orDash(r.Text(bare)), 1)
		}
	}
	return strings.Join(words, " ")
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func looksLikeIP(s string) bool {
	dots, colons := strings.Count(s, "."), strings.Count(s, ":")
	if dots != 3 && colons < 2 {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F' || r == '.' || r == ':' || r == '/')
	})
}

// personal are the members whose text names or places a person.
var personal = map[string]bool{"userPrincipalName": true, "userDisplayName": true, "ipAddress": true, "displayName": true,
	"initiatedBy": true, "servicePrincipalDisplayName": true}

// dropped are the members that hold such text in forms that cannot be redacted
// word by word.
var dropped = map[string]bool{"additionalInfo": true, "geoCoordinates": true, "city": true, "state": true}

// document redacts a document of Graph, whatever members it has.
func (r Redaction) document(raw []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		return nil, err
	}
	r.member(m)
	return json.Marshal(m)
}

func (r Redaction) member(m map[string]any) {
	for k, v := range m {
		switch v := v.(type) {
		case string:
			switch {
			case dropped[k]:
				m[k] = nil
			case personal[k]:
				m[k] = r.Text(v)
			}
		case map[string]any:
			if dropped[k] {
				m[k] = nil
				continue
			}
			r.member(v)
		case []any:
			for _, e := range v {
				if inner, ok := e.(map[string]any); ok {
					r.member(inner)
				}
			}
		}
	}
}

// Plan redacts the names of users in a plan.
func (r Redaction) Plan(p plan.Plan) plan.Plan {
	if !r.active() {
		return p
	}
	actions := make([]plan.Action, len(p.Actions))
	for i, a := range p.Actions {
		if a.Kind.OnUser() {
			reasons := make([]string, len(a.Reasons))
			for j, s := range a.Reasons {
				reasons[j] = r.Sentence(s, a.Subject.Name)
			}
			a.Subject.Name, a.Reasons = r.Text(a.Subject.Name), reasons
		}
		actions[i] = a
	}
	p.Actions = actions
	return p
}

// Outcomes redacts the names of users in outcomes.
func (r Redaction) Outcomes(list []plan.Outcome) []plan.Outcome {
	if !r.active() {
		return list
	}
	out := make([]plan.Outcome, len(list))
	for i, o := range list {
		if o.Kind.OnUser() {
			o.Detail = r.Sentence(o.Detail, o.Subject.Name)
			o.Subject.Name = r.Text(o.Subject.Name)
		}
		out[i] = o
	}
	return out
}

// Document redacts a document of Graph.
func (r Redaction) Document(raw []byte) ([]byte, error) {
	if !r.active() {
		return raw, nil
	}
	return r.document(raw)
}
