package drift

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

// planner compares a baseline with a tenant. Its steps only add to what the
// entries say; at the end the entries become actions.
type planner struct {
	b        *baseline.Baseline
	live     Live
	index    index
	s        Settings
	glass    breakGlass
	names    policy.Names
	entries  []*entry
	problems []string
	warnings []string
	exempt   []plan.Exempt
	groups   []plan.Unexplained
	excluded []plan.Exclusion
	waiting  []Waiting
	promoted int
}

// entry is one object on its way to an Entry and its actions.
type entry struct {
	Entry
	item     *baseline.Item // nil: no longer in the baseline
	owned    plan.Owned     // zero: not recorded
	live     entra.Document // as the service sent it; nil: not in the tenant
	namesake entra.Document // the one live object of its name that could be adopted
	before   policy.Canonical
	// excepted are the users whom exceptions keep out, and begins and ends what
	// is to change of that.
	excepted     []string
	begins, ends []plan.Exclusion
	want         policy.Canonical // nil: to be deleted
	needs        []string
	// blocked and held are why it cannot be written, and which switches of
	// enforcement are off.
	blocked, held []string
	promoted      bool // from report-only to enabled, by its evidence
	// wrong says that the object of the baseline cannot be judged at all.
	wrong bool
	// unlisted says that the list of its kind could not be read.
	unlisted bool
}

func (e *entry) block(format string, args ...any) {
	if s := fmt.Sprintf(format, args...); !slices.Contains(e.blocked, s) {
		e.blocked = append(e.blocked, s)
	}
}

func (e *entry) hold(format string, args ...any) {
	if s := fmt.Sprintf(format, args...); !slices.Contains(e.held, s) {
		e.held = append(e.held, s)
	}
}

func (e *entry) note(format string, args ...any) {
	e.Reasons = append(e.Reasons, fmt.Sprintf(format, args...))
}

// exists reports whether the tenant has the object, as far as is known: where
// its list could not be read, the record counts.
func (e *entry) exists() bool { return e.live != nil || e.unlisted && e.ID != "" }

func (e *entry) ref() string { return plan.Ref(e.Kind, e.Key) }

// writes reports whether the entry asks for a write at all.
func (e *entry) writes() bool {
	switch e.Status {
	case Create, Update, Renamed, Prune:
		return true
	}
	return false
}

// ready reports whether its write may be carried out.
func (e *entry) ready() bool { return e.writes() && len(e.blocked) == 0 && len(e.held) == 0 }

// Compare says how a tenant, as one run read it, stands to the baseline. It is a
// pure function: the same input gives the same result.
func Compare(b *baseline.Baseline, live Live, s Settings) Result {
	p := &planner{b: b, live: live, index: newIndex(live, s.Owned), s: s, glass: resolveBreakGlass(b, live.Names, live.Members), names: NewNamer(live)}
	if live.Self.Kind != entra.KindUser { // a person who is signed in is no workload
		p.glass.self = string(live.Self.ID)
	}
	p.problems = append(p.problems, p.glass.refused...)
	p.warnings = append(p.warnings, p.glass.warnings...)
	p.unreadLists()
	for _, kind := range policy.Kinds {
		for i := range b.OfKind(kind) {
			p.identify(&b.OfKind(kind)[i])
		}
	}
	p.leftovers()
	for _, e := range p.entries {
		p.compare(e)
	}
	p.exceptionsWithoutPolicy()
	for _, e := range p.entries {
		p.unexplained(e)
	}
	p.preconditions()
	p.guards()
	p.propagate()
	p.capacity()
	p.propagate()
	p.lockout()
	p.propagate()
	return p.result()
}

