package exception_test

import (
	"testing"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/exception"
)

// Whatever a file holds, it is read or refused with a place in it, and nothing
// that is read lasts for ever or is about nobody.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"exceptions:\n  - {id: travel, users: [ada@contoso.com], policies: [CA005], until: 2026-12-08T18:00:00Z, reason: r, owner: o}\n",
		"exceptions: [{id: a, users: [aaaaaaaa-0000-4000-8000-000000000001], policies: [CA005], until: 2026-12-08, reason: r, owner: o, ticket: t, privileged: true}]",
		"exceptions:\n", "exceptions: [{until: 9999-12-31, users: {}, policies: x}]", `{"$schema": "x", "exceptions": [null]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		list, problems := exception.Parse("e.yaml", data, exception.Known{Now: now, Policies: map[string]bool{"CA005": true, "CA006": false}, BreakGlass: []string{"bg1@contoso.com"}})
		if (list == nil) != (problems.Err() != nil) {
			t.Fatalf("a list: %t, with %v", list != nil, problems)
		}
		for _, p := range problems {
			if p.Line < 1 || p.Column < 1 || p.Message == "" {
				t.Errorf("a problem without a place: %+v", p)
			}
		}
		if list == nil {
			return
		}
		for _, e := range list.Exceptions {
			if e.ID == "" || len(e.Users) == 0 || len(e.Policies) == 0 || e.Until.IsZero() || e.Until.Sub(now) > exception.DefaultMaxDuration {
				t.Errorf("taken: %+v", e)
			}
			for _, u := range e.Users {
				if !entra.IsUserName(u) {
					t.Errorf("%q is taken for a user", u)
				}
			}
		}
	})
}
