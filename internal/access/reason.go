package access

import "fmt"

// Reason is why a policy does not apply, one of the service's
// analysisReasons; the number is that of Microsoft's metadata.
type Reason int

// The reasons that this package gives.
const (
	NotSet                 Reason = 0
	NotEnoughInformation   Reason = 1
	InvalidCondition       Reason = 2
	Users                  Reason = 4
	WorkloadIdentities     Reason = 8
	Application            Reason = 16
	UserActions            Reason = 32
	AuthenticationContexts Reason = 64
	DevicePlatform         Reason = 128
	Devices                Reason = 256
	ClientApps             Reason = 512
	Location               Reason = 1024
	SignInRisk             Reason = 2048
	EmptyPolicy            Reason = 4096
	InvalidPolicy          Reason = 8192
	PolicyNotEnabled       Reason = 16384
	UserRisk               Reason = 32768
	InsiderRisk            Reason = 131072
	AuthenticationFlow     Reason = 262144
)

var reasonWords = map[Reason]string{
	NotSet: "notSet", NotEnoughInformation: "notEnoughInformation", InvalidCondition: "invalidCondition", Users: "users", WorkloadIdentities: "workloadIdentities",
	Application: "application", UserActions: "userActions", AuthenticationContexts: "authenticationContext", DevicePlatform: "devicePlatform",
	Devices: "devices", ClientApps: "clientApps", Location: "location", SignInRisk: "signInRisk", EmptyPolicy: "emptyPolicy",
	InvalidPolicy: "invalidPolicy", PolicyNotEnabled: "policyNotEnabled", UserRisk: "userRisk", InsiderRisk: "insiderRisk", AuthenticationFlow: "authenticationFlow",
}

// String is the service's word.
func (r Reason) String() string { return reasonWords[r] }

// Verdict is what one policy says of the sign-in.
type Verdict struct {
	Policy  int // its place in the set
	Applies Truth
	// Reason is NotSet if it applies, else the first thing that is not met or
	// not known.
	Reason Reason
	Why    string // the same in plain words
}

// Verdict of the policy at place i. A policy that is switched off or empty is
// told as such and does not apply. One with a condition that cannot be read
// does not apply where another condition is surely not met; else that is
// unknown.
func (j Judgement) Verdict(i int) Verdict {
	p := &j.set.policies[i]
	v := Verdict{Policy: i}
	switch {
	case !j.set.enabled.has(i) && !j.set.reportOnly.has(i):
		v.Reason, v.Why = PolicyNotEnabled, "the policy is not enabled"
		return v
	case p.problem == EmptyPolicy:
		v.Reason, v.Why = p.problem, p.trouble
		return v
	}
	v.Applies = Yes
	for d, s := range j.spans {
		t := s.truth(i)
		if t != Yes && v.Applies == Yes {
			v.Reason, v.Why = j.reason(dimension(d), i, t)
		}
		v.Applies = v.Applies.And(t)
	}
	switch {
	case j.set.broken.has(i):
		v.Applies, v.Reason, v.Why = Unknown, p.problem, p.trouble
	case p.problem == InvalidPolicy && v.Applies == Yes:
		v.Applies, v.Reason, v.Why = Unknown, p.problem, p.trouble
	}
	return v
}

func (j Judgement) reason(d dimension, i int, t Truth) (Reason, string) {
	asked := func(what, value string) string {
		if value == "" {
			return what + " is not given"
		}
		return fmt.Sprintf("%s %s is not one the policy asks for", what, value)
	}
	switch d {
	case dimIdentity:
		return j.identityReason(i, t)
	case dimTarget:
		// The reason is the policy's condition, whatever the sign-in asks for.
		switch {
		case j.set.toActions.has(i):
			return UserActions, "the policy targets user actions, and not this one"
		case j.set.toContexts.has(i):
			return AuthenticationContexts, "the policy targets authentication contexts, and not this one"
		case j.in.Target.App == nil:
			return Application, "the policy targets applications"
		case t == Unknown:
			return Application, "whether the application is targeted is not known"
		case j.set.apps.everything.has(i):
			return Application, "the application is excluded"
		}
		return Application, "the application is not one the policy targets"
	case dimPlatform:
		return DevicePlatform, asked("the device platform", j.in.Platform)
	case dimDevice:
		if j.set.devFilters.unreadable(i) {
			return InvalidCondition, j.set.policies[i].trouble
		}
		if t == Unknown {
			return Devices, "the device filter asks for a property that is not given"
		}
		return Devices, "the device does not pass the device filter"
	case dimClient:
		return ClientApps, asked("the client app type", j.in.Client)
	case dimLocation:
		if t == Unknown {
			return Location, "the location is not given"
		}
		if j.set.locations.everything.has(i) {
			return Location, "the location is excluded"
		}
		return Location, "the location is not one the policy asks for"
	case dimSignInRisk:
		return SignInRisk, asked("the sign-in risk", j.in.SignInRisk)
	case dimServicePrincipalRisk:
		return SignInRisk, asked("the service principal risk", j.in.ServicePrincipalRisk)
	case dimUserRisk:
		return UserRisk, asked("the user risk", j.in.UserRisk)
	case dimInsiderRisk:
		return InsiderRisk, asked("the insider risk", j.in.InsiderRisk)
	case dimFlow:
		return AuthenticationFlow, asked("the authentication flow", j.in.Flow)
	}
	return NotEnoughInformation, ""
}

func (j Judgement) identityReason(i int, t Truth) (Reason, string) {
	switch {
	case j.in.ServicePrincipal != nil && t == Unknown:
		return WorkloadIdentities, "whether the service principal is included is not known"
	case j.in.ServicePrincipal != nil && j.set.forUsers.has(i):
		return WorkloadIdentities, "the policy is for users"
	case j.in.ServicePrincipal != nil:
		return WorkloadIdentities, "the service principal is not included, or is excluded"
	case j.set.forWorkload.has(i):
		return Users, "the policy is for workload identities"
	case t == Unknown:
		return Users, "whether the user is in a group or role of the policy is not known"
	case j.set.users.everything.has(i):
		return Users, "the user is excluded"
	}
	return Users, "the user is not included, or is excluded"
}
