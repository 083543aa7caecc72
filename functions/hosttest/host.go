// Package hosttest plays the Azure Functions host for tests: it starts a custom
// handler as the host does, calls its functions with the payloads of each
// trigger, holds the answers to the host's rules, keeps queues, and kills the
// handler without warning.
//
// It follows what the real host was observed to do. It imports nothing of the
// product, so that a misunderstanding cannot agree with itself.
package hosttest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options say what app to host.
type Options struct {
	// Dir is the function app: host.json, the handler, one folder a function.
	Dir string
	// Env is added to the handler's environment.
	Env []string
	// Proxy passes requests to functions with HTTP alone on as they come, if
	// host.json asks for it, as newer hosts do.
	Proxy bool
	// Timeout replaces the app's functionTimeout.
	Timeout time.Duration
	// Queues may be shared by several hosts; nil makes new ones.
	Queues *Queues
}

// Host is a running host.
type Host struct {
	Options
	tb        testing.TB
	settings  settings
	functions map[string]function
	base      string
	client    *http.Client

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
	stdout *lines
	stderr *lines
	Starts int
}

type settings struct {
	FunctionTimeout string `json:"functionTimeout"`
	CustomHandler   struct {
		Description struct {
			DefaultExecutablePath string   `json:"defaultExecutablePath"`
			Arguments             []string `json:"arguments"`
		} `json:"description"`
		EnableProxyingHTTPRequest bool `json:"enableProxyingHttpRequest"`
	} `json:"customHandler"`
	Extensions struct {
		HTTP struct {
			RoutePrefix string `json:"routePrefix"`
		} `json:"http"`
		Queues struct {
			MaxDequeueCount int `json:"maxDequeueCount"`
		} `json:"queues"`
	} `json:"extensions"`
}

type function struct {
	Bindings []binding `json:"bindings"`
}

type binding struct {
	Type, Direction, Name, Route, QueueName, DataType, Schedule, AuthLevel string
	Methods                                                                []string
}

func (f function) in() binding {
	for _, b := range f.Bindings {
		if b.Direction == "in" {
			return b
		}
	}
	return binding{}
}

func (f function) out(kind string) (binding, bool) {
	for _, b := range f.Bindings {
		if b.Direction == "out" && b.Type == kind {
			return b, true
		}
	}
	return binding{}, false
}

// lines collects a stream.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// Start reads the app and starts its handler, killed when the test ends.
func Start(tb testing.TB, o Options) *Host {
	tb.Helper()
	if o.Queues == nil {
		o.Queues = NewQueues()
	}
	h := &Host{Options: o, tb: tb, functions: map[string]function{}, stdout: &lines{}, stderr: &lines{}}
	h.read("host.json", &h.settings)
	dirs, err := os.ReadDir(o.Dir)
	if err != nil {
		tb.Fatal(err)
	}
	for _, d := range dirs {
		if _, err := os.Stat(filepath.Join(o.Dir, d.Name(), "function.json")); err == nil {
			var f function
			h.read(filepath.Join(d.Name(), "function.json"), &f)
			h.functions[d.Name()] = f
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	h.base = "http://" + l.Addr().String()
	if err := l.Close(); err != nil {
		tb.Fatal(err)
	}
	h.client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	h.Restart()
	tb.Cleanup(h.Kill)
	return h
}

func (h *Host) read(name string, v any) {
	h.tb.Helper()
	data, err := os.ReadFile(filepath.Join(h.Dir, name))
	if err != nil {
		h.tb.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		h.tb.Fatalf("%s: %v", name, err)
	}
}

// Restart starts the handler and waits for its first answer.
func (h *Host) Restart() {
	h.tb.Helper()
	d := h.settings.CustomHandler.Description
	exe := d.DefaultExecutablePath
	if at := filepath.Join(h.Dir, exe); !filepath.IsAbs(exe) {
		if info, err := os.Stat(at); err == nil {
			exe = at
			if info.Mode()&0o111 == 0 {
				h.tb.Fatalf("%s: permission denied", at)
			}
		}
	}
	port := h.base[strings.LastIndex(h.base, ":")+1:]
	cmd := exec.Command(exe, d.Arguments...)
	cmd.Dir = h.Dir
	id := guid()
	cmd.Env = append(append(os.Environ(), h.Env...), "FUNCTIONS_CUSTOMHANDLER_PORT="+port, "FUNCTIONS_CUSTOMHANDLER_WORKER_ID="+id,
		"FUNCTIONS_HTTPWORKER_PORT="+port, "FUNCTIONS_HTTPWORKER_ID="+id, "FUNCTIONS_APP_ROOT_PATH="+h.Dir, "AzureWebJobsScriptRoot="+h.Dir,
		"FUNCTIONS_WORKER_RUNTIME=custom")
	if h.Timeout > 0 {
		cmd.Env = append(cmd.Env, "AzureFunctionsJobHost__functionTimeout="+timeSpan(h.Timeout))
	}
	cmd.Stdout, cmd.Stderr = h.stdout, h.stderr
	if err := cmd.Start(); err != nil {
		h.tb.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }() // a kill is no news
	h.mu.Lock()
	h.cmd, h.exited = cmd, exited
	h.Starts++
	h.mu.Unlock()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(25 * time.Millisecond) {
		res, err := h.client.Get(h.base + "/")
		if err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
			return
		}
		select {
		case <-exited:
			h.tb.Fatalf("the handler ended before it answered\n%s\n%s", h.stdout, h.stderr)
		default:
		}
		if time.Now().After(deadline) {
			h.tb.Fatalf("the handler does not answer\n%s\n%s", h.stdout, h.stderr)
		}
	}
}

// Kill ends the handler as the host does: at once.
func (h *Host) Kill() {
	h.mu.Lock()
	cmd, exited := h.cmd, h.exited
	h.mu.Unlock()
	if cmd == nil {
		return
	}
	_ = cmd.Process.Kill() // it may be gone already
	<-exited
	h.client.CloseIdleConnections()
}

// Alive reports whether the handler runs.
func (h *Host) Alive() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.exited:
		return false
	default:
		return true
	}
}

