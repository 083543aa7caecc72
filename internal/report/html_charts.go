package report

import (
	"fmt"
	"html/template"
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

// The colours that charts are drawn in stand for the page's own, so that they
// follow light and dark: each becomes a CSS variable.
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

var themed = strings.NewReplacer(
	"rgb(1,2,3)", "var(--ink)", "rgb(1,2,4)", "var(--line)", "rgb(1,2,5)", "var(--accent)", "rgb(1,2,6)", "var(--high)",
	"rgb(1,2,7)", "var(--medium)", "rgb(1,2,8)", "var(--low)", "rgb(1,2,9)", "var(--other)",
)

func palette(series ...charts.Color) charts.ColorPalette {
	return charts.MakeTheme(charts.ThemeOption{
		AxisStrokeColor: lineColor, AxisSplitLineColor: lineColor, BackgroundColor: noColor, TextColor: inkColor,
		SeriesColors: series,
	})
}

// The measures of a chart; the page scales it to its column.
const (
	chartWidth  = 560
	chartHeight = 240
	maxBars     = 12
	maxDayBars  = 90
)

// historyChart stacks the open risk of each run by level.
func historyChart(points []Point) (template.HTML, error) {
	if len(points) == 0 {
		return "", nil
	}
	data := make([][]float64, 4)
	var labels []string
	for _, p := range points {
		for i, n := range [...]int{p.High, p.Medium, p.Low, p.OtherLevel} {
			data[i] = append(data[i], float64(n))
		}
		labels = append(labels, p.At.UTC().Format("Jan 2"))
	}
	return bars(barChart{values: data, labels: labels, series: []string{"high", "medium", "low", "other"},
		colors: []charts.Color{highColor, mediumColor, lowColor, otherColor}, stack: true})
}

// dayChart draws the detections of each day, the days without any as well.
func dayChart(byDay map[string]Split) (template.HTML, error) {
	days := make([]string, 0, len(byDay))
	for day := range byDay {
		if _, err := time.Parse(time.DateOnly, day); err == nil {
			days = append(days, day)
		}
	}
	if len(days) == 0 {
		return "", nil
	}
	last, err := time.Parse(time.DateOnly, slices.Max(days))
	if err != nil {
		return "", err
	}
	first, err := time.Parse(time.DateOnly, slices.Min(days))
	if err != nil {
		return "", err
	}
	if edge := last.AddDate(0, 0, 1-maxDayBars); first.Before(edge) {
		first = edge
	}
	data := make([][]float64, 2)
	var labels []string
	for at := first; !at.After(last); at = at.AddDate(0, 0, 1) {
		s := byDay[at.Format(time.DateOnly)]
		data[0] = append(data[0], float64(s.Open))
		data[1] = append(data[1], float64(s.All-s.Open))
		labels = append(labels, at.Format("Jan 2"))
	}
	return bars(barChart{values: data, labels: labels, series: []string{"open", "settled"},
		colors: []charts.Color{accentColor, otherColor}, stack: true})
}

// typeChart draws the largest numbers as lying bars.
func typeChart(list []counted) (template.HTML, error) {
	if len(list) == 0 {
		return "", nil
	}
	list = list[:min(len(list), maxBars)]
	data := make([][]float64, 2)
	var labels []string
	for _, c := range slices.Backward(list) { // the largest on top
		data[0] = append(data[0], float64(c.Open))
		data[1] = append(data[1], float64(c.All-c.Open))
		labels = append(labels, c.Key)
	}
	return bars(barChart{values: data, labels: labels, series: []string{"open", "settled"},
		colors: []charts.Color{accentColor, otherColor}, stack: true, lying: true})
}

// codeChart draws the decisions by reason.
func codeChart(list []counted) (template.HTML, error) {
	if len(list) == 0 {
		return "", nil
	}
	list = list[:min(len(list), maxBars)]
	data := make([][]float64, 1)
	var labels []string
	for _, c := range slices.Backward(list) {
		data[0] = append(data[0], float64(c.All))
		labels = append(labels, c.Key)
	}
	return bars(barChart{values: data, labels: labels, colors: []charts.Color{accentColor}, lying: true})
}

type barChart struct {
	values [][]float64
	labels []string
	series []string
	colors []charts.Color
	stack  bool
	lying  bool
}

// bars draws a chart as an SVG element.
func bars(c barChart) (template.HTML, error) {
	height := chartHeight
	if c.lying {
		height = max(120, 60+22*len(c.labels))
	}
	theme := palette(c.colors...)
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: chartWidth, Height: height, Theme: theme})
	opt := charts.NewBarChartOptionWithData(c.values)
	opt.Theme, opt.Horizontal, opt.StackSeries = theme, c.lying, charts.Ptr(c.stack)
	opt.Padding = charts.NewBox(8, 8, 24, 8)
	opt.CategoryAxis.Labels = plainLabels(c.labels)
	if !c.lying {
		opt.CategoryAxis.LabelCount = min(6, len(c.labels))
	}
	opt.Legend.SeriesNames = c.series
	opt.Legend.Show = charts.Ptr(len(c.series) > 0)
	opt.ValueFormatter = func(f float64) string {
		if f != float64(int64(f)) {
			return ""
		}
		return fmt.Sprint(int64(f))
	}
	if err := p.BarChart(opt); err != nil {
		return "", fmt.Errorf("drawing a chart: %w", err)
	}
	svg, err := p.Bytes()
	if err != nil {
		return "", fmt.Errorf("drawing a chart: %w", err)
	}
	return template.HTML(themed.Replace(string(svg))), nil //nolint:gosec // labels are reduced to plain text before
}

// plainLabels keeps of a label what is letters, digits and plain signs: names
// of types and countries, whoever made them, draw no markup.
func plainLabels(labels []string) []string {
	out := make([]string, len(labels))
	for i, l := range labels {
		l = strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" ()-_.:/", r) {
				return r
			}
			return '·'
		}, l)
		if runes := []rune(l); len(runes) > maxLabel {
			l = string(runes[:maxLabel-1]) + "…"
		}
		out[i] = l
	}
	return out
}

// maxLabel is how many letters of a label are drawn.
const maxLabel = 34
