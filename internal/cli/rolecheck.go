package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/risksweep/risksweep/internal/app"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/entra"
)

// checkRoles refuses an order that closes the risk of somebody who holds a
// directory role, and says which: that takes a word of its own. If roles cannot
// be read, nobody is known to hold none.
func checkRoles(ctx context.Context, a *app.App, t config.Tenant, users []string) error {
	client, err := a.Graph(t)
	if err != nil {
		return err
	}
	type one struct {
		name string
		id   entra.ID
	}
	var found []one
	for _, name := range users {
		q := entra.RiskyUserQuery{UserPrincipalName: name}
		if entra.IsID(name) {
			q = entra.RiskyUserQuery{IDs: []entra.ID{entra.NewID(name)}}
		}
		for page, err := range client.RiskyUsers(ctx, q) {
			if err != nil {
				return fmt.Errorf("reading %s: %w", name, err)
			}
			for _, u := range page.Items {
				found = append(found, one{name, u.ID})
			}
		}
	}
	if len(found) == 0 {
		return nil // the order says so of each
	}
	roles, err := client.Privileged(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		return usageError{fmt.Errorf("whether %s holds a directory role could not be read, so nothing was done: %w; --privileged orders it without knowing", strings.Join(users, ", "), err)}
	}
	var hold []string
	for _, u := range found {
		if how := roles.Users[u.id]; len(how) > 0 {
			hold = append(hold, u.name+" "+strings.Join(how, ", "))
		}
	}
	if len(hold) == 0 {
		return nil
	}
	return usageError{fmt.Errorf("privileged: %s; nothing was done: give --privileged if that is meant", printable(strings.Join(hold, "; ")))}
}
