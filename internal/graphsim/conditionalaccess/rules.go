package conditionalaccess

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// check holds a whole policy to the service's rules (graph-api §3.6). What the
// policy referred to before need not exist any more.
func (w *Workload) check(d, before document, r *wire.Request) *refused {
	for _, rule := range []func(document, document, *wire.Request) *refused{
		w.checkNames, w.checkClientApps, w.checkApplications, w.checkAssignment, w.checkReferences, w.checkLocations,
		w.checkGrant, w.checkPasswordChange, w.checkSession, w.checkLicence, w.checkState,
	} {
		if bad := rule(d, before, r); bad != nil {
			return bad
		}
	}
	return nil
}

func (w *Workload) checkNames(d, _ document, _ *wire.Request) *refused {
	if utf8.RuneCountInString(d.text("displayName")) > maxDisplayName {
		return refuse(tooLong, "The display name is longer than %d characters", maxDisplayName)
	}
	return nil
}

func (w *Workload) checkClientApps(d, _ document, _ *wire.Request) *refused {
	if len(d.list("conditions", "clientAppTypes")) == 0 {
		return refuse(noClientAppTypes, "'clientAppTypes' condition does not accept an empty list. Please specify at least one value")
	}
	return nil
}

var contextID = regexp.MustCompile(`^c([1-9]|[1-9][0-9])$`)

func (w *Workload) checkApplications(d, _ document, _ *wire.Request) *refused {
	apps := d.object("conditions", "applications")
	include, actions, contexts := apps.list("includeApplications"), apps.list("includeUserActions"), apps.list("includeAuthenticationContextClassReferences")
	given := 0
	for _, l := range [][]string{include, actions, contexts} {
		if len(l) > 0 {
			given++
		}
	}
	switch {
	case given > 1:
		return refuse(mixedApplications, "'applications' condition cannot include more than one of 'includeApplications', 'includeUserActions' and 'includeAuthenticationContextClassReferences'. Please remove one of the conditions")
	case given == 0 && apps["applicationFilter"] == nil && !workload(d):
		return refuse(badApplications, "'applications' condition must specify at least one of 'includeApplications', 'includeUserActions' and 'includeAuthenticationContextClassReferences'")
	case len(include) > maxApplications || len(apps.list("excludeApplications")) > maxApplications:
		return refuse(quotaExceeded, "A policy cannot list more than %d applications", maxApplications)
	}
	for _, a := range actions {
		if a != registerInfo && a != registerDevice {
			return refuse(badUserAction, "'%s' is not a user action", a)
		}
	}
	for _, c := range contexts {
		if !contextID.MatchString(c) {
			return refuse(badContext, "'%s' is not an authentication context; c1 to c99 are", c)
		}
	}
	if slices.Contains(actions, registerDevice) {
		grant := d.object("grantControls")
		others := slices.DeleteFunc(slices.Clone(grant.list("builtInControls")), func(c string) bool { return c == "mfa" })
		if len(others) > 0 || len(grant.list("termsOfUse")) > 0 || controls(grant) == 0 || !slices.Equal(d.list("conditions", "clientAppTypes"), []string{"all"}) {
			return refuse(badUserAction, "The user action '%s' takes only 'mfa' or an authentication strength, and client app types 'all'", registerDevice)
		}
	}
	return nil
}

func workload(d document) bool { return d.object("conditions", "clientApplications") != nil }

func (w *Workload) checkAssignment(d, _ document, _ *wire.Request) *refused {
	users, clients := d.object("conditions", "users"), d.object("conditions", "clientApplications")
	people := len(users.list("includeUsers")) + len(users.list("includeGroups")) + len(users.list("includeRoles"))
	switch {
	case clients != nil && len(clients.list("includeServicePrincipals")) == 0 && clients["servicePrincipalFilter"] == nil:
		return refuse(badWorkload, "'clientApplications' condition must include service principals")
	case clients != nil && (people > 0 && !slices.Equal(users.list("includeUsers"), []string{"None"}) || users["includeGuestsOrExternalUsers"] != nil):
		return refuse(badWorkload, "A policy is for users or for workload identities, not for both")
	case clients == nil && people == 0 && users["includeGuestsOrExternalUsers"] == nil:
		return refuse(noAssignment, "'users' condition must include users, groups, roles or guests")
	}
	for _, side := range []string{"include", "exclude"} {
		if slices.Contains(users.list(side+"Users"), "GuestsOrExternalUsers") && users[side+"GuestsOrExternalUsers"] != nil {
			return refuse(guestsTwice, "'GuestsOrExternalUsers' cannot be combined with guestOrExternalUsers")
		}
	}
	return nil
}

// checkReferences asks the directory for everything that a policy newly names.
func (w *Workload) checkReferences(d, before document, r *wire.Request) *refused {
	for _, ref := range []struct {
		path   []string
		what   string
		words  []string
		exists func(string) bool
		number int
	}{
		{[]string{"conditions", "users", "includeUsers"}, "User", []string{"All", "None", "GuestsOrExternalUsers"}, w.dir.HasUser, noSuchObject},
		{[]string{"conditions", "users", "excludeUsers"}, "User", []string{"All", "None", "GuestsOrExternalUsers"}, w.dir.HasUser, noSuchObject},
		{[]string{"conditions", "users", "includeGroups"}, "Group", nil, w.dir.HasGroup, noSuchObject},
		{[]string{"conditions", "users", "excludeGroups"}, "Group", nil, w.dir.HasGroup, noSuchObject},
		{[]string{"conditions", "users", "includeRoles"}, "Role", nil, w.dir.HasRole, noSuchObject},
		{[]string{"conditions", "users", "excludeRoles"}, "Role", nil, w.dir.HasRole, noSuchObject},
		{[]string{"conditions", "applications", "includeApplications"}, "Application", []string{"All", "None", "Office365", "MicrosoftAdminPortals"}, w.dir.HasApplication, badApplications},
		{[]string{"conditions", "applications", "excludeApplications"}, "Application", []string{"All", "None", "Office365", "MicrosoftAdminPortals"}, w.dir.HasApplication, badApplications},
		{[]string{"conditions", "clientApplications", "includeServicePrincipals"}, "ServicePrincipal", []string{"ServicePrincipalsInMyTenant", "None"}, w.dir.OwnsServicePrincipal, noSuchObject},
		{[]string{"conditions", "clientApplications", "excludeServicePrincipals"}, "ServicePrincipal", nil, w.dir.HasServicePrincipal, noSuchObject},
		{[]string{"grantControls", "termsOfUse"}, "Agreement", nil, w.dir.HasAgreement, noSuchObject},
	} {
		known := before.list2(ref.path)
		for _, id := range d.list2(ref.path) {
			if !slices.Contains(ref.words, id) && !slices.Contains(known, id) && !ref.exists(id) {
				return refuse(ref.number, "%s with id %s specified in the policy does not exist in the directory", ref.what, id)
			}
		}
	}
	if id, ok := d.at("grantControls", "authenticationStrength").(string); ok {
		i := w.strengths.find(id)
		if i == nil {
			return refuse(noSuchObject, "AuthenticationStrength with id %s does not exist in the directory", id)
		}
		if _, visible := i.readable(r.Now, false); !visible {
			return refuse(noSuchObject, "AuthenticationStrength with id %s does not exist in the directory", id)
		}
	}
	for _, side := range []string{"includeGuestsOrExternalUsers", "excludeGuestsOrExternalUsers"} {
		for _, id := range d.list2([]string{"conditions", "users", side, "externalTenants", "members"}) {
			if uuid.Validate(id) != nil {
				return malformed("'%s' is not a tenant id", id)
			}
		}
	}
	return nil
}

func (d document) list2(path []string) []string {
	if d == nil {
		return nil
	}
	return d.list(path...)
}

// trustedIPs stands for the addresses of the per-user MFA settings.
const trustedIPs = "00000000-0000-0000-0000-000000000000"

// compliantNetwork is the service's own location of Global Secure Access, under
// the same id in every tenant. Version 1.0 has no type for it: a policy may
// name it and it can be read as a plain named location, but lists leave it out
// and nobody can change or delete it.
const compliantNetwork = "3d46dbda-8382-466a-856d-eb00cbc6b910"

func (w *Workload) checkLocations(d, _ document, r *wire.Request) *refused {
	for _, side := range []string{"includeLocations", "excludeLocations"} {
		for _, id := range d.list("conditions", "locations", side) {
			if id == "All" || id == "AllTrusted" || id == trustedIPs || strings.EqualFold(id, compliantNetwork) {
				continue
			}
			if i := w.locations.find(id); i != nil {
				// A fresh location may not have reached this replica yet.
				if _, visible := i.readable(r.Now, false); visible && !i.last().gone() {
					continue
				}
			}
			return refuse(noSuchLocation, "NamedLocation with id %s does not exist in the directory", id)
		}
	}
	return nil
}

// lastApproved is when approvedApplication ended (graph-api §3.3).
var lastApproved = time.Date(2026, 6, 30, 0, 0, 0, 0, time.UTC)

func (w *Workload) checkGrant(d, _ document, r *wire.Request) *refused {
	grant, session := d.object("grantControls"), d.object("sessionControls")
	n := 0
	if grant != nil {
		n = controls(grant)
	}
	if n == 0 && !effective(session) {
		return refuse(noControls, "Either grant controls or session controls must be specified")
	}
	if grant == nil {
		return nil
	}
	built := grant.list("builtInControls")
	switch {
	case grant["operator"] == nil:
		return malformed("the property 'operator' is required on type 'microsoft.graph.conditionalAccessGrantControls'")
	case slices.Contains(built, "block") && n > 1:
		return refuse(badCombination, "The 'block' grant control cannot be combined with other grant controls")
	case slices.Contains(built, "mfa") && grant["authenticationStrength"] != nil:
		return refuse(strengthBesideMFA, "Authentication strengths cannot be used alongside the MFA built-in control")
	case slices.Contains(built, "approvedApplication") && !r.Now.Before(lastApproved):
		return refuse(retiredControl, "The 'approvedApplication' grant control is retired. Use 'compliantApplication'")
	case slices.Contains(built, "passwordChange") && strings.HasPrefix(w.opt.Cloud, "usgov"):
		return malformed("'passwordChange' is not a value of 'microsoft.graph.conditionalAccessGrantControl' in this cloud")
	}
	return nil
}

