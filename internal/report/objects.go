package report

import (
	"io"
	"strings"

	"github.com/risksweep/risksweep/internal/audit"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

// PolicyRow is one policy, named location or authentication strength: how it
// stands beside the baseline, and the live document as it was read.
type PolicyRow struct {
	Kind        entra.ObjectKind    `json:"kind"`
	Key         string              `json:"key,omitempty"`
	ID          string              `json:"id,omitempty"`
	DisplayName string              `json:"displayName"`
	State       string              `json:"state,omitempty"`
	Status      string              `json:"status"`
	Differences []policy.Difference `json:"differences,omitempty"`
	Reasons     []string            `json:"reasons,omitempty"`
	Live        entra.Document      `json:"live,omitempty"`
	// ChangedBy says who made it differ from the baseline.
	ChangedBy *audit.ChangedBy `json:"changedBy,omitempty"`
	// Promotion says how far a policy is on its way to being enabled.
	Promotion *plan.Promotion `json:"promotion,omitempty"`
	// Effects are what the planned change means to people by itself, in
	// report.json; none says that it means nothing, absent that it is not known.
	// Through are the policies by which it does without being changed themselves.
	Effects []plan.Effect `json:"effects,omitzero"`
	Through []string      `json:"through,omitempty"`
}

// Policies is policies.json.
type Policies struct {
	SchemaVersion int         `json:"schemaVersion"`
	Objects       []PolicyRow `json:"objects"`
}

// PolicyColumns are the columns of policies.csv.
var PolicyColumns = []string{"kind", "key", "id", "displayName", "state", "status", "differences", "reasons"}

// WritePolicies writes policies.json and policies.csv.
func WritePolicies(jsonOut, csvOut io.Writer, rows []PolicyRow, form CSVForm) error {
	nonNil(&rows)
	if err := encode(jsonOut, Policies{SchemaVersion: 1, Objects: rows}, " "); err != nil {
		return err
	}
	c := newCSV(csvOut, PolicyColumns, form)
	for _, r := range rows {
		for _, s := range [...]string{string(r.Kind), r.Key, r.ID, r.DisplayName, r.State, r.Status, strings.Join(texts(r.Differences), "; "), strings.Join(r.Reasons, "; ")} {
			c.text(s)
		}
		c.end()
	}
	return c.flush()
}

// ActionColumns are the columns of actions.csv.
var ActionColumns = []string{"id", "kind", "outcome", "planned", "subjectId", "subjectKey", "subject", "rule", "reasons", "detail", "at", "requestId", "run"}

// WriteActions writes actions.csv: every planned action with its outcome, then
// what became of actions of earlier runs.
func WriteActions(w io.Writer, p plan.Plan, outcomes, settled []plan.Outcome, form CSVForm) error {
	c := newCSV(w, ActionColumns, form)
	byID := map[string]plan.Outcome{}
	for _, o := range outcomes {
		byID[o.Action] = o
	}
	row := func(o plan.Outcome, planned plan.Status, reasons []string) {
		for _, s := range [...]string{o.Action, string(o.Kind), string(o.Status), string(planned), string(o.Subject.ID), o.Subject.Key, o.Subject.Name, o.Rule,
			strings.Join(reasons, "; "), o.Detail} {
			c.text(s)
		}
		c.time(o.At)
		c.text(o.RequestID)
		c.text(o.Run)
		c.end()
	}
	for _, a := range p.Actions {
		o, ok := byID[a.ID]
		if !ok {
			o = plan.Outcome{Action: a.ID, Kind: a.Kind, Subject: a.Subject, Rule: a.Rule, Status: plan.NotAttempted}
		}
		row(o, a.Status, a.Reasons)
	}
	for _, o := range settled {
		row(o, "", nil)
	}
	return c.flush()
}
