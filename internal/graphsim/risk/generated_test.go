package risk

import (
	"encoding/json"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/risksweep/risksweep/internal/graphsim/generate"
)

func parseTime(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestCountsAreExact(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ users, detections int }{{1, 1}, {1, 50}, {3, 40}, {12, 1}, {12, 5}, {12, 300}, {40, 100}, {200, 500}, {200, 30}} {
		for _, license := range []string{"P2", "P1"} {
			s := serve(t, tt.users, tt.detections, Options{License: license})
			got := s.all("/identityProtection/riskDetections?$top=500")
			if len(got) != tt.detections {
				t.Errorf("%d users, %s: %d detections, want %d", tt.users, license, len(got), tt.detections)
			}
			ids := map[string]bool{}
			for _, d := range got {
				ids[d.text("id")] = true
				for _, member := range []string{"activityDateTime", "detectedDateTime", "lastUpdatedDateTime"} {
					if at := parseTime(t, d.text(member)); at.After(begin) || begin.Sub(at) > 80*day {
						t.Errorf("%s is %s", member, at)
					}
				}
				if d.text("activityDateTime") > d.text("detectedDateTime") && parseTime(t, d.text("activityDateTime")).After(parseTime(t, d.text("detectedDateTime"))) {
					t.Errorf("detected %s before %s", d.text("detectedDateTime"), d.text("activityDateTime"))
				}
			}
			if len(ids) != tt.detections {
				t.Errorf("%d distinct ids of %d", len(ids), tt.detections)
			}
		}
	}
}

func TestNobodyIsRiskyWithoutDetections(t *testing.T) {
	t.Parallel()
	s := serve(t, 50, 0, Options{})
	for _, set := range []string{"riskDetections", "riskyUsers", "riskyServicePrincipals", "servicePrincipalRiskDetections"} {
		if got := s.raw("/identityProtection/" + set); !strings.HasSuffix(got, `"value":[]}`) {
			t.Errorf("%s: %s", set, got)
		}
	}
}

// TestLevelsAndStatesAgree holds what users are to what their detections say.
func TestLevelsAndStatesAgree(t *testing.T) {
	t.Parallel()
	s := serve(t, 300, 2000, Options{})
	open := map[string]string{}
	order := []string{"", "low", "medium", "high"}
	owners := map[string]bool{}
	late, sources := 0, map[string]int{}
	for _, d := range s.all("/identityProtection/riskDetections?$top=500") {
		id := d.text("userId")
		owners[id] = true
		if d.text("riskState") == "atRisk" && slices.Index(order, d.text("riskLevel")) > slices.Index(order, open[id]) {
			open[id] = d.text("riskLevel")
		}
		if parseTime(t, d.text("detectedDateTime")).Sub(parseTime(t, d.text("activityDateTime"))) > 3*day {
			late++
		}
		ip, err := netip.ParseAddr(d.text("ipAddress"))
		switch {
		case d["ipAddress"] == nil && d["location"] == nil && d["requestId"] == nil:
			sources["none"]++
		case err != nil:
			t.Errorf("address %v", d["ipAddress"])
		case ip.Is6():
			sources["v6"]++
		default:
			sources["v4"]++
		}
		if info := d.text("additionalInfo"); info != "" {
			var pairs []struct {
				Key   string
				Value any
			}
			if err := json.Unmarshal([]byte(info), &pairs); err != nil || len(pairs) == 0 {
				t.Errorf("additionalInfo %s: %v", info, err)
			}
		}
	}
	if late == 0 || sources["none"] == 0 || sources["v6"] == 0 || sources["v4"] == 0 {
		t.Errorf("late %d, sources %v", late, sources)
	}
	guests := map[string]bool{}
	for _, p := range s.tenant.People {
		guests[p.ID] = p.Guest
	}
	seen := map[string]int{}
	for _, u := range s.all("/identityProtection/riskyUsers?$top=500") {
		id, level, state := u.text("id"), u.text("riskLevel"), u.text("riskState")
		seen[state]++
		if u["isDeleted"] == true {
			seen["deleted"]++
		}
		if u["isProcessing"] == true {
			seen["processing"]++
		}
		if guests[id] {
			t.Errorf("%s is a guest", u.text("userPrincipalName"))
		}
		want := open[id]
		if want == "" {
			want = "none"
		}
		if level != want || (state == "atRisk") != (open[id] != "") {
			t.Errorf("%s is %s %s with open detections up to %q", u.text("userPrincipalName"), level, state, open[id])
		}
		history := s.all("/identityProtection/riskyUsers/" + id + "/history")
		last := slices.IndexFunc(history, func(r row) bool { return r.text("id") == id })
		if last < 0 {
			t.Fatalf("%s has no current history row", id)
		}
		for _, member := range []string{"riskLevel", "riskState", "riskDetail", "riskLastUpdatedDateTime", "userPrincipalName"} {
			if history[last][member] != u[member] {
				t.Errorf("%s: history says %v, the user %v", member, history[last][member], u[member])
			}
		}
		delete(owners, id)
	}
	for _, what := range []string{"atRisk", "remediated", "dismissed", "deleted", "processing"} {
		if seen[what] == 0 {
			t.Errorf("nobody is %s: %v", what, seen)
		}
	}
	if len(owners) > 0 {
		t.Errorf("detections of %d who are not risky users", len(owners))
	}
}

