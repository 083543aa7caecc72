package daemon

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"github.com/risksweep/risksweep/internal/runs"
)

// metrics are what /metrics shows, in a registry of their own.
type metrics struct {
	registry *prometheus.Registry
	now      func() time.Time
	tenants  []string

	runs, actions, requests, throttled, retried, http *prometheus.CounterVec
	running, duration, open, uncovered                *prometheus.GaugeVec

	// overdue counts the exceptions of a tenant that are over and still in
	// force; nil: nobody can.
	overdue func(ctx context.Context, tenant string) (int, error)

	// counted gives the numbers of the last runs by tenant; nil: nobody can.
	counted func(context.Context) (map[string]Numbers, error)

	mu      sync.Mutex
	success map[string]time.Time // end of the last run that did all it should
	levels  map[string]bool      // tenant/level that were shown
}

var (
	successAt  = prometheus.NewDesc("risksweep_last_success_timestamp_seconds", "End of the last run that succeeded; 0 if there was none.", []string{"tenant"}, nil)
	successAge = prometheus.NewDesc("risksweep_last_success_age_seconds", "Age of the last run that succeeded; +Inf if there was none.", []string{"tenant"}, nil)
	trouble    = prometheus.NewDesc("risksweep_in_trouble", "1 if the tenant's last run did not do all it should, may not write, or is too long ago.", []string{"tenant"}, nil)
	overdue    = prometheus.NewDesc("risksweep_exceptions_overdue", "Users whom exceptions keep out of policies though they are over, each policy counted.", []string{"tenant"}, nil)
)

// numbers are what the last run that read the whole tenant counted.
var numbers = []struct {
	desc *prometheus.Desc
	of   func(Numbers) int
}{
	{prometheus.NewDesc("risksweep_at_risk_users", "Users at risk, at the last run that read the whole tenant.", []string{"tenant"}, nil), func(n Numbers) int { return n.AtRisk }},
	{prometheus.NewDesc("risksweep_needs_person_users", "Users whom no rule settles, at the last run that read the whole tenant.", []string{"tenant"}, nil), func(n Numbers) int { return n.NeedsPerson }},
	{prometheus.NewDesc("risksweep_campaign_users", "Users of the largest group whose risk belongs together, at the last run that read the whole tenant; 0 without one.", []string{"tenant"}, nil), func(n Numbers) int { return n.CampaignUsers }},
	{prometheus.NewDesc("risksweep_beyond_sla_users", "Those of them who wait for longer than report.sla allows.", []string{"tenant"}, nil), func(n Numbers) int { return n.BeyondSLA }},
	{prometheus.NewDesc("risksweep_drifted_objects", "Policies and locations that are not as the baseline says, at the last run that read the whole tenant.", []string{"tenant"}, nil), func(n Numbers) int { return n.Drift }},
}

// storeWithin is how long one look may read the store, for all tenants, and
// storeReaders how many of them are read at a time.
const (
	storeWithin  = 5 * time.Second
	storeReaders = 16
)

func newMetrics(o Options) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "risksweep_" + name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "risksweep_" + name, Help: help}, labels)
	}
	m := &metrics{
		registry: prometheus.NewRegistry(), now: o.Now, overdue: o.Overdue, counted: o.Numbers, tenants: o.Tenants, success: map[string]time.Time{}, levels: map[string]bool{},
		runs:      counter("runs_total", "Runs by how they ended; error: an order did not start a run.", "tenant", "mode", "status"),
		actions:   counter("actions_total", "Actions by what became of them.", "tenant", "kind", "outcome"),
		requests:  counter("graph_requests_total", "Requests sent to Microsoft Graph.", "tenant"),
		throttled: counter("graph_throttled_total", "Requests that Microsoft Graph throttled.", "tenant"),
		retried:   counter("graph_retried_total", "Requests that were sent again.", "tenant"),
		http:      counter("http_requests_total", "Calls of the API.", "route", "code"),
		running:   gauge("running", "1 while the tenant is being swept.", "tenant"),
		duration:  gauge("last_run_duration_seconds", "How long the last run took.", "tenant"),
		open:      gauge("open_risk_users", "Users with open risk at the last run, by risk level.", "tenant", "level"),
	}
	m.uncovered = gauge("uncovered_risk_users", "Users with open risk that no enabled policy meets, at the last run that judged them.", "tenant")
	build := gauge("build_info", "Always 1.", "version")
	build.WithLabelValues(o.Version).Set(1)
	m.registry.MustRegister(m, m.runs, m.actions, m.requests, m.throttled, m.retried, m.http, m.running, m.duration, m.open, m.uncovered, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, t := range o.Tenants {
		m.running.WithLabelValues(t).Set(0)
		m.requests.WithLabelValues(t).Add(0)
		m.throttled.WithLabelValues(t).Add(0)
	}
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// Describe is of prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- successAt
	ch <- successAge
	ch <- overdue
	ch <- trouble
	for _, n := range numbers {
		ch <- n.desc
	}
}

// Collect is of prometheus.Collector: ages are those of the moment.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	m.stored(ch)
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	for _, t := range m.tenants {
		at, age := 0.0, math.Inf(1)
		if s := m.success[t]; !s.IsZero() {
			at, age = float64(s.UnixMilli())/1000, now.Sub(s).Seconds()
		}
		ch <- prometheus.MustNewConstMetric(successAt, prometheus.GaugeValue, at, t)
		ch <- prometheus.MustNewConstMetric(successAge, prometheus.GaugeValue, age, t)
	}
}

