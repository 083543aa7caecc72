package risk

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestExportImport(t *testing.T) {
	t.Parallel()
	s := serve(t, 40, 120, Options{Lag: time.Hour})
	s.raise("ada@contoso.com", "aTypeOfTomorrow", "high", "2001:db8::7")
	s.post(users+"/dismiss", s.user("ada@contoso.com").text("id"))
	s.post("/identityProtection/riskyServicePrincipals/confirmCompromised", s.all("/identityProtection/riskyServicePrincipals")[0].text("id"))
	data, err := s.Export()
	if err != nil {
		t.Fatal(err)
	}
	other := serve(t, 12, 3, Options{Seed: 99, Lag: time.Hour})
	if err := other.Import(data); err != nil {
		t.Fatal(err)
	}
	again, err := other.Export()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(data), string(again)); diff != "" {
		t.Fatalf("exported again (-want +got):\n%s", diff)
	}
	for _, at := range []time.Duration{0, 2 * time.Hour} {
		s.now, other.now = begin.Add(at), begin.Add(at)
		for _, set := range []string{detections, users, "/identityProtection/riskyServicePrincipals", "/identityProtection/servicePrincipalRiskDetections"} {
			if diff := cmp.Diff(s.raw(set+"?$top=500"), other.raw(set+"?$top=500")); diff != "" {
				t.Errorf("%s after %s (-want +got):\n%s", set, at, diff)
			}
		}
	}
	if got := other.user("ada@contoso.com").text("riskState"); got != "dismissed" {
		t.Errorf("what was pending did not come: ada is %s", got)
	}
	if other.raise("ada@contoso.com", "generic", "low", "") != s.raise("ada@contoso.com", "generic", "low", "") {
		t.Error("the next detection has another id")
	}
}

func TestImportRefuses(t *testing.T) {
	t.Parallel()
	s := serve(t, 12, 20, Options{})
	data, err := s.Export()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ old, fresh, want string }{
		{`"version":1`, `"version":2`, "risk state: version 2 is not 1"},
		{`"seed":"1"`, `"seed":"x"`, `risk state: seed "x" is not a number`},
		{`"state":"atRisk"`, `"state":"fine"`, `risk state: "fine" is not a member of microsoft.graph.riskState`},
		{`"subject":0`, `"subject":9999`, "is out of range"},
		{`"detected":"2`, `"detected":"x2`, "is not a time"},
		{`"ip":"203`, `"ip":"999`, "is not an IP address"},
		{`{`, `[`, "risk state: "},
	} {
		broken := strings.Replace(string(data), tt.old, tt.fresh, 1)
		if broken == string(data) {
			t.Fatalf("%s is not in the state", tt.old)
		}
		if err := s.Import([]byte(broken)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.fresh, err, tt.want)
		}
	}
	after, err := s.Export()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(data), string(after)); diff != "" {
		t.Errorf("a refused import changed something (-want +got):\n%s", diff)
	}
}

// simple is what the documentation says a user's risk is, without any of the
// service's bookkeeping.
type simple struct {
	open    []opened // what is open, in order
	state   string
	waiting []waiting
}

type opened struct {
	level int
	// admin is what an administrator's confirmation added.
	admin bool
}

type waiting struct {
	at     time.Time
	action string
	// meant is how many of the open detections are meant.
	meant int
}

func (m *simple) settle(now time.Time) {
	for len(m.waiting) > 0 && !m.waiting[0].at.After(now) {
		w := m.waiting[0]
		m.waiting = m.waiting[1:]
		if w.action == "confirmCompromised" {
			if m.state != "confirmedCompromised" {
				m.state = "confirmedCompromised"
				m.open = append(m.open, opened{3, true})
			}
			continue
		}
		closed := map[string]string{"dismiss": "dismissed", "confirmSafe": "confirmedSafe"}[w.action]
		atRisk := m.state == "atRisk" || m.state == "confirmedCompromised"
		if (w.action == "dismiss" && !atRisk) || m.state == closed {
			continue
		}
		m.close(len(m.open[:min(w.meant, len(m.open))]), closed)
	}
}

