package evaluate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Policy is a policy as the evaluation reads it.
type Policy struct {
	ID, DisplayName, State string

	conditions *conditions
	// invalid says that the conditions hold something that is not understood.
	invalid bool
}

// conditions are the policy's, by the members of the service's document.
type conditions struct {
	Users                      users               `json:"users"`
	Applications               applications        `json:"applications"`
	ClientApplications         *clientApplications `json:"clientApplications"`
	ClientAppTypes             []string            `json:"clientAppTypes"`
	Platforms                  *platforms          `json:"platforms"`
	Locations                  *locations          `json:"locations"`
	Devices                    *devices            `json:"devices"`
	SignInRiskLevels           []string            `json:"signInRiskLevels"`
	UserRiskLevels             []string            `json:"userRiskLevels"`
	ServicePrincipalRiskLevels []string            `json:"servicePrincipalRiskLevels"`
	InsiderRiskLevels          string              `json:"insiderRiskLevels"`
	AuthenticationFlows        *flows              `json:"authenticationFlows"`
}

type users struct {
	IncludeUsers  []string `json:"includeUsers"`
	ExcludeUsers  []string `json:"excludeUsers"`
	IncludeGroups []string `json:"includeGroups"`
	ExcludeGroups []string `json:"excludeGroups"`
	IncludeRoles  []string `json:"includeRoles"`
	ExcludeRoles  []string `json:"excludeRoles"`
	IncludeGuests *guests  `json:"includeGuestsOrExternalUsers"`
	ExcludeGuests *guests  `json:"excludeGuestsOrExternalUsers"`
}

type guests struct {
	Types           string   `json:"guestOrExternalUserTypes"`
	ExternalTenants *tenants `json:"externalTenants"`
}

type tenants struct {
	Type           string   `json:"@odata.type"`
	MembershipKind string   `json:"membershipKind"`
	Members        []string `json:"members"`
}

type applications struct {
	Include     []string `json:"includeApplications"`
	Exclude     []string `json:"excludeApplications"`
	UserActions []string `json:"includeUserActions"`
	Contexts    []string `json:"includeAuthenticationContextClassReferences"`
	Filter      *filter  `json:"applicationFilter"`
}

type clientApplications struct {
	Include []string `json:"includeServicePrincipals"`
	Exclude []string `json:"excludeServicePrincipals"`
	Filter  *filter  `json:"servicePrincipalFilter"`
}

type platforms struct {
	Include []string `json:"includePlatforms"`
	Exclude []string `json:"excludePlatforms"`
}

type locations struct {
	Include []string `json:"includeLocations"`
	Exclude []string `json:"excludeLocations"`
}

type devices struct {
	Filter *filter `json:"deviceFilter"`
}

type flows struct {
	TransferMethods string `json:"transferMethods"`
}

// filter is a rule that takes in or leaves out what it holds for.
type filter struct {
	Mode string `json:"mode"`
	Rule string `json:"rule"`

	rule *rule
}

func (f *filter) includes() bool { return strings.EqualFold(f.Mode, "include") }

// valid says whether the filter can be judged by rules of a kind.
func (f *filter) valid(kind ruleKind) bool {
	return f.rule != nil && f.rule.kind == kind && (f.includes() || strings.EqualFold(f.Mode, "exclude"))
}

// understood are the members of each object of the conditions.
var understood = map[string]string{
	"":                                   "users applications clientApplications clientAppTypes platforms locations devices signInRiskLevels userRiskLevels servicePrincipalRiskLevels insiderRiskLevels authenticationFlows",
	"users":                              "includeUsers excludeUsers includeGroups excludeGroups includeRoles excludeRoles includeGuestsOrExternalUsers excludeGuestsOrExternalUsers",
	"users/includeGuestsOrExternalUsers": "guestOrExternalUserTypes externalTenants",
	"users/excludeGuestsOrExternalUsers": "guestOrExternalUserTypes externalTenants",
	"users/includeGuestsOrExternalUsers/externalTenants": "membershipKind members",
	"users/excludeGuestsOrExternalUsers/externalTenants": "membershipKind members",
	"applications":                              "includeApplications excludeApplications includeUserActions includeAuthenticationContextClassReferences applicationFilter",
	"applications/applicationFilter":            "mode rule",
	"clientApplications":                        "includeServicePrincipals excludeServicePrincipals servicePrincipalFilter",
	"clientApplications/servicePrincipalFilter": "mode rule",
	"platforms":                                 "includePlatforms excludePlatforms",
	"locations":                                 "includeLocations excludeLocations",
	"devices":                                   "deviceFilter",
	"devices/deviceFilter":                      "mode rule",
	"authenticationFlows":                       "transferMethods",
}

// ReadPolicy reads a policy's document. A document whose conditions are not
// understood is a policy still: it is judged to be invalid.
func ReadPolicy(document []byte) (*Policy, error) {
	var in *struct {
		ID          string          `json:"id"`
		DisplayName string          `json:"displayName"`
		State       string          `json:"state"`
		Conditions  json.RawMessage `json:"conditions"`
	}
	if err := json.Unmarshal(document, &in); err != nil {
		return nil, fmt.Errorf("reading a policy: %w", err)
	}
	if in == nil {
		return nil, errors.New("reading a policy: it is null")
	}
	p := &Policy{ID: in.ID, DisplayName: in.DisplayName, State: in.State}
	if nothing(in.Conditions) {
		return p, nil
	}
	var c conditions
	if !familiar(in.Conditions, "") || json.Unmarshal(in.Conditions, &c) != nil {
		p.invalid = true
		return p, nil
	}
	p.conditions = &c
	c.Applications.Filter.read()
	if c.ClientApplications != nil {
		c.ClientApplications.Filter.read()
	}
	if c.Devices != nil {
		c.Devices.Filter.read()
	}
	return p, nil
}

// read parses the rule; one that cannot be read stays nil.
func (f *filter) read() {
	if f == nil {
		return
	}
	if r, err := readRule(f.Rule); err == nil {
		f.rule = r
	}
}

// nothing says whether a value says nothing.
func nothing(raw json.RawMessage) bool {
	switch string(bytes.TrimSpace(raw)) {
	case "", "null", "[]", "{}", `""`:
		return true
	}
	return false
}

// familiar says whether an object has no members but those understood; members
// that say nothing do not count.
func familiar(raw json.RawMessage, path string) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return false
	}
	names := strings.Fields(understood[path])
	for name, v := range members {
		if strings.Contains(name, "@") || nothing(v) {
			continue
		}
		inner := strings.TrimPrefix(path+"/"+name, "/")
		if _, object := understood[inner]; object {
			if !familiar(v, inner) {
				return false
			}
			continue
		}
		known := false
		for _, n := range names {
			known = known || n == name
		}
		if !known {
			return false
		}
	}
	return true
}
