package graphsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/graphsim/directory"
)

// maxControl is the largest body that a control takes.
const maxControl = 1 << 20

// control answers /_sim: what a test or a person does to the simulation
// itself. It asks for no token, and is neither counted, throttled, journaled
// nor faulted.
func (t *Tenant) control(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/_sim/"), "/")
	routes := map[string]map[string]func(http.ResponseWriter, *http.Request){
		"journal":    {http.MethodGet: t.controlJournal},
		"requests":   {http.MethodGet: t.controlRequests},
		"state":      {http.MethodGet: t.controlState},
		"faults":     {http.MethodGet: t.controlShowFaults, http.MethodPost: t.controlFaults},
		"detections": {http.MethodPost: t.controlRaise},
		"remediate":  {http.MethodPost: t.controlRemediate},
		"add":        {http.MethodPost: t.controlAdd},
		"act":        {http.MethodPost: t.controlAct},
		"signins":    {http.MethodPost: t.controlSignIn},
		"reset":      {http.MethodPost: t.controlReset},
		"clock":      {http.MethodGet: t.controlClock, http.MethodPost: t.controlClock},
	}
	methods, ok := routes[name]
	if !ok {
		controlError(w, http.StatusNotFound, fmt.Errorf("/_sim has no %q; there are %s", name, strings.Join(sortedKeys(routes), ", ")))
		return
	}
	h, ok := methods[r.Method]
	if !ok {
		allow := strings.Join(sortedKeys(methods), ", ")
		w.Header().Set("Allow", allow)
		controlError(w, http.StatusMethodNotAllowed, fmt.Errorf("/_sim/%s takes %s", name, allow))
		return
	}
	h(w, r)
}

func (t *Tenant) controlJournal(w http.ResponseWriter, _ *http.Request) {
	controlAnswer(w, http.StatusOK, t.Journal())
}

func (t *Tenant) controlRequests(w http.ResponseWriter, _ *http.Request) {
	controlAnswer(w, http.StatusOK, t.Requests())
}

func (t *Tenant) controlState(w http.ResponseWriter, _ *http.Request) {
	state, err := t.State()
	if err != nil {
		controlError(w, http.StatusInternalServerError, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(state, '\n')) // the caller may be gone
}

// shownRule is a rule of the script in force, for people.
type shownRule struct {
	Method  string `json:"method,omitempty"`
	Path    string `json:"path,omitempty"`
	Matched int    `json:"matched"`
	Fired   int    `json:"fired"`
}

func (t *Tenant) controlShowFaults(w http.ResponseWriter, _ *http.Request) {
	t.faults.mu.Lock()
	shown := []shownRule{}
	for _, r := range t.faults.rules {
		shown = append(shown, shownRule{r.method, r.path, r.matched, r.fired})
	}
	t.faults.mu.Unlock()
	controlAnswer(w, http.StatusOK, map[string]any{"faults": shown})
}

func (t *Tenant) controlFaults(w http.ResponseWriter, r *http.Request) {
	data, ok := controlBody(w, r)
	if !ok {
		return
	}
	if err := t.SetFaults("faults", data); err != nil {
		controlError(w, http.StatusBadRequest, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (t *Tenant) controlRaise(w http.ResponseWriter, r *http.Request) {
	var in Raised
	if !controlInput(w, r, &in) {
		return
	}
	id, err := t.Raise(in)
	if err != nil {
		controlError(w, http.StatusBadRequest, err)
		return
	}
	controlAnswer(w, http.StatusCreated, map[string]string{"id": id})
}

func (t *Tenant) controlAdd(w http.ResponseWriter, r *http.Request) {
	var in directory.Addition
	if !controlInput(w, r, &in) {
		return
	}
	object, err := t.Add(in)
	if err != nil {
		controlError(w, http.StatusBadRequest, err)
		return
	}
	controlAnswer(w, http.StatusCreated, object)
}

func (t *Tenant) controlRemediate(w http.ResponseWriter, r *http.Request) {
	var in struct {
		UserPrincipalName string `json:"userPrincipalName"`
		Detail            string `json:"detail"`
	}
	if !controlInput(w, r, &in) {
		return
	}
	if err := t.Remediate(in.UserPrincipalName, in.Detail); err != nil {
		controlError(w, http.StatusBadRequest, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (t *Tenant) controlReset(w http.ResponseWriter, _ *http.Request) {
	if err := t.Reset(); err != nil {
		controlError(w, http.StatusInternalServerError, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// controlClock shows the service's time, after moving it on if asked to:
// {"advance":"15m"}.
func (t *Tenant) controlClock(w http.ResponseWriter, r *http.Request) {
	now := t.Now()
	if r.Method == http.MethodPost {
		var in struct {
			Advance string `json:"advance"`
		}
		if !controlInput(w, r, &in) {
			return
		}
		d, err := time.ParseDuration(in.Advance)
		if err != nil || d < 0 {
			controlError(w, http.StatusBadRequest, fmt.Errorf(`advance: %q is not a duration such as "15m"`, in.Advance))
			return
		}
		now = t.Advance(d)
	}
	controlAnswer(w, http.StatusOK, map[string]string{"now": now.Format(time.RFC3339Nano)})
}

func controlBody(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxControl))
	if err != nil {
		controlError(w, http.StatusBadRequest, fmt.Errorf("reading the body: %w", err))
		return nil, false
	}
	return data, true
}

// controlInput reads a JSON body strictly.
func controlInput(w http.ResponseWriter, r *http.Request, to any) bool {
	data, ok := controlBody(w, r)
	if !ok {
		return false
	}
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.DisallowUnknownFields()
	err := d.Decode(to)
	if err == nil && d.More() {
		err = errors.New("there is more after the JSON value")
	}
	if err != nil {
		controlError(w, http.StatusBadRequest, fmt.Errorf("reading the body: %w", err))
		return false
	}
	return true
}

func controlError(w http.ResponseWriter, status int, err error) {
	controlAnswer(w, status, map[string]any{"error": map[string]string{"message": err.Error()}})
}

func controlAnswer(w http.ResponseWriter, status int, body any) {
	b, err := encode(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // the caller may be gone
}
