package graph

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
)

// maxIDs is how many ids one query or one action may name: an action takes no
// more (graph-api §2), and a URL with them stays below 4 KiB.
const maxIDs = 60

// literal is an OData string: quotes double up.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// among selects the rows whose member is one of values.
func among[S ~string](member string, values []S) string {
	if len(values) == 1 {
		return member + " eq " + literal(string(values[0]))
	}
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = literal(string(v))
	}
	return member + " in (" + strings.Join(quoted, ",") + ")"
}

// openStates selects the open risk: all that is not settled, so that a state
// of tomorrow is open.
func openStates() string {
	parts := make([]string, len(entra.ClosedStates))
	for i, s := range entra.ClosedStates {
		parts[i] = "riskState ne " + literal(string(s))
	}
	return strings.Join(parts, " and ")
}

// since selects the rows whose date is not before t. Dates stand bare: a
// quoted one matches nothing (graph-api §1.2).
func since(member string, t time.Time) string {
	return member + " ge " + string(entra.NewDateTime(t))
}

// changed joins "open" and "updated since" as entra.DetectionQuery says.
func changed(open bool, member string, updated time.Time) string {
	switch {
	case open && !updated.IsZero():
		return "((" + openStates() + ") or " + since(member, updated) + ")"
	case open:
		return openStates()
	case !updated.IsZero():
		return since(member, updated)
	}
	return ""
}

// conjunction collects conditions.
type conjunction []string

func (c *conjunction) add(condition string) {
	if condition != "" {
		*c = append(*c, condition)
	}
}

func (c *conjunction) equal(member, value string) {
	if value != "" {
		*c = append(*c, member+" eq "+literal(value))
	}
}

func (c *conjunction) among(member string, values []entra.ID) error {
	switch {
	case values == nil:
		return nil
	case len(values) == 0:
		return errors.New("graph: a query for none of the ids")
	case len(values) > maxIDs:
		return fmt.Errorf("graph: a query for %d ids, more than %d", len(values), maxIDs)
	}
	*c = append(*c, among(member, values))
	return nil
}

// raw adds an operator's own expression.
func (c *conjunction) raw(filter string) {
	if filter != "" {
		*c = append(*c, "("+filter+")")
	}
}

// filter gives the whole expression, nil for none.
func (c conjunction) filter() *string {
	if len(c) == 0 {
		return nil
	}
	s := strings.Join(c, " and ")
	return &s
}

func detectionFilter(q entra.DetectionQuery) (*string, error) {
	var c conjunction
	c.add(changed(q.Open, "lastUpdatedDateTime", q.UpdatedSince))
	if !q.DetectedSince.IsZero() {
		c.add(since("detectedDateTime", q.DetectedSince))
	}
	if err := c.among("userId", q.UserIDs); err != nil {
		return nil, err
	}
	c.equal("userPrincipalName", q.UserPrincipalName)
	c.equal("userDisplayName", q.UserDisplayName)
	c.equal("riskLevel", string(q.Level))
	c.equal("riskState", string(q.State))
	c.raw(q.Filter)
	return c.filter(), nil
}

func riskyUserFilter(q entra.RiskyUserQuery) (*string, error) {
	var c conjunction
	c.add(changed(q.Open, "riskLastUpdatedDateTime", q.UpdatedSince))
	if err := c.among("id", q.IDs); err != nil {
		return nil, err
	}
	c.equal("userPrincipalName", q.UserPrincipalName)
	c.equal("riskLevel", string(q.Level))
	c.equal("riskState", string(q.State))
	c.raw(q.Filter)
	return c.filter(), nil
}
