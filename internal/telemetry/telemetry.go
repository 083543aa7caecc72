// Package telemetry sends traces where the standard environment of
// OpenTelemetry says, over HTTP, and nowhere if it says nothing. It keeps no
// global state and never holds a run up.
package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Options say who traces.
type Options struct {
	Env     func(string) (string, bool)
	Version string
	Log     *slog.Logger
}

// Enabled reports whether the environment asks for traces.
func Enabled(env func(string) (string, bool)) bool {
	if v, _ := env("OTEL_SDK_DISABLED"); v == "true" {
		return false
	}
	if v, _ := env("OTEL_TRACES_EXPORTER"); v == "none" {
		return false
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"} {
		if v, _ := env(name); v != "" {
			return true
		}
	}
	return false
}

// Start makes the provider of tracers and what ends it. Without an endpoint in
// the environment both do nothing.
func Start(ctx context.Context, o Options) (trace.TracerProvider, func(context.Context) error, error) {
	if !Enabled(o.Env) {
		return noop.NewTracerProvider(), func(context.Context) error { return nil }, nil
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if v, _ := o.Env(name); v != "" {
			if v != "http/protobuf" && o.Log != nil {
				o.Log.Warn("traces are sent as http/protobuf; another protocol is not built in", "variable", name, "value", v)
			}
			break
		}
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("sending traces: %w", err)
	}
	// The environment's own attributes, OTEL_SERVICE_NAME among them, win.
	res, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "risksweep"), attribute.String("service.version", o.Version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, nil, fmt.Errorf("naming the source of traces: %w", err)
	}
	tp := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(res))
	return tp, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return tp.Shutdown(ctx)
	}, nil
}

// Transport makes a span of each request. The query and the headers, which may
// carry names and tokens, stay out of it.
func Transport(tp trace.TracerProvider, next http.RoundTripper) http.RoundTripper {
	return transport{tp.Tracer("risksweep"), next}
}

type transport struct {
	tracer trace.Tracer
	next   http.RoundTripper
}

// RoundTrip sends one request.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	_, span := t.tracer.Start(r.Context(), r.Method, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", r.Method), attribute.String("server.address", r.URL.Hostname()), attribute.String("url.path", r.URL.Path)))
	defer span.End()
	res, err := t.next.RoundTrip(r)
	if err != nil {
		span.SetStatus(codes.Error, "no answer")
		return res, err
	}
	span.SetAttributes(attribute.Int("http.response.status_code", res.StatusCode))
	if res.StatusCode >= 400 {
		span.SetStatus(codes.Error, res.Status)
	}
	return res, nil
}
