package graph

import (
	"bytes"
	"compress/gzip"
	"errors"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
)

// A hostile service costs bounded memory and time.
func TestHostileAnswers(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(append([]byte(`{"value":[`), bytes.Repeat([]byte(" "), 64<<20)...)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	flood := func(w http.ResponseWriter, prefix, piece string) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(prefix))
		chunk := []byte(strings.Repeat(piece, 64<<10/len(piece)))
		for range 1 << 14 { // a gigabyte
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	for _, tc := range []struct {
		name    string
		handler http.HandlerFunc
	}{
		{"gigabyte of white space", func(w http.ResponseWriter, _ *http.Request) { flood(w, "", " ") }},
		{"gigabyte of rows", func(w http.ResponseWriter, _ *http.Request) { flood(w, `{"value":[`, `{"id":"1"},`) }},
		{"gigabyte of an error", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400); flood(w, "", "x") }},
		{"gigabyte announced", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1073741824")
			w.WriteHeader(200)
			_, _ = w.Write([]byte("{"))
		}},
		{"deep nesting", func(w http.ResponseWriter, _ *http.Request) {
			answerJSON(w, 200, `{"value":[{"id":"1","x":`+strings.Repeat("[", 1<<20)+strings.Repeat("]", 1<<20)+`}]}`)
		}},
		{"deep objects", func(w http.ResponseWriter, _ *http.Request) {
			answerJSON(w, 200, `{"value":[{"id":"1","location":`+strings.Repeat(`{"a":`, 1<<18)+"1"+strings.Repeat("}", 1<<18)+`}]}`)
		}},
		{"a byte in ten seconds", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for range 1000 {
				if _, err := w.Write([]byte(" ")); err != nil {
					return
				}
				w.(http.Flusher).Flush()
				select {
				case <-time.After(10 * time.Second):
				case <-r.Context().Done():
					return
				}
			}
		}},
		{"packed a thousand times, though nobody asked", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(packed.Bytes())
		}},
		{"gigabyte of headers", func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				panic(err)
			}
			defer func() { _ = conn.Close() }()
			_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\n"))
			line := []byte(strings.Repeat("X-Y: "+strings.Repeat("z", 1000)+"\r\n", 64))
			for range 1 << 14 {
				if _, err := conn.Write(line); err != nil {
					return
				}
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, tc.handler, Options{MaxBody: 4 << 20}, func(t *testing.T, c *Client) {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				began := time.Now()
				rows, err := readDetections(t, c, entra.DetectionQuery{})
				runtime.ReadMemStats(&after)
				if !errors.Is(err, entra.ErrMalformed) && !errors.Is(err, entra.ErrUnavailable) && !errors.Is(err, entra.ErrBadRequest) {
					t.Fatalf("error %v", err)
				}
				if len(rows) > 0 {
					t.Errorf("%d rows were taken", len(rows))
				}
				if took := time.Since(began); took > 30*time.Minute {
					t.Errorf("it took %s", took)
				}
				if len(err.Error()) > 1000 {
					t.Errorf("an error of %d bytes", len(err.Error()))
				}
				if grown := int64(after.TotalAlloc - before.TotalAlloc); grown > 128<<20 {
					t.Errorf("%d MiB allocated", grown>>20)
				}
			})
		})
	}
}
