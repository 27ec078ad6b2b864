package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidegate/tidegate/cmd/nfsconform/suite"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// liar makes a server say PERM where it says INVAL, in a COMPOUND of one operation.
func liar(p rpc.Program) rpc.Program {
	honest := p.Dispatch
	p.Dispatch = func(call *rpc.Call) rpc.Status {
		start := call.Out.Len()
		fate := honest(call)
		d := xdr.NewDecoder(call.Out.Bytes()[start:])
		head := wire.DecodeCompoundRes(&d)
		if fate != rpc.Success || d.Err() != nil || head.Status != wire.ErrInval || head.NumOps != 1 {
			return fate
		}
		call.Out.PutUint32(start, uint32(wire.ErrPerm))
		call.Out.PutUint32(start+d.Offset()+4, uint32(wire.ErrPerm))
		return fate
	}
	return p
}

// ran is what the command left.
type ran struct {
	code     int
	out, err string
}

func runCommand(ctx context.Context, args ...string) ran {
	var out, errOut bytes.Buffer
	code := run(ctx, args, suite.All(), &out, &errOut)
	return ran{code, out.String(), errOut.String()}
}

// INVAL is what EID14 and EID15 expect, and EID1 does not.
const (
	lied   = "EID1,EID14,EID15"
	lieOne = "EID14"
	lieTwo = "EID15"
)

func writeText(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The exit code tells new failures from known ones and from none.
func TestExitCodes(t *testing.T) {
	honest, lying := serve(t)+"/mem", serveAs(t, liar).addr+"/mem"
	both := writeText(t, "# known\n"+lieOne+" it is so\n\n"+lieTwo+"\n")
	for _, test := range []struct {
		name string
		args []string
		code int
		out  string
	}{
		{"all pass", []string{honest, "--only", lied}, 0, "3 tests: 3 passed, 0 failed, 0 known failures, 0 skipped"},
		{"minor version 1", []string{honest, "--only", "EID26", "--minor", "1"}, 0, "skip  EID26: needs minor version 2"},
		{"failures", []string{lying, "--only", lied}, exitFailed, "3 tests: 1 passed, 2 failed, 0 known failures, 0 skipped"},
		{"one is known", []string{lying, "--only", lied, "--baseline", writeText(t, lieOne)}, exitFailed, "1 failed, 1 known"},
		{"both are known", []string{lying, "--only", lied, "--baseline", both}, 0, "0 failed, 2 known"},
		{"known and fixed", []string{honest, "--only", lied, "--baseline", both}, 0, "fixed EID14"},
		{"what was sent", []string{lying, "--only", lieOne}, exitFailed, "sent: EXCHANGE_ID{"},
		{"what came back", []string{lying, "--only", lieOne}, exitFailed, "EXCHANGE_ID is NFS4ERR_PERM, expected NFS4ERR_INVAL"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := runCommand(t.Context(), test.args...)
			if got.code != test.code || !strings.Contains(got.out, test.out) {
				t.Errorf("exit code %d, want %d; %q is to be in\n%s%s", got.code, test.code, test.out, got.out, got.err)
			}
		})
	}
}

// What a person must mend is told in a line, with exit code 2.
func TestUsageErrors(t *testing.T) {
	for _, test := range []struct {
		args []string
		err  string
	}{
		{nil, "which server?"},
		{[]string{"host"}, "is not HOST[:PORT]/export"},
		{[]string{"/export"}, "is not HOST[:PORT]/export"},
		{[]string{"host/export", "--minor", "3"}, "--minor 3"},
		{[]string{"host/export", "--only", "NONE"}, `"NONE"`},
		{[]string{"host/export", "--baseline", "/no/such/file"}, "--baseline"},
		{[]string{"host/export", "--frobnicate"}, "unknown flag"},
		{[]string{"host/export", "more"}, "accepts at most 1"},
	} {
		got := runCommand(t.Context(), test.args...)
		if got.code != exitUsage || !strings.Contains(got.err, test.err) || strings.Count(got.err, "\n") != 1 {
			t.Errorf("%q: exit code %d, %q", test.args, got.code, got.err)
		}
	}
}

