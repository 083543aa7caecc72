package report

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Point is the open risk that one run read, for the chart over the last runs.
type Point struct {
	Run                           string
	At                            time.Time
	High, Medium, Low, OtherLevel int
}

// Total is the number of users with open risk.
func (p Point) Total() int { return p.High + p.Medium + p.Low + p.OtherLevel }

// How much a chart shows.
const (
	maxBars    = 12 // lying bars
	maxDayBars = 90
	minRuns    = 8  // a short history leaves room for the runs to come
	maxLabel   = 34 // letters
)

// chart is one figure of the page.
type chart struct {
	Title, Says string // Says tells in a sentence what is to be seen
	Legend      []series
	drawing
}

// series is one colour of a chart: a class of the page's style, so that it
// follows light, dark and print.
type series struct{ Class, Name string }

// column is one bar: a label, and a number for each series.
type column struct {
	Label  string
	Values []int
}

var (
	byLevel = []series{{"c-high", "high"}, {"c-medium", "medium"}, {"c-low", "low"}, {"c-other", "other"}}
	byOpen  = []series{{"c-accent", "open"}, {"c-other", "settled"}}
)

// historyChart stacks the open risk of each run by level.
func historyChart(points []Point) *chart {
	if len(points) == 0 {
		return nil
	}
	var columns []column
	for _, p := range points {
		columns = append(columns, column{p.At.UTC().Format("Jan 2"), []int{p.High, p.Medium, p.Low, p.OtherLevel}})
	}
	for range minRuns - len(points) {
		columns = append(columns, column{})
	}
	last := points[len(points)-1]
	says := fmt.Sprintf("This run read %s with open risk: %d high, %d medium, %d low.", Number(last.Total(), "user"), last.High, last.Medium, last.Low)
	if first := points[0]; len(points) > 1 {
		says += fmt.Sprintf(" The run of %s read %d.", date(first.At), first.Total())
	} else {
		says += " It is the first run of this chart."
	}
	shown := byLevel
	if !slices.ContainsFunc(points, func(p Point) bool { return p.OtherLevel > 0 }) {
		shown = byLevel[:3]
	}
	title := "Users with open risk, by level, over the last runs"
	if len(points) == 1 {
		title = "Users with open risk, by level: this is the first run, a trend needs more"
	}
	return &chart{Title: title, Says: says, Legend: shown, drawing: standing(shown, columns)}
}

// dayChart draws the detections of each day, the days without any as well.
func dayChart(byDay map[string]Split) *chart {
	var days []time.Time
	for day := range byDay {
		if at, err := time.Parse(time.DateOnly, day); err == nil {
			days = append(days, at)
		}
	}
	if len(days) == 0 {
		return nil
	}
	first, last := slices.MinFunc(days, time.Time.Compare), slices.MaxFunc(days, time.Time.Compare)
	if edge := last.AddDate(0, 0, 1-maxDayBars); first.Before(edge) {
		first = edge
	}
	var columns []column
	most, total := first, 0
	for at := first; !at.After(last); at = at.AddDate(0, 0, 1) {
		s := byDay[at.Format(time.DateOnly)]
		columns = append(columns, column{at.Format("Jan 2"), []int{s.Open, s.All - s.Open}})
		total += s.All
		if s.All > byDay[most.Format(time.DateOnly)].All {
			most = at
		}
	}
	says := fmt.Sprintf("%s from %s to %s, the most, %d, on %s.", Number(total, "detection"), first.Format(time.DateOnly), last.Format(time.DateOnly),
		byDay[most.Format(time.DateOnly)].All, most.Format(time.DateOnly))
	return &chart{Title: "Detections by day, UTC", Says: says, Legend: byOpen, drawing: standing(byOpen, columns)}
}

// typeChart draws the most frequent types of detection, the largest first.
func typeChart(list []counted) *chart {
	if len(list) == 0 {
		return nil
	}
	var columns []column
	for _, c := range list[:min(len(list), maxBars)] {
		columns = append(columns, column{c.Key, []int{c.Open, c.All - c.Open}})
	}
	return &chart{Title: "Detections by type", Legend: byOpen, drawing: lying(byOpen, columns),
		Says: fmt.Sprintf("The most frequent type is %s: %s, %d of them open.", plainLabel(list[0].Key), Number(list[0].All, "detection"), list[0].Open)}
}

