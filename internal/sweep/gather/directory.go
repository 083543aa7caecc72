package gather

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/triage"
)

// directory is what the run resolved at its start; from there on everything is
// decided by object id.
type directory struct {
	names   entra.Names
	members map[entra.ID][]entra.DirectoryObject
	errors  map[entra.ID]error // group id -> why its members could not be read
	groups  map[entra.ID][]entra.ID
	// privileged is who holds a directory role, or why that could not be read; both
	// are nil while nobody has asked.
	privileged      *entra.Privileged
	privilegedError error
}

func newDirectory() directory {
	return directory{members: map[entra.ID][]entra.DirectoryObject{}, errors: map[entra.ID]error{}, groups: map[entra.ID][]entra.ID{}}
}

// readDirectory resolves every name of the triage file and the baseline in one
// go, reads the members of their groups and, for triage, who is privileged.
func (r *reading) readDirectory(ctx context.Context) (err error) {
	var refs, ids []entra.Ref
	if r.triages() {
		refs = append(refs, r.Triage.Refs()...)
	}
	if r.Baseline != nil {
		refs, ids = append(refs, r.Baseline.Refs()...), r.Baseline.IDs()
		refs = append(refs, r.newRefs(refs)...)
	}
	r.directory = newDirectory()
	if r.directory.names, err = r.lookUp(ctx, refs, ids); err != nil {
		return err
	}
	if r.Baseline != nil {
		if err = r.readBreakGlass(ctx); err != nil {
			return err
		}
	}
	if !r.triages() {
		return r.bindExceptions(ctx, nil, "")
	}
	dir := triage.Directory{Names: r.directory.names, Members: r.directory.members, MemberErrors: r.directory.errors,
		BreakGlass: r.BreakGlass, BreakGlassError: r.BreakGlassUnknown, PreviousMembers: r.State.GroupMembers, Own: r.OwnAccount()}
	for _, id := range r.groupIDs(r.Triage.Refs()) {
		if err := r.readMembers(ctx, id); err != nil {
			return err
		}
		r.directory.groups[id] = memberIDs(r.directory.members[id])
	}
	if r.NoTriage() != "" {
		dir.PrivilegedUnasked = true // an order, and eligible roles are not licensed
	} else if dir.Privileged, err = r.Reader.Privileged(ctx); err != nil {
		if ctx.Err() != nil {
			return err
		}
		dir.PrivilegedError, r.directory.privilegedError = err.Error(), err
	}
	r.directory.privileged = dir.Privileged
	var findings []triage.Finding
	r.Rules, findings = r.Triage.Bind(dir, r.ServiceNow())
	for _, f := range findings {
		r.Notes.Warn(f.Text)
		if f.Blocked {
			r.Notes.Fail(errors.New(f.Text))
		}
	}
	return r.bindExceptions(ctx, dir.Privileged, dir.PrivilegedError)
}

// lookUp resolves names and verifies ids. An id that was resolved like a name,
// for more must be known of it than that it exists, and that stands for nothing,
// is asked for once more: what it really is makes the reason.
//
// Who is protected and which accounts are for emergencies must be known: where
// those may not be looked up, the run ends.
func (r *reading) lookUp(ctx context.Context, refs, ids []entra.Ref) (entra.Names, error) {
	names, err := r.Reader.Resolve(ctx, refs)
	if err != nil {
		return nil, err
	}
	for _, ref := range r.guardRefs() {
		if err := names[ref].Unread; err != nil {
			return nil, fmt.Errorf("resolving names: %w", err)
		}
	}
	var asked []entra.Ref
	for _, ref := range refs {
		if n := names[ref]; entra.IsID(ref.Name) && len(n.Objects) == 0 && n.Unread == nil && !slices.Contains(asked, ref) {
			asked = append(asked, ref)
		}
	}
	for _, ref := range ids {
		if _, known := names[ref]; !known {
			asked = append(asked, ref)
		}
	}
	if len(asked) == 0 {
		return names, nil
	}
	told, err := r.Reader.Identify(ctx, asked)
	if err != nil {
		return nil, err
	}
	for ref, n := range told {
		if old, resolved := names[ref]; resolved {
			old.Is = n.Is
			n = old
		}
		names[ref] = n
	}
	return names, nil
}