// stored shows what stands in the store. What is not known in time is not shown.
func (m *metrics) stored(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), storeWithin)
	defer cancel()
	var g errgroup.Group
	g.SetLimit(storeReaders)
	if m.counted != nil {
		g.Go(func() error {
			all, err := m.counted(ctx)
			if err != nil {
				return nil
			}
			for _, t := range m.tenants {
				n, known := all[t]
				if !known {
					continue
				}
				m.succeeded(t, n.LastSuccess)
				ill := 0.0
				if n.Trouble {
					ill = 1
				}
				ch <- prometheus.MustNewConstMetric(trouble, prometheus.GaugeValue, ill, t)
				for _, x := range numbers {
					if !n.Unread {
						ch <- prometheus.MustNewConstMetric(x.desc, prometheus.GaugeValue, float64(x.of(n)), t)
					}
				}
			}
			return nil
		})
	}
	for _, t := range m.tenants {
		if m.overdue == nil {
			break
		}
		g.Go(func() error {
			if n, err := m.overdue(ctx, t); err == nil {
				ch <- prometheus.MustNewConstMetric(overdue, prometheus.GaugeValue, float64(n), t)
			}
			return nil
		})
	}
	_ = g.Wait() // an error shows nothing
}

func (m *metrics) begin(tenant string) { m.running.WithLabelValues(tenant).Set(1) }

// end counts a run.
func (m *metrics) end(o runs.Order, res *runs.Result, err error, now time.Time) {
	m.running.WithLabelValues(o.Tenant).Set(0)
	switch {
	case err != nil:
		m.runs.WithLabelValues(o.Tenant, o.Mode, "error").Inc()
		return
	case res == nil: // complete already, counted by whoever made it
		return
	}
	m.runs.WithLabelValues(o.Tenant, o.Mode, res.Status).Inc()
	m.requests.WithLabelValues(o.Tenant).Add(float64(res.Requests))
	m.throttled.WithLabelValues(o.Tenant).Add(float64(res.Throttled))
	m.retried.WithLabelValues(o.Tenant).Add(float64(res.Retried))
	for _, a := range res.Outcomes {
		m.actions.WithLabelValues(o.Tenant, a.Kind, a.Status).Add(float64(a.N))
	}
	if !res.Started.IsZero() {
		m.duration.WithLabelValues(o.Tenant).Set(res.Finished.Sub(res.Started).Seconds())
	}
	m.setOpen(o.Tenant, res.Counts)
	if res.Status == runs.Succeeded {
		m.mu.Lock()
		m.success[o.Tenant] = now
		m.mu.Unlock()
	}
}

// openPrefix begins the counts of users with open risk of one level.
const openPrefix = "usersOpen."

// succeeded keeps the end of a run that succeeded, unless a later one is known.
func (m *metrics) succeeded(tenant string, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at.After(m.success[tenant]) {
		m.success[tenant] = at
	}
}

// countsOpen reports whether a run has read the open risk of the tenant as a
// whole: an order, and a run that failed before, has not.
func countsOpen(counts map[string]int) bool {
	_, ok := counts["usersOpen"]
	return ok
}

// setOpen shows open risk by level; a level that is gone is 0, not what it was.
// A run that did not read all risky users, and so counts none, changes nothing.
func (m *metrics) setOpen(tenant string, counts map[string]int) {
	if !countsOpen(counts) {
		return
	}
	if n, judged := counts["usersUncovered"]; judged {
		m.uncovered.WithLabelValues(tenant).Set(float64(n))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, level := range []string{"low", "medium", "high"} {
		m.levels[tenant+"/"+level] = true
	}
	for name := range counts {
		if level, ok := strings.CutPrefix(name, openPrefix); ok {
			m.levels[tenant+"/"+level] = true
		}
	}
	for key := range m.levels {
		if level, ok := strings.CutPrefix(key, tenant+"/"); ok {
			m.open.WithLabelValues(tenant, level).Set(float64(counts[openPrefix+level]))
		}
	}
}

// recall reads what the last runs of a tenant left, so that a restart does not
// make an old success young or open risk vanish.
func (m *metrics) recall(ctx context.Context, b Book, tenant string) error {
	last, err := b.LastSuccess(ctx, tenant)
	if err != nil {
		return err
	}
	m.succeeded(tenant, last)
	m.mu.Lock()
	_, shown := m.levels[tenant+"/high"]
	m.mu.Unlock()
	list, err := b.Runs(ctx, tenant, 10)
	if err != nil {
		return err
	}
	for _, r := range list {
		if countsOpen(r.Counts) && r.Report != nil && !shown {
			m.setOpen(tenant, r.Counts)
			break
		}
	}
	return nil
}

// observe counts calls of the API.
func (m *metrics) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		defer func() { m.http.WithLabelValues(routeOf(r.URL.Path), strconv.Itoa(s.status)).Inc() }()
		next.ServeHTTP(s, r)
	})
}

// routeOf names a route without what varies in it.
func routeOf(path string) string {
	switch {
	case path == "/api/runs":
		return "/api/runs"
	case strings.HasPrefix(path, "/api/runs/") && strings.Contains(path, "/files/"):
		return "/api/runs/{id}/files/{name}"
	case strings.HasPrefix(path, "/api/runs/"):
		return "/api/runs/{id}"
	}
	return "other"
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (s *statusWriter) WriteHeader(code int) {
	s.status = code
	s.ResponseWriter.WriteHeader(code)
}

// Unwrap lets deadlines reach the connection.
func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }
