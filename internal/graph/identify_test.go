package graph

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/entra"
)

// idDirectory answers look-ups by id of a small directory.
type idDirectory struct {
	refused  []string // types that may not be asked for
	noApps   bool     // service principals may not be listed
	requests []string
}

const (
	idUser, idGroup, idPrincipal, idApp, idRegistered, idRole = "11111111-0000-0000-0000-000000000001", "11111111-0000-0000-0000-000000000002",
		"11111111-0000-0000-0000-000000000003", "11111111-0000-0000-0000-000000000004", "11111111-0000-0000-0000-000000000005", "11111111-0000-0000-0000-000000000006"
	idNobody = "11111111-0000-0000-0000-00000000000f"
	denial   = `{"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges to complete the operation."}}`
)

func (d *idDirectory) handle(t *testing.T) http.HandlerFunc {
	items := map[string]string{
		idUser:       `{"@odata.type":"#microsoft.graph.user","id":"` + idUser + `","userPrincipalName":"ada@contoso.com"}`,
		idGroup:      `{"@odata.type":"#microsoft.graph.group","id":"` + idGroup + `","displayName":"VPN Users"}`,
		idPrincipal:  `{"@odata.type":"#microsoft.graph.servicePrincipal","id":"` + idPrincipal + `","appId":"` + idApp + `","displayName":"Payroll"}`,
		idRegistered: `{"@odata.type":"#microsoft.graph.application","id":"` + idRegistered + `","appId":"` + idApp + `","displayName":"Payroll"}`,
	}
	return func(w http.ResponseWriter, r *http.Request) {
		d.requests = append(d.requests, strings.TrimPrefix(r.URL.Path, "/v1.0"))
		if strings.HasSuffix(r.URL.Path, "/getByIds") {
			var in struct{ IDs, Types []string }
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil || len(in.IDs) > maxByIDs {
				t.Error(len(in.IDs), err)
			}
			if slices.ContainsFunc(in.Types, func(s string) bool { return slices.Contains(d.refused, s) }) {
				answerJSON(w, 403, denial)
				return
			}
			var found []string
			for _, id := range in.IDs {
				if item, ok := items[id]; ok {
					found = append(found, item)
				}
			}
			answerJSON(w, 200, `{"value":[`+strings.Join(found, ",")+`]}`)
			return
		}
		var in struct{ Requests []struct{ ID, URL string } }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		var out []string
		for _, one := range in.Requests {
			status, body := 200, `{"value":[]}`
			switch {
			case one.URL == "/directoryRoleTemplates":
				body = `{"value":[{"id":"` + idRole + `","displayName":"Global Administrator"}]}`
			case d.noApps:
				status, body = 403, denial
			case strings.Contains(one.URL, idApp):
				body = `{"value":[` + items[idPrincipal] + `]}`
			}
			out = append(out, fmt.Sprintf(`{"id":%q,"status":%d,"body":%s}`, one.ID, status, body))
		}
		answerJSON(w, 200, `{"responses":[`+strings.Join(out, ",")+`]}`)
	}
}

// TestIdentify: an id is what its ref takes it for, or it is said what it is.
func TestIdentify(t *testing.T) {
	for _, c := range []struct {
		kind    entra.ObjectKind
		id      string
		problem string
	}{
		{entra.KindUser, idUser, ""},
		{entra.KindUser, strings.ToUpper(idUser), ""},
		{entra.KindGroup, idGroup, ""},
		{entra.KindServicePrincipal, idPrincipal, ""},
		{entra.KindApplication, idApp, ""},
		{entra.KindUser, idGroup, idGroup + ` is the group "VPN Users", not a user`},
		{entra.KindGroup, idUser, idUser + ` is the user "ada@contoso.com", not a group`},
		{entra.KindUser, idPrincipal, `is the service principal "Payroll", not a user`},
		{entra.KindUser, idApp, `is the app id of the application "Payroll", not a user`},
		{entra.KindUser, idRole, `is the directory role "Global Administrator", not a user`},
		{entra.KindUser, idNobody, "no user has the id " + idNobody},
		{entra.KindRole, idUser, `is the user "ada@contoso.com", not a directory role`},
		{entra.KindAgreement, idGroup, `is the group "VPN Users", not terms of use`},
		{entra.KindApplication, idPrincipal, `is the object id of the service principal "Payroll"; policies name an application by its app id, ` + idApp},
		{entra.KindApplication, idRegistered, `is the object id of the app registration "Payroll"; policies name an application by its app id, ` + idApp},
		{entra.KindServicePrincipal, idApp, `is the app id of the application "Payroll"; policies name a service principal by its object id, ` + idPrincipal},
		{entra.KindApplication, idNobody, "no application of the tenant has the app id " + idNobody},
	} {
		d := &idDirectory{}
		bubble(t, d.handle(t), Options{}, func(t *testing.T, client *Client) {
			ref := entra.Ref{Kind: c.kind, Name: c.id}
			names, err := client.Identify(ctx(t), []entra.Ref{ref, ref})
			if err != nil || len(names) != 1 {
				t.Fatal(names, err)
			}
			if got := names[ref].Problem(); (c.problem == "") != (got == "") || !strings.Contains(got, c.problem) {
				t.Errorf("%s %s: %q, want %q", c.kind, c.id, got, c.problem)
			}
			if c.problem == "" && len(d.requests) != 1 {
				t.Errorf("%s %s: %q", c.kind, c.id, d.requests)
			}
		})
	}
	d := &idDirectory{}
	bubble(t, d.handle(t), Options{}, func(t *testing.T, client *Client) {
		names, err := client.Identify(ctx(t), []entra.Ref{{Kind: entra.KindUser, Name: "ada@contoso.com"}})
		if err != nil || len(names) != 0 || len(d.requests) != 0 {
			t.Error("a name is no id:", names, err, d.requests)
		}
		var many []entra.Ref
		for i := range 1500 {
			many = append(many, entra.Ref{Kind: entra.KindRole, Name: fmt.Sprintf("22222222-0000-0000-0000-%012d", i)})
		}
		if names, err = client.Identify(ctx(t), many); err != nil || len(names) != 1500 {
			t.Error(len(names), err)
		}
	})
}

