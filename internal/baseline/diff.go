package baseline

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// differences names each member in which two canonical documents differ, in
// words; before may be nil.
func differences(before, after map[string]any, n namer) []plan.Difference {
	var out []plan.Difference
	diffObject(before, after, "", n, &out)
	return out
}

func diffObject(before, after map[string]any, path string, n namer, out *[]plan.Difference) {
	names := maps.Clone(before)
	if names == nil {
		names = map[string]any{}
	}
	maps.Copy(names, after)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		a, b := before[name], after[name]
		if reflect.DeepEqual(a, b) {
			continue
		}
		p := join(path, name)
		am, aok := a.(map[string]any)
		bm, bok := b.(map[string]any)
		if (aok || a == nil) && (bok || b == nil) && (aok || bok) {
			diffObject(am, bm, p, n, out)
			continue
		}
		*out = append(*out, plan.Difference{Path: p, Old: raw(a), New: raw(b), Text: p + ": " + said(a, b, n)})
	}
}

func raw(v any) json.RawMessage {
	if v == nil {
		return nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return text
}

// said puts one difference into words.
func said(a, b any, n namer) string {
	al, aok := a.([]any)
	bl, bok := b.([]any)
	if (aok || a == nil) && (bok || b == nil) {
		var parts []string
		if more := without(bl, al); len(more) > 0 {
			parts = append(parts, "added "+words(more, n))
		}
		if less := without(al, bl); len(less) > 0 {
			parts = append(parts, "removed "+words(less, n))
		}
		return strings.Join(parts, ", ")
	}
	switch {
	case a == nil:
		return "set to " + word(b, n)
	case b == nil:
		return "removed, was " + word(a, n)
	}
	return fmt.Sprintf("%s becomes %s", word(a, n), word(b, n))
}

// without are the elements of a that are not in b: a location holds thousands
// of ranges, so they are looked up by their JSON.
func without(a, b []any) []any {
	known := make(map[string]bool, len(b))
	for _, v := range b {
		known[string(raw(v))] = true
	}
	var out []any
	for _, v := range a {
		if !known[string(raw(v))] {
			out = append(out, v)
		}
	}
	return out
}

// words names what a list holds, in the order of the names: ids have none that
// says anything.
func words(list []any, n namer) string {
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = word(v, n)
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func word(v any, n namer) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("%q", n.name(v))
	case map[string]any:
		if c := text(v, "cidrAddress"); c != "" {
			return c
		}
		if lo := text(v, "lowerAddress"); lo != "" {
			return lo + "-" + text(v, "upperAddress")
		}
	case []any:
		return words(v, n)
	}
	return string(raw(v))
}

// The colours of a diff on a terminal.
const (
	red, green, yellow, cyan, dim, plain = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m", "\x1b[2m", "\x1b[0m"
)

// kindWords and stateWords are how the head line of an entry calls things.
var (
	kindWords  = map[entra.ObjectKind]string{entra.KindPolicy: "policy", entra.KindLocation: "named location", entra.KindStrength: "authentication strength"}
	stateWords = map[string]string{entra.PolicyReportOnly: "report-only"}
	signs      = map[Status]string{Create: "+", Update: "~", Renamed: "~", Prune: "-", Blocked: "!", InSync: "=", Unmanaged: "?", Gone: "-"}
)

// RenderDiff writes one entry as text for a person: a head line with a sign
// (+ create, ~ update, - prune, ! blocked, = in sync, ? not ours), what it does
// if it is new, its differences otherwise, and its reasons. Control characters
// in names are made visible.
func RenderDiff(e Entry, color bool) string {
	paint := func(c, s string) string {
		if !color {
			return s
		}
		return c + s + plain
	}
	c := dim
	switch e.Status {
	case Create:
		c = green
	case Update, Renamed:
		c = yellow
	case Prune, Blocked:
		c = red
	}
	var b strings.Builder
	b.WriteString(paint(c, signs[e.Status]+" "+e.head()+": "+string(e.Status)) + "\n")
	differences := e.Differences
	if e.Status == Create || e.Status == Blocked && e.ID == "" && e.Adopt == "" { // all of it is new
		if differences = nil; e.Summary != "" {
			b.WriteString("    " + paint(c, visible(e.Summary)) + "\n")
		}
	}
	if e.Adopt != "" { // why comes before what
		e.reasons(&b, paint)
	}
	for _, d := range differences {
		line := c
		switch {
		case d.Old == nil:
			line = green
		case d.New == nil:
			line = red
		}
		b.WriteString("    " + paint(line, visible(d.Text)) + "\n")
	}
	if e.Adopt == "" {
		e.reasons(&b, paint)
	}
	return b.String()
}

// head names an entry: its kind, its name, its key unless the name begins with
// it, and the state of a policy.
func (e Entry) head() string {
	kind, state := kindWords[e.Kind], stateWords[e.State]
	if kind == "" {
		kind = string(e.Kind)
	}
	if state == "" {
		state = e.State
	}
	s := kind + " " + visible(e.DisplayName)
	if e.Key != "" && e.Key != e.DisplayName && !strings.HasPrefix(e.DisplayName, e.Key+" ") {
		s += " [" + visible(e.Key) + "]"
	}
	if state != "" {
		s += " (" + visible(state) + ")"
	}
	return s
}

func (e Entry) reasons(b *strings.Builder, paint func(c, s string) string) {
	for _, r := range e.Reasons {
		b.WriteString("    " + paint(cyan, "· "+visible(r)) + "\n")
	}
}

// visible keeps text from the tenant from steering the terminal.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
			return '\ufffd'
		}
		return r
	}, s)
}
