package report

import (
	"fmt"
	"strings"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/plan"
)

// NoEffect says that a change is one of words alone.
const NoEffect = "none; nobody is asked for more or for less"

// EffectTexts says what a change means to people, in a line each. Through names
// the policies by which it does so without being changed themselves. A nil list
// is not known, and says nothing.
func EffectTexts(list []plan.Effect, through []string) []string {
	if list == nil {
		return nil
	}
	if len(list) == 0 {
		return []string{NoEffect}
	}
	out := make([]string, len(list))
	for i, e := range list {
		text := Number(e.Users, "user")
		if len(e.Examples) > 0 {
			text += " (" + strings.Join(e.Examples, ", ")
			if e.Users > len(e.Examples) {
				text += ", …"
			}
			text += ")"
		}
		text += " " + access.Effect(e).Sentence()
		if e.AtRisk > 0 {
			text += fmt.Sprintf("; %d of them at risk now", e.AtRisk)
		}
		if len(through) > 0 {
			text += "; through " + listText(through) + ", not changed by itself"
		}
		out[i] = text
	}
	return out
}
