package audit

import (
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
)

const (
	ours    entra.ID = "aaaaaaaa-0000-0000-0000-000000000000"
	policyA entra.ID = "bbbbbbbb-0000-0000-0000-000000000000"
)

func change(at, who string, app entra.ID, old, now string) *entra.Audit {
	text := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	a := &entra.Audit{ID: at, ActivityDateTime: entra.DateTime(at), Activity: "Update conditional access policy", Service: entra.ServiceConditionalAccess, Result: "success",
		Targets: []entra.AuditTarget{{ID: policyA, Changed: []entra.AuditChange{{Name: "ConditionalAccessPolicy", Old: text(old), New: text(now)}}}}}
	if who != "" {
		a.By.UserID, a.By.UserPrincipalName = "u-1", who
	}
	a.By.AppID = app
	return a
}

const (
	mfaOff = `{"displayName":"A","state":"disabled","grantControls":{"operator":"OR","builtInControls":["MFA"]}}`
	mfaOn  = `{"displayName":"A","state":"enabled","grantControls":{"operator":"OR","builtInControls":["mfa"]}}`
	device = `{"displayName":"A","state":"enabled","grantControls":{"operator":"OR","builtInControls":["RequireCompliantDevice"]}}`
	named  = `{"displayName":"B","state":"enabled","grantControls":{"operator":"OR","builtInControls":["MFA"]}}`
)

func TestWho(t *testing.T) {
	failed := change("2026-11-05T00:00:00Z", "mallory@contoso.com", "", mfaOn, mfaOff)
	failed.Result = "failure"
	for _, tc := range []struct {
		name    string
		records []*entra.Audit
		paths   []string
		want    string // of Text
		others  int
	}{
		{"nobody", nil, nil, "who changed it is not in the audit log yet, or older than it keeps", 0},
		{"only ourselves", []*entra.Audit{change("2026-11-01T00:00:00Z", "", ours, mfaOn, mfaOff)}, nil, "who changed it is " + NotThere, 0},
		{"a person after us", []*entra.Audit{change("2026-11-02T10:00:00Z", "eve@contoso.com", "", mfaOn, mfaOff), change("2026-11-01T00:00:00Z", "", ours, mfaOff, mfaOn)}, []string{"state"},
			"changed by eve@contoso.com on 2026-11-02 10:00 UTC (Update conditional access policy)", 0},
		{"a person before us", []*entra.Audit{change("2026-10-30T10:00:00Z", "eve@contoso.com", "", mfaOn, mfaOff), change("2026-11-01T00:00:00Z", "", ours, mfaOff, mfaOn)}, []string{"state"}, "who changed it is " + NotThere, 0},
		{"who touched the path, not who came last", []*entra.Audit{change("2026-11-02T10:00:00Z", "eve@contoso.com", "", mfaOff, mfaOn), change("2026-11-03T10:00:00Z", "bob@contoso.com", "", mfaOn, named)}, []string{"state"},
			"changed by eve@contoso.com on 2026-11-02 10:00 UTC (Update conditional access policy); also by bob@contoso.com on 2026-11-03 10:00 UTC (Update conditional access policy)", 1},
		{"another spelling is no change", []*entra.Audit{change("2026-11-02T10:00:00Z", "eve@contoso.com", "", mfaOff, mfaOn)}, []string{"grantControls.builtInControls"}, "who changed it is " + NotThere, 0},
		{"a control by the log's name", []*entra.Audit{change("2026-11-02T10:00:00Z", "eve@contoso.com", "", mfaOn, device)}, []string{"grantControls.builtInControls"}, "changed by eve@contoso.com on 2026-11-02 10:00 UTC (Update conditional access policy)", 0},
		{"an application", []*entra.Audit{change("2026-11-02T10:00:00Z", "", "cccccccc-0000-0000-0000-000000000000", "", "")}, []string{"state"},
			"changed by cccccccc-0000-0000-0000-000000000000 (application) on 2026-11-02 10:00 UTC (Update conditional access policy)", 0},
		{"nobody that is named", []*entra.Audit{change("2026-11-02T10:00:00Z", "", "", mfaOn, mfaOff)}, nil, "changed by Microsoft (service) on 2026-11-02 10:00 UTC (Update conditional access policy)", 0},
		{"one that failed", []*entra.Audit{failed}, nil, "who changed it is " + NotThere, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := New(entra.Identity{AppID: ours})
			for _, r := range tc.records {
				l.Add(r)
			}
			got := l.Changed(policyA, tc.paths, nil, nil)
			if got.Text() != tc.want || len(got.Others) != tc.others {
				t.Errorf("%q with %d others, want %q", got.Text(), len(got.Others), tc.want)
			}
		})
	}
	if got := Unread("not read: AuditLog.Read.All").Changed(policyA, nil, nil, nil); !strings.Contains(got.Text(), "not read: AuditLog.Read.All") {
		t.Errorf("%q", got.Text())
	}
	l := New(entra.Identity{AppID: ours})
	l.Add(change("2026-11-02T10:00:00Z", "eve@contoso.com", "", mfaOn, mfaOff))
	if got := l.Changed(policyA, []string{"state"}, policy.Canonical{"state": "enabledForReportingButNotEnforced"}, nil); got.Kind != NotSeen {
		t.Errorf("a change that the log does not show yet is put down to %q", got.Name)
	}
	got := l.Changed(policyA, []string{"state"}, policy.Canonical{"state": "disabled"}, nil)
	if got.Own || got.Before["state"] != "enabled" || got.After["state"] != "disabled" || got.Differences[0].Path != "state" {
		t.Errorf("%+v", got)
	}
	if got := l.Deleted(policyA, nil); got.Kind != NotSeen {
		t.Errorf("an update is no delete: %+v", got)
	}
}
