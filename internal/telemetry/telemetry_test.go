package telemetry

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

func TestWhenTracesAreSent(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want bool
	}{
		"nothing":         {nil, false},
		"an endpoint":     {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, true},
		"one for traces":  {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, true},
		"an empty one":    {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, false},
		"one for metrics": {map[string]string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:4318"}, false},
		"switched off":    {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"}, false},
		"no exporter":     {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"}, false},
	} {
		if got := Enabled(func(k string) (string, bool) { v, ok := c.env[k]; return v, ok }); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

// A collector on this machine gets what a run does, in the standard form.
func TestTracesReachACollector(t *testing.T) {
	var mu sync.Mutex
	var got, path string
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		got, path = string(data), r.URL.Path+" "+r.Header.Get("Content-Type")
		mu.Unlock()
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL) // the exporter reads it
	t.Setenv("OTEL_SERVICE_NAME", "night-watch")
	tp, end, err := Start(t.Context(), Options{Env: func(k string) (string, bool) { return collector.URL, k == "OTEL_EXPORTER_OTLP_ENDPOINT" }, Version: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	_, span := tp.Tracer("risksweep").Start(t.Context(), "sweep contoso")
	span.End()
	if err := end(t.Context()); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if path != "/v1/traces application/x-protobuf" {
		t.Errorf("sent to %q", path)
	}
	for _, text := range []string{"sweep contoso", "night-watch", "1.2.3"} {
		if !strings.Contains(got, text) {
			t.Errorf("no %q in what was sent", text)
		}
	}
}

func TestSpansOfRequestsKeepSecretsOut(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	spans := tracetest.NewInMemoryExporter()
	tp := trace.NewTracerProvider(trace.WithSyncer(spans))
	req, err := http.NewRequest("GET", s.URL+"/v1.0/identityProtection/riskyUsers?$filter=secret", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer secret")
	res, err := (&http.Client{Transport: Transport(tp, http.DefaultTransport)}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	all := spans.GetSpans()
	if len(all) != 1 {
		t.Fatalf("%d spans", len(all))
	}
	var status int64
	for _, a := range all[0].Attributes {
		if strings.Contains(a.Value.String(), "secret") {
			t.Errorf("%s shows %s", a.Key, a.Value.String())
		}
		if a.Key == "http.response.status_code" {
			status = a.Value.AsInt64()
		}
	}
	if status != 404 {
		t.Errorf("status %d", status)
	}
}
