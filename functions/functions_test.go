package functions_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/functions"
	"github.com/risksweep/risksweep/functions/hosttest"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/runs"
)

const queue = functions.Queue

// drain delivers until the queue is empty.
func (w world) drain(t *testing.T, name string) []error {
	t.Helper()
	var errs []error
	for range 1000 {
		ok, err := w.Deliver(name)
		if err != nil {
			errs = append(errs, err)
		}
		if !ok {
			return errs
		}
	}
	t.Fatal("the queue does not become empty")
	return nil
}

func (w world) complete(t *testing.T, tenant string) []ledger.RunInfo {
	t.Helper()
	infos, err := w.ledger(t, tenant).Runs(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(infos, func(i ledger.RunInfo) bool { return !i.Complete })
}

func TestANight(t *testing.T) {
	w := start(t, hosttest.Options{})
	due := time.Now().UTC().Truncate(time.Second).Add(-time.Second)
	// The timer fires three times for one due time: at least once means often.
	for _, next := range []string{hosttest.Time(due), hosttest.Time(due), due.Format("2006-01-02T15:04:05")} {
		if err := w.Timer("Nightly", next, false); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.Queues.Len(queue); n != 6 {
		t.Errorf("%d messages for 2 tenants and 3 calls, want 6", n)
	}
	if errs := w.drain(t, "SweepTenant"); errs != nil {
		t.Fatal(errs)
	}
	for _, tenant := range []string{"tenant000", "tenant001"} {
		infos := w.complete(t, tenant)
		if len(infos) != 1 || infos[0].ID != runs.ScheduledID(tenant, due, 0) || infos[0].Mode != "apply" {
			t.Errorf("%s: runs %+v", tenant, infos)
		}
		v, err := w.ledger(t, tenant).Verify(t.Context(), "")
		if err != nil || len(v.Problems)+len(v.Incomplete) > 0 {
			t.Errorf("%s: %+v, %v", tenant, v, err)
		}
	}
	if w.Stderr() != "" {
		t.Errorf("stderr, which the host takes for errors: %s", w.Stderr())
	}
	checkLines(t, w.Stdout())
}

// checkLines wants the invocation in every line, and every key once.
func checkLines(t *testing.T, log string) {
	t.Helper()
	for _, line := range strings.Split(strings.TrimSpace(log), "\n") {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry["invocation"] == nil || entry["invocation"] == "" {
			t.Errorf("a line without invocation: %s", line)
		}
		for key := range entry {
			if strings.Count(line, `"`+key+`":`) != 1 {
				t.Errorf("the key %s stands more than once: %s", key, line)
			}
		}
	}
}

// Whatever was given up is recorded as it was.
func TestPoisonRecordsHoldTheTextAsItWas(t *testing.T) {
	w := start(t, hosttest.Options{})
	texts := []string{"", "   ", "null", `"fabrikam.example"`, "fabrikam.example", "fabrikam", "ZmFicmlrYW0=", "{}", " {\"a\": 1}\n", "\"", "7", "[1]", "\u0000\n", "é😀"}
	for _, text := range texts {
		w.Queues.Put(queue+"-poison", text)
	}
	if errs := w.drain(t, "SweepPoisoned"); errs != nil {
		t.Fatal(errs)
	}
	records, err := filepath.Glob(filepath.Join(w.store, "_poison", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, name := range records {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var record struct{ Message *string }
		if err := json.Unmarshal(data, &record); err != nil || record.Message == nil {
			t.Errorf("%s, %v", data, err)
			continue
		}
		got = append(got, *record.Message)
	}
	slices.Sort(got)
	slices.Sort(texts)
	if !slices.Equal(got, texts) {
		t.Errorf("recorded %q, want %q", got, texts)
	}
}

// Every form in which a timer's value was seen, or may be.
func TestEveryFormOfATimer(t *testing.T) {
	w := start(t, hosttest.Options{})
	now := time.Now().UTC().Truncate(time.Second)
	past := now.Add(-time.Hour)
	inner := func(v string) string { return fmt.Sprintf(`{"Data":{"timer":%s},"Metadata":{}}`, v) }
	status := func(next string) string {
		return `{"Schedule":{"AdjustForDST":true},"ScheduleStatus":{"Last":"0001-01-01T00:00:00","Next":` + next + `},"IsPastDue":true}`
	}
	quote := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	for name, c := range map[string]struct {
		body string
		due  time.Time // zero: not the one of the payload
	}{
		"seven digits":      {inner(status(quote(hosttest.Time(past)))), past},
		"six digits":        {inner(status(quote(past.Format("2006-01-02T15:04:05.000000Z07:00")))), past},
		"an offset":         {inner(status(quote(past.In(time.FixedZone("", -5*3600)).Format("2006-01-02T15:04:05-07:00")))), past},
		"no zone":           {inner(status(quote(past.Format("2006-01-02T15:04:05")))), past},
		"text":              {inner(quote(status(quote(hosttest.Time(past))))), past},
		"text in a text":    {inner(quote(quote(status(quote(hosttest.Time(past)))))), past},
		"another name":      {`{"Data":{"myTimer":` + status(quote(hosttest.Time(past))) + `},"Metadata":{}}`, past},
		"without metadata":  {`{"Data":{"timer":` + status(quote(hosttest.Time(past))) + `}}`, past},
		"never":             {inner(status(`"0001-01-01T00:00:00+00:00"`)), time.Time{}},
		"never, no zone":    {inner(status(`"0001-01-01T00:00:00"`)), time.Time{}},
		"never in New York": {inner(status(`"0001-01-01T00:00:00-04:57"`)), time.Time{}},
		"in the future":     {inner(status(quote(hosttest.Time(now.Add(time.Hour))))), time.Time{}},
		// The host's clock may be ahead of the timer by milliseconds, not more.
		"by hand, shortly before": {inner(status(quote(hosttest.Time(now.Add(90 * time.Second))))), time.Time{}},
		"no monitor":              {inner(`{"Schedule":{},"ScheduleStatus":null,"IsPastDue":false}`), time.Time{}},
		"null":                    {inner(`null`), time.Time{}},
		"the text null":           {inner(`"null"`), time.Time{}},
		"an odd time":             {inner(status(`7`)), time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := w.Post("/Nightly", []byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			var orders []runs.Order
			if err := json.Unmarshal(a.Outputs["runs"], &orders); err != nil || len(orders) != 2 {
				t.Fatalf("%s, %v", a.Outputs["runs"], err)
			}
			switch got := orders[0].Due; {
			case !c.due.IsZero() && !got.Equal(c.due):
				t.Errorf("due %s, want %s", got, c.due)
			case c.due.IsZero() && (got.After(time.Now()) || time.Since(got) > 2*time.Minute):
				t.Errorf("due %s, want about now", got)
			}
			byHand := name == "in the future" || name == "by hand, shortly before"
			if (orders[0].Run == runs.ScheduledID("tenant000", orders[0].Due, 0)) == byHand {
				t.Errorf("run %s, by hand: %v", orders[0].Run, byHand)
			}
		})
	}
}

// What no host should send gets a well-formed failure, at once.
func TestCallsThatCannotBeRead(t *testing.T) {
	w := start(t, hosttest.Options{})
	for name, c := range map[string]struct {
		path, body string
		status     int
	}{
		"nothing":               {"/Nightly", ``, 400},
		"null":                  {"/Nightly", `null`, 400},
		"an array":              {"/Nightly", `[]`, 400},
		"cut short":             {"/Nightly", `{"Data":{"timer"`, 400},
		"no data":               {"/Nightly", `{"Metadata":{}}`, 400},
		"a timer that is a 7":   {"/Nightly", `{"Data":{"timer":7}}`, 500},
		"empty data":            {"/Nightly", `{"Data":{}}`, 500},
		"too large":             {"/SweepTenant", `{"Data":{"run":"` + strings.Repeat("x", 2<<20) + `"}}`, 400},
		"no message":            {"/SweepTenant", `{"Data":{"run":null}}`, 500},
		"a message of no kind":  {"/SweepTenant", `{"Data":{"run":"aGVsbG8="}}`, 500},
		"a message of an array": {"/SweepTenant", `{"Data":{"run":"[1]"}}`, 500},
		"no request":            {"/RunsGet", `{"Data":{"req":7}}`, 500},
		"no such function":      {"/Nothing", `{}`, 404},
		"another case":          {"/nightly", `{}`, 404},
		"a path":                {"/Nightly/../x", `{}`, 404},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.Post(c.path, []byte(c.body))
			var f *hosttest.Failure
			if !errors.As(err, &f) || f.Status != c.status || !strings.Contains(f.Reason, `{"Logs":[`) {
				t.Errorf("got %v, want status %d with a JSON object", err, c.status)
			}
		})
	}
	if !w.Alive() || w.Queues.Len(queue) != 0 {
		t.Error("the handler did not outlive it")
	}
}

func message(tenant string, change func(*runs.Order)) string {
	o := runs.Order{SchemaVersion: 1, Run: "20261124T020000Z-0a1b2c", Tenant: tenant, Mode: "plan", Source: runs.API, OrderedAt: time.Now()}
	if change != nil {
		change(&o)
	}
	data, err := json.MarshalIndent(o, "", "  ") // as the host writes objects
	if err != nil {
		panic(err)
	}
	return string(data)
}

func TestEveryFormOfAMessage(t *testing.T) {
	w := start(t, hosttest.Options{})
	quote := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	m := func(i int) string {
		return message("tenant000", func(o *runs.Order) { o.Run = fmt.Sprintf("20261124T02000%dZ-0a1b2c", i) })
	}
	for i, body := range []string{
		string(hosttest.QueuePayload("run", "binary", m(0), 1)),
		string(hosttest.QueuePayload("run", "", m(1), 1)),
		`{"Data":{"run":` + m(2) + `}}`,
		`{"Data":{"run":` + quote(m(3)) + `}}`,
		`{"Data":{"run":` + quote(quote(quote(m(4)))) + `},"Metadata":{"DequeueCount":3}}`,
		`{"Data":{"run":` + quote(" "+m(5)+"\n") + `},"Metadata":{"DequeueCount":"\"3\""}}`,
	} {
		if _, err := w.Post("/SweepTenant", []byte(body)); err != nil {
			t.Errorf("form %d: %v", i, err)
		}
	}
	if n := len(w.complete(t, "tenant000")); n != 6 {
		t.Errorf("%d runs, want 6", n)
	}
}

// Members of a message reach Metadata; none of it is believed.
func TestMetadataIsNotTrusted(t *testing.T) {
	w := start(t, hosttest.Options{})
	body := `{"Data":{"run":` + message("tenant000", nil) + `},"Metadata":{"tenant":"\"tenant001\"","mode":"\"apply\"","DequeueCount":"9","sys":"x"}}`
	if _, err := w.Post("/SweepTenant", []byte(body)); err != nil {
		t.Fatal(err)
	}
	if a, b := w.complete(t, "tenant000"), w.complete(t, "tenant001"); len(a) != 1 || a[0].Mode != "plan" || len(b) != 0 {
		t.Errorf("runs %+v and %+v", a, b)
	}
}

func TestMessagesThatAskForTooMuchAreGivenUp(t *testing.T) {
	w := start(t, hosttest.Options{}, "TEST_MODE=plan")
	for _, m := range []string{
		message("tenant000", func(o *runs.Order) { o.Mode = "apply" }),                          // http.allowApply is off
		message("tenant000", func(o *runs.Order) { o.Mode, o.Source = "apply", runs.Schedule }), // schedule.mode is plan
		message("tenant009", nil), // unknown
		message("tenant000", func(o *runs.Order) { o.Run = "../../x" }), "not an order", "\xff\xfe", // not ours
	} {
		w.Queues.Put(queue, m)
	}
	errs := w.drain(t, "SweepTenant")
	if len(errs) != 6*5 {
		t.Errorf("%d failures, want 6 messages of 5 tries", len(errs))
	}
	if n := len(w.complete(t, "tenant000")); n != 0 {
		t.Errorf("%d runs", n)
	}
	if n := w.Queues.Len(queue + "-poison"); n != 6 {
		t.Errorf("%d poison messages, want 6", n)
	}
	if errs := w.drain(t, "SweepPoisoned"); errs != nil {
		t.Error(errs)
	}
	records, err := filepath.Glob(filepath.Join(w.store, "_poison", "*.json"))
	if err != nil || len(records) != 6 {
		t.Errorf("records %v, %v", records, err)
	}
}

func TestFailuresAreNotHidden(t *testing.T) {
	for how, c := range map[string]struct {
		failures int // of deliveries until the message is gone
		runs     int
		text     string
	}{
		"fail":  {1, 1, "graph said no"}, // it has its report: the second delivery finds it
		"error": {5, 0, "the store is full"},
		"panic": {5, 0, "ended in a panic"},
	} {
		t.Run(how, func(t *testing.T) {
			w := start(t, hosttest.Options{}, "TEST_SWEEP="+how, "TEST_TENANTS=1")
			w.Queues.Put(queue, message("tenant000", nil))
			errs := w.drain(t, "SweepTenant")
			if len(errs) != c.failures || len(errs) > 0 && !strings.Contains(errs[0].Error(), c.text) {
				t.Errorf("failures %v", errs)
			}
			for _, err := range errs {
				if strings.Contains(err.Error(), "secret detail") {
					t.Errorf("an inner detail shows: %v", err)
				}
			}
			if n := len(w.complete(t, "tenant000")); n != c.runs {
				t.Errorf("%d runs, want %d", n, c.runs)
			}
			if !w.Alive() || w.Starts != 1 {
				t.Error("the handler did not outlive it")
			}
		})
	}
}
