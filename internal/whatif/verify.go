package whatif

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
)

// Verified is the comparison with the service's What If.
type Verified struct {
	Agrees      bool         `json:"agrees"`
	Differences []Difference `json:"differences"`
}

// Difference is a policy that the service judges differently.
type Difference struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
	Ours        string `json:"ours"`
	Service     string `json:"service"`
}

// ErrNotAsked is a question that the service's What If cannot take.
var ErrNotAsked = errors.New("the service's What If cannot be asked this")

// Verify asks the service and compares policy by policy whether it applies.
// Reasons are not compared: the service names the first condition in an order
// of its own.
func (f *Facts) Verify(ctx context.Context, in access.SignIn, a *Answer) error {
	body, err := request(in)
	if err != nil {
		return err
	}
	docs, err := f.reader.Evaluate(ctx, body)
	if err != nil {
		return fmt.Errorf("asking the service's What If: %w", err)
	}
	v := &Verified{Differences: []Difference{}}
	theirs := map[entra.ID]entra.Document{}
	for _, d := range docs {
		theirs[entra.NewID(d.ID())] = d
	}
	for _, e := range a.Evaluated {
		if strings.EqualFold(e.State, "disabled") {
			continue // the service judges enabled and report-only policies
		}
		ours := "does not apply: " + strings.Join(e.Reasons, ", ")
		if e.Applies {
			ours = "applies"
		}
		d, ok := theirs[entra.NewID(e.ID)]
		applies, _ := d["policyApplies"].(bool)
		service := "does not apply: " + d.Text("analysisReasons")
		switch {
		case !ok:
			service = "not in the answer"
		case applies:
			service = "applies"
		}
		if !ok || applies != e.Applies {
			v.Differences = append(v.Differences, Difference{ID: e.ID, DisplayName: e.DisplayName, Ours: ours, Service: service})
		}
	}
	slices.SortFunc(v.Differences, func(x, y Difference) int { return cmp.Compare(x.DisplayName, y.DisplayName) })
	v.Agrees = len(v.Differences) == 0
	a.Verify = v
	return nil
}

// request is the body of the service's What If.
func request(in access.SignIn) (entra.Document, error) {
	body := entra.Document{}
	switch {
	case in.User != nil:
		body["signInIdentity"] = map[string]any{"@odata.type": "#microsoft.graph.userSignIn", "userId": string(in.User.ID)}
	case in.ServicePrincipal != nil:
		body["signInIdentity"] = map[string]any{"@odata.type": "#microsoft.graph.servicePrincipalSignIn", "servicePrincipalId": string(in.ServicePrincipal.ID)}
	}
	switch t := in.Target; {
	case t.App != nil && t.App.ID != "":
		body["signInContext"] = map[string]any{"@odata.type": "#microsoft.graph.applicationContext", "includeApplications": []any{string(t.App.ID)}}
	case t.App != nil:
		return nil, fmt.Errorf("%w: it needs one application, not All", ErrNotAsked)
	case t.Context != "":
		body["signInContext"] = map[string]any{"@odata.type": "#microsoft.graph.authContext", "authenticationContextValue": t.Context}
	case strings.EqualFold(t.Action, "urn:user:registerdevice"):
		body["signInContext"] = map[string]any{"@odata.type": "#microsoft.graph.userActionContext", "userAction": "registerOrJoinDevices"}
	default:
		body["signInContext"] = map[string]any{"@odata.type": "#microsoft.graph.userActionContext", "userAction": "registerSecurityInformation"}
	}
	if in.Compliant != nil {
		return nil, fmt.Errorf("%w: it knows no compliant network", ErrNotAsked)
	}
	c := map[string]any{}
	for name, value := range map[string]string{
		"devicePlatform": in.Platform, "clientAppType": in.Client, "country": in.Country, "signInRiskLevel": in.SignInRisk, "userRiskLevel": in.UserRisk,
		"servicePrincipalRiskLevel": in.ServicePrincipalRisk, "insiderRiskLevel": in.InsiderRisk,
	} {
		if value != "" {
			c[name] = value
		}
	}
	if in.IP.IsValid() {
		c["ipAddress"] = in.IP.String()
	}
	if in.Flow != "" {
		c["authenticationFlow"] = map[string]any{"transferMethod": in.Flow}
	}
	if in.Device != nil {
		device := map[string]any{}
		for name, values := range in.Device.Properties {
			device[deviceInfoName(name)] = deviceInfoValue(name, values)
		}
		c["deviceInfo"] = device
	}
	body["signInConditions"] = c
	return body, nil
}

// deviceInfoName is a property's name in the request, which differs from that
// in filters for one.
func deviceInfoName(name string) string {
	if strings.EqualFold(name, "deviceOwnership") {
		return "ownership"
	}
	name, _ = access.DeviceProperty(name)
	return name
}

func deviceInfoValue(name string, values []string) any {
	switch strings.ToLower(name) {
	case "iscompliant":
		return len(values) > 0 && strings.EqualFold(values[0], "true")
	case "physicalids", "systemlabels":
		out := make([]any, len(values))
		for i, v := range values {
			out[i] = v
		}
		return out
	}
	return strings.Join(values, ",")
}
