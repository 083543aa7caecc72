// Package auditlog is the simulated tenant's log: directory audits, which say who
// changed what, and the sign-ins of its people.
//
// Audits are told to it: a workload says with an answer what was done, and the
// front door who did it. Sign-ins are made up from the seed, and judged by the
// policies that were in force at their time. It does no I/O and is not safe for
// concurrent use; the front door serialises calls.
package auditlog

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/risksweep/risksweep/internal/graphsim/conditionalaccess"
	"github.com/risksweep/risksweep/internal/graphsim/generate"
	"github.com/risksweep/risksweep/internal/graphsim/odata"
	"github.com/risksweep/risksweep/internal/graphsim/risk"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// Options say how the log behaves.
type Options struct {
	// Delay is how long a record takes to show.
	Delay time.Duration
	// License is P2, P1 or none; empty means P2.
	License string
	// SignIns is how many sign-ins there were in the 28 days before Born; they
	// go on at the same pace. Seed decides all of them.
	SignIns int
	Seed    uint64
	Born    time.Time
}

// Policies are those that sign-ins are judged by.
type Policies interface {
	Past(now time.Time) *conditionalaccess.Past
}

// Risk knows of risky sign-ins, and takes what an administrator says about them;
// known says whether the log has one.
type Risk interface {
	SignIns(since, now time.Time) []risk.SignIn
	SignInFeedback(r *wire.Request, action string, known func(id string) bool) (*wire.Response, *wire.Error)
}

// Workload answers for the log. It implements wire.Workload.
type Workload struct {
	tenant   *generate.Tenant
	policies Policies
	risk     Risk
	// defaults says whether the security defaults are on.
	defaults func() bool
	opt      Options
	// cast are the ids of the people who sign in: those who could when the
	// tenant was made.
	cast []string

	// records are the audits, oldest first.
	records []record
	made    int
	// told are the sign-ins that somebody ordered, oldest first.
	told []told
}

var _ wire.Workload = (*Workload)(nil)

// New makes the log of a generated tenant, which it shares and does not change.
func New(t *generate.Tenant, policies Policies, risks Risk, defaults func() bool, opt Options) *Workload {
	if opt.License == "" {
		opt.License = "P2"
	}
	w := &Workload{tenant: t, policies: policies, risk: risks, defaults: defaults, opt: opt}
	for _, p := range t.People {
		// Accounts for emergencies sign in in emergencies.
		if p.Enabled && !p.Deleted && !strings.HasPrefix(p.DisplayName, "Break Glass") {
			w.cast = append(w.cast, p.ID)
		}
	}
	return w
}

// retention is how long rows are kept (evidence-api §2.1, §3).
func (w *Workload) retention() time.Duration {
	if w.opt.License == "none" {
		return 7 * 24 * time.Hour
	}
	return 30 * 24 * time.Hour
}

// Claims says whether a path, or the beginning of one, leads here.
func (w *Workload) Claims(path []string) bool {
	if len(path) == 0 || path[0] != "auditLogs" {
		return false
	}
	return len(path) == 1 || (path[1] == "directoryAudits" || path[1] == "signIns") && len(path) <= 3
}

// Needs gives the app roles for a path.
func (w *Workload) Needs(method string, path []string) ([][]string, *wire.Error) {
	if method == http.MethodPost && len(path) == 3 && path[1] == "signIns" {
		return [][]string{{"IdentityRiskEvent.ReadWrite.All"}}, &wire.Error{
			Status: http.StatusForbidden, Code: "Forbidden", Message: "You cannot perform the requested operation, required scopes are missing in the token.",
		}
	}
	return [][]string{{"AuditLog.Read.All"}}, &wire.Error{
		Status: http.StatusForbidden, Code: "Authentication_MSGraphPermissionMissing", Message: "Calling principal does not have required MSGraph permissions AuditLog.Read.All",
	}
}

// Serve answers one call.
func (w *Workload) Serve(r *wire.Request) (*wire.Response, *wire.Error) {
	if len(r.Path) == 1 {
		return nil, badRequest("Resource not found for the segment 'auditLogs'.")
	}
	if r.Method == http.MethodPost && len(r.Path) == 3 && r.Path[1] == "signIns" {
		return w.risk.SignInFeedback(r, r.Path[2], func(id string) bool {
			return slices.ContainsFunc(w.signInRows(r.Now, signInSet), func(get odata.Getter) bool { return get("id").Equals(id) })
		})
	}
	if r.Method != http.MethodGet {
		return nil, &wire.Error{Status: http.StatusMethodNotAllowed, Code: "BadRequest", Message: "Specified HTTP method is not allowed for the request target."}
	}
	if r.Path[1] == "signIns" {
		return w.serveSignIns(r)
	}
	return w.serveAudits(r)
}

func badRequest(format string, args ...any) *wire.Error {
	return &wire.Error{Status: http.StatusBadRequest, Code: "BadRequest", Message: fmt.Sprintf(format, args...)}
}

func missing(id string) *wire.Error {
	return &wire.Error{Status: http.StatusNotFound, Code: "ResourceNotFound", Message: "Resource '" + id + "' does not exist."}
}

// state is what Export gives.
type state struct {
	Records []record `json:"records"`
	Made    int      `json:"made"`
	Cast    []string `json:"cast,omitempty"`
	Told    []told   `json:"told,omitempty"`
}

