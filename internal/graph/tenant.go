package graph

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/risksweep/risksweep/internal/entra"
)

// The service plans that decide what the tenant may use, by the ids of
// Microsoft's licensing reference (AAD_PREMIUM, AAD_PREMIUM_P2,
// AAD_WRKLDID_P1, AAD_WRKLDID_P2).
const (
	planP1         = "41781fb2-bc02-4b7c-bd55-b576c07bb09d"
	planP2         = "eec0eb4f-6444-4f95-aba0-50c24d67f998"
	planWorkloadP1 = "84c289f0-efcb-486f-8581-07f44fc9efad"
	planWorkloadP2 = "7dc0e92d-bf15-401d-907e-0884efe7c760"
)

type organization struct {
	ID                    string `json:"id"`
	DisplayName           string `json:"displayName"`
	OnPremisesSyncEnabled *bool  `json:"onPremisesSyncEnabled"`
	VerifiedDomains       []struct {
		Name      string `json:"name"`
		IsDefault bool   `json:"isDefault"`
	} `json:"verifiedDomains"`
	AssignedPlans *[]struct {
		CapabilityStatus string   `json:"capabilityStatus"`
		ServicePlanID    entra.ID `json:"servicePlanId"`
	} `json:"assignedPlans"`
}

// Tenant reads what the service says of the tenant: its name, licences and
// whether security defaults are on. SecurityDefaults is nil where the token may
// not read them.
func (c *Client) Tenant(ctx context.Context) (entra.Tenant, error) {
	org := &lookup{url: "/organization"}
	defaults := &lookup{url: "/policies/identitySecurityDefaultsEnforcementPolicy"}
	if err := c.lookUp(ctx, []*lookup{org, defaults}); err != nil {
		return entra.Tenant{}, fmt.Errorf("reading the tenant: %w", err)
	}
	if org.err != nil {
		return entra.Tenant{}, fmt.Errorf("reading the tenant: %w", org.err)
	}
	var list struct {
		Value *[]organization `json:"value"`
	}
	if err := json.Unmarshal(org.body, &list); err != nil || list.Value == nil || len(*list.Value) != 1 || (*list.Value)[0].ID == "" {
		return entra.Tenant{}, fmt.Errorf("reading the tenant: /organization is not a list of one: %w", errors.Join(entra.ErrMalformed, err))
	}
	t := tenantOf((*list.Value)[0])
	switch {
	case defaults.err == nil:
		var policy struct {
			IsEnabled *bool `json:"isEnabled"`
		}
		if err := json.Unmarshal(defaults.body, &policy); err != nil {
			return entra.Tenant{}, fmt.Errorf("reading security defaults: %w: %w", entra.ErrMalformed, err)
		}
		t.SecurityDefaults = policy.IsEnabled
	case errors.Is(defaults.err, entra.ErrForbidden), errors.Is(defaults.err, entra.ErrNotFound), errors.Is(defaults.err, entra.ErrUnsupported):
		// Not known; who needs it must take the unsafe side.
	default:
		return entra.Tenant{}, fmt.Errorf("reading security defaults: %w", defaults.err)
	}
	return t, nil
}

func tenantOf(o organization) entra.Tenant {
	t := entra.Tenant{ID: o.ID, DisplayName: o.DisplayName, OnPremisesSynced: o.OnPremisesSyncEnabled != nil && *o.OnPremisesSyncEnabled}
	for _, d := range o.VerifiedDomains {
		if d.IsDefault || t.VerifiedDomain == "" {
			t.VerifiedDomain = d.Name
		}
	}
	if t.PlansUnknown = o.AssignedPlans == nil; t.PlansUnknown {
		return t
	}
	for _, p := range *o.AssignedPlans {
		if p.CapabilityStatus != "Enabled" && p.CapabilityStatus != "Warning" {
			continue
		}
		switch p.ServicePlanID {
		case planP1:
			t.PlanP1 = true
		case planP2:
			t.PlanP1, t.PlanP2 = true, true
		case planWorkloadP1, planWorkloadP2:
			t.WorkloadPremium = true
		}
	}
	return t
}

// SignedIn is whom the token stands for, as the token itself says; nothing is
// sent to the directory. A token that does not show it is an error that wraps
// entra.ErrOpaqueToken.
func (c *Client) SignedIn(ctx context.Context) (*entra.SignedIn, error) {
	t, err := c.claims(ctx)
	switch {
	case err != nil:
		return nil, err
	case t.Scopes != "":
		return &entra.SignedIn{Kind: entra.SignedInUser, ID: t.ObjectID, AppID: t.AppID, Name: cmp.Or(t.UPN, t.PreferredUsername, t.UniqueName)}, nil
	case t.AppID == "" && t.ObjectID == "":
		return nil, fmt.Errorf("reading the access token: %w", entra.ErrOpaqueToken)
	}
	return &entra.SignedIn{Kind: entra.SignedInApp, ID: t.ObjectID, AppID: t.AppID, Name: t.AppName}, nil
}

// Self is the identity that the job runs as: the service principal of the
// token's application, or the person who is signed in. A token that does not
// show whom it stands for is an error that wraps entra.ErrOpaqueToken.
func (c *Client) Self(ctx context.Context) (entra.DirectoryObject, error) {
	t, err := c.claims(ctx)
	if err != nil {
		return entra.DirectoryObject{}, err
	}
	kind := entra.KindServicePrincipal
	var l *lookup
	switch {
	case t.Scopes != "" && entra.IsID(t.ObjectID):
		kind = entra.KindUser
		l = &lookup{url: "/users/" + t.ObjectID + "?$select=" + userSelect}
	case t.AppID != "":
		l = &lookup{url: byAppID(t.AppID)}
	default:
		return entra.DirectoryObject{}, fmt.Errorf("reading the access token: %w", entra.ErrOpaqueToken)
	}
	if err := c.lookUp(ctx, []*lookup{l}); err != nil {
		return entra.DirectoryObject{}, fmt.Errorf("reading the own identity: %w", err)
	}
	if l.err != nil {
		return entra.DirectoryObject{}, fmt.Errorf("reading the own identity: %w", l.err)
	}
	found, err := c.found(ctx, kind, l)
	switch {
	case err != nil:
		return entra.DirectoryObject{}, fmt.Errorf("reading the own identity: %w", err)
	case len(found) != 1:
		return entra.DirectoryObject{}, fmt.Errorf("the token's identity is not in the directory: %w", entra.ErrNotFound)
	}
	return found[0], nil
}
