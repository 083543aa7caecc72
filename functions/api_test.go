package functions_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/functions"
	"github.com/risksweep/risksweep/functions/hosttest"
)

func TestTheAPIThroughTheHost(t *testing.T) {
	for _, proxy := range []bool{false, true} {
		t.Run(fmt.Sprintf("proxy=%v", proxy), func(t *testing.T) {
			w := start(t, hosttest.Options{Proxy: proxy}, "TEST_MODE=plan")
			do := func(method, target, body string) hosttest.Response {
				t.Helper()
				r, err := w.Do(method, target, body, http.Header{"Content-Type": {"application/json"}, "Cookie": {"c"}})
				if err != nil {
					t.Fatalf("%s %s: %v", method, target, err)
				}
				if r.Header.Get("Content-Type") == "text/plain; charset=utf-8" {
					t.Errorf("%s %s: no content type", method, target)
				}
				return r
			}
			for body, want := range map[string]string{"": "there is no body", `{"tenant":"tenant009","mode":"plan"}`: "no tenant", `{"tenant":"tenant000","mode":"apply"}`: "http.allowApply"} {
				if r := do("POST", "/api/runs", body); r.Status != 400 || !strings.Contains(r.Body, want) {
					t.Errorf("%q: %d %s", body, r.Status, r.Body)
				}
			}
			if n := w.Queues.Len(queue); n != 0 {
				t.Fatalf("%d messages for nothing", n)
			}
			r := do("POST", "/api/runs?code=the-function-key", `{"tenant":"tenant000","mode":"plan"}`)
			location := r.Header.Get("Location")
			if r.Status != 202 || !strings.HasPrefix(location, "/api/runs/") || r.Header.Get("Retry-After") == "" {
				t.Fatalf("%+v", r)
			}
			id := strings.TrimPrefix(location, "/api/runs/")
			status := func(want string) {
				t.Helper()
				var run struct{ ID, Status string }
				if r := do("GET", location+"?code=the-function-key", ""); r.Status != 200 || json.Unmarshal([]byte(r.Body), &run) != nil || run.ID != id || run.Status != want {
					t.Errorf("%d %s, want %s", r.Status, r.Body, want)
				}
			}
			status("queued")
			if errs := w.drain(t, "SweepTenant"); errs != nil {
				t.Fatal(errs)
			}
			status("succeeded")
			if infos := w.complete(t, "tenant000"); len(infos) != 1 || infos[0].ID != id {
				t.Errorf("runs %+v, want %s", infos, id)
			}
			for _, target := range []string{"/API/Runs", "/api/runs/", "/Api/RUNS/" + id, "/api/runs/" + id + "/", "/api/RUNS/" + id + "/Files/users.csv"} {
				if r := do("GET", target, ""); r.Status != 200 {
					t.Errorf("%s: %d %s", target, r.Status, r.Body)
				}
				if r := do("HEAD", target, ""); r.Status != 200 || r.Body != "" {
					t.Errorf("HEAD %s: %d %s", target, r.Status, r.Body)
				}
			}
			for size, want := range map[int]string{70_000: "65536 bytes", 900_000: "65536 bytes", 2_000_000: "65536 bytes", 9_000_000: "65536 bytes"} {
				if r := do("POST", "/api/runs", strings.Repeat("x", size)); r.Status != 413 || !strings.Contains(r.Body, want) {
					t.Errorf("%d bytes: %d %s", size, r.Status, r.Body)
				}
			}
			for kind, want := range map[string]int{"application/octet-stream": 202, "multipart/form-data; boundary=x": 202, "application/x-www-form-urlencoded": 202, "": 202} {
				r, err := w.Do("POST", "/api/runs", `{"tenant":"tenant001","mode":"plan"}`, http.Header{"Content-Type": {kind}})
				if err != nil || r.Status != want {
					t.Errorf("%q: %+v, %v", kind, r, err)
				}
			}
			if r, err := w.Do("POST", "/api/runs", `{"tenant":"tenant001","mode":"plan"}`, http.Header{"Transfer-Encoding": {"chunked"}}); err != nil || r.Status != 411 || !strings.Contains(r.Body, "Content-Length") {
				t.Errorf("a chunked body: %+v, %v", r, err)
			}
			if r := do("GET", "/api/runs?tenant=tenant000&limit=5", ""); r.Status != 200 || !strings.HasPrefix(r.Body, `[{"id":"`+id) {
				t.Errorf("%d %s", r.Status, r.Body)
			}
			if r := do("GET", location+"/files/users.csv", ""); r.Status != 200 || r.Body != "id\r\n" || r.Header.Get("Content-Type") != "text/csv; charset=utf-8" {
				t.Errorf("%+v", r)
			}
			for _, target := range []string{location + "/files/..%2f..%2fstate.json", location + "/files/nothing.csv", "/api/runs/20261124T020000Z-ffffff", "/api/runs/x"} {
				if r := do("GET", target, ""); r.Status != 404 || !json.Valid([]byte(r.Body)) {
					t.Errorf("%s: %d %s", target, r.Status, r.Body)
				}
			}
			if strings.Contains(w.Stdout(), "the-function-key") || strings.Contains(w.Stderr(), "the-function-key") {
				t.Error("a function key is in the log")
			}
		})
	}
}

func TestABrokenConfigurationIsSaidAndSurvived(t *testing.T) {
	w := start(t, hosttest.Options{Proxy: true}, "TEST_BROKEN=1")
	if err := w.Timer("Nightly", hosttest.Time(time.Now()), false); err == nil || !strings.Contains(err.Error(), "cannot be used") {
		t.Errorf("timer: %v", err)
	}
	for _, c := range [][2]string{{"POST", "/api/runs"}, {"GET", "/api/runs"}, {"GET", "/api/runs/x/files/y"}} {
		r, err := w.Do(c[0], c[1], `{"tenant":"tenant000","mode":"plan"}`, nil)
		if err != nil || r.Status != 500 || !strings.Contains(r.Body, "its log says why") || strings.Contains(r.Body, "secret detail") {
			t.Errorf("%v: %+v, %v", c, r, err)
		}
	}
	if !strings.Contains(w.Stdout(), "risksweep.yaml:3:5") {
		t.Errorf("the log does not say where: %s", w.Stdout())
	}
}

func TestFoldersAreTheRoutes(t *testing.T) {
	dirs, err := filepath.Glob("*/function.json")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range dirs {
		names = append(names, filepath.Dir(d))
	}
	slices.Sort(names)
	if diff := cmp.Diff(functions.Names(), names); diff != "" {
		t.Errorf("routes and folders (-routes +folders)\n%s", diff)
	}
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(name, "function.json"))
		if err != nil {
			t.Fatal(err)
		}
		var f struct {
			Bindings []map[string]any `json:"bindings"`
		}
		if err := json.Unmarshal(data, &f); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, b := range f.Bindings {
			if q, _ := b["queueName"].(string); q != "" && q != queue && q != queue+"-poison" {
				t.Errorf("%s: queue %q", name, q)
			}
			if b["type"] == "queueTrigger" && b["dataType"] != "binary" {
				t.Errorf("%s: a message's members would overwrite Metadata; want dataType binary", name)
			}
			if b["type"] == "httpTrigger" && b["authLevel"] != "function" {
				t.Errorf("%s: authLevel %v", name, b["authLevel"])
			}
			if b["name"] == "$return" {
				t.Errorf("%s: a $return would be read as base64", name)
			}
		}
	}
}
