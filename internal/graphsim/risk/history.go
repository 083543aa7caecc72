package risk

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/risksweep/risksweep/internal/graphsim/odata"
)

// historyRow is one state that a subject was in.
type historyRow struct {
	id                   string
	at                   int64
	level, state, detail uint8
	// cause is the activity's riskDetail, none shown as null.
	cause      uint8
	eventTypes []string
	by         string
}

// history is made of a subject's detections and of the deeds upon it. The row
// of the current state has the subject's own id, the others that id and the
// ticks of their time (graph-api §1.5). Rows are in no chronological order.
func (r *register) history(s *subject) []historyRow {
	rows := make([]historyRow, 0, len(s.detections)+len(s.deeds))
	for _, i := range s.detections {
		d := &r.detections[i]
		if d.quiet {
			continue
		}
		row := historyRow{at: d.detectedAt, level: d.thenLevel, state: d.thenState, eventTypes: []string{r.words.types[d.event].name}}
		if d.thenState == stateConfirmedCompromised {
			row.detail = r.compromised()
		}
		rows = append(rows, row)
	}
	for _, done := range s.deeds {
		rows = append(rows, historyRow{
			at: done.at, level: done.level, state: done.state, detail: done.detail,
			cause: done.cause, eventTypes: done.eventTypes, by: done.by,
		})
	}
	current := -1
	for i := range rows {
		rows[i].id = s.id + strconv.FormatInt(rows[i].at, 10)
		if current < 0 || rows[i].at > rows[current].at {
			current = i
		}
	}
	if current >= 0 {
		rows[current].id = s.id
	}
	slices.SortFunc(rows, func(a, b historyRow) int { return cmp.Compare(mix(uint64(a.at)), mix(uint64(b.at))) }) //nolint:gosec // any order will do
	return rows
}

func (w *Workload) historyValue(r *register, s *subject, row *historyRow, member string) odata.Value {
	hidden := r.principals && w.opt.License != "P2"
	switch member {
	case "id":
		return odata.Text(row.id)
	case "riskLevel":
		if hidden {
			return odata.EnumValue("hidden")
		}
		return odata.EnumValue(levelEnum.Members[row.level])
	case "riskState":
		return odata.EnumValue(stateEnum.Members[row.state])
	case "riskDetail":
		if hidden {
			return odata.EnumValue("hidden")
		}
		return odata.EnumValue(detailEnum.Members[row.detail])
	case "riskLastUpdatedDateTime":
		return odata.AtTicks(row.at)
	case "isProcessing":
		return odata.Boolean(row.id == s.id && s.busy > 0)
	case "userId":
		return odata.Text(s.id)
	case "initiatedBy":
		return odata.TextOrNull(row.by)
	case "activity":
		return odata.Object(func(m string) odata.Value { return w.historyValue(r, s, row, "activity/"+m) })
	case "activity/detail":
		if row.cause == detailNone {
			return odata.Value{}
		}
		return odata.EnumValue(detailEnum.Members[row.cause])
	case "activity/riskEventTypes":
		return odata.Texts(row.eventTypes)
	}
	return w.subjectValue(r, int(r.byID[strings.ToLower(s.id)]), member)
}
