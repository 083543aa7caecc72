package fleet_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/fleet"
)

var at = time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)

func numbers(atRisk, person, late, drift int) *fleet.Numbers {
	return &fleet.Numbers{Run: "r", AtRisk: atRisk, NeedsPerson: person, BeyondSLA: late, Drift: drift}
}

// fifty are a fleet with one tenant down, one refused by limits, one under
// attack.
func fifty() []fleet.Summary {
	var list []fleet.Summary
	for i := range 50 {
		s := fleet.Summary{SchemaVersion: 1, Tenant: fmt.Sprintf("t%02d", i), Run: "20261130T020000Z-0a1b2c", Mode: "plan", Status: "succeeded", FinishedAt: at, LastSuccess: at, Numbers: numbers(i, 0, 0, 0)}
		switch i {
		case 11:
			s.Status, s.Failures = "failed", []fleet.Failure{{Kind: "network", Text: "connection <refused>"}}
		case 22:
			s.Status, s.Failures = "refused", []fleet.Failure{{Kind: "limits", Text: "limits.maxDismissals is 50"}}
		case 33:
			s.Campaigns = []fleet.Campaign{{Kind: "address", Of: "198.51.100.7", Users: 9, Summary: "passwordSpray from 198.51.100.7 at 9 users"}}
			s.Addresses = []fleet.Address{{Address: "198.51.100.7", Users: 9}}
		case 44:
			s.Addresses = []fleet.Address{{Address: "198.51.100.7", Users: 1}}
		}
		list = append(list, s)
	}
	return list
}

func TestTheWorstComesFirst(t *testing.T) {
	f := fleet.Of(fifty(), fleet.View{At: at})
	var got []string
	for _, s := range f.Tenants[:4] {
		got = append(got, s.Tenant+" "+s.What())
	}
	want := []string{"t11 network: connection <refused>", "t22 limits: limits.maxDismissals is 50", "t33 campaign: passwordSpray from 198.51.100.7 at 9 users", "t49 "}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]fleet.Common{{Kind: "address", Of: "198.51.100.7", Tenants: []string{"t33", "t44"}, Users: 10}}, f.Campaigns); d != "" {
		t.Error(d)
	}
	if f.Total.Tenants != 50 || f.Total.Trouble != 2 || f.Total.NeedsSomebody != 3 {
		t.Errorf("%+v", f.Total)
	}
}

// A run that failed keeps the numbers of the last that read everything, and a
// trend stays bounded.
func TestAfter(t *testing.T) {
	s := fleet.Summary{}
	for i := range 40 {
		s = fleet.Summary{Tenant: "a", Run: fmt.Sprint(i), Status: "succeeded", FinishedAt: at.Add(time.Duration(i) * time.Hour), Numbers: numbers(i, 0, 0, 0),
			Trend: []fleet.Point{{At: at, Open: i}}, Addresses: []fleet.Address{{Address: "192.0.2.1", Users: 1}}}.After(s)
	}
	if len(s.Trend) != 30 || s.Trend[29].Open != 39 {
		t.Errorf("%d points, the last %+v", len(s.Trend), s.Trend[len(s.Trend)-1])
	}
	failed := fleet.Summary{Tenant: "a", Run: "x", Status: "failed", FinishedAt: at.Add(99 * time.Hour)}.After(s)
	if failed.Numbers == nil || failed.Numbers.AtRisk != 39 || failed.LastSuccessRun != "39" || len(failed.Addresses) != 1 || !failed.Trouble() {
		t.Errorf("%+v", failed)
	}
}

// Many runs end at once on several machines: none is lost, and of two over one
// tenant the later one stays.
func TestConcurrentWritersLoseNothing(t *testing.T) {
	ctx, store := context.Background(), blobstore.NewMemory()
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			for _, hour := range []int{2, 1} {
				s := fleet.Summary{Tenant: fmt.Sprintf("t%02d", i%20), Status: "succeeded", FinishedAt: at.Add(time.Duration(hour) * time.Hour), Numbers: numbers(hour, 0, 0, 0)}
				if err := fleet.Put(ctx, store, s); err != nil {
					t.Error(err)
				}
			}
			f, err := fleet.Read(ctx, store, fleet.View{At: at})
			if err == nil {
				err = fleet.Publish(ctx, store, f)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := store.Put(ctx, "fleet/tenants/broken.json", []byte("{")); err != nil {
		t.Fatal(err)
	}
	f, err := fleet.Read(ctx, store, fleet.View{At: at})
	if err != nil || len(f.Tenants) != 21 || f.Tenants[0].Tenant != "broken" || !f.Tenants[0].Trouble() {
		t.Fatalf("%d tenants, %v", len(f.Tenants), err)
	}
	for _, s := range f.Tenants[1:] {
		if s.Numbers.AtRisk != 2 {
			t.Errorf("%s shows an earlier run: %+v", s.Tenant, s)
		}
	}
}

func TestFleetMeetsTheSchema(t *testing.T) {
	data, err := os.ReadFile("../../docs/schema/fleet.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("https://schema/fleet", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("https://schema/fleet")
	if err != nil {
		t.Fatal(err)
	}
	list := fifty()
	gaps := 3
	list[0].Numbers.CoverageGaps, list[0].Hold, list[0].Trend = &gaps, true, []fleet.Point{{At: at, Open: 2}}
	list[1].Numbers = nil
	for _, f := range []fleet.Fleet{fleet.Of(list, fleet.View{At: at}), fleet.Of(nil, fleet.View{At: at})} {
		text, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Error(err)
		}
	}
}

// The page needs nothing else, hides nothing that a name may hold, and links
// each tenant to its report.
func TestPage(t *testing.T) {
	list := fifty()
	list[5].Trend = []fleet.Point{{At: at, Open: 1}, {At: at, Open: 4}}
	var inStore, inAPI bytes.Buffer
	if err := fleet.WriteHTML(&inStore, fleet.Of(list, fleet.View{At: at}), fleet.InStore); err != nil {
		t.Fatal(err)
	}
	if err := fleet.WriteHTML(&inAPI, fleet.Of(list, fleet.View{At: at}), fleet.InAPI); err != nil {
		t.Fatal(err)
	}
	page := inStore.String()
	for _, want := range []string{`href="../t11/runs/2026/11/30/20261130T020000Z-0a1b2c/report.html"`, "connection &lt;refused&gt;", "t33, t44", "<polyline"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if !strings.Contains(inAPI.String(), `href="/api/runs/20261130T020000Z-0a1b2c/files/report.html?tenant=t11"`) {
		t.Error("the API's page links elsewhere")
	}
	if m := regexp.MustCompile(`(?i)(src|href)=["']?https?:|url\(|@import`).FindString(page); m != "" {
		t.Errorf("the page loads %q", m)
	}
	if a, b, c := strings.Index(page, ">t11<"), strings.Index(page, ">t22<"), strings.Index(page, ">t33<"); a < 0 || a > b || b > c {
		t.Errorf("the worst does not come first: %d, %d, %d", a, b, c)
	}
}
