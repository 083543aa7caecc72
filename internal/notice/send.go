package notice

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// tries is how often a notice is sent at most; firstPause lies between the
// first two.
const (
	tries      = 4
	firstPause = time.Second
)

// Send posts a notice in the form of a kind of receiver until it is taken or the
// context ends. An address holds a key, so no error shows it. A redirect is a
// refusal: it would take the notice to somebody else.
func Send(ctx context.Context, kind, address string, body []byte) error {
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	pause := firstPause
	for n := 1; ; n++ {
		again, err := post(ctx, &client, kind, address, body)
		if err == nil || !again || n == tries {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
		pause *= 2
	}
}

// post sends once and says whether another try makes sense.
func post(ctx context.Context, client *http.Client, kind, address string, body []byte) (again bool, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return false, errors.New("the address of the webhook cannot be used")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "risksweep")
	res, err := client.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the address
		}
		return ctx.Err() == nil, fmt.Errorf("the webhook does not answer: %w", err)
	}
	answer, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer)) // half an answer is as good as none
	_ = res.Body.Close()
	status := res.StatusCode
	switch {
	case status < 300:
		why, inner := refusal(kind, answer)
		if why == "" {
			return false, nil
		}
		return retryable(inner), fmt.Errorf("the webhook answers %d but did not pass the notice on: %s", status, why)
	case status < 400:
		return false, fmt.Errorf("the webhook redirects (%d), which is not followed", status)
	}
	return retryable(status), fmt.Errorf("the webhook refuses the notice: %d", status)
}

// retryable reports whether what was answered may be over soon.
func retryable(status int) bool { return status == http.StatusTooManyRequests || status >= 500 }

// maxAnswer is how much is read of an answer, in bytes.
const maxAnswer = 4 << 10

// innerStatus is the status that a Teams connector had from the service behind
// it. It passes it on as a text, with 200.
var innerStatus = regexp.MustCompile(`(?i)HTTP error (\d{3})`)

// refusal is what an answer with a good status says of a failure, and the status
// of whoever failed, 0 if it is not told. A Teams connector answers "1", a
// workflow nothing or what its author wrote, Slack "ok"; programs of their own
// (json) mean their status.
func refusal(kind string, answer []byte) (why string, status int) {
	text := strings.Join(strings.Fields(string(answer)), " ")
	if kind == "json" || text == "" || !utf8.ValidString(text) {
		return "", 0
	}
	var said struct {
		OK    *bool           `json:"ok"`
		Error json.RawMessage `json:"error"`
	}
	isJSON := json.Unmarshal(answer, &said) == nil
	switch {
	case isJSON && (said.OK != nil && !*said.OK || len(said.Error) > 0 && string(said.Error) != "null"):
	case !isJSON && failed.MatchString(strings.ReplaceAll(text, "_", " ")):
	default:
		return "", 0
	}
	if m := innerStatus.FindStringSubmatch(text); m != nil {
		status, _ = strconv.Atoi(m[1]) // three digits
	}
	return clip(addresses.ReplaceAllString(text, "…")), status
}

var (
	// failed finds what a text says of a failure.
	failed = regexp.MustCompile(`(?i)\b(errors?|fail(ed|ure)?|invalid|bad payload|is required|not (found|allowed)|no (service|team|text)|too (large|many)|prohibited|archived|disabled|throttl\w*)\b`)
	// addresses may hold the webhook's key.
	addresses = regexp.MustCompile(`(?i)https?://\S+`)
)
