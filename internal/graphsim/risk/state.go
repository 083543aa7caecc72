package risk

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/graphsim/odata"
)

// stateVersion is the version of the exported state.
const stateVersion = 1

type state struct {
	Version int           `json:"version"`
	Seed    string        `json:"seed"` // decides ids and texts
	People  []personState `json:"people"`
	// Workloads are the service principals that may be at risk.
	Workloads  []subjectState `json:"workloads"`
	Admin      string         `json:"admin,omitempty"`
	Users      registerState  `json:"users"`
	Principals registerState  `json:"principals"`
	Queue      []pending      `json:"queue,omitempty"`
}

type personState struct {
	ID      string `json:"id"`
	UPN     string `json:"upn"`
	Name    string `json:"name"`
	Guest   bool   `json:"guest,omitempty"`
	Deleted bool   `json:"deleted,omitempty"`
}

type registerState struct {
	Subjects   []subjectState   `json:"subjects"`
	Detections []detectionState `json:"detections"`
}

type subjectState struct {
	ID            string      `json:"id"`
	Name          string      `json:"name"`
	UPN           string      `json:"upn,omitempty"`
	AppID         string      `json:"appId,omitempty"`
	PrincipalType string      `json:"type,omitempty"`
	Deleted       bool        `json:"deleted,omitempty"`
	Disabled      bool        `json:"disabled,omitempty"`
	Level         string      `json:"level"`
	State         string      `json:"state"`
	Detail        string      `json:"detail"`
	Updated       string      `json:"updated,omitempty"`
	Deeds         []deedState `json:"deeds,omitempty"`
}

type deedState struct {
	At         string   `json:"at"`
	Level      string   `json:"level"`
	State      string   `json:"state"`
	Detail     string   `json:"detail"`
	Cause      string   `json:"cause"`
	EventTypes []string `json:"eventTypes,omitempty"`
	By         string   `json:"by,omitempty"`
}

type detectionState struct {
	Subject   int32  `json:"subject"`
	EventType string `json:"type"`
	Level     string `json:"level"`
	State     string `json:"state"`
	Detail    string `json:"detail"`
	Activity  string `json:"activity"`
	Detected  string `json:"detected"`
	Updated   string `json:"updated"`
	IP        string `json:"ip,omitempty"`
	Place     uint16 `json:"place,omitempty"`
	Timing    uint8  `json:"timing"`
	Kind      uint8  `json:"kind"`
	Issuer    uint8  `json:"issuer,omitempty"`
	ThenLevel string `json:"thenLevel"`
	ThenState string `json:"thenState"`
	Quiet     bool   `json:"quiet,omitempty"`
}

// Export writes the whole state; Import of it gives the same answers.
func (w *Workload) Export() (json.RawMessage, error) {
	s := state{
		Version: stateVersion, Seed: strconv.FormatUint(w.opt.Seed, 10), Admin: w.admin,
		People: make([]personState, len(w.people)), Workloads: []subjectState{},
		Users: w.users.export(), Principals: w.principals.export(), Queue: w.queue,
	}
	for i, p := range w.people {
		s.People[i] = personState{p.id, p.upn, p.name, p.guest, p.deleted}
	}
	for i := range w.workloads {
		s.Workloads = append(s.Workloads, w.workloads[i].export())
	}
	return json.Marshal(s)
}

func (r *register) export() registerState {
	out := registerState{Subjects: make([]subjectState, len(r.subjects)), Detections: make([]detectionState, len(r.detections))}
	for i := range r.subjects {
		out.Subjects[i] = r.subjects[i].export()
	}
	for i := range r.detections {
		d := &r.detections[i]
		out.Detections[i] = detectionState{
			Subject: d.subject, EventType: r.words.types[d.event].name,
			Level: levelEnum.Members[d.level], State: stateEnum.Members[d.state], Detail: detailEnum.Members[d.detail],
			Activity: odata.FormatTicks(d.activityAt), Detected: odata.FormatTicks(d.detectedAt), Updated: odata.FormatTicks(d.updatedAt),
			IP: d.ip(), Place: d.place, Timing: d.timing, Kind: d.kind, Issuer: d.issuer,
			ThenLevel: levelEnum.Members[d.thenLevel], ThenState: stateEnum.Members[d.thenState], Quiet: d.quiet,
		}
	}
	return out
}

func (s *subject) export() subjectState {
	out := subjectState{
		ID: s.id, Name: s.name, UPN: s.upn, AppID: s.appID, PrincipalType: s.principalType, Deleted: s.deleted, Disabled: s.disabled,
		Level: levelEnum.Members[s.level], State: stateEnum.Members[s.state], Detail: detailEnum.Members[s.detail],
	}
	if s.updatedAt != 0 {
		out.Updated = odata.FormatTicks(s.updatedAt)
	}
	for _, d := range s.deeds {
		out.Deeds = append(out.Deeds, deedState{
			At: odata.FormatTicks(d.at), Level: levelEnum.Members[d.level], State: stateEnum.Members[d.state],
			Detail: detailEnum.Members[d.detail], Cause: detailEnum.Members[d.cause], EventTypes: d.eventTypes, By: d.by,
		})
	}
	return out
}

// reader turns names and times back; it keeps the first mistake.
type reader struct{ err error }

