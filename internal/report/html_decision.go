package report

import (
	"bytes"
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/risksweep/risksweep/internal/entra"
)

// markup collects HTML. What is not our own text goes in by text alone, in the
// content of an element or in a quoted attribute.
type markup struct{ bytes.Buffer }

// tags writes HTML of our own.
func (m *markup) tags(s string) { m.WriteString(s) }

// text writes what anybody may have written, as html/template does.
func (m *markup) text(s string) {
	for i := range len(s) {
		if notPlain[s[i]] {
			_, _ = escaper.WriteString(m, s) // a buffer takes all
			return
		}
	}
	m.WriteString(s)
}

// around writes a text between tags, or nothing if it is empty.
func (m *markup) around(before, s, after string) {
	if s != "" {
		m.tags(before)
		m.text(s)
		m.tags(after)
	}
}

// notPlain are the bytes of which a text is looked at.
var notPlain = func() (is [256]bool) {
	for _, c := range []byte("\x00\"&'+<>") {
		is[c] = true
	}
	for c := utf8.RuneSelf; c < len(is); c++ {
		is[c] = true
	}
	return is
}()

// anchor leads to the row of a user on the same page, as html/template writes a
// fragment.
func (m *markup) anchor(id, name string) {
	m.tags(`<a href="#u-`)
	for i := range len(id) {
		if c := id[i]; c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("-._~", c) >= 0 {
			m.WriteByte(c)
		} else {
			fmt.Fprintf(m, "%%%02x", c)
		}
	}
	m.tags(`">`)
	m.text(firstOf(name, id))
	m.tags(`</a>`)
}

// peopleHTML writes a list of people of a group, of whom there may be many.
func peopleHTML(people []UserRef) template.HTML {
	var m markup
	for _, u := range people {
		m.tags(`<li>`)
		m.anchor(u.ID, u.Name)
		m.tags(`</li>`)
	}
	return template.HTML(m.String()) //nolint:gosec // what anybody may have written went in by text
}

// waitingHTML writes the row of one who waits for a person.
func waitingHTML(m *markup, row waitingRow, more bool, of pageOf) {
	m.tags(`<tr role="row"`)
	if more {
		m.tags(` class="more"`)
	}
	m.tags(` data-is="`)
	m.text(row.Is)
	m.tags(`" data-level="`)
	m.text(string(row.RiskLevel))
	m.tags(`"><th scope="row" role="rowheader">`)
	m.anchor(row.ID, row.Name)
	m.marks(row.Privileged, row.Deleted)
	m.tags(`</th>`)
	m.level(row.RiskLevel)
	m.tags(`<td role="cell" class="num" data-v="`)
	m.text(fmt.Sprint(row.AgeHours))
	m.tags(`">`)
	if row.Overdue {
		m.tags(`<span class="tag bad">overdue</span> `)
	}
	m.text(ageText(row.AgeHours))
	m.tags(`</td><td role="cell" class="meta">`)
	m.text(date(row.OpenSince))
	m.tags(`</td><td role="cell">`)
	for _, s := range row.Reasons {
		m.tags(`<div>`)
		m.text(s)
		m.tags(`</div>`)
	}
	if next := of.Commands(row.ID, true); len(next) > 0 {
		m.around(`<code class="cmd">`, next[0], `</code>`)
	}
	m.tags("</td></tr>\n")
}

// marks says what a reader must know of a user before all else.
func (m *markup) marks(privileged, deleted bool) {
	if privileged {
		m.tags(` <span class="tag bad">directory role</span>`)
	}
	if deleted {
		m.tags(` <span class="tag">deleted</span>`)
	}
}

// level is the cell of a level.
func (m *markup) level(l entra.RiskLevel) {
	m.tags(`<td role="cell" data-v="`)
	m.tags(strconv.Itoa(LevelRank(l)))
	m.tags(`"><span class="level `)
	m.text(string(l))
	m.tags(`">`)
	m.text(string(l))
	m.tags(`</span></td>`)
}

// escaper makes the characters harmless that mean something in HTML, and those
// that turn the reading order.
var escaper = strings.NewReplacer(append([]string{"\x00", "\ufffd", `"`, "&#34;", "&", "&amp;", "'", "&#39;", "+", "&#43;", "<", "&lt;", ">", "&gt;"}, directions...)...)

