// Package odata reads the OData query options of Microsoft Graph's collections
// and applies them: $filter as a parsed, type-checked expression that is
// evaluated row by row, $select, $orderby, $expand, $top, $skip, $count and
// opaque skip tokens. What a collection allows is declared in a Collection.
//
// Mistakes are *Error values with the service's own words; which status and
// code they travel under is the workload's matter. The package keeps no rows,
// does no I/O and holds no state.
package odata

import "fmt"

// Error is a query option that the service refuses with 400; the text is what
// it says in error.message.
type Error struct {
	// Option is the option at fault, such as "$filter".
	Option string
	// Message is the service's message.
	Message string
	// Unsupported is true for an option or operation that is well formed but
	// that the collection does not offer.
	Unsupported bool
}

func (e *Error) Error() string { return e.Message }

func filterError(format string, args ...any) *Error {
	return &Error{Option: "$filter", Message: "Invalid filter clause: " + fmt.Sprintf(format, args...)}
}
