package access

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
)

// Result is what becomes of a sign-in.
type Result string

// The results.
const (
	Blocked Result = "blocked"
	Granted Result = "granted" // with demands
	Open    Result = "open"    // nothing is demanded
)

// Outcome is what the policies that surely apply add up to.
type Outcome struct {
	Result  Result
	Demands []Demand
	Session []string // session controls, such as "signInFrequency: 4 hours"
	// Unknown are the places of policies of which it is not known whether they
	// apply. They count for nothing above.
	Unknown []int
}

// Demand is a list of controls of which one must be met, in Graph's words;
// authentication strengths and terms of use stand with their id behind a
// colon.
type Demand []string

func (d Demand) String() string { return strings.Join(d, " or ") }

// Outcome is what the enabled policies mean together.
func (j Judgement) Outcome() Outcome { return j.outcome(j.counted) }

// WithReportOnly is the judgement as if all report-only policies were enabled.
func (j Judgement) WithReportOnly() Judgement {
	j.counted = slices.Clone(j.counted)
	j.counted.or(j.set.reportOnly)
	return j
}

// ReportOnly is what the report-only policies would add if they were enabled,
// judged by themselves.
func (j Judgement) ReportOnly() Outcome { return j.outcome(j.set.reportOnly) }

func (j Judgement) outcome(of flags) Outcome {
	out := Outcome{Result: Open}
	must, may := slices.Clone(j.sum.must), slices.Clone(j.sum.may)
	must.and(of)
	may.and(of)
	may.without(must)
	must.each(func(i int) {
		c := &j.set.policies[i].controls
		if c.blocks() {
			out.Result = Blocked
		}
		out.Demands = append(out.Demands, c.demands...)
		out.Session = append(out.Session, c.session...)
	})
	may.each(func(i int) { out.Unknown = append(out.Unknown, i) })
	slices.Sort(out.Session)
	out.Session = slices.Compact(out.Session)
	if out.Result == Blocked {
		out.Demands, out.Session = nil, nil
		return out
	}
	out.Demands = simplify(out.Demands)
	if len(out.Demands) > 0 {
		out.Result = Granted
	}
	return out
}

// Applying are the places of the policies that surely apply and are enabled.
func (j Judgement) Applying() []int {
	var out []int
	must := slices.Clone(j.sum.must)
	must.and(j.counted)
	must.each(func(i int) { out = append(out, i) })
	return out
}

// simplify sorts demands and drops those that another one meets already.
func simplify(demands []Demand) []Demand {
	var out []Demand
	for i, d := range demands {
		met := slices.ContainsFunc(demands[:i], func(e Demand) bool { return within(e, d) }) ||
			slices.ContainsFunc(demands[i+1:], func(e Demand) bool { return within(e, d) && !within(d, e) })
		if !met {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b Demand) int { return cmp.Or(slices.Compare(a, b), cmp.Compare(len(a), len(b))) })
	return out
}

// within reports whether every way to meet a is one to meet b.
func within(a, b Demand) bool {
	return !slices.ContainsFunc(a, func(c string) bool { return !slices.Contains(b, c) })
}

// strengthPrefix begins an authentication strength among the controls.
const strengthPrefix = "authenticationStrength:"

const block = "block"

// controls are what a policy demands where it applies.
type controls struct {
	demands []Demand
	session []string
	unread  bool // it may demand something that could not be read
}

func (c *controls) empty() bool {
	return len(c.demands) == 0 && len(c.session) == 0 && !c.unread
}

// mayDemand reports whether something is demanded, as far as is known.
func (c *controls) mayDemand() bool { return len(c.demands) > 0 || c.unread }

func (c *controls) blocks() bool {
	return slices.ContainsFunc(c.demands, func(d Demand) bool { return len(d) == 1 && d[0] == block })
}

func readControls(d *reader) controls {
	var c controls
	g := d.object(grants)
	d.only(g, grants, "operator", "builtInControls", "customAuthenticationFactors", "termsOfUse", "authenticationStrength")
	var asked []string
	asked = append(asked, d.list(g, "builtInControls")...)
	for _, id := range d.list(g, "customAuthenticationFactors") {
		asked = append(asked, "customAuthenticationFactor:"+id)
	}
	for _, id := range d.list(g, "termsOfUse") {
		asked = append(asked, "termsOfUse:"+id)
	}
	if s := d.child(g, "authenticationStrength"); s != nil && text(s, "id") != "" {
		asked = append(asked, strengthPrefix+string(entra.NewID(text(s, "id"))))
	}
	slices.Sort(asked)
	asked = slices.Compact(asked)
	switch {
	case containsFold(asked, block):
		c.demands = []Demand{{block}}
	case strings.EqualFold(text(g, "operator"), "AND"):
		for _, a := range asked {
			c.demands = append(c.demands, Demand{a})
		}
	case len(asked) > 0:
		c.demands = []Demand{asked}
	}
	c.unread = d.broken || len(d.strange) > 0
	c.session = session(d)
	return c
}

const grants = "grantControls"

// session gives the session controls that have an effect.
func session(d *reader) []string {
	m := d.object("sessionControls")
	var out []string
	for name, v := range m {
		switch v := v.(type) {
		case bool:
			if v {
				out = append(out, name)
			}
		case map[string]any:
			if v["isEnabled"] == true {
				out = append(out, strings.TrimSuffix(name+": "+sessionDetail(v), ": "))
			}
		}
	}
	slices.Sort(out)
	return out
}

func sessionDetail(v map[string]any) string {
	second := ""
	if strings.EqualFold(text(v, "authenticationType"), "secondaryAuthentication") {
		second = ", secondaryAuthentication"
	}
	switch {
	case strings.EqualFold(text(v, "frequencyInterval"), "everyTime"):
		return "every time" + second
	case v["value"] != nil:
		return strings.TrimSpace(fmt.Sprint(v["value"], " ", text(v, "type"))) + second
	}
	return cmp.Or(text(v, "mode"), text(v, "cloudAppSecurityType"))
}
