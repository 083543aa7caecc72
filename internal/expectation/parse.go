package expectation

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// Parse reads an expectations file and reports every mistake at once. The list
// is nil if one of them is not a warning.
func Parse(file string, data []byte) ([]Expectation, yamldoc.Problems) {
	root, problems := yamldoc.Parse(file, data)
	if root == nil {
		return nil, problems
	}
	p := &parser{names: map[string]int{}, file: file}
	var list []Expectation
	if root.Kind == yamldoc.Null {
		p.Warn(root, "the file is empty: nothing is expected")
	} else if p.Fields(root, "expectations") {
		items, _ := p.Items(p.Require(root, "expectations"))
		for _, n := range items {
			list = append(list, p.one(n))
		}
	}
	all := append(problems, p.Problems()...)
	all.Sort()
	if all.Err() != nil {
		return nil, all
	}
	return list, all
}

type parser struct {
	yamldoc.Collector
	file  string
	names map[string]int
}

var (
	actions     = []string{"urn:user:registersecurityinfo", "urn:user:registerdevice"}
	platforms   = []string{"android", "iOS", "windows", "windowsPhone", "macOS", "linux"}
	clients     = []string{"browser", "mobileAppsAndDesktopClients", "exchangeActiveSync", "easSupported", "other"}
	levels      = []string{"none", "low", "medium", "high"}
	insider     = []string{"none", "minor", "moderate", "elevated"}
	flows       = []string{"none", "deviceCodeFlow", "authenticationTransfer"}
	outcomes    = []string{"blocked", "granted", "open"}
	subjectKeys = []string{"user", "group", "role", "guests", "everyone", "servicePrincipal"}
)

func (p *parser) one(n *yamldoc.Node) Expectation {
	e := Expectation{File: p.file, Line: n.Line, Column: n.Column}
	if !p.Fields(n, slices.Concat([]string{"name"}, subjectKeys, []string{"app", "action", "context", "when", "withReportOnly", "expect"})...) {
		return e
	}
	e.Name = p.text(p.Require(n, "name"), "the name")
	if at := p.names[strings.ToLower(e.Name)]; at != 0 {
		p.Add(n.Get("name"), "the name %q is used at line %d already", e.Name, at)
	} else {
		p.names[strings.ToLower(e.Name)] = n.Line
	}
	e.Subject = p.subject(n)
	p.target(n, &e)
	if when := n.Get("when"); when != nil {
		p.when(when, &e.When)
	}
	if at := n.Get("withReportOnly"); at != nil {
		e.WithReportOnly, _ = p.Bool(at)
	}
	p.expect(p.Require(n, "expect"), &e)
	return e
}

func (p *parser) subject(n *yamldoc.Node) Subject {
	var s Subject
	var first string
	for _, key := range subjectKeys {
		v := n.Get(key)
		if v == nil {
			continue
		}
		if first != "" {
			p.Add(v, "an expectation is about one: %s or %s, not both", first, key)
			continue
		}
		first, s.Kind = key, Kind(key)
		switch s.Kind {
		case Guests, Everyone:
			if b, ok := p.Bool(v); ok && !b {
				p.Add(v, "%s is either true or left out", key)
			}
		default:
			s.Name = p.text(v, key)
			if s.Kind == OneUser && s.Name != "" && !entra.IsUserName(s.Name) {
				p.Add(v, "%q is neither a user principal name nor an object id", s.Name)
			}
		}
	}
	if first == "" {
		p.Add(n, "says not whom it is about: give one of %s", strings.Join(subjectKeys, ", "))
	}
	return s
}

func (p *parser) target(n *yamldoc.Node, e *Expectation) {
	given := 0
	for _, key := range []string{"app", "action", "context"} {
		v := n.Get(key)
		if v == nil {
			continue
		}
		if given++; given > 1 {
			p.Add(v, "a sign-in has one target: app, action or context")
			continue
		}
		switch key {
		case "app":
			e.App = p.text(v, "app")
			if strings.EqualFold(e.App, "All") {
				e.App = "All"
			}
		case "action":
			e.Action, _ = p.Enum(v, actions...)
		case "context":
			e.Context = p.text(v, "context")
		}
	}
	if given == 0 {
		p.Add(n, "says not what is signed in to: give app, action or context")
	}
}

