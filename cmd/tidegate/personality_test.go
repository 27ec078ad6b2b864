package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ganesha is the program under its other name, and where it is to serve.
type ganesha struct {
	t        *testing.T
	dir      string
	addr     string
	log, pid string
}

func newGanesha(t *testing.T) *ganesha {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := t.TempDir()
	g := &ganesha{t: t, dir: dir, addr: l.Addr().String(), log: filepath.Join(dir, "log"), pid: filepath.Join(dir, "pid")}
	_, port, _ := net.SplitHostPort(g.addr)
	text := fmt.Sprintf("NFS_CORE_PARAM { Bind_addr = 127.0.0.1; NFS_Port = %s; Protocols = 3, 4; }\n"+
		"EXPORT { Export_Id = 1; Path = /; Pseudo = /mem; Access_Type = RW; FSAL { name = MEM; } }\n", port)
	if err := os.WriteFile(g.conf(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *ganesha) conf() string { return filepath.Join(g.dir, "ganesha.conf") }

func (g *ganesha) command(args ...string) *exec.Cmd {
	cmd := program(g.t, "/usr/bin/ganesha.nfsd", args...)
	cmd.Env = append(cmd.Env, "STATE_DIRECTORY="+g.dir)
	return cmd
}

// foreground starts a server that is no daemon, for as long as the test.
func (g *ganesha) foreground() *exec.Cmd {
	g.t.Helper()
	cmd := g.command("-F", "-L", g.log, "-f", g.conf(), "-p", g.pid)
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { cmd.Process.Kill() })
	return cmd
}

// serves waits for the process that the file names, and returns it.
func (g *ganesha) serves() *os.Process {
	g.t.Helper()
	for end := time.Now().Add(limit); ; <-time.After(10 * time.Millisecond) {
		text, err := os.ReadFile(g.pid)
		if err == nil && bytes.HasSuffix(text, []byte("\n")) {
			if conn, err := net.Dial("tcp", g.addr); err == nil {
				conn.Close()
				id, err := strconv.Atoi(strings.TrimSpace(string(text)))
				if err != nil {
					g.t.Fatal(err)
				}
				p, err := os.FindProcess(id)
				if err != nil {
					g.t.Fatal(err)
				}
				return p
			}
		}
		if time.Now().After(end) {
			log, _ := os.ReadFile(g.log)
			g.t.Fatalf("nothing serves at %s; the log: %s", g.addr, log)
		}
	}
}

// gone waits until the file for the process id is removed.
func (g *ganesha) gone() {
	g.t.Helper()
	for end := time.Now().Add(limit); ; <-time.After(10 * time.Millisecond) {
		if _, err := os.Stat(g.pid); errors.Is(err, os.ErrNotExist) {
			return
		}
		if time.Now().After(end) {
			g.t.Fatal("the server does not stop")
		}
	}
}

// As an orchestrator starts it: in the foreground, with flags in any form.
func TestGaneshaForeground(t *testing.T) {
	g := newGanesha(t)
	args := []string{"-FC", "-L" + g.log, "-N", "NIV_DEBUG", "-f", g.conf(), "-p", g.pid, "-x", "-E", "7", "-I", "3"}
	cmd := g.command(args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	if p := g.serves(); p.Pid != cmd.Process.Pid {
		t.Errorf("the file names process %d, want %d", p.Pid, cmd.Process.Pid)
	}
	expectMount(t, g.addr, "/mem")
	second := g.command(args...)
	if out, err := second.CombinedOutput(); second.ProcessState.ExitCode() != exitFailed {
		t.Errorf("a second server: %v, %s", err, out)
	}
	if log, _ := os.ReadFile(g.log); !bytes.Contains(log, []byte("\tdebug\t")) {
		t.Errorf("no details in the log: %s", log)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the end: %v", err)
	}
	g.gone()
}

// A SIGHUP that comes while a server starts, here while its log is opened, is answered
// once it serves.
func TestHangupAtStart(t *testing.T) {
	g := newGanesha(t)
	if err := syscall.Mkfifo(g.log, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := g.foreground()
	opening := func() bool {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/wchan", cmd.Process.Pid))
		return slices.ContainsFunc(threads, func(file string) bool {
			text, _ := os.ReadFile(file)
			return string(text) == "wait_for_partner"
		})
	}
	for end := time.Now().Add(limit); !opening(); <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the log is not opened")
		}
	}
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	log, err := os.OpenFile(g.log, os.O_RDWR, 0) // which waits for nobody
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	log.SetReadDeadline(time.Now().Add(limit))
	lines := bufio.NewScanner(log)
	for lines.Scan() && !strings.Contains(lines.Text(), "configuration reloaded") {
	}
	if !strings.Contains(lines.Text(), "configuration reloaded") {
		t.Error("no reload")
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("the end: %v", err)
	}
}

// As a unit of systemd's of type forking starts it: once the command has ended,
// clients are served.
func TestGaneshaBackground(t *testing.T) {
	g := newGanesha(t)
	if out, err := g.command("-L", g.log, "-f", g.conf(), "-p", g.pid).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	expectMount(t, g.addr, "/mem")
	p := g.serves()
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	g.gone()
}

func TestGaneshaRefuses(t *testing.T) {
	g := newGanesha(t)
	faulty := filepath.Join(g.dir, "faulty.conf")
	if err := os.WriteFile(faulty, []byte("EXPORT { Export_Id = x; }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"-F", "-N", "NIV_LOUD", "-f", g.conf()}, "NIV_LOUD"},
		{[]string{"-F", "-f", faulty}, faulty + ":1:"},
		{[]string{"-f", faulty, "-L", "STDERR"}, faulty + ":1:"},
		{[]string{"-f", faulty, "-L", g.log}, "its log (" + g.log + ") says why"},
		{[]string{"-F", "-f", g.conf() + ".none"}, "does not exist"},
		{[]string{"-F", "-f", g.conf(), "-p", g.dir}, g.dir},
		{[]string{"-F", "-f", g.conf(), "-L", g.dir}, g.dir},
		{[]string{"-F", "-Q"}, "Q"},
		{[]string{"-F", "more"}, "more"},
	} {
		cmd := g.command(test.args...)
		out, err := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(string(out), test.want) {
			t.Errorf("%q: %v: %s, want %s", test.args, err, out, test.want)
		}
	}
}

func TestGaneshaDefaults(t *testing.T) {
	out, err := newGanesha(t).command("-T").Output()
	if err != nil || !bytes.Contains(out, []byte("    NFS_Port = 2049;")) {
		t.Errorf("%v: %s", err, out)
	}
}

// Orchestrators look for digits and dots.
func TestGaneshaVersion(t *testing.T) {
	for _, flag := range []string{"-v", "-@"} {
		out, err := newGanesha(t).command(flag).Output()
		if err != nil || !regexp.MustCompile(`^NFS-Ganesha Release\s*=\s*V[\d.]+\n`).Match(out) {
			t.Errorf("%s: %v: %s", flag, err, out)
		}
	}
}
