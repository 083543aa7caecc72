package evaluate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// Request is the body of a What If evaluation.
type Request struct {
	SignIn SignIn
	// AppliedOnly asks for the policies that apply alone.
	AppliedOnly bool
}

type member = map[string]json.RawMessage

// ReadRequest reads a body; the error says what is wrong with it.
func ReadRequest(body []byte) (*Request, error) {
	var in member
	if json.Unmarshal(body, &in) != nil || in == nil {
		return nil, fmt.Errorf("the body is no JSON object")
	}
	r := &Request{}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		switch name {
		case "signInIdentity", "signInContext", "signInConditions", "appliedPoliciesOnly":
		default:
			if !strings.Contains(name, "@") {
				return nil, fmt.Errorf("the parameter '%s' in the request payload is not a valid parameter for the operation 'evaluate'", name)
			}
		}
	}
	if raw, given := in["appliedPoliciesOnly"]; given && string(raw) != "null" && json.Unmarshal(raw, &r.AppliedOnly) != nil {
		return nil, fmt.Errorf("cannot convert the value of 'appliedPoliciesOnly' to the expected type 'Edm.Boolean'")
	}
	for _, part := range []struct {
		name  string
		typed bool
		read  func(kind string, m *reader)
	}{
		{"signInIdentity", true, r.identity}, {"signInContext", true, r.context}, {"signInConditions", false, r.conditions},
	} {
		m := &reader{name: part.name}
		if json.Unmarshal(in[part.name], &m.members) != nil || m.members == nil {
			return nil, fmt.Errorf("the parameter '%s' is required", part.name)
		}
		kind := ""
		if raw, given := m.members["@odata.type"]; given {
			_ = json.Unmarshal(raw, &kind) // empty if it is no text
		}
		if part.typed && kind == "" {
			return nil, fmt.Errorf("'@odata.type' is needed for '%s'", part.name)
		}
		part.read(strings.TrimPrefix(strings.TrimPrefix(kind, "#"), "microsoft.graph."), m)
		if err := m.done(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *Request) identity(kind string, m *reader) {
	s := &r.SignIn
	switch kind {
	case "userSignIn":
		s.UserID, s.ExternalTenantID = m.text("userId"), m.text("externalTenantId")
		s.ExternalUserType = m.choice("externalUserType", append([]string{"none"}, guestKinds...)...)
		if s.UserID == "" && guestKind(s.ExternalUserType) == "" {
			m.fail("the property 'userId' of '%s' is required", m.name)
		}
	case "servicePrincipalSignIn":
		if s.ServicePrincipalID = m.text("servicePrincipalId"); s.ServicePrincipalID == "" {
			m.fail("the property 'servicePrincipalId' of '%s' is required", m.name)
		}
	default:
		m.fail("'%s' is no type of 'signInIdentity'", kind)
	}
}

func (r *Request) context(kind string, m *reader) {
	s := &r.SignIn
	switch kind {
	case "applicationContext":
		m.value("includeApplications", "Collection(Edm.String)", &s.Applications)
	case "userActionContext":
		if s.UserAction = m.choice("userAction", "registerSecurityInformation", "registerOrJoinDevices"); s.UserAction == "" {
			m.fail("the property 'userAction' of '%s' is required", m.name)
		}
	case "authContext":
		if s.AuthenticationContext = m.text("authenticationContextValue"); s.AuthenticationContext == "" {
			m.fail("the property 'authenticationContextValue' of '%s' is required", m.name)
		}
	default:
		m.fail("'%s' is no type of 'signInContext'", kind)
	}
}

func (r *Request) conditions(_ string, m *reader) {
	s := &r.SignIn
	levels := []string{"none", "low", "medium", "high", "hidden"}
	s.Platform = m.choice("devicePlatform", "android", "iOS", "windows", "windowsPhone", "macOS", "all", "linux")
	s.ClientApp = m.choice("clientAppType", "all", "browser", "mobileAppsAndDesktopClients", "exchangeActiveSync", "easSupported", "other")
	s.SignInRisk, s.UserRisk = m.choice("signInRiskLevel", levels...), m.choice("userRiskLevel", levels...)
	s.ServicePrincipalRisk = m.choice("servicePrincipalRiskLevel", levels...)
	s.InsiderRisk = m.choice("insiderRiskLevel", "none", "minor", "moderate", "elevated")
	s.Country = m.text("country")
	if text := m.text("ipAddress"); text != "" {
		a, err := netip.ParseAddr(text)
		if err != nil {
			m.fail("'%s' is not a valid address for 'ipAddress'", text)
		}
		s.IPAddress = a
	}
	if flow := m.object("authenticationFlow"); flow != nil {
		s.TransferMethod = flow.choice("transferMethod", "none", "deviceCodeFlow", "authenticationTransfer")
		m.join(flow)
	}
	if device := m.object("deviceInfo"); device != nil {
		s.Device = device.device()
		m.join(device)
	}
}

// device reads deviceInfo, whose members are all of three types.
func (m *reader) device() Device {
	d := Device{}
	for _, name := range strings.Fields("deviceId displayName enrollmentProfileName manufacturer mdmAppId model operatingSystem operatingSystemVersion ownership profileType trustType") {
		if v := m.text(name); v != "" {
			d[name] = v
		}
	}
	for n := 1; n <= 15; n++ {
		name := fmt.Sprintf("extensionAttribute%d", n)
		if v := m.text(name); v != "" {
			d[name] = v
		}
	}
	for _, name := range []string{"physicalIds", "systemLabels"} {
		var v []string
		if m.value(name, "Collection(Edm.String)", &v); len(v) > 0 {
			d[name] = v
		}
	}
	var compliant *bool
	if m.value("isCompliant", "Edm.Boolean", &compliant); compliant != nil {
		d["isCompliant"] = *compliant
	}
	return d
}

// reader takes the members of an object, and keeps the first mistake.
type reader struct {
	name    string
	members member
	taken   []string
	err     error
}

func (m *reader) fail(format string, args ...any) {
	if m.err == nil {
		m.err = fmt.Errorf(format, args...)
	}
}

// value reads a member; null and a missing one leave the target alone.
func (m *reader) value(name, kind string, to any) {
	m.taken = append(m.taken, name)
	raw, given := m.members[name]
	if given && !bytes.Equal(bytes.TrimSpace(raw), []byte("null")) && json.Unmarshal(raw, to) != nil {
		m.fail("cannot convert the value of '%s' to the expected type '%s'", name, kind)
	}
}

func (m *reader) text(name string) (v string) {
	m.value(name, "Edm.String", &v)
	return v
}

// choice reads a member of an enumeration, in its own spelling.
func (m *reader) choice(name string, members ...string) string {
	given := m.text(name)
	if given == "" {
		return ""
	}
	for _, v := range members {
		if strings.EqualFold(v, given) {
			return v
		}
	}
	m.fail("'%s' is not a value for '%s'", given, name)
	return ""
}

func (m *reader) object(name string) *reader {
	inner := &reader{name: name}
	m.value(name, "microsoft.graph."+name, &inner.members)
	if inner.members == nil {
		return nil
	}
	return inner
}

// join ends an inner object.
func (m *reader) join(inner *reader) {
	if err := inner.done(); err != nil {
		m.fail("%w", err)
	}
}

// done gives the first mistake: a member that nobody took is one, too.
func (m *reader) done() error {
	for _, name := range slices.Sorted(maps.Keys(m.members)) {
		if !strings.Contains(name, "@") && !named(m.taken, name) {
			m.fail("the property '%s' does not exist on '%s'", name, m.name)
		}
	}
	return m.err
}
