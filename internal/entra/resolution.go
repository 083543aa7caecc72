package entra

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Resolution is the answer to one Ref: no object, one, or several. Only
// exactly one is a resolution; none or several block whatever used the name.
type Resolution struct {
	Ref     Ref               `json:"ref"`
	Objects []DirectoryObject `json:"objects"`
	// Is is what an id stands for that stands for nothing of the kind of Ref.
	Is *DirectoryObject `json:"is,omitempty"`
	// Unread is why it could not be looked up: a permission, a licence or a
	// cloud is missing, and nothing is known of the ref.
	Unread error `json:"-"`
}

// Resolved returns the one object the name stands for.
func (r Resolution) Resolved() (DirectoryObject, bool) {
	if len(r.Objects) == 1 && r.Unread == nil {
		return r.Objects[0], true
	}
	return DirectoryObject{}, false
}

// Problem says why the ref does not stand for one object; empty if it does.
func (r Resolution) Problem() string {
	switch _, ok := r.Resolved(); {
	case ok:
		return ""
	case r.Unread != nil:
		return fmt.Sprintf("the %s %q could not be looked up: %s", r.Ref.Kind.Noun(), r.Ref.Name, r.Refusal())
	case len(r.Objects) > 1:
		ids := make([]string, len(r.Objects))
		for i, o := range r.Objects {
			ids[i] = string(o.ID)
		}
		slices.Sort(ids)
		return fmt.Sprintf("%d objects of kind %s are named %q (%s); give the id", len(ids), r.Ref.Kind, r.Ref.Name, strings.Join(ids, ", "))
	case r.Is != nil:
		return r.Ref.Name + " is " + r.really()
	case IsID(r.Ref.Name) && r.Ref.Kind == KindApplication:
		return fmt.Sprintf("no application of the tenant has the app id %s", r.Ref.Name)
	case IsID(r.Ref.Name):
		return fmt.Sprintf("no %s has the id %s", r.Ref.Kind.Noun(), r.Ref.Name)
	case r.Ref.Kind == KindContext:
		return fmt.Sprintf("the tenant has no authentication context %s", r.Ref.Name)
	}
	return fmt.Sprintf("no %s is named %q", r.Ref.Kind.Noun(), r.Ref.Name)
}

// Refusal says why the directory did not answer, and which app role is missing.
func (r Resolution) Refusal() string {
	if role := r.Ref.Kind.ReadRole(); role != "" && errors.Is(r.Unread, ErrForbidden) {
		return fmt.Sprintf("the app role %s is missing (%v)", role, r.Unread)
	}
	return fmt.Sprint(r.Unread)
}

// really says what an id stands for that was given for another kind.
func (r Resolution) really() string {
	is, wanted := *r.Is, r.Ref.Kind
	byAppID := is.AppID != "" && NewID(is.AppID) == NewID(r.Ref.Name)
	switch {
	case wanted == KindApplication && is.Kind == KindServicePrincipal && !byAppID:
		return fmt.Sprintf("the object id of the service principal %q; policies name an application by its app id, %s", is.DisplayName, is.AppID)
	case wanted == KindApplication && is.Kind == KindRegistration:
		return fmt.Sprintf("the object id of the app registration %q; policies name an application by its app id, %s", is.DisplayName, is.AppID)
	case wanted == KindServicePrincipal && byAppID:
		return fmt.Sprintf("the app id of the application %q; policies name a service principal by its object id, %s", is.DisplayName, is.ID)
	case byAppID:
		return fmt.Sprintf("the app id of the application %q, not %s", is.DisplayName, wanted.ANoun())
	}
	name := is.UserPrincipalName
	if name == "" {
		name = is.DisplayName
	}
	return fmt.Sprintf("the %s %q, not %s", is.Kind.Noun(), name, wanted.ANoun())
}

// Noun is the kind in words that follow "the" or "no".
func (k ObjectKind) Noun() string {
	switch k {
	case KindServicePrincipal:
		return "service principal"
	case KindRole:
		return "directory role"
	case KindLocation:
		return "named location"
	case KindStrength:
		return "authentication strength"
	case KindAgreement:
		return "terms of use"
	case KindPolicy:
		return "policy"
	case KindContext:
		return "authentication context"
	case KindRegistration:
		return "app registration"
	}
	return string(k)
}

// ANoun is the kind in words with its article.
func (k ObjectKind) ANoun() string {
	switch k {
	case KindAgreement:
		return k.Noun()
	case KindApplication, KindStrength, KindContext, KindRegistration:
		return "an " + k.Noun()
	}
	return "a " + k.Noun()
}

// ReadRole is the least app role with which objects of the kind are looked up.
func (k ObjectKind) ReadRole() string {
	switch k {
	case KindUser:
		return "User.Read.All"
	case KindGroup:
		return "GroupMember.Read.All"
	case KindServicePrincipal, KindApplication, KindRegistration:
		return "Application.Read.All"
	case KindRole:
		return "RoleManagement.Read.Directory"
	case KindAgreement:
		return "Agreement.Read.All"
	case KindLocation, KindStrength, KindPolicy, KindContext:
		return "Policy.Read.All"
	}
	return ""
}

// Unavailable reports whether an error says of one part of the tenant that it is
// not there for us to read, while others may be: a permission, a licence or a
// cloud is missing.
func Unavailable(err error) bool {
	return errors.Is(err, ErrForbidden) || errors.Is(err, ErrUnlicensed) || errors.Is(err, ErrUnsupported)
}
