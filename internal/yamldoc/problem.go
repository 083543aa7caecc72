// Package yamldoc reads YAML and JSON text into nodes that know where they
// stand, and gathers what is wrong with them: every mistake at once, each with
// file, line, column, the offending text and the nearest right name.
//
// It knows nothing of what a document means, opens no file and never guesses:
// what is ambiguous in YAML (duplicate keys, several documents, tags) is a
// problem. Size, depth and the expansion of aliases are bounded.
package yamldoc

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Problem is one mistake in a document.
type Problem struct {
	File string
	// Line and Column count from 1; 0 means that the problem has no place in
	// the text.
	Line, Column int
	// Path is the path of the node, such as limits.maxDismissals.
	Path string
	// Message says what is wrong, in one line.
	Message string
	// Offending is the text that is wrong, empty if there is none or it must
	// not be shown.
	Offending string
	// Suggestion is the nearest right name, empty if nothing is near.
	Suggestion string
	// Warning is true if the document can be used all the same.
	Warning bool
}

// Error writes the problem in one line:
//
//	risksweep.yaml:12:5: limits.maxDismisals: unknown key (did you mean "maxDismissals"?)
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(oneLine(p.File))
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	if p.Warning {
		b.WriteString("warning: ")
	}
	if p.Path != "" {
		b.WriteString(bounded(oneLine(p.Path)) + ": ")
	}
	b.WriteString(bounded(oneLine(p.Message)))
	if p.Suggestion != "" {
		fmt.Fprintf(&b, " (did you mean %q?)", p.Suggestion)
	}
	return b.String()
}

// Problems are the mistakes of one or more documents, sorted by file, line and
// column.
type Problems []Problem

// Error gives one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Err returns the problems as an error, nil if there are none but warnings.
func (ps Problems) Err() error {
	if errs := ps.Errors(); len(errs) > 0 {
		return errs
	}
	return nil
}

// Errors are the problems that are not warnings.
func (ps Problems) Errors() Problems { return ps.pick(false) }

// Warnings are the problems that a document can be used with.
func (ps Problems) Warnings() Problems { return ps.pick(true) }

func (ps Problems) pick(warning bool) Problems {
	var picked Problems
	for _, p := range ps {
		if p.Warning == warning {
			picked = append(picked, p)
		}
	}
	return picked
}

// Sort orders the problems by file, line and column, equal ones as they came.
func (ps Problems) Sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
}

// oneLine keeps line breaks and control characters out of a message.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
}

// bounded leaves out the middle of a text that nobody would read to its end: what
// is wrong stands at its beginning and what is to be done at its end.
func bounded(s string) string {
	const head, tail = 500, 300
	if r := []rune(s); len(r) > head+tail+100 {
		return string(r[:head]) + " … " + string(r[len(r)-tail:])
	}
	return s
}

// shorten keeps an offending text from flooding the message.
func shorten(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
