package cli_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// heards are the notices that the webhook of each script has heard.
var heards sync.Map

type heardNotices struct {
	mu   sync.Mutex
	text []string
}

// webhook starts a receiver and sets HOOK to its address.
func webhook(ts *testscript.TestScript, _ bool, _ []string) {
	h := &heardNotices{}
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		if err == nil {
			h.text = append(h.text, string(body))
		}
	}))
	ts.Defer(s.Close)
	heards.Store(ts.Getenv("WORK"), h)
	ts.Setenv("HOOK", s.URL+"/hook?sig=topsecret")
}

// heard is `heard N TEXT`: N notices came since the last look, and one of them
// holds the text; `! heard 0 TEXT` that none of those last looked at does.
func heard(ts *testscript.TestScript, neg bool, args []string) {
	v, ok := heards.Load(ts.Getenv("WORK"))
	if !ok || len(args) != 2 {
		ts.Fatalf("usage: webhook; heard N TEXT")
	}
	h := v.(*heardNotices)
	h.mu.Lock()
	defer h.mu.Unlock()
	all := strings.Join(h.text, "\n")
	if neg {
		if strings.Contains(all, args[1]) {
			ts.Fatalf("heard %q:\n%s", args[1], all)
		}
		h.text = nil
		return
	}
	if n := strconv.Itoa(len(h.text)); n != args[0] || !strings.Contains(all, args[1]) {
		ts.Fatalf("heard %s notices:\n%s", n, all)
	}
	h.text = nil
}
