package graph

import (
	"slices"
	"strconv"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
)

func decodeAudit(r *rowReader, a *entra.Audit) error {
	return r.object(func(name string) (err error) {
		switch name {
		case "id":
			return text(r, &a.ID)
		case "activityDateTime":
			return text(r, &a.ActivityDateTime)
		case "activityDisplayName":
			return word(r, &a.Activity)
		case "category":
			return word(r, &a.Category)
		case "correlationId":
			return text(r, &a.CorrelationID)
		case "loggedByService":
			return word(r, &a.Service)
		case "operationType":
			return word(r, &a.Operation)
		case "result":
			return word(r, &a.Result)
		case "initiatedBy":
			return decodeInitiator(r, &a.By)
		case "targetResources":
			a.Targets, err = array(r, decodeTarget)
			return err
		}
		return r.skip()
	})
}

// beginArray reads the beginning of an array; false says that null stands there,
// or an error.
func (r *rowReader) beginArray() (bool, error) {
	switch k := r.dec.PeekKind(); k {
	case 'n':
		return false, r.skip()
	case '[':
	default:
		return false, r.wrong("an array", k)
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return false, r.malformed(err)
	}
	return true, nil
}

// array reads a list of objects; null gives nil.
func array[T any](r *rowReader, one func(*rowReader, *T) error) ([]T, error) {
	if there, err := r.beginArray(); !there {
		return nil, err
	}
	var list []T
	for r.dec.PeekKind() != ']' {
		var v T
		if err := one(r, &v); err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return nil, r.malformed(err)
	}
	return list, nil
}

// orNull reads an object that may be null.
func orNull(r *rowReader, member func(name string) error) error {
	if r.dec.PeekKind() == 'n' {
		return r.skip()
	}
	return r.object(member)
}

func decodeInitiator(r *rowReader, by *entra.Initiator) error {
	return orNull(r, func(name string) error {
		switch name {
		case "user":
			return orNull(r, func(name string) error {
				switch name {
				case "id":
					return ident(r, &by.UserID)
				case "userPrincipalName":
					return text(r, &by.UserPrincipalName)
				case "displayName":
					return text(r, &by.UserDisplayName)
				case "ipAddress":
					return text(r, &by.IPAddress)
				}
				return r.skip()
			})
		case "app":
			return orNull(r, func(name string) error {
				switch name {
				case "appId":
					return ident(r, &by.AppID)
				case "displayName":
					return text(r, &by.AppName)
				case "servicePrincipalId":
					return ident(r, &by.ServicePrincipalID)
				case "servicePrincipalName":
					return text(r, &by.ServicePrincipalName)
				}
				return r.skip()
			})
		}
		return r.skip()
	})
}

func decodeTarget(r *rowReader, t *entra.AuditTarget) error {
	return r.object(func(name string) (err error) {
		switch name {
		case "id":
			return ident(r, &t.ID)
		case "displayName":
			return text(r, &t.DisplayName)
		case "type":
			return word(r, &t.Type)
		case "userPrincipalName":
			return text(r, &t.UserPrincipalName)
		case "modifiedProperties":
			t.Changed, err = array(r, func(r *rowReader, c *entra.AuditChange) error {
				return r.object(func(name string) (err error) {
					switch name {
					case "displayName":
						return word(r, &c.Name)
					case "oldValue":
						c.Old, err = r.optional()
						return err
					case "newValue":
						c.New, err = r.optional()
						return err
					}
					return r.skip()
				})
			})
			return err
		}
		return r.skip()
	})
}

// optional reads a string; null gives nil.
func (r *rowReader) optional() (*string, error) {
	if r.dec.PeekKind() == 'n' {
		return nil, r.skip()
	}
	s, err := r.str()
	return &s, err
}

// integer reads an Int32; null gives 0.
func (r *rowReader) integer() (int, error) {
	v, err := r.dec.ReadValue()
	if err != nil {
		return 0, r.malformed(err)
	}
	switch v.Kind() {
	case '0':
		n, err := strconv.Atoi(string(v))
		if err != nil {
			return 0, r.wrong("a whole number", v.Kind())
		}
		return n, nil
	case 'n':
		return 0, nil
	}
	return 0, r.wrong("a number", v.Kind())
}

// signInDecoder gives a decoder of sign-ins. Every row has a word of each policy,
// nearly always one that came before, and so those are known by their text.
func signInDecoder() func(*rowReader, *entra.SignIn) error {
	known := &appliedPolicies{known: map[string]*entra.AppliedPolicy{}}
	return func(r *rowReader, s *entra.SignIn) error { return decodeSignIn(r, s, known) }
}