// codeChart draws the decisions by reason, the largest first.
func codeChart(list []counted) *chart {
	if len(list) == 0 {
		return nil
	}
	var columns []column
	for _, c := range list[:min(len(list), maxBars)] {
		columns = append(columns, column{c.Key, []int{c.All}})
	}
	return &chart{Title: "Decisions by reason", drawing: lying([]series{{Class: "c-accent"}}, columns),
		Says: fmt.Sprintf("The most frequent reason is %s: %s.", plainLabel(list[0].Key), Number(list[0].All, "user"))}
}

// drawing is a chart as the page's template draws it, in units of its own; the
// page scales it to its column.
type drawing struct {
	Width, Height int
	Bars          []rect
	Grid          []gridLine
	Words         []word
}

type rect struct {
	Class      string
	X, Y, W, H float64
}

type gridLine struct{ X1, Y1, X2, Y2 float64 }

type word struct {
	X, Y   float64
	Anchor string // start, middle or end
	Text   string
}

// The measures of a drawing.
const (
	drawWidth  = 480
	drawHeight = 200
	rowHeight  = 22   // of a lying bar
	letter     = 6.3  // the width of a letter, generous
	share      = 0.68 // of its place that a bar takes
	maxTicks   = 4
	maxWords   = 6 // below standing bars
)

// standing draws bars side by side with a scale at the left.
func standing(shown []series, columns []column) drawing {
	d := drawing{Width: drawWidth, Height: drawHeight}
	top, step := scale(columns)
	left := letter*float64(len(fmt.Sprint(top))) + 8
	bottom, height := float64(drawHeight-18), float64(drawHeight-18-8)
	for n := 0; n <= top; n += step {
		y := bottom - height*float64(n)/float64(top)
		d.Grid = append(d.Grid, gridLine{left, y, drawWidth, y})
		d.Words = append(d.Words, word{left - 6, y + 4, "end", fmt.Sprint(n)})
	}
	place := (drawWidth - left) / float64(len(columns))
	every := (len(columns) + maxWords - 1) / maxWords
	for i, c := range columns {
		x, y := left+place*float64(i), bottom
		for s, n := range c.Values[:min(len(shown), len(c.Values))] {
			h := height * float64(n) / float64(top)
			if y -= h; n > 0 {
				d.Bars = append(d.Bars, rect{shown[s].Class, x + place*(1-share)/2, y, place * share, h})
			}
		}
		if i%every == 0 && c.Label != "" {
			half := letter * float64(len(c.Label)) / 2
			d.Words = append(d.Words, word{min(max(x+place/2, half), drawWidth-half), drawHeight - 4, "middle", c.Label})
		}
	}
	return d
}

// lying draws bars below each other, each with its name before and its number
// behind it.
func lying(shown []series, columns []column) drawing {
	d := drawing{Width: drawWidth, Height: 4 + rowHeight*len(columns)}
	top, names := 1, 0
	for _, c := range columns {
		top, names = max(top, total(c)), max(names, len([]rune(plainLabel(c.Label))))
	}
	left := letter*float64(names) + 8
	width := drawWidth - left - letter*float64(len(fmt.Sprint(top))) - 8
	for i, c := range columns {
		x, y := left, float64(2+rowHeight*i)
		d.Words = append(d.Words, word{left - 8, y + rowHeight/2 + 4, "end", plainLabel(c.Label)})
		for s, n := range c.Values {
			w := width * float64(n) / float64(top)
			if n > 0 {
				d.Bars = append(d.Bars, rect{shown[s].Class, x, y + rowHeight*(1-share)/2, w, rowHeight * share})
			}
			x += w
		}
		d.Words = append(d.Words, word{x + 6, y + rowHeight/2 + 4, "start", fmt.Sprint(total(c))})
	}
	return d
}

func total(c column) (n int) {
	for _, v := range c.Values {
		n += v
	}
	return n
}

// scale gives the upper end of a scale and the step between its lines: 1, 2 or
// 5 times a power of ten.
func scale(columns []column) (top, step int) {
	most := 1
	for _, c := range columns {
		most = max(most, total(c))
	}
	for power := 1; ; power *= 10 {
		for _, digit := range []int{1, 2, 5} {
			if step = digit * power; (most+step-1)/step <= maxTicks {
				return (most + step - 1) / step * step, step
			}
		}
	}
}

// plainLabel keeps of a label what is letters, digits and plain signs, and not
// too many of them: types and countries are named by others.
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
