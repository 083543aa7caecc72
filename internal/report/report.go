package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// SchemaVersion is the version of report.json.
const SchemaVersion = 1

// Report is report.json without its decisions, which are streamed.
type Report struct {
	SchemaVersion int    `json:"schemaVersion"`
	Run           string `json:"run"`
	Tenant        string `json:"tenant"`
	TenantID      string `json:"tenantId"`
	Mode          string `json:"mode"`
	// Kind is what the run was asked to do: sweep, order or destroy.
	Kind string `json:"kind,omitempty"`
	// Order is what a person asked for, in a run of kind order or destroy.
	Order *Order `json:"order,omitempty"`
	// Requested says who asked for the run, by which way and why, and as whom it
	// was signed in.
	Requested  *plan.Requested `json:"requested,omitempty"`
	Status     string          `json:"status"`
	ExitCode   int             `json:"exitCode"`
	Version    string          `json:"version"`
	StartedAt  time.Time       `json:"startedAt"`
	FinishedAt time.Time       `json:"finishedAt"`
	// OverDismissed are dismissals that closed more than the plan covered:
	// nothing in a report is more urgent.
	OverDismissed []plan.Outcome   `json:"overDismissed"`
	Hold          string           `json:"hold,omitempty"`
	Coverage      Coverage         `json:"coverage"`
	Counts        map[string]int   `json:"counts"`
	Enforcement   any              `json:"enforcement"`
	Limits        plan.Limits      `json:"limits"`
	Violations    []plan.Violation `json:"violations"`
	// NeedsPerson are the risky users whom nothing settles: no rule does, what one
	// asks for was not carried out, or they are confirmed compromised. The highest
	// level comes first, of one level the longest waiting: of more than 1,000 the
	// most urgent.
	NeedsPerson []Waiting `json:"needsPerson"`
	// Campaigns are groups of users whose open detections belong together, the
	// largest first; users who are to be dismissed are in none.
	Campaigns []Campaign     `json:"campaigns"`
	Outcomes  []plan.Outcome `json:"outcomes"`
	// Settled are the actions of earlier runs whose answer was lost.
	Settled []plan.Outcome `json:"settled"`
	Drift   []PolicyRow    `json:"drift"`
	// Effects are what all planned changes together mean to people; absent if
	// nothing changes, or that is not known.
	Effects []plan.Effect `json:"effects,omitzero"`
	// Exceptions are who stays out of which policy until when, Unexplained the
	// members of excluded groups whom no exception explains.
	Exceptions        []plan.Exempt      `json:"exceptions"`
	Unexplained       []plan.Unexplained `json:"unexplained"`
	ServicePrincipals []json.RawMessage  `json:"servicePrincipals"`
	// Beta is what only the beta version shows; absent unless it is read.
	Beta       *Beta       `json:"beta,omitempty"`
	Difference *Difference `json:"difference"`
	Skipped    []string    `json:"skipped"`
	Warnings   []string    `json:"warnings"`
	// Next says of an undo what the next apply of the baseline makes of it; it
	// stands among the warnings too.
	Next      []string  `json:"next,omitempty"`
	Errors    []Problem `json:"errors"`
	Timings   []Timing  `json:"timings"`
	Requests  Requests  `json:"requests"`
	Previous  string    `json:"previousRun,omitempty"`
	Breakdown *Tally    `json:"breakdown,omitempty"`
	// BreakGlass are what break-glass accounts did, and what was done to them,
	// since the last complete run.
	BreakGlass []GlassEvent `json:"breakGlass,omitempty"`
	// BreakGlassTests are when they last signed in, if the baseline says how
	// often they are to be tested.
	BreakGlassTests []GlassTest `json:"breakGlassTests,omitempty"`
	// Promotions are the policies on their way from report-only to enabled.
	Promotions []PolicyRow `json:"promotions,omitempty"`
}

