package whatif_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/expectation"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/whatif"
)

func doc(t *testing.T, text string) entra.Document {
	t.Helper()
	d, err := entra.ParseDocument([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func blockAll(t *testing.T, id, name, state, conditions string) entra.Document {
	return doc(t, `{"id":"`+id+`","displayName":"`+name+`","state":"`+state+`","conditions":{"users":{"includeUsers":["All"]},"applications":{"includeApplications":["All"]}`+conditions+`},"grantControls":{"operator":"OR","builtInControls":["block"]}}`)
}

func TestPlannedIsTheLivePoliciesAfterThePlan(t *testing.T) {
	live := whatif.Objects{Policies: []entra.Document{
		blockAll(t, "p1", "Stays", "disabled", ""), blockAll(t, "p2", "Goes", "enabled", ""), blockAll(t, "p3", "Changes", "enabled", ""),
	}}
	change := func(kind plan.Kind, status plan.Status, of entra.ObjectKind, id entra.ID, key string, after entra.Document) plan.Action {
		return plan.Action{Kind: kind, Status: status, Subject: plan.Subject{ID: id}, Change: &plan.Change{Kind: of, Key: key, After: after}}
	}
	set := whatif.Planned(live, nil, []plan.Action{
		{Kind: plan.Dismiss, Status: plan.Ready, Subject: plan.Subject{ID: "p2"}},
		change(plan.DeletePolicy, plan.Ready, entra.KindPolicy, "p2", "GOES", nil),
		change(plan.UpdatePolicy, plan.Ready, entra.KindPolicy, "p3", "CHANGES", blockAll(t, "", "Changed", "disabled", "")),
		change(plan.UpdatePolicy, plan.Blocked, entra.KindPolicy, "p1", "STAYS", blockAll(t, "", "Never", "enabled", "")),
		change(plan.CreateLocation, plan.NotEnabled, entra.KindLocation, "", "hq", doc(t, `{"@odata.type":"#microsoft.graph.countryNamedLocation","displayName":"HQ","countriesAndRegions":["FR"]}`)),
		change(plan.CreatePolicy, plan.NotEnabled, entra.KindPolicy, "", "NEW", blockAll(t, "", "New", "enabled", `,"locations":{"includeLocations":["{{namedLocation:hq}}"]}`)),
	})
	var names []string
	for i := range set.Len() {
		names = append(names, set.Policy(i).Key+" "+set.Name(i))
	}
	if want := []string{" Stays", "CHANGES Changed", "NEW New"}; !slices.Equal(names, want) {
		t.Fatalf("policies %q, want %q", names, want)
	}
	in := access.SignIn{User: &access.User{ID: "u"}, Target: access.Target{App: &access.App{}}, AsGiven: true}
	for country, want := range map[string]access.Result{"FR": access.Blocked, "US": access.Open} {
		in.Country = country
		if got := whatif.Ask(set, "planned", in).Outcome; got != want {
			t.Errorf("from %s: %s, want %s", country, got, want)
		}
	}
	if n := len(live.Policies); n != 3 || live.Policies[1].DisplayName() != "Goes" {
		t.Error("the live policies were changed")
	}
}

// tenant is a tenant of a few people.
type tenant struct {
	whatif.Reader
	answers []entra.Document
	asked   entra.Document
	refused map[string]error // groups whose members may not be read
	asks    []string
}

func (tn *tenant) Evaluate(_ context.Context, request entra.Document) ([]entra.Document, error) {
	tn.asked = request
	return tn.answers, nil
}

func (tn *tenant) Users(context.Context) iter.Seq2[[]entra.Memberships, error] {
	tn.asks = append(tn.asks, "users")
	return func(yield func([]entra.Memberships, error) bool) {
		if yield([]entra.Memberships{{ID: "u1", UserPrincipalName: "ada"}, {ID: "u2", UserPrincipalName: "bob"}}, nil) {
			// Somebody came meanwhile: one of them comes again.
			yield([]entra.Memberships{{ID: "u2", UserPrincipalName: "bob"}, {ID: "bg", UserPrincipalName: "glass"}, {ID: "g1", UserPrincipalName: "guest", Guest: "internalGuest"}}, nil)
		}
	}
}

func (tn *tenant) Members(_ context.Context, group string) ([]entra.DirectoryObject, error) {
	tn.asks = append(tn.asks, group)
	if err := tn.refused[group]; err != nil {
		return nil, err
	}
	return map[string][]entra.DirectoryObject{"admins": {{ID: "u2"}}, "staff": {{ID: "u1"}, {ID: "bg"}}}[group], nil
}

func (tn *tenant) ActiveRoles(context.Context) (entra.ActiveRoles, error) {
	tn.asks = append(tn.asks, "roles")
	return entra.ActiveRoles{Holders: map[entra.ID][]entra.ID{"admins": {"role1"}, "bg": {"role1"}}, Groups: []entra.ID{"admins"}}, nil
}

func (tn *tenant) Guests(context.Context) iter.Seq2[[]entra.Memberships, error] {
	tn.asks = append(tn.asks, "guests")
	return func(yield func([]entra.Memberships, error) bool) {
		yield([]entra.Memberships{{ID: "g1", UserPrincipalName: "guest", Guest: "internalGuest"}}, nil)
	}
}

// One person is seen alike, whether everybody was read or only whom the policies
// name.
func TestPersonOfAPartOfTheDirectory(t *testing.T) {
	set := whatif.Live(whatif.Objects{Policies: []entra.Document{
		doc(t, `{"id":"p1","displayName":"P","state":"enabled","conditions":{"users":{"includeGroups":["staff"],"includeRoles":["role1"],"excludeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"internalGuest"}},"applications":{"includeApplications":["All"]}},"grantControls":{"operator":"OR","builtInControls":["mfa"]}}`),
	}}, nil)
	none := &tenant{}
	if err := whatif.NewPopulation(nil).ReadNamed(t.Context(), none, whatif.Live(whatif.Objects{Policies: []entra.Document{blockAll(t, "p1", "All", "enabled", "")}}, nil)); err != nil || len(none.asks) > 0 {
		t.Errorf("policies that name nobody ask for %v: %v", none.asks, err)
	}
	for _, refused := range []map[string]error{nil, {"staff": entra.ErrForbidden}, {"admins": entra.ErrForbidden}} {
		tn := &tenant{refused: refused}
		whole, err := whatif.ReadPopulation(t.Context(), tn, nil, nil, set)
		if err != nil {
			t.Fatal(err)
		}
		if len(whole.Users) != 4 {
			t.Errorf("%d users: %v", len(whole.Users), whole.Users)
		}
		part := whatif.NewPopulation(nil)
		if err := part.ReadNamed(t.Context(), tn, set); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"staff", "roles", "admins", "guests"}, tn.asks[4:]); diff != "" || tn.asks[0] != "users" || len(tn.asks) != 8 {
			t.Errorf("asked %v: %s", tn.asks, diff)
		}
		// Everybody after all takes only what is missing.
		tn.asks = nil
		if err := part.ReadUsers(t.Context(), tn, set); err != nil || !slices.Equal(tn.asks, []string{"users"}) {
			t.Errorf("asked %v: %v", tn.asks, err)
		}
		for id, want := range map[entra.ID]string{"u1": "staff", "u2": "admins", "bg": "staff", "g1": ""} {
			u := part.Person(id, "x@contoso.com")
			if diff := cmp.Diff(whole.Person(id, "x@contoso.com"), u); diff != "" {
				t.Errorf("%s: %s", id, diff)
			}
			var groups []string
			for _, g := range u.Groups {
				groups = append(groups, string(g))
			}
			if got := strings.Join(groups, " "); refused == nil && got != want || u.GroupsUnknown != (refused != nil) || u.RolesUnknown != (refused["admins"] != nil) || (u.Guest != "") != (id == "g1") {
				t.Errorf("%s: %+v", id, u)
			}
		}
	}
}

func TestVerifyComparesPolicyByPolicy(t *testing.T) {
	set := whatif.Live(whatif.Objects{Policies: []entra.Document{
		blockAll(t, "p1", "Same", "enabled", ""), blockAll(t, "p2", "Otherwise", "enabled", `,"signInRiskLevels":["high"]`), blockAll(t, "p3", "Off", "disabled", ""), blockAll(t, "p4", "Unseen", "enabled", ""),
	}}, nil)
	tn := &tenant{answers: []entra.Document{{"id": "P1", "policyApplies": true, "analysisReasons": "notSet"}, {"id": "p2", "policyApplies": true, "analysisReasons": "notSet"}}}
	in := access.SignIn{User: &access.User{ID: "u1"}, Target: access.Target{App: &access.App{ID: "app"}}, Client: "browser"}
	answer := whatif.Ask(set, "live", in)
	if err := whatif.NewFacts(tn, "tenant").Verify(t.Context(), in, &answer); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range answer.Verify.Differences {
		got = append(got, d.DisplayName+": "+d.Ours+" / "+d.Service)
	}
	want := []string{"Otherwise: does not apply: signInRisk / applies", "Unseen: applies / not in the answer"}
	if answer.Verify.Agrees || !slices.Equal(got, want) {
		t.Errorf("differences %q, want %q", got, want)
	}
	conditions, _ := tn.asked["signInConditions"].(map[string]any)
	if conditions["clientAppType"] != "browser" || len(conditions) != 1 {
		t.Errorf("asked %v", tn.asked)
	}
	in.Target.App = &access.App{}
	if err := whatif.NewFacts(tn, "tenant").Verify(t.Context(), in, &answer); !errors.Is(err, whatif.ErrNotAsked) {
		t.Errorf("asking for all applications: %v", err)
	}
}

func TestExpectationsAreAboutOneOfEachKind(t *testing.T) {
	set := whatif.Live(whatif.Objects{Policies: []entra.Document{
		doc(t, `{"id":"p1","displayName":"Staff","state":"enabled","conditions":{"users":{"includeGroups":["staff"]},"applications":{"includeApplications":["All"]}},"grantControls":{"operator":"OR","builtInControls":["mfa"]}}`),
		doc(t, `{"id":"p2","displayName":"Admins","state":"enabled","conditions":{"users":{"includeRoles":["role1"]},"applications":{"includeApplications":["All"]}},"grantControls":{"operator":"OR","builtInControls":["block"]}}`),
	}}, nil)
	tn := &tenant{}
	people, err := whatif.ReadPopulation(t.Context(), tn, map[entra.ID]bool{"bg": true}, nil, set)
	if err != nil {
		t.Fatal(err)
	}
	names := entra.Names{}
	for _, r := range []entra.DirectoryObject{{Kind: entra.KindGroup, ID: "staff", DisplayName: "staff"}, {Kind: entra.KindRole, ID: "role1", DisplayName: "role1"}} {
		ref := entra.Ref{Kind: r.Kind, Name: r.DisplayName}
		names[ref] = entra.Resolution{Ref: ref, Objects: []entra.DirectoryObject{r}}
	}
	e := whatif.Expected{Context: t.Context(), Population: people, Set: set, Names: names}
	for subject, want := range map[expectation.Subject]string{
		{Kind: expectation.Everyone}:                    "ada bob guest",
		{Kind: expectation.Guests}:                      "guest",
		{Kind: expectation.GroupMembers, Name: "staff"}: "ada",
		{Kind: expectation.RoleHolders, Name: "role1"}:  "bob",
	} {
		list, err := e.Subjects(subject)
		if err != nil {
			t.Errorf("%v: %v", subject, err)
		}
		var got []string
		for _, s := range list {
			got = append(got, s.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%v: %v, want %s", subject, got, want)
		}
	}
	if _, err := e.Subjects(expectation.Subject{Kind: expectation.GroupMembers, Name: "nobody knows"}); err == nil {
		t.Error("a group that is not there holds nobody, and everything of nobody")
	}
	// Who may be in a group that cannot be read may be reached by its policy.
	tn.refused = map[string]error{"staff": entra.ErrForbidden}
	if people, err = whatif.ReadPopulation(t.Context(), tn, nil, nil, set); err != nil {
		t.Fatal(err)
	}
	for _, r := range people.People(set, whatif.Everybody).Representatives() {
		in := access.SignIn{User: r.User, Target: access.Target{App: &access.App{}}}
		if unknown := set.Judge(in).Outcome().Unknown; !slices.Contains(unknown, 0) {
			t.Errorf("%s: not known %v", r.Name, unknown)
		}
	}
}
