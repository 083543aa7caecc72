package triage_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/triage"
	"pgregory.net/rapid"
)

// The model of triage: the rule of the design, written down a second time over
// plain structs that are also the triage file, without regard to speed.

type modelFile struct {
	Protected modelNames    `json:"protected"`
	Allowlist []modelAllow  `json:"allowlist,omitempty"`
	Escalate  []modelRaises `json:"escalate,omitempty"`
}

type modelNames struct {
	Users  []string `json:"users,omitempty"`
	Groups []string `json:"groups,omitempty"`
}

type modelWhen struct {
	RiskEventTypes []string `json:"riskEventTypes,omitempty"`
	MaxRiskLevel   string   `json:"maxRiskLevel,omitempty"`
	MinRiskLevel   string   `json:"minRiskLevel,omitempty"`
	IPRanges       []string `json:"ipRanges,omitempty"`
	Countries      []string `json:"countries,omitempty"`
}

type modelAllow struct {
	ID string `json:"id"`
	modelNames
	GroupRiskAccepted bool      `json:"groupRiskAccepted"`
	Privileged        bool      `json:"privileged"`
	When              modelWhen `json:"when"`
	Reason            string    `json:"reason"`
	Owner             string    `json:"owner"`
	Expires           string    `json:"expires"`
}

type modelRaises struct {
	ID         string    `json:"id"`
	Privileged bool      `json:"privileged"`
	When       modelWhen `json:"when"`
	Reason     string    `json:"reason"`
}

// modelTenant says of every name what it stands for.
type modelTenant struct {
	groups     map[string]modelGroup
	missing    []string // names that resolve to nothing
	twice      []string // names that resolve to two objects
	privileged []string
	noRoles    bool
	breakGlass []string
}

type modelGroup struct {
	members                    []string
	dynamic, assignable, error bool
}

func (t modelTenant) directory(p *triage.Policy) triage.Directory {
	d := triage.Directory{Names: entra.Names{}, Members: map[entra.ID][]entra.DirectoryObject{}, MemberErrors: map[entra.ID]error{}, BreakGlass: map[entra.ID]string{}}
	for _, ref := range p.Refs() {
		o := entra.DirectoryObject{Kind: ref.Kind, ID: entra.NewID(ref.Name)}
		if g, ok := t.groups[ref.Name]; ok && ref.Kind == entra.KindGroup {
			o.Dynamic, o.RoleAssignable = g.dynamic, g.assignable
		}
		res := entra.Resolution{Ref: ref, Objects: []entra.DirectoryObject{o}}
		if slices.Contains(t.missing, ref.Name) {
			res.Objects = nil
		} else if slices.Contains(t.twice, ref.Name) {
			res.Objects = append(res.Objects, entra.DirectoryObject{ID: "another"})
		}
		d.Names[ref] = res
	}
	for name, g := range t.groups {
		if g.error {
			d.MemberErrors[entra.NewID(name)] = fmt.Errorf("refused")
			continue
		}
		d.Members[entra.NewID(name)] = []entra.DirectoryObject{}
		for _, m := range g.members {
			d.Members[entra.NewID(name)] = append(d.Members[entra.NewID(name)], entra.DirectoryObject{ID: entra.NewID(m)})
		}
	}
	if !t.noRoles {
		d.Privileged = &entra.Privileged{Users: map[entra.ID][]string{}}
		for _, u := range t.privileged {
			d.Privileged.Users[entra.NewID(u)] = []string{"role"}
		}
	}
	for _, u := range t.breakGlass {
		d.BreakGlass[entra.NewID(u)] = "breakGlass.users"
	}
	return d
}

func (t modelTenant) broken(n modelNames) bool {
	for _, name := range slices.Concat(n.Users, n.Groups) {
		if slices.Contains(t.missing, name) || slices.Contains(t.twice, name) {
			return true
		}
	}
	return slices.ContainsFunc(n.Groups, func(g string) bool { return t.groups[g].error })
}

func (t modelTenant) names(n modelNames, user string) bool {
	if slices.Contains(n.Users, user) {
		return true
	}
	return slices.ContainsFunc(n.Groups, func(g string) bool { return slices.Contains(t.groups[g].members, user) })
}

