package notice

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/blobstore"
)

func sample(n int, name string) Event {
	e := Event{Tenant: "contoso", Run: "20261126T020000Z-0a1b2c", Mode: "apply", Status: "partial", Report: "https://acct.blob.core.windows.net/c/report.html",
		Facts: []string{"refused: limits.maxDismissals allows 50"}}
	for i := range n {
		e.People = append(e.People, Person{ID: fmt.Sprint(i), Name: name, Level: "high", Since: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), Why: strings.Repeat(name+" ", 40)})
	}
	return e
}

// A title counts everybody who needs a person.
func TestTitle(t *testing.T) {
	for want, e := range map[string]Event{
		"risksweep, contoso: plan succeeded":                                                   {},
		"risksweep, contoso: plan succeeded, one user needs a person":                          {People: make([]Person, 1)},
		"risksweep, contoso: plan succeeded, one service principal needs a person":             {ServicePrincipals: 1},
		"risksweep, contoso: plan succeeded, one user and one service principal need a person": {People: make([]Person, 1), ServicePrincipals: 1},
		"risksweep, contoso: plan succeeded, 2 users and 3 service principals need a person":   {People: make([]Person, 2), ServicePrincipals: 3},
	} {
		e.Tenant, e.Mode, e.Status = "contoso", "plan", "succeeded"
		if got := e.title(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Whatever names hold, every form is JSON within its receiver's bounds, and
// nothing of a name is markup.
func TestForms(t *testing.T) {
	for _, name := range []string{"ada@contoso.com", "*bold* [link](http://evil.example)", "<!channel> <@U1> &", "a\nb\u202ec", strings.Repeat("ä", 5000), `"},{"x":"`} {
		for _, n := range []int{0, 1, 500} {
			e := sample(n, name)
			for kind, most := range map[string]int{"teams": 28 << 10, "slack": 150 << 10, "json": 28 << 10} {
				body, err := e.Body(kind)
				if err != nil || !json.Valid(body) || len(body) > most {
					t.Errorf("%s, %d people: %d bytes, %v", kind, n, len(body), err)
				}
				if strings.ContainsAny(string(body), "\u202e\n") || n == 500 && !strings.Contains(string(body), "480") {
					t.Errorf("%s: %.300s", kind, body)
				}
			}
			body, _ := e.Body("slack")
			var slack struct {
				Blocks []struct {
					Text struct{ Type, Text string }
				}
			}
			if err := json.Unmarshal(body, &slack); err != nil || len(slack.Blocks) > 50 {
				t.Fatalf("%d blocks, %v", len(slack.Blocks), err)
			}
			for i, b := range slack.Blocks {
				if k := len([]rune(b.Text.Text)); b.Text.Type != "plain_text" || k > 3000 || i == 0 && k > 150 {
					t.Errorf("block %d: %s of %d", i, b.Text.Type, k)
				}
			}
			if body, _ = e.Body("teams"); strings.Contains(string(body), "[link](") {
				t.Errorf("a link in a card: %.300s", body)
			}
		}
	}
	if _, err := sample(1, "x").Body("pager"); err == nil {
		t.Error("a form that does not exist")
	}
}

func TestSend(t *testing.T) {
	var calls atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer elsewhere.Close()
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		n := calls.Add(1)
		switch r.URL.Path {
		case "/twice":
			if n < 3 {
				w.WriteHeader(503)
			}
		case "/never":
			w.WriteHeader(403)
		case "/redirect":
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		case "/taken/1", "/taken/ok", "/taken/Your notice is in the queue.":
			_, _ = io.WriteString(w, strings.TrimPrefix(r.URL.Path, "/taken/"))
		case "/inner":
			if n < 2 {
				_, _ = io.WriteString(w, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId x. See https://hooks.example/secret")
			}
		case "/text":
			_, _ = io.WriteString(w, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 413 for https://hooks.example/secret.")
		case "/word":
			_, _ = io.WriteString(w, "channel_not_found")
		case "/notOK":
			_, _ = io.WriteString(w, `{"ok":false,"error":"invalid_blocks"}`)
		case "/error":
			_, _ = io.WriteString(w, `{"error":{"code":"FlowDisabled","message":"x"}}`)
		case "/fine":
			_, _ = io.WriteString(w, `{"status":"sent","error":null}`)
		case "/hang":
			<-release
		}
	}))
	defer s.Close()
	defer close(release)
	for path, c := range map[string]struct {
		calls int32
		err   string
	}{"/once": {1, ""}, "/taken/1": {1, ""}, "/taken/ok": {1, ""}, "/taken/Your notice is in the queue.": {1, ""}, "/fine": {1, ""},
		"/inner": {2, ""}, "/text": {1, "HTTP error 413"}, "/word": {1, "channel_not_found"}, "/notOK": {1, "invalid_blocks"}, "/error": {1, "FlowDisabled"}, "/twice": {3, ""}, "/never": {1, "403"}, "/redirect": {1, "not followed"}, "/hang?sig=secret": {1, "does not answer"}} {
		calls.Store(0)
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		if strings.HasPrefix(path, "/hang") {
			ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
		}
		err := Send(ctx, "teams", s.URL+strings.ReplaceAll(path, " ", "%20"), []byte("{}"))
		cancel()
		if (err == nil) != (c.err == "") || err != nil && (!strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "secret")) || calls.Load() != c.calls {
			t.Errorf("%s: %v after %d calls", path, err, calls.Load())
		}
	}
}

// A toast or an old client shows no card.
func TestACardHasASummary(t *testing.T) {
	body, err := sample(3, "ada@contoso.com").Body("teams")
	if err != nil {
		t.Fatal(err)
	}
	var message struct {
		Summary     string
		Attachments []struct{ Content struct{ FallbackText string } }
	}
	if err := json.Unmarshal(body, &message); err != nil || len(message.Attachments) != 1 {
		t.Fatalf("%s, %v", body, err)
	}
	for _, text := range []string{message.Summary, message.Attachments[0].Content.FallbackText} {
		if !strings.Contains(text, "contoso") || !strings.Contains(text, "3 users need a person") {
			t.Errorf("%q", text)
		}
	}
}

// A user is named once in a risk episode, and again in the next.
func TestOnePerEpisode(t *testing.T) {
	s := blobstore.NewMemory()
	day := func(n int) time.Time { return time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC) }
	ada, bob := Person{ID: "ada", Since: day(1)}, Person{ID: "bob", Since: day(2)}
	for i, c := range []struct {
		now   []Person
		whole bool
		want  []Person
	}{
		{[]Person{ada}, true, []Person{ada}},
		{[]Person{ada, bob}, true, []Person{bob}},
		{[]Person{ada}, false, nil},
		{[]Person{ada, bob}, true, nil},
		{[]Person{bob}, true, nil},
		{[]Person{{ID: "ada", Since: day(5)}, bob}, true, []Person{{ID: "ada", Since: day(5)}}},
		{[]Person{{ID: "ada"}, bob}, true, nil}, // since when is not known
		{[]Person{{ID: "ada", Since: day(5)}, bob}, true, nil},
	} {
		got, err := New(t.Context(), s, "contoso", c.now, func(string) bool { return c.whole })
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%d: %v\n%s", i, err, diff)
		}
	}
	if err := s.Put(t.Context(), "contoso/notified.json", []byte("{")); err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), s, "contoso", nil, func(string) bool { return true }); err == nil || !strings.Contains(err.Error(), "delete it") {
		t.Errorf("got %v", err)
	}
}
