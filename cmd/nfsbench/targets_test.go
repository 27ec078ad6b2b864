//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rowOf is an operation with what a CPU second does and the p99 of both servers.
func rowOf(op string, cpuA, cpuB, p99A, p99B float64) row {
	return row{Op: op, A: []figure{{PerCPUSecond: cpuA, P99: p99A}}, B: []figure{{PerCPUSecond: cpuB, P99: p99B}}}
}

func TestTargets(t *testing.T) {
	servers := [2]string{"we", "they"}
	half := rowOf("read", 3, 1, 5, 5)
	half.Half = [2][]figure{{{P99: 9}, {P99: 1}, {P99: 2}}, {{P99: 1}, {P99: 2}, {P99: 3}}}
	for what, x := range map[string]struct {
		page page
		want []string
	}{
		"nothing": {},
		"a comparison": {
			page{comparisons: []record{{Title: "T", Servers: servers, Rows: []row{half, rowOf("write", 1, 2, 1, 1)}}}},
			[]string{
				"T: each operation takes less CPU than with they: 1 of 2, not write: false",
				"T: p99 at full load at most that of they: 2 of 2: true",
				"T: p99 at half load at most that of they: 2 of 2: true",
			},
		},
		"one operation alone": {page: page{comparisons: []record{{Title: "T", Servers: servers, Rows: []row{half}}}}},
		"beside a stream": {
			page{comparisons: []record{{Title: "S", Servers: servers, Beside: []string{"read1m"}, BesideDepth: 1,
				Rows: []row{rowOf("getattr", 1, 1, 5001, 9000)}}}},
			[]string{"S: p99 of getattr at most 5 ms: 5.00 ms and 9.00 ms: false"},
		},
		"beside a flood": {
			page{comparisons: []record{{Title: "F", Servers: servers, Beside: []string{"getattr"}, BesideDepth: 64,
				Rows: []row{rowOf("getattr", 1, 1, 6000, 9000)}}}},
			[]string{"F: p99 of getattr at most that of they: 6.00 ms and 9.00 ms: true"},
		},
		"lists": {
			page{lists: []listing{{Server: "we", Entries: 10, Seconds: 1}, {Server: "they", Entries: 10, Seconds: 2},
				{Server: "we", Entries: 100, Seconds: 15}, {Server: "they", Entries: 100, Seconds: 75}}},
			[]string{
				"100 entries: listing at least 5 times as fast as they: 5.0 times: true",
				"100 entries: time linear from 10 entries: an entry at most 1.25 times as long: 1.50 times: false",
			},
		},
		"memory": {
			page{holdings: []holding{{Server: "we", Entries: 7, Idlers: 8, Depth: 9, Files: 2 << 20, Idle: 3 << 20, Stream: 4 << 20},
				{Server: "they", Files: 1 << 20, Idle: 3 << 20, Stream: 5 << 20}}},
			[]string{
				"7 files looked up: memory at most that of they: 2 and 1 MiB: false",
				"8 idle clients: memory at most that of they: 3 and 3 MiB: true",
				"a stream of 1 MiB, 9 at a time: memory at most that of they: 4 and 5 MiB: true",
			},
		},
		"the null RPC": {
			page{comparisons: []record{{Title: "G", Rows: []row{rowOf("getattr", 1e5, 1, 0, 0)}}}, nulls: []figure{{PerCPUSecond: 251e3}}},
			[]string{"G: SEQUENCE, PUTFH, GETATTR take at most 2.5 times the server's CPU of a null RPC: 10.0 µs are 2.51 times 4.0 µs: false"},
		},
	} {
		var got []string
		for _, g := range x.page.targets() {
			got = append(got, fmt.Sprintf("%s: %s: %s: %v", g.where, g.what, g.got, g.reached))
		}
		if !slices.Equal(got, x.want) {
			t.Errorf("%s: %s", what, cmp.Diff(x.want, got))
		}
	}
}

// What is not reached stands out.
func TestPrintTargets(t *testing.T) {
	var out strings.Builder
	printTargets(&out, []target{{"a", "b", "c", true}, {"d", "e", "f", false}})
	if s := out.String(); !strings.Contains(s, "| a | b | c | reached |\n| d | e | f | **not reached** |\n") {
		t.Error(s)
	}
	out.Reset()
	if printTargets(&out, nil); out.Len() > 0 {
		t.Error(out.String())
	}
}
