//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a person has to mend is told in one line.
func TestWrongArguments(t *testing.T) {
	for _, args := range []string{
		"", "host", "a b", "host/x --op fly", "host/x --clients 0", "host/x --depth -1", "host/x --minor 0",
		"host/x --duration 0s", "host/x --rate -1", "host/x --beside fly", "--no-such-flag",
		"compare", "compare a=h/x", "compare h/x h/y", "compare a=h/x@one b=h/y", "compare a=h/x b=h/y --alternations 0",
		"list", "list host", "list a=h/x --rounds 0", "memory", "memory host", "memory a=h/x --idlers -1", "memory a=h/x --depth 0", "limits", "limits --dir a --ceph b", "limits --dir a --duration 0s", "report", "report /no/such/file",
		"echo --listen nowhere",
	} {
		var out, errOut bytes.Buffer
		code := run(t.Context(), strings.Fields(args), &out, &errOut)
		if code != exitUsage || strings.Count(errOut.String(), "\n") != 1 || out.Len() > 0 {
			t.Errorf("nfsbench %s: exit %d, %q, %q", args, code, &out, &errOut)
		}
	}
}

// What several errors say is said once.
func TestOneLine(t *testing.T) {
	gone := errors.New("the server is gone")
	err := errors.Join(fmt.Errorf("read4k: %w", gone), gone, errors.Join(gone, errors.New("no room")))
	if got, want := oneLine(err), "read4k: the server is gone; no room"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// serveNull serves the null RPC until the test ends.
func serveNull(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- echo(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func TestMeasure(t *testing.T) {
	addr, file := serveNull(t), filepath.Join(t.TempDir(), "figures.json")
	var out, errOut bytes.Buffer
	code := run(t.Context(), []string{addr + "/", "--op", "null", "--duration", "20ms", "--json", file}, &out, &errOut)
	if code != 0 {
		t.Fatalf("exit %d: %s", code, &errOut)
	}
	var figures []figure
	b, err := os.ReadFile(file)
	if err = errors.Join(err, json.Unmarshal(b, &figures)); err != nil || len(figures) != 1 {
		t.Fatalf("%s: %v", b, err)
	}
	if f := figures[0]; f.Op != "null" || f.Ops == 0 || f.P50 <= 0 || f.P50 > f.P99 || f.P99 > f.Max {
		t.Errorf("%+v", f)
	}
	if code := run(t.Context(), []string{"127.0.0.1:1/x"}, io.Discard, io.Discard); code != exitFailed {
		t.Errorf("without a server: exit %d", code)
	}
}

// A comparison's file makes a table and a picture that is XML.
func TestCompare(t *testing.T) {
	a, b, dir := serveNull(t), serveNull(t), t.TempDir()
	file := filepath.Join(dir, "both.json")
	var out, errOut bytes.Buffer
	code := run(t.Context(), []string{"compare", "one=" + a + "/", "two=" + b + "/", "--op", "null,null,null", "--half",
		"--alternations", "3", "--duration", "5ms", "--title", "A & B", "--json", file}, &out, &errOut)
	if code != 0 {
		t.Fatalf("exit %d: %s", code, &errOut)
	}
	out.Reset()
	if code := run(t.Context(), []string{"report", "--pictures", dir, file}, &out, &errOut); code != 0 {
		t.Fatalf("exit %d: %s", code, &errOut)
	}
	if doc := out.String(); strings.Count(doc, "| null |") != 6 || !strings.Contains(doc, "both.svg") {
		t.Errorf("the report:\n%s", doc)
	}
	picture, err := os.ReadFile(filepath.Join(dir, "both.svg"))
	if err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(bytes.NewReader(picture))
	for err == nil {
		_, err = d.Token()
	}
	if err != io.EOF {
		t.Errorf("the picture: %v", err)
	}
}

// What was measured of one server is told operation by operation, and nothing but null
// counts as the null RPC.
func TestReportAlone(t *testing.T) {
	for _, test := range []struct {
		file, want string
		nulls      int
	}{
		{`[{"op":"null","per_second":3},{"op":"null","per_second":1},{"op":"null","per_second":2}]`, "### The null RPC|| null | 2 |", 3},
		{`[{"op":"getattr","per_second":5},{"op":"null","per_second":7}]`, "### One server alone|| getattr | 5 || null | 7 |", 1},
	} {
		var p page
		if err := p.add(reporting{}, "f", []byte(test.file)); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := p.print(&out); err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split(test.want, "||") {
			if strings.Count(out.String(), part) != 1 {
				t.Errorf("%s: want %q once in\n%s", test.file, part, &out)
			}
		}
		if len(p.nulls) != test.nulls {
			t.Errorf("%s: %d count as the null RPC", test.file, len(p.nulls))
		}
	}
}

func TestMiddle(t *testing.T) {
	runs := []listing{{Seconds: 9, CPU: 1, Before: 1, After: 2}, {Seconds: 3, CPU: 2, Before: 2, After: 3}, {Seconds: 4, CPU: 3, Before: 3, After: 4}}
	if got, want := middle(runs), (listing{Seconds: 4, CPU: 3, Before: 1, After: 4}); got != want {
		t.Errorf("%+v, not %+v", got, want)
	}
}

func TestRatio(t *testing.T) {
	figures := func(values ...float64) (all []figure) {
		for _, v := range values {
			all = append(all, figure{PerCPUSecond: v})
		}
		return all
	}
	for _, x := range []struct {
		a, b           []figure
		mid, low, high float64
	}{
		{figures(2, 4, 30), figures(1, 4, 10), 2, 1, 3},
		{figures(1, 2), figures(1, 1), 1.5, 1, 2},
		{figures(1), figures(0), 0, 0, 0},
		{nil, nil, 0, 0, 0},
	} {
		if mid, low, high := (row{A: x.a, B: x.b}).ratio(perCPUSecond); mid != x.mid || low != x.low || high != x.high {
			t.Errorf("ratio of %v and %v: %v, %v to %v", x.a, x.b, mid, low, high)
		}
	}
}
