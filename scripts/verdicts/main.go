// Command verdicts prints the results of nfsconform on several servers as
// Markdown: a table of the families, and what each server fails. Its arguments are
// NAME=FILE[,FILE...], with files that nfsconform --json wrote.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// column is one server's results.
type column struct {
	name  string
	Tests []test `json:"tests"`
}

type test struct {
	Code    string `json:"code"`
	Family  string `json:"family"`
	Section string `json:"section"`
	Expect  string `json:"expect"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
}

func main() {
	var columns []column
	for _, arg := range os.Args[1:] {
		c, err := read(arg)
		if err != nil {
			fmt.Fprintln(os.Stderr, "verdicts:", err)
			os.Exit(1)
		}
		columns = append(columns, c)
	}
	if len(columns) == 0 {
		fmt.Fprintln(os.Stderr, "usage: verdicts NAME=FILE[,FILE...] ...")
		os.Exit(2)
	}
	table(os.Stdout, columns)
	for _, c := range columns {
		c.failures(os.Stdout)
	}
}

func read(arg string) (c column, err error) {
	name, paths, _ := strings.Cut(arg, "=")
	c.name = name
	for path := range strings.SplitSeq(paths, ",") {
		text, err := os.ReadFile(path)
		if err != nil {
			return c, err
		}
		part := column{}
		if err := json.Unmarshal(text, &part); err != nil {
			return c, fmt.Errorf("%s: %w", path, err)
		}
		c.Tests = append(c.Tests, part.Tests...)
	}
	return c, nil
}

// table has a row for each family, with how many tests passed of those that ran.
func table(w io.Writer, columns []column) {
	head, rule := "| family |", "| --- |"
	for _, c := range columns {
		head += " " + c.name + " |"
		rule += " --- |"
	}
	fmt.Fprintln(w, head)
	fmt.Fprintln(w, rule)
	for _, family := range append(families(columns), "all") {
		row := "| " + family + " |"
		for _, c := range columns {
			row += " " + c.score(family) + " |"
		}
		fmt.Fprintln(w, row)
	}
}

func families(columns []column) (all []string) {
	for _, c := range columns {
		for _, t := range c.Tests {
			if !slices.Contains(all, t.Family) {
				all = append(all, t.Family)
			}
		}
	}
	return all
}

// score tells how many tests of a family, or of all, passed, failed and were
// skipped.
func (c column) score(family string) string {
	count := make(map[string]int)
	for _, t := range c.Tests {
		if t.Family == family || family == "all" {
			count[t.Outcome]++
		}
	}
	text := fmt.Sprintf("%d of %d", count["pass"], count["pass"]+count["fail"])
	if n := count["skip"]; n > 0 {
		text += fmt.Sprintf(", %d skipped", n)
	}
	return text
}

func (c column) failures(w io.Writer) {
	fmt.Fprintf(w, "\n### What %s fails\n\n", c.name)
	none := true
	for _, t := range c.Tests {
		if t.Outcome == "fail" {
			none = false
			fmt.Fprintf(w, "- %s (%s): %s. %s\n", t.Code, t.Section, t.Expect, strings.Join(strings.Fields(t.Reason), " "))
		}
	}
	if none {
		fmt.Fprintln(w, "Nothing.")
	}
}
