package conditionalaccess

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// Numbers of refusals. Those the service is known to give stand first
// (graph-api §3.6); the ones from 1901 on are this simulator's own, for rules
// whose numbers nobody has published.
const (
	badApplications     = 1011
	mixedApplications   = 1012
	noSuchLocation      = 1040
	noSuchCountry       = 1048
	statesBesideDevices = 1060
	noClientAppTypes    = 1064
	secondaryTimeBased  = 1104
	strengthBesideMFA   = 1108

	noSuchObject      = 1901
	noAssignment      = 1902
	noControls        = 1903
	guestsTwice       = 1904
	badCombination    = 1905
	badSession        = 1906
	badUserAction     = 1907
	badPasswordChange = 1908
	retiredControl    = 1909
	defaultsOn        = 1910
	quotaExceeded     = 1911
	badWorkload       = 1912
	badContext        = 1913
	badLocation       = 1920
	locationTrusted   = 1921
	locationInUse     = 1922
	badStrength       = 1930
	strengthInUse     = 1931
	strengthFixed     = 1932
	tooLong           = 1940

	unlicensedNumber = -1 // becomes a 403
)

// Limits of a tenant and of an object (graph-api §3.9, §3.10, §3.12).
const (
	maxPolicies     = 240
	maxLocations    = 195
	maxRanges       = 2000
	maxStrengths    = 15
	maxApplications = 250
	maxDisplayName  = 256
)

// The pages of the documentation that refusals point to.
const (
	postPoliciesPage   = "conditionalaccessroot-post-policies"
	updatePolicyPage   = "conditionalaccesspolicy-update"
	postLocationsPage  = "conditionalaccessroot-post-namedlocations"
	updateLocationPage = "namedlocation-update"
	deleteLocationPage = "namedlocation-delete"
	postStrengthsPage  = "authenticationstrengthroot-post-policies"
	updateStrengthPage = "authenticationstrengthpolicy-update"
	combinationsPage   = "authenticationstrengthpolicy-updateallowedcombinations"
	deleteStrengthPage = "authenticationstrengthpolicy-delete"
	restorePolicyPage  = "conditionalaccesspolicy-restore"
)

const emptyPayload = "Empty Payload. JSON content expected."

// numbered is the service's form of a refusal: the number, the words, and the
// page of the documentation to read.
func numbered(r *refused, page string) *wire.Error {
	if r.number == unlicensedNumber {
		return unlicensed()
	}
	return badRequest("%d: %s For examples, please see API documentation at https://learn.microsoft.com/graph/api/%s?view=graph-rest-1.0.", r.number, strings.TrimSuffix(r.text, ".")+".", page)
}

func refuse(number int, format string, args ...any) *refused {
	return &refused{number, fmt.Sprintf(format, args...)}
}

func (w *Workload) createPolicy(r *wire.Request) (*wire.Response, *wire.Error) {
	if len(r.Body) == 0 {
		return nil, badRequest(emptyPayload)
	}
	d, bad := w.types.policy.read(r.Body, nil)
	if bad == nil {
		bad = d.required(w.types.policy)
	}
	if bad != nil {
		return nil, numbered(bad, postPoliciesPage)
	}
	d.fill(w.types.policy)
	if bad := w.check(d, nil, r); bad != nil {
		return nil, numbered(bad, postPoliciesPage)
	}
	if w.policies.live() >= maxPolicies {
		return nil, numbered(refuse(quotaExceeded, "The tenant has reached the limit of %d Conditional Access policies", maxPolicies), postPoliciesPage)
	}
	normalise(d)
	i := &item{ID: w.newID(), Created: r.Now}
	i.add(version{Doc: d}, r.Now, w.opt.Lag)
	w.policies.items = append(w.policies.items, i)
	return &wire.Response{
		Status: http.StatusCreated, Effect: true, Deeds: w.deeds(added, w.types.policy, i, nil), Body: w.policyBody(r, row{i, i.last()}, nil, r.Root+"/$metadata#identity/conditionalAccess/policies/$entity"),
		Header: http.Header{"Location": {r.Root + "/identity/conditionalAccess/policies('" + i.ID + "')"}},
	}, nil
}

func (w *Workload) patchPolicy(r *wire.Request, i *item) (*wire.Response, *wire.Error) {
	if len(r.Body) == 0 {
		return nil, badRequest(emptyPayload)
	}
	patch, bad := w.types.policy.read(r.Body, nil)
	if bad != nil {
		return nil, numbered(bad, updatePolicyPage)
	}
	before := i.last()
	d := before.Doc.clone()
	everyTime(d, patch)
	d.merge(patch)
	if bad := d.required(w.types.policy); bad != nil {
		return nil, numbered(bad, updatePolicyPage)
	}
	d.fill(w.types.policy)
	if bad := w.check(d, before.Doc, r); bad != nil {
		return nil, numbered(bad, updatePolicyPage)
	}
	normalise(d)
	old := before
	before.Doc, before.Modified = d, r.Now
	i.add(before, r.Now, w.opt.Lag)
	return &wire.Response{Status: http.StatusNoContent, Effect: true, Deeds: w.deeds(updated, w.types.policy, i, &old)}, nil
}

// everyTime drops the period that is kept when a patch changes to a frequency
// that has none and does not mention it.
func everyTime(kept, patch document) {
	to, from := patch.object("sessionControls", "signInFrequency"), kept.object("sessionControls", "signInFrequency")
	if from == nil || to.text("frequencyInterval") != "everyTime" {
		return
	}
	for _, name := range []string{"type", "value"} {
		if _, given := to[name]; !given {
			from[name] = nil
		}
	}
}

// normalise brings a policy to the form that the service keeps
// (graph-api §3.4).
func normalise(d document) {
	if grant := d.object("grantControls"); grant != nil && grant["operator"] == "AND" && controls(grant) == 1 {
		grant["operator"] = "OR"
	}
	session := d.object("sessionControls")
	if session == nil {
		return
	}
	if session["disableResilienceDefaults"] == false {
		session["disableResilienceDefaults"] = nil
	}
	if f, ok := session["signInFrequency"].(document); ok && f["isEnabled"] == true {
		for name, value := range map[string]string{"authenticationType": "primaryAndSecondaryAuthentication", "frequencyInterval": "timeBased"} {
			if f[name] == nil {
				f[name] = value
			}
		}
	}
	if !effective(session) {
		d["sessionControls"] = nil
	}
}

// effective says whether any session control does something.
func effective(session document) bool {
	for name, v := range session {
		switch v := v.(type) {
		case document:
			if v["isEnabled"] == true {
				return true
			}
		case bool:
			if name == "disableResilienceDefaults" && v {
				return true
			}
		}
	}
	return false
}

// controls counts the grant controls of all kinds.
func controls(grant document) int {
	n := len(grant.list("builtInControls")) + len(grant.list("termsOfUse")) + len(grant.list("customAuthenticationFactors"))
	if grant["authenticationStrength"] != nil {
		n++
	}
	return n
}
