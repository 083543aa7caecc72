package graph

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/entra"
)

const (
	idA = "aaaaaaaa-0000-0000-0000-000000000001"
	idB = "bbbbbbbb-0000-0000-0000-000000000002"
	idC = "cccccccc-0000-0000-0000-000000000003"
	idX = "ffffffff-0000-0000-0000-00000000000f"
)

// scripted is a directory: relative URL, decoded, to status and body.
type scripted struct {
	t       *testing.T
	answers map[string]string // body, or "status body"
	mu      sync.Mutex
	batches [][]string
	single  []string
	before  func(url string) (status int, header map[string]string, hit bool)
}

func (s *scripted) answer(u string) (int, string) {
	decoded, err := url.QueryUnescape(u)
	if err != nil {
		s.t.Errorf("URL %q: %v", u, err)
	}
	body, ok := s.answers[decoded]
	if !ok {
		return 404, `{"error":{"code":"Request_ResourceNotFound","message":"no ` + strings.ReplaceAll(decoded, `"`, "") + `"}}`
	}
	var status int
	if n, _ := fmt.Sscanf(body, "%d ", &status); n == 1 {
		return status, body[4:]
	}
	return 200, body
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !strings.HasSuffix(r.URL.Path, "/$batch") {
		path := strings.TrimPrefix(r.URL.RequestURI(), "/v1.0")
		s.single = append(s.single, path)
		status, body := s.answer(path)
		answerJSON(w, status, body)
		return
	}
	var in struct {
		Requests []struct{ ID, Method, URL string }
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(body, &in) != nil || len(in.Requests) > 20 {
		s.t.Errorf("batch %s", body)
	}
	var urls []string
	var responses []map[string]any
	for _, one := range in.Requests {
		if one.Method != http.MethodGet {
			s.t.Errorf("method %s", one.Method)
		}
		urls = append(urls, one.URL)
		if s.before != nil {
			if status, header, hit := s.before(one.URL); hit {
				responses = append(responses, map[string]any{"id": one.ID, "status": status, "headers": header,
					"body": map[string]any{"error": map[string]any{"code": "TooManyRequests", "message": "x"}}})
				continue
			}
		}
		status, body := s.answer(one.URL)
		responses = append(responses, map[string]any{"id": one.ID, "status": status, "body": json.RawMessage(body)})
	}
	slices.Reverse(responses)
	s.batches = append(s.batches, urls)
	out, err := json.Marshal(map[string]any{"responses": responses})
	if err != nil {
		s.t.Error(err)
	}
	answerJSON(w, 200, string(out))
}

func (s *scripted) bubble(o Options, f func(t *testing.T, c *Client)) {
	s.t.Helper()
	bubble(s.t, s.ServeHTTP, o, f)
}

func TestResolve(t *testing.T) {
	user := `{"id":"` + idA + `","displayName":"Ada","userPrincipalName":"ada@contoso.com","accountEnabled":true}`
	s := &scripted{t: t, answers: map[string]string{
		"/users/ada@contoso.com?$select=" + userSelect:                            user,
		"/users/" + idA + "?$select=" + userSelect:                                user,
		"/users/guest#EXT#@contoso.com?$select=" + userSelect:                     `{"id":"` + idB + `"}`,
		"/users/odd'name@contoso.com?$select=" + userSelect:                       `400 {"error":{"code":"Request_BadRequest","message":"Invalid."}}`,
		"/users('$tar@contoso.com')?$select=" + userSelect:                        `{"id":"` + idC + `"}`,
		"/groups?$filter=displayName eq 'VPN Users'&$select=" + groupSelect:       `{"value":[{"id":"` + idB + `","displayName":"VPN Users","isAssignableToRole":true,"groupTypes":["DynamicMembership"]}]}`,
		"/groups?$filter=displayName eq 'O''Brien & Co+1'&$select=" + groupSelect: `{"value":[{"id":"1"},{"id":"2"}]}`,
		"/groups?$filter=displayName eq 'None'&$select=" + groupSelect:            `{"value":[]}`,
		"/groups?$filter=displayName eq 'Many'&$select=" + groupSelect:            `{"value":[{"id":"1"}],"@odata.nextLink":"` + testRoot + `/groups?more=1"}`,
		"/groups?more=1": `{"value":[{"id":"2"}]}`,
		"/groups/" + idB + "?$select=" + groupSelect:                            `{"id":"` + idB + `","displayName":"VPN Users","isAssignableToRole":null}`,
		"/servicePrincipals?$filter=displayName eq 'App'&$select=" + spSelect:   `{"value":[{"id":"sp","appId":"app","displayName":"App"}]}`,
		"/servicePrincipals?$filter=appId eq '" + idC + "'&$select=" + spSelect: `{"value":[{"id":"sp","appId":"` + idC + `"}]}`,
		"/directoryRoleTemplates":                                               `{"value":[{"id":"r1","displayName":"Global Administrator"},{"id":"r2","displayName":"Twin"},{"id":"r3","displayName":"twin"}]}`,
		"/identityGovernance/termsOfUse/agreements":                             `{"value":[{"id":"t1","displayName":"Terms"}]}`,
		"/identity/conditionalAccess/namedLocations":                            `{"value":[{"id":"l1","displayName":"HQ","x":1}]}`,
		"/policies/authenticationStrengthPolicies":                              `{"value":[{"id":"00000000-0000-0000-0000-000000000002","displayName":"Multifactor authentication"}]}`,
	}}
	ref := func(kind entra.ObjectKind, name string) entra.Ref { return entra.Ref{Kind: kind, Name: name} }
	on := true
	want := map[entra.Ref][]entra.DirectoryObject{
		ref(entra.KindUser, "ada@contoso.com"):                          {{Kind: "user", ID: idA, DisplayName: "Ada", UserPrincipalName: "ada@contoso.com", AccountEnabled: &on}},
		ref(entra.KindUser, idA):                                        {{Kind: "user", ID: idA, DisplayName: "Ada", UserPrincipalName: "ada@contoso.com", AccountEnabled: &on}},
		ref(entra.KindUser, "guest#EXT#@contoso.com"):                   {{Kind: "user", ID: idB}},
		ref(entra.KindUser, "$tar@contoso.com"):                         {{Kind: "user", ID: idC}},
		ref(entra.KindUser, "gone@contoso.com"):                         {},
		ref(entra.KindUser, "odd'name@contoso.com"):                     {},
		ref(entra.KindUser, "Ada"):                                      {},
		ref(entra.KindUser, ""):                                         {},
		ref(entra.KindUser, idX):                                        {},
		ref(entra.KindGroup, "VPN Users"):                               {{Kind: "group", ID: idB, DisplayName: "VPN Users", RoleAssignable: true, Dynamic: true}},
		ref(entra.KindGroup, idB):                                       {{Kind: "group", ID: idB, DisplayName: "VPN Users"}},
		ref(entra.KindGroup, "O'Brien & Co+1"):                          {{Kind: "group", ID: "1"}, {Kind: "group", ID: "2"}},
		ref(entra.KindGroup, "None"):                                    {},
		ref(entra.KindGroup, "Many"):                                    {{Kind: "group", ID: "1"}, {Kind: "group", ID: "2"}},
		ref(entra.KindServicePrincipal, "App"):                          {{Kind: "servicePrincipal", ID: "sp", AppID: "app", DisplayName: "App"}},
		ref(entra.KindApplication, "App"):                               {{Kind: "application", ID: "app", AppID: "app", DisplayName: "App"}},
		ref(entra.KindApplication, idC):                                 {{Kind: "application", ID: idC, AppID: idC}},
		ref(entra.KindRole, "global administrator"):                     {{Kind: "role", ID: "r1", DisplayName: "Global Administrator"}},
		ref(entra.KindRole, "Twin"):                                     {{Kind: "role", ID: "r2", DisplayName: "Twin"}, {Kind: "role", ID: "r3", DisplayName: "twin"}},
		ref(entra.KindRole, "R2"):                                       {{Kind: "role", ID: "r2", DisplayName: "Twin"}},
		ref(entra.KindRole, "Nobody"):                                   {},
		ref(entra.KindAgreement, "Terms"):                               {{Kind: "termsOfUse", ID: "t1", DisplayName: "Terms"}},
		ref(entra.KindLocation, "HQ"):                                   {{Kind: "namedLocation", ID: "l1", DisplayName: "HQ"}},
		ref(entra.KindStrength, "00000000-0000-0000-0000-000000000002"): {{Kind: "authenticationStrength", ID: "00000000-0000-0000-0000-000000000002", DisplayName: "Multifactor authentication"}},
	}
	s.bubble(Options{}, func(t *testing.T, c *Client) {
		var refs []entra.Ref
		for r := range want {
			refs = append(refs, r, r)
		}
		names, err := c.Resolve(ctx(t), refs)
		if err != nil {
			t.Fatal(err)
		}
		got := map[entra.Ref][]entra.DirectoryObject{}
		for r, res := range names {
			if res.Ref != r {
				t.Errorf("%v answers %v", res.Ref, r)
			}
			got[r] = res.Objects
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		// 16 lookups and two lists by batch, two lists of their own, one page.
		if len(s.batches) != 1 || len(s.single) != 3 {
			t.Errorf("%d batches, single requests %q", len(s.batches), s.single)
		}
		// The list is handed over once, and not after a write.
		for _, n := range []int{3, 4} {
			if docs, err := c.Objects(ctx(t), entra.KindLocation); err != nil || len(docs) != 1 || docs[0].Text("x") != "" || docs[0]["x"] != json.Number("1") {
				t.Errorf("locations %v, %v", docs, err)
			}
			if len(s.single) != n {
				t.Errorf("%d requests, want %d", len(s.single), n)
			}
		}
		if _, err := c.DeleteObject(ctx(t), entra.KindPolicy, "x"); !errors.Is(err, entra.ErrNotFound) {
			t.Errorf("delete: %v", err)
		}
		if _, err := c.Objects(ctx(t), entra.KindStrength); err != nil || s.single[len(s.single)-1] != strengths {
			t.Errorf("after a write the list is stale: %v, %q", err, s.single)
		}
	})
}

// Names cost a request for each twenty, whatever their kinds; entries that are
// throttled are asked again, alone.
func TestResolveCostAndThrottles(t *testing.T) {
	s := &scripted{t: t, answers: map[string]string{}}
	var refs []entra.Ref
	for i := range 41 {
		name := fmt.Sprintf("u%d@contoso.com", i)
		refs = append(refs, entra.Ref{Kind: entra.KindUser, Name: name})
		s.answers["/users/"+name+"?$select="+userSelect] = fmt.Sprintf(`{"id":"id-%d"}`, i)
	}
	hits := map[string]int{}
	s.before = func(u string) (int, map[string]string, bool) {
		hits[u]++
		if strings.Contains(u, "/u7%40") && hits[u] <= 2 || strings.Contains(u, "/u7@") && hits[u] <= 2 {
			return 429, map[string]string{"Retry-After": "10"}, true
		}
		if strings.Contains(u, "/u40") && hits[u] == 1 {
			return 503, nil, true
		}
		return 0, nil, false
	}
	s.bubble(Options{}, func(t *testing.T, c *Client) {
		names, err := c.Resolve(ctx(t), refs)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range refs {
			if o, ok := names[r].Resolved(); !ok || o.ID != entra.NewID(fmt.Sprint("id-", i)) {
				t.Errorf("%v is %v", r, names[r])
			}
		}
		var sizes []int
		for _, b := range s.batches {
			sizes = append(sizes, len(b))
		}
		if diff := cmp.Diff([]int{20, 20, 1, 2, 1}, sizes); diff != "" {
			t.Error(diff)
		}
	})
}

// A lookup that fails for another reason than that the object is not there
// fails the whole: an unread name must not pass for a missing one.
func TestResolveFailsWhole(t *testing.T) {
	for _, answer := range []string{
		`401 {"error":{"code":"InvalidAuthenticationToken","message":"x"}}`,
		`500 {"error":{"code":"InternalServerError","message":"x"}}`,
		`{"id":5}`, `{}`, `{"value":[{"displayName":"no id"}]}`, `[]`,
	} {
		s := &scripted{t: t, answers: map[string]string{"/users/ada@contoso.com?$select=" + userSelect: answer}}
		s.bubble(Options{}, func(t *testing.T, c *Client) {
			names, err := c.Resolve(ctx(t), []entra.Ref{{Kind: entra.KindUser, Name: "ada@contoso.com"}})
			if err == nil || names != nil {
				t.Errorf("%s: names %v, error %v", answer, names, err)
			}
			if strings.Contains(fmt.Sprint(err), "displayName%20") {
				t.Errorf("the error shows the query: %v", err)
			}
		})
	}
}

func TestMalformedBatches(t *testing.T) {
	for _, body := range []string{
		`{}`, `{"responses":[]}`, `{"responses":[{"id":"2","status":200,"body":{}}]}`, `{"responses":[{"id":"1","status":0}]}`,
		`{"responses":[{"id":"1","status":404},{"id":"1","status":404}]}`, `{"responses":"x"}`, `x`,
	} {
		bubble(t, func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, 200, body) }, Options{}, func(t *testing.T, c *Client) {
			if _, err := c.Resolve(ctx(t), []entra.Ref{{Kind: entra.KindGroup, Name: "g"}}); !errors.Is(err, entra.ErrMalformed) {
				t.Errorf("%s: %v", body, err)
			}
		})
	}
}

