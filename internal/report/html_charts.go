package report

import (
	"fmt"
	"html/template"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/go-analyze/charts"
)

// Point is the open risk that one run read, for the chart over the last runs.
type Point struct {
	Run                           string
	At                            time.Time
	High, Medium, Low, OtherLevel int
}

// Total is the number of users with open risk.
func (p Point) Total() int { return p.High + p.Medium + p.Low + p.OtherLevel }

// The colours that charts are drawn in stand for classes of the page's style,
// so that they follow light, dark and print.
var (
	inkColor    = charts.Color{R: 1, G: 2, B: 3, A: 255}
	lineColor   = charts.Color{R: 1, G: 2, B: 4, A: 255}
	accentColor = charts.Color{R: 1, G: 2, B: 5, A: 255}
	highColor   = charts.Color{R: 1, G: 2, B: 6, A: 255}
	mediumColor = charts.Color{R: 1, G: 2, B: 7, A: 255}
	lowColor    = charts.Color{R: 1, G: 2, B: 8, A: 255}
	otherColor  = charts.Color{R: 1, G: 2, B: 9, A: 255}
	noColor     = charts.Color{}
)

// chartStyle finds the styles that the library writes on each element. The
// page's policy allows none, so each becomes a class.
var chartStyle = regexp.MustCompile(` style="([^"]*)"`)

var chartClasses = map[string]string{
	"stroke:none;fill:none":                      "c-no",
	"stroke-width:1;stroke:rgb(1,2,4);fill:none": "c-line",
	"stroke:none;fill:rgb(1,2,5)":                "c-accent",
	"stroke:none;fill:rgb(1,2,6)":                "c-high",
	"stroke:none;fill:rgb(1,2,7)":                "c-medium",
	"stroke:none;fill:rgb(1,2,8)":                "c-low",
	"stroke:none;fill:rgb(1,2,9)":                "c-other",
}

func palette(series ...charts.Color) charts.ColorPalette {
	return charts.MakeTheme(charts.ThemeOption{
		AxisStrokeColor: lineColor, AxisSplitLineColor: lineColor, BackgroundColor: noColor, TextColor: inkColor,
		SeriesColors: series,
	})
}

// The measures of a chart; the page scales it to its column.
const (
	chartWidth  = 560
	chartHeight = 220
	chartFont   = 9 // points
	maxBars     = 12
	maxDayBars  = 90
	minRuns     = 8
	maxLabel    = 34 // letters
)

// chart is one figure of the page.
type chart struct {
	Title, Says string // Says tells in a sentence what is to be seen
	Legend      []legend
	SVG         template.HTML
}

type legend struct{ Class, Name string }

var (
	byLevel = []legend{{"c-high", "high"}, {"c-medium", "medium"}, {"c-low", "low"}, {"c-other", "other"}}
	byOpen  = []legend{{"c-accent", "open"}, {"c-other", "settled"}}
)

// historyChart stacks the open risk of each run by level.
func historyChart(points []Point) (*chart, error) {
	if len(points) == 0 {
		return nil, nil
	}
	data := make([][]float64, 4)
	var labels []string
	for range minRuns - len(points) { // what runs are still to come leaves room
		for i := range data {
			data[i] = append(data[i], 0)
		}
		labels = append(labels, "")
	}
	for _, p := range points {
		for i, n := range [...]int{p.High, p.Medium, p.Low, p.OtherLevel} {
			data[i] = append(data[i], float64(n))
		}
		labels = append(labels, p.At.UTC().Format("Jan 2"))
	}
	last := points[len(points)-1]
	says := fmt.Sprintf("This run read %s with open risk: %d high, %d medium, %d low.", Number(last.Total(), "user"), last.High, last.Medium, last.Low)
	if first := points[0]; len(points) > 1 {
		says += fmt.Sprintf(" The run of %s read %d.", date(first.At), first.Total())
	}
	shown := byLevel
	if !slices.ContainsFunc(points, func(p Point) bool { return p.OtherLevel > 0 }) {
		shown, data = byLevel[:3], data[:3]
	}
	return bars(chart{Title: "Users with open risk, by level, over the last runs", Says: says, Legend: shown},
		barChart{values: data, labels: labels, colors: []charts.Color{highColor, mediumColor, lowColor, otherColor}[:len(data)]})
}

// dayChart draws the detections of each day, the days without any as well.
func dayChart(byDay map[string]Split) (*chart, error) {
	days := make([]string, 0, len(byDay))
	for day := range byDay {
		if _, err := time.Parse(time.DateOnly, day); err == nil {
			days = append(days, day)
		}
	}
	if len(days) == 0 {
		return nil, nil
	}
	last, err := time.Parse(time.DateOnly, slices.Max(days))
	if err != nil {
		return nil, err
	}
	first, err := time.Parse(time.DateOnly, slices.Min(days))
	if err != nil {
		return nil, err
	}
	if edge := last.AddDate(0, 0, 1-maxDayBars); first.Before(edge) {
		first = edge
	}
	data := make([][]float64, 2)
	var labels []string
	most, total := first, 0
	for at := first; !at.After(last); at = at.AddDate(0, 0, 1) {
		s := byDay[at.Format(time.DateOnly)]
		data[0] = append(data[0], float64(s.Open))
		data[1] = append(data[1], float64(s.All-s.Open))
		labels = append(labels, at.Format("Jan 2"))
		total += s.All
		if s.All > byDay[most.Format(time.DateOnly)].All {
			most = at
		}
	}
	says := fmt.Sprintf("%s from %s to %s, the most, %d, on %s.", Number(total, "detection"), first.Format(time.DateOnly), last.Format(time.DateOnly),
		byDay[most.Format(time.DateOnly)].All, most.Format(time.DateOnly))
	return bars(chart{Title: "Detections by day, UTC", Says: says, Legend: byOpen},
		barChart{values: data, labels: labels, colors: []charts.Color{accentColor, otherColor}})
}

