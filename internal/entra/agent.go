package entra

import (
	"encoding/json"
	"strings"
)

// UserAgent is the user agent of the sign-in, which additionalInfo holds among
// its pairs of Key and Value; empty if it does not.
func (d *Detection) UserAgent() string {
	if !strings.Contains(d.AdditionalInfo, "serAgent") {
		return ""
	}
	var pairs []struct {
		Key   string
		Value any
	}
	if json.Unmarshal([]byte(d.AdditionalInfo), &pairs) != nil {
		return ""
	}
	for _, p := range pairs {
		if s, ok := p.Value.(string); ok && strings.EqualFold(p.Key, "userAgent") {
			return s
		}
	}
	return ""
}
