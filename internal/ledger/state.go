package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	fastjson "github.com/go-json-experiment/json/v1"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// StateVersion is the version of state.json that this program writes.
const StateVersion = 1

// State is what a run must know of the runs before it.
type State struct {
	SchemaVersion int `json:"schemaVersion"`
	// Watermark is the service's time at the start of the last complete read,
	// LastFull that of the last full one.
	Watermark time.Time `json:"watermark,omitzero"`
	LastFull  time.Time `json:"lastFull,omitzero"`
	// Head is the hash of the last manifest in the chain, HeadRun its run.
	Head    string `json:"head,omitempty"`
	HeadRun string `json:"headRun,omitempty"`
	// Owned are the objects that stand for the keys of the baseline.
	Owned plan.OwnedObjects `json:"owned,omitempty"`
	// Exclusions are the users whom exceptions keep out of policies.
	Exclusions []plan.Exclusion `json:"exclusions,omitempty"`
	// Dismissals and Confirmations are the recent ones.
	Dismissals    []PastAction `json:"dismissals,omitempty"`
	Confirmations []PastAction `json:"confirmations,omitempty"`
	// Closings are the recent closings of single detections.
	Closings []PastAction `json:"closings,omitempty"`
	// Containments are the recent actions on accounts.
	Containments []PastAction `json:"containments,omitempty"`
	// GroupMembers are the members of allow-listed groups at the last run.
	GroupMembers map[entra.ID][]entra.ID `json:"groupMembers,omitempty"`
	// BreakGlassSignIns are the last sign-ins of the break-glass accounts: the
	// service's log keeps 30 days.
	BreakGlassSignIns map[entra.ID]time.Time `json:"breakGlassSignIns,omitempty"`
	// BreakGlassWatched is the service's time up to which the logs were last read
	// for what break-glass accounts did.
	BreakGlassWatched time.Time `json:"breakGlassWatched,omitzero"`
	// OpenRuns began to write and have intents without an outcome;
	// SettledActions ("run/action") are those of them that are settled.
	OpenRuns       []string `json:"openRuns,omitempty"`
	SettledActions []string `json:"settledActions,omitempty"`
	// Writers are the runs that began to write lately. A run's id may be dated by
	// the time at which it was due, days before it acts.
	Writers []Writer `json:"writers,omitempty"`
}

// Writer is a run that began to write to the tenant at a time of our clock.
type Writer struct {
	Run string    `json:"run"`
	At  time.Time `json:"at"`
}

// keepWriters is how long a run stands among the writers: longer than the
// longest run and the time over which the limits count.
const keepWriters = 96 * time.Hour

// BeginsToWrite marks a run as open and as a writer, before its first write.
func (s *State) BeginsToWrite(run string, now time.Time) {
	s.OpenRuns = append(s.OpenRuns, run)
	s.Writers = slices.DeleteFunc(s.Writers, func(w Writer) bool { return w.Run == run || w.At.Before(now.Add(-keepWriters)) })
	s.Writers = append(s.Writers, Writer{Run: run, At: now.UTC()})
}

// Unpruned are the runs that retention must leave: those with something to
// settle, and those that the limits may still count.
func (s *State) Unpruned() []string {
	runs := slices.Clone(s.OpenRuns)
	for _, w := range s.Writers {
		runs = append(runs, w.Run)
	}
	return runs
}

// PastAction is an action on a user that a run sent.
type PastAction struct {
	// Kind says what a containment did; the others stand in lists of their own.
	Kind   plan.Kind `json:"kind,omitempty"`
	UserID entra.ID  `json:"userId"`
	At     time.Time `json:"at"`
	Run    string    `json:"run"`
	// RiskLastUpdatedDateTime and Detections are the risk that it answered.
	RiskLastUpdatedDateTime entra.DateTime `json:"riskLastUpdatedDateTime"`
	Detections              []string       `json:"detections,omitempty"`
	// Outcome is the one it had last.
	Outcome plan.OutcomeStatus `json:"outcome"`
}

// Remember enters what became of an action on a user, in place of what was
// known of it.
func (s *State) Remember(kind plan.Kind, p PastAction) {
	s.Forget(kind, p.UserID, p.Run)
	switch kind.Record() {
	case plan.Closing:
		s.Closings = append(s.Closings, p)
	case plan.Containment:
		p.Kind = kind
		s.Containments = append(s.Containments, p)
	case plan.Dismissal:
		s.Dismissals = append(s.Dismissals, p)
	case plan.Confirmation:
		s.Confirmations = append(s.Confirmations, p)
	}
}

