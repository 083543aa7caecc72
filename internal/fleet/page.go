package fleet

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"strings"
	"sync"
	"time"
)

//go:embed page.tmpl
var pageText string

//go:embed page.css
var pageCSS string

//go:embed page.js
var pageJS string

// Link says where a page finds the report of a tenant's run.
type Link func(Summary) string

// InStore leads from fleet/index.html to a report, in a folder and in a
// container alike.
func InStore(s Summary) string { return relative("../", s.Path()) }

// InAPI leads to a report by the API of serve.
func InAPI(s Summary) string {
	if s.Path() == "" {
		return ""
	}
	return "/api/runs/" + url.PathEscape(s.Run) + "/files/report.html?tenant=" + url.QueryEscape(s.Tenant)
}

func relative(up, path string) string {
	if path == "" {
		return ""
	}
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return up + strings.Join(parts, "/")
}

var pageTemplate = sync.OnceValues(func() (*template.Template, error) {
	return template.New("fleet").Funcs(template.FuncMap{
		"points": points, "few": few, "tenants": tenants,
		"when": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") },
		"stamp": func(t time.Time) int64 {
			if t.IsZero() {
				return 0
			}
			return t.Unix()
		},
	}).Parse(pageText)
})

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// row is a tenant as the page shows it.
type row struct {
	Summary
	N    Numbers
	Link string
	Age  string
	// Rank is the place by which the page puts the worst first again.
	Rank int
}

// WriteHTML writes the page: one file that needs nothing else.
func WriteHTML(w io.Writer, f Fleet, link Link) error {
	t, err := pageTemplate()
	if err != nil {
		return err
	}
	rows := make([]row, len(f.Tenants))
	for i, s := range f.Tenants {
		rows[i] = row{Summary: s, N: s.numbers(), Link: link(s), Rank: i, Age: AgeWords(s.LastSuccess, f.At)}
	}
	first := min(len(f.Campaigns), firstCommon)
	return t.Execute(w, map[string]any{"F": f, "Rows": rows, "First": f.Campaigns[:first], "More": f.Campaigns[first:],
		"CSS": template.CSS(pageCSS), "JS": template.JS(pageJS), //nolint:gosec // our own files
		"CSSHash": hashOf(pageCSS), "JSHash": hashOf(pageJS)})
}

// How many of what tenants have in common the page shows at first, and how many
// tenants it names of each.
const firstCommon, fewNames = 3, 6

func few(names []string) string {
	if len(names) > fewNames {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:fewNames], ", "), len(names)-fewNames)
	}
	return strings.Join(names, ", ")
}

// points draws a trend as the points of a line, 80 wide and 16 high; empty with
// less than two.
func points(trend []Point) string {
	if len(trend) < 2 {
		return ""
	}
	most := 1
	for _, p := range trend {
		most = max(most, p.Open)
	}
	var b strings.Builder
	for i, p := range trend {
		fmt.Fprintf(&b, "%.1f,%.1f ", float64(i)*80/float64(len(trend)-1), 15-14*float64(p.Open)/float64(most))
	}
	return strings.TrimSpace(b.String())
}