func TestMembers(t *testing.T) {
	first := "/groups/g1/transitiveMembers?$select=" + userSelect + "&$top=999"
	s := &scripted{t: t, answers: map[string]string{
		first: `{"@odata.nextLink":"` + testRoot + `/groups/g1/transitiveMembers?p=2","value":[
			{"@odata.type":"#microsoft.graph.user","id":"u1","userPrincipalName":"a@x","accountEnabled":false},
			{"@odata.type":"#microsoft.graph.group","id":"g2"},{"@odata.type":"#microsoft.graph.device","id":"d"}]}`,
		"/groups/g1/transitiveMembers?p=2":                                 `{"value":[{"@odata.type":"#microsoft.graph.user","id":"u2"}]}`,
		"/groups/g3/transitiveMembers?$select=" + userSelect + "&$top=999": `{"value":[{"id":"u2"}]}`,
	}}
	off := false
	s.bubble(Options{}, func(t *testing.T, c *Client) {
		got, err := c.Members(ctx(t), "g1")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]entra.DirectoryObject{{Kind: "user", ID: "u1", UserPrincipalName: "a@x", AccountEnabled: &off}, {Kind: "user", ID: "u2"}}, got); diff != "" {
			t.Error(diff)
		}
		if _, err := c.Members(ctx(t), "g2"); !errors.Is(err, entra.ErrNotFound) {
			t.Errorf("unknown group: %v", err)
		}
		if _, err := c.Members(ctx(t), "g3"); !errors.Is(err, entra.ErrMalformed) {
			t.Errorf("member without type: %v", err)
		}
	})
}