func (w *Workload) checkPasswordChange(d, _ document, _ *wire.Request) *refused {
	grant := d.object("grantControls")
	if !slices.Contains(grant.list("builtInControls"), "passwordChange") {
		return nil
	}
	c := d.object("conditions")
	apps := c.object("applications")
	switch {
	case !slices.Contains(grant.list("builtInControls"), "mfa") && grant["authenticationStrength"] == nil, grant["operator"] != "AND":
		return refuse(badPasswordChange, "The 'passwordChange' grant control must be combined with 'mfa' by the operator 'AND'")
	case len(c.list("userRiskLevels")) == 0:
		return refuse(badPasswordChange, "The 'passwordChange' grant control needs the condition 'userRiskLevels'")
	case !slices.Equal(apps.list("includeApplications"), []string{"All"}) || len(apps.list("excludeApplications")) > 0:
		return refuse(badPasswordChange, "The 'passwordChange' grant control needs all applications without exclusions")
	case !slices.Equal(c.list("clientAppTypes"), []string{"all"}), len(c.list("signInRiskLevels")) > 0, len(c.list("servicePrincipalRiskLevels")) > 0, c["insiderRiskLevels"] != nil, c["platforms"] != nil, c["locations"] != nil, c["devices"] != nil, c["authenticationFlows"] != nil, c["clientApplications"] != nil:
		return refuse(badPasswordChange, "The 'passwordChange' grant control takes no condition but 'userRiskLevels'")
	}
	return nil
}

func (w *Workload) checkSession(d, _ document, _ *wire.Request) *refused {
	session := d.object("sessionControls")
	if session == nil {
		return nil
	}
	if p := session.object("persistentBrowser"); p != nil && p["isEnabled"] == true {
		switch {
		case p["mode"] == nil:
			return refuse(badSession, "'persistentBrowser' needs a mode")
		case !slices.Equal(d.list("conditions", "applications", "includeApplications"), []string{"All"}):
			return refuse(badSession, "'persistentBrowser' needs all applications")
		}
	}
	if c := session.object("cloudAppSecurity"); c != nil && c["isEnabled"] == true && c["cloudAppSecurityType"] == nil {
		return refuse(badSession, "'cloudAppSecurity' needs a type")
	}
	f := session.object("signInFrequency")
	if f == nil {
		return nil
	}
	empty := true
	for _, v := range f {
		empty = empty && (v == nil || v == false)
	}
	if empty {
		return refuse(badSession, "'signInFrequency' has no members that say anything")
	}
	if f["isEnabled"] != true {
		return nil
	}
	if f["frequencyInterval"] == "everyTime" {
		switch {
		case f["type"] != nil || f["value"] != nil:
			return refuse(badSession, "'signInFrequency' every time takes neither type nor value")
		case session["applicationEnforcedRestrictions"] != nil || session["disableResilienceDefaults"] != nil:
			return refuse(badSession, "'signInFrequency' every time cannot be combined with 'applicationEnforcedRestrictions' or 'disableResilienceDefaults'")
		}
		return nil
	}
	if t := f["authenticationType"]; t != nil && t != "primaryAndSecondaryAuthentication" {
		return refuse(secondaryTimeBased, "The frequency interval 'timeBased' supports only the authentication type 'primaryAndSecondaryAuthentication'")
	}
	most := map[any]int{"hours": 23, "days": 365}[f["type"]]
	if n, _ := f["value"].(int); n < 1 || n > most {
		return refuse(badSession, "'signInFrequency' needs 1 to 23 hours or 1 to 365 days")
	}
	return nil
}

// checkLicence refuses what the tenant has not paid for (graph-api §3.2).
func (w *Workload) checkLicence(d, _ document, _ *wire.Request) *refused {
	c := d.object("conditions")
	risk := len(c.list("userRiskLevels"))+len(c.list("signInRiskLevels")) > 0 || c["insiderRiskLevels"] != nil
	premium := risk || len(c.list("servicePrincipalRiskLevels")) > 0 || workload(d)
	if w.opt.License == "none" || w.opt.License == "P1" && premium {
		return &refused{number: unlicensedNumber}
	}
	return nil
}

func (w *Workload) checkState(d, _ document, _ *wire.Request) *refused {
	if d["state"] == "enabled" && w.dir.SecurityDefaults() {
		return refuse(defaultsOn, "Security defaults are enabled in the tenant. Disable them before a Conditional Access policy is enabled")
	}
	return nil
}
