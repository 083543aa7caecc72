package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
)

// What is judged: a tenant of 200 policies that name 60 groups and 20 locations,
// whose users fall into 120 classes.
const (
	accessGroups, accessPlaces, accessApps = 60, 20, 30
	// situations are the sign-ins that these policies tell apart: applications,
	// platforms, locations, sign-in risk and user risk.
	situations = (accessApps + 1) * 2 * (accessPlaces + 1) * 2 * 3
)

func accessID(kind, n int) string { return fmt.Sprintf("%08d-0000-4000-8000-%012d", kind, n) }

// accessPolicies are the policies as the service sends them.
func accessPolicies() []byte {
	risk := []string{"", `,"signInRiskLevels":["high"]`, `,"userRiskLevels":["high","medium"]`, `,"platforms":{"includePlatforms":["all"],"excludePlatforms":["iOS"]}`}
	var list []json.RawMessage
	for i := range policies {
		who := fmt.Sprintf(`"includeGroups":["%s"],"excludeGroups":["%s"]`, accessID(1, i%accessGroups), accessID(1, (i+7)%accessGroups))
		if i%10 == 0 {
			who = fmt.Sprintf(`"includeUsers":["All"],"excludeGroups":["%s"]`, accessID(1, i%accessGroups))
		}
		where, what := "", `"All"`
		if i%3 == 0 {
			where = fmt.Sprintf(`,"locations":{"includeLocations":["All"],"excludeLocations":["%s"]}`, accessID(2, i%accessPlaces))
		}
		if i%5 != 0 {
			what = strconv.Quote(accessID(3, i%accessApps))
		}
		list = append(list, json.RawMessage(fmt.Sprintf(`{"id":"%s","displayName":"P%d","createdDateTime":"2026-01-01T00:00:00Z","modifiedDateTime":null,"state":"enabled","sessionControls":null,"conditions":{"users":{%s,"excludeUsers":[],"includeRoles":[],"excludeRoles":[]},"applications":{"includeApplications":[%s],"excludeApplications":[],"includeUserActions":[]},"clientAppTypes":["all"]%s%s},"grantControls":{"operator":"OR","builtInControls":["mfa"],"customAuthenticationFactors":[],"termsOfUse":[]}}`, accessID(4, i), i, who, what, where, risk[i%len(risk)])))
	}
	data, err := json.Marshal(list)
	check(err)
	return data
}

func accessSet(docs []entra.Document) *access.Set {
	var places []entra.Document
	for i := range accessPlaces {
		places = append(places, entra.Document{"@odata.type": "#microsoft.graph.ipNamedLocation", "id": accessID(2, i), "isTrusted": i%2 == 0, "ipRanges": []any{map[string]any{"cidrAddress": fmt.Sprintf("10.%d.0.0/16", i)}}})
	}
	list := make([]access.Policy, len(docs))
	for i, d := range docs {
		list[i] = access.Policy{Document: d}
	}
	return access.NewSet(list, places, nil, access.MicrosoftAppGroups())
}

func accessDocs() (docs []entra.Document) {
	check(json.Unmarshal(accessPolicies(), &docs))
	return docs
}

// fastest is the least processor time of several tries.
func fastest(tries int, f func()) time.Duration {
	least := time.Duration(1<<63 - 1)
	for range tries {
		runtime.GC() // so that none begins while f runs
		least = min(least, taking(f).CPU)
	}
	return least
}

// judgeAll is the coverage of n users; Parts are reading with folding, and
// judging.
func judgeAll(t task) (m measured) {
	set := accessSet(accessDocs())
	people := make([]access.Person, t.detections)
	members := make([][]entra.ID, accessGroups)
	for i := range people {
		people[i] = access.Person{ID: entra.NewID(accessID(9, i)), Name: fmt.Sprint("user", i)}
		for _, g := range []int{i % accessGroups, (i + 1) % accessGroups}[:1+i/accessGroups%2] {
			members[g] = append(members[g], people[i].ID)
		}
	}
	for i := range members {
		m.Requests += len(members[i]) // ids
	}
	var folded *access.People
	fold := fastest(5, func() {
		folded = set.NewPeople(people)
		for g, ids := range members {
			folded.Members(entra.NewID(accessID(1, g)), ids)
		}
		expect("classes", len(folded.Representatives()), 2*accessGroups)
	})
	nobody := func(entra.ObjectKind, entra.ID) string { return "" }
	judge := fastest(25, func() { expect("users", folded.Coverage(nobody).Users, t.detections) })
	m.CPU, m.Peak = fold+judge, peak() // without what the service sends
	pages := userPages(people)
	read := fastest(3, func() {
		n := 0
		for _, page := range pages {
			var list struct{ Value []entra.Memberships }
			check(json.Unmarshal(page, &list))
			n += len(list.Value)
		}
		expect("users read", n, t.detections)
	})
	m.Parts = []time.Duration{read + fold, judge}
	return m
}

