package access_test

import (
	"fmt"
	"testing"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
)

func id(kind, n int) string { return fmt.Sprintf("%08d-0000-4000-8000-%012d", kind, n) }

// largeSet is 200 policies that name 60 groups and 20 locations.
func largeSet(b *testing.B) ([]access.Policy, []entra.Document) {
	var places []entra.Document
	for i := range 20 {
		places = append(places, doc(b, fmt.Sprintf(`{"@odata.type":"#microsoft.graph.ipNamedLocation","id":"%s","isTrusted":%v,"ipRanges":[{"cidrAddress":"10.%d.0.0/16"}]}`, id(2, i), i%2 == 0, i)))
	}
	risk := []string{"", `,"signInRiskLevels":["high"]`, `,"userRiskLevels":["high","medium"]`, `,"platforms":{"includePlatforms":["all"],"excludePlatforms":["iOS"]}`}
	var policies []access.Policy
	for i := range 200 {
		who := fmt.Sprintf(`"includeGroups":["%s"],"excludeGroups":["%s"]`, id(1, i%60), id(1, (i+7)%60))
		if i%10 == 0 {
			who = fmt.Sprintf(`"includeUsers":["All"],"excludeGroups":["%s"]`, id(1, i%60))
		}
		where := ""
		if i%3 == 0 {
			where = fmt.Sprintf(`,"locations":{"includeLocations":["All"],"excludeLocations":["%s"]}`, id(2, i%20))
		}
		what := `"All"`
		if i%5 != 0 {
			what = fmt.Sprintf(`"%s"`, id(3, i%30))
		}
		policies = append(policies, access.Policy{Document: doc(b, fmt.Sprintf(`{"displayName":"P%d","state":"enabled","conditions":{"users":{%s},"applications":{"includeApplications":[%s]},"clientAppTypes":["all"]%s%s},"grantControls":{"operator":"OR","builtInControls":["mfa"]}}`, i, who, what, where, risk[i%4]))})
	}
	return policies, places
}

// BenchmarkJudge is one further sign-in on a prepared set.
func BenchmarkJudge(b *testing.B) {
	policies, places := largeSet(b)
	s := access.NewSet(policies, places, nil, access.MicrosoftAppGroups())
	in := access.SignIn{User: &access.User{ID: ada, Groups: []entra.ID{entra.ID(id(1, 3)), entra.ID(id(1, 9))}}, Target: access.Target{App: &access.App{ID: entra.ID(id(3, 4))}}, Client: "browser", Platform: "iOS"}
	for b.Loop() {
		s.Judge(in).Outcome()
	}
}

// BenchmarkCoverage is a tenant whose users fall into 120 classes.
func BenchmarkCoverage(b *testing.B) {
	policies, places := largeSet(b)
	s := access.NewSet(policies, places, nil, access.MicrosoftAppGroups())
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			people := make([]access.Person, n)
			members := make([][]entra.ID, 60)
			for i := range people {
				people[i] = access.Person{ID: entra.ID(id(9, i)), Name: fmt.Sprint("user", i)}
				members[i%60] = append(members[i%60], people[i].ID)
				if i%120 < 60 {
					members[(i+1)%60] = append(members[(i+1)%60], people[i].ID)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				p := s.NewPeople(people)
				for g, m := range members {
					p.Members(entra.ID(id(1, g)), m)
				}
				p.Coverage(func(entra.ObjectKind, entra.ID) string { return "" })
			}
		})
	}
}