// TestTheExamples finds the people that an allowlist for "VPN Users" and an
// escalation for password sprays are about.
func TestTheExamples(t *testing.T) {
	t.Parallel()
	for _, users := range []int{12, 50, 200} {
		s := serve(t, users, 500, Options{})
		vpn := netip.MustParsePrefix("203.0.113.0/24")
		privileged := map[string]bool{}
		for _, p := range s.people {
			privileged[p.id] = p.privileged
		}
		found := map[string]int{}
		members := map[string]bool{}
		for _, p := range s.people {
			members[p.id] = p.vpn
		}
		for _, u := range s.all("/identityProtection/riskyUsers?$top=500&$filter=" + query("riskState eq 'atRisk' and isDeleted eq false and isProcessing eq false")) {
			covered, uncovered, spray := 0, 0, 0
			for _, d := range s.detectionsOf(u.text("id")) {
				if d.text("riskState") != "atRisk" {
					continue
				}
				ip, err := netip.ParseAddr(d.text("ipAddress"))
				inside := err == nil && vpn.Contains(ip)
				kind := d.text("riskEventType")
				switch {
				case kind == "passwordSpray" && d.text("riskLevel") == "high":
					spray++
				case inside && (kind == "anonymizedIPAddress" || kind == "unfamiliarFeatures") && d.text("riskLevel") != "high":
					covered++
				default:
					uncovered++
				}
			}
			ada := u.text("userPrincipalName") == "ada@contoso.com"
			switch {
			case spray > 0 && privileged[u.text("id")]:
				t.Errorf("%s is privileged and sprayed", u.text("userPrincipalName"))
			case spray > 0:
				found["spray"]++
			case uncovered == 0 && ada:
				found["ada"]++
			case uncovered == 0 && covered > 0 && privileged[u.text("id")]:
				found["privileged"]++
			case uncovered == 0 && covered > 0 && members[u.text("id")]:
				found["covered"]++
			case covered > 0:
				found["mixed"]++
			}
		}
		if found["ada"] != 1 || found["spray"] < 1 || found["privileged"] < 1 || found["covered"] < 1 {
			t.Errorf("%d users: %v", users, found)
		}
		if users == 200 && (found["covered"] < 3 || found["mixed"] < 2 || found["spray"] < 3) {
			t.Errorf("%d users: %v", users, found)
		}
	}
}

func TestSameSeedSameRisk(t *testing.T) {
	t.Parallel()
	export := func(seed uint64) string {
		data, err := serve(t, 60, 200, Options{Seed: seed}).Export()
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	if diff := cmp.Diff(export(7), export(7)); diff != "" {
		t.Error(diff)
	}
	if export(7) == export(8) {
		t.Error("another seed gives the same risk")
	}
}

func TestProcessingEndsByItself(t *testing.T) {
	t.Parallel()
	s := serve(t, 60, 200, Options{})
	const who = "/identityProtection/riskyUsers?$filter=isProcessing%20eq%20true"
	if n := len(s.page(who).Value); n != 2 {
		t.Errorf("%d are processing at the start", n)
	}
	s.now = begin.Add(2 * time.Hour)
	if n := len(s.page(who).Value); n != 2 {
		t.Errorf("%d are processing after two hours", n)
	}
	s.now = begin.Add(day)
	if n := len(s.page(who).Value); n != 0 {
		t.Errorf("%d are processing after a day", n)
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		if x := rapid.Uint64().Draw(t, "x"); unmix(mix(x)) != x {
			t.Fatalf("%d comes back as %d", x, unmix(mix(x)))
		}
	})
	s := serve(t, 20, 100, Options{})
	for i := range 100 {
		id := s.users.detectionID(i)
		if got, ok := s.users.find(id); !ok || got != i || !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(id) {
			t.Fatalf("%s leads to %d, %v, want %d", id, got, ok, i)
		}
		if _, ok := s.users.find(id[:63] + "g"); ok {
			t.Errorf("a wrong id is found")
		}
	}
}

func BenchmarkNewMillion(b *testing.B) {
	tenant := generate.Population(1, 100_000, 5, begin)
	b.ReportAllocs()
	for b.Loop() {
		New(tenant, 1_000_000, func() time.Time { return begin }, Options{Seed: 1})
	}
}

func BenchmarkPageThroughMillion(b *testing.B) {
	s := serve(b, 100_000, 1_000_000, Options{})
	b.ReportAllocs()
	for b.Loop() {
		target := "/identityProtection/riskDetections?$top=500&$orderby=lastUpdatedDateTime&$filter=" + query("lastUpdatedDateTime ge 2026-01-01T00:00:00Z")
		n := 0
		for target != "" {
			raw := s.raw(target)
			n++
			at := strings.Index(raw[:1000], `"@odata.nextLink":"`)
			if at < 0 {
				break
			}
			rest := raw[at+len(`"@odata.nextLink":"`):]
			target = strings.TrimPrefix(rest[:strings.IndexByte(rest, '"')], root)
		}
		if n != 2000 {
			b.Fatalf("%d pages", n)
		}
	}
}