// Forget takes an action that a run has sent for a user out of the state.
func (s *State) Forget(kind plan.Kind, user entra.ID, run string) {
	of := func(p PastAction) bool { return p.UserID == user && p.Run == run && (p.Kind == "" || p.Kind == kind) }
	switch kind.Record() {
	case plan.Dismissal:
		s.Dismissals = slices.DeleteFunc(s.Dismissals, of)
	case plan.Confirmation:
		s.Confirmations = slices.DeleteFunc(s.Confirmations, of)
	case plan.Closing:
		s.Closings = slices.DeleteFunc(s.Closings, of)
	case plan.Containment:
		s.Containments = slices.DeleteFunc(s.Containments, of)
	}
}

// ForgetBefore drops the actions on users that are older than a time.
func (s *State) ForgetBefore(edge time.Time) {
	s.forget(func(p PastAction) bool { return p.At.Before(edge) })
}

func (s *State) forget(which func(PastAction) bool) {
	s.Dismissals = slices.DeleteFunc(s.Dismissals, which)
	s.Confirmations = slices.DeleteFunc(s.Confirmations, which)
	s.Closings = slices.DeleteFunc(s.Closings, which)
	s.Containments = slices.DeleteFunc(s.Containments, which)
}

// State reads the tenant's state and its version; an empty state with the empty
// version if there is none yet. A state that is damaged or newer than this
// program is an error: it is never reset by itself.
func (l *Ledger) State(ctx context.Context) (State, string, error) {
	name := l.name("state.json")
	data, version, err := l.store.Get(ctx, name)
	switch {
	case errors.Is(err, blobstore.ErrNotFound):
		return State{SchemaVersion: StateVersion}, "", nil
	case err != nil:
		return State{}, "", fmt.Errorf("reading the state: %w", err)
	}
	s, err := ParseState(data)
	if err != nil {
		return State{}, "", fmt.Errorf("%s: %w", name, err)
	}
	return s, version, nil
}

// ParseState reads state.json.
func ParseState(data []byte) (State, error) {
	if s, err := strictly(data); err == nil && s.SchemaVersion == StateVersion {
		return s, nil // as nearly always; what else it is, is found out below
	}
	var head struct {
		SchemaVersion *int `json:"schemaVersion"`
	}
	const mend = "restore it from a backup; or move it away, run a plan, and take the live policies into ownership again with `risksweep baseline adopt`"
	if err := json.Unmarshal(data, &head); err != nil || head.SchemaVersion == nil || *head.SchemaVersion < 1 {
		return State{}, fmt.Errorf("the state %w and is not read; %s", errCorrupt, mend)
	}
	if *head.SchemaVersion > StateVersion {
		return State{}, fmt.Errorf("the state has schema version %d, this program knows %d: use the newer risksweep that wrote it", *head.SchemaVersion, StateVersion)
	}
	for v := *head.SchemaVersion; v < StateVersion; v++ {
		var err error
		if data, err = migrations[v](data); err != nil {
			return State{}, fmt.Errorf("bringing the state from version %d to %d: %w", v, v+1, err)
		}
	}
	s, err := strictly(data)
	if err != nil {
		return State{}, fmt.Errorf("the state %w and is not read (%v); %s", errCorrupt, err, mend)
	}
	return s, nil
}

// strictly decodes a state in which nothing is unknown and after which nothing stands.
func strictly(data []byte) (s State, err error) {
	dec := fastjson.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return s, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return s, errors.New("data after the end")
	}
	return s, nil
}

// migrations bring a state from the version of their key to the next.
var migrations = map[int]func([]byte) ([]byte, error){}

// SaveState writes the state if it is still the version that was read.
func (l *Ledger) SaveState(ctx context.Context, s State, version string) (string, error) {
	s.SchemaVersion = StateVersion
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return "", err
	}
	v, err := l.store.PutIf(ctx, l.name("state.json"), append(data, '\n'), version)
	if errors.Is(err, blobstore.ErrChanged) {
		return "", fmt.Errorf("the state was changed by somebody else during this run: %w", err)
	}
	return v, err
}
