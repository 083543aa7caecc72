package policy

import (
	"time"

	"github.com/risksweep/risksweep/internal/entra"
)

// NotInSignInLog says what a policy is for that the log of interactive sign-ins has
// nothing about, so that it never shows what the policy would do; empty if there is
// no such thing.
func NotInSignInLog(d map[string]any) string {
	switch {
	case len(Strings(d, PathApplications+".includeUserActions")) > 0:
		return "user actions, which report-only does not judge"
	case len(Strings(d, "conditions.clientApplications.includeServicePrincipals")) > 0:
		return "workload identities, whose sign-ins are in a log of their own"
	}
	return ""
}

// ForContexts reports whether a policy is for authentication contexts, of which the
// log says what the policies made of them, and not which was asked for.
func ForContexts(d map[string]any) bool {
	return len(Strings(d, PathApplications+".includeAuthenticationContextClassReferences")) > 0
}

// LastChange is when a live object was last changed, or made.
func LastChange(d entra.Document) time.Time {
	var last time.Time
	for _, name := range []string{"createdDateTime", "modifiedDateTime"} {
		if t, ok := entra.DateTime(d.Text(name)).Time(); ok && t.After(last) {
			last = t
		}
	}
	return last
}