var modelRank = map[string]int{"low": 1, "medium": 2, "high": 3}

// three is yes, no or ? for a value that says nothing.
func three(unknown, holds bool) string {
	switch {
	case unknown:
		return "?"
	case holds:
		return "yes"
	}
	return "no"
}

// conditions answers each condition that is given.
func conditions(w modelWhen, d triage.Detection) []string {
	var out []string
	if w.RiskEventTypes != nil {
		out = append(out, three(d.EventType == "" || d.EventType == "hidden", slices.Contains(w.RiskEventTypes, d.EventType)))
	}
	rank, known := modelRank[string(d.Level)]
	if w.MaxRiskLevel != "" {
		out = append(out, three(!known, rank <= modelRank[w.MaxRiskLevel]))
	}
	if w.MinRiskLevel != "" {
		out = append(out, three(!known && d.Level != "none", known && rank >= modelRank[w.MinRiskLevel]))
	}
	if w.IPRanges != nil {
		addr, err := netip.ParseAddr(strings.TrimPrefix(d.IP, "::ffff:"))
		in := func(r string) bool { return err == nil && netip.MustParsePrefix(r).Contains(addr) }
		out = append(out, three(err != nil, slices.ContainsFunc(w.IPRanges, in)))
	}
	if w.Countries != nil {
		out = append(out, three(len(d.Country) != 2, slices.Contains(w.Countries, d.Country)))
	}
	return out
}

// model says what is to be done with a user without a history.
func model(f modelFile, t modelTenant, e triage.Evidence) triage.Verdict {
	u := e.User
	if u.RiskState != "atRisk" || u.IsDeleted == nil || *u.IsDeleted || u.IsProcessing == nil || *u.IsProcessing {
		return triage.Leave
	}
	if t.broken(f.Protected) || t.names(f.Protected, string(u.ID)) || slices.Contains(t.breakGlass, string(u.ID)) || e.Incomplete != "" || modelRank[string(u.RiskLevel)] == 0 {
		return triage.Leave
	}
	privileged := slices.Contains(t.privileged, string(u.ID))
	escalated := false
	for _, rule := range f.Escalate {
		for _, d := range e.Detections {
			c := conditions(rule.When, d)
			if slices.Contains(c, "no") {
				continue
			}
			escalated = true // it matches, or may match
			if !slices.Contains(c, "?") && (rule.Privileged || !privileged && !t.noRoles) {
				return triage.ConfirmCompromised
			}
		}
	}
	if escalated || t.noRoles || len(e.Detections) == 0 {
		return triage.Leave
	}
	highest := 0
	for _, d := range e.Detections {
		highest = max(highest, modelRank[string(d.Level)])
		covered := slices.ContainsFunc(f.Allowlist, func(a modelAllow) bool {
			dead := a.Expires < now.Format(time.DateOnly) || t.broken(a.modelNames) || slices.ContainsFunc(a.Groups, func(g string) bool {
				return t.groups[g].dynamic || !t.groups[g].assignable && !a.GroupRiskAccepted
			})
			c := conditions(a.When, d)
			return !dead && t.names(a.modelNames, string(u.ID)) && !slices.Contains(c, "no") && !slices.Contains(c, "?") && (!privileged || a.Privileged)
		})
		if !covered {
			return triage.Leave
		}
	}
	if modelRank[string(u.RiskLevel)] > highest {
		return triage.Leave
	}
	return triage.Dismiss
}

var (
	modelUsers  = []string{"ada@contoso.com", "bob@contoso.com", "eve@contoso.com", "root@contoso.com"}
	modelGroups = []string{"VPN", "Sales"}
	modelTypes  = []string{"anonymizedIPAddress", "newCountry", "passwordSpray"}
	modelIPs    = []string{"203.0.113.5", "198.51.100.1", "2001:db8::1", "::ffff:203.0.113.9", "", "x"}
	modelRanges = []string{"203.0.113.0/24", "198.51.100.0/30", "2001:db8::/32"}
)

func some(t *rapid.T, label string, of []string, least int) []string {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(of), least, len(of), rapid.ID[string]).Draw(t, label)
}

