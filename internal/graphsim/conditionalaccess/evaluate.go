package conditionalaccess

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/graphsim/body"
	"github.com/risksweep/risksweep/internal/graphsim/evaluate"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// evaluate answers what would happen at a sign-in: every policy that a reader
// sees, with whether it applies (evidence-api §1).
func (w *Workload) evaluate(r *wire.Request) (*wire.Response, *wire.Error) {
	if r.Method != http.MethodPost {
		return nil, wrongMethod()
	}
	for name := range r.Query {
		return nil, badRequest("Query option '%s' is not allowed for an action.", name)
	}
	if len(r.Body) == 0 {
		return nil, badRequest(emptyPayload)
	}
	if w.opt.License == "none" {
		return nil, unlicensed()
	}
	in, err := evaluate.ReadRequest(r.Body)
	if err != nil {
		return nil, badRequest("%s.", sentence(err.Error()))
	}
	s := &in.SignIn
	if _, ok := w.dir.User(s.UserID); s.UserID != "" && !ok {
		return nil, badRequest("User with id %s does not exist in the directory.", s.UserID)
	}
	if _, ok := w.dir.ServicePrincipal(s.ServicePrincipalID); s.ServicePrincipalID != "" && !ok {
		return nil, badRequest("ServicePrincipal with id %s does not exist in the directory.", s.ServicePrincipalID)
	}
	world, values := w.world(r.Now), []*body.Object{}
	for _, x := range w.policies.readable(r.Now, false) {
		result := judged(x).Judge(world, s)
		if in.AppliedOnly && !result.Applies {
			continue
		}
		shown := w.showUnder(r, w.types.policy, x, nil, &body.Object{}, "")
		values = append(values, shown.Set("policyApplies", result.Applies).Set("analysisReasons", string(result.Reason)))
	}
	out := (&body.Object{}).Set("@odata.context", r.Root+"/$metadata#Collection(microsoft.graph.whatIfAnalysisResult)").Set("value", values)
	return &wire.Response{Status: http.StatusOK, Body: out}, nil
}

// sentence begins with a capital letter.
func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// world is the tenant as policies are judged by it at a time.
type world struct {
	Directory
	tenant string
	places []evaluate.Location
	// users are those asked for so far: many sign-ins are of few people.
	users map[string]knownUser
}

type knownUser struct {
	user evaluate.User
	ok   bool
}

func (w *world) User(id string) (evaluate.User, bool) {
	k, asked := w.users[id]
	if !asked {
		k.user, k.ok = w.Directory.User(id)
		w.users[id] = k
	}
	return k.user, k.ok
}

func (w *world) TenantID() string               { return w.tenant }
func (w *world) Locations() []evaluate.Location { return w.places }

func (w *Workload) world(now time.Time) *world {
	out := &world{Directory: w.dir, tenant: w.tenantID.String(), users: map[string]knownUser{}}
	for _, x := range w.locations.readable(now, false) {
		l, err := evaluate.ReadLocation(content(x))
		if err == nil { // nothing else is kept
			l.ID = x.item.ID
			out.places = append(out.places, l)
		}
	}
	return out
}

// judged is a kept policy ready to be judged.
func judged(x row) *evaluate.Policy {
	p, err := evaluate.ReadPolicy(content(x))
	if err != nil { // kept documents are objects
		return &evaluate.Policy{ID: x.item.ID}
	}
	p.ID = x.item.ID
	return p
}

// content is a kept document as JSON.
func content(x row) []byte {
	data, err := json.Marshal(storable(x.version.Doc))
	if err != nil { // documents hold nothing that cannot be marshalled
		return []byte("{}")
	}
	return data
}