// Stdout and Stderr are what the handler has written.
func (h *Host) Stdout() string { return h.stdout.String() }

// Stderr is what the host would log as errors.
func (h *Host) Stderr() string { return h.stderr.String() }

// Failure is an invocation that did not succeed.
type Failure struct {
	Reason string
	Status int
	Hung   bool // it was not answered in time: the real host kills the handler
}

func (f *Failure) Error() string { return f.Reason }

// timeout is the app's functionTimeout.
func (h *Host) timeout() time.Duration {
	if h.Timeout > 0 {
		return h.Timeout
	}
	var hours, minutes, seconds int
	if _, err := fmt.Sscanf(h.settings.FunctionTimeout, "%d:%d:%d", &hours, &minutes, &seconds); err != nil {
		return 10 * time.Minute
	}
	return time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute + time.Duration(seconds)*time.Second
}

// Post sends a raw body to a path of the handler, as an invocation, and holds
// the answer to the host's rules.
func (h *Host) Post(path string, body []byte) (Answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), h.timeout())
	defer cancel()
	// A reader that is not of a known kind makes the body chunked.
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.base+path, struct{ io.Reader }{bytes.NewReader(body)})
	if err != nil {
		return Answer{}, err
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("X-Azure-Functions-InvocationId", guid())
	req.Header.Set("X-Azure-Functions-HostVersion", "4.1045.200.0")
	req.Header.Set("User-Agent", "Azure-Functions-Host/4.1045.200.0")
	res, err := h.client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return Answer{}, &Failure{Reason: "no answer within functionTimeout", Hung: true}
		}
		return Answer{}, &Failure{Reason: "the response ended prematurely: " + err.Error()}
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return Answer{}, &Failure{Reason: "the response ended prematurely: " + err.Error()}
	}
	return parseAnswer(res, data)
}

func guid() string {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err)
	}
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

func timeSpan(d time.Duration) string {
	s := int(d.Seconds())
	return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
}

// maxDequeue is the app's maxDequeueCount.
func (h *Host) maxDequeue() int {
	if n := h.settings.Extensions.Queues.MaxDequeueCount; n > 0 {
		return n
	}
	return 5
}

func jsonText(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // of values that this package makes
	}
	return data
}

func quoted(v any) string { return string(jsonText(v)) }

func itoa(n int) string { return strconv.Itoa(n) }
