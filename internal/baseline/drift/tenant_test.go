package drift_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

// tenant is a service in miniature: it keeps objects the way Graph answers
// them and takes the writes of a plan.
type tenant struct {
	docs  map[entra.ObjectKind]map[string]entra.Document
	owned plan.OwnedObjects
	live  drift.Live
	next  int
	// merge makes updates merge into the live object, members within members;
	// otherwise each block replaces the live one. The service may do either.
	merge bool
}

const (
	bg1     = "b0000000-0000-0000-0000-000000000001"
	bg2     = "b0000000-0000-0000-0000-000000000002"
	bgGroup = "b0000000-0000-0000-0000-00000000000a"
	ada     = "a0000000-0000-0000-0000-000000000001"
	finance = "a0000000-0000-0000-0000-00000000000a"
	self    = "e0000000-0000-0000-0000-000000000001"
)

func yes(b bool) *bool { return &b }

func newTenant() *tenant {
	t := &tenant{docs: map[entra.ObjectKind]map[string]entra.Document{}, owned: plan.OwnedObjects{}}
	for _, kind := range policy.Kinds {
		t.docs[kind], t.owned[kind] = map[string]entra.Document{}, map[string]plan.Owned{}
	}
	t.docs[entra.KindStrength][policy.StrengthPhishingResistant] = entra.Document{"id": policy.StrengthPhishingResistant,
		"displayName": "Phishing-resistant MFA", "policyType": "builtIn", "allowedCombinations": []any{"fido2"}}
	user := func(id, upn string) entra.DirectoryObject {
		return entra.DirectoryObject{Kind: entra.KindUser, ID: entra.NewID(id), UserPrincipalName: upn, AccountEnabled: yes(true)}
	}
	one := func(kind entra.ObjectKind, name string, o entra.DirectoryObject) (entra.Ref, entra.Resolution) {
		o.Kind = kind
		ref := entra.Ref{Kind: kind, Name: name}
		return ref, entra.Resolution{Ref: ref, Objects: []entra.DirectoryObject{o}}
	}
	names := entra.Names{}
	for _, u := range []entra.DirectoryObject{user(bg1, "bg1@contoso.com"), user(bg2, "bg2@contoso.com"), user(ada, "ada@contoso.com")} {
		r, x := one(entra.KindUser, u.UserPrincipalName, u)
		names[r] = x
	}
	for name, id := range map[string]string{"CA Break Glass": bgGroup, "Finance": finance} {
		r, x := one(entra.KindGroup, name, entra.DirectoryObject{ID: entra.NewID(id), DisplayName: name})
		names[r] = x
	}
	for i, name := range []string{"Global Administrator", "Directory Synchronization Accounts", "Security Administrator", "Conditional Access Administrator",
		"Exchange Administrator", "SharePoint Administrator", "Privileged Role Administrator", "Privileged Authentication Administrator",
		"Authentication Administrator", "Application Administrator", "Cloud Application Administrator", "User Administrator", "Helpdesk Administrator",
		"Billing Administrator", "Password Administrator"} {
		id := fmt.Sprintf("c0000000-0000-0000-0000-%012d", i)
		if name == "Directory Synchronization Accounts" {
			id = policy.DirectorySyncRole
		}
		r, x := one(entra.KindRole, name, entra.DirectoryObject{ID: entra.NewID(id), DisplayName: name})
		names[r] = x
	}
	names[entra.Ref{Kind: entra.KindGroup, Name: "Twice"}] = entra.Resolution{Objects: []entra.DirectoryObject{{ID: "x1"}, {ID: "x2"}}}
	names[entra.Ref{Kind: entra.KindGroup, Name: "Nobody"}] = entra.Resolution{}
	t.live = drift.Live{Names: names, ObjectNames: map[string]entra.DirectoryObject{}, Deleted: map[string]bool{},
		Members: map[entra.ID][]entra.DirectoryObject{bgGroup: {user(bg1, "bg1@contoso.com"), user(bg2, "bg2@contoso.com")}},
		Tenant:  entra.Tenant{PlanP1: true, PlanP2: true, WorkloadPremium: true, SecurityDefaults: yes(false)},
		Self:    entra.DirectoryObject{ID: self, DisplayName: "risksweep"}}
	return t
}

// read is what a run sees of the tenant.
func (t *tenant) read() drift.Live {
	l := t.live
	list := func(kind entra.ObjectKind) (out []entra.Document) {
		for _, id := range policy.SortedKeys(t.docs[kind]) {
			out = append(out, t.docs[kind][id].Clone())
		}
		return out
	}
	l.Policies, l.Locations, l.Strengths = list(entra.KindPolicy), list(entra.KindLocation), list(entra.KindStrength)
	return l
}

// filled gives a document every member that the service answers with.
func filled(m *policy.Member, v any) any {
	d, ok := v.(map[string]any)
	if !ok || len(m.Types) > 0 {
		return v
	}
	out := maps.Clone(d)
	for i := range m.Members {
		s := &m.Members[i]
		switch {
		case s.ReadOnly || s.Beta || s.Name == "description":
		case out[s.Name] != nil:
			out[s.Name] = filled(s, out[s.Name])
		case s.List:
			out[s.Name] = []any{}
		default:
			out[s.Name] = nil
		}
	}
	return out
}