func (p *parser) when(n *yamldoc.Node, in *access.SignIn) {
	if !p.Fields(n, "platform", "clientAppType", "ipAddress", "country", "signInRiskLevel", "userRiskLevel", "servicePrincipalRiskLevel", "insiderRiskLevel", "authenticationFlow", "device", "compliantNetwork") {
		return
	}
	in.Platform, _ = p.Enum(n.Get("platform"), platforms...)
	in.Client, _ = p.Enum(n.Get("clientAppType"), clients...)
	in.SignInRisk, _ = p.Enum(n.Get("signInRiskLevel"), levels...)
	in.UserRisk, _ = p.Enum(n.Get("userRiskLevel"), levels...)
	in.ServicePrincipalRisk, _ = p.Enum(n.Get("servicePrincipalRiskLevel"), levels...)
	in.InsiderRisk, _ = p.Enum(n.Get("insiderRiskLevel"), insider...)
	in.Flow, _ = p.Enum(n.Get("authenticationFlow"), flows...)
	if at := n.Get("ipAddress"); at != nil {
		if s, ok := p.String(at); ok {
			ip, err := netip.ParseAddr(s)
			if err != nil {
				p.Add(at, "%q is not an IP address", s)
			}
			in.IP = ip
		}
	}
	if at := n.Get("country"); at != nil {
		s, ok := p.String(at)
		if known, meant := entra.Country(s); ok && !known {
			p.AddProblem(yamldoc.Problem{File: at.File, Line: at.Line, Column: at.Column, Path: at.Path, Offending: s, Suggestion: meant,
				Message: fmt.Sprintf("%q is no country code of two letters (ISO 3166-1: US, DE)", s)})
		}
		in.Country = strings.ToUpper(strings.TrimSpace(s))
	}
	if at := n.Get("compliantNetwork"); at != nil {
		if b, ok := p.Bool(at); ok {
			in.Compliant = &b
		}
	}
	if at := n.Get("device"); at != nil {
		in.Device = p.device(at)
	}
}

// device reads the properties of a device, or registered: false.
func (p *parser) device(n *yamldoc.Node) *access.Device {
	d := &access.Device{Properties: map[string][]string{}}
	if n.Kind != yamldoc.Mapping {
		p.Add(n, "device is a mapping of properties, such as isCompliant: true")
		return d
	}
	for _, key := range n.Keys {
		v := n.Get(key.Value)
		if key.Value == "registered" {
			registered, _ := p.Bool(v)
			d.Unregistered = !registered
			continue
		}
		if _, ok := access.DeviceProperty(key.Value); !ok {
			p.Suggest(key, key.Value, access.DeviceProperties(), "%q is no property of a device filter", key.Value)
			continue
		}
		if v.Kind == yamldoc.Sequence {
			d.Properties[key.Value], _ = p.Strings(v)
			continue
		}
		if v.Kind == yamldoc.Bool {
			d.Properties[key.Value] = []string{v.Value}
			continue
		}
		s, _ := p.String(v)
		d.Properties[key.Value] = []string{s}
	}
	return d
}

func (p *parser) expect(n *yamldoc.Node, e *Expectation) {
	if n == nil || !p.Fields(n, "outcome", "demands", "policies", "notPolicies") {
		return
	}
	if at := n.Get("outcome"); at != nil {
		s, _ := p.Enum(at, outcomes...)
		e.Outcome = access.Result(s)
	}
	if at := n.Get("demands"); at != nil {
		items, _ := p.Items(at)
		for _, item := range items {
			if item.Kind == yamldoc.Sequence {
				list, _ := p.Strings(item)
				slices.Sort(list)
				e.Demands = append(e.Demands, list)
				continue
			}
			if s, ok := p.String(item); ok {
				e.Demands = append(e.Demands, access.Demand{s})
			}
		}
	}
	if at := n.Get("policies"); at != nil {
		e.Policies, _ = p.Strings(at)
	}
	if at := n.Get("notPolicies"); at != nil {
		e.NotPolicies, _ = p.Strings(at)
	}
	if e.Outcome == "" && len(e.Demands)+len(e.Policies)+len(e.NotPolicies) == 0 {
		p.Add(n, "expects nothing: give outcome, demands, policies or notPolicies")
	}
	if e.Outcome != "" && e.Outcome != access.Granted && len(e.Demands) > 0 {
		p.Add(n.Get("demands"), "a sign-in that is %s demands nothing", e.Outcome)
	}
}

func (p *parser) text(n *yamldoc.Node, what string) string {
	s, ok := p.String(n)
	if ok && strings.TrimSpace(s) == "" {
		p.Add(n, "%s cannot be empty", what)
	}
	return s
}
