package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/triage"
)

func (c *command) principalsCommand() *cobra.Command {
	root := &cobra.Command{Use: "serviceprincipals", Short: "Read risky service principals, and act on single ones"}
	var level, state string
	list := &cobra.Command{
		Use: "list", Short: "List risky service principals, with what their open detections show", Args: cobra.NoArgs,
		Example: `  risksweep serviceprincipals list --state atRisk
  risksweep serviceprincipals list -o json`,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.listPrincipals(cmd, level, state) },
	}
	list.Flags().StringVar(&level, "level", "", "low, medium or high")
	list.Flags().StringVar(&state, "state", "", "atRisk, confirmedCompromised, dismissed or none")
	history := &cobra.Command{
		Use: "history NAME", Short: "Show what happened to a service principal's risk, and who did it", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.principalHistory(cmd, args[0]) },
	}
	root.AddCommand(list, history)
	for _, kind := range plan.PrincipalKinds() {
		root.AddCommand(c.orderCommand(kind))
	}
	return root
}

func (c *command) listPrincipals(cmd *cobra.Command, level, state string) error {
	level, err := oneOf("--level", level, "low", "medium", "high", "hidden", "none")
	if err != nil {
		return err
	}
	state, err = oneOf("--state", state, "atRisk", "confirmedCompromised", "dismissed", "remediated", "confirmedSafe", "none")
	if err != nil {
		return err
	}
	rows, err := c.rows("displayName", "riskLevel", "riskState", "riskLastUpdatedDateTime")
	if err != nil {
		return err
	}
	if rows.wide {
		rows.heads = append(rows.heads, "riskDetail", "appId", "servicePrincipalType", "isEnabled", "isProcessing", "id")
	}
	shown := rows.form == "table" || rows.form == "wide"
	if shown {
		rows.heads = append(rows.heads, "isPrivileged")
	}
	rows.heads = append(rows.heads, "why")
	documents := rows.form == "json" || rows.form == "jsonl" // as Graph sent them
	return c.eachTenant(cmd, rows, func(t reading) error {
		open := map[entra.ID][]triage.Detection{}
		if !documents {
			for page, err := range t.client.ServicePrincipalDetections(cmd.Context(), nil) {
				if err != nil {
					c.log.Warn("open detections could not be read, so the column why is empty: "+err.Error(), "tenant", t.tenant.Name)
					clear(open) // a part of them would look like all
					break
				}
				for i := range page.Items {
					if d := &page.Items[i]; d.RiskState.Open() {
						open[d.ServicePrincipalID] = append(open[d.ServicePrincipalID], triage.Seen(d))
					}
				}
			}
		}
		var listed []listedUser
		for page, err := range t.client.RiskyServicePrincipals(cmd.Context()) {
			if err != nil {
				return err
			}
			for i := range page.Items {
				p := &page.Items[i]
				if level != "" && string(p.RiskLevel) != level || state != "" && string(p.RiskState) != state {
					continue
				}
				cells := []string{cmp.Or(p.DisplayName, string(p.ID)), string(p.RiskLevel), string(p.RiskState), string(p.RiskLastUpdatedDateTime)}
				if rows.wide {
					cells = append(cells, string(p.RiskDetail), p.AppID, p.ServicePrincipalType, tristate(p.IsEnabled), tristate(p.IsProcessing), string(p.ID))
				}
				if shown {
					listed = append(listed, listedUser{p.ID, p.RiskState.Open(), p.RiskLevel, cells, triage.Shows(open[p.ID])})
					continue
				}
				if err := rows.add([]byte(p.Raw), append(cells, triage.Shows(open[p.ID]))...); err != nil {
					return err
				}
			}
		}
		if len(listed) == 0 {
			return nil
		}
		return rows.addBySeverity(listed, c.privilegedPrincipals(cmd.Context(), t, listed))
	})
}

func (c *command) principalHistory(cmd *cobra.Command, name string) error {
	rows, err := c.rows(historyHeads...)
	if err != nil {
		return err
	}
	return c.eachTenant(cmd, rows, func(t reading) error {
		var found []entra.ID
		for page, err := range t.client.RiskyServicePrincipals(cmd.Context()) {
			if err != nil {
				return err
			}
			for _, p := range page.Items {
				if id := entra.NewID(name); p.ID == id || entra.NewID(p.AppID) == id || strings.EqualFold(p.DisplayName, name) {
					found = append(found, p.ID)
				}
			}
		}
		switch len(found) {
		case 0:
			return fmt.Errorf("%s: %w", name, entra.ErrPrincipalNotRisky)
		case 1:
		default:
			return fmt.Errorf("%s stands for %d risky service principals; name the object id", name, len(found))
		}
		items, err := t.client.ServicePrincipalHistory(cmd.Context(), string(found[0]))
		if err != nil {
			return err
		}
		return c.printHistory(cmd.Context(), rows, t, items)
	})
}

// privilegedPrincipals says of service principals whether directory roles or
// application permissions make them privileged.
func (c *command) privilegedPrincipals(ctx context.Context, t reading, list []listedUser) func(entra.ID) string {
	var ids []entra.ID
	for _, p := range list {
		if entra.IsID(string(p.id)) {
			ids = append(ids, p.id)
		}
	}
	roles, err := t.client.Privileged(ctx)
	if err != nil {
		c.log.Warn("directory roles could not be read, so the column PRIVILEGED does not say who holds one: "+err.Error(), "tenant", t.tenant.Name)
	}
	found, unread := t.client.ServicePrincipals(ctx, ids)
	if unread != nil {
		c.log.Warn("application permissions could not be read, so the column PRIVILEGED does not say who holds any: "+unread.Error(), "tenant", t.tenant.Name)
	}
	return func(id entra.ID) string {
		switch p, is := found[id]; {
		case roles != nil && len(roles.Principals[id]) > 0, len(p.Permissions) > 0:
			return "yes"
		case roles == nil, !is, p.PermissionsUnknown != nil:
			return "?"
		}
		return ""
	}
}

// orderPath is the command by which a person orders a kind of action.
func orderPath(kind plan.Kind) string {
	under := "users"
	if kind.OnPrincipal() {
		under = "serviceprincipals"
	}
	return under + " " + strings.ReplaceAll(kind.Words().Name, " ", "-")
}
