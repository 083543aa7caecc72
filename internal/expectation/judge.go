package expectation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/access"
)

// Facts are what is known of those whom expectations are about.
type Facts interface {
	// Subjects are the users or the service principal of a subject, one for
	// each class that policies tell apart. The error says why there is none.
	Subjects(Subject) ([]Someone, error)
	// App is the application of that name or id.
	App(name string) (*access.App, error)
}

// Someone signs in: one of the two.
type Someone struct {
	Name             string // of the first of a class
	Others           int    // further people of the class
	User             *access.User
	ServicePrincipal *access.ServicePrincipal
}

// Verdict is whether one expectation holds.
type Verdict struct {
	Expectation
	Holds bool
	// Failures say what is not as expected, the person and the policies named.
	Failures []string
	// Nobody says that there is nobody whom the expectation is about; it holds
	// then.
	Nobody bool
}

// Judge judges the expectations against a set of policies. A fact that is not
// given counts as not met, as in the service's What If. Places say of policies by
// their keys where they are written.
func Judge(list []Expectation, set *access.Set, facts Facts, places map[string]string) []Verdict {
	out := make([]Verdict, 0, len(list))
	for _, e := range list {
		v := Verdict{Expectation: e}
		v.Failures, v.Nobody = e.judge(judging{set, places}, facts)
		v.Holds = len(v.Failures) == 0
		out = append(out, v)
	}
	return out
}

// mostFailures is how many things an expectation names that are not as expected.
const mostFailures = 5

// judging is a set of policies with where they are written.
type judging struct {
	*access.Set
	places map[string]string
}

// named is the name of the policy at place i, with where it is written.
func (s judging) named(i int) string {
	if at := s.places[s.Policy(i).Key]; at != "" {
		return s.Name(i) + " [" + at + "]"
	}
	return s.Name(i)
}

func (e Expectation) judge(set judging, facts Facts) (failures []string, nobody bool) {
	in := e.When
	in.AsGiven = true
	switch {
	case e.Action != "":
		in.Target.Action = e.Action
	case e.Context != "":
		in.Target.Context = e.Context
	case e.App == "All":
		in.Target.App = &access.App{}
	default:
		app, err := facts.App(e.App)
		if err != nil {
			return []string{err.Error()}, false
		}
		in.Target.App = app
	}
	people, err := facts.Subjects(e.Subject)
	if err != nil {
		return []string{err.Error()}, false
	}
	var out []string
	if missing := unknownPolicies(set, slices.Concat(e.Policies, e.NotPolicies)); len(missing) > 0 {
		out = append(out, "no policy has the key or the name "+strings.Join(missing, ", "))
	}
	found := map[string]int{} // the failures by their texts
	var whose []Someone
	var texts []string
	for _, who := range people {
		in.User, in.ServicePrincipal = who.User, who.ServicePrincipal
		j := set.Judge(in)
		if e.WithReportOnly {
			j = j.WithReportOnly()
		}
		for _, f := range e.compare(set, j) {
			if i, same := found[f]; same {
				whose[i].Others += 1 + who.Others
				continue
			}
			found[f] = len(texts)
			texts, whose = append(texts, f), append(whose, who)
		}
	}
	for i, f := range texts {
		if len(out) == mostFailures {
			return append(out, "and more"), false
		}
		out = append(out, whose[i].String()+": "+f)
	}
	return out, len(people) == 0
}

func (s Someone) String() string {
	switch s.Others {
	case 0:
		return s.Name
	case 1:
		return s.Name + " and one more"
	}
	return fmt.Sprintf("%s and %d more", s.Name, s.Others)
}

func unknownPolicies(set judging, names []string) []string {
	var out []string
	for _, n := range names {
		if len(set.Find(n)) == 0 {
			out = append(out, fmt.Sprintf("%q", n))
		}
	}
	return out
}

// compare says what of one judgement is not as expected.
func (e Expectation) compare(set judging, j access.Judgement) []string {
	var out []string
	got := j.Outcome()
	applying := j.Applying()
	if e.Outcome != "" && got.Result != e.Outcome {
		out = append(out, e.otherOutcome(set, j, got.Result, applying))
	}
	if got.Result != access.Blocked || e.Outcome == access.Blocked {
		for _, want := range e.Demands {
			if !slices.ContainsFunc(got.Demands, func(d access.Demand) bool { return set.Meets(d, want) }) {
				out = append(out, fmt.Sprintf("%s is not demanded%s", want, notDemanded(set, j, want)))
			}
		}
	}
	for _, name := range e.Policies {
		for _, i := range set.Find(name) {
			if v := j.Verdict(i); !slices.Contains(applying, i) {
				why := v.Why
				if v.Applies == access.Yes {
					why = "the policy is report-only"
				}
				out = append(out, fmt.Sprintf("policy %s does not apply: %s", set.named(i), why))
			}
		}
	}
	for _, name := range e.NotPolicies {
		for _, i := range set.Find(name) {
			if slices.Contains(applying, i) {
				out = append(out, fmt.Sprintf("policy %s applies", set.named(i)))
			}
		}
	}
	return out
}

// otherOutcome says by which policies the outcome is another one, and of a sign-in
// that is not blocked which policies block elsewhere.
func (e Expectation) otherOutcome(set judging, j access.Judgement, got access.Result, applying []int) string {
	text := "the sign-in is " + string(got)
	names := make([]string, len(applying))
	for k, i := range applying {
		names[k] = set.named(i)
	}
	if len(names) > 0 {
		text += " by " + strings.Join(names, ", ")
	}
	text += ", not " + string(e.Outcome)
	near := ""
	if e.Outcome == access.Blocked {
		near = nearest(set, j, func(i int) bool { return set.Demands(i, access.Demand{"block"}) })
	}
	switch {
	case near != "":
		text += " (" + near + ")"
	case len(names) == 0:
		text += ": no enabled policy applies"
	}
	return text
}

// notDemanded names the policies that demand it elsewhere.
func notDemanded(set judging, j access.Judgement, want access.Demand) string {
	if near := nearest(set, j, func(i int) bool { return set.Demands(i, want) }); near != "" {
		return " (" + near + ")"
	}
	return ": no policy demands it"
}

// nearest names the policies that are meant, and why they do not apply here:
// those that are for somebody or something else only if there is no better one.
func nearest(set judging, j access.Judgement, meant func(i int) bool) string {
	var near, far []string
	for i := range set.Len() {
		if !meant(i) {
			continue
		}
		v := j.Verdict(i)
		why := v.Why
		if v.Applies == access.Yes {
			why = "the policy is report-only"
		}
		line := fmt.Sprintf("%s: %s", set.named(i), why)
		switch v.Reason {
		case access.Users, access.WorkloadIdentities, access.Application, access.UserActions, access.AuthenticationContexts, access.PolicyNotEnabled:
			far = append(far, line)
		default:
			near = append(near, line)
		}
	}
	if len(near) == 0 {
		near = far
	}
	return strings.Join(near[:min(len(near), mostNear)], "; ")
}

// mostNear is how many policies a failure names that demand it elsewhere.
const mostNear = 3