// userPages are the pages in which a service sends users.
func userPages(people []access.Person) (pages [][]byte) {
	for some := range slices.Chunk(people, 999) {
		var list struct {
			Value []map[string]string `json:"value"`
		}
		for _, p := range some {
			list.Value = append(list.Value, map[string]string{"id": string(p.ID), "userPrincipalName": p.Name + "@contoso.com", "userType": "Member", "creationType": ""})
		}
		page, err := json.Marshal(list)
		check(err)
		pages = append(pages, page)
	}
	return pages
}

// judgeEach judges some sign-ins one after the other: CPU is of one of them.
func judgeEach(task) (m measured) {
	set := accessSet(accessDocs())
	const n = 20_000
	in := access.SignIn{Client: "browser", Platform: "windows", Country: access.Anywhere, SignInRisk: "none", UserRisk: "none"}
	m.CPU = fastest(3, func() {
		for i := range n {
			in.User = &access.User{ID: entra.NewID(accessID(9, i)), Groups: []entra.ID{entra.NewID(accessID(1, i%accessGroups))}}
			in.Target = access.Target{App: &access.App{ID: entra.NewID(accessID(3, i%accessApps))}}
			set.Judge(in).Outcome()
		}
	}) / n
	return m
}

// firstWhatIf prepares the set and judges one sign-in; Parts is the decoding of
// the same policies.
func firstWhatIf(task) (m measured) {
	docs, data := accessDocs(), accessPolicies()
	in := access.SignIn{User: &access.User{ID: entra.NewID(accessID(9, 1))}, Target: access.Target{App: &access.App{}}, Client: "browser"}
	const n = 20
	m.CPU = fastest(5, func() {
		for range n {
			accessSet(docs).Judge(in).Outcome()
		}
	}) / n
	m.Parts = []time.Duration{fastest(5, func() {
		for range n {
			var list []map[string]any
			check(json.Unmarshal(data, &list))
		}
	}) / n}
	return m
}

// judged are the rows of what policies mean.
func judged(row rowFunc) {
	few, many := own("judgeAll", 10_000), own("judgeAll", 100_000)
	each, first := own("judgeEach", 0), own("firstWhatIf", 0)
	loop := time.Duration(float64(each.CPU) * 100_000 * situations)
	row("CPU of coverage, 100000 users, 200 policies", ms(many.CPU), ms(loop/500), ratio(many.CPU, loop/500), 1, fmt.Sprintf("a five-hundredth of judging each user in each of %d situations, one after the other", situations))
	row("reading and folding 100000 users", ms(many.Parts[0]), ms(few.Parts[0]), ratio(many.Parts[0], few.Parts[0]), 12, "10000 users of the same classes")
	row("judging 100000 users", ms(many.Parts[1]), ms(few.Parts[1]), ratio(many.Parts[1], few.Parts[1]), 1.2, "10000 users of the same classes")
	allowed := int64(64<<20 + many.Requests*52)
	row("peak memory of that coverage", mib(many.Peak), mib(allowed), ratio(many.Peak, allowed), 1, "64 MiB + the members' ids, 52 B each")
	row("CPU of the first What If, 200 policies", ms(first.CPU), ms(first.Parts[0]), ratio(first.CPU, first.Parts[0]), 1.5, "encoding/json decoding of these policies")
	row("CPU of a further one", ms(each.CPU), ms(50*time.Microsecond), ratio(each.CPU, 50*time.Microsecond), 1, "50 µs")
}

// own does a task that needs no tenant in a process of its own.
func own(part string, n int) (m measured) {
	data, err := itself("-part", part, "-detections", strconv.Itoa(n)).Output()
	check(err)
	check(json.Unmarshal(data, &m))
	return m
}
