package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A command that is wrong is answered with one line that says what is wrong, and how
// it is written.
func TestWrongCommands(t *testing.T) {
	dir := t.TempDir()
	serve := func(args ...string) []string {
		return append([]string{"serve", "--export", "mem:", "--monitor", "", "--listen", "127.0.0.1:0", "--state-dir", dir}, args...)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"stauts"}, "Did you mean this? status"},
		{[]string{"help", "stauts"}, "Did you mean this? status"},
		{[]string{"--verbose"}, "unknown flag: --verbose; see tidegate --help"},
		{[]string{"status", "now"}, `unknown command "now" for "tidegate status"; write: tidegate status`},
		{[]string{"status", "--state-dir", ""}, "--state-dir: empty"},
		{[]string{"export"}, "say what to do; see tidegate export --help"},
		{[]string{"export", "lst"}, `unknown command "lst" for "tidegate export"; see tidegate export --help`},
		{[]string{"export", "show"}, "accepts 1 arg(s), received 0; write: tidegate export show ID|PSEUDO"},
		{[]string{"export", "add", "/dev/zero"}, "/dev/zero is larger than 4 MiB"},
		{[]string{"export", "add", dir}, dir + ": is a directory"},
		{[]string{"grace"}, "see tidegate grace --help"},
		{[]string{"grace", "ned"}, "see tidegate grace --help"},
		{[]string{"completion", "csh"}, "see tidegate completion --help"},
		{[]string{"check", ""}, "the name of the configuration is empty"},
		{[]string{"check", "--explain", ""}, `no key or block is called ""`},
		{serve("--lease", "60"), "see tidegate serve --help"},
		{serve("--listen", ""), "--listen : write ADDR:PORT"},
		{serve("--listen", ":"), "--listen :: write ADDR:PORT"},
		{serve("--listen", "::1"), "--listen ::1: write ADDR:PORT"},
		{serve("--listen", "[fe80::1]:0"), "[fe80::1%eth0]:2049"},
		{serve("--listen", "[fe80::1%none]:0"), "[fe80::1%eth0]:2049"},
		{serve("--recovery-backend", "floppy"), "must be one of fs, rados_cluster, rados_kv, rados_ng"},
		{serve("--state-dir", ""), "--state-dir: empty"},
		{serve("--log-level", ""), `log level "": not debug, info, warn or error`},
		{serve("--log-level", "fatal"), `log level "fatal": not debug, info, warn or error`},
	} {
		cmd := program(t, "tidegate", test.args...)
		out, _ := cmd.CombinedOutput()
		line, rest, _ := strings.Cut(string(out), "\n")
		if code := cmd.ProcessState.ExitCode(); code != exitUsage || rest != "" || !strings.Contains(line, test.want) {
			t.Errorf("%q: %v, %q; want one line with %q", test.args, cmd.ProcessState, out, test.want)
		}
	}
}

// A key for file handles that cannot be kept is said alone, and of an export that
// cannot be nothing stays.
func TestNoRoom(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4k"); err != nil {
		t.Skip("no file system to fill: ", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	if err := os.WriteFile(filepath.Join(dir, "all"), make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := program(t, "tidegate", "serve", "--export", "mem:", "--monitor", "", "--listen", "127.0.0.1:0", "--state-dir", dir)
	out, _ := cmd.CombinedOutput()
	if line, rest, _ := strings.Cut(string(out), "\n"); cmd.ProcessState.ExitCode() != exitUsage || rest != "" ||
		!strings.Contains(line, dir) || !strings.Contains(line, "no space left on device; the directory must be writable and have room") {
		t.Errorf("%v: %s", cmd.ProcessState, out)
	}
	added := filepath.Join(dir, "7.conf")
	if err := replaceFile(added, []byte(memExport(7, "/a"))); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a file where there is no room: %v", err)
	}
	if left, err := filepath.Glob(added + "*"); err != nil || len(left) > 0 {
		t.Errorf("of what cannot be kept stays %q, %v", left, err)
	}
}

// A server whose log nobody reads any more serves on.
func TestLogUnread(t *testing.T) {
	g := newGanesha(t)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := g.command("-F", "-L", "STDERR", "-f", g.conf(), "-p", g.pid)
	cmd.Stderr = write
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	write.Close()
	g.serves()
	read.Close()
	if out, err := program(t, "tidegate", "reload", "--state-dir", g.dir).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	expectMount(t, g.addr, "/mem")
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("the end: %v", err)
	}
}

// A grace period that ends before clients learn of a restart is warned of.
func TestShortGrace(t *testing.T) {
	for text, want := range map[string]bool{
		"NFSv4 { Lease_Lifetime = 60; Grace_Period = 59; }\n": true,
		"NFSv4 { Lease_Lifetime = 60; Grace_Period = 60; }\n": false,
	} {
		g := newGanesha(t)
		conf, err := os.OpenFile(g.conf(), os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = conf.WriteString(text)
		if err := errors.Join(err, conf.Close()); err != nil {
			t.Fatal(err)
		}
		cmd := g.foreground()
		g.serves()
		if log := g.says(g.log, "listening"); strings.Contains(log, "shorter than the lease") != want {
			t.Errorf("%s: %s", text, log)
		}
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the end: %v", err)
		}
	}
}

// A configuration that hangs while it is read again does not hold up the end.
func TestHungConfiguration(t *testing.T) {
	g := newGanesha(t)
	cmd := g.foreground()
	g.serves()
	if err := errors.Join(os.Remove(g.conf()), syscall.Mkfifo(g.conf(), 0o600)); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Signal(syscall.SIGHUP)
	writer, err := os.OpenFile(g.conf(), os.O_WRONLY, 0) // when it is being read
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	expectMount(t, g.addr, "/mem")
	began := time.Now()
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("the end: %v", err)
	}
	if took := time.Since(began); took > limit/2 {
		t.Errorf("the end took %v", took)
	}
}