func (t *tenant) put(kind entra.ObjectKind, id string, d entra.Document) string {
	if id == "" {
		t.next++
		id = fmt.Sprintf("d0000000-0000-0000-0000-%012d", t.next)
	}
	d, _ = filled(policy.SchemaOf(kind), map[string]any(policy.CanonicalOf(kind, d))).(map[string]any)
	d["id"], d["createdDateTime"], d["modifiedDateTime"] = id, "2026-01-01T00:00:00Z", nil
	t.docs[kind][id] = d
	return id
}

// apply carries out the ready actions as apply does and records what is owned.
func (t *tenant) apply(tb testing.TB, actions []plan.Action) (writes int) {
	tb.Helper()
	for _, a := range actions {
		if a.Status != plan.Ready {
			continue
		}
		writes++
		c := a.Change
		fill := func(d entra.Document) entra.Document { return t.fill(tb, d) }
		switch a.Kind {
		case plan.DeletePolicy, plan.DeleteLocation, plan.DeleteStrength:
			if t.docs[c.Kind][string(a.Subject.ID)]["isTrusted"] == true {
				tb.Fatalf("%s is still trusted", a.Subject.Name)
			}
			delete(t.docs[c.Kind], string(a.Subject.ID))
			delete(t.owned[c.Kind], c.Key)
			continue
		case plan.CreatePolicy, plan.CreateLocation, plan.CreateStrength:
			a.Subject.ID = entra.NewID(t.put(c.Kind, "", fill(c.Body)))
		default:
			live := t.docs[c.Kind][string(a.Subject.ID)].Clone()
			if t.merge {
				merge(live, fill(c.Body))
			} else {
				maps.Copy(live, fill(c.Body))
			}
			t.put(c.Kind, string(a.Subject.ID), live)
		}
		live := t.docs[c.Kind][string(a.Subject.ID)]
		if got, want := policy.CanonicalHash(c.Kind, live), policy.CanonicalHash(c.Kind, fill(c.After)); got != want {
			tb.Fatalf("%s %s leaves\n%s\nnot\n%s", a.Kind, c.Key, encode(policy.CanonicalOf(c.Kind, live)), encode(fill(c.After)))
		}
		t.owned[c.Kind][c.Key] = plan.Owned{ID: a.Subject.ID, Hash: policy.CanonicalHash(c.Kind, live), Wanted: policy.CanonicalHash(c.Kind, fill(c.After)), DisplayName: live.DisplayName()}
	}
	return writes
}

func merge(live, body map[string]any) {
	for name, v := range body {
		l, lok := live[name].(map[string]any)
		b, bok := v.(map[string]any)
		if lok && bok && b["@odata.type"] == nil { // a value of a type of its own replaces
			merge(l, b)
		} else {
			live[name] = v
		}
	}
}

func (t *tenant) fill(tb testing.TB, d entra.Document) entra.Document {
	text := encode(d)
	for kind, owned := range t.owned {
		for key, o := range owned {
			text = strings.ReplaceAll(text, `"{{`+string(kind)+":"+key+`}}"`, `"`+string(o.ID)+`"`)
		}
	}
	if strings.Contains(text, "{{") {
		tb.Fatalf("a reference is not filled in: %s", text)
	}
	out, err := entra.ParseDocument([]byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func encode(v any) string {
	text, _ := json.MarshalIndent(v, "", " ")
	return string(text)
}

// load reads a baseline that must be without error.
func load(tb testing.TB, text string) *baseline.Baseline {
	tb.Helper()
	b, problems := baseline.Parse("b.yaml", []byte(text))
	if b == nil {
		tb.Fatalf("%v\nin %s", problems, text)
	}
	return b
}

var everything = drift.Settings{AllowEnabledPolicies: true, AllowWeakening: true, Prune: true}

func (t *tenant) plan(b *baseline.Baseline, s drift.Settings) drift.Result {
	s.Owned = t.owned
	return drift.Compare(b, answered(b, t.read()), s)
}

// answered says of every id that a baseline names and nothing is known of that
// it is what it is taken for.
func answered(b *baseline.Baseline, l drift.Live) drift.Live {
	names := maps.Clone(l.Names)
	for _, ref := range append(b.Refs(), b.IDs()...) {
		if _, known := names[ref]; !known && (entra.IsID(ref.Name) || ref.Kind == entra.KindContext) {
			names[ref] = entra.Resolution{Ref: ref, Objects: []entra.DirectoryObject{{Kind: ref.Kind, ID: entra.NewID(ref.Name)}}}
		}
	}
	l.Names = names
	return l
}

// shape is what a test wants to see of the actions.
func shape(actions []plan.Action) []string {
	out := []string{}
	for _, a := range actions {
		out = append(out, fmt.Sprintf("%s %s %s", a.Kind, a.Subject.Key, a.Status))
	}
	return out
}
