// Package graph is the way to Microsoft Graph: it turns calls of the domain
// (detections, risky users, policies, names) into requests of the service and
// the service's answers into values of package entra. It is the only importer
// of msgraph-sdk-go and kiota.
//
// The SDK's request builders, its authentication and its adapter carry the
// requests. The answers are decoded here, without the SDK's models: those drop
// enum members and properties that are newer than they are.
//
// One Client serves one tenant. It keeps all calls that count against the
// tenant's rate of one request a second in one line, waits out throttling, and
// repeats only what cannot have had an effect: reads, refusals with 429, and
// writes of which nothing was sent. A read ends whole or in an error. The token
// goes to the configured service and nowhere else.
//
// It never decides what to do about a risk or a policy, and keeps nothing
// between runs.
package graph
