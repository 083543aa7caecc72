package directory

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/risksweep/risksweep/internal/graphsim/body"
	"github.com/risksweep/risksweep/internal/graphsim/odata"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// sku is a product with its service plans, by the ids of Microsoft's licensing
// reference.
type sku struct {
	id, part string
	plans    []plan
}

type plan struct{ id, name, service string }

var (
	premiumP1 = plan{"41781fb2-bc02-4b7c-bd55-b576c07bb09d", "AAD_PREMIUM", "AADPremiumService"}
	premiumP2 = plan{"eec0eb4f-6444-4f95-aba0-50c24d67f998", "AAD_PREMIUM_P2", "AADPremiumService"}
	mfaPlan   = plan{"8a256a2b-b617-496d-b51b-e76466e88db0", "MFA_PREMIUM", "MultiFactorService"}
	workload1 = plan{"84c289f0-efcb-486f-8581-07f44fc9efad", "AAD_WRKLDID_P1", "AADPremiumService"}
	workload2 = plan{"7dc0e92d-bf15-401d-907e-0884efe7c760", "AAD_WRKLDID_P2", "AADPremiumService"}
	exchange  = plan{"9aaf7827-d63c-4b61-89c3-182f06f82e5c", "EXCHANGE_S_STANDARD", "exchange"}
)

// skus are what a licence means in products.
func (w *Workload) skus() []sku {
	mail := sku{"4b9405b0-7788-4568-add1-99614e613b69", "EXCHANGESTANDARD", []plan{exchange}}
	switch w.opt.License {
	case "P2":
		return []sku{
			{"84a661c4-e949-4bd2-a560-ed7766fcaf2b", "AAD_PREMIUM_P2", []plan{premiumP1, premiumP2, mfaPlan}},
			{"52cdf00e-8303-4223-a749-ff69a13e2dd0", "Workload_Identities_P2", []plan{workload1, workload2}}, mail,
		}
	case "P1":
		return []sku{{"078d2b04-f1bd-4111-bbd4-b4b1b354cef4", "AAD_PREMIUM", []plan{premiumP1, mfaPlan}}, mail}
	}
	return []sku{mail}
}

func (w *Workload) seats() int {
	n := 0
	for _, p := range w.t.People {
		if !p.Guest && !p.Deleted {
			n++
		}
	}
	return n
}

func (w *Workload) skuRows() []*row {
	var rows []*row
	seats := w.seats()
	for _, s := range w.skus() {
		id := w.t.ID + "_" + s.id
		rows = append(rows, &row{kind: "subscribedSku", set: w.sets.skus, id: id, get: func(member string) any {
			switch member {
			case "id":
				return id
			case "skuId":
				return s.id
			case "skuPartNumber":
				return s.part
			case "accountId":
				return w.t.ID
			case "accountName":
				return w.t.DisplayName
			case "appliesTo":
				return "User"
			case "capabilityStatus":
				return "Enabled"
			case "consumedUnits":
				return seats
			case "prepaidUnits":
				return (&body.Object{}).Set("enabled", seats+seats/10+25).Set("suspended", 0).Set("warning", 0).Set("lockedOut", 0)
			case "servicePlans":
				plans := []*body.Object{}
				for _, p := range s.plans {
					plans = append(plans, (&body.Object{}).Set("servicePlanId", p.id).Set("servicePlanName", p.name).Set("provisioningStatus", "Success").Set("appliesTo", "User"))
				}
				return plans
			}
			return nil
		}})
	}
	return rows
}

