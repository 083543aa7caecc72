package doctor

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

var now = time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)

// fake is a tenant; an error under an endpoint's name refuses it.
type fake struct {
	roles   []string
	tenant  entra.Tenant
	errs    map[string]error
	names   entra.Names
	members map[string][]entra.DirectoryObject
	time    time.Time
}

func (f fake) TokenRoles(context.Context) ([]string, error) { return f.roles, f.errs["token"] }
func (f fake) Tenant(context.Context) (entra.Tenant, error) { return f.tenant, f.errs["tenant"] }
func (f fake) Self(context.Context) (entra.DirectoryObject, error) {
	return entra.DirectoryObject{ID: "the-identity"}, f.errs["self"]
}

func one[T any](err error) iter.Seq2[entra.Page[T], error] {
	return func(yield func(entra.Page[T], error) bool) {
		if !yield(entra.Page[T]{}, err) {
			return
		}
		panic("the doctor reads more than one page")
	}
}

func (f fake) Detections(context.Context, entra.DetectionQuery) iter.Seq2[entra.Page[entra.Detection], error] {
	return one[entra.Detection](f.errs["detections"])
}
func (f fake) RiskyUsers(context.Context, entra.RiskyUserQuery) iter.Seq2[entra.Page[entra.RiskyUser], error] {
	return one[entra.RiskyUser](f.errs["users"])
}
func (f fake) Agents(context.Context) ([]entra.RiskyAgent, error) { return nil, f.errs["agents"] }
func (f fake) AgentDetections(context.Context) ([]entra.AgentDetection, error) {
	return nil, f.errs["agents"]
}
func (f fake) BetaPolicies(context.Context) ([]entra.PolicyName, error) { return nil, f.errs["beta"] }

func (f fake) RiskyServicePrincipals(context.Context) iter.Seq2[entra.Page[entra.RiskyServicePrincipal], error] {
	return one[entra.RiskyServicePrincipal](f.errs["servicePrincipals"])
}
func (f fake) Privileged(context.Context) (*entra.Privileged, error) {
	return &entra.Privileged{}, f.errs["privileged"]
}
func (f fake) Objects(_ context.Context, kind entra.ObjectKind) ([]entra.Document, error) {
	return nil, f.errs[string(kind)]
}
func (f fake) Resolve(context.Context, []entra.Ref) (entra.Names, error) {
	return f.names, f.errs["resolve"]
}
func (f fake) Members(_ context.Context, id string) ([]entra.DirectoryObject, error) {
	return f.members[id], f.errs["members"]
}
func (f fake) ServerTime() time.Time { return f.time }

func roleNames(parts ...Part) []string {
	var out []string
	for _, p := range For(parts...) {
		out = append(out, p.Role)
	}
	return out
}

var all = []Part{Read, Triage, Baseline, ServicePrincipals, Dismiss, Policies}

func healthy() (fake, Patient) {
	yes := true
	user := func(name string) (entra.Ref, entra.Resolution) {
		r := entra.Ref{Kind: entra.KindUser, Name: name}
		return r, entra.Resolution{Ref: r, Objects: []entra.DirectoryObject{{ID: entra.NewID(name), UserPrincipalName: name, AccountEnabled: &yes}}}
	}
	names := entra.Names{}
	for _, n := range []string{"bg1@contoso.com", "bg2@contoso.com"} {
		r, res := user(n)
		names[r] = res
	}
	f := fake{roles: roleNames(all...), tenant: entra.Tenant{DisplayName: "Contoso", PlanP1: true, PlanP2: true, WorkloadPremium: true}, names: names, time: now, errs: map[string]error{}}
	return f, Patient{Name: "contoso", Parts: all, BreakGlass: &BreakGlass{Users: []string{"bg1@contoso.com", "bg2@contoso.com"}}, Now: func() time.Time { return now }}
}

// bad are the checks that are not fine, as "status name".
func bad(checks []Check) []string {
	var out []string
	for _, c := range checks {
		if c.Status != OK {
			out = append(out, string(c.Status)+" "+c.Name)
		}
	}
	return out
}

