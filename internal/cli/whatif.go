package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/app"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/expectation"
	"github.com/risksweep/risksweep/internal/graph"
	"github.com/risksweep/risksweep/internal/sweep"
	"github.com/risksweep/risksweep/internal/sweep/gather"
	"github.com/risksweep/risksweep/internal/whatif"
)

// whatIfFlags are the flags of whatif as they were given.
type whatIfFlags struct {
	whatif.Question
	platform, client, ip, country, signInRisk, userRisk, servicePrincipalRisk, insiderRisk, flow string
	device                                                                                       []string
	policies                                                                                     string
	verify                                                                                       bool
}

func (c *command) whatIfCommand() *cobra.Command {
	var f whatIfFlags
	cmd := &cobra.Command{
		Use: "whatif", Short: "Say what a sign-in would meet, and which policies apply to it",
		Long: `Judges one sign-in by all Conditional Access policies: whether it is blocked,
what is demanded, and for every policy whether it applies or the first thing
that is not met. A condition for which no flag is given counts as not met.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.whatIf(cmd, f) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.User, "user", "", "user who signs in: user principal name or id")
	fl.StringVar(&f.ServicePrincipal, "service-principal", "", "workload identity that signs in: name or object id")
	fl.StringVar(&f.App, "app", "", "application: name, application id, or All for one that no policy names")
	fl.StringVar(&f.Action, "action", "", "user action: urn:user:registersecurityinfo or urn:user:registerdevice")
	fl.StringVar(&f.Context, "context", "", "authentication context: c1 to c99")
	fl.StringVar(&f.platform, "platform", "", "device platform")
	fl.StringVar(&f.client, "client", "", "client app type")
	fl.StringVar(&f.ip, "ip", "", "IP address")
	fl.StringVar(&f.country, "country", "", "country, two letters")
	fl.StringVar(&f.signInRisk, "sign-in-risk", "", "sign-in risk: none, low, medium, high")
	fl.StringVar(&f.userRisk, "user-risk", "", "user risk: none, low, medium, high")
	fl.StringVar(&f.servicePrincipalRisk, "service-principal-risk", "", "service principal risk: none, low, medium, high")
	fl.StringVar(&f.insiderRisk, "insider-risk", "", "insider risk: none, minor, moderate, elevated")
	fl.StringVar(&f.flow, "flow", "", "authentication flow: none, deviceCodeFlow, authenticationTransfer")
	fl.StringArrayVar(&f.device, "device", nil, "property of the device, such as isCompliant=true, or registered=false; may be repeated")
	fl.StringVar(&f.policies, "policies", "", "live, or planned: as after the baseline's writes (default: planned if the tenant has a baseline)")
	fl.BoolVar(&f.verify, "verify", false, "ask the service's own What If too; exit 3 if it disagrees")
	cmd.AddCommand(c.whatIfTestCommand(), c.schemaCommand("expectations", expectation.JSONSchema))
	return cmd
}

// question checks the flags.
func (f *whatIfFlags) question() error {
	if (f.User == "") == (f.ServicePrincipal == "") {
		return usageError{errors.New("say who signs in: --user or --service-principal, one of the two")}
	}
	targets := 0
	for _, t := range []string{f.App, f.Action, f.Context} {
		if t != "" {
			targets++
		}
	}
	if targets != 1 {
		return usageError{errors.New("say what is signed in to: --app, --action or --context, one of the three")}
	}
	if err := whatif.OneApp(f.App); err != nil {
		return usageError{err}
	}
	in := &f.Conditions
	for _, v := range []struct {
		flag, value string
		into        *string
		values      []string
	}{
		{"--action", f.Action, &f.Action, []string{"urn:user:registersecurityinfo", "urn:user:registerdevice"}},
		{"--platform", f.platform, &in.Platform, []string{"android", "iOS", "windows", "windowsPhone", "macOS", "linux"}},
		{"--client", f.client, &in.Client, []string{"browser", "mobileAppsAndDesktopClients", "exchangeActiveSync", "easSupported", "other"}},
		{"--sign-in-risk", f.signInRisk, &in.SignInRisk, []string{"none", "low", "medium", "high"}},
		{"--user-risk", f.userRisk, &in.UserRisk, []string{"none", "low", "medium", "high"}},
		{"--service-principal-risk", f.servicePrincipalRisk, &in.ServicePrincipalRisk, []string{"none", "low", "medium", "high"}},
		{"--insider-risk", f.insiderRisk, &in.InsiderRisk, []string{"none", "minor", "moderate", "elevated"}},
		{"--flow", f.flow, &in.Flow, []string{"none", "deviceCodeFlow", "authenticationTransfer"}},
		{"--policies", f.policies, &f.policies, []string{livePolicies, plannedPolicies}},
	} {
		word, err := oneOf(v.flag, v.value, v.values...)
		if err != nil {
			return err
		}
		*v.into = word
	}
	if f.ip != "" {
		ip, err := netip.ParseAddr(f.ip)
		if err != nil {
			return usageError{fmt.Errorf("--ip %q is not an IP address", f.ip)}
		}
		in.IP = ip
	}
	if known, meant := entra.Country(f.country); f.country != "" && !known {
		hint := ""
		if meant != "" {
			hint = fmt.Sprintf(" (did you mean %q?)", meant)
		}
		return usageError{fmt.Errorf("--country %q is no country code of two letters (ISO 3166-1: US, DE)%s", f.country, hint)}
	}
	in.Country = strings.ToUpper(strings.TrimSpace(f.country))
	return f.readDevice()
}

func (f *whatIfFlags) readDevice() error {
	for _, d := range f.device {
		name, value, ok := strings.Cut(d, "=")
		if !ok {
			return usageError{fmt.Errorf("--device %q is not KEY=VALUE", d)}
		}
		if f.Conditions.Device == nil {
			f.Conditions.Device = &access.Device{Properties: map[string][]string{}}
		}
		if strings.EqualFold(name, "registered") {
			word, err := oneOf("--device registered=", value, "true", "false")
			if err != nil {
				return err
			}
			f.Conditions.Device.Unregistered = word == "false"
			continue
		}
		property, err := oneOf("--device", name, access.DeviceProperties()...)
		if err != nil {
			return err
		}
		f.Conditions.Device.Properties[property] = append(f.Conditions.Device.Properties[property], value)
	}
	return nil
}

const (
	livePolicies    = "live"
	plannedPolicies = "planned"
)

func (c *command) whatIf(cmd *cobra.Command, f whatIfFlags) error {
	form, err := c.form("text", "json")
	if err != nil {
		return err
	}
	if err := f.question(); err != nil {
		return err
	}
	a, t, err := c.openOne(cmd, config.ToSweep)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	j, err := c.judged(ctx, a, t, f.policies)
	if err != nil {
		return err
	}
	facts := whatif.NewFacts(j.client, entra.NewID(j.compared.Live.Tenant.ID))
	in, err := facts.SignIn(ctx, f.Question)
	if err != nil {
		return err
	}
	answer := whatif.Ask(j.set, j.policies, in)
	if f.verify {
		if j.policies != livePolicies {
			return usageError{errors.New("--verify asks about the policies in the tenant: use it with --policies live")}
		}
		switch err := facts.Verify(ctx, in, &answer); {
		case errors.Is(err, whatif.ErrNotAsked):
			return usageError{err}
		case err != nil:
			return err
		}
	}
	if form == "json" {
		err = printJSON(c.data(), answer)
	} else {
		c.printAnswer(answer, j.set)
	}
	if err == nil && answer.Verify != nil && !answer.Verify.Agrees {
		return exitError{code: ExitPartial}
	}
	return err
}

// judged is a tenant's set of policies, ready to judge.
type judged struct {
	client   *graph.Client
	compared sweep.Compared
	policies string // live or planned
	set      *access.Set
	live     *access.Set
}

// judged reads the policies of a tenant. Without a choice the planned ones are
// taken where the tenant has a baseline.
func (c *command) judged(ctx context.Context, a *app.App, t config.Tenant, policies string) (judged, error) {
	if policies == plannedPolicies && t.Baseline == "" {
		return judged{}, usageError{fmt.Errorf("tenant %s has no baseline in the configuration: nothing is planned", t.Name)}
	}
	if policies == "" {
		policies = livePolicies
		if t.Baseline != "" {
			policies = plannedPolicies
		}
	}
	j := judged{policies: policies}
	var err error
	if j.client, err = a.Graph(t); err != nil {
		return j, err
	}
	if j.compared, err = a.Compare(ctx, t); err != nil {
		return j, err
	}
	if err := wholeLists(j.compared); err != nil {
		return j, err
	}
	objects, keys := objectsOf(j.compared)
	j.live = whatif.Live(objects, keys)
	j.set = j.live
	if policies == plannedPolicies {
		j.set = whatif.Planned(objects, keys, j.compared.Result.Actions)
	}
	return j, nil
}

// wholeLists reports a list that could not be read and without which sign-ins
// cannot be judged.
func wholeLists(c sweep.Compared) error {
	for _, u := range c.Live.Unread {
		if u.Kind == entra.KindLocation || u.Kind == entra.KindStrength {
			return fmt.Errorf("judging sign-ins needs every %s of the tenant: %w: %s", u.Kind.Noun(), entra.ErrForbidden, u.Reason)
		}
	}
	return nil
}

// objectsOf are the policies of a comparison, and the baseline's keys of those
// that it owns.
func objectsOf(c sweep.Compared) (whatif.Objects, map[entra.ID]string) {
	keys := map[entra.ID]string{}
	for _, kind := range gather.ObjectKinds {
		for key, o := range c.State.Owned[kind] {
			keys[o.ID] = key
		}
	}
	return whatif.Objects{Policies: c.Live.Policies, Locations: c.Live.Locations, Strengths: c.Live.Strengths}, keys
}

// printAnswer shows the outcome first, then the policies that apply, then the
// others with the first thing that is not met.
func (c *command) printAnswer(a whatif.Answer, set *access.Set) {
	fmt.Fprintf(c.Out, "%s, under the %s policies\n", printable(outcomeText(set, a.Outcome, a.Demands)), a.Policies)
	if len(a.Session) > 0 {
		fmt.Fprintf(c.Out, "session: %s\n", printable(strings.Join(a.Session, "; ")))
	}
	if a.ReportOnly.Outcome != access.Open {
		fmt.Fprintf(c.Out, "report-only policies would add: %s\n", printable(outcomeText(set, a.ReportOnly.Outcome, a.ReportOnly.Demands)))
	}
	t := newTable("APPLIES", "STATE", "POLICY", "WHY NOT")
	for _, applies := range []bool{true, false} {
		for _, e := range a.Evaluated {
			if e.Applies == applies {
				t.row(map[bool]string{true: "yes", false: "no"}[applies], stateWord(e.State), e.DisplayName, e.Why)
			}
		}
	}
	fmt.Fprintln(c.Out)
	t.print(c.Out, c.Width)
	if a.Verify == nil {
		return
	}
	if a.Verify.Agrees {
		fmt.Fprintln(c.Out, "\nthe service's What If agrees")
		return
	}
	fmt.Fprintln(c.Out, "\nthe service's What If disagrees:")
	for _, d := range a.Verify.Differences {
		fmt.Fprintf(c.Out, "  %s: here %s; service: %s\n", printable(d.DisplayName), d.Ours, printable(d.Service))
	}
}

func outcomeText(set *access.Set, result access.Result, demands []access.Demand) string {
	switch result {
	case access.Blocked:
		return "blocked"
	case access.Open:
		return "open: nothing is demanded"
	}
	words := make([]string, len(demands))
	for i, d := range demands {
		words[i] = set.DemandText(d)
		if len(d) > 1 && len(demands) > 1 {
			words[i] = "(" + words[i] + ")"
		}
	}
	return "granted with " + strings.Join(words, " and ")
}

// stateWord is a policy's state in short.
func stateWord(state string) string {
	if strings.EqualFold(state, "enabledForReportingButNotEnforced") {
		return "report-only"
	}
	return state
}
