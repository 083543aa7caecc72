package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// usersEach is how many detections a risky user has; one of them is open.
var usersEach = 10

// tenant is a service that answers from memory: n detections, a tenth of them
// open, each of a risky user of its own, and the policies that were posted. It
// runs in a process of its own, so that nothing of it is in any number.
type tenant struct {
	n       int
	updated time.Time // when every row changed last

	results [][]byte // that rows of the sign-in log have

	mu       sync.Mutex
	policies []json.RawMessage
}

// serve runs a tenant until its standard input ends, and says where it is.
func serve(n int) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Printf("http://%s/v1.0\n", l.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // until whoever started it closes it
		os.Exit(0)
	}()
	check(http.Serve(l, &tenant{n: n, results: results(), updated: time.Now().UTC().Add(-6 * 24 * time.Hour).Truncate(time.Second)}))
}

func (t *tenant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	var body []byte
	switch path := strings.TrimPrefix(r.URL.Path, "/v1.0"); {
	case path == "/identityProtection/riskDetections":
		switch t.selects(r) {
		case all:
			body = page(r, t.n, 1, t.detection)
		case open:
			body = page(r, t.n/usersEach, usersEach, t.detection)
		default:
			body = []byte(`{"value":[]}`)
		}
	case path == "/identityProtection/riskyUsers":
		if t.selects(r) == none {
			body = []byte(`{"value":[]}`)
		} else {
			body = page(r, t.n/usersEach, 1, t.user)
		}
	case path == "/auditLogs/signIns":
		body = t.signIns(r)
	case path == "/$batch":
		body = batch(r)
	case path == "/identity/conditionalAccess/policies":
		if r.Method == http.MethodPost {
			body = t.post(r)
			w.WriteHeader(http.StatusCreated)
		} else {
			body = t.list()
		}
	default:
		body = []byte(`{"value":[]}`)
	}
	_, _ = w.Write(body) // whoever asked has gone
}

// selection is what a filter leaves of the rows, which all changed at once.
type selection int

const (
	all selection = iota
	open
	none
)

func (t *tenant) selects(r *http.Request) selection {
	filter := r.URL.Query().Get("$filter")
	_, since, dated := strings.Cut(filter, "pdatedDateTime ge ") // lastUpdated… and riskLastUpdated…
	if dated {
		since, _, _ = strings.Cut(since, " ")
		at, err := time.Parse(time.RFC3339Nano, strings.Trim(since, ")"))
		check(err)
		if t.updated.Before(at) {
			if strings.Contains(filter, "riskState ne ") {
				return open
			}
			return none
		}
	}
	return all
}

// page is one page of a list of n rows, of which row k is that of the number
// k*step. Its next link keeps the query.
func page(r *http.Request, n, step int, row func(*bytes.Buffer, int)) []byte {
	q := r.URL.Query()
	at, _ := strconv.Atoi(q.Get("$skiptoken")) // 0 without one
	b := bytes.NewBuffer(make([]byte, 0, 600<<10))
	b.WriteString(`{"@odata.context":"c",`)
	end := min(at+500, n)
	if end < n {
		q.Set("$skiptoken", strconv.Itoa(end))
		link, err := json.Marshal("http://" + r.Host + r.URL.Path + "?" + q.Encode())
		check(err)
		fmt.Fprintf(b, `"@odata.nextLink":%s,`, link)
	}
	b.WriteString(`"value":[`)
	for i := at; i < end; i++ {
		if i > at {
			b.WriteByte(',')
		}
		row(b, i*step)
	}
	b.WriteString("]}")
	return b.Bytes()
}

func userID(n int) string { return fmt.Sprintf("aaaaaaaa-0000-4000-8000-%012x", n) }

