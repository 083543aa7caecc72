package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/triage"
)

// roomForUpdated is the width of a terminal from which on a table of users has
// room for when the service changed them last.
const roomForUpdated = 120

func (c *command) listUsers(cmd *cobra.Command, f riskFilter, groupBy string) error {
	since, err := f.check(c.Now())
	if err != nil {
		return err
	}
	if groupBy, err = oneOf("--group-by", groupBy, "address", "network", "type", "rule", "place"); err != nil {
		return err
	}
	q := entra.RiskyUserQuery{Level: entra.RiskLevel(f.level), State: entra.RiskState(f.state), UpdatedSince: since, Filter: f.raw}
	switch {
	case entra.IsID(f.user):
		q.IDs = []entra.ID{entra.NewID(f.user)}
	case f.user != "" && !strings.Contains(f.user, "@"):
		q.Filter = "userDisplayName eq '" + strings.ReplaceAll(f.user, "'", "''") + "'"
		if f.raw != "" {
			q.Filter += " and (" + f.raw + ")"
		}
	default:
		q.UserPrincipalName = f.user
	}
	rows, err := c.rows("userPrincipalName", "riskLevel", "riskState", "riskDetail", "riskLastUpdatedDateTime")
	if err != nil {
		return err
	}
	if groupBy != "" {
		return c.groupUsers(cmd, rows, q, groupBy, f.user != "")
	}
	if rows.wide {
		rows.heads = append(rows.heads, "userDisplayName", "isProcessing", "isDeleted", "id")
	}
	narrow := rows.form == "table" && c.Width > 0 && c.Width < roomForUpdated
	if narrow { // why is worth more
		rows.heads = rows.heads[:4]
	}
	shown := rows.form == "table" || rows.form == "wide"
	if shown {
		rows.heads = append(rows.heads, "privileged")
	}
	rows.heads = append(rows.heads, "why")
	documents := rows.form == "json" || rows.form == "jsonl" // as Graph sent them
	return c.eachTenant(cmd, rows, func(t reading) error {
		found, unread := openDetections{t: t, one: f.user != ""}, false
		var list []listedUser
		for page, err := range t.client.RiskyUsers(cmd.Context(), q) {
			if err != nil {
				return err
			}
			if !documents && !unread {
				if err := found.read(cmd.Context(), page.Items); err != nil {
					c.log.Warn("open detections could not be read, so the column why is empty: "+err.Error(), "tenant", t.tenant.Name)
					unread, found.of = true, nil // a part of them would look like all
				}
			}
			for i := range page.Items {
				u := &page.Items[i]
				cells := []string{u.UserPrincipalName, string(u.RiskLevel), string(u.RiskState), string(u.RiskDetail), string(u.RiskLastUpdatedDateTime)}
				if narrow {
					cells = cells[:4]
				}
				if rows.wide {
					cells = append(cells, u.UserDisplayName, tristate(u.IsProcessing), tristate(u.IsDeleted), string(u.ID))
				}
				if shown {
					list = append(list, listedUser{u.ID, u.RiskState.Open(), u.RiskLevel, cells, triage.Shows(found.of[u.ID])})
					continue
				}
				if err := rows.add([]byte(u.Raw), append(cells, triage.Shows(found.of[u.ID]))...); err != nil {
					return err
				}
			}
		}
		return c.addBySeverity(cmd.Context(), rows, t, list)
	})
}

// listedUser is a user or a service principal as a table shows one.
type listedUser struct {
	id    entra.ID
	open  bool
	level entra.RiskLevel
	cells []string
	why   string
}

// addBySeverity prints users as a table, the most urgent first: open risk, then
// the level, then who holds a directory role.
func (c *command) addBySeverity(ctx context.Context, rows *rows, t reading, list []listedUser) error {
	if len(list) == 0 {
		return nil
	}
	holders := map[entra.ID][]string{}
	mark := ""
	if p, err := t.client.Privileged(ctx); err != nil {
		c.log.Warn("directory roles could not be read, so the column ROLE says nothing: "+err.Error(), "tenant", t.tenant.Name)
		mark = "?"
	} else {
		holders = p.Users
	}
	return rows.addBySeverity(list, func(id entra.ID) string {
		if len(holders[id]) > 0 {
			return "yes"
		}
		return mark
	})
}