// identify finds the live object of an item by its recorded id. A live
// namesake of something unrecorded is never written to and blocks the create.
func (p *planner) identify(it *baseline.Item) {
	e := &entry{item: it, Entry: Entry{Key: it.Key, Kind: it.Kind, DisplayName: it.DisplayName(), State: it.Want.Text("state")}}
	p.entries = append(p.entries, e)
	if why := p.live.Unreadable(it.Kind); why != "" {
		e.owned = p.s.Owned[it.Kind][it.Key]
		e.ID = string(e.owned.ID)
		e.block("%s", why)
		e.wrong, e.unlisted = true, true
		return
	}
	if o, ok := p.s.Owned[it.Kind][it.Key]; ok && o.ID != "" {
		e.owned, e.ID = o, string(o.ID)
		if twins := p.index.keys(it.Kind, e.ID); len(twins) > 1 {
			e.block("the id %s is recorded for the keys %s", o.ID, strings.Join(twins, ", "))
			e.wrong = true
		}
		if e.live = p.index.object(it.Kind, e.ID); e.live != nil {
			p.renamed(e)
			p.doubles(e)
			return
		}
		inBin, looked := p.live.Deleted[e.ID]
		switch {
		case !looked:
			e.block("the recorded object %s is not in the list and was not looked for by id", o.ID)
			e.wrong = true
			return
		case it.ID != "": // what is made anew would not be what the file says
			e.block("%s", it.Problem("id", p.live.Missing(*it)).Error())
			e.wrong = true
			return
		case inBin:
			e.note("deleted by hand; %s is among the deleted items and can be restored from there for 30 days; as it is, it is made anew", o.ID)
		default:
			e.note("deleted by hand: %s is gone; it is made anew", o.ID)
		}
		e.ID = ""
	}
	p.namesakes(e)
}

func (p *planner) renamed(e *entry) {
	live, was := e.live.DisplayName(), e.owned.DisplayName
	if was != "" && live != was && live != e.DisplayName {
		e.note("renamed by hand from %q to %q", was, live)
	}
}

// doubles warns of other live objects that have the name of one of ours: people
// cannot tell them apart, and neither can adopt.
func (p *planner) doubles(e *entry) {
	for _, d := range p.index.namesakes(e.Kind, e.DisplayName) {
		if !strings.EqualFold(d.ID(), e.ID) && len(p.index.keys(e.Kind, d.ID())) == 0 {
			p.warnings = append(p.warnings, fmt.Sprintf("something else has the name of the %s %q: %s, which is not ours", e.Kind.Noun(), e.DisplayName, d.ID()))
		}
	}
}

func (p *planner) namesakes(e *entry) {
	var found []string
	for _, d := range p.index.namesakes(e.Kind, e.DisplayName) {
		if keys := p.index.keys(e.Kind, d.ID()); len(keys) > 0 {
			e.block("%q exists already (%s) and is recorded for the key %s; adopt it for this key: %s", e.DisplayName, d.ID(), keys[0], p.adoptHint(e.Entry, d.ID()))
			return
		}
		found, e.namesake = append(found, d.ID()), d
	}
	slices.Sort(found)
	switch len(found) {
	case 0:
	case 1:
		e.Adopt = found[0] // compare says what that would change
	default:
		e.block("%d objects named %q exist already (%s); adopt the right one: %s", len(found), e.DisplayName, strings.Join(found, ", "), p.adoptHint(e.Entry, "ID"))
	}
}

// adoption says that the one live namesake of an object is in its way, and what
// would change if it were adopted.
func (p *planner) adoption(e *entry) string {
	effect := "which would change nothing"
	if len(e.Differences) > 0 {
		var paths []string
		for _, d := range e.Differences {
			paths = append(paths, d.Path)
		}
		effect = "which would change " + policy.ShortList(paths)
	}
	return fmt.Sprintf("%q exists already (%s) and is not ours; take it into ownership, %s: %s", e.DisplayName, e.Adopt, effect, p.adoptHint(e.Entry, e.Adopt))
}