// TestIdentifyWithoutPermission: a refusal concerns the kind that it is about,
// and names the app role; what is asked besides may be refused.
func TestIdentifyWithoutPermission(t *testing.T) {
	user, group := entra.Ref{Kind: entra.KindUser, Name: idUser}, entra.Ref{Kind: entra.KindGroup, Name: idGroup}
	app, stray := entra.Ref{Kind: entra.KindApplication, Name: idApp}, entra.Ref{Kind: entra.KindUser, Name: idApp}
	d := &idDirectory{refused: []string{"group", "servicePrincipal", "application"}, noApps: true}
	bubble(t, d.handle(t), Options{}, func(t *testing.T, client *Client) {
		names, err := client.Identify(ctx(t), []entra.Ref{user, group, app, stray})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := names[user].Resolved(); !ok {
			t.Error("user:", names[user])
		}
		for ref, role := range map[entra.Ref]string{group: "GroupMember.Read.All", app: "Application.Read.All"} {
			if n := names[ref]; !errors.Is(n.Unread, entra.ErrForbidden) || !strings.Contains(n.Problem(), "the app role "+role+" is missing") {
				t.Error(ref, n.Problem())
			}
		}
		if got := names[stray].Problem(); got != "no user has the id "+idApp {
			t.Error(got)
		}
	})
}

// TestResolveWithoutPermission: what may not be read is unread, and the rest is
// resolved.
func TestResolveWithoutPermission(t *testing.T) {
	terms, named := entra.Ref{Kind: entra.KindAgreement, Name: "Terms"}, entra.Ref{Kind: entra.KindAgreement, Name: idX}
	user, group, place := entra.Ref{Kind: entra.KindUser, Name: "ada@contoso.com"}, entra.Ref{Kind: entra.KindGroup, Name: "VPN"}, entra.Ref{Kind: entra.KindContext, Name: "c1"}
	s := &scripted{t: t, answers: map[string]string{
		"/identityGovernance/termsOfUse/agreements":                        "403 " + denial,
		"/groups?$filter=displayName eq 'VPN'&$select=" + groupSelect:      "403 " + denial,
		"/identity/conditionalAccess/authenticationContextClassReferences": `{"value":[{"id":"c1","displayName":"Secrets"}]}`,
		"/users/ada@contoso.com?$select=" + userSelect:                     `{"id":"` + idA + `"}`,
	}}
	s.bubble(Options{}, func(t *testing.T, c *Client) {
		names, err := c.Resolve(ctx(t), []entra.Ref{terms, named, user, group, place})
		if err != nil {
			t.Fatal(err)
		}
		for _, ref := range []entra.Ref{terms, named, group} {
			if _, ok := names[ref].Resolved(); ok || !errors.Is(names[ref].Unread, entra.ErrForbidden) || !strings.Contains(names[ref].Problem(), ref.Kind.ReadRole()) {
				t.Error(ref, names[ref])
			}
		}
		for _, ref := range []entra.Ref{user, place} {
			if _, ok := names[ref].Resolved(); !ok {
				t.Error(ref, names[ref])
			}
		}
	})
}