func often(t *rapid.T, label string, percent int) bool {
	return rapid.IntRange(0, 99).Draw(t, label) < percent
}

func drawWhen(t *rapid.T, label string) modelWhen {
	w := modelWhen{RiskEventTypes: some(t, label+" types", modelTypes, 1)}
	if often(t, label+" by address", 40) {
		w.IPRanges = some(t, label+" ranges", modelRanges, 1)
	}
	if often(t, label+" by country", 40) {
		w.Countries = some(t, label+" countries", []string{"US", "DE", "NO"}, 1)
	}
	return w
}

func drawFile(t *rapid.T) modelFile {
	var f modelFile
	if often(t, "protects", 20) {
		f.Protected = modelNames{Users: some(t, "protected users", modelUsers, 0), Groups: some(t, "protected groups", modelGroups, 0)}
	}
	level := rapid.SampledFrom([]string{"low", "medium", "high"})
	for i := range rapid.IntRange(0, 4).Draw(t, "entries") {
		id := fmt.Sprint("entry", i)
		a := modelAllow{ID: id, GroupRiskAccepted: often(t, id+" accepts", 70), Privileged: often(t, id+" privileged", 30), When: drawWhen(t, id),
			Reason: "r", Owner: "o", Expires: rapid.SampledFrom([]string{"2026-11-23", "2026-11-24", "2027-01-01", "2027-06-01"}).Draw(t, id+" expires")}
		a.Users, a.Groups = some(t, id+" users", modelUsers, 0), some(t, id+" groups", modelGroups, 0)
		if len(a.Users)+len(a.Groups) == 0 {
			a.Users = modelUsers[:1]
		}
		a.When.MaxRiskLevel = level.Draw(t, id+" most")
		f.Allowlist = append(f.Allowlist, a)
	}
	if often(t, "a wide entry", 50) {
		f.Allowlist = append(f.Allowlist, modelAllow{ID: "wide", modelNames: modelNames{Users: modelUsers[:3]}, Reason: "r", Owner: "o", Expires: "2027-06-01",
			When: modelWhen{RiskEventTypes: modelTypes, MaxRiskLevel: "high"}})
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "escalations") {
		id := fmt.Sprint("rule", i)
		r := modelRaises{ID: id, Privileged: often(t, id+" privileged", 30), When: drawWhen(t, id), Reason: "r"}
		if often(t, id+" by level", 60) {
			r.When.MinRiskLevel = level.Draw(t, id+" least")
		}
		f.Escalate = append(f.Escalate, r)
	}
	return f
}

func drawTenant(t *rapid.T) modelTenant {
	w := modelTenant{groups: map[string]modelGroup{}, noRoles: often(t, "no roles", 10)}
	for _, g := range modelGroups {
		w.groups[g] = modelGroup{members: some(t, g, modelUsers, 0), dynamic: often(t, g+" dynamic", 10),
			assignable: often(t, g+" assignable", 50), error: often(t, g+" refused", 10)}
	}
	all := slices.Concat(modelUsers, modelGroups)
	if often(t, "somebody is missing", 15) {
		w.missing = []string{rapid.SampledFrom(all).Draw(t, "missing")}
	}
	if often(t, "a name is ambiguous", 15) {
		w.twice = []string{rapid.SampledFrom(all).Draw(t, "twice")}
	}
	if often(t, "roles", 40) {
		w.privileged = some(t, "privileged", modelUsers, 0)
	}
	if often(t, "break-glass", 10) {
		w.breakGlass = some(t, "break-glass users", modelUsers, 1)
	}
	return w
}

