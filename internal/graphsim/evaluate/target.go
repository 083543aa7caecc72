package evaluate

import (
	_ "embed" // the members of an application group
	"slices"
	"strings"
	"sync"
)

// target asks whether the policy is for what is signed in to.
func (j judge) target() Reason {
	c := j.c.Applications
	switch {
	case len(c.UserActions) > 0:
		return met(j.s.UserAction != "" && named(c.UserActions, userActions[j.s.UserAction]), UserActions)
	case len(c.Contexts) > 0:
		return met(j.s.AuthenticationContext != "" && named(c.Contexts, j.s.AuthenticationContext), AuthenticationContext)
	}
	if c.Filter != nil && !c.Filter.valid(attributeRule) {
		return InvalidCondition
	}
	if j.s.UserAction != "" || j.s.AuthenticationContext != "" {
		return Application
	}
	if len(j.s.Applications) == 0 {
		free := len(c.Exclude) == 0 && (c.Filter == nil || c.Filter.includes())
		return met(named(c.Include, "All") && free, Application)
	}
	return met(slices.ContainsFunc(j.s.Applications, j.application), Application)
}

// userActions are the names that policies have for the actions of requests.
var userActions = map[string]string{
	"registerSecurityInformation": "urn:user:registersecurityinfo",
	"registerOrJoinDevices":       "urn:user:registerdevice",
}

// application asks for one application.
func (j judge) application(id string) bool {
	c := j.c.Applications
	sp, known := j.w.Application(id)
	filtered := known && c.Filter != nil && c.Filter.rule.holds(sp.attribute)
	on := func(list []string) bool {
		for _, name := range list {
			switch {
			case strings.EqualFold(name, "All"):
				return true
			case strings.EqualFold(name, "None"):
			case strings.EqualFold(name, office365):
				if known && sp.inOffice365() {
					return true
				}
			case strings.EqualFold(name, adminPortals):
				if named(portals, id) {
					return true
				}
			case strings.EqualFold(name, id):
				return true
			}
		}
		return false
	}
	included := on(c.Include) || filtered && c.Filter.includes()
	excluded := on(c.Exclude) || filtered && !c.Filter.includes()
	return included && !excluded
}

// The groups of applications that policies name. A request that names one of
// them means no application.
const (
	office365    = "Office365"
	adminPortals = "MicrosoftAdminPortals"
)

// portals are the applications in MicrosoftAdminPortals: the portals of Exchange,
// Azure, Microsoft 365, and security and compliance.
var portals = []string{
	"497effe9-df71-4043-a8bb-14cf78c4b63b", "c44b4083-3bb0-49c1-b47d-974e53cbdf3c",
	"00000006-0000-0ff1-ce00-000000000000", "80ccca67-54bd-44ab-8625-4b79c4dc7775",
}

// microsoft is the tenant that registered Microsoft's own applications.
const microsoft = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"

// office365Names are the applications in Office365, one a line: Microsoft
// publishes their names, not their ids.
//
//go:embed office365.txt
var office365Names string

var suite = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{}
	for line := range strings.Lines(office365Names) {
		names[strings.ToLower(strings.TrimSpace(line))] = true
	}
	delete(names, "")
	return names
})

func (sp ServicePrincipal) inOffice365() bool {
	return strings.EqualFold(sp.OwnerTenant, microsoft) && suite()[strings.ToLower(sp.DisplayName)]
}

// attribute gives a custom security attribute by set and name, joined as rules
// do it.
func (sp ServicePrincipal) attribute(name string) value {
	set, attribute, _ := strings.Cut(name, "_")
	for s, attributes := range sp.Attributes {
		if !strings.EqualFold(s, set) {
			continue
		}
		for a, values := range attributes {
			if strings.EqualFold(a, attribute) {
				return value{texts: values, list: len(values) != 1}
			}
		}
	}
	return value{}
}