// Export gives everything, also what does not show yet or any more.
func (w *Workload) Export() (json.RawMessage, error) {
	return json.Marshal(state{slices.Concat([]record{}, w.records), w.made, w.cast, w.told})
}

// Import takes a state back.
func (w *Workload) Import(data json.RawMessage) error {
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("reading the audit log: %w", err)
	}
	w.records, w.made, w.told = s.Records, s.Made, s.Told
	if s.Cast != nil {
		w.cast = s.Cast
	}
	return nil
}

// newID gives the next id, the same ones in the same tenant.
func (w *Workload) newID() string {
	w.made++
	tenant, err := uuid.Parse(w.tenant.ID)
	if err != nil {
		tenant = uuid.Nil
	}
	return uuid.NewSHA1(tenant, fmt.Appendf(nil, "audit %d", w.made)).String()
}

// object is a row, or a part of one: values are nil, string, bool, int, float64,
// time.Time, []string, object or []object.
type object map[string]any

// list is a collection to answer with, newest first.
type list struct {
	set     *odata.Collection
	context string
	rows    []odata.Getter
	// id is the row that is asked for alone.
	id string
}

// answer filters, orders, pages and writes a list, or writes one row of it.
func (l list) answer(r *wire.Request) (*wire.Response, *wire.Error) {
	if l.id != "" {
		o, bad := l.set.ParseOne(r.Query)
		if bad != nil {
			return nil, badRequest("%s", bad.Message)
		}
		for _, get := range l.rows {
			if get("id").Equals(l.id) {
				row := l.set.AppendRow(nil, get, o, r.UnknownEnums)
				head := fmt.Sprintf(`{"@odata.context":%q`, o.Context(r.Root, l.context)+"/$entity")
				if len(row) > 2 {
					head += ","
				}
				return &wire.Response{Status: http.StatusOK, Body: json.RawMessage(head + string(row[1:]))}, nil
			}
		}
		return nil, missing(l.id)
	}
	o, bad := l.set.Parse(r.Query, r.UnknownEnums)
	if bad != nil {
		return nil, badRequest("%s", bad.Message)
	}
	rows := l.rows
	if o.Filter != nil {
		rows = slices.DeleteFunc(slices.Clone(rows), func(get odata.Getter) bool { return !o.Filter.Match(get) })
	}
	if len(o.Orders) > 0 {
		rows = slices.Clone(rows)
		slices.SortStableFunc(rows, o.Before)
	}
	from, to, more := o.Page(len(rows))
	b := fmt.Appendf(nil, `{"@odata.context":%q`, o.Context(r.Root, l.context))
	if more {
		b = fmt.Appendf(b, `,"@odata.nextLink":%q`, o.NextLink(r.Root, r.URL, to))
	}
	b = append(b, `,"value":[`...)
	for i, get := range rows[from:to] {
		if i > 0 {
			b = append(b, ',')
		}
		b = l.set.AppendRow(b, get, o, r.UnknownEnums)
	}
	return &wire.Response{Status: http.StatusOK, Body: json.RawMessage(append(b, ']', '}'))}, nil
}

// getter reads an object by the paths of its declared members.
func getter(members []odata.Member, x object) odata.Getter {
	return func(path string) odata.Value {
		name, below, nested := strings.Cut(path, "/")
		i := slices.IndexFunc(members, func(m odata.Member) bool { return m.Name == name })
		if i < 0 {
			return odata.Value{}
		}
		if nested {
			inner, ok := x[name].(object)
			if !ok {
				return odata.Value{}
			}
			return getter(members[i].Members, inner)(below)
		}
		return valueOf(&members[i], x[name])
	}
}

func valueOf(m *odata.Member, v any) odata.Value {
	switch v := v.(type) {
	case string:
		if m.Kind == odata.Enum {
			return odata.EnumValue(v)
		}
		return odata.Text(v)
	case bool:
		return odata.Boolean(v)
	case int:
		return odata.Integer(int64(v))
	case float64:
		return odata.Float(v)
	case time.Time:
		return odata.Time(v)
	case []string:
		if m.Kind == odata.Enum {
			items := make([]odata.Value, len(v))
			for i, s := range v {
				items[i] = odata.EnumValue(s)
			}
			return odata.List(items...)
		}
		return odata.Texts(v)
	case object:
		return odata.Object(getter(m.Members, v))
	case []object:
		items := make([]odata.Value, len(v))
		for i, x := range v {
			items[i] = odata.Object(getter(m.Members, x))
		}
		return odata.List(items...)
	}
	if m.Collection {
		return odata.List()
	}
	return odata.Value{}
}

// The members of rows, by their kinds.
func texts(names string) []odata.Member { return members(odata.String, names) }
func unasked(all []odata.Member) []odata.Member {
	for i := range all {
		all[i].NoFilter, all[i].NoOrder = true, true
	}
	return all
}

func members(kind odata.Kind, names string) []odata.Member {
	var all []odata.Member
	for _, n := range strings.Fields(names) {
		all = append(all, odata.Member{Name: n, Kind: kind, NoOrder: true})
	}
	return all
}

func structured(name, kind string, inner ...[]odata.Member) odata.Member {
	return odata.Member{Name: name, Kind: odata.Complex, Type: "microsoft.graph." + kind, Members: slices.Concat(inner...), NoOrder: true}
}

func many(m odata.Member) odata.Member {
	m.Collection = true
	return m
}