func drawEvidence(t *rapid.T) triage.Evidence {
	// The safe value comes often, so that many users get as far as a verdict.
	flag := func(label string) *bool {
		switch rapid.IntRange(0, 19).Draw(t, label) {
		case 0:
			return nil
		case 1:
			yes := true
			return &yes
		}
		return new(bool)
	}
	text := func(label string, values ...string) string { return rapid.SampledFrom(values).Draw(t, label) }
	e := triage.Evidence{User: entra.RiskyUser{ID: entra.NewID(text("user", modelUsers...)), IsDeleted: flag("deleted"), IsProcessing: flag("processing"),
		RiskLevel:               entra.RiskLevel(text("level", "low", "low", "medium", "medium", "high", "high", "hidden", "none", "", "brandNew")),
		RiskState:               entra.RiskState(text("state", "atRisk", "atRisk", "atRisk", "atRisk", "atRisk", "atRisk", "dismissed", "confirmedCompromised", "brandNew", "")),
		RiskLastUpdatedDateTime: "2026-11-23T00:00:00Z"}}
	if often(t, "plain", 50) {
		e.User.IsDeleted, e.User.IsProcessing, e.User.RiskState, e.User.RiskLevel = new(bool), new(bool), "atRisk", "low"
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "detections") {
		l := fmt.Sprint("d", i)
		if often(t, l+" plain", 60) {
			e.Detections = append(e.Detections, det(l, text(l+" type", modelTypes...), entra.RiskLevel(text(l+" level", "low", "medium", "high")),
				text(l+" ip", modelIPs[:4]...), text(l+" country", "US", "DE")))
			continue
		}
		e.Detections = append(e.Detections, det(l, text(l+" type", append([]string{"leakedCredentials", "", "hidden"}, slices.Concat(modelTypes, modelTypes)...)...),
			entra.RiskLevel(text(l+" level", "low", "low", "medium", "medium", "high", "hidden", "none", "", "brandNew")),
			text(l+" ip", modelIPs...), text(l+" country", "US", "DE", "NO", "", "hidden")))
	}
	if often(t, "incomplete", 5) {
		e.Incomplete = "retention"
	}
	return e
}

// TestDecideIsTheModel compares verdicts with the model, whatever the tenant
// and the rules.
func TestDecideIsTheModel(t *testing.T) {
	seen := map[triage.Verdict]int{}
	rapid.Check(t, func(t *rapid.T) {
		f, tenant := drawFile(t), drawTenant(t)
		text, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		p, problems := triage.Parse("triage.json", text, now)
		if err := problems.Err(); err != nil {
			t.Fatalf("%s\n%v", text, err)
		}
		rules, _ := p.Bind(tenant.directory(p), now)
		for range 8 {
			e := drawEvidence(t)
			got := rules.Decide(e, now)
			seen[got.Verdict]++
			if want := model(f, tenant, e); got.Verdict != want {
				t.Fatalf("%s (%s: %q), the model says %s\n%s\n%+v\n%+v", got.Verdict, got.Code, got.Reasons, want, text, tenant, e)
			}
			checkDecision(t, rules, e, got)
		}
	})
	if seen[triage.Dismiss] == 0 || seen[triage.ConfirmCompromised] == 0 {
		t.Errorf("verdicts %v: the test does not reach all of them", seen)
	}
}

// checkDecision holds every decision to what its readers rely on.
func checkDecision(t *rapid.T, rules *triage.Rules, e triage.Evidence, d triage.Decision) {
	if len(d.Reasons) == 0 || slices.Contains(d.Reasons, "") || !slices.Contains(triage.Codes(), d.Code) {
		t.Fatalf("a decision without a reason or with an unlisted code: %+v", d)
	}
	if d.Verdict != triage.Leave && (d.NeedsPerson || d.Rule == "") {
		t.Fatalf("an action without a rule, or one that waits for a person: %+v", d)
	}
	if d.Verdict == triage.Dismiss && len(d.Covered) != len(e.Detections) {
		t.Fatalf("dismissed with %d of %d detections covered", len(d.Covered), len(e.Detections))
	}
	x := rules.Explain(e, now)
	if x.Decision.Verdict != d.Verdict || x.Decision.Code != d.Code || len(x.Detections) != len(e.Detections) {
		t.Fatalf("explained as %+v", x.Decision)
	}
	for id, entry := range d.Covered {
		i := slices.IndexFunc(x.Entries, func(x triage.ExplainedEntry) bool { return x.ID == entry })
		j := slices.IndexFunc(x.Entries[i].Detections, func(x triage.ExplainedDetection) bool { return x.ID == id })
		if x.Entries[i].Names == "" || !x.Entries[i].Detections[j].Taken {
			t.Fatalf("%s is covered by %s, but explained as %+v", id, entry, x.Entries[i])
		}
	}
}