func (m *simple) close(n int, state string) {
	for i := range m.waiting {
		m.waiting[i].meant = max(m.waiting[i].meant-n, 0)
	}
	m.open = append([]opened(nil), m.open[n:]...)
	if len(m.open) > 0 {
		state = "atRisk"
		if slices.ContainsFunc(m.open, func(o opened) bool { return o.admin }) {
			state = "confirmedCompromised"
		}
	}
	m.state = state
}

func (m *simple) level() string {
	highest := 0
	for _, o := range m.open {
		highest = max(highest, o.level)
	}
	return []string{"none", "low", "medium", "high"}[highest]
}

// TestAgreesWithASimpleModel lets a user's life happen at random.
func TestAgreesWithASimpleModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		lag := rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(rt, "lag")
		s := serve(t, 12, 0, Options{Lag: lag})
		m := &simple{state: "none"}
		id := s.people[s.byUPN["ada@contoso.com"]].id
		known := false
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			s.now = s.now.Add(time.Duration(rapid.IntRange(0, 90).Draw(rt, "seconds")) * time.Second)
			m.settle(s.now)
			switch act := rapid.SampledFrom([]string{"raise", "raise", "dismiss", "confirmSafe", "confirmCompromised", "passwordReset", "carry over"}).Draw(rt, "act"); act {
			case "raise":
				level := rapid.IntRange(1, 3).Draw(rt, "level")
				s.raise("ada@contoso.com", "unfamiliarFeatures", []string{"", "low", "medium", "high"}[level], "192.0.2.1")
				m.open = append(m.open, opened{level, false})
				if m.state != "confirmedCompromised" {
					m.state = "atRisk"
				}
				known = true
			case "passwordReset":
				err := s.Remediate("ada@contoso.com", "userPerformedSecuredPasswordReset")
				if (err == nil) != (len(m.open) > 0) {
					rt.Fatalf("remediate: %v with %d open", err, len(m.open))
				}
				if err == nil {
					m.close(len(m.open), "remediated")
				}
			case "carry over":
				data, err := s.Export()
				if err != nil {
					rt.Fatal(err)
				}
				if err := s.Import(data); err != nil {
					rt.Fatal(err)
				}
			default:
				if act == "confirmCompromised" {
					known = true
				}
				if !known {
					if e := s.refused("POST", users+"/"+act, `{"userIds":["`+id+`"]}`); e.Status != 400 {
						rt.Fatal(e)
					}
					continue
				}
				atRisk := m.state == "atRisk" || m.state == "confirmedCompromised"
				changes := map[string]bool{"dismiss": atRisk, "confirmSafe": m.state != "confirmedSafe", "confirmCompromised": m.state != "confirmedCompromised"}[act]
				if got := s.post(users+"/"+act, id); got != changes {
					rt.Fatalf("%s of a user %s: effect %v", act, m.state, got)
				}
				if changes {
					m.waiting = append(m.waiting, waiting{s.now.Add(lag), act, len(m.open)})
				}
				m.settle(s.now)
			}
			if !known {
				continue
			}
			u := s.one(users + "/" + id)
			if u.text("riskLevel") != m.level() || u.text("riskState") != m.state || u["isProcessing"] != (len(m.waiting) > 0) {
				rt.Fatalf("the user is %v, want %s %s with %d waiting", u, m.level(), m.state, len(m.waiting))
			}
			open := s.all(detections + "?$filter=" + query("riskState in ('atRisk','confirmedCompromised')"))
			if len(open) != len(m.open) {
				rt.Fatalf("%d detections are open, want %d", len(open), len(m.open))
			}
			rows := map[string]bool{}
			for _, h := range s.all(users + "/" + id + "/history?$top=500") {
				if rows[h.text("id")] {
					rt.Fatalf("history row %s is there twice", h.text("id"))
				}
				rows[h.text("id")] = true
			}
			if !rows[id] && m.state != "none" {
				rt.Fatal("no row of the current state")
			}
		}
	})
}
