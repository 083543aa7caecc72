package report

import "github.com/risksweep/risksweep/internal/entra"

// adminCenters are the addresses of the Entra admin center in the clouds (Entra:
// frequently asked questions, addresses to allow). DoD shares that of the US
// government.
var adminCenters = map[string]string{
	"global": "https://entra.microsoft.com", "usgov": "https://entra.microsoft.us", "usgovdod": "https://entra.microsoft.us", "china": "https://entra.microsoftonline.cn",
}

// pageOf is where a row's links lead to and its commands are run.
type pageOf struct{ Tenant, Cloud string }

// UserLink is the page of a user in the admin center: a link holds an id and
// nothing else of the user. Empty if there is none.
func (p pageOf) UserLink(id string) string {
	return p.link("/#view/Microsoft_AAD_UsersAndTenants/UserProfileMenuBlade/~/overview/userId/", id)
}

// SignInLink is the sign-in log at one request.
func (p pageOf) SignInLink(requestID string) string {
	return p.link("/#view/Microsoft_AAD_IAM/SignInEventsV3Blade/requestId/", requestID)
}

func (p pageOf) link(path, id string) string {
	if adminCenters[p.Cloud] == "" || !entra.IsID(id) {
		return ""
	}
	return adminCenters[p.Cloud] + path + id
}

// plainWord reports whether a word needs no quotes in any shell: letters and
// digits, after the first also points, lines and hyphens.
func plainWord(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		case i == 0 || c != '.' && c != '_' && c != '-':
			return false
		}
	}
	return s != ""
}

// Commands are what may be run next about a user, the first of them the one to
// begin with; none if a name would need quotes.
func (p pageOf) Commands(id string, open bool) []string {
	if !plainWord(id) || !plainWord(p.Tenant) {
		return nil
	}
	end := " " + id + " --tenant " + p.Tenant
	out := []string{"risksweep users history" + end}
	if open {
		out = append([]string{"risksweep triage explain" + end}, append(out, "risksweep users dismiss"+end, "risksweep users confirm-compromised"+end)...)
	}
	return out
}