// Beta is what of a tenant only Graph's beta version shows. Nothing is decided by
// it, and nothing of it is written.
type Beta struct {
	// Agents are the agents at risk or once at risk, AgentDetections what was
	// detected of them, as Graph sent it; absent if they could not be read.
	Agents          []json.RawMessage `json:"agents,omitzero"`
	AgentDetections []json.RawMessage `json:"agentDetections,omitzero"`
	// HiddenPolicies are the Conditional Access policies that v1.0 leaves out.
	HiddenPolicies []entra.PolicyName `json:"hiddenPolicies,omitzero"`
}

// The parts of a tenant that Coverage and Difference speak of.
const (
	PartDetections = "detections"
	PartUsers      = "users"
	PartPolicies   = "policies"
)

// Parts are all parts of a tenant.
var Parts = []string{PartDetections, PartUsers, PartPolicies}

// Coverage says what was read.
type Coverage struct {
	Complete bool      `json:"complete"`
	Full     bool      `json:"full"`
	Since    time.Time `json:"since,omitzero"`
	// Unread are the parts that were not read to their end: detections, users,
	// policies. Skipped or the errors say why; an order and a destroy run read
	// none of them.
	Unread []string `json:"unread,omitempty"`
	// ServiceTime is the service's time at the start of the read.
	ServiceTime time.Time `json:"serviceTime,omitzero"`
}

// Waiting is a risky user who waits for a person.
type Waiting struct {
	ID        string          `json:"id"`
	Name      string          `json:"userPrincipalName"`
	RiskLevel entra.RiskLevel `json:"riskLevel"`
	Code      string          `json:"code"`
	Reasons   []string        `json:"reasons"`
	OpenSince time.Time       `json:"openSince,omitzero"`
	// AgeHours is the age of the oldest open detection; Overdue says that it
	// is beyond report.sla for the level.
	AgeHours float64 `json:"ageHours"`
	Overdue  bool    `json:"overdue"`
	// Privileged says that the user holds a directory role, Deleted that the
	// account is deleted.
	Privileged bool      `json:"privileged"`
	Deleted    bool      `json:"deleted"`
	Evidence   *Evidence `json:"evidence,omitempty"`
}

// Problem is an error of the run.
type Problem struct {
	Message   string `json:"message"`
	Code      string `json:"code,omitempty"`
	Hint      string `json:"hint,omitempty"`
	RequestID string `json:"requestId,omitempty"`
}

// Timing is how long a part of the run took.
type Timing struct {
	Part    string  `json:"part"`
	Seconds float64 `json:"seconds"`
}

// Requests is what the run sent to Graph.
type Requests struct {
	Total     int            `json:"total"`
	Throttled int            `json:"throttled"`
	Retried   int            `json:"retried"`
	Waited    float64        `json:"waitedSeconds"`
	ByPath    map[string]int `json:"byPath"`
}

// Decided is one decision in report.json.
type Decided struct {
	ID             string          `json:"id"`
	Name           string          `json:"userPrincipalName"`
	RiskLevel      entra.RiskLevel `json:"riskLevel"`
	RiskState      entra.RiskState `json:"riskState"`
	OpenDetections int             `json:"openDetections"`
	Decision       json.RawMessage `json:"decision"`
	AgeHours       float64         `json:"ageHours"`
	Deleted        bool            `json:"deleted"`
	Evidence       json.RawMessage `json:"evidence,omitempty"`
	// ReachedBy are the policies that would meet the risk, as users.jsonl has
	// them; nil if that was not judged.
	ReachedBy []access.Met `json:"-"`
	// Privileged says that the user holds a directory role; it stands in the
	// decision too.
	Privileged bool `json:"-"`

	said said // of the decision, if it was read
}

