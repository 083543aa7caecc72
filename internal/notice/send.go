package notice

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// tries is how often a notice is sent at most; firstPause lies between the
// first two.
const (
	tries      = 4
	firstPause = time.Second
)

// Send posts a notice until it is taken or the context ends. An address holds
// a key, so no error shows it. A redirect is a refusal: it would take the
// notice to somebody else.
func Send(ctx context.Context, address string, body []byte) error {
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	pause := firstPause
	for n := 1; ; n++ {
		again, err := post(ctx, &client, address, body)
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
func post(ctx context.Context, client *http.Client, address string, body []byte) (again bool, err error) {
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
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // its answer says nothing
	_ = res.Body.Close()
	switch {
	case res.StatusCode < 300:
		return false, nil
	case res.StatusCode < 400:
		return false, fmt.Errorf("the webhook redirects (%d), which is not followed", res.StatusCode)
	}
	return res.StatusCode == http.StatusTooManyRequests || res.StatusCode >= 500, fmt.Errorf("the webhook refuses the notice: %d", res.StatusCode)
}
