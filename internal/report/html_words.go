package report

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/triage"
)

// Number says "1 user", "2 users", "2 policies", "2 addresses".
func Number(n int, noun string) string {
	if n != 1 {
		if stem, ok := strings.CutSuffix(noun, "y"); ok && !strings.ContainsAny(stem[max(len(stem)-1, 0):], "aeou") {
			noun = stem + "ie"
		}
		if strings.HasSuffix(noun, "s") {
			noun += "e"
		}
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

func date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

// moment shortens a time of Graph.
func moment(d entra.DateTime) string {
	if t, ok := d.Time(); ok {
		return when(t)
	}
	return string(d)
}

// Age says how long something waits, in hours; a minute at least.
func Age(hours float64) string {
	switch {
	case hours >= 48:
		return fmt.Sprintf("%.0f days", hours/24)
	case hours >= 1:
		return fmt.Sprintf("%.0f h", hours)
	}
	return fmt.Sprintf("%d min", max(1, int(hours*60+0.5)))
}

// ageText is Age, and nothing where no time is known.
func ageText(hours float64) string {
	if hours <= 0 {
		return ""
	}
	return Age(hours)
}

// slaText says how long each level may wait.
func slaText(s SLA) string {
	var parts []string
	for _, l := range []struct {
		name string
		may  time.Duration
	}{{"high", s.High}, {"medium", s.Medium}, {"low", s.Low}} {
		if l.may > 0 {
			parts = append(parts, ageText(l.may.Hours())+" for "+l.name)
		}
	}
	return strings.Join(parts, ", ")
}

// LevelRank orders levels for a reader: what is not understood stands above
// high.
func LevelRank(l entra.RiskLevel) int {
	rank, ok := l.Rank()
	if !ok && l != "" && l != entra.LevelNone {
		return 4
	}
	return rank
}

// firstOf is the first text that is not empty.
func firstOf(texts ...string) string {
	return cmp.Or(cmp.Or(texts...), "–")
}

// doneText says in one sentence what the run did, or would do.
func doneText(outcomes []plan.Outcome) string {
	did, would, bad, already := map[plan.Kind]int{}, map[plan.Kind]int{}, 0, 0
	for _, o := range outcomes {
		switch {
		case o.Status.Effective() || o.Status == plan.Processing:
			did[o.Kind]++
		case o.Status == plan.SkippedPlanMode:
			would[o.Kind]++
		case o.Status == plan.SkippedAlready:
			already++
		}
		if o.Status.Bad() {
			bad++
		}
	}
	var say []string
	if text := phrase(did, func(w plan.Words) string { return w.Past }); text != "" {
		say = append(say, "It "+text+".")
	}
	if text := phrase(would, func(w plan.Words) string { return w.Verb }); text != "" {
		say = append(say, "It would "+text+".")
	}
	if already > 0 {
		say = append(say, Number(already, "action")+" had been done before: nothing was sent.")
	}
	if bad > 0 {
		say = append(say, Number(bad, "action")+" did not go as planned.")
	}
	if len(say) == 0 && len(outcomes) == 0 {
		say = append(say, "There was nothing to do.")
	}
	return strings.Join(say, " ")
}

// phrase says "created 2 locations and 8 policies, deleted 1 policy".
func phrase(counts map[plan.Kind]int, verb func(plan.Words) string) string {
	var parts, objects []string
	said := ""
	flush := func() {
		if len(objects) > 0 {
			parts = append(parts, said+" "+listText(objects))
		}
		objects = nil
	}
	for _, kind := range plan.Kinds() {
		n, w := counts[kind], kind.Words()
		if n == 0 {
			continue
		}
		if v := verb(w); v != said || w.End != "" {
			flush()
			said = v
		}
		objects = append(objects, Number(n, w.Noun)+w.End)
	}
	flush()
	return strings.Join(parts, ", ")
}

func listText(parts []string) string {
	if n := len(parts); n > 1 {
		return strings.Join(parts[:n-1], ", ") + " and " + parts[n-1]
	}
	return strings.Join(parts, "")
}

// verdictText says what is to be done with a user.
func verdictText(d triage.Decision) string {
	switch {
	case d.NeedsPerson && d.Verdict != triage.Leave && d.Verdict != "":
		return plan.Kind(d.Verdict).Words().Name + ", needs a person"
	case d.NeedsPerson:
		return "left to a person"
	case d.Verdict == triage.Leave:
		return "left alone"
	case d.Verdict == "":
		return "not decided"
	}
	return plan.Kind(d.Verdict).Words().Name // the verdicts are kinds of action
}

// CodeTexts says what each code of a decision means.
var CodeTexts = map[string]string{
	triage.CodeSignIns:          "the allowlist covers single sign-ins, which are closed by themselves",
	triage.CodeAllowlisted:      "every open detection is covered by the allowlist",
	triage.CodeEscalated:        "an escalation rule matches",
	triage.CodeNotAtRisk:        "the user is not at risk: nothing to decide",
	triage.CodeUnknownState:     "the service sent a value that is not known",
	triage.CodeDeleted:          "the account is deleted, or it is not known whether it is",
	triage.CodeProcessing:       "the service is recomputing the risk, or it is not known whether it is",
	triage.CodeProtected:        "the protected section names the user",
	triage.CodeProtectionBroken: "the protected section could not be resolved",
	triage.CodeBreakGlass:       "a break-glass account of the baseline",
	triage.CodePrivileged:       "a directory role reaches the user",
	triage.CodeRolesUnknown:     "directory roles could not be read",
	triage.CodeIncomplete:       "the open detections may be incomplete",
	triage.CodeNoDetections:     "at risk without an open detection that could be read",
	triage.CodeUncovered:        "an open detection is not covered by the allowlist",
	triage.CodeUnknownLevel:     "the user's risk level is not low, medium or high",
	triage.CodeLevelAbove:       "the user's level is above that of its detections",
	triage.CodePending:          "an earlier order may still take effect",
	triage.CodeRepeated:         "dismissed three times in 30 days",
	triage.CodeIneffective:      "an earlier dismissal had no effect",
	triage.CodeEscalatedOnce:    "confirmed compromised in this risk episode already",
	triage.CodeEscalationHidden: "an unknown value keeps an escalation from being ruled out",
	triage.CodeOwnIdentity:      "it is the identity that risksweep itself works as, or that is not known",
	triage.CodeFirstParty:       "an application of Microsoft's own, or it is not known whose",
	"order":                     "a person ordered it",
}

// whyText says in short why a decision is as it is.
func whyText(d triage.Decision) string {
	if d.NeedsPerson && d.Code == triage.CodeNotAtRisk { // confirmed, but the account is not yet secured
		return firstOf(d.Reasons...)
	}
	if d.NeedsPerson && d.Verdict != triage.Leave && len(d.Reasons) > 0 { // what a rule decided is not all that is to be done
		return codeText(d.Code) + "; " + d.Reasons[len(d.Reasons)-1]
	}
	return codeText(d.Code)
}

func codeText(code string) string {
	if s, ok := CodeTexts[code]; ok {
		return s
	}
	if code == "" {
		return "no rule file: not decided"
	}
	return code
}
