package cli

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep"
)

// riskFilter are the flags by which detections and users are chosen.
type riskFilter struct{ user, level, state, since, raw string }

func (f *riskFilter) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.user, "user", "", "user principal name, display name or object id")
	cmd.Flags().StringVar(&f.level, "level", "", "low, medium or high")
	cmd.Flags().StringVar(&f.state, "state", "", "atRisk, confirmedCompromised, dismissed, remediated, confirmedSafe or none")
	cmd.Flags().StringVar(&f.since, "since", "", "time, date or age: 2026-11-01, 2026-11-01T06:00:00Z, 24h, 7d")
	cmd.Flags().StringVar(&f.raw, "filter", "", "an OData expression that is sent as it is")
}

// check says what is wrong with the flags and gives the time of --since.
func (f *riskFilter) check(now time.Time) (time.Time, error) {
	level, err := oneOf("--level", f.level, "low", "medium", "high", "hidden", "none")
	if err != nil {
		return time.Time{}, err
	}
	state, err := oneOf("--state", f.state, "atRisk", "confirmedCompromised", "dismissed", "remediated", "confirmedSafe", "none")
	if err != nil {
		return time.Time{}, err
	}
	f.level, f.state = level, state
	return timeFlag("--since", f.since, now)
}

func (c *command) detectionsCommand() *cobra.Command {
	root := &cobra.Command{Use: "detections", Short: "Read risk detections"}
	var f riskFilter
	list := &cobra.Command{
		Use:   "list",
		Short: "List risk detections",
		Example: `  risksweep detections list --user "Ada Lovelace" --state atRisk
  risksweep detections list --since 24h -o csv
  risksweep detections list --filter "riskEventType eq 'passwordSpray'" -o json`,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.listDetections(cmd, f) },
	}
	f.flags(list)
	root.AddCommand(list)
	return root
}