// typeChart draws the largest numbers as lying bars.
func typeChart(list []counted) (*chart, error) {
	if len(list) == 0 {
		return nil, nil
	}
	says := fmt.Sprintf("The most frequent type is %s: %s, %d of them open.", plainLabel(list[0].Key), Number(list[0].All, "detection"), list[0].Open)
	list = list[:min(len(list), maxBars)]
	data := make([][]float64, 2)
	var labels []string
	for _, c := range slices.Backward(list) { // the largest on top
		data[0] = append(data[0], float64(c.Open))
		data[1] = append(data[1], float64(c.All-c.Open))
		labels = append(labels, c.Key)
	}
	return bars(chart{Title: "Detections by type", Says: says, Legend: byOpen},
		barChart{values: data, labels: labels, colors: []charts.Color{accentColor, otherColor}, lying: true})
}

// codeChart draws the decisions by reason.
func codeChart(list []counted) (*chart, error) {
	if len(list) == 0 {
		return nil, nil
	}
	says := fmt.Sprintf("The most frequent reason is %s: %s.", plainLabel(list[0].Key), Number(list[0].All, "user"))
	list = list[:min(len(list), maxBars)]
	data := make([][]float64, 1)
	var labels []string
	for _, c := range slices.Backward(list) {
		data[0] = append(data[0], float64(c.All))
		labels = append(labels, c.Key)
	}
	return bars(chart{Title: "Decisions by reason", Says: says},
		barChart{values: data, labels: labels, colors: []charts.Color{accentColor}, lying: true})
}

type barChart struct {
	values [][]float64
	labels []string
	colors []charts.Color
	lying  bool
}

// bars draws a chart as an SVG element.
func bars(c chart, b barChart) (*chart, error) {
	height := chartHeight
	if b.lying {
		height = 36 + 22*len(b.labels)
	}
	theme := palette(b.colors...)
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: chartWidth, Height: height, Theme: theme})
	opt := charts.NewBarChartOptionWithData(b.values)
	opt.Theme, opt.Horizontal, opt.StackSeries = theme, b.lying, charts.Ptr(true)
	opt.Padding = charts.NewBox(2, 6, 16, 2)
	opt.Legend.Show = charts.Ptr(false) // the page has its own
	font := charts.NewFontStyleWithSize(chartFont)
	opt.CategoryAxis.Labels, opt.CategoryAxis.LabelFontStyle = plainLabels(b.labels), font
	whole := func(f float64) string {
		if f != float64(int64(f)) {
			return ""
		}
		return fmt.Sprint(int64(f))
	}
	opt.ValueFormatter = whole
	opt.ValueAxis = []charts.ValueAxisOption{{LabelFontStyle: font, ValueFormatter: whole, Min: charts.Ptr(0.0)}}
	if b.lying {
		// The browser's letters may be wider than those that were measured.
		opt.CategoryAxis.LabelOffset = charts.OffsetInt{Left: -8}
		opt.Padding.Left = 10
	} else {
		opt.CategoryAxis.BoundaryGap = charts.Ptr(true)
		opt.BarSize = 0.65
		if len(b.labels) > 10 {
			opt.CategoryAxis.LabelCount = 6
		}
	}
	if err := p.BarChart(opt); err != nil {
		return nil, fmt.Errorf("drawing a chart: %w", err)
	}
	svg, err := p.Bytes()
	if err != nil {
		return nil, fmt.Errorf("drawing a chart: %w", err)
	}
	c.SVG = inPage(string(svg), c)
	return &c, nil
}

// inPage makes the library's document a part of the page: named, without
// styles of its own.
func inPage(svg string, c chart) template.HTML {
	svg = chartStyle.ReplaceAllStringFunc(svg, func(s string) string {
		style := chartStyle.FindStringSubmatch(s)[1]
		if class, ok := chartClasses[style]; ok {
			return ` class="` + class + `"`
		}
		return "" // text: as the page has it
	})
	_, svg, _ = strings.Cut(svg, "viewBox")
	return template.HTML(`<svg role="img" viewBox` + strings.Replace(svg, ">", "><title>"+template.HTMLEscapeString(c.Title)+"</title><desc>"+ //nolint:gosec // labels are reduced to plain text before
		template.HTMLEscapeString(c.Says)+"</desc>", 1))
}

// plainLabel keeps of a label what is letters, digits and plain signs: names
// of types and countries, whoever made them, draw no markup.
func plainLabel(l string) string {
	l = strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" ()-_.:/", r) {
			return r
		}
		return '·'
	}, l)
	if runes := []rune(l); len(runes) > maxLabel {
		l = string(runes[:maxLabel-1]) + "…"
	}
	return l
}

func plainLabels(labels []string) []string {
	out := make([]string, len(labels))
	for i, l := range labels {
		out[i] = plainLabel(l)
	}
	return out
}
