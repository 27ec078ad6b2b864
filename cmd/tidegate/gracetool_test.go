//go:build ceph

package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/tidegate/tidegate/cluster"
	"github.com/tidegate/tidegate/internal/cephtest"
)

// newCeph starts a Ceph for a test.
func newCeph(t *testing.T, args ...string) *cephtest.Cluster {
	t.Helper()
	c, err := cephtest.Start(args...)
	if errors.Is(err, cephtest.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Stop() })
	return c
}

// toolStep is what ganesha-rados-grace did.
type toolStep struct {
	Step, Cmd, Argline, Output, Dump string
	RC                               int
	Data                             *string
	Omap                             map[string]byte
}

func toolSteps(t *testing.T) (steps []toolStep) {
	t.Helper()
	f, err := os.Open("../../cluster/testdata/gracedb-tool.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var s toolStep
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, s)
	}
	return steps
}

// nodes are the names in the command; of names with blanks there is one step.
func (s *toolStep) nodes() []string {
	const odd = "node with space"
	if rest, ok := strings.CutPrefix(s.Argline, odd); ok {
		return append([]string{odd}, strings.Fields(rest)...)
	}
	return strings.Fields(s.Argline)
}

// toolRun is a way to run the tool.
type toolRun func(t *testing.T, args ...string) *exec.Cmd

func ours(t *testing.T, args ...string) *exec.Cmd { return program(t, graceToolName, args...) }

// debian runs nfs-ganesha's own.
func debian(_ *testing.T, args ...string) *exec.Cmd {
	cmd := exec.Command(graceToolName, args...)
	return cmd
}

