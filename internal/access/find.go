package access

import (
	"maps"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
)

// Name is the display name of the policy at place i, its key if it has none.
func (s *Set) Name(i int) string {
	if s.policies[i].name == "" {
		return s.policies[i].Key
	}
	return s.policies[i].name
}

// Policy is the policy at place i.
func (s *Set) Policy(i int) Policy { return s.policies[i].Policy }

// Find are the places of the policies with that key, id or display name.
func (s *Set) Find(name string) []int {
	var out []int
	for i, p := range s.policies {
		if p.Key == name || strings.EqualFold(p.name, name) || entra.NewID(p.Document.ID()) == entra.NewID(name) {
			out = append(out, i)
		}
	}
	return out
}

// Demands reports whether the policy at place i demands it where it applies.
func (s *Set) Demands(i int, want Demand) bool {
	return slices.ContainsFunc(s.policies[i].controls.demands, func(d Demand) bool { return s.Meets(d, want) })
}

// Meets reports whether whoever meets d meets want too. An authentication
// strength that satisfies the MFA requirement meets mfa.
func (s *Set) Meets(d, want Demand) bool {
	return !slices.ContainsFunc(d, func(control string) bool {
		return !slices.ContainsFunc(want, func(w string) bool {
			return strings.EqualFold(control, w) || strings.EqualFold(w, "mfa") && s.strengthWithMFA(control) ||
				strings.HasPrefix(w, strengthPrefix) && strings.EqualFold(s.strengthName(control), strings.TrimPrefix(w, strengthPrefix))
		})
	})
}

// strengthWithMFA reports whether a control is an authentication strength that
// surely satisfies the MFA requirement: as the service says, or by its combinations
// where the service has not judged it yet.
func (s *Set) strengthWithMFA(control string) bool {
	id, ok := strings.CutPrefix(control, strengthPrefix)
	if !ok {
		return false
	}
	d, known := s.strengths[entra.NewID(id)]
	if !known {
		return slices.Contains(strengthsOfMFA, entra.NewID(id))
	}
	if says := d.Text("requirementsSatisfied"); says != "" {
		return !strings.EqualFold(says, "none")
	}
	r := reader{of: d}
	combinations := r.list(d, "allowedCombinations")
	return len(combinations) > 0 && !slices.ContainsFunc(combinations, func(c string) bool {
		return !strings.Contains(c, ",") && !slices.Contains(methodsOfMFA, c)
	})
}

// strengthsOfMFA are the built-in strengths, all of which satisfy the requirement, and
// methodsOfMFA the methods that do so alone.
var (
	strengthsOfMFA = []entra.ID{"00000000-0000-0000-0000-000000000002", "00000000-0000-0000-0000-000000000003", "00000000-0000-0000-0000-000000000004"}
	methodsOfMFA   = []string{"windowsHelloForBusiness", "fido2", "x509CertificateMultiFactor", "deviceBasedPush", "temporaryAccessPassOneTime", "temporaryAccessPassMultiUse", "federatedMultiFactor"}
)

func (s *Set) strengthName(control string) string {
	id, ok := strings.CutPrefix(control, strengthPrefix)
	if !ok {
		return ""
	}
	return s.strengths[entra.NewID(id)].DisplayName()
}

// DemandText says a demand, authentication strengths by their names.
func (s *Set) DemandText(d Demand) string {
	words := slices.Clone(d)
	for i, control := range words {
		if name := s.strengthName(control); name != "" {
			words[i] = strengthPrefix + name
		}
	}
	return words.String()
}

// deviceProperties are those that device filters know, in Microsoft's
// spelling.
var deviceProperties = func() []string {
	out := []string{"deviceId", "displayName", "deviceOwnership", "enrollmentProfileName", "isCompliant", "manufacturer", "mdmAppId", "model",
		"operatingSystem", "operatingSystemVersion", "physicalIds", "profileType", "systemLabels", "trustType"}
	for _, n := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15"} {
		out = append(out, "extensionAttribute"+n)
	}
	return out
}()

// DeviceProperties are the properties that device filters know.
func DeviceProperties() []string { return slices.Clone(deviceProperties) }

// DeviceProperty gives Microsoft's spelling of a property of device filters.
func DeviceProperty(name string) (string, bool) {
	i := slices.IndexFunc(deviceProperties, func(p string) bool { return strings.EqualFold(p, name) })
	if i < 0 {
		return "", false
	}
	return deviceProperties[i], true
}

// Groups are the groups that policies include or exclude.
func (s *Set) Groups() []entra.ID { return slices.Sorted(maps.Keys(s.groupIDs)) }

// Roles are the role template ids that policies include or exclude.
func (s *Set) Roles() []entra.ID { return slices.Sorted(maps.Keys(s.roleIDs)) }

// Apps are the applications that policies include or exclude by id.
func (s *Set) Apps() []entra.ID {
	return slices.DeleteFunc(s.apps.named(), func(id entra.ID) bool { return !entra.IsID(string(id)) })
}