func TestTenantAndSelf(t *testing.T) {
	plan := func(id, status string) string {
		return fmt.Sprintf(`{"servicePlanId":%q,"capabilityStatus":%q}`, id, status)
	}
	const org = `{"value":[{"id":"t","displayName":"Contoso","onPremisesSyncEnabled":%s,"verifiedDomains":[{"name":"a.onmicrosoft.com"},{"name":"contoso.com","isDefault":true}],"assignedPlans":%s}]}`
	on, off := true, false
	for _, tc := range []struct {
		name, sync, plans, defaults string
		want                        entra.Tenant
	}{
		{"P2", "null", "[" + plan(planP2, "Enabled") + "]", `{"isEnabled":false}`, entra.Tenant{PlanP1: true, PlanP2: true, SecurityDefaults: &off}},
		{"P1, synced", "true", "[" + plan(planP1, "Warning") + "," + plan(planP2, "Deleted") + "]", `{"isEnabled":true}`, entra.Tenant{PlanP1: true, OnPremisesSynced: true, SecurityDefaults: &on}},
		{"workload", "false", "[" + plan(strings.ToUpper(planWorkloadP2), "Enabled") + "]", `403 {"error":{"code":"AccessDenied","message":"x"}}`, entra.Tenant{WorkloadPremium: true}},
		{"free", "null", "[]", `{"isEnabled":true}`, entra.Tenant{SecurityDefaults: &on}},
		{"unknown", "null", "null", `{"isEnabled":null}`, entra.Tenant{PlansUnknown: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &scripted{t: t, answers: map[string]string{
				"/organization": fmt.Sprintf(org, tc.sync, tc.plans),
				"/policies/identitySecurityDefaultsEnforcementPolicy": tc.defaults,
			}}
			tc.want.ID, tc.want.DisplayName, tc.want.VerifiedDomain = "t", "Contoso", "contoso.com"
			s.bubble(Options{}, func(t *testing.T, c *Client) {
				got, err := c.Tenant(ctx(t))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Error(diff)
				}
				if len(s.batches) != 1 || len(s.single) != 0 {
					t.Errorf("%d batches and %d requests", len(s.batches), len(s.single))
				}
			})
		})
	}
	for _, body := range []string{`{"value":[]}`, `{"value":[{"displayName":"no id"}]}`, `{}`, `{"value":[{"id":"1"},{"id":"2"}]}`,
		`403 {"error":{"code":"Authorization_RequestDenied","message":"x"}}`} {
		s := &scripted{t: t, answers: map[string]string{"/organization": body, "/policies/identitySecurityDefaultsEnforcementPolicy": `{}`}}
		s.bubble(Options{}, func(t *testing.T, c *Client) {
			if got, err := c.Tenant(ctx(t)); err == nil {
				t.Errorf("%s: %v", body, got)
			}
		})
	}

	const appID = "11111111-1111-1111-1111-111111111111"
	s := &scripted{t: t, answers: map[string]string{
		"/servicePrincipals?$filter=appId eq '" + appID + "'&$select=" + spSelect: `{"value":[{"id":"sp","appId":"` + appID + `","displayName":"risksweep"}]}`,
	}}
	s.bubble(Options{Credential: fixedToken{token: jwt("A.Read", "B.Read")}}, func(t *testing.T, c *Client) {
		got, err := c.Self(ctx(t))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(entra.DirectoryObject{Kind: "servicePrincipal", ID: "sp", AppID: appID, DisplayName: "risksweep"}, got); diff != "" {
			t.Error(diff)
		}
		roles, err := c.TokenRoles(ctx(t))
		if diff := cmp.Diff([]string{"A.Read", "B.Read"}, roles); diff != "" || err != nil {
			t.Error(diff, err)
		}
	})
	s.bubble(Options{}, func(t *testing.T, c *Client) {
		if _, err := c.Self(ctx(t)); !errors.Is(err, entra.ErrOpaqueToken) {
			t.Errorf("opaque token: %v", err)
		}
		if _, err := c.TokenRoles(ctx(t)); !errors.Is(err, entra.ErrOpaqueToken) {
			t.Errorf("opaque token: %v", err)
		}
	})
}

