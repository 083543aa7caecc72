package baseline

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

func (c *checker) enum(n *yamldoc.Node, s string, values []string) {
	if s == "unknownFutureValue" {
		c.Add(n, "unknownFutureValue is what an older client reads for a value that it does not know; the service refuses it (1007)")
		return
	}
	p := yamldoc.Problem{File: n.File, Line: n.Line, Column: n.Column, Path: n.Path, Offending: s, Suggestion: yamldoc.Nearest(s, values),
		Message: fmt.Sprintf("%q is not one of %s", s, strings.Join(values, ", "))}
	if v, ok := portalWords[strings.ToLower(s)]; ok && slices.Contains(values, v) {
		p.Suggestion = v
	}
	c.AddProblem(p)
}

// isAll reports whether a text is the word for all values in another case, which
// the service takes like a special word.
func isAll(s string, values []string) bool {
	return strings.EqualFold(s, policy.WordAll) && slices.Contains(values, "all")
}

// portalWords are what the portal and people call the states of a policy.
var portalWords = map[string]string{"report-only": policy.StateReportOnly, "reportonly": policy.StateReportOnly, "report": policy.StateReportOnly,
	"on": policy.StateEnabled, "off": policy.StateDisabled}

var authContext = regexp.MustCompile(`^[cC][1-9][0-9]?$`)

// form checks text that has a form of its own.
func (c *checker) form(n *yamldoc.Node, s string, m *policy.Member) {
	is := func(w string) bool { return strings.EqualFold(w, s) }
	isWord := slices.ContainsFunc(m.Words, is)
	if slices.ContainsFunc(m.BetaWords, is) {
		c.Add(n, betaOnly, fmt.Sprintf("%q ", s), "1007")
		return
	}
	if m.Ref == entra.KindUser && !isWord && !entra.IsUserName(s) {
		c.Suggest(n, s, m.Words, "%q is neither a user principal name nor an object id nor a special word", s)
	}
	switch m.Name {
	case "displayName":
		if len([]rune(s)) > 256 {
			c.Add(n, "is longer than 256 characters")
		}
	case "cidrAddress":
		p, err := netip.ParsePrefix(s)
		_, bare := netip.ParseAddr(s)
		switch {
		case bare == nil:
			c.Add(n, "%q needs a prefix length; the service refuses a bare address", s)
		case err != nil:
			c.Add(n, "%q is no address range", s)
		case p.Bits() <= 8:
			c.Add(n, "%q is too large: the service takes only prefixes longer than /8", s)
		}
	case "lowerAddress", "upperAddress":
		if _, err := netip.ParseAddr(s); err != nil {
			c.Add(n, "%q is no address", s)
		}
	case "countriesAndRegions":
		if known, meant := entra.Country(s); !known {
			c.AddProblem(yamldoc.Problem{File: n.File, Line: n.Line, Column: n.Column, Path: n.Path, Offending: s, Suggestion: meant,
				Message: fmt.Sprintf("1048: %q is no two-letter country code of ISO 3166-1", s)})
		}
	case "includeAuthenticationContextClassReferences":
		if !authContext.MatchString(s) {
			c.Add(n, "%q is no authentication context; they are c1 to c99", s)
		}
	case "includeUserActions":
		if !isWord && !c.allowed("conditions.applications.includeUserActions") {
			c.Suggest(n, s, m.Words, "%q is not one of %s", s, strings.Join(m.Words, ", "))
		}
	case "members":
		if !entra.IsID(s) {
			c.Add(n, "%q is no tenant id", s)
		}
	}
}