// addBySeverity prints those who are at risk, the most urgent first; privileged
// says yes of whoever is, and "?" where that is not known.
func (r *rows) addBySeverity(list []listedUser, privileged func(entra.ID) string) error {
	less := func(is bool) int {
		if is {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(list, func(a, b listedUser) int {
		return cmp.Or(less(a.open)-less(b.open), report.LevelRank(b.level)-report.LevelRank(a.level), less(privileged(a.id) == "yes")-less(privileged(b.id) == "yes"))
	})
	for _, u := range list {
		if err := r.add(nil, append(u.cells, privileged(u.id), u.why)...); err != nil {
			return err
		}
	}
	return nil
}

// openDetections reads the open detections of users: of a few by their ids,
// else all there are, once.
type openDetections struct {
	t    reading
	one  bool
	done bool
	of   map[entra.ID][]triage.Detection
}

func (o *openDetections) read(ctx context.Context, users []entra.RiskyUser) error {
	var ids []entra.ID
	for _, u := range users {
		if u.RiskState.Open() {
			ids = append(ids, u.ID)
		}
	}
	if len(ids) == 0 || o.done {
		return nil
	}
	if o.of == nil {
		o.of = map[entra.ID][]triage.Detection{}
	}
	o.done = !o.one
	if !o.one {
		ids = nil
	}
	for {
		some := ids[:min(len(ids), plan.BatchSize)]
		for page, err := range o.t.client.Detections(ctx, entra.DetectionQuery{Open: true, UserIDs: some}) {
			if err != nil {
				return err
			}
			for i := range page.Items {
				d := &page.Items[i]
				o.of[d.UserID] = append(o.of[d.UserID], triage.Seen(d))
			}
		}
		if ids = ids[len(some):]; len(ids) == 0 {
			return nil
		}
	}
}

// userGroup is users at risk who have something in common.
type userGroup struct {
	Tenant string    `json:"tenant"`
	By     string    `json:"by"`
	Group  string    `json:"group"`
	Total  int       `json:"total"`
	Level  string    `json:"riskLevel"` // the highest of its detections
	Since  time.Time `json:"since,omitzero"`
	// Users are all of them.
	Users []groupedUser `json:"users"`
}

type groupedUser struct {
	ID        entra.ID        `json:"id"`
	Name      string          `json:"userPrincipalName"`
	RiskLevel entra.RiskLevel `json:"riskLevel"`
	RiskState entra.RiskState `json:"riskState"`
	Updated   entra.DateTime  `json:"riskLastUpdatedDateTime,omitempty"`
	Why       string          `json:"why"`
}

// groupUsers lists the users at risk by what their open detections have in
// common: a user whose detections come from two addresses is in two groups.
func (c *command) groupUsers(cmd *cobra.Command, rows *rows, q entra.RiskyUserQuery, by string, one bool) error {
	if rows.wide {
		rows.heads = []string{"group", "userPrincipalName", "riskLevel", "riskState", "riskLastUpdatedDateTime", "id", "why"}
	} else {
		rows.heads = []string{"group", "users", "riskLevel", "since", "who"}
	}
	return c.eachTenant(cmd, rows, func(t reading) error {
		found := openDetections{t: t, one: one}
		rules := map[entra.ID][]string{}
		if by == "rule" {
			var err error
			if rules, err = c.lastRules(cmd, t.tenant); err != nil {
				return err
			}
		}
		groups := map[string]*userGroup{}
		for page, err := range t.client.RiskyUsers(cmd.Context(), q) {
			if err != nil {
				return err
			}
			if err := found.read(cmd.Context(), page.Items); err != nil {
				return fmt.Errorf("reading open detections: %w", err)
			}
			for i := range page.Items {
				u := &page.Items[i]
				if !u.RiskState.Open() {
					continue
				}
				open := found.of[u.ID]
				keys := groupKeys(by, open)
				if by == "rule" {
					keys = rules[u.ID]
				}
				if len(keys) == 0 {
					keys = []string{map[string]string{"rule": "(not in the last sweep)"}[by]}
					if by != "rule" {
						keys = []string{"(no open detection)"}
					}
				}
				for _, k := range keys {
					within := open
					if by != "rule" {
						within = slices.DeleteFunc(slices.Clone(open), func(d triage.Detection) bool { return groupKey(by, d) != k })
					}
					g := groups[k]
					if g == nil {
						g = &userGroup{Tenant: t.tenant.Name, By: by, Group: strings.Clone(k)}
						groups[g.Group] = g
					}
					g.add(u, within)
				}
			}
		}
		list := slices.SortedFunc(maps.Values(groups), func(a, b *userGroup) int {
			return cmp.Or(b.Total-a.Total, cmp.Compare(a.Group, b.Group))
		})
		for _, g := range list {
			if err := rows.addGroup(g); err != nil {
				return err
			}
		}
		return nil
	})
}

// add takes a user, with the open detections that belong to the group: those say
// how high its risk is and since when. Without any, the user's level does.
func (g *userGroup) add(u *entra.RiskyUser, open []triage.Detection) {
	g.Total++
	levels := []entra.RiskLevel{u.RiskLevel}
	if len(open) > 0 {
		levels = nil
	}
	for _, d := range open {
		levels = append(levels, d.Level)
	}
	for _, level := range levels {
		was, _ := entra.RiskLevel(g.Level).Rank()
		if is, _ := level.Rank(); is > was || g.Level == "" {
			g.Level = strings.Clone(string(level))
		}
	}
	for _, d := range open {
		if at, ok := d.Detected.Time(); ok && (g.Since.IsZero() || at.Before(g.Since)) {
			g.Since = at.UTC()
		}
	}
	g.Users = append(g.Users, groupedUser{ID: u.ID, Name: strings.Clone(u.UserPrincipalName), RiskLevel: u.RiskLevel, RiskState: u.RiskState,
		Updated: u.RiskLastUpdatedDateTime, Why: triage.Shows(open)})
}

// namedInGroup is how many users of a group a table names.
const namedInGroup = 3

// addGroup prints a group: a line in a table, a line for each user where there
// is room, or a document.
func (r *rows) addGroup(g *userGroup) error {
	if r.wide {
		for _, u := range g.Users {
			if err := r.add(nil, g.Group, u.Name, string(u.RiskLevel), string(u.RiskState), string(u.Updated), string(u.ID), u.Why); err != nil {
				return err
			}
		}
		return nil
	}
	raw, err := json.Marshal(g)
	if err != nil {
		return err
	}
	var who []string
	for _, u := range g.Users[:min(len(g.Users), namedInGroup)] {
		who = append(who, cmp.Or(u.Name, string(u.ID)))
	}
	if more := len(g.Users) - namedInGroup; more > 0 {
		who = append(who, fmt.Sprintf("and %d more", more))
	}
	since := ""
	if !g.Since.IsZero() {
		since = g.Since.Format("2006-01-02 15:04Z")
	}
	return r.add(raw, g.Group, fmt.Sprint(g.Total), g.Level, since, strings.Join(who, ", "))
}

// groupKeys are the groups that open detections belong to.
func groupKeys(by string, open []triage.Detection) []string {
	var keys []string
	for _, d := range open {
		if k := groupKey(by, d); !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys
}

// groupKey is the group that an open detection belongs to.
func groupKey(by string, d triage.Detection) string {
	k := d.EventType
	switch by {
	case "address":
		k = d.IP
	case "network":
		k = report.NetworkOf(d.IP)
	case "place":
		k = report.PlaceText(d.City, d.Country)
	}
	return cmp.Or(k, "(not known)")
}

// lastRules says of each user which rules decided in the last complete sweep,
// and which entries nearly did.
func (c *command) lastRules(cmd *cobra.Command, t config.Tenant) (map[entra.ID][]string, error) {
	a, err := c.open(cmd, config.ToRead)
	if err != nil {
		return nil, err
	}
	l := a.Ledger(t.Name)
	run, err := lastSweep(cmd, l)
	if err != nil {
		return nil, fmt.Errorf("--group-by rule takes the rules from the last sweep: %w; risksweep plan makes one", err)
	}
	in, _, err := l.OpenProved(cmd.Context(), run, "users.jsonl")
	if err != nil {
		return nil, fmt.Errorf("users.jsonl of run %s: %w", run, err)
	}
	defer in.Close()
	out := map[entra.ID][]string{}
	for u, err := range report.ReadLines[report.UserLine](in) {
		if err != nil {
			return nil, fmt.Errorf("users.jsonl of run %s: %w", run, err)
		}
		var d triage.Decision
		if len(u.Decision) > 0 {
			if err := json.Unmarshal(u.Decision, &d); err != nil {
				return nil, fmt.Errorf("users.jsonl of run %s: %w", run, err)
			}
		}
		var keys []string
		for _, r := range d.Rules {
			k := r.ID
			if d.Verdict == triage.Leave && d.Code != triage.CodeNotAtRisk {
				k += " (in part)" // it covers some detections, and the user is left alone
			}
			keys = append(keys, k)
		}
		for _, n := range d.NearMisses {
			if k := n.Entry + " (near miss)"; !slices.Contains(keys, k) {
				keys = append(keys, k)
			}
		}
		if len(keys) == 0 {
			keys = []string{"(no rule)"}
		}
		out[u.ID] = keys
	}
	return out, nil
}
