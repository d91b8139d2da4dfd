package main

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// panel is one chart of a figure: lines over Ticks, or groups of bars.
type panel struct {
	Title string
	X, Y  string   // what the axes are, with units
	Ticks []string // of the x axis, evenly spaced
	Lines []line
	Bars  bool
	Top   float64 // of the y axis; 0 is what the values need
}

// line is a series; math.NaN is a value that is not there.
type line struct {
	Name string
	Ys   []float64
}

// Measures of a panel, in pixels.
const (
	panelWide = 470
	panelHigh = 270
	padLeft   = 58
	padRight  = 14
	padTop    = 34
	padBottom = 50
	legendRow = 20
)

// colours are eight that people with colour blindness tell apart (Okabe & Ito 2008),
// darkened where they are pale; dashes tell lines apart without colour.
var (
	colours = []string{"#0072b2", "#d55e00", "#009e73", "#b35a8c", "#8a7400", "#3c9fd6", "#767676", "#a0522d"}
	dashes  = []string{"", "7 4", "2 3", "9 3 2 3", "", "7 4", "2 3", "9 3 2 3"}
)

const plotStyle = `text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;fill:#222}
.t{font-size:13px;font-weight:600}.h{font-size:15px;font-weight:600}.s{fill:#555}.bg{fill:#fff}.g{stroke:#ddd}.a{stroke:#777}
@media(prefers-color-scheme:dark){text{fill:#e6e6e6}.s{fill:#aaa}.bg{fill:#15181b}.g{stroke:#333a40}.a{stroke:#888}}`

// figure draws panels two in a row under one title, with one legend for all.
func figure(title, note string, ps []panel) string {
	var names []string
	for _, p := range ps {
		for _, l := range p.Lines {
			if !slices.Contains(names, l.Name) {
				names = append(names, l.Name)
			}
		}
	}
	columns := min(2, len(ps))
	width := columns * panelWide
	legend, legendHigh := drawLegend(names, width)
	top := 44 + legendHigh
	high := top + (len(ps)+columns-1)/columns*panelHigh + 24
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s"><style>%s</style>`+"\n",
		width, high, width, high, html.EscapeString(title), plotStyle)
	fmt.Fprintf(&b, `<rect class="bg" width="%d" height="%d"/><text class="h" x="14" y="24">%s</text>`+"\n", width, high, html.EscapeString(title))
	b.WriteString(legend)
	for i, p := range ps {
		fmt.Fprintf(&b, `<g transform="translate(%d %d)">`+"\n", i%columns*panelWide, top+i/columns*panelHigh)
		p.draw(&b, names)
		b.WriteString("</g>\n")
	}
	fmt.Fprintf(&b, `<text class="s" x="14" y="%d">%s</text></svg>`+"\n", high-9, html.EscapeString(note))
	return b.String()
}

func drawLegend(names []string, width int) (svg string, high int) {
	var b strings.Builder
	x, y := 14, 46
	for i, name := range names {
		w := 44 + 7*len([]rune(name))
		if x+w > width && x > 14 {
			x, y = 14, y+legendRow
		}
		fmt.Fprintf(&b, `<path d="M%d %dh24" stroke="%s" stroke-width="3" stroke-dasharray="%s"/><text x="%d" y="%d">%s</text>`+"\n",
			x, y, colours[i%len(colours)], dashes[i%len(dashes)], x+30, y+4, html.EscapeString(name))
		x += w
	}
	return b.String(), y - 46 + legendRow
}

func (p *panel) draw(b *strings.Builder, names []string) {
	top := p.top()
	const wide, high = panelWide - padLeft - padRight, panelHigh - padTop - padBottom
	y := func(v float64) float64 { return padTop + high*(1-v/top) }
	x := func(i int) float64 {
		if p.Bars || len(p.Ticks) == 1 {
			return padLeft + wide*(float64(i)+0.5)/float64(len(p.Ticks))
		}
		return padLeft + wide*float64(i)/float64(len(p.Ticks)-1)
	}
	fmt.Fprintf(b, `<text class="t" x="%d" y="20">%s</text>`+"\n", padLeft, html.EscapeString(p.Title))
	for i := range 6 {
		v := top * float64(i) / 5
		fmt.Fprintf(b, `<path class="g" d="M%d %.1fh%d"/><text class="s" x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			padLeft, y(v), wide, padLeft-7, y(v)+4, short(v))
	}
	for i, t := range p.Ticks {
		fmt.Fprintf(b, `<text class="s" x="%.1f" y="%d" text-anchor="middle">%s</text>`, x(i), padTop+high+17, html.EscapeString(t))
	}
	fmt.Fprintf(b, "\n"+`<path class="a" d="M%d %dh%d"/><text class="s" x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", padLeft, padTop+high, wide, padLeft+wide/2, padTop+high+37, html.EscapeString(p.X))
	fmt.Fprintf(b, `<text class="s" transform="translate(14 %d) rotate(-90)" text-anchor="middle">%s</text>`+"\n", padTop+high/2, html.EscapeString(p.Y))
	for n, l := range p.Lines {
		i := slices.Index(names, l.Name)
		if p.Bars {
			p.bars(b, l, n, colours[i%len(colours)], x, y)
		} else {
			drawLine(b, l, i, x, y)
		}
	}
}

// top is the end of the y axis: a round number above all values.
func (p *panel) top() float64 {
	if p.Top > 0 {
		return p.Top
	}
	most := 0.0
	for _, l := range p.Lines {
		for _, v := range l.Ys {
			if !math.IsNaN(v) {
				most = max(most, v)
			}
		}
	}
	if most == 0 {
		return 1
	}
	step := math.Pow(10, math.Floor(math.Log10(most)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if m*step >= most {
			return m * step
		}
	}
	return 10 * step
}

func (p *panel) bars(b *strings.Builder, l line, n int, colour string, x func(int) float64, y func(float64) float64) {
	group := 0.8 * (panelWide - padLeft - padRight) / float64(len(p.Ticks))
	w := group / float64(len(p.Lines))
	for i, v := range l.Ys {
		if math.IsNaN(v) {
			continue
		}
		left := x(i) - group/2 + w*float64(n)
		fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"><title>%s, %s: %s</title></rect>`+"\n",
			left, y(v), w*0.92, max(0.8, y(0)-y(v)), colour, html.EscapeString(l.Name), html.EscapeString(p.Ticks[i]), short(v))
	}
}

func drawLine(b *strings.Builder, l line, i int, x func(int) float64, y func(float64) float64) {
	colour := colours[i%len(colours)]
	var path, dots strings.Builder
	pen := "M"
	for j, v := range l.Ys {
		if math.IsNaN(v) {
			continue // the line goes on from the last value there is
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", pen, x(j), y(v))
		fmt.Fprintf(&dots, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"><title>%s: %s</title></circle>`, x(j), y(v), colour, html.EscapeString(l.Name), short(v))
		pen = "L"
	}
	fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s" stroke-width="2" stroke-dasharray="%s"/>%s`+"\n", path.String(), colour, dashes[i%len(dashes)], dots.String())
}

// short is a number as an axis shows it.
func short(v float64) string {
	if v == math.Trunc(v) {
		return fmt.Sprintf("%.0f", v)
	}
	return strings.TrimRight(fmt.Sprintf("%.1f", v), "0")
}
