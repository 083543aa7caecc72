package plan

import "time"

// OutcomeStatus is what became of an action.
type OutcomeStatus string

// The outcomes of an action. One that the plan kept from being carried out has
// the plan's own word.
const (
	Done            OutcomeStatus = "done"                     // carried out and seen in the tenant
	SkippedAlready                = OutcomeStatus(AlreadyDone) // the tenant showed it before; nothing was sent
	Processing      OutcomeStatus = "processing"               // accepted, not yet visible; not a failure
	NotTaken        OutcomeStatus = "notTaken"                 // accepted, but without effect
	OverDismissed   OutcomeStatus = "overDismissed"            // our dismissal closed a detection that the plan did not cover
	Moved           OutcomeStatus = "moved"                    // the live object changed since the plan: skipped
	Failed          OutcomeStatus = "failed"                   // refused by the service, or not possible
	Unknown         OutcomeStatus = "unknown"                  // the answer was lost and reading back did not settle it
	NotAttempted    OutcomeStatus = "notAttempted"             // the run ended before it (cancelled, lease lost, HOLD)
	SkippedEnforce                = OutcomeStatus(NotEnabled)  // enforcement does not allow it
	SkippedLimits                 = OutcomeStatus(Refused)     // refused by the limits
	SkippedBlocked                = OutcomeStatus(Blocked)     // blocked in the plan
	SkippedPlanMode OutcomeStatus = "planned"                  // a plan run: nothing is written
	SettledTaken    OutcomeStatus = "settledTaken"             // an earlier run's lost action, found taken
	SettledNotTaken OutcomeStatus = "settledNotTaken"          // an earlier run's lost action, found not taken
	SettledPending  OutcomeStatus = "settledPending"           // an earlier run's lost action, not yet decidable
)

// meaning is what an outcome says about the run and the tenant.
type meaning struct {
	bad       bool // it makes the run partial (exit 3)
	sent      bool // the tenant has, or may have, got the request
	pending   bool // its effect may still come
	effective bool // its effect was seen
	left      bool // what it was to bring about is not done, and no run has it under way
	words     string
}

var meanings = map[OutcomeStatus]meaning{
	Done:            {sent: true, effective: true, words: "done"},
	SkippedAlready:  {words: "done before: nothing was sent"},
	Processing:      {sent: true, pending: true, words: "accepted, still processing"},
	NotTaken:        {bad: true, sent: true, left: true, words: "without effect"},
	OverDismissed:   {bad: true, sent: true, effective: true, left: true, words: "dismissed too much"},
	Moved:           {bad: true, left: true, words: "skipped: it changed"},
	Failed:          {bad: true, left: true, words: "failed"},
	Unknown:         {bad: true, sent: true, pending: true, left: true, words: "unknown"},
	NotAttempted:    {bad: true, left: true, words: "not attempted"},
	SkippedEnforce:  {left: true, words: "not enabled"},
	SkippedLimits:   {left: true, words: "refused"},
	SkippedBlocked:  {bad: true, left: true, words: "blocked"},
	SkippedPlanMode: {words: "would be done"},
	SettledTaken:    {sent: true, effective: true, words: "found done"},
	SettledNotTaken: {words: "found not done"},
	SettledPending:  {sent: true, pending: true, words: "not settled yet"},
}

// Bad reports whether the outcome makes the run partial (exit 3).
func (s OutcomeStatus) Bad() bool { return meanings[s].bad }

// Sent reports whether an action with this outcome has, or may have, reached
// the tenant.
func (s OutcomeStatus) Sent() bool { return meanings[s].sent }

// Pending reports whether the effect of the action may still come.
func (s OutcomeStatus) Pending() bool { return meanings[s].pending }

// Effective reports whether the effect of the action was seen.
func (s OutcomeStatus) Effective() bool { return meanings[s].effective }

// Left reports whether a person has to see to what the action was to bring about:
// it was kept back, was not sent, or did not do what it should.
func (s OutcomeStatus) Left() bool {
	m, known := meanings[s]
	return m.left || !known
}

// KeptBack reports whether a guard, a switch or a limit kept the action from
// being carried out.
func (s OutcomeStatus) KeptBack() bool {
	return s == SkippedEnforce || s == SkippedLimits || s == SkippedBlocked
}

// met reports whether what was asked for came about, or was so before.
func (s OutcomeStatus) met() bool {
	return s == SkippedAlready || s.Sent() && !s.Bad()
}

// Met counts the subjects of an order, and those of them for whom all that was
// ordered came about.
func Met(outcomes []Outcome) (met, all int) {
	whole := map[Subject]bool{}
	for _, o := range outcomes {
		so, seen := whole[o.Subject]
		whole[o.Subject] = o.Status.met() && (so || !seen)
	}
	for _, ok := range whole {
		if ok {
			met++
		}
	}
	return met, len(whole)
}

// Words say the outcome for a person.
func (s OutcomeStatus) Words() string {
	if m, ok := meanings[s]; ok {
		return m.words
	}
	return string(s)
}

// Outcome is what became of one action.
type Outcome struct {
	Action    string        `json:"action"` // Action.ID
	Kind      Kind          `json:"kind"`
	Subject   Subject       `json:"subject"`
	Rule      string        `json:"rule,omitempty"`
	Status    OutcomeStatus `json:"status"`
	Detail    string        `json:"detail,omitempty"`
	At        time.Time     `json:"at"`
	RequestID string        `json:"requestId,omitempty"`
	// Run is the earlier run that a settled action belongs to.
	Run string `json:"run,omitempty"`
}
