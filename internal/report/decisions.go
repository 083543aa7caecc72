package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	fastjson "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/triage"
)

// Decisions reads users.jsonl back as the decisions of report.json. What is raw
// in one is good until the next.
func Decisions(r io.Reader, now time.Time) iter.Seq2[Decided, error] {
	return func(yield func(Decided, error) bool) {
		in := bufio.NewScanner(r)
		in.Buffer(make([]byte, 64<<10), maxLine)
		var line members
		for n := 1; in.Scan(); n++ {
			d, err := readDecided(&line, in.Bytes(), now)
			if err != nil {
				yield(Decided{}, fmt.Errorf("line %d: %w", n, err))
				return
			}
			if !yield(d, nil) {
				return
			}
		}
		if err := in.Err(); err != nil {
			yield(Decided{}, err)
		}
	}
}

func readDecided(m *members, line []byte, now time.Time) (d Decided, err error) {
	m.begin(line)
	d.Decision = []byte("null")
	for m.next() {
		switch m.name {
		case "id":
			d.ID = string(entra.NewID(m.text()))
		case "userPrincipalName":
			d.Name = m.text()
		case "riskLevel":
			d.RiskLevel = entra.RiskLevel(m.word())
		case "riskState":
			d.RiskState = entra.RiskState(m.word())
		case "openDetections":
			m.into(&d.OpenDetections)
		case "isDeleted":
			m.into(&d.Deleted)
		case "decision":
			d.Decision = json.RawMessage(m.value)
		case "evidence":
			if m.value.Kind() != 'n' {
				d.Evidence = json.RawMessage(m.value)
			}
		case "reachedBy":
			m.into(&d.ReachedBy)
		}
	}
	if err := m.end(); err != nil {
		return d, err
	}
	if d.said, err = m.said(d.Decision); err != nil {
		return d, err
	}
	d.AgeHours, d.Privileged = hours(d.said.openSince, now), d.said.privileged
	return d, nil
}

// said is what the page shows of a decision; reasons and covered are JSON.
type said struct {
	verdict, code, rule     string
	reasons, covered        []byte
	needsPerson, privileged bool
	openSince               time.Time
}

// said reads a decision, which may be null.
func (m *members) said(doc []byte) (s said, err error) {
	if len(doc) == 0 || doc[0] == 'n' {
		return s, nil
	}
	m.begin(doc)
	for m.next() {
		switch m.name {
		case "verdict":
			s.verdict = m.word()
		case "code":
			s.code = m.word()
		case "rule":
			s.rule = m.word()
		case "reasons":
			s.reasons = m.value
		case "covered":
			s.covered = m.value
		case "needsPerson":
			m.into(&s.needsPerson)
		case "privileged":
			m.into(&s.privileged)
		case "openSince":
			m.into(&s.openSince)
		}
	}
	return s, m.end()
}

// decision is what was said, as the page shows it.
func (s said) decision() (d triage.Decision, err error) {
	d = triage.Decision{Verdict: triage.Verdict(s.verdict), Code: s.code, Rule: s.rule, NeedsPerson: s.needsPerson, Privileged: s.privileged, OpenSince: s.openSince}
	if len(s.reasons) > 0 {
		err = fastjson.Unmarshal(s.reasons, &d.Reasons, asWritten)
	}
	if len(s.covered) > 0 {
		err = errors.Join(err, fastjson.Unmarshal(s.covered, &d.Covered, asWritten))
	}
	return d, err
}

// members reads the members of one object after the other, each in one pass. The
// zero value is ready.
type members struct {
	name  string
	value jsontext.Value // a part of the document

	doc   []byte
	in    bytes.Buffer
	dec   jsontext.Decoder
	words map[string]string // few, that many objects hold
	err   error
}

// maxShared bounds the words that are shared.
const maxShared = 1024

func (m *members) begin(doc []byte) {
	m.doc, m.err = doc, nil
	m.in = *bytes.NewBuffer(doc)
	m.dec.Reset(&m.in, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	t, err := m.dec.ReadToken()
	switch {
	case err != nil:
		m.err = err
	case t.Kind() != '{':
		m.err = errors.New("no JSON object")
	}
}

// next reads on to the next member, if there is one.
func (m *members) next() bool {
	if m.err != nil || m.dec.PeekKind() == '}' {
		return false
	}
	if m.read(); m.err == nil {
		m.name = m.word()
		m.read()
	}
	return m.err == nil
}

func (m *members) read() {
	v, err := m.dec.ReadValue()
	if err != nil {
		m.err = err
		return
	}
	end := int(m.dec.InputOffset())
	m.value = m.doc[end-len(v) : end : end]
}

// end ends the object and says what went wrong.
func (m *members) end() error {
	if m.err == nil {
		_, m.err = m.dec.ReadToken()
	}
	if m.err == nil {
		if _, err := m.dec.ReadToken(); !errors.Is(err, io.EOF) {
			m.err = errors.New("more than one JSON object")
		}
	}
	return m.err
}

// into reads a value as encoding/json would.
func (m *members) into(v any) {
	if m.err == nil {
		m.err = fastjson.Unmarshal(m.value, v, asWritten)
	}
}

// text is a string; null is the empty one.
func (m *members) text() string {
	var s string
	if v := m.value; v.Kind() == '"' {
		if s = string(v[1 : len(v)-1]); plainJSON(s, false) {
			return s
		}
	}
	m.into(&s)
	return s
}

// word is a string that is one of few: all that are equal share one copy.
func (m *members) word() string {
	if v := m.value; v.Kind() == '"' {
		if s, known := m.words[string(v[1:len(v)-1])]; known {
			return s
		}
	}
	s := m.text()
	if m.words == nil {
		m.words = map[string]string{}
	}
	if len(m.words) < maxShared && plainJSON(s, false) {
		s = strings.Clone(s)
		m.words[s] = s
	}
	return s
}
