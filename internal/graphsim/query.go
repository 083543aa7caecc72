package graphsim

import (
	"net/url"
	"strings"
)

// queryOptions are the OData options Graph knows; whether one works on a
// resource is the resource's own matter.
func queryOption(name string) (string, bool) {
	bare := strings.ToLower(strings.TrimPrefix(name, "$"))
	switch bare {
	case "filter", "select", "top", "skip", "orderby", "count", "expand", "search", "skiptoken", "format", "apply", "deltatoken":
		return "$" + bare, true
	}
	return "", false
}

// readQuery gives the options their canonical names: Graph takes them in any
// case and without the dollar sign. The problem is the service's message.
func readQuery(raw string) (values url.Values, problem string) {
	if raw == "" {
		return url.Values{}, ""
	}
	// A semicolon belongs to the options of $expand, not between parameters.
	given, err := url.ParseQuery(strings.ReplaceAll(raw, ";", "%3B"))
	if err != nil {
		return nil, "Bad Request - Error in query syntax."
	}
	values = url.Values{}
	for name, list := range given {
		option, ok := queryOption(name)
		if !ok {
			return nil, "Unrecognized query argument specified: '" + name + "'."
		}
		values[option] = append(values[option], list...)
		if len(values[option]) > 1 {
			return nil, "Query option '" + option + "' was specified more than once, but it must be specified at most once."
		}
	}
	return values, ""
}