// WriteBoth writes report.json and report.html in one pass over the decisions.
func WriteBoth(doc, page io.Writer, r Report, decisions iter.Seq2[Decided, error], x PageDetails) error {
	out := bufio.NewWriterSize(doc, outBuffer)
	w, err := newDoc(out, r)
	if err != nil {
		return err
	}
	listed := false
	err = WriteHTML(page, r, func(yield func(Decided, error) bool) {
		listed = true
		w.through(decisions)(yield)
	}, x)
	if !listed { // not every page has a list of them
		for _, e := range w.through(decisions) {
			err = errors.Join(err, e)
		}
	}
	return errors.Join(err, w.close(), out.Flush())
}

// docWriter writes report.json. The decisions come one by one, and stand as the
// last member.
type docWriter struct {
	w   io.Writer
	sep string
	buf []byte
}

// newDoc writes all of a report but its decisions.
func newDoc(w io.Writer, r Report) (*docWriter, error) {
	r.SchemaVersion = SchemaVersion
	r.fill()
	head, err := marshal(r, " ")
	if err != nil {
		return nil, err
	}
	head = bytes.TrimRight(bytes.TrimSuffix(bytes.TrimSpace(head), []byte("}")), "\n ")
	_, err = fmt.Fprintf(w, "%s,\n \"decisions\": [", head)
	return &docWriter{w: w, sep: "\n  "}, err
}

// through hands decisions on, each once it is written.
func (w *docWriter) through(decisions iter.Seq2[Decided, error]) iter.Seq2[Decided, error] {
	return func(yield func(Decided, error) bool) {
		for d, err := range decisions {
			if err == nil {
				err = w.decision(d)
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

func (w *docWriter) decision(d Decided) error {
	o := object{b: append(append(w.buf[:0], w.sep...), '{')}
	o.text("id", d.ID)
	o.text("userPrincipalName", d.Name)
	o.text("riskLevel", string(d.RiskLevel))
	o.text("riskState", string(d.RiskState))
	o.number("openDetections", d.OpenDetections)
	o.raw("decision", d.Decision)
	o.decimal("ageHours", d.AgeHours)
	o.flag("deleted", d.Deleted)
	switch {
	case len(d.Evidence) == 0:
	case bytes.IndexByte(d.Evidence, '\\') < 0:
		o.raw("evidence", d.Evidence)
	default: // users.jsonl escapes more than report.json does
		var e Evidence
		if err := json.Unmarshal(d.Evidence, &e); err != nil {
			return fmt.Errorf("the evidence of user %s: %w", d.ID, err)
		}
		o.any("evidence", e)
	}
	o.end()
	w.buf, w.sep = o.b, ",\n  "
	if o.err != nil {
		return o.err
	}
	_, err := w.w.Write(o.b)
	return err
}

// close ends the report.
func (w *docWriter) close() error {
	_, err := io.WriteString(w.w, "\n ]\n}\n")
	return err
}

// fill turns absent lists into empty ones.
func (r *Report) fill() {
	nonNil(&r.OverDismissed)
	nonNil(&r.Violations)
	nonNil(&r.NeedsPerson)
	nonNil(&r.Campaigns)
	nonNil(&r.Outcomes)
	nonNil(&r.Settled)
	nonNil(&r.Drift)
	nonNil(&r.Exceptions)
	nonNil(&r.Unexplained)
	nonNil(&r.ServicePrincipals)
	nonNil(&r.Skipped)
	nonNil(&r.Warnings)
	nonNil(&r.Errors)
	nonNil(&r.Timings)
	if r.Counts == nil {
		r.Counts = map[string]int{}
	}
	if r.Requests.ByPath == nil {
		r.Requests.ByPath = map[string]int{}
	}
}

func nonNil[T any](s *[]T) {
	if *s == nil {
		*s = []T{}
	}
}

// Indented is a document as the files of a run hold it.
func Indented(v any) ([]byte, error) { return marshal(v, " ") }

// marshal is json.Marshal that leaves < and > alone.
func marshal(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	err := encode(&b, v, indent)
	return b.Bytes(), err
}

// encode writes what marshal gives.
func encode(w io.Writer, v any, indent string) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	return enc.Encode(v)
}
