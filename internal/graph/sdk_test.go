package graph_test

import (
	"errors"
	"net/http/httptest"
	"testing"

	abs "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoft/kiota-abstractions-go/serialization"
	auth "github.com/microsoft/kiota-authentication-azure-go"
	jsonformat "github.com/microsoft/kiota-serialization-json-go"
	core "github.com/microsoftgraph/msgraph-sdk-go-core"
	"github.com/microsoftgraph/msgraph-sdk-go/identityprotection"
	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/microsoftgraph/msgraph-sdk-go/models/odataerrors"

	"github.com/risksweep/risksweep/internal/graphsim"
)

// stock is Microsoft's own adapter with all of its middleware, as a program
// that knows nothing of us would set it up.
func stock(t *testing.T, root, token string) *core.GraphRequestAdapterBase {
	t.Helper()
	provider, err := auth.NewAzureIdentityAuthenticationProviderWithScopesAndValidHosts(bearer(token), []string{"https://graph.microsoft.com/.default"}, []string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	parse := jsonformat.NewJsonParseNodeFactory()
	parsers := serialization.NewParseNodeFactoryRegistry()
	parsers.ContentTypeAssociatedFactories["application/json"] = parse
	writers := serialization.NewSerializationWriterFactoryRegistry()
	writers.ContentTypeAssociatedFactories["application/json"] = jsonformat.NewJsonSerializationWriterFactory()
	adapter, err := core.NewGraphRequestAdapterBaseWithParseNodeFactoryAndSerializationWriterFactory(provider, core.GraphClientOptions{}, parsers, writers)
	if err != nil {
		t.Fatal(err)
	}
	adapter.SetBaseUrl(root)
	return adapter
}

// The simulated tenant serves the stock SDK: its typed models, its page
// iterator, its compressed bodies and its error types.
func TestSimulatorServesTheStockSDK(t *testing.T) {
	sim, err := graphsim.New(graphsim.Options{Seed: 11, Users: 40, Detections: 230})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(server.Close)
	root := server.URL + "/v1.0"
	adapter := stock(t, root, sim.Token())
	protection := identityprotection.NewIdentityProtectionRequestBuilderInternal(map[string]string{}, adapter)

	// All pages, by the SDK's iterator.
	top := int32(50)
	first, err := protection.RiskDetections().Get(t.Context(), &identityprotection.RiskDetectionsRequestBuilderGetRequestConfiguration{
		QueryParameters: &identityprotection.RiskDetectionsRequestBuilderGetQueryParameters{Top: &top},
	})
	if err != nil {
		t.Fatal(err)
	}
	iterator, err := core.NewPageIterator[models.RiskDetectionable](first, adapter, models.CreateRiskDetectionCollectionResponseFromDiscriminatorValue)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	if err := iterator.Iterate(t.Context(), func(d models.RiskDetectionable) bool {
		if d.GetId() == nil || d.GetUserId() == nil || d.GetRiskEventType() == nil || d.GetDetectedDateTime() == nil || d.GetActivity() == nil {
			t.Errorf("a detection with holes: %v", d.GetBackingStore().Enumerate())
			return false
		}
		seen[*d.GetId()] = true
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 230 {
		t.Errorf("%d detections, want 230", len(seen))
	}

	// A risky sign-in is raised, found by name, and its user dismissed.
	member := rows(t, root, sim.Token(), "/users?$filter=userType eq 'Member'")[0]
	upn, name := text(member, "userPrincipalName"), text(member, "displayName")
	id, err := sim.Raise(graphsim.Raised{UserPrincipalName: upn, RiskEventType: "anonymizedIPAddress", RiskLevel: "medium", IPAddress: "203.0.113.7"})
	if err != nil {
		t.Fatal(err)
	}
	filter := "userDisplayName eq '" + name + "' and riskState eq 'atRisk'"
	found, err := protection.RiskDetections().Get(t.Context(), &identityprotection.RiskDetectionsRequestBuilderGetRequestConfiguration{
		QueryParameters: &identityprotection.RiskDetectionsRequestBuilderGetQueryParameters{Filter: &filter},
	})
	if err != nil {
		t.Fatal(err)
	}
	var raised models.RiskDetectionable
	for _, d := range found.GetValue() {
		if *d.GetId() == id {
			raised = d
		}
	}
	if raised == nil || *raised.GetRiskLevel() != models.MEDIUM_RISKLEVEL || *raised.GetIpAddress() != "203.0.113.7" || raised.GetLocation() == nil {
		t.Fatalf("the raised detection is %v", raised)
	}
	body := identityprotection.NewRiskyUsersDismissPostRequestBody()
	body.SetUserIds([]string{*raised.GetUserId()})
	if err := protection.RiskyUsers().Dismiss().Post(t.Context(), body, nil); err != nil {
		t.Fatal(err)
	}
	user, err := protection.RiskyUsers().ByRiskyUserId(*raised.GetUserId()).Get(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if *user.GetRiskState() != models.DISMISSED_RISKSTATE || *user.GetRiskLevel() != models.NONE_RISKLEVEL || *user.GetUserPrincipalName() != upn {
		t.Errorf("the dismissed user is %v, %v", *user.GetRiskState(), *user.GetRiskLevel())
	}
	history, err := protection.RiskyUsers().ByRiskyUserId(*raised.GetUserId()).History().Get(t.Context(), nil)
	if err != nil || len(history.GetValue()) == 0 {
		t.Errorf("history: %v", err)
	}

	// Refusals come as the SDK's own error, with the service's code.
	_, err = protection.RiskyUsers().ByRiskyUserId("00000000-0000-4000-8000-000000000000").Get(t.Context(), nil)
	var odata *odataerrors.ODataError
	if !errors.As(err, &odata) || odata.GetStatusCode() != 404 || odata.GetErrorEscaped() == nil || *odata.GetErrorEscaped().GetCode() == "" {
		t.Errorf("unknown user: %v", err)
	}
	bad := "riskLevel eq"
	_, err = protection.RiskyUsers().Get(t.Context(), &identityprotection.RiskyUsersRequestBuilderGetRequestConfiguration{
		QueryParameters: &identityprotection.RiskyUsersRequestBuilderGetQueryParameters{Filter: &bad},
	})
	var api abs.ApiErrorable
	if !errors.As(err, &api) || api.GetStatusCode() != 400 {
		t.Errorf("a wrong filter: %v", err)
	}
}
