package gather

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/exception"
)

// newRefs are the names that exceptions need and that are not among those asked
// for already: their users, and who is protected.
func (r *reading) newRefs(asked []entra.Ref) []entra.Ref {
	if r.ordered {
		return nil
	}
	refs := r.Exceptions.Refs()
	if len(refs) > 0 && r.Triage != nil {
		refs = append(refs, r.Triage.ProtectedRefs()...)
	}
	return slices.DeleteFunc(refs, func(ref entra.Ref) bool { return slices.Contains(asked, ref) })
}

// bindExceptions says who stays out of which policy. An order decides about no
// policy. Roles are read here where nobody has read them.
func (r *reading) bindExceptions(ctx context.Context, privileged *entra.Privileged, why string) (err error) {
	if r.Baseline == nil || r.ordered || r.Exceptions == nil && len(r.State.Exclusions) == 0 {
		return nil
	}
	now := r.ServiceNow()
	d := exception.Directory{Names: r.directory.names, BreakGlass: r.BreakGlass, BreakGlassError: r.BreakGlassUnknown}
	if r.Exceptions.Live(now) {
		if privileged == nil && why == "" {
			if privileged, err = r.Reader.Privileged(ctx); err != nil {
				if ctx.Err() != nil {
					return err
				}
				why = err.Error()
			}
		}
		if d.Protected, err = r.protected(ctx); err != nil {
			return err
		}
	}
	d.Privileged, d.PrivilegedError = privileged, why
	r.Known.Exceptions = r.Exceptions.Bind(d, now, r.State.Exclusions)
	return nil
}

// protected says of users why nothing is done about them, by the triage file,
// also where no rule decides.
func (r *reading) protected(ctx context.Context) (func(entra.ID) string, error) {
	switch {
	case r.Triage == nil:
		return nil, nil
	case r.Rules != nil:
		return r.Rules.Protected, nil
	}
	by := map[entra.ID]string{}
	var broken []string
	refs := r.Triage.ProtectedRefs()
	for _, id := range r.groupIDs(refs) {
		if err := r.readMembers(ctx, id); err != nil {
			return nil, err
		}
	}
	for _, ref := range refs {
		o, ok := r.directory.names[ref].Resolved()
		switch {
		case !ok:
			broken = append(broken, fmt.Sprintf("no one %s is %q", ref.Kind.Noun(), ref.Name))
		case ref.Kind != entra.KindGroup:
			by[o.ID] = "protected.users names " + ref.Name
		case r.directory.errors[o.ID] != nil:
			broken = append(broken, fmt.Sprintf("members of the group %q: %v", ref.Name, r.directory.errors[o.ID]))
		default:
			for _, m := range r.directory.members[o.ID] {
				by[m.ID] = "member of the protected group " + ref.Name
			}
		}
	}
	return func(user entra.ID) string {
		if len(broken) > 0 {
			return "who is protected is not known: " + strings.Join(broken, "; ")
		}
		return by[user]
	}, nil
}
