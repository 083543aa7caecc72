package odata

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// mark is the part of a skip token that ties it to its query: a page of one
// query cannot be continued under another.
func mark(kind string, q url.Values) string {
	sum := sha256.Sum256([]byte(kind + "\x00" + q.Get("$filter") + "\x00" + q.Get("$orderby") + "\x00" + q.Get("$search")))
	return hex.EncodeToString(sum[:])
}

// readToken gives the offset in a skip token: 64 hex digits, an underscore and
// an offset into the filtered rows (graph-api §1.3).
func readToken(token, mark string) (int, bool) {
	given, offset, ok := strings.Cut(token, "_")
	if !ok || !strings.EqualFold(given, mark) {
		return 0, false
	}
	n, err := strconv.ParseInt(offset, 10, 32)
	return int(n), err == nil && n >= 0
}

// Page gives the rows of this page, [from, to), out of total filtered ones,
// and whether there are more.
func (o *Options) Page(total int) (from, to int, more bool) {
	from = min(o.Offset, total)
	to = min(from+o.Top, total)
	return from, to, to < total
}

// NextLink is the absolute address of the page that starts at an offset. It
// keeps scheme, host and path of root and request and all other options, in
// their order; root is the service root that the caller used.
func (o *Options) NextLink(root string, request *url.URL, offset int) string {
	var parts []string
	for part := range strings.SplitSeq(request.RawQuery, "&") {
		name, value, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(name)
		if err != nil || name == "" {
			continue
		}
		switch bare := strings.ToLower(strings.TrimPrefix(name, "$")); bare {
		case "skiptoken", "skip":
			continue
		}
		value, err = url.QueryUnescape(value)
		if err != nil {
			continue
		}
		parts = append(parts, escape(name)+"="+escape(value))
	}
	parts = append(parts, "$skiptoken="+o.mark+"_"+strconv.Itoa(offset))
	return origin(root) + request.EscapedPath() + "?" + strings.Join(parts, "&")
}

// escape is form encoding that leaves a dollar sign, as the service does.
func escape(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "%24", "$")
}

// origin cuts the path off a service root.
func origin(root string) string {
	if i := strings.Index(root, "://"); i >= 0 {
		if j := strings.IndexByte(root[i+3:], '/'); j >= 0 {
			return root[:i+3+j]
		}
	}
	return root
}

// Context is the @odata.context of an answer: path is what stands after
// $metadata#, such as identityProtection/riskyUsers.
func (o *Options) Context(root, path string) string {
	s := root + "/$metadata#" + path
	parts := slices.Clone(o.Select)
	for _, e := range o.Expand {
		parts = append(parts, e.Name+"("+strings.ReplaceAll(e.Options.Get("$select"), " ", "")+")")
	}
	if len(parts) > 0 {
		s += "(" + strings.Join(parts, ",") + ")"
	}
	return s
}

// Selected says whether a member at the top of a row is to be written.
func (o *Options) Selected(member string) bool {
	if o.Select == nil {
		return true
	}
	for _, s := range o.Select {
		if s == member || strings.HasPrefix(s, member+"/") {
			return true
		}
	}
	return false
}

// Before orders two rows by $orderby; 0 leaves them in their natural order.
func (o *Options) Before(a, b Getter) int {
	for _, order := range o.Orders {
		c := order.Type.Compare(a(order.Member), b(order.Member))
		if order.Desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}
