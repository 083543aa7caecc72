package expectation

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// The two forms for pipelines.

type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name      string        `xml:"name,attr"`
	ClassName string        `xml:"classname,attr"`
	File      string        `xml:"file,attr"`
	Line      int           `xml:"line,attr"`
	Failure   *junitFailure `xml:"failure"`
	Skipped   *junitSkipped `xml:"skipped"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

type junitSkipped struct {
	Message string `xml:"message,attr"`
}

// aboutNobody is said of an expectation that nobody is meant by: that nothing
// breaks it proves nothing.
const aboutNobody = "there is nobody whom it is about"

// WriteJUnit writes the verdicts as a JUnit report with one suite for each set
// of policies.
func WriteJUnit(w io.Writer, sets []SetVerdicts) error {
	var all junitSuites
	for _, s := range sets {
		suite := junitSuite{Name: s.Tenant + " " + s.Policies, Tests: len(s.Verdicts)}
		for _, v := range s.Verdicts {
			c := junitCase{Name: v.Name, ClassName: s.Tenant + "." + s.Policies, File: v.File, Line: v.Line}
			switch {
			case !v.Holds:
				suite.Failures++
				c.Failure = &junitFailure{Message: v.Failures[0], Text: strings.Join(v.Failures, "\n")}
			case v.Nobody:
				suite.Skipped++
				c.Skipped = &junitSkipped{Message: aboutNobody}
			}
			suite.Cases = append(suite.Cases, c)
		}
		all.Suites = append(all.Suites, suite)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// SetVerdicts are the verdicts on one set of policies, live or planned.
type SetVerdicts struct {
	Tenant   string    `json:"tenant"`
	Policies string    `json:"policies"`
	Verdicts []Verdict `json:"-"`
}

// WriteMarkdown writes the verdicts as a table for a pull request.
func WriteMarkdown(w io.Writer, sets []SetVerdicts) error {
	var b strings.Builder
	for _, s := range sets {
		fmt.Fprintf(&b, "### %s: %s policies\n\n| | expectation | what is not as expected |\n|---|---|---|\n", cell(s.Tenant), s.Policies)
		for _, v := range s.Verdicts {
			mark, why := "holds", strings.Join(v.Failures, "; ")
			switch {
			case !v.Holds:
				mark = "**broken**"
			case v.Nobody:
				mark, why = "about nobody", aboutNobody
			}
			fmt.Fprintf(&b, "| %s | %s (%s:%d) | %s |\n", mark, cell(v.Name), cell(v.File), v.Line, cell(why))
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cell keeps text within its cell and without markup.
func cell(s string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ", "<", "&lt;", ">", "&gt;", "`", "\\`", "*", "\\*", "[", "\\[").Replace(s)
}
