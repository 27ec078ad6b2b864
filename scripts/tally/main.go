// Command tally reads the output of go test -json and prints what a reader
// wants of it: the output of failed tests, the reason of each skip, how long
// packages and slow tests took, and last a line that counts all tests. Its exit
// status is 1 if anything failed or nothing ran.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

const slow = 2 // seconds

// event is a line of go test -json.
type event struct {
	Action, Package, Test, ImportPath, Output string
	Elapsed                                   float64
}

// tally is what was seen so far.
type tally struct {
	w                       io.Writer
	passed, failed, skipped int
	broken                  bool                        // something failed that is no test
	output                  map[string]*strings.Builder // by package and test, until it ends
}

func main() {
	t := tally{w: os.Stdout, output: map[string]*strings.Builder{}}
	if err := t.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(1)
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", t.passed, t.failed, t.skipped)
	if t.failed > 0 || t.broken || t.passed == 0 {
		os.Exit(1)
	}
}

func (t *tally) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		var e event
		if json.Unmarshal([]byte(line), &e) == nil && e.Action != "" {
			t.event(e)
		} else if line != "" {
			fmt.Fprint(t.w, line) // what the go command says itself
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (t *tally) event(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		if t.output[key] == nil {
			t.output[key] = new(strings.Builder)
		}
		t.output[key].WriteString(e.Output)
		return
	case "build-output":
		fmt.Fprint(t.w, e.Output)
		return
	case "build-fail":
		t.broken = true
		return
	case "pass", "fail", "skip":
	default:
		return
	}
	var output string
	if b := t.output[key]; b != nil {
		output = b.String()
		delete(t.output, key)
	}
	if e.Test == "" {
		t.endPackage(e, output)
	} else {
		t.endTest(e, output)
	}
}

func (t *tally) endPackage(e event, output string) {
	switch e.Action {
	case "pass":
		fmt.Fprintf(t.w, "ok  \t%s\t%.1fs\n", e.Package, e.Elapsed)
	case "fail":
		t.broken = true
		fmt.Fprint(t.w, output) // it ends with the go command's own line
	case "skip":
		fmt.Fprintf(t.w, "?   \t%s\t[no tests]\n", e.Package)
	}
}

func (t *tally) endTest(e event, output string) {
	name := e.Package[strings.LastIndexByte(e.Package, '/')+1:] + "." + e.Test
	switch e.Action {
	case "pass":
		t.passed++
		if e.Elapsed >= slow {
			fmt.Fprintf(t.w, "    \t%s\t%.1fs\n", name, e.Elapsed)
		}
	case "fail":
		t.failed++
		fmt.Fprintf(t.w, "%s", output)
	case "skip":
		t.skipped++
		fmt.Fprintf(t.w, "skip: %s: %s\n", name, reason(output))
	}
}

var place = regexp.MustCompile(`^\s*[\w.]+\.go:\d+: `)

// reason is what a skipped test gave to Skip.
func reason(output string) string {
	for line := range strings.Lines(output) {
		if at := place.FindString(line); at != "" {
			return strings.TrimSpace(line[len(at):])
		}
	}
	return "no reason given"
}