func (t *tenant) detection(b *bytes.Buffer, n int) {
	state := "remediated"
	if n%usersEach == 0 {
		state = "atRisk"
	}
	at := t.updated.Format("2006-01-02T15:04:05")
	fmt.Fprintf(b, `{"id":"%064x","requestId":"46cbd66a-3b8f-4f60-a58c-%012x","correlationId":"aed54ab2-7e23-4d5d-bb76-%012x","riskEventType":"unfamiliarFeatures","riskState":"%s","riskLevel":"medium","riskDetail":"none","source":"IdentityProtection","detectionTimingType":"realtime","activity":"signin","tokenIssuerType":"AzureAD","ipAddress":"203.0.113.%d","activityDateTime":"%s.1234567Z","detectedDateTime":"%sZ","lastUpdatedDateTime":"%s.5Z","userId":"%s","userDisplayName":"Ada Lovelace %d","userPrincipalName":"user%d@contoso.com","additionalInfo":"[{\"Key\":\"userAgent\",\"Value\":\"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36\"},{\"Key\":\"riskReasons\",\"Value\":[\"UnfamiliarASN\",\"UnfamiliarBrowser\",\"UnfamiliarDevice\"]}]","location":{"city":"Berlin","state":"Land Berlin","countryOrRegion":"DE","geoCoordinates":{"altitude":null,"latitude":52.51894,"longitude":13.40787}}}`,
		n, n, n, state, n%250, at, at, at, userID(n/usersEach), n/usersEach, n/usersEach)
}

func (t *tenant) user(b *bytes.Buffer, n int) {
	fmt.Fprintf(b, `{"id":"%s","isDeleted":false,"isProcessing":false,"riskLevel":"medium","riskState":"atRisk","riskDetail":"none","riskLastUpdatedDateTime":"%s.5Z","userDisplayName":"Ada Lovelace %d","userPrincipalName":"user%d@contoso.com"}`,
		userID(n), t.updated.Format("2006-01-02T15:04:05"), n, n)
}

// batch answers the reads of the tenant itself and of users by name.
func batch(r *http.Request) []byte {
	var in struct{ Requests []struct{ ID, URL string } }
	check(json.NewDecoder(r.Body).Decode(&in))
	answers := []map[string]any{}
	for _, q := range in.Requests {
		body := any(map[string]any{"value": []any{}})
		name, isUser := strings.CutPrefix(q.URL, "/users/")
		name, _, _ = strings.Cut(name, "?")
		switch {
		case strings.Contains(q.URL, "organization"):
			body = map[string]any{"value": []any{map[string]any{"id": "00000000-0000-0000-0000-000000000001", "displayName": "Contoso",
				"assignedPlans": []any{map[string]any{"capabilityStatus": "Enabled", "service": "AADPremiumService", "servicePlanId": "eec0eb4f-6444-4f95-aba0-50c24d67f998"}}}}}
		case strings.Contains(q.URL, "directoryRoleTemplates"):
			body = map[string]any{"value": []any{map[string]any{"id": "d29b2b05-8046-44ba-8758-1e26182fcf32", "displayName": "Directory Synchronization Accounts"}}}
		case isUser:
			body = map[string]any{"id": uuid.NewSHA1(uuid.NameSpaceURL, []byte(name)).String(), "userPrincipalName": name, "displayName": name, "accountEnabled": true}
		}
		answers = append(answers, map[string]any{"id": q.ID, "status": 200, "headers": map[string]string{"Content-Type": "application/json"}, "body": body})
	}
	out, err := json.Marshal(map[string]any{"responses": answers})
	check(err)
	return out
}

// post keeps a policy under an id of its own.
func (t *tenant) post(r *http.Request) []byte {
	var doc map[string]any
	check(json.NewDecoder(r.Body).Decode(&doc))
	t.mu.Lock()
	defer t.mu.Unlock()
	doc["id"] = fmt.Sprintf("bbbbbbbb-0000-4000-8000-%012x", len(t.policies))
	doc["createdDateTime"] = time.Now().UTC().Format(time.RFC3339)
	out, err := json.Marshal(doc)
	check(err)
	t.policies = append(t.policies, out)
	return out
}

func (t *tenant) list() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	out, err := json.Marshal(map[string]any{"value": append([]json.RawMessage{}, t.policies...)})
	check(err)
	return out
}