func decodeSignIn(r *rowReader, s *entra.SignIn, known *appliedPolicies) error {
	return r.object(func(name string) (err error) {
		switch name {
		case "id":
			return text(r, &s.ID)
		case "createdDateTime":
			return text(r, &s.CreatedDateTime)
		case "correlationId":
			return text(r, &s.CorrelationID)
		case "userId":
			return ident(r, &s.UserID)
		case "userPrincipalName":
			return text(r, &s.UserPrincipalName)
		case "appId":
			return r.knownID(&s.AppID)
		case "appDisplayName":
			return word(r, &s.AppDisplayName)
		case "resourceId":
			return r.knownID(&s.ResourceID)
		case "resourceDisplayName":
			return word(r, &s.ResourceName)
		case "clientAppUsed":
			return word(r, &s.ClientApp)
		case "ipAddress":
			return text(r, &s.IPAddress)
		case "homeTenantId":
			return r.knownID(&s.HomeTenantID)
		case "riskLevelDuringSignIn":
			return word(r, &s.RiskDuring)
		case "riskLevelAggregated":
			return word(r, &s.RiskAggregated)
		case "conditionalAccessStatus":
			return word(r, &s.ConditionalAccess)
		case "location":
			return orNull(r, func(name string) error {
				if name == "countryOrRegion" {
					return word(r, &s.CountryOrRegion)
				}
				return r.skip()
			})
		case "status":
			return orNull(r, func(name string) (err error) {
				switch name {
				case "errorCode":
					s.ErrorCode, err = r.integer()
					return err
				case "failureReason":
					return word(r, &s.FailureReason)
				}
				return r.skip()
			})
		case "deviceDetail":
			return decodeSignInDevice(r, &s.Device)
		case "appliedConditionalAccessPolicies":
			s.PoliciesShown = r.dec.PeekKind() == '['
			s.Policies, err = known.read(r)
			return err
		}
		return r.skip()
	})
}

// knownID reads an id that is one of few.
func (r *rowReader) knownID(dst *entra.ID) error {
	s, err := r.name()
	if err != nil {
		return err
	}
	id := entra.NewID(s)
	if string(id) != s {
		id = entra.NewID(r.intern.get(string(id)))
	}
	*dst = id
	return nil
}

func decodeSignInDevice(r *rowReader, d *entra.SignInDevice) error {
	return orNull(r, func(name string) (err error) {
		switch name {
		case "deviceId":
			return text(r, &d.ID)
		case "displayName":
			return text(r, &d.DisplayName)
		case "operatingSystem":
			return word(r, &d.OperatingSystem)
		case "browser":
			return word(r, &d.Browser)
		case "trustType":
			return word(r, &d.TrustType)
		case "isCompliant":
			d.IsCompliant, err = r.boolean()
			return err
		case "isManaged":
			d.IsManaged, err = r.boolean()
			return err
		}
		return r.skip()
	})
}

// appliedPolicies are those that were read, by their text.
type appliedPolicies struct {
	known map[string]*entra.AppliedPolicy
	size  int // of the last list
}

// maxApplied bounds them: a tenant has at most some hundred policies, each of few
// results.
const maxApplied = 8192

// read reads a list; null gives nil.
func (a *appliedPolicies) read(r *rowReader) ([]*entra.AppliedPolicy, error) {
	if there, err := r.beginArray(); !there {
		return nil, err
	}
	list := make([]*entra.AppliedPolicy, 0, a.size)
	for k := r.dec.PeekKind(); k != ']'; k = r.dec.PeekKind() {
		if k != '{' {
			return nil, r.wrong("an object", k)
		}
		v, err := r.dec.ReadValue()
		if err != nil {
			return nil, r.malformed(err)
		}
		p := a.known[string(v)]
		if p == nil {
			p = &entra.AppliedPolicy{}
			one := newRowReader(string(v), r.intern)
			one.where, one.row = slices.Clone(r.where), r.row
			if err := decodeApplied(one, p); err != nil {
				return nil, err
			}
			if len(a.known) < maxApplied && len(v) <= 4096 {
				a.known[string(v)] = p
			}
		}
		list = append(list, p)
	}
	a.size = len(list)
	if _, err := r.dec.ReadToken(); err != nil {
		return nil, r.malformed(err)
	}
	return list, nil
}

func decodeApplied(r *rowReader, p *entra.AppliedPolicy) error {
	return r.object(func(name string) error {
		switch name {
		case "id":
			return r.knownID(&p.ID)
		case "result":
			return word(r, &p.Result)
		case "enforcedGrantControls":
			n, mfa, err := r.controls()
			p.MFAAlone = n == 1 && mfa
			return err
		}
		return r.skip()
	})
}

// controls reads a list of controls: how many there are, and whether a second
// factor is one of them. The log spells it Mfa.
func (r *rowReader) controls() (n int, mfa bool, err error) {
	if r.dec.PeekKind() != '[' {
		return 0, false, r.skip()
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return 0, false, r.malformed(err)
	}
	for ; r.dec.PeekKind() != ']'; n++ {
		s, err := r.str()
		if err != nil {
			return 0, false, err
		}
		mfa = mfa || strings.EqualFold(s, "mfa")
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return 0, false, r.malformed(err)
	}
	return n, mfa, nil
}