func (in *reader) fail(format string, args ...any) {
	if in.err == nil {
		in.err = fmt.Errorf(format, args...)
	}
}

func (in *reader) member(e *odata.Enumeration, name string) uint8 {
	for i, m := range e.Members {
		if m == name {
			return uint8(i) //nolint:gosec // a short table
		}
	}
	in.fail("%q is not a member of %s", name, e.Name)
	return 0
}

func (in *reader) time(text string) int64 {
	if text == "" {
		return 0
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		in.fail("%q is not a time", text)
	}
	return odata.Ticks(t)
}

func (in *reader) subject(s subjectState) subject {
	out := subject{
		id: s.ID, name: s.Name, upn: s.UPN, appID: s.AppID, principalType: s.PrincipalType, deleted: s.Deleted, disabled: s.Disabled,
		level: in.member(levelEnum, s.Level), state: in.member(stateEnum, s.State), detail: in.member(detailEnum, s.Detail),
		updatedAt: in.time(s.Updated),
	}
	for _, d := range s.Deeds {
		out.deeds = append(out.deeds, deed{
			at: in.time(d.At), level: in.member(levelEnum, d.Level), state: in.member(stateEnum, d.State), detail: in.member(detailEnum, d.Detail),
			cause: in.member(detailEnum, d.Cause), eventTypes: d.EventTypes, by: d.By,
		})
	}
	return out
}

func (in *reader) register(seed uint64, principals bool, s registerState) *register {
	r := newRegister(seed, principals)
	for i, item := range s.Subjects {
		if r.subject(item.ID) != nil {
			in.fail("subject %d: id %q is there twice", i, item.ID)
		}
		r.add(in.subject(item))
	}
	r.detections = make([]detection, len(s.Detections))
	for i, item := range s.Detections {
		event, ok := r.words.intern(item.EventType)
		if !ok || item.EventType == "" {
			in.fail("detection %d: event type %q cannot be taken", i, item.EventType)
		}
		d := detection{
			subject: item.Subject, event: event, place: item.Place,
			level: in.member(levelEnum, item.Level), state: in.member(stateEnum, item.State), detail: in.member(detailEnum, item.Detail),
			activityAt: in.time(item.Activity), detectedAt: in.time(item.Detected), updatedAt: in.time(item.Updated),
			timing: item.Timing, kind: item.Kind, issuer: item.Issuer,
			thenLevel: in.member(levelEnum, item.ThenLevel), thenState: in.member(stateEnum, item.ThenState), quiet: item.Quiet,
		}
		if item.IP != "" {
			ip, err := netip.ParseAddr(item.IP)
			if err != nil {
				in.fail("detection %d: %q is not an IP address", i, item.IP)
			} else {
				d.address = ip.As16()
			}
		}
		if item.Subject < 0 || int(item.Subject) >= len(r.subjects) || int(item.Place) >= len(places) ||
			int(item.Timing) >= len(timingEnum.Members) || int(item.Kind) >= len(activityEnum.Members) || int(item.Issuer) >= len(issuerEnum.Members) {
			in.fail("detection %d: a number is out of range", i)
			continue
		}
		if i > 0 && d.detectedAt < r.detections[i-1].detectedAt {
			in.fail("detection %d: detected before the one that it follows", i)
		}
		r.detections[i] = d
		owner := &r.subjects[d.subject]
		owner.detections = append(owner.detections, int32(i)) //nolint:gosec // detections of one tenant
	}
	return r
}

// Import replaces the whole state by an exported one; on an error nothing has
// changed.
func (w *Workload) Import(data json.RawMessage) error {
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("risk state: %w", err)
	}
	if s.Version != stateVersion {
		return fmt.Errorf("risk state: version %d is not %d", s.Version, stateVersion)
	}
	seed, err := strconv.ParseUint(s.Seed, 10, 64)
	if err != nil {
		return fmt.Errorf("risk state: seed %q is not a number", s.Seed)
	}
	in := &reader{}
	users, principals := in.register(seed, false, s.Users), in.register(seed, true, s.Principals)
	for i, p := range s.Queue {
		r := users
		if p.Principals {
			r = principals
		}
		if p.Subject < 0 || int(p.Subject) >= len(r.subjects) || p.Feedback > feedbackSignInSafe {
			in.fail("queue %d: a number is out of range", i)
			continue
		}
		r.subjects[p.Subject].busy++
	}
	people := make([]person, len(s.People))
	byID, byUPN := make(map[string]int, len(people)), make(map[string]int, len(people))
	for i, p := range s.People {
		people[i] = person{id: p.ID, upn: p.UPN, name: p.Name, guest: p.Guest, deleted: p.Deleted}
		byID[strings.ToLower(p.ID)], byUPN[strings.ToLower(p.UPN)] = i, i
	}
	var workloads []subject
	for _, p := range s.Workloads {
		workloads = append(workloads, in.subject(p))
	}
	if in.err != nil {
		return fmt.Errorf("risk state: %w", in.err)
	}
	w.opt.Seed, w.admin, w.people, w.byID, w.byUPN = seed, s.Admin, people, byID, byUPN
	w.workloads, w.users, w.principals, w.queue = workloads, users, principals, nil
	for _, p := range s.Queue {
		w.later(p)
	}
	return nil
}
