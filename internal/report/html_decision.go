package report

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// markup collects HTML. What is not our own text goes in by text alone, in the
// content of an element or in a quoted attribute.
type markup struct{ bytes.Buffer }

// tags writes HTML of our own.
func (m *markup) tags(s string) { m.WriteString(s) }

// text writes what anybody may have written, as html/template does.
func (m *markup) text(s string) {
	if strings.IndexFunc(s, notPlain) < 0 {
		m.WriteString(s)
		return
	}
	_, _ = escaper.WriteString(m, s) // a buffer takes all
}

// around writes a text between tags, or nothing if it is empty.
func (m *markup) around(before, s, after string) {
	if s != "" {
		m.tags(before)
		m.text(s)
		m.tags(after)
	}
}

func notPlain(r rune) bool { return r >= 0x80 || strings.ContainsRune("\x00\"&'+<>", r) }

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
	if row.D.Privileged {
		m.tags(` <span class="tag bad">directory role</span>`)
	}
	if row.Deleted {
		m.tags(` <span class="tag">deleted</span>`)
	}
	m.tags(`</th><td role="cell" data-v="` + strconv.Itoa(levelRank(row.RiskLevel)) + `"><span class="level `)
	m.text(string(row.RiskLevel))
	m.tags(`">`)
	m.text(string(row.RiskLevel))
	m.tags(`</span></td><td role="cell">`)
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
