package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNames(t *testing.T) {
	tests := map[string][2]string{
		"store.url":                   {"RISKSWEEP_STORE_URL", "store-url"},
		"sweep.requestsPerSecond":     {"RISKSWEEP_SWEEP_REQUESTS_PER_SECOND", "sweep-requests-per-second"},
		"limits.maxDismissals":        {"RISKSWEEP_LIMITS_MAX_DISMISSALS", "limits-max-dismissals"},
		"http.listen":                 {"RISKSWEEP_HTTP_LISTEN", "http-listen"},
		"store.credential.clientId":   {"RISKSWEEP_STORE_CREDENTIAL_CLIENT_ID", "store-credential-client-id"},
		"schedule.timeZone":           {"RISKSWEEP_SCHEDULE_TIME_ZONE", "schedule-time-zone"},
		"enforcement.allowWeakening":  {"RISKSWEEP_ENFORCEMENT_ALLOW_WEAKENING", "enforcement-allow-weakening"},
		"limits.maxShareOfRiskyUsers": {"RISKSWEEP_LIMITS_MAX_SHARE_OF_RISKY_USERS", "limits-max-share-of-risky-users"},
	}
	for key, want := range tests {
		if diff := cmp.Diff(want, [2]string{EnvName(key), FlagName(key)}); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
}

// The reference names each key once, with what a reader needs; a secret has no
// flag.
func TestReferenceIsWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Reference() {
		if seen[k.Key] || k.Type == "" || k.Doc == "" {
			t.Errorf("%+v", k)
		}
		seen[k.Key] = true
		if k.Type == "secret" && k.Flag != "" {
			t.Errorf("%s has the flag --%s", k.Key, k.Flag)
		}
	}
	for _, key := range []string{"tenants", "tenants[].credential.kind", "store.url", "store.credential.clientSecret", "store.keepDays", "store.immutableDays",
		"sweep.fullEvery", "sweep.settle", "http.token", "http.allowApply", "report.redact", "report.formats", "report.sla.high", "notices", "notices[].url"} {
		if !seen[key] {
			t.Errorf("%s is missing", key)
		}
	}
}
