package main

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tidegate/tidegate/cmd/nfsconform/suite"
)

// report is all of a run. Its exported fields are the JSON.
type report struct {
	Server  string    `json:"server"`
	Address string    `json:"address"`
	Export  string    `json:"export"`
	Minor   uint32    `json:"minor"`
	Lease   float64   `json:"lease_seconds"`
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`

	Passed  int `json:"passed"`
	Skipped int `json:"skipped"`
	Known   int `json:"known"` // failures of the baseline
	New     int `json:"failed"`

	Tests []testReport `json:"tests"`

	known baseline
}

// testReport is one test of a run.
type testReport struct {
	Code    string        `json:"code"`
	Family  string        `json:"family"`
	Section string        `json:"section"`
	Expect  string        `json:"expect"`
	Outcome suite.Outcome `json:"outcome"`
	Known   bool          `json:"known,omitempty"` // the baseline has it
	Reason  string        `json:"reason,omitempty"`
	Log     []string      `json:"log,omitempty"`
	Seconds float64       `json:"seconds"`
}

func newReport(target suite.Target, impl string, lease time.Duration, known baseline) *report {
	return &report{
		Server: impl, Address: target.Addr, Export: target.Export, Minor: target.Minor,
		Lease: lease.Seconds(), Started: time.Now(), Tests: []testReport{}, known: known,
	}
}

func (r *report) server() string {
	if r.Server == "" {
		return "a server that gives no name"
	}
	return r.Server
}

func (r *report) finish() { r.Seconds = time.Since(r.Started).Seconds() }

func (r *report) add(result suite.Result) {
	_, known := r.known[result.Code]
	r.Tests = append(r.Tests, testReport{
		Code: result.Code, Family: result.Family(), Section: result.Reference(), Expect: result.Expect,
		Outcome: result.Outcome, Known: known, Reason: result.Reason, Log: result.Log,
		Seconds: result.Elapsed.Seconds(),
	})
	switch {
	case result.Outcome == suite.Passed:
		r.Passed++
	case result.Outcome == suite.Skipped:
		r.Skipped++
	case known:
		r.Known++
	default:
		r.New++
	}
}

// verdict is a result as one letter: a failure is F, or k if it is known.
func (r *report) verdict(result suite.Result) byte {
	_, known := r.known[result.Code]
	switch {
	case result.Outcome == suite.Passed:
		return '.'
	case result.Outcome == suite.Skipped:
		return 's'
	case known:
		return 'k'
	}
	return 'F'
}

// lineLimit is what is printed of a line of the log; the files have all of it.
const lineLimit = 400

// print writes what there is to say of each test that did not pass, and the
// summary.
func (r *report) print(out io.Writer) {
	fmt.Fprintln(out)
	for _, t := range r.Tests {
		switch {
		case t.Outcome == suite.Failed && !t.Known:
			fmt.Fprintf(out, "FAIL  %s (%s): %s\n      %s\n", t.Code, t.Section, t.Expect, t.Reason)
			for _, line := range t.Log {
				fmt.Fprintf(out, "      %.*s\n", lineLimit, line)
			}
		case t.Outcome == suite.Failed:
			fmt.Fprintf(out, "known %s (%s): %s\n", t.Code, t.Section, t.Reason)
		case t.Outcome == suite.Skipped:
			fmt.Fprintf(out, "skip  %s: %s\n", t.Code, t.Reason)
		case t.Known:
			fmt.Fprintf(out, "fixed %s: the baseline has it, and it passes\n", t.Code)
		}
	}
	fmt.Fprintf(out, "%d tests: %d passed, %d failed, %d known failures, %d skipped, in %.1f s\n",
		len(r.Tests), r.Passed, r.New, r.Known, r.Skipped, r.Seconds)
}

func (r *report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// The elements of JUnit's XML.
type (
	junitSuite struct {
		XMLName  xml.Name    `xml:"testsuite"`
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     float64     `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Time    float64       `xml:"time,attr"`
		Failure *junitMessage `xml:"failure"`
		Skipped *junitMessage `xml:"skipped"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit reports known failures as skipped: JUnit has no word for them.
func (r *report) writeJUnit(w io.Writer) error {
	s := junitSuite{
		Name: "nfsconform " + r.Address + ":" + r.Export, Tests: len(r.Tests), Failures: r.New,
		Skipped: r.Skipped + r.Known, Time: r.Seconds,
	}
	for _, t := range r.Tests {
		c := junitCase{Class: t.Family, Name: t.Code + " " + t.Expect, Time: t.Seconds}
		switch {
		case t.Outcome == suite.Failed && !t.Known:
			c.Failure = &junitMessage{Message: t.Reason, Text: strings.Join(t.Log, "\n")}
		case t.Outcome == suite.Failed:
			c.Skipped = &junitMessage{Message: "known failure: " + t.Reason}
		case t.Outcome == suite.Skipped:
			c.Skipped = &junitMessage{Message: t.Reason}
		}
		s.Cases = append(s.Cases, c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	return e.Encode(s)
}

// progress writes a line for each family, with a letter for each test.
type progress struct {
	out    io.Writer
	family string
}

func (p *progress) mark(family string, verdict byte) {
	if family != p.family {
		p.end()
		p.family = family
		fmt.Fprintf(p.out, "%-10s", family)
	}
	p.out.Write([]byte{verdict})
}

func (p *progress) end() {
	if p.family != "" {
		fmt.Fprintln(p.out)
	}
	p.family = ""
}