func (c *command) listDetections(cmd *cobra.Command, f riskFilter) error {
	since, err := f.check(c.Now())
	if err != nil {
		return err
	}
	q := entra.DetectionQuery{Level: entra.RiskLevel(f.level), State: entra.RiskState(f.state), DetectedSince: since, Filter: f.raw}
	switch {
	case entra.IsID(f.user):
		q.UserIDs = []entra.ID{entra.NewID(f.user)}
	case strings.Contains(f.user, "@"):
		q.UserPrincipalName = f.user
	default:
		q.UserDisplayName = f.user
	}
	rows, err := c.rows("detectedDateTime", "userPrincipalName", "riskEventType", "riskLevel", "riskState", "ipAddress", "location")
	if err != nil {
		return err
	}
	if rows.wide {
		rows.heads = append(rows.heads, "detectionTimingType", "source", "lastUpdatedDateTime", "id")
	}
	return c.eachTenant(cmd, rows, func(t reading) error {
		for page, err := range t.client.Detections(cmd.Context(), q) {
			if err != nil {
				return err
			}
			for i := range page.Items {
				d := &page.Items[i]
				cells := []string{string(d.DetectedDateTime), cmp.Or(d.UserPrincipalName, d.UserDisplayName), d.RiskEventType, string(d.RiskLevel),
					string(d.RiskState), d.IPAddress, place(d.Location)}
				if rows.wide {
					cells = append(cells, d.DetectionTimingType, d.Source, string(d.LastUpdatedDateTime), d.ID)
				}
				if err := rows.add([]byte(d.Raw), cells...); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func place(l entra.Location) string {
	if l.City == "" {
		return l.CountryOrRegion
	}
	return l.City + ", " + l.CountryOrRegion
}

func (c *command) usersCommand() *cobra.Command {
	root := &cobra.Command{Use: "users", Short: "Read risky users, and act on single ones"}
	var f riskFilter
	var groupBy string
	list := &cobra.Command{
		Use: "list", Short: "List risky users, with what their open detections show",
		Example: `  risksweep users list --state atRisk --level high
  risksweep users list --group-by address
  risksweep users list --group-by rule -o csv`,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.listUsers(cmd, f, groupBy) },
	}
	f.flags(list)
	list.Flags().StringVar(&groupBy, "group-by", "", "one line per group of users at risk or confirmed compromised: address, network, type, rule or place")
	history := &cobra.Command{
		Use: "history USER", Short: "Show what happened to a user's risk, and who did it", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.userHistory(cmd, args[0]) },
	}
	root.AddCommand(list, history)
	for _, kind := range plan.OrderKinds() {
		root.AddCommand(c.orderCommand(kind))
	}
	return root
}

func tristate(b *bool) string {
	if b == nil {
		return "?"
	}
	return fmt.Sprint(*b)
}

var historyHeads = []string{"riskLastUpdatedDateTime", "riskState", "riskLevel", "riskDetail", "riskEventTypes", "initiatedBy"}

func (c *command) userHistory(cmd *cobra.Command, user string) error {
	rows, err := c.rows(historyHeads...)
	if err != nil {
		return err
	}
	return c.eachTenant(cmd, rows, func(t reading) error {
		id := entra.NewID(user)
		if !entra.IsID(user) {
			found := 0
			for page, err := range t.client.RiskyUsers(cmd.Context(), entra.RiskyUserQuery{UserPrincipalName: user}) {
				if err != nil {
					return err
				}
				for _, u := range page.Items {
					id, found = u.ID, found+1
				}
			}
			if found == 0 {
				return fmt.Errorf("%s: %w", user, entra.ErrNotRisky)
			}
			if found > 1 {
				return fmt.Errorf("%s stands for %d risky users; name the object id", user, found)
			}
		}
		items, err := t.client.UserHistory(cmd.Context(), string(id))
		if err != nil {
			return err
		}
		return c.printHistory(cmd.Context(), rows, t, items)
	})
}

// printHistory prints what happened to somebody's risk, the oldest first.
func (c *command) printHistory(ctx context.Context, rows *rows, t reading, items []entra.RiskHistoryItem) error {
	slices.SortStableFunc(items, func(a, b entra.RiskHistoryItem) int { // the service gives them in no order
		at, _ := a.RiskLastUpdatedDateTime.Time()
		bt, _ := b.RiskLastUpdatedDateTime.Time()
		return at.Compare(bt)
	})
	names := map[string]string{}
	if rows.form == "table" || rows.form == "wide" {
		names = c.initiators(ctx, t, items)
	}
	for _, h := range items {
		by := cmp.Or(names[h.InitiatedBy], h.InitiatedBy)
		if err := rows.add([]byte(h.Raw), string(h.RiskLastUpdatedDateTime), string(h.RiskState), string(h.RiskLevel), string(h.RiskDetail),
			strings.Join(h.RiskEventTypes, " "), by); err != nil {
			return err
		}
	}
	return nil
}

// initiators names who changed the risk; of whom nothing is known the id
// stays.
func (c *command) initiators(ctx context.Context, t reading, items []entra.RiskHistoryItem) map[string]string {
	out := map[string]string{}
	var ids []string
	for _, h := range items {
		if h.InitiatedBy != "" && !slices.Contains(ids, h.InitiatedBy) {
			ids = append(ids, h.InitiatedBy)
		}
	}
	if len(ids) == 0 {
		return out
	}
	names, err := t.client.ObjectNames(ctx, ids)
	if err != nil {
		c.log.Warn("who changed the risk could not be named: "+err.Error(), "tenant", t.tenant.Name)
	}
	self, err := t.client.Identity(ctx)
	if err != nil {
		c.log.Debug("whom the token stands for is not known", "error", err)
	}
	for _, id := range ids {
		o := names[id]
		out[id] = cmp.Or(o.UserPrincipalName, o.DisplayName)
		if me := entra.NewID(id); me == self.ObjectID || me == self.AppID {
			out[id] = strings.TrimSpace(out[id] + " (the identity of this command)")
		} else if o.Kind == entra.KindServicePrincipal {
			out[id] += " (application)"
		}
	}
	return out
}

// orderCommand is a one-off action on named users, or service principals.
func (c *command) orderCommand(kind plan.Kind) *cobra.Command {
	words := kind.Words()
	subject, spared := "USER", "protected and break-glass users"
	named, holders := "a user principal name or an object id", "also for users who hold a directory role"
	if kind.OnPrincipal() {
		subject, spared = "NAME", "protected service principals and the identity that risksweep itself works as"
		named, holders = "the object id, the appId or the displayName of a service principal", "also for those that are privileged, and for applications of Microsoft's own"
	}
	var yes, privileged bool
	var reason string
	cmd := &cobra.Command{
		Use: strings.ReplaceAll(words.Name, " ", "-") + " " + subject + "...", Short: words.Order, Args: cobra.MinimumNArgs(1),
		Long: words.Order + `.

` + subject + ` is ` + named + `. The order stands in for the
allowlist and for enforcement; ` + spared + `, the limits, HOLD,
the look right before the write, the journal and the report hold all the same.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !kind.OnPrincipal() {
				if err := userNames(args...); err != nil {
					return err
				}
			}
			a, t, err := c.openForOrder(cmd, yes, reason)
			if err != nil {
				return err
			}
			if !yes {
				if err := c.ask(fmt.Sprintf("%s in tenant %s: %s?", words.Name, t.Name, strings.Join(args, ", "))); err != nil {
					return err
				}
				if err := c.askReason(&reason); err != nil {
					return err
				}
			}
			return c.sweepTenants(cmd.Context(), a, a.Config.Tenants,
				sweep.Request{Mode: sweep.Apply, Order: &sweep.Order{Kind: kind, Users: args, Reason: reason, Privileged: privileged}}, false)
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask; say why with --reason")
	reasonFlag(cmd, &reason)
	if kind.GuardsRoles() || kind.OnPrincipal() {
		cmd.Flags().BoolVar(&privileged, "privileged", false, holders)
	}
	return cmd
}

// userNames refuses a displayName, and what is no name at all, before anything is asked
// or sent. A single word may be a name of which the @ was forgotten; that the tenant has
// no such user is said by the run.
func userNames(args ...string) error {
	for _, a := range args {
		if !entra.IsUserName(a) && !entra.IsUserName(a+"@x") {
			return usageError{fmt.Errorf("%q is neither a user principal name nor an object id; risksweep users list shows them", a)}
		}
	}
	return nil
}

// ask puts a question that only "yes" answers. Without a terminal there is
// nobody to ask.
func (c *command) ask(question string) error {
	fmt.Fprintf(c.Err, "%s Type yes to go on: ", printable(question))
	line, err := c.inputLine()
	if err != nil {
		return err
	}
	if strings.TrimSpace(line) != "yes" {
		fmt.Fprintln(c.Err)
		return usageError{errors.New("not confirmed: nothing was done; --yes confirms without a question")}
	}
	return nil
}

// inputLine reads one line of the input; at its end the line is empty.
func (c *command) inputLine() (string, error) {
	if c.input == nil {
		c.input = bufio.NewReader(c.In)
	}
	line, err := c.input.ReadString('\n')
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return line, err
}

// rows prints what a list command read, in the form that -o asks for.
type rows struct {
	cut   bool // a tenant could not be read
	c     *command
	form  string
	wide  bool
	heads []string
	// tenant stands before each row where there are several.
	tenant string
	table  *table
	csv    *report.CSV
	// csvForm is for programs unless flags ask for something else.
	csvForm report.CSVForm
	n       int
}

func (c *command) rows(heads ...string) (*rows, error) {
	form, err := c.form("table", "wide", "json", "jsonl", "csv")
	if err != nil {
		return nil, err
	}
	return &rows{c: c, form: form, wide: form == "wide" || form == "csv", heads: heads}, nil
}

// add prints one row: the document as Graph sent it, or its cells.
func (r *rows) add(raw json.RawMessage, cells ...string) error {
	r.n++
	if r.tenant != "" {
		cells = append([]string{r.tenant}, cells...)
	}
	var err error
	switch r.form {
	case "jsonl":
		_, err = fmt.Fprintf(r.c.data(), "%s\n", raw)
	case "json":
		sep := ",\n  "
		if r.n == 1 {
			sep = "[\n  "
		}
		_, err = fmt.Fprintf(r.c.data(), "%s%s", sep, raw)
	case "csv":
		if r.csv == nil {
			r.csv = report.NewCSV(r.c.data(), r.heads, r.csvForm)
		}
		for i, head := range r.heads {
			if strings.HasSuffix(head, "DateTime") {
				cells[i] = r.csvForm.Time(entra.DateTime(cells[i]))
			}
		}
		err = r.csv.Row(cells)
	default:
		if r.table == nil {
			r.table = newTable(r.tableHeads()...)
		}
		for i, head := range r.heads {
			if r.form == "table" && strings.HasSuffix(head, "DateTime") {
				cells[i] = minute(entra.DateTime(cells[i]))
			}
		}
		r.table.row(cells...)
	}
	return err
}

// shortHeads are what a table calls Graph's members; in CSV they keep their
// names.
var shortHeads = map[string]string{
	"detectedDateTime": "DETECTED", "userPrincipalName": "USER", "riskEventType": "TYPE", "riskLevel": "LEVEL", "riskState": "STATE", "ipAddress": "ADDRESS",
	"location": "PLACE", "riskDetail": "DETAIL", "riskLastUpdatedDateTime": "UPDATED", "lastUpdatedDateTime": "UPDATED", "userDisplayName": "NAME",
	"detectionTimingType": "TIMING", "source": "SOURCE", "isProcessing": "PROCESSING", "isDeleted": "DELETED", "riskEventTypes": "TYPES",
	"initiatedBy": "BY", "id": "ID", "tenant": "TENANT", "why": "WHY", "group": "GROUP", "users": "USERS", "who": "WHO", "since": "SINCE", "privileged": "ROLE", "isPrivileged": "PRIVILEGED",
}

func (r *rows) tableHeads() []string {
	heads := make([]string, len(r.heads))
	for i, h := range r.heads {
		heads[i] = cmp.Or(shortHeads[h], h)
	}
	return heads
}

// minute shortens a time of Graph to what a person reads; -o wide shows all of
// it.
func minute(d entra.DateTime) string {
	t, ok := d.Time()
	if !ok {
		return string(d)
	}
	return t.UTC().Format("2006-01-02 15:04Z")
}

// end prints what is left to print.
func (r *rows) end() error {
	switch r.form {
	case "jsonl":
	case "json":
		if r.n == 0 {
			_, err := fmt.Fprintln(r.c.Out, "[]")
			return err
		}
		_, err := fmt.Fprintln(r.c.Out, "\n]")
		return err
	case "csv":
		if r.csv == nil {
			r.csv = report.NewCSV(r.c.data(), r.heads, r.csvForm)
		}
		return r.csv.Flush()
	default:
		if r.table == nil && r.cut {
			return nil // that nothing was read does not mean that nothing is there
		}
		if r.table == nil {
			fmt.Fprintln(r.c.Err, "nothing found")
			return nil
		}
		r.table.print(r.c.Out, r.c.Width)
	}
	return nil
}
