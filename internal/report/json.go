package report

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/risksweep/risksweep/internal/triage"
)

// There is a line of JSON for each risky user, so what all of them have is not
// left to reflection. The bytes are those of encoding/json; a test holds them to
// that.

// object collects the members of a JSON object.
type object struct {
	b    []byte
	html bool // <, > and & are escaped, as json.Marshal does
	err  error
}

// name begins a member.
func (o *object) name(s string) {
	if c := o.b[len(o.b)-1]; c != '{' {
		o.b = append(o.b, ',')
	}
	o.b = append(append(append(o.b, '"'), s...), `":`...)
}

func (o *object) text(name, s string) {
	o.name(name)
	o.string(s)
}

// some adds a text that is left out if it is empty.
func (o *object) some(name, s string) {
	if s != "" {
		o.text(name, s)
	}
}

func (o *object) number(name string, n int) {
	o.name(name)
	o.b = strconv.AppendInt(o.b, int64(n), 10)
}

func (o *object) flag(name string, is bool) {
	o.name(name)
	o.b = strconv.AppendBool(o.b, is)
}

// decimal adds a number that is finite.
func (o *object) decimal(name string, f float64) {
	o.name(name)
	if size := math.Abs(f); size != 0 && (size < 1e-6 || size >= 1e21) {
		o.other(f)
		return
	}
	o.b = strconv.AppendFloat(o.b, f, 'f', -1, 64)
}

// raw adds a document as it is.
func (o *object) raw(name string, doc []byte) {
	o.name(name)
	o.b = append(o.b, doc...)
}

// any adds a member that few objects have.
func (o *object) any(name string, v any) {
	o.name(name)
	o.other(v)
}

// other writes a value of any type.
func (o *object) other(v any) {
	var text []byte
	var err error
	if o.html {
		text, err = json.Marshal(v)
	} else {
		text, err = marshal(v, "")
	}
	if err != nil && o.err == nil {
		o.err = err
	}
	o.b = append(o.b, bytes.TrimSuffix(text, []byte("\n"))...)
}

// string writes a text.
func (o *object) string(s string) {
	if !plainJSON(s, o.html) {
		o.other(s)
		return
	}
	o.b = append(append(append(o.b, '"'), s...), '"')
}

// plainJSON reports whether a text stands in JSON as it is.
func plainJSON(s string, html bool) bool {
	ascii := true
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c == '"' || c == '\\' || html && (c == '<' || c == '>' || c == '&'):
			return false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return ascii || utf8.ValidString(s) && !strings.ContainsAny(s, "\u2028\u2029")
}

// texts adds a list of texts; null for none.
func (o *object) texts(name string, list []string) {
	o.name(name)
	if list == nil {
		o.b = append(o.b, "null"...)
		return
	}
	o.b = append(o.b, '[')
	for i, s := range list {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.string(s)
	}
	o.b = append(o.b, ']')
}

func (o *object) begin(name string) {
	o.name(name)
	o.b = append(o.b, '{')
}

func (o *object) end() { o.b = append(o.b, '}') }

// members writes what a line of users.jsonl holds besides Graph's own members.
func (t *userTail) members(o *object) {
	o.number("openDetections", t.OpenDetections)
	if t.Decision == nil {
		o.raw("decision", []byte("null"))
	} else {
		o.begin("decision")
		decisionMembers(o, t.Decision)
		o.end()
	}
	if e := t.Evidence; e != nil {
		o.begin("evidence")
		o.texts("types", e.Types)
		o.texts("addresses", e.Addresses)
		o.texts("places", e.Places)
		o.end()
	}
	if t.ChangedBy != nil {
		o.any("changedBy", t.ChangedBy)
	}
	if t.ReachedBy != nil {
		o.any("reachedBy", t.ReachedBy)
	}
}

func decisionMembers(o *object, d *triage.Decision) {
	o.text("verdict", string(d.Verdict))
	o.text("code", d.Code)
	o.some("rule", d.Rule)
	if len(d.Close) > 0 {
		o.any("close", d.Close)
	}
	if len(d.Then) > 0 {
		o.any("then", d.Then)
	}
	if len(d.Rules) > 0 {
		o.any("rules", d.Rules)
	}
	o.texts("reasons", d.Reasons)
	o.flag("needsPerson", d.NeedsPerson)
	if len(d.Covered) > 0 {
		o.begin("covered")
		for i, id := range slices.Sorted(maps.Keys(d.Covered)) {
			if i > 0 {
				o.b = append(o.b, ',')
			}
			o.string(id)
			o.b = append(o.b, ':')
			o.string(d.Covered[id])
		}
		o.end()
	}
	if len(d.NearMisses) > 0 {
		o.name("nearMisses")
		o.b = append(o.b, '[')
		for i, n := range d.NearMisses {
			if i > 0 {
				o.b = append(o.b, ',')
			}
			o.b = append(o.b, '{')
			o.text("entry", n.Entry)
			o.texts("detections", n.Detections)
			o.text("why", n.Why)
			o.end()
		}
		o.b = append(o.b, ']')
	}
	o.flag("privileged", d.Privileged)
	if !d.OpenSince.IsZero() {
		o.name("openSince")
		text, err := d.OpenSince.MarshalJSON()
		if err != nil && o.err == nil {
			o.err = err
		}
		o.b = append(o.b, text...)
	}
}