// guardRefs are the names that say whom nothing may be done to.
func (r *reading) guardRefs() []entra.Ref {
	var refs []entra.Ref
	if r.Baseline != nil {
		refs = append(refs, r.Baseline.BreakGlassRefs()...)
	}
	if r.triages() {
		refs = append(refs, r.Triage.ProtectedRefs()...)
	}
	return refs
}

// triages reports whether the rules are needed at all: to decide, or, whatever
// the licence, to know whom an order must leave alone.
func (r *reading) triages() bool { return r.Triage != nil && (r.NoTriage() == "" || r.ordered) }

// readMembers reads a group's transitive members once. A group that cannot be
// read is remembered with its reason: what needs it is blocked, the rest goes
// on.
func (r *reading) readMembers(ctx context.Context, id entra.ID) error {
	if _, ok := r.directory.members[id]; ok || r.directory.errors[id] != nil {
		return nil
	}
	members, err := r.Reader.Members(ctx, string(id))
	switch {
	case err == nil:
		r.directory.members[id] = members
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	default:
		r.directory.errors[id] = err
	}
	return nil
}

// readBreakGlass reads the members of the break-glass groups and says which
// users they protect.
func (r *reading) readBreakGlass(ctx context.Context) error {
	for _, id := range r.groupIDs(r.Baseline.DirectoryNeeds()) {
		if err := r.readMembers(ctx, id); err != nil {
			return err
		}
	}
	r.BreakGlass = drift.BreakGlassUsers(r.Baseline, r.directory.names, r.directory.members)
	r.BreakGlassUnknown = r.breakGlassUnknown()
	r.BreakGlassNames = map[entra.ID]string{}
	named := func(list []entra.DirectoryObject) {
		for _, o := range list {
			if _, ours := r.BreakGlass[o.ID]; ours && o.UserPrincipalName != "" {
				r.BreakGlassNames[o.ID] = o.UserPrincipalName
			}
		}
	}
	for _, n := range r.directory.names {
		named(n.Objects)
	}
	for _, list := range r.directory.members {
		named(list)
	}
	return nil
}

// breakGlassUnknown says which break-glass accounts are not known by name: no
// rule may then decide about anybody.
func (r *reading) breakGlassUnknown() string {
	var why []string
	for _, name := range r.Baseline.BreakGlass.Users {
		if n := r.directory.names[entra.Ref{Kind: entra.KindUser, Name: name}]; n.Problem() != "" {
			why = append(why, fmt.Sprintf("the break-glass account %q is not exactly one user%s", name, really(n)))
		}
	}
	for _, ref := range r.Baseline.DirectoryNeeds() {
		n := r.directory.names[ref]
		o, ok := n.Resolved()
		switch err := r.directory.errors[o.ID]; {
		case !ok:
			why = append(why, fmt.Sprintf("no one group is the break-glass group %q%s", ref.Name, really(n)))
		case err != nil:
			why = append(why, fmt.Sprintf("members of the break-glass group %q: %v", ref.Name, err))
		}
	}
	return strings.Join(why, "; ")
}

// really adds what an id of another kind is.
func really(n entra.Resolution) string {
	if n.Is == nil {
		return ""
	}
	return ": " + n.Problem()
}

// groupIDs are the ids of the groups among the refs that resolved.
func (r *reading) groupIDs(refs []entra.Ref) []entra.ID {
	var out []entra.ID
	for _, ref := range refs {
		if ref.Kind != entra.KindGroup {
			continue
		}
		if o, ok := r.directory.names[ref].Resolved(); ok && !slices.Contains(out, o.ID) {
			out = append(out, o.ID)
		}
	}
	return out
}

func memberIDs(members []entra.DirectoryObject) []entra.ID {
	out := make([]entra.ID, 0, len(members))
	for _, m := range members {
		out = append(out, m.ID)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