func TestObjectNames(t *testing.T) {
	s := &scripted{t: t, answers: map[string]string{
		"/directoryObjects/getByIds": `{"value":[{"@odata.type":"#microsoft.graph.user","id":"` + idA + `","userPrincipalName":"a@x"},{"@odata.type":"#microsoft.graph.group","id":"` + idB + `","groupTypes":["Unified"]}]}`,
		"/servicePrincipals?$filter=appId eq '" + idC + "'&$select=" + spSelect: `{"value":[{"id":"sp","appId":"` + idC + `","displayName":"App"}]}`,
		"/servicePrincipals?$filter=appId eq '" + idX + "'&$select=" + spSelect: `{"value":[]}`,
	}}
	s.bubble(Options{}, func(t *testing.T, c *Client) {
		got, err := c.ObjectNames(ctx(t), []string{strings.ToUpper(idA), idB, idC, idX, "All", idB, ""})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]entra.DirectoryObject{
			strings.ToUpper(idA): {Kind: "user", ID: idA, UserPrincipalName: "a@x"},
			idB:                  {Kind: "group", ID: idB},
			idC:                  {Kind: "application", ID: idC, AppID: idC, DisplayName: "App"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if got, err := c.ObjectNames(ctx(t), nil); err != nil || len(got) != 0 || len(s.single) != 1 {
			t.Errorf("no ids: %v, %v, %q", got, err, s.single)
		}
	})
}

// TestIDsInChunksAndPages: a thousand ids go into one request, and a next link
// is followed by GET, whatever the first page was asked with.
func TestIDsInChunksAndPages(t *testing.T) {
	var asked []string
	handler := func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method)
		if r.Method == http.MethodGet {
			answerJSON(w, 200, `{"value":[{"@odata.type":"#microsoft.graph.group","id":"`+idB+`","displayName":"B"}]}`)
			return
		}
		var in struct {
			IDs []string `json:"ids"`
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || len(in.IDs) > 1000 {
			t.Errorf("%d ids: %v", len(in.IDs), err)
		}
		if slices.Contains(in.IDs, idA) {
			answerJSON(w, 200, `{"@odata.nextLink":"`+testRoot+`/directoryObjects/getByIds?$skiptoken=x","value":[{"@odata.type":"#microsoft.graph.user","id":"`+idA+`","userPrincipalName":"a@x"}]}`)
			return
		}
		answerJSON(w, 200, `{"value":[]}`)
	}
	bubble(t, handler, Options{}, func(t *testing.T, c *Client) {
		ids := []string{idA, idB}
		for i := range 1500 {
			ids = append(ids, fmt.Sprintf("00000000-0000-0000-0001-%012d", i))
		}
		got, err := c.byIDs(ctx(t), ids)
		if err != nil || len(got) != 2 || got[0].ID != idA || got[1].ID != idB {
			t.Errorf("%v, %v", got, err)
		}
		if d := cmp.Diff([]string{"POST", "GET", "POST"}, asked); d != "" {
			t.Error(d)
		}
	})
}

// Users and guests are read to their last page.
func TestPagesOfPeople(t *testing.T) {
	bubble(t, pagesOf(3, nil), Options{}, func(t *testing.T, c *Client) {
		for name, list := range map[string]iter.Seq2[[]entra.Memberships, error]{"users": c.Users(ctx(t)), "guests": c.Guests(ctx(t))} {
			n := 0
			for page, err := range list {
				if err != nil {
					t.Fatal(err)
				}
				n += len(page)
			}
			if n != 3 {
				t.Errorf("%d %s of 3 pages", n, name)
			}
		}
	})
}
