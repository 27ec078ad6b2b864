//go:build linux

package main

import (
	"fmt"
	"html"
	"os"
	"strings"
)

// The picture's measures in pixels.
const (
	chartLabel = 110 // names of operations
	chartBar   = 14
	chartGap   = 14
	chartWidth = 560 // the longest bar
	chartText  = 150 // beside a bar
	chartHead  = 64
)

// chartColors are those of the two servers.
var chartColors = [2]string{"#2563a8", "#b9bec7"}

// drawTo draws a comparison's operations per CPU second. Every operation is drawn
// to its own scale: what counts is the two beside each other.
func drawTo(file string, rec record) error {
	return os.WriteFile(file, []byte(draw(rec)), 0o644)
}

func draw(rec record) string {
	each := 2*chartBar + chartGap
	height := chartHead + each*len(rec.Rows)
	width := chartLabel + chartWidth + chartText
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, height)
	fmt.Fprintf(&b, `<text x="8" y="20" font-size="15" font-weight="bold">%s</text>`+"\n", html.EscapeString(rec.Title))
	for i, name := range rec.Servers {
		x := 8 + 150*i
		fmt.Fprintf(&b, `<rect x="%d" y="32" width="12" height="12" fill="%s"/><text x="%d" y="43">%s</text>`+"\n",
			x, chartColors[i], x+18, html.EscapeString(name))
	}
	fmt.Fprintf(&b, `<text x="320" y="43">operations per CPU second of the server; longer is better</text>`+"\n")
	for i, r := range rec.Rows {
		drawRow(&b, r, chartHead+each*i)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func drawRow(b *strings.Builder, r row, y int) {
	values := [2]float64{median(r.A, perCPUSecond), median(r.B, perCPUSecond)}
	most := max(values[0], values[1], 1)
	fmt.Fprintf(b, `<text x="8" y="%d">%s</text>`+"\n", y+chartBar+4, html.EscapeString(r.Op))
	mid, _, _ := r.ratio(perCPUSecond)
	for i, v := range values {
		length := v / most * chartWidth
		top := y + i*chartBar
		note := fmt.Sprintf("%.0f", v)
		if i == 0 {
			note += fmt.Sprintf(" (%.2f times)", mid)
		}
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/><text x="%.1f" y="%d" font-size="11">%s</text>`+"\n",
			chartLabel, top, length, chartBar-1, chartColors[i], chartLabel+length+6, top+chartBar-3, note)
	}
}