func TestWhatTheDoctorFinds(t *testing.T) {
	forbidden := fmt.Errorf("GET: 403: %w", entra.ErrForbidden)
	no := false
	for name, c := range map[string]struct {
		change func(*fake, *Patient)
		want   []string
		text   string // in a detail or fix
		access bool
	}{
		"a healthy tenant": {func(*fake, *Patient) {}, nil, "all 13 app roles", false},
		"no sign-in":       {func(f *fake, _ *Patient) { f.errs["token"] = errors.New("AADSTS7000215") }, []string{"fail sign-in"}, "AADSTS7000215", true},
		"a missing role": {func(f *fake, _ *Patient) {
			f.roles = slices.DeleteFunc(f.roles, func(r string) bool { return r == "RoleManagement.Read.Directory" })
			f.errs["privileged"] = forbidden
		}, []string{"fail permission RoleManagement.Read.Directory", "fail reading directory roles"}, "servicePrincipals/the-identity/appRoleAssignments", true},
		"a missing licence": {func(f *fake, _ *Patient) { f.errs["users"] = forbidden }, []string{"fail reading risky users"}, "lacks the licence", true},
		"a role too many":   {func(_ *fake, p *Patient) { p.Parts = []Part{Read, Triage, Baseline, ServicePrincipals, Dismiss} }, []string{"warn permission Policy.ReadWrite.ConditionalAccess"}, "take the role away", false},
		"read-only":         {func(f *fake, p *Patient) { p.Parts, p.BreakGlass, f.roles = []Part{Read}, nil, roleNames(Read) }, nil, "all 3 app roles", false},
		"no logs, which a sweep can do without": {func(_ *fake, p *Patient) { p.Parts = append(slices.Clone(all), Logs) },
			[]string{"warn permission AuditLog.Read.All"}, `"appRoleId":"b0afded3-3588-46d8-8b3d-9842eff778da"`, false},
		"no logs, though there are none to promote by": {func(_ *fake, p *Patient) { p.Parts, p.Promote = append(slices.Clone(all), Logs), true },
			[]string{"fail permission AuditLog.Read.All"}, "no policy is promoted without it", true},
		"logs": {func(f *fake, p *Patient) {
			p.Parts, p.Promote, f.roles = append(slices.Clone(all), Logs), true, append(f.roles, "AuditLog.Read.All")
		}, nil, "all 14 app roles", false},
		"agents": {func(f *fake, p *Patient) {
			p.Parts, f.roles = append(slices.Clone(all), Agents), append(f.roles, "IdentityRiskyAgent.Read.All")
		}, nil, "all 13 app roles", false},
		"agents without their role, which a sweep can do without": {func(f *fake, p *Patient) {
			p.Parts = append(slices.Clone(all), Agents)
			f.errs["agents"] = forbidden
		}, []string{"warn permission IdentityRiskyAgent.Read.All", "warn reading agents at risk (beta)", "warn reading detections of agents (beta)"},
			"appRoles[?value=='IdentityRiskyAgent.Read.All'].id", false},
		"hidden policies without a baseline": {func(f *fake, p *Patient) {
			p.Parts, p.BreakGlass, f.roles = []Part{Read, Agents}, nil, append(roleNames(Read), "IdentityRiskyAgent.Read.All")
			f.errs["beta"] = forbidden
		}, []string{"warn permission Policy.Read.All", "warn reading policies that v1.0 hides (beta)"}, "a sweep reports without the policies that v1.0 hides, and all else works", false},
		"promotion with the logs off": {func(_ *fake, p *Patient) { p.Promote = true }, []string{"warn promotion"}, "sweep.logs", false},
		"P1 only":                     {func(f *fake, _ *Patient) { f.tenant.PlanP2 = false }, []string{"warn licence"}, "triage is skipped", false},
		"P1 only, without eligible roles": {func(f *fake, _ *Patient) {
			f.tenant.PlanP2 = false
			f.errs["privileged"] = fmt.Errorf("GET: 400: %w", entra.ErrUnlicensed)
		}, []string{"warn licence", "skipped reading directory roles"}, "needs Microsoft Entra ID P2", false},
		"eligible roles that are not licensed": {func(f *fake, _ *Patient) { f.errs["privileged"] = fmt.Errorf("GET: 400: %w", entra.ErrUnlicensed) },
			[]string{"fail reading directory roles"}, "Governance licences", true},
		"no licence": {func(f *fake, _ *Patient) { f.tenant.PlanP2, f.tenant.PlanP1 = false, false }, []string{"fail licence"}, "neither", false},
		"an unknown licence": {func(f *fake, _ *Patient) { f.tenant.PlansUnknown, f.tenant.PlanP2 = true, false },
			[]string{"warn licence"}, "could not be read", false},
		"security defaults": {func(f *fake, _ *Patient) { yes := true; f.tenant.SecurityDefaults = &yes }, []string{"warn security defaults"}, "cannot be enabled", false},
		"a slow clock":      {func(f *fake, _ *Patient) { f.time = now.Add(10 * time.Minute) }, []string{"fail clock"}, "-10m0s off", false},
		"no clock":          {func(f *fake, _ *Patient) { f.time = time.Time{} }, []string{"skipped clock"}, "", false},
		"a server error":    {func(f *fake, _ *Patient) { f.errs[string(entra.KindStrength)] = errors.New("503") }, []string{"fail reading authentication strengths"}, "try again", false},
		"nobody in an emergency": {func(_ *fake, p *Patient) { p.BreakGlass = &BreakGlass{} },
			[]string{"warn break-glass"}, "breakGlass.users", false},
		"one in an emergency": {func(_ *fake, p *Patient) { p.BreakGlass.Users = p.BreakGlass.Users[:1] }, []string{"fail break-glass"}, "1 enabled accounts", false},
		"a disabled account": {func(f *fake, p *Patient) {
			r := entra.Ref{Kind: entra.KindUser, Name: "bg2@contoso.com"}
			f.names[r].Objects[0].AccountEnabled = &no
		}, []string{"fail break-glass"}, "bg2@contoso.com is not enabled", false},
		"a group of three": {func(f *fake, p *Patient) {
			yes, r := true, entra.Ref{Kind: entra.KindGroup, Name: "CA Break Glass"}
			f.names[r] = entra.Resolution{Ref: r, Objects: []entra.DirectoryObject{{ID: "g"}}}
			f.members = map[string][]entra.DirectoryObject{"g": {{ID: "a", AccountEnabled: &yes}, {ID: "b", AccountEnabled: &yes}, {ID: "c", UserPrincipalName: "c@contoso.com"}}}
			p.BreakGlass = &BreakGlass{Groups: []string{"CA Break Glass"}}
		}, []string{"warn break-glass"}, "c@contoso.com is not enabled", false},
		"a name of two": {func(f *fake, p *Patient) {
			r := entra.Ref{Kind: entra.KindGroup, Name: "Twins"}
			f.names[r] = entra.Resolution{Ref: r, Objects: make([]entra.DirectoryObject, 2)}
			p.BreakGlass.Groups = []string{"Twins"}
		}, []string{"warn break-glass"}, `"Twins" is 2 objects`, false},
	} {
		t.Run(name, func(t *testing.T) {
			f, p := healthy()
			c.change(&f, &p)
			p.Reader = f
			checks := Examine(t.Context(), p)
			if diff := cmp.Diff(c.want, bad(checks)); diff != "" {
				t.Errorf("findings (-want +got)\n%s%+v", diff, checks)
			}
			var said strings.Builder
			var access bool
			for _, k := range checks {
				fmt.Fprintln(&said, k.Detail, k.Fix)
				access = access || k.Access
				if (k.Status == Fail || k.Status == Warn) && k.Fix == "" {
					t.Errorf("%s does not say how it is mended", k.Name)
				}
				if k.Tenant != "contoso" {
					t.Errorf("%s is of tenant %q", k.Name, k.Tenant)
				}
			}
			if !strings.Contains(said.String(), c.text) || access != c.access {
				t.Errorf("want %q (access %v) in\n%s", c.text, c.access, said.String())
			}
		})
	}
}

