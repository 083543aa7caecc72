package entra

import (
	"errors"
	"strings"
)

// Advice translates a known failure of the service for a person.
type Advice struct {
	// Name is what docs/errors.md lists it under: a kind of failure, or the
	// number of a Conditional Access error.
	Name string
	// Means says what has happened, Do what mends it.
	Means, Do string

	// Lasting says that the body itself is wrong, so that no wait for earlier
	// writes to spread can mend it.
	Lasting bool

	kind   error  // errors.Is
	number string // "1011": the service's message begins with it (graph-api §3.6)
}

// Advices are all that is known, the more special first.
var Advices = []Advice{
	{Name: "1007", number: "1007", Lasting: true, Means: "the policy holds a member or value that this version of Graph does not take: a misspelling, a type, or something of the beta version",
		Do: "run baseline validate, and take members that the portal shows as preview out"},
	{Name: "1011", number: "1011", Lasting: true, Means: "the service refuses the policy's applications: often none is left, or one has no service principal in the tenant",
		Do: "check includeApplications and excludeApplications; the service's own words say more"},
	{Name: "1012", number: "1012", Lasting: true, Means: "the policy includes applications and user actions together", Do: "make two policies of it"},
	{Name: "1040", number: "1040", Means: "the policy names a location that the service does not know, or not yet: a new one takes a while to spread",
		Do: "nothing if the location was just made, the next run goes on; else check the location's id"},
	{Name: "1048", number: "1048", Lasting: true, Means: "a named location holds a country code that the service does not take", Do: "run baseline validate: it names the code and the nearest right one"},
	{Name: "1060", number: "1060", Lasting: true, Means: "the policy has deviceStates and devices together", Do: "keep devices.deviceFilter alone"},
	{Name: "1064", number: "1064", Lasting: true, Means: "clientAppTypes is an empty list", Do: "leave the member out, or say [all]"},
	{Name: "1085", number: "1085", Means: "the service refuses the policy as invalid; what the number stands for is not documented", Do: "compare it with the same policy made in the portal; the request id is for Microsoft's support"},
	{Name: "1101", number: "1101", Lasting: true, Means: "the tenant has no access to a preview that the policy uses, such as a sign-in frequency of everyTime", Do: "take that member out"},
	{Name: "1104", number: "1104", Lasting: true, Means: "a sign-in frequency that is timeBased goes with primaryAndSecondaryAuthentication alone", Do: "change authenticationType, or frequencyInterval to everyTime"},
	{Name: "licence", kind: ErrUnlicensed, Means: "the tenant has no licence for what was asked: risk needs Microsoft Entra ID P2, risky workload identities Workload Identities Premium",
		Do: "assign the licence, or leave that part out (triage, sweep.servicePrincipals); doctor says which there are"},
	{Name: "persons only", kind: ErrPersonsOnly, Means: "the service lets no application do this, whatever its permissions; or the token lacks an app role",
		Do: "let a person with the role that the message names send the command that it prints; if that is refused as well, run doctor"},
	{Name: "permission", kind: ErrForbidden, Means: "the token lacks an app role, or nobody has consented to it", Do: "run doctor: it names the role and the command that grants it; a token issued before keeps its old roles"},
	{Name: "sign-in", kind: ErrUnauthorized, Means: "the sign-in was refused, or its token expired or belongs to another tenant", Do: "check tenantId, cloud and the credential with config show, then run doctor"},
	{Name: "throttling", kind: ErrThrottled, Means: "the tenant's quota is used up: one request a second on risk and Conditional Access, for all applications together",
		Do: "find out who else asks (the sign-in log of workload identities shows it), keep sweep.requestsPerSecond at 1 or below, and run again later"},
	{Name: "another host", kind: ErrRedirected, Means: "an answer led to another host; the token was not sent there", Do: "check graphEndpoint, and what stands between this machine and Microsoft Graph"},
	{Name: "malformed answer", kind: ErrMalformed, Means: "the answer is not what Microsoft Graph sends: cut short, of a wrong type, or pages that do not end", Do: "run again; if it stays, something stands between this machine and Microsoft Graph, or graphEndpoint is wrong"},
	{Name: "unknown user", kind: ErrNotRisky, Means: "ID Protection knows of no risk of a user with this name: a misspelling, a guest, whose risk is at home, or somebody who was never at risk",
		Do: "take the userPrincipalName or id that users list prints"},
	{Name: "unknown object", kind: ErrNotFound, Means: "the object does not exist in the tenant, or no longer", Do: "check the name or id"},
	{Name: "cloud", kind: ErrUnsupported, Means: "this cloud does not offer what was asked", Do: "leave that part out for the tenant: China has no ID Protection"},
	{Name: "unavailable", kind: ErrUnavailable, Means: "the service did not answer, or answered that it cannot now", Do: "run again; nothing was written that is not in the journal"},
	{Name: "outcome unknown", kind: ErrUnknownOutcome, Means: "the answer to a write was lost: it may have taken effect", Do: "nothing: the next run looks what became of it before it does anything more"},
}

// AdviceFor is what is known of an error.
func AdviceFor(err error) (Advice, bool) {
	var said interface{ ServiceMessage() string }
	message := ""
	if errors.As(err, &said) {
		message = said.ServiceMessage()
	}
	for _, a := range Advices {
		if a.number != "" && strings.HasPrefix(message, a.number+":") || a.kind != nil && errors.Is(err, a.kind) {
			return a, true
		}
	}
	return Advice{}, false
}

func (a Advice) String() string { return a.Means + "; " + a.Do }