// A server that cannot be tested at all is a failure, not a usage error.
func TestUnreachable(t *testing.T) {
	addr := serve(t)
	for _, args := range [][]string{
		{"127.0.0.1:1/export"},
		{addr + "/absent"},
		{addr + "/mem", "--only", "EID1", "--json", "/no/such/directory/file"},
	} {
		if got := runCommand(t.Context(), args...); got.code != exitFailed || got.err == "" {
			t.Errorf("%q: exit code %d, %q", args, got.code, got.err)
		}
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := runCommand(ctx, serve(t)+"/mem"); got.code != exitFailed {
		t.Errorf("exit code %d", got.code)
	}
}

// The files hold the run: every test, its outcome, and why it failed.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	got := runCommand(t.Context(), serveAs(t, liar).addr+"/mem", "--only", lied, "--json", path("json"), "--junit", path("junit"),
		"--baseline", writeText(t, lieTwo+" known for long"), "--write-baseline", path("baseline"))
	if got.code != exitFailed {
		t.Fatalf("exit code %d: %s%s", got.code, got.out, got.err)
	}
	checkJSON(t, path("json"))
	checkJUnit(t, path("junit"))
	known, err := readBaseline(path("baseline"))
	if err != nil || len(known) != 2 || known[lieTwo] != "known for long" || !strings.Contains(known[lieOne], "NFS4ERR_PERM") {
		t.Errorf("the baseline is %q, %v", known, err)
	}
}

func checkJSON(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if r.Server != "tidegate in memory" || r.Minor != 2 || r.Passed != 1 || r.New != 1 || r.Known != 1 || len(r.Tests) != 3 {
		t.Errorf("%s", text)
	}
	for _, test := range r.Tests {
		failed := test.Outcome == suite.Failed
		if failed == (test.Code == "EID1") || failed != (len(test.Log) > 0) || test.Known != (test.Code == lieTwo) ||
			test.Section == "" || test.Expect == "" || test.Family != "EID" {
			t.Errorf("%+v", test)
		}
	}
}

func checkJUnit(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var s junitSuite
	if err := xml.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	if s.Tests != 3 || s.Failures != 1 || s.Skipped != 1 || len(s.Cases) != 3 {
		t.Fatalf("%s", text)
	}
	for _, c := range s.Cases {
		code, _, _ := strings.Cut(c.Name, " ")
		if (c.Failure != nil) != (code == lieOne) || (c.Skipped != nil) != (code == lieTwo) || c.Class != "EID" {
			t.Errorf("%+v", c)
		}
	}
}

// The list has a line for each test that was chosen.
func TestList(t *testing.T) {
	got := runCommand(t.Context(), "--list", "--only", "SEQ,EID3")
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	chosen, err := suite.Select(suite.All(), []string{"SEQ", "EID3"})
	if err != nil {
		t.Fatal(err)
	}
	if got.code != 0 || len(lines) != len(chosen) || !strings.HasPrefix(lines[0], "EID3 ") || !strings.Contains(lines[0], "RFC 8881, 18.35.4") {
		t.Errorf("exit code %d:\n%s", got.code, got.out)
	}
}

func TestTarget(t *testing.T) {
	for _, test := range []struct{ arg, addr, export string }{
		{"host/export", "host:2049", "/export"},
		{"host:20490/a/b", "host:20490", "/a/b"},
		{"host/", "host:2049", "/"},
		{"[::1]/export", "[::1]:2049", "/export"},
		{"[::1]:20490/export", "[::1]:20490", "/export"},
	} {
		s := settings{minor: 2}
		target, err := s.target([]string{test.arg})
		if err != nil || target.Addr != test.addr || target.Export != test.export {
			t.Errorf("%s: %+v, %v", test.arg, target, err)
		}
	}
}

// The restart command is run by the shell, and what it says is told when it fails.
func TestRestartCommand(t *testing.T) {
	marker := filepath.Join(t.TempDir(), "marker")
	s := settings{restart: "touch " + marker}
	if err := s.restartServer(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(marker); err != nil {
		t.Error(err)
	}
	s.restart = "echo went wrong; exit 3"
	if err := s.restartServer(t.Context()); err == nil || !strings.Contains(err.Error(), "went wrong") {
		t.Errorf("%v", err)
	}
}