func TestPermissionsAreWellFormed(t *testing.T) {
	guid := regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	for _, p := range Permissions() {
		if !guid.MatchString(p.ID) || seen[p.ID] || seen[p.Role] || len(p.Parts) == 0 || p.Why == "" {
			t.Errorf("%+v", p)
		}
		seen[p.ID], seen[p.Role] = true, true
		write := !strings.Contains(p.Role, ".Read.")
		if enforces := slices.ContainsFunc(plan.Kinds(), func(k plan.Kind) bool { return slices.Contains(p.Parts, Part(k.Part())) }); write != enforces {
			t.Errorf("%s: a role that writes belongs to enforcement, and only there", p.Role)
		}
	}
	for _, k := range plan.Kinds() {
		if len(For(Part(k.Part()))) == 0 {
			t.Errorf("no permission belongs to %s, which %s needs", k.Part(), k)
		}
	}
	if !(Permission{Role: "User.Read.All"}).Has([]string{"Directory.Read.All"}) || (Permission{Role: "IdentityRiskyUser.ReadWrite.All"}).Has([]string{"IdentityRiskyUser.Read.All"}) ||
		!(Permission{Role: "IdentityRiskyUser.Read.All"}).Has([]string{"IdentityRiskyUser.ReadWrite.All"}) {
		t.Error("a wider role counts, a narrower one does not")
	}
}

// The command that grants a permission goes to the Graph of the tenant's own cloud.
func TestGrantInTheTenantsCloud(t *testing.T) {
	p := Permission{Role: "User.Read.All", ID: "df021288-bdef-4463-88db-98f22de89214"}
	for graph, want := range map[string]string{"": "https://graph.microsoft.com/v1.0/", "https://graph.microsoft.us": "https://graph.microsoft.us/v1.0/"} {
		if got := p.grant(graph, "the-identity"); !strings.Contains(got, `--url "`+want+`servicePrincipals/the-identity/appRoleAssignments"`) {
			t.Errorf("%q: %s", graph, got)
		}
	}
}
