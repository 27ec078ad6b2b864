package main

import (
	"strings"
	"testing"
)

const stream = `
{"Action":"run","Package":"m/a","Test":"TestGood"}
{"Action":"output","Package":"m/a","Test":"TestGood","Output":"not shown\n"}
{"Action":"pass","Package":"m/a","Test":"TestGood","Elapsed":0.1}
{"Action":"pass","Package":"m/a","Test":"TestSlow","Elapsed":7}
{"Action":"output","Package":"m/a","Test":"TestSkipped","Output":"    a_test.go:7: no such device\n"}
{"Action":"skip","Package":"m/a","Test":"TestSkipped"}
{"Action":"pass","Package":"m/a","Elapsed":8}
{"Action":"output","Package":"m/b","Test":"TestBad","Output":"    b_test.go:9: 1 is not 2\n"}
{"Action":"fail","Package":"m/b","Test":"TestBad"}
{"Action":"output","Package":"m/b","Output":"FAIL\tm/b\t1.0s\n"}
{"Action":"fail","Package":"m/b","Elapsed":1}
`

func TestRead(t *testing.T) {
	var out strings.Builder
	tally := tally{w: &out, output: map[string]*strings.Builder{}}
	if err := tally.read(strings.NewReader(stream)); err != nil {
		t.Fatal(err)
	}
	if tally.passed != 2 || tally.failed != 1 || tally.skipped != 1 || !tally.broken {
		t.Errorf("%d passed, %d failed, %d skipped, broken %v; want 2, 1, 1, true",
			tally.passed, tally.failed, tally.skipped, tally.broken)
	}
	for _, want := range []string{
		"a.TestSlow\t7.0s", "skip: a.TestSkipped: no such device", "1 is not 2", "ok  \tm/a\t8.0s", "FAIL\tm/b",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in the output:\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "not shown") {
		t.Errorf("the output of a passed test is shown:\n%s", &out)
	}
}

func TestBuildFailure(t *testing.T) {
	var out strings.Builder
	tally := tally{w: &out, output: map[string]*strings.Builder{}}
	err := tally.read(strings.NewReader(`{"ImportPath":"m/a","Action":"build-output","Output":"a.go:1: undefined: x\n"}
{"ImportPath":"m/a","Action":"build-fail"}
`))
	if err != nil || !tally.broken || !strings.Contains(out.String(), "undefined: x") {
		t.Errorf("%v, broken %v, output %q; want broken and the compiler's words", err, tally.broken, &out)
	}
}
