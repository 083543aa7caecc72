package simulation

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/expectation"
	"github.com/risksweep/risksweep/internal/graphsim"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/sweep"
)

const expectedBaseline = `
breakGlass: {users: [bg1@contoso.com, bg2@contoso.com]}
policies:
  - key: P1
    displayName: P1 Second factor
    state: enabled
    conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All]}}
    grantControls: {operator: OR, builtInControls: [mfa]}
  - key: P2
    displayName: P2 Legacy
    state: enabledForReportingButNotEnforced
    conditions: {clientAppTypes: [exchangeActiveSync, other], applications: {includeApplications: [All]}, users: {includeUsers: [All]}}
    grantControls: {operator: OR, builtInControls: [block]}
`

// unresolved answers no question for names.
type unresolved struct{ sweep.AccessReader }

func (unresolved) Resolve(context.Context, []entra.Ref) (entra.Names, error) {
	return nil, errors.New("no answer")
}

// TestNoWriteBreaksAnExpectation: what the changes of a plan would break, or what
// cannot be judged, keeps all of them back, also those that break nothing; those
// of the way back too.
func TestNoWriteBreaksAnExpectation(t *testing.T) {
	inOffice(t, graphsim.Options{Seed: 5, Users: 20, Policies: 0}, expectedBaseline, func(w *office) {
		expected, problems := expectation.Parse("e.yaml", []byte("expectations:\n  - {name: a second factor, everyone: true, app: All, expect: {outcome: granted, demands: [mfa]}}\n"))
		if err := problems.Err(); err != nil {
			t.Fatal(err)
		}
		var access func(sweep.AccessReader) sweep.AccessReader
		w.change = func(s *sweep.Sweeper) {
			s.Expectations, s.Settings.Limits.MaxPolicyDeletes = expected, 50
			if access != nil {
				s.Access = access(s.Access)
			}
		}
		written := func() string {
			var states []string
			list, _ := w.act("bg1@contoso.com", "GET", "/identity/conditionalAccess/policies", "")["value"].([]any)
			for _, p := range list {
				m, _ := p.(map[string]any)
				states = append(states, m["displayName"].(string)+"="+m["state"].(string))
			}
			return strings.Join(states, " ")
		}
		made := w.run(sweep.Apply, true)
		before := written()
		if !strings.Contains(before, "P1 Second factor=enabled ") && !strings.HasSuffix(before, "P1 Second factor=enabled") {
			t.Fatalf("%s: %v", before, made.Plan.Violations)
		}
		held := func(name string, res sweep.Result, why string) {
			t.Helper()
			if now := written(); now != before {
				t.Errorf("%s: %s is now %s", name, before, now)
			}
			ready := 0
			for _, a := range res.Plan.Actions {
				if a.Status == plan.Ready {
					ready++
				}
			}
			if ready > 0 || res.Status != sweep.Refused || len(res.Plan.Violations) == 0 || !strings.Contains(res.Plan.Violations[0].Text, why) {
				t.Errorf("%s: %s, %d ready, %v", name, res.Status, ready, res.Plan.Violations)
			}
			time.Sleep(time.Hour)
		}
		time.Sleep(time.Hour)
		weaker := strings.Replace(strings.Replace(expectedBaseline, "state: enabled\n", "state: disabled\n", 1), "NotEnforced", "NotEnforced\n    description: changed too", 1)
		w.read(weaker)
		held("disabled", w.run(sweep.Apply, true), "a second factor")

		w.read(strings.Replace(expectedBaseline, "builtInControls: [block]", "builtInControls: [mfa]", 1))
		access = func(a sweep.AccessReader) sweep.AccessReader { return unresolved{a} }
		held("not judged", w.run(sweep.Apply, true), "cannot be judged")

		access = nil
		w.read(expectedBaseline)
		w.ask = func(r *sweep.Request) { r.Rollback = &sweep.Rollback{Run: made.Run} }
		held("rolled back", w.run(sweep.Apply, true), "a second factor")
	})
}

// TestARollbackTouchesWhatItsRunHasSent: what the run has only tried, and a later
// one has done, is that one's.
func TestARollbackTouchesWhatItsRunHasSent(t *testing.T) {
	inOffice(t, graphsim.Options{Seed: 6, Users: 20, Policies: 0}, officeBaseline, func(w *office) {
		described := func() map[string]string {
			out := map[string]string{}
			list, _ := w.act("bg1@contoso.com", "GET", "/identity/conditionalAccess/policies", "")["value"].([]any)
			for _, p := range list {
				m, _ := p.(map[string]any)
				text, _ := m["description"].(string)
				out[m["displayName"].(string)] = text
			}
			return out
		}
		faults := func(text string) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/_sim/faults", strings.NewReader(text))
			answer := httptest.NewRecorder()
			if w.sim.Handler().ServeHTTP(answer, r); answer.Code >= 300 {
				t.Fatal(answer.Body)
			}
		}
		w.run(sweep.Apply, true)
		time.Sleep(time.Hour)
		w.read(strings.ReplaceAll(officeBaseline, "    state:", "    description: changed\n    state:"))
		faults("faults: [{match: {method: PATCH, nth: 1}, do: {status: 400}}]")
		first := w.run(sweep.Apply, true)
		faults("faults: []")
		time.Sleep(time.Hour)
		w.run(sweep.Apply, true)
		want := described()
		if len(want) != 2 {
			t.Fatal(want)
		}
		failed := 0
		for _, o := range first.Outcomes {
			if o.Status == plan.Done {
				want[o.Subject.Name] = ""
			} else {
				failed++
			}
		}
		if failed != 1 {
			t.Fatal(first.Outcomes)
		}
		time.Sleep(time.Hour)
		w.ask = func(r *sweep.Request) { r.Rollback = &sweep.Rollback{Run: first.Run} }
		w.run(sweep.Apply, true)
		if got := described(); !maps.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}
