package graph

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

const open = "riskState ne 'none' and riskState ne 'confirmedSafe' and riskState ne 'remediated' and riskState ne 'dismissed'"

// What each query looks like on the wire, after decoding.
func TestQueries(t *testing.T) {
	at := time.Date(2026, 11, 20, 8, 0, 0, 123456789, time.FixedZone("CET", 3600))
	for _, tc := range []struct {
		name string
		q    entra.DetectionQuery
		want string
	}{
		{"all", entra.DetectionQuery{}, ""},
		{"open", entra.DetectionQuery{Open: true}, open},
		{"updated", entra.DetectionQuery{UpdatedSince: at}, "lastUpdatedDateTime ge 2026-11-20T07:00:00.1234567Z"},
		{"open or updated", entra.DetectionQuery{Open: true, UpdatedSince: at, Level: "high"},
			"((" + open + ") or lastUpdatedDateTime ge 2026-11-20T07:00:00.1234567Z) and riskLevel eq 'high'"},
		{"detected", entra.DetectionQuery{DetectedSince: at}, "detectedDateTime ge 2026-11-20T07:00:00.1234567Z"},
		{"one user, open", entra.DetectionQuery{Open: true, UserIDs: []entra.ID{"u1"}}, open + " and userId eq 'u1'"},
		{"users", entra.DetectionQuery{UserIDs: []entra.ID{"u1", "u2"}}, "userId in ('u1','u2')"},
		{"names", entra.DetectionQuery{UserPrincipalName: "o'brien#EXT#@contoso.com", UserDisplayName: "O'Brien & Söhne"},
			"userPrincipalName eq 'o''brien#EXT#@contoso.com' and userDisplayName eq 'O''Brien & Söhne'"},
		{"state", entra.DetectionQuery{State: "atRisk"}, "riskState eq 'atRisk'"},
		{"raw", entra.DetectionQuery{Level: "low", Filter: "riskState eq 'atRisk' or riskState eq 'x'"},
			"riskLevel eq 'low' and (riskState eq 'atRisk' or riskState eq 'x')"},
		{"plus and per cent", entra.DetectionQuery{UserPrincipalName: "a+b%20c@contoso.com"}, "userPrincipalName eq 'a+b%20c@contoso.com'"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(w http.ResponseWriter, r *http.Request) {
				want := map[string][]string{"$top": {"500"}}
				if tc.want != "" {
					want["$filter"] = []string{tc.want}
				}
				if diff := cmp.Diff(want, map[string][]string(r.URL.Query())); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if r.URL.Path != "/v1.0/identityProtection/riskDetections" {
					t.Errorf("path %s", r.URL.Path)
				}
				answerJSON(w, 200, list(""))
			}, Options{}, func(t *testing.T, c *Client) {
				if _, err := readDetections(t, c, tc.q); err != nil {
					t.Error(err)
				}
			})
		})
	}
	f, err := riskyUserFilter(entra.RiskyUserQuery{Open: true, UpdatedSince: at, IDs: []entra.ID{"a", "b"}, State: "atRisk"})
	if err != nil {
		t.Fatal(err)
	}
	want := "((" + open + ") or riskLastUpdatedDateTime ge 2026-11-20T07:00:00.1234567Z) and id in ('a','b') and riskState eq 'atRisk'"
	if diff := cmp.Diff(want, *f); diff != "" {
		t.Error(diff)
	}
}

// A query for no id at all would be one for everything.
func TestImpossibleQueries(t *testing.T) {
	many := make([]string, 61)
	for i := range many {
		many[i] = fmt.Sprint("u", i)
	}
	bubble(t, func(http.ResponseWriter, *http.Request) { t.Error("a request") }, Options{}, func(t *testing.T, c *Client) {
		for _, ids := range [][]string{{}, many} {
			if _, err := readDetections(t, c, entra.DetectionQuery{UserIDs: entra.NewIDs(ids)}); err == nil {
				t.Errorf("%d ids: no error", len(ids))
			}
			for _, err := range c.RiskyUsers(ctx(t), entra.RiskyUserQuery{IDs: entra.NewIDs(ids)}) {
				if err == nil {
					t.Errorf("%d ids: no error", len(ids))
				}
			}
		}
		for _, ids := range [][]string{nil, {}, {""}, many} {
			if _, err := c.ActOnUsers(ctx(t), plan.Dismiss, ids); err == nil {
				t.Errorf("dismissing %d ids: no error", len(ids))
			}
		}
		if _, err := c.DeleteObject(ctx(t), entra.KindPolicy, ""); err == nil {
			t.Error("deleting no id: no error")
		}
		if _, err := c.UpdateObject(ctx(t), entra.KindUser, "x", nil); err == nil {
			t.Error("updating a user: no error")
		}
	})
}

// The longest query still fits into any URL limit in use.
func TestLongestQuery(t *testing.T) {
	ids := make([]string, maxIDs)
	for i := range ids {
		ids[i] = strings.Repeat("a", 36)
	}
	bubble(t, func(w http.ResponseWriter, r *http.Request) {
		if n := len(r.RequestURI); n > 4096 {
			t.Errorf("a URL of %d bytes", n)
		}
		answerJSON(w, 200, list(""))
	}, Options{}, func(t *testing.T, c *Client) {
		if _, err := readDetections(t, c, entra.DetectionQuery{Open: true, UserIDs: entra.NewIDs(ids)}); err != nil {
			t.Error(err)
		}
	})
}
