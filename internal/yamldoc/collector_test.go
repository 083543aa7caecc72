package yamldoc

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCollectorReads(t *testing.T) {
	n, problems := Parse("f.yaml", []byte("s: x\nb: True\ni: 0x10\nf: 0.25\nd: 90s\nday: 2027-03-31\nl: [a, b]\ne: low\n"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var c Collector
	type all struct {
		S, E string
		B    bool
		I    int
		F    float64
		D    time.Duration
		Day  time.Time
		L    []string
	}
	var got all
	oks := make([]bool, 8)
	got.S, oks[0] = c.String(n.Get("s"))
	got.B, oks[1] = c.Bool(n.Get("b"))
	got.I, oks[2] = c.Int(n.Get("i"))
	got.F, oks[3] = c.Float(n.Get("f"))
	got.D, oks[4] = c.Duration(n.Get("d"))
	got.Day, oks[5] = c.Date(n.Get("day"))
	got.L, oks[6] = c.Strings(n.Get("l"))
	got.E, oks[7] = c.Enum(n.Get("e"), "low", "high")
	want := all{S: "x", E: "low", B: true, I: 16, F: 0.25, D: 90 * time.Second, Day: time.Date(2027, 3, 31, 0, 0, 0, 0, time.UTC), L: []string{"a", "b"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for i, ok := range oks {
		if !ok {
			t.Errorf("read %d failed", i)
		}
	}
	if c.Problems() != nil {
		t.Error(c.Problems())
	}
}

func TestCollectorProblems(t *testing.T) {
	n, problems := Parse("f.yaml", []byte(`limits: {maxDismisals: 5}
s: 12
b: "yes"
i: fifty
i2: 99999999999999999999
f: [1]
d: 3 days
day: 31.3.2027
l: [a, 1]
e: hgh
n:
m: 1
`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var c Collector
	c.Fields(n.Get("limits"), "maxDismissals", "maxPolicyCreates")
	c.String(n.Get("s"))
	c.Bool(n.Get("b"))
	c.Int(n.Get("i"))
	c.Int(n.Get("i2"))
	c.Float(n.Get("f"))
	c.Duration(n.Get("d"))
	c.Date(n.Get("day"))
	c.Strings(n.Get("l"))
	c.Enum(n.Get("e"), "low", "medium", "high")
	c.Strings(n.Get("n"))
	c.Fields(n.Get("m"))
	c.String(n.Get("absent"))
	c.Require(n, "owner")
	c.Warn(n.Get("s"), "is old")
	want := `f.yaml:1:1: owner is missing
f.yaml:1:10: limits.maxDismisals: unknown key (did you mean "maxDismissals"?)
f.yaml:2:4: s: must be a string, not a number 12; put it in quotes
f.yaml:2:4: warning: s: is old
f.yaml:3:4: b: must be true or false, not "yes"
f.yaml:4:4: i: must be a whole number, not "fifty"
f.yaml:5:5: i2: must be a whole number, not 99999999999999999999
f.yaml:6:4: f: must be a number, not a list
f.yaml:7:4: d: must be a duration such as 90s, 15m or 72h, not "3 days"
f.yaml:8:6: day: must be a date such as 2027-03-31, not "31.3.2027"
f.yaml:9:8: l[1]: must be a string, not a number 1; put it in quotes
f.yaml:10:4: e: must be low, medium or high, not "hgh" (did you mean "high"?)
f.yaml:11:3: n: must be a list, but has no value
f.yaml:12:4: m: must be a mapping, not 1`
	if diff := cmp.Diff(want, c.Problems().Error()); diff != "" {
		t.Error(diff)
	}
	if got := len(c.Problems().Warnings()); got != 1 {
		t.Errorf("%d warnings, want 1", got)
	}
}

// One mistake is told once, and what the message advises can be done.
func TestOneMistakeOneProblem(t *testing.T) {
	n, problems := Parse("f.yaml", []byte("a: {onwer: x}\nb: {id: 1}\nlevel: 2\non: true\nshare: .nan\n"))
	var c Collector
	c.AddProblem(problems...)
	c.Fields(n.Get("a"), "owner", "id")
	c.Require(n.Get("a"), "owner")
	c.Require(n.Get("a"), "id")
	c.Fields(n.Get("b"), "owner", "id")
	c.Require(n.Get("b"), "owner")
	c.Enum(n.Get("level"), "low", "high")
	c.Enum(n.Get("on"), "low", "high")
	c.Float(n.Get("share"))
	want := `f.yaml:1:4: a: id is missing
f.yaml:1:5: a.onwer: unknown key (did you mean "owner"?)
f.yaml:2:4: b: owner is missing
f.yaml:3:8: level: must be low or high, not 2
f.yaml:4:5: on: must be low or high, not true
f.yaml:5:8: share: must be a finite number, not .nan`
	if diff := cmp.Diff(want, c.Problems().Error()); diff != "" {
		t.Error(diff)
	}
}

func TestProblemIsOneLine(t *testing.T) {
	got := Problem{File: "a\nb", Line: 1, Column: 2, Message: "x\r\ny\x1b[31m"}.Error()
	if want := "a b:1:2: x  y [31m"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestAHugeTextDoesNotFloodAMessage: the beginning and the end of a message stay,
// whatever stands in the document.
func TestAHugeTextDoesNotFloodAMessage(t *testing.T) {
	huge := strings.Repeat("x", 20000)
	p := Problem{File: "f.yaml", Line: 1, Column: 2, Path: "a." + huge, Message: huge + " is no name; give one"}
	text := p.Error()
	if len(text) > 2500 || !strings.HasPrefix(text, "f.yaml:1:2: a.xxx") || !strings.HasSuffix(text, "xx is no name; give one") {
		t.Errorf("%d bytes: %.80s", len(text), text)
	}
}
