package graphsim

import (
	"fmt"
	"time"
)

// build generates the tenant that the options ask for.
func build(opt Options, _ time.Time, _ func() time.Time) (*parts, error) {
	var names ids
	names.reset(opt.Seed)
	return &parts{
		identity: identity{
			tenantID: names.next(), domains: []string{"contoso.onmicrosoft.com"},
			clientID: names.next(), clientSecret: "sim~" + names.next(), principalID: names.next(),
		},
		risk: nobody{},
	}, nil
}

// nobody is the risk of a tenant without users.
type nobody struct{}

func (nobody) raise(r Raised) (string, error) {
	return "", fmt.Errorf("no user %q in this tenant", r.UserPrincipalName)
}

func (nobody) remediate(upn, _ string) error {
	return fmt.Errorf("no user %q in this tenant", upn)
}