// decisionHTML writes the row of one decision. There is one for each user at
// risk, so it is not left to a template.
func decisionHTML(m *markup, row decisionRow, of pageOf) {
	m.tags(`<tr role="row" id="u-`)
	m.text(row.ID)
	m.tags(`" data-is="`)
	m.text(row.Is())
	m.tags(`" data-level="`)
	m.text(string(row.RiskLevel))
	m.tags(`"><th scope="row" role="rowheader">`)
	m.text(firstOf(row.Name, row.ID))
	m.marks(row.D.Privileged, row.Deleted)
	m.tags(`</th>`)
	m.level(row.RiskLevel)
	m.tags(`<td role="cell">`)
	if row.RiskState == "confirmedCompromised" {
		m.tags(`confirmed<wbr>Compromised`)
	} else {
		m.text(string(row.RiskState))
	}
	m.tags(`</td><td role="cell" class="num open">` + strconv.Itoa(row.OpenDetections) + `</td><td role="cell" class="num`)
	if row.Overdue {
		m.tags(` bad`)
	}
	m.tags(`" data-v="`)
	m.text(fmt.Sprint(row.AgeHours))
	m.tags(`">`)
	m.text(ageText(row.AgeHours))
	m.tags(`</td><td role="cell">`)
	m.text(verdictText(row.D))
	m.tags(`</td><td role="cell"><details><summary>`)
	m.text(whyText(row.D))
	m.tags(`</summary>`)
	m.around(`<p>Rule <code>`, row.D.Rule, `</code></p>`)
	if len(row.D.Reasons) > 0 {
		m.tags(`<ul>`)
		for _, s := range row.D.Reasons {
			m.tags(`<li>`)
			m.text(s)
			m.tags(`</li>`)
		}
		m.tags(`</ul>`)
	}
	if len(row.Detections) > 0 {
		m.tags(`<p>Open detections</p><ul>`)
		for _, d := range row.Detections {
			detectionHTML(m, d, of)
		}
		m.tags(`</ul>`)
	}
	if row.More > 0 {
		m.tags(`<p class="meta">and ` + strconv.Itoa(row.More) + ` more in detections.csv</p>`)
	}
	for i, met := range row.ReachedBy {
		if i == 0 {
			m.tags(`<p>Met by `)
		} else {
			m.tags(`, `)
		}
		m.text(met.DisplayName)
	}
	if len(row.ReachedBy) > 0 {
		m.tags(`</p>`)
	}
	m.tags(`<span class="id">user `)
	m.text(row.ID)
	m.around(` · <a href="`, of.UserLink(row.ID), `" rel="noreferrer">in the admin center</a>`)
	m.tags(`</span>`)
	for _, c := range of.Commands(row.ID, row.RiskState.Open()) {
		m.around(`<code class="cmd">`, c, `</code>`)
	}
	m.tags("</details></td></tr>\n")
}

func detectionHTML(m *markup, d coveredDetection, of pageOf) {
	m.tags(`<li><strong>`)
	m.text(d.EventType)
	m.tags(`</strong> <span class="level `)
	m.text(string(d.Level))
	m.tags(`">`)
	m.text(string(d.Level))
	m.tags(`</span>`)
	m.around(` from `, d.IP, ``)
	m.around(` (`, PlaceText(d.City, d.Country), `)`)
	m.tags(`, `)
	m.text(moment(d.Detected))
	m.around(`, covered by <code>`, d.Entry, `</code>`)
	m.around(`<span class="id">`, d.UserAgent, `</span>`)
	m.tags(`<span class="id">detection `)
	m.text(d.ID)
	m.tags(`</span>`)
	if d.RequestID != "" {
		m.tags(`<span class="id">request `)
		if link := of.SignInLink(d.RequestID); link != "" {
			m.tags(`<a href="`)
			m.text(link)
			m.tags(`" rel="noreferrer">`)
			m.text(d.RequestID)
			m.tags(`</a>`)
		} else {
			m.text(d.RequestID)
		}
		m.tags(`</span>`)
	}
	m.around(`<span class="id">correlation `, d.CorrelationID, `</span>`)
	m.tags(`</li>`)
}