// play runs every step by one of runs in turn, and compares answers and objects.
func play(t *testing.T, ceph *cephtest.Cluster, namespace string, runs ...toolRun) {
	at := place{conf: ceph.Conf(), pool: defaultPool, namespace: namespace, oid: defaultOID}
	pool, err := dialPool(at, false)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.close()
	// Of a member without N, nfs-ganesha's removal ends the grace period that
	// another still needs.
	const better = "32-remove-d-not-needing"
	for i, s := range toolSteps(t) {
		args := append([]string{"--cephconf", at.conf, "--ns", namespace, s.Cmd}, s.nodes()...)
		out, err := runs[i%len(runs)](t, args...).CombinedOutput()
		var exit *exec.ExitError
		code := 0
		if errors.As(err, &exit) {
			code = exit.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		if code != s.RC || strings.TrimSuffix(string(out), "\n") != strings.TrimSuffix(s.Output, "\n") {
			t.Errorf("%s: exit code %d, output %q; want %d, %q", s.Step, code, out, s.RC, s.Output)
		}
		if s.Step != better {
			s.compare(t, pool, at.oid)
		}
	}
}

func (s *toolStep) compare(t *testing.T, pool *pool, oid string) {
	t.Helper()
	o, err := pool.Read(t.Context(), oid)
	if s.Data == nil {
		if err == nil {
			t.Errorf("%s: the object is there", s.Step)
		}
		return
	}
	if err != nil {
		t.Fatalf("%s: %v", s.Step, err)
	}
	if got := hex.EncodeToString(o.Body); got != *s.Data || len(o.Attrs) != 0 {
		t.Errorf("%s: body %s, attributes %v; want %s", s.Step, got, o.Attrs, *s.Data)
	}
	for node, flags := range s.Omap {
		if v := o.Omap[node]; len(v) != 1 || v[0] != flags {
			t.Errorf("%s: %q is %v, want %d", s.Step, node, v, flags)
		}
	}
	said, err := cluster.NewDatabase(pool, oid).Read(t.Context())
	if err != nil || said.String() != s.Dump {
		t.Errorf("%s: %v, %v; want %s", s.Step, said, err, s.Dump)
	}
}

// Called as nfs-ganesha's tool, the program answers as that did, alone and on the
// same database in turn with it.
func TestGraceTool(t *testing.T) {
	ceph := newCeph(t)
	t.Run("alone", func(t *testing.T) { play(t, ceph, "ours", ours) })
	t.Run("in turn", func(t *testing.T) {
		if _, err := exec.LookPath(graceToolName); err != nil {
			t.Skip(err)
		}
		play(t, ceph, "turn1", ours, debian)
		play(t, ceph, "turn2", debian, ours)
	})
	t.Run("options", func(t *testing.T) { toolOptions(t, ceph) })
	t.Run("tidegate grace", func(t *testing.T) { graceCommands(t, ceph) })
}

// toolOptions compares answers that are not of the database with nfs-ganesha's.
func toolOptions(t *testing.T, ceph *cephtest.Cluster) {
	_, missing := exec.LookPath(graceToolName)
	conf := "--cephconf=" + ceph.Conf()
	for _, test := range []struct {
		args []string
		want string // what nfs-ganesha 4.3 says
	}{
		{[]string{"--bogus"}, "ganesha-rados-grace: unrecognized option '--bogus'\nUsage:\n"},
		{[]string{"--pool"}, "ganesha-rados-grace: option '--pool' requires an argument\nUsage:\n"},
		{[]string{conf, "--us"}, "ganesha-rados-grace: option '--userid' requires an argument\nUsage:\n"},
		{[]string{conf, "--n", "none"}, "Failure: -2\n"},
		{[]string{conf, "dump", "--ns", "none"}, "Failure: -2\n"},
		{[]string{conf, "--ns", "none", "--", "dump", "x"}, "Failure: -2\n"},
		{[]string{conf, "--ns", "none", "frobnicate"}, "Need at least one nodeid.\nFailure: -22\n"},
		{[]string{conf, "--ns", "none", "start", ""}, "Failure: -2\n"},
	} {
		for name, run := range map[string]toolRun{"ours": ours, "debian": debian} {
			if name == "debian" && missing != nil {
				continue
			}
			out, err := run(t, test.args...).CombinedOutput()
			if err == nil || !strings.HasPrefix(string(out), test.want) {
				t.Errorf("%s %q: %q, %v", name, test.args, out, err)
			}
		}
	}
}

// graceCommands are the same by other names, with errors for people.
func graceCommands(t *testing.T, ceph *cephtest.Cluster) {
	run := func(args ...string) (string, int) {
		t.Helper()
		cmd := program(t, "tidegate", slices.Concat([]string{"grace"}, args, []string{"--cephconf", ceph.Conf(), "--ns", "people"})...)
		out, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	for _, test := range []struct {
		args string
		code int
		want string
	}{
		{"dump", exitUsage, "tidegate grace add NODE --ns people --cephconf"},
		{"add a b", 0, ""},
		{"member a b", 0, ""},
		{"member zz", exitFailed, "not all of zz are members"},
		{"start zz", exitFailed, "not all of zz are members"},
		{"noenforce a b", 0, ""},
		{"start a", 0, ""},
		{"join b", 0, ""},
		{"dump", 0, "cur=2 rec=1\n"},
		{"lift a b", 0, ""},
		{"enforce a", 0, ""},
		{"remove b", 0, ""},
		{"dump", 0, "a\t E\n"},
		{"dump --pool none", exitUsage, "there is no pool none"},
		{"dump --userid nobody", exitUsage, "the key of client.nobody"},
		{"add", exitUsage, "requires at least 1 arg"},
		{"add a --pool made", 0, ""},
		{"dump --pool made", 0, "a\t E\n"},
	} {
		out, code := run(strings.Fields(test.args)...)
		if code != test.code || !strings.Contains(out, test.want) || strings.Count(out, "\n") > 5 {
			t.Errorf("%s: exit code %d, %q; want %d, %q", test.args, code, out, test.code, test.want)
		}
	}
	if out, err := ceph.Ceph("osd", "pool", "application", "get", "made"); err != nil || !strings.Contains(out, "nfs") {
		t.Errorf("what the pool is for: %q, %v", out, err)
	}
	watchCommand(t, ceph)
}

// tidegate grace watch shows changes as they come.
func watchCommand(t *testing.T, ceph *cephtest.Cluster) {
	cmd := program(t, "tidegate", "grace", "watch", "--cephconf", ceph.Conf(), "--ns", "people")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	lines := bufio.NewScanner(out)
	next := func(want string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), want) {
				return
			}
		}
		t.Fatalf("it ends without %q: %v", want, lines.Err())
	}
	next("a\t E")
	if err := program(t, "tidegate", "grace", "start", "a", "--cephconf", ceph.Conf(), "--ns", "people").Run(); err != nil {
		t.Fatal(err)
	}
	next("waiting for clients of a")
	next("a\tNE")
}
