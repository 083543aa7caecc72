package expectation_test

import (
	"testing"

	"github.com/risksweep/risksweep/internal/expectation"
)

// Whatever a file holds, it is read or refused with a place in it.
func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("expectations: [{name: a, user: b@contoso.com, app: All, when: {device: {registered: false, physicalIds: [x]}}, expect: {demands: [[mfa, compliantDevice]]}}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, problems := expectation.Parse("e.yaml", data)
		if problems.Err() == nil {
			for _, e := range list {
				if e.Name == "" || e.Subject.Kind == "" || e.App == "" && e.Action == "" && e.Context == "" {
					t.Errorf("taken without a name, a subject or a target: %+v", e)
				}
			}
			return
		}
		if list != nil {
			t.Error("read although there are mistakes")
		}
		for _, p := range problems {
			if p.Line < 1 || p.Column < 1 || p.Message == "" {
				t.Errorf("a problem without a place: %+v", p)
			}
		}
	})
}
