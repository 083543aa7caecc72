package functions

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestFunctionTimeout(t *testing.T) {
	for name, c := range map[string]struct {
		setting, host string // host.json; "-" for none
		want          time.Duration
		err           string
	}{
		"host.json":       {"", `{"version":"2.0","functionTimeout":"00:30:00"}`, 30 * time.Minute, ""},
		"setting wins":    {"00:07:30", `{"functionTimeout":"00:30:00"}`, 7*time.Minute + 30*time.Second, ""},
		"none":            {"-1", `{}`, 0, ""},
		"none in a file":  {"", `{"functionTimeout":"-1"}`, 0, ""},
		"a day":           {"1.00:00:00", "-", 24 * time.Hour, ""},
		"as .NET has it":  {"24:00:00", "-", 24 * 24 * time.Hour, ""},
		"fractions":       {"00:00:09.5000000", "-", 9 * time.Second, ""},
		"no seconds":      {"01:30", "-", 90 * time.Minute, ""},
		"not given":       {"", `{"version":"2.0"}`, DefaultTimeout, ""},
		"no host.json":    {"", "-", DefaultTimeout, ""},
		"nonsense":        {"ten minutes", "-", 0, "no duration"},
		"too many":        {"00:60:00", "-", 0, "no duration"},
		"nothing":         {"00:00:00", "-", 0, "leaves no time"},
		"broken file":     {"", `{`, 0, "host.json"},
		"bad in the file": {"", `{"functionTimeout":"x"}`, 0, "host.json: functionTimeout"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.host != "-" {
				if err := os.WriteFile(filepath.Join(dir, "host.json"), []byte(c.host), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			env := map[string]string{"AzureWebJobsScriptRoot": dir, envTimeout: c.setting}
			got, err := Timeout(func(k string) (string, bool) { v, ok := env[k]; return v, ok })
			if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("got %s, %v, want %s, %q", got, err, c.want, c.err)
			}
		})
	}
}

func TestWorkLeavesTimeForTheReport(t *testing.T) {
	for timeout, want := range map[time.Duration]time.Duration{
		10 * time.Minute: 8 * time.Minute, 30 * time.Minute: 24 * time.Minute, time.Minute: 48 * time.Second, 20 * time.Second: 10 * time.Second, 8 * time.Second: 4 * time.Second,
	} {
		if got := workWithin(timeout); got != want {
			t.Errorf("%s: got %s, want %s", timeout, got, want)
		}
	}
}

func TestPort(t *testing.T) {
	for text, ok := range map[string]bool{"7071": true, " 80 ": true, "0": true, "": false, "x": false, "70000": false, "-1": false} {
		if _, err := Port(func(string) (string, bool) { return text, true }); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := Port(func(string) (string, bool) { return "", false }); err == nil || !strings.Contains(err.Error(), "func start") {
		t.Errorf("unset: %v", err)
	}
}

func FuzzInvocation(f *testing.F) {
	f.Add([]byte(`{"Data":{"run":"\"{\\\"tenant\\\":\\\"t\\\"}\""},"Metadata":{"DequeueCount":"1"}}`))
	f.Add([]byte(`{"Data":{"req":{"Url":"https://x/","Method":"GET","Query":{"a":"b"},"Headers":{"A":["b"]},"Params":{"id":null},"Body":"{}"}}}`))
	f.Add([]byte(`{"Data":{"timer":{"ScheduleStatus":{"Next":"0001-01-01T00:00:00-04:57"}}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		in, err := parseInvocation(body)
		if err != nil {
			return
		}
		for name := range in.Data {
			raw, err := in.input(name)
			if err != nil {
				t.Fatal(err)
			}
			if obj, ok := object(raw); ok && !json.Valid(obj) {
				t.Fatalf("%q is no object", obj)
			}
			message(raw)
			if tm, err := parseTimer(raw); err == nil && !tm.due().IsZero() && tm.due().Year() <= 1 {
				t.Fatalf("due %s", tm.due())
			}
			if r, err := parseRequest(raw); err == nil {
				_, _, _ = r.body(), r.param("id"), r.query()
			}
		}
	})
}
