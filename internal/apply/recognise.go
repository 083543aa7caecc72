package apply

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

// Fill replaces references of the form "{{kind:key}}" by the ids of the
// objects they stand for. One that is not known is an error: it is never left
// out.
func Fill(d entra.Document, ids map[string]string) (entra.Document, error) {
	if d == nil {
		return nil, nil
	}
	v, err := fillValue(map[string]any(d), ids)
	if err != nil {
		return nil, err
	}
	return entra.Document(v.(map[string]any)), nil
}

func fillValue(v any, ids map[string]string) (any, error) {
	switch v := v.(type) {
	case string:
		key, opens := strings.CutPrefix(v, "{{")
		key, closes := strings.CutSuffix(key, "}}")
		if !opens || !closes {
			return v, nil
		}
		id := ids[key]
		if id == "" {
			return nil, fmt.Errorf("it refers to %s, which does not exist yet", key)
		}
		return id, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			f, err := fillValue(e, ids)
			if err != nil {
				return nil, err
			}
			out[k] = f
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			f, err := fillValue(e, ids)
			if err != nil {
				return nil, err
			}
			out[i] = f
		}
		return out, nil
	}
	return v, nil
}

// find looks in the list for the object that an unanswered create has made: it
// equals what was sent, was created after the intent, and its id was not seen
// before. Two candidates are no answer.
func (r *run) find(ctx context.Context, t *task) (string, error) {
	c, cancel := r.call(ctx)
	defer cancel()
	kind := t.action.Change.Kind
	live, err := r.Reader.Objects(c, kind)
	if err != nil {
		return "", fmt.Errorf("%w; looking for it failed: %v", t.lost, err)
	}
	if t.action.Kind.Verb() == plan.Restore { // its id is known
		for _, d := range live {
			if d.ID() == t.id {
				return t.id, nil
			}
		}
		return "", fmt.Errorf("%w; it does not show in the tenant", t.lost)
	}
	found := Recognise(kind, live, t.after, t.sinceService, r.Known[kind])
	switch len(found) {
	case 0:
		return "", fmt.Errorf("%w; it does not show in the tenant", t.lost)
	case 1:
		return found[0].ID(), nil
	}
	return "", fmt.Errorf("%w; %d objects in the tenant could be it", t.lost, len(found))
}

// serviceSkew is how far the clocks of the service's own machines may be apart.
const serviceSkew = time.Minute

// Recognise gives the live objects that a create with the given canonical
// result can have made: equal, created not before since by the service's own
// clock, with an id not known before. If there is none, one that somebody has
// edited since in a single member counts too: to make the object anew would
// leave two of it.
func Recognise(kind entra.ObjectKind, live []entra.Document, after entra.Document, since time.Time, known map[string]bool) []entra.Document {
	if since.IsZero() { // without it nothing tells ours from others'
		return nil
	}
	want := policy.CanonicalOf(kind, after)
	since = since.Add(-serviceSkew)
	var same, edited []entra.Document
	for _, d := range live {
		created, ok := entra.DateTime(d.Text("createdDateTime")).Time()
		if !ok || created.Before(since) || known[d.ID()] {
			continue
		}
		switch n := membersApart(policy.CanonicalOf(kind, d), want); {
		case n == 0:
			same = append(same, d)
		case n == 1 && d.Text("modifiedDateTime") != "" && d.Text("modifiedDateTime") != d.Text("createdDateTime"):
			edited = append(edited, d)
		}
	}
	if len(same) == 0 {
		return edited
	}
	return same
}

// membersApart counts the members in which two canonical documents differ.
func membersApart(a, b map[string]any) int {
	members := map[string]bool{}
	for _, path := range policy.DifferentPaths(a, b) {
		member, _, _ := strings.Cut(path, ".")
		members[member] = true
	}
	return len(members)
}