// adoptHint is the command that makes an id stand for a key, as a shell takes
// it.
func (p *planner) adoptHint(e Entry, id string) string {
	arg := e.Key + "=" + id
	for _, it := range p.b.Items() {
		if it.Key == e.Key && it.Kind != e.Kind {
			arg = plan.Ref(e.Kind, arg)
			break
		}
	}
	if strings.ContainsFunc(arg, func(r rune) bool {
		return !strings.ContainsRune("=:._-/@", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) {
		arg = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
	}
	return "risksweep baseline adopt " + arg
}

// leftovers are recorded objects that the baseline no longer has.
func (p *planner) leftovers() {
	present := map[string]bool{}
	for _, it := range p.b.Items() {
		present[it.Ref()] = true
	}
	for _, kind := range []entra.ObjectKind{entra.KindPolicy, entra.KindStrength, entra.KindLocation} {
		for _, key := range policy.SortedKeys(p.s.Owned[kind]) {
			o := p.s.Owned[kind][key]
			id := string(o.ID)
			e := &entry{owned: o, live: p.index.object(kind, id), Entry: Entry{Key: key, Kind: kind, ID: id, DisplayName: o.DisplayName}}
			if present[e.ref()] || p.adoptedElsewhere(kind, key, id) {
				continue
			}
			if why := p.live.Unreadable(kind); why != "" {
				p.unseen(e, why)
			} else if e.live == nil {
				e.Status = Gone
				e.note("recorded, but neither in the baseline nor in the tenant")
			} else {
				e.Status, e.DisplayName, e.State = Prune, e.live.DisplayName(), e.live.Text("state")
				e.before = p.index.canonical(kind, e.live)
				p.except(e, nil)
			}
			p.entries = append(p.entries, e)
		}
	}
}

// adoptedElsewhere reports whether an id is recorded for a key that the
// baseline still has: the object stays.
func (p *planner) adoptedElsewhere(kind entra.ObjectKind, key, id string) bool {
	for _, it := range p.b.OfKind(kind) {
		if it.Key != key && strings.EqualFold(string(p.s.Owned[kind][it.Key].ID), id) {
			return true
		}
	}
	return false
}

// compare resolves an item, adds what is forced or left to the tenant, and
// says how the live object differs.
func (p *planner) compare(e *entry) {
	if e.item == nil {
		return
	}
	want, needs, problems := p.resolve(e)
	e.needs = needs
	for _, s := range problems {
		e.block("%s", s)
		e.wrong = true
	}
	if e.live != nil {
		e.before = p.index.canonical(e.Kind, e.live)
		if len(e.item.Unmanaged) > 0 {
			live := e.before.Document() // what is forced into want must not show in before
			for _, path := range e.item.Unmanaged {
				policy.Put(want, path, policy.At(live, path))
			}
		}
	}
	if e.Kind == entra.KindPolicy {
		p.glass.force(want)
	}
	e.want = policy.CanonicalOf(e.Kind, want)
	if e.Kind == entra.KindPolicy {
		p.except(e, e.want.ExcludedUsers())
		e.want = e.want.WithExcluded(policy.Both(e.excepted, e.before.ExcludedUsers()))
		p.promote(e)
	}
	if e.Kind == entra.KindPolicy && e.owned.Wanted == "" { // not written by us so far
		before := e.before
		if e.Adopt != "" {
			before = p.index.canonical(e.Kind, e.namesake)
		}
		if same := p.glass.asItIs(e.want, before); same != nil && before.Equal(same) {
			e.want = same
		}
	}
	e.State = e.want.Text("state")
	switch {
	case e.wrong:
		e.Status = Blocked
	case e.Adopt != "":
		e.Status = Create
		e.Differences = policy.Differences(p.index.canonical(e.Kind, e.namesake), e.want, p.names)
		e.block("%s", p.adoption(e))
	case e.live == nil:
		e.Status = Create
		e.Differences = policy.Differences(nil, e.want, p.names)
	case e.before.Equal(e.want):
		e.Status = InSync
	case e.owned.Wanted != "" && e.owned.Wanted == e.want.HashWithout(e.excepted) && e.owned.Hash == e.before.HashWithout(e.excepted) && p.glass.covered(e.before):
		e.Status = InSync
		e.note("the service keeps it otherwise than it was sent; unchanged since")
	default:
		e.Status = Update
		e.Differences = policy.Differences(e.before, e.want, p.names)
		if len(e.Differences) == 1 && e.Differences[0].Path == "displayName" && e.owned.DisplayName == e.DisplayName {
			e.Status = Renamed
		}
	}
	if e.Status == Update && e.before["@odata.type"] != e.want["@odata.type"] {
		e.block("a named location cannot change its kind; give the new one a key and a name of its own")
	}
}

// propagate blocks what refers to something that will not be made, with the
// reason.
func (p *planner) propagate() {
	for changed := true; changed; {
		changed = false
		for _, e := range p.entries {
			for _, need := range e.needs {
				n := p.find(need)
				if n == nil || n.Status == InSync || n.live != nil || n.ready() {
					continue
				}
				blocked, held := len(e.blocked), len(e.held)
				if len(n.blocked) > 0 {
					e.block("needs %s, which is blocked", need)
				} else {
					e.hold("needs %s, which is not enabled", need)
				}
				changed = changed || len(e.blocked) != blocked || len(e.held) != held
			}
		}
	}
}

func (p *planner) find(ref string) *entry {
	for _, e := range p.entries {
		if e.ref() == ref && e.item != nil {
			return e
		}
	}
	return nil
}

// result turns the entries into actions in their order, adds what is not ours,
// and sorts the entries for reading.
func (p *planner) result() Result {
	actions := p.actions() // which also says how exceptions stand
	r := Result{Waiting: p.waiting, Problems: p.problems, Warnings: p.warnings, BreakGlass: p.glass.why, Actions: actions, Exceptions: p.exempt, Excluded: p.excluded, Unexplained: p.groups}
	for _, e := range p.entries {
		if e.want != nil {
			e.Summary = policy.Describe(e.Kind, e.want, p.names)
		}
		e.Reasons = append(e.Reasons, e.blocked...)
		e.Reasons = append(e.Reasons, e.held...)
		if len(e.blocked) > 0 && e.Status != InSync {
			e.Status = Blocked
		}
		r.Entries = append(r.Entries, e.Entry)
	}
	for _, kind := range []entra.ObjectKind{entra.KindLocation, entra.KindPolicy} {
		for _, d := range p.live.List(kind) {
			if len(p.index.keys(kind, d.ID())) == 0 {
				r.Entries = append(r.Entries, Entry{Kind: kind, ID: d.ID(), DisplayName: d.DisplayName(), State: d.Text("state"), Status: Unmanaged})
			}
		}
	}
	return r
}

// change is the part of an action that all kinds share.
func (p *planner) change(e *entry, kind plan.Kind) plan.Action {
	a := plan.Action{Kind: kind, Status: plan.Ready, Rule: e.Key, Reasons: slices.Clone(e.Reasons),
		Subject: plan.Subject{ID: entra.NewID(e.ID), Key: e.Key, Name: e.DisplayName},
		Change:  &plan.Change{Kind: e.Kind, Key: e.Key, Differences: e.Differences, Needs: e.needs}}
	for _, id := range e.excepted {
		a.Change.Excepted = append(a.Change.Excepted, entra.NewID(id))
	}
	if e.live != nil {
		a.Change.Before, a.Change.BeforeHash = e.live.Clone(), e.before.Hash()
	}
	switch {
	case len(e.blocked) > 0:
		a.Status, a.Reasons = plan.Blocked, append(append(a.Reasons, e.blocked...), e.held...)
	case len(e.held) > 0:
		a.Status, a.Reasons = plan.NotEnabled, append(a.Reasons, e.held...)
	}
	return a
}
