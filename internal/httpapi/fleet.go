package httpapi

import (
	"bytes"
	"net/http"
	"strconv"
)

// fleet shows all tenants.
func (a *api) fleet(w http.ResponseWriter, r *http.Request) {
	var page bytes.Buffer
	if err := a.Fleet(r.Context(), &page); err != nil {
		a.broken(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Length", strconv.Itoa(page.Len()))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	if _, err := page.WriteTo(w); err != nil {
		a.Log.Debug("an answer was not taken", "route", r.Pattern, "error", err)
	}
}

// fromBrowser takes the token as the password that a browser asks for. Only
// where something is read: a browser sends the password also when another site
// asks it to.
func (a *api) fromBrowser(r *http.Request) *http.Request {
	if a.Fleet == nil || r.Method != http.MethodGet && r.Method != http.MethodHead || len(r.Header.Values("Authorization")) != 1 {
		return r
	}
	_, password, ok := r.BasicAuth()
	if !ok {
		return r
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+password)
	return r
}

// challenge says how to call: a browser that looks at the page asks for a
// password, which is the token.
func (a *api) challenge(r *http.Request, more string) string {
	if a.Fleet != nil && r.URL.Path == "/" {
		return `Basic realm="risksweep", charset="UTF-8"`
	}
	return `Bearer realm="risksweep"` + more
}