func (w *Workload) organizationRow() *row {
	since := odata.FormatTicks(odata.Ticks(w.t.CreatedAt.Add(48 * time.Hour)))
	return &row{kind: "organization", set: w.sets.organization, id: w.t.ID, navigation: func(string) ([]*row, bool) { return nil, true }, get: func(member string) any {
		switch member {
		case "id":
			return w.t.ID
		case "displayName":
			return w.t.DisplayName
		case "createdDateTime":
			return w.t.CreatedAt
		case "city":
			return "Berlin"
		case "countryLetterCode", "defaultUsageLocation":
			return "DE"
		case "preferredLanguage":
			return "en"
		case "tenantType":
			return "AAD"
		case "mobileDeviceManagementAuthority":
			return "intune"
		case "technicalNotificationMails":
			return []string{"it@" + w.t.Domain}
		case "assignedPlans", "provisionedPlans":
			plans := []*body.Object{}
			for _, s := range w.skus() {
				for _, p := range s.plans {
					o := &body.Object{}
					if member == "assignedPlans" {
						o.Set("assignedDateTime", since).Set("capabilityStatus", "Enabled").Set("service", p.service).Set("servicePlanId", p.id)
					} else {
						o.Set("capabilityStatus", "Enabled").Set("provisioningStatus", "Success").Set("service", p.service)
					}
					plans = append(plans, o)
				}
			}
			return plans
		case "verifiedDomains":
			domain := func(name string, initial bool) *body.Object {
				return (&body.Object{}).Set("capabilities", "Email, OfficeCommunicationsOnline").Set("isDefault", !initial).Set("isInitial", initial).Set("name", name).Set("type", "Managed")
			}
			return []*body.Object{domain(w.t.InitialDomain, true), domain(w.t.Domain, false)}
		}
		return nil
	}}
}

func (w *Workload) agreementRows() []*row {
	var rows []*row
	for _, a := range w.t.Agreements {
		rows = append(rows, &row{kind: "agreement", set: w.sets.agreements, id: a.ID, navigation: func(name string) ([]*row, bool) { return nil, name != "file" }, get: func(member string) any {
			switch member {
			case "id":
				return a.ID
			case "displayName":
				return a.DisplayName
			case "isViewingBeforeAcceptanceRequired":
				return true
			case "isPerDeviceAcceptanceRequired":
				return false
			}
			return nil
		}})
	}
	return rows
}

// securityDefaultsID is the policy's id in every tenant (graph-api §4).
const securityDefaultsID = "00000000-0000-0000-0000-000000000005"

// defaults reads and switches the security defaults.
func (w *Workload) defaults(r *wire.Request) (*wire.Response, *wire.Error) {
	switch r.Method {
	case http.MethodGet:
		members := map[string]any{
			"id": securityDefaultsID, "displayName": "Security Defaults", "isEnabled": w.securityDefaults,
			"description": "Security defaults is a set of basic identity security mechanisms recommended by Microsoft. When enabled, these recommendations will be automatically enforced in your organization. Administrators and users will be better protected from common identity related attacks.",
		}
		x := &row{kind: "identitySecurityDefaultsEnforcementPolicy", set: w.sets.defaults, id: securityDefaultsID, get: func(m string) any { return members[m] }}
		return w.one(r, x, "policies/identitySecurityDefaultsEnforcementPolicy")
	case http.MethodPatch:
		var in map[string]json.RawMessage
		if err := json.Unmarshal(r.Body, &in); err != nil {
			return nil, &wire.Error{Status: http.StatusBadRequest, Code: "BadRequest", Message: "The request body is empty or no object."}
		}
		on := w.securityDefaults
		for name, value := range in {
			switch name {
			case "isEnabled":
				if err := json.Unmarshal(value, &on); err != nil || string(value) == "null" {
					return nil, &wire.Error{Status: http.StatusBadRequest, Code: "BadRequest", Message: "Cannot convert a value to target type 'Edm.Boolean'."}
				}
			case "id", "displayName", "description", "@odata.type", "@odata.context":
			default:
				return nil, &wire.Error{Status: http.StatusBadRequest, Code: "BadRequest", Message: "Invalid property '" + name + "'."}
			}
		}
		if on && !w.securityDefaults && w.guarded() {
			return nil, &wire.Error{Status: http.StatusBadRequest, Code: "BadRequest", Message: "Security defaults cannot be enabled while Conditional Access policies are enabled."}
		}
		effect := on != w.securityDefaults
		w.securityDefaults = on
		a := &wire.Response{Status: http.StatusNoContent, Effect: effect}
		if effect {
			before, after := strconv.FormatBool(!on), strconv.FormatBool(on)
			a.Deeds = []wire.Deed{{
				Activity: "Update security defaults", Service: "Conditional Access", Category: "Policy", Operation: "Update",
				Targets: []wire.Target{{ID: securityDefaultsID, Name: "Security Defaults", Type: "Policy", Changed: []wire.Change{{Name: "isEnabled", Old: &before, New: &after}}}},
			}}
		}
		return a, nil
	}
	return nil, wrongMethod()
}
