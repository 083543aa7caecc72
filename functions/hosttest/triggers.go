package hosttest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// Never is how the host writes a time that has not been.
const Never = "0001-01-01T00:00:00+00:00"

// Time writes a time as the host does, with 7 digits of a second.
func Time(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000+00:00") }

// TimerPayload is what a timer trigger posts; next is the due time as text,
// empty for a timer without a monitor.
func TimerPayload(binding, next string, pastDue bool) []byte {
	var status any
	if next != "" {
		status = map[string]any{"Last": Never, "Next": next, "LastUpdated": Never}
	}
	return jsonText(map[string]any{
		"Data":     map[string]any{binding: map[string]any{"Schedule": map[string]any{"AdjustForDST": true}, "ScheduleStatus": status, "IsPastDue": pastDue}},
		"Metadata": map[string]any{"sys": sys("Nightly")},
	})
}

func sys(name string) map[string]any {
	return map[string]any{"MethodName": name, "UtcNow": time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"), "RandGuid": guid()}
}

// Timer fires a timer function.
func (h *Host) Timer(name, next string, pastDue bool) error {
	h.tb.Helper()
	f := h.function(name)
	a, err := h.Post("/"+name, TimerPayload(f.in().Name, next, pastDue))
	if err != nil {
		return err
	}
	return h.outputs(f, a)
}

// outputs carries out the queue outputs of a function that succeeded.
func (h *Host) outputs(f function, a Answer) error {
	for name, raw := range a.Outputs {
		known := false
		for _, b := range f.Bindings {
			if b.Name != name || b.Direction != "out" {
				continue
			}
			known = true
			if b.Type == "queue" {
				for _, m := range queueOutput(raw) {
					h.Queues.Put(b.QueueName, m)
				}
			}
		}
		if !known {
			return &Failure{Reason: fmt.Sprintf("output %q is not in function.json", name)}
		}
	}
	return nil
}

func (h *Host) function(name string) function {
	h.tb.Helper()
	f, ok := h.functions[name]
	if !ok {
		h.tb.Fatalf("the app has no function %q", name)
	}
	return f
}

// Do sends an HTTP request to the app's own address: the host finds the
// function by route and method.
func (h *Host) Do(method, target, body string, header http.Header) (Response, error) {
	h.tb.Helper()
	u, err := url.Parse("https://app.example" + target)
	if err != nil {
		return Response{}, err
	}
	for name, f := range h.functions {
		in := f.in()
		if in.Type != "httpTrigger" || !containsFold(in.Methods, method) {
			continue
		}
		params, ok := match(h.settings.Extensions.HTTP.RoutePrefix, in.Route, u.EscapedPath())
		if !ok {
			continue
		}
		if _, queue := f.out("queue"); h.Proxy && h.settings.CustomHandler.EnableProxyingHTTPRequest && !queue {
			return h.proxy(method, target, body, header)
		}
		a, err := h.Post("/"+name, HTTPPayload(in.Name, method, u, params, header, body))
		if err != nil {
			return Response{Status: http.StatusInternalServerError}, err
		}
		if err := h.outputs(f, a); err != nil {
			return Response{Status: http.StatusInternalServerError}, err
		}
		out, ok := f.out("http")
		if !ok {
			return Response{Status: http.StatusNoContent}, nil
		}
		return httpOutput(a, out.Name)
	}
	return Response{Status: http.StatusNotFound}, nil
}

// proxy passes a request on as it came.
func (h *Host) proxy(method, target, body string, header http.Header) (Response, error) {
	req, err := http.NewRequest(method, h.base+target, strings.NewReader(body))
	if err != nil {
		return Response{}, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("X-Azure-Functions-InvocationId", guid())
	req.Header.Set("X-Forwarded-Host", "app.example")
	res, err := h.client.Do(req)
	if err != nil {
		return Response{Status: http.StatusBadGateway}, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return Response{Status: res.StatusCode, Header: res.Header, Body: string(data)}, err
}

var parameter = regexp.MustCompile(`^\{([a-z]+)(\?)?\}$`)

// match compares a path with a route such as runs/{id?}.
func match(prefix, route, path string) (map[string]any, bool) {
	have := strings.Split(strings.Trim(path, "/"), "/")
	want := strings.Split(prefix+"/"+route, "/")
	params := map[string]any{}
	for i, w := range want {
		m := parameter.FindStringSubmatch(w)
		switch {
		case m != nil && i >= len(have) && m[2] == "?":
			params[m[1]] = nil
		case i >= len(have):
			return nil, false
		case m != nil:
			v, err := url.PathUnescape(have[i])
			if err != nil || v == "" {
				return nil, false
			}
			params[m[1]] = v
		case !strings.EqualFold(w, have[i]):
			return nil, false
		}
	}
	return params, len(have) <= len(want)
}

// HTTPPayload is what an HTTP trigger posts.
func HTTPPayload(binding, method string, u *url.URL, params map[string]any, header http.Header, body string) []byte {
	query, meta := map[string]any{}, map[string]any{"sys": sys("RunsGet")}
	for k, v := range u.Query() {
		query[k] = strings.Join(v, ",")
		if k != "code" {
			meta[k] = quoted(v[len(v)-1])
		}
	}
	flat := map[string]any{}
	headers := map[string]any{"Host": []string{"app.example"}, "x-functions-key": []string{"the-function-key"}}
	for k, v := range header {
		headers[k], flat[k] = v, strings.Join(v, ",")
	}
	for k, v := range params {
		if v != nil {
			meta[k] = quoted(v)
		}
	}
	req := map[string]any{"Url": u.String(), "Method": method, "Query": query, "Headers": headers, "Params": params,
		"Identities": []any{map[string]any{"AuthenticationType": nil, "IsAuthenticated": false, "Claims": []any{}}}}
	kind, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	switch {
	case header.Get("Transfer-Encoding") != "": // a body in chunks is lost
		body = ""
	case method == http.MethodPost || body != "":
		headers["Content-Length"], flat["Content-Length"] = []string{itoa(len(body))}, itoa(len(body))
	}
	if body != "" && (kind == "application/octet-stream" || strings.HasPrefix(kind, "multipart/")) {
		req["Body"] = base64.StdEncoding.EncodeToString([]byte(body))
	} else if body != "" {
		req["Body"] = body
		// Members of a body overwrite what is in Metadata.
		var members map[string]any
		if json.Unmarshal([]byte(body), &members) == nil {
			for k, v := range members {
				if v != nil {
					meta[k] = quoted(fmt.Sprint(v))
				}
			}
		}
	}
	meta["Query"], meta["Headers"] = query, flat
	return jsonText(map[string]any{"Data": map[string]any{binding: req}, "Metadata": meta})
}

// QueuePayload is what a queue trigger posts for a message.
func QueuePayload(binding, dataType, text string, dequeued int) []byte {
	now := time.Now().UTC()
	meta := map[string]any{"DequeueCount": itoa(dequeued), "Id": quoted(guid()), "PopReceipt": quoted("MjNO"), "sys": sys("SweepTenant"),
		"InsertionTime": now.Format("2006-01-02T15:04:05+00:00"), "ExpirationTime": now.Add(7 * 24 * time.Hour).Format("2006-01-02T15:04:05+00:00"),
		"NextVisibleTime": now.Add(10 * time.Minute).Format("2006-01-02T15:04:05+00:00")}
	value := quoted(text) // a JSON text in a JSON text
	if dataType == "binary" {
		value = base64.StdEncoding.EncodeToString([]byte(text))
	} else if utf8.ValidString(text) {
		var members map[string]any
		if json.Unmarshal([]byte(text), &members) == nil {
			for k, v := range members {
				if v != nil {
					meta[k] = quoted(fmt.Sprint(v))
				}
			}
		}
	}
	return jsonText(map[string]any{"Data": map[string]any{binding: value}, "Metadata": meta})
}

func containsFold(list []string, s string) bool {
	for _, v := range list {
		if strings.EqualFold(v, s) {
			return true
		}
	}
	return false
}
