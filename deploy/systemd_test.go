package deploy

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// machine is a systemd that runs for a test, in this machine's root with changes
// that are forgotten.
type machine struct {
	t     *testing.T
	share string // a directory that is the same inside
	pid   string // of systemd, outside
}

// hierarchy is where systemd's cgroups are; the machine's are below one of them.
const hierarchy = "/sys/fs/cgroup/systemd"

func boot(t *testing.T, share string) *machine {
	t.Helper()
	tools(t, "unshare", "nsenter", "/lib/systemd/systemd")
	group := filepath.Join(hierarchy, filepath.Base(filepath.Dir(share)))
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Skip("no hierarchy of cgroups for systemd: ", err)
	}
	script, err := filepath.Abs("testdata/boot")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command("sh", "-c", `echo $$ >"$0/cgroup.procs" && exec unshare --mount --pid --fork --kill-child --uts --ipc --cgroup "$@"`,
		group, script, t.TempDir(), share)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
		for end := time.Now().Add(limit); !disband(group) && time.Now().Before(end); <-time.After(20 * time.Millisecond) {
		}
		if t.Failed() {
			t.Logf("the log of systemd:\n%s", &log)
		}
	})
	m := &machine{t: t, share: share}
	m.until("systemd to run", func() bool {
		if len(ended) > 0 {
			t.Skipf("systemd cannot run here: %s", &log)
		}
		pid := fmt.Sprint(cmd.Process.Pid)
		children, _ := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children")
		m.pid = strings.TrimSpace(string(children))
		name, _ := os.ReadFile("/proc/" + m.pid + "/comm")
		if string(name) != "systemd\n" {
			return false
		}
		_, err := m.try("systemctl", "show", "-P", "Version")
		return err == nil
	})
	return m
}

// disband removes a cgroup and those below it, once no process is in them any more.
func disband(group string) bool {
	below, _ := os.ReadDir(group)
	for _, x := range below {
		if x.IsDir() {
			disband(filepath.Join(group, x.Name()))
		}
	}
	return os.Remove(group) == nil
}

func (m *machine) try(args ...string) (string, error) {
	all := append([]string{"--target", m.pid, "--mount", "--pid", "--uts", "--ipc", "--root", "--wd"}, args...)
	out, err := exec.Command("nsenter", all...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (m *machine) run(args ...string) string {
	m.t.Helper()
	out, err := m.try(args...)
	if err != nil {
		m.t.Fatalf("%q: %v: %s", args, err, out)
	}
	return out
}

func (m *machine) until(what string, ok func() bool) {
	m.t.Helper()
	for end := time.Now().Add(limit); !ok(); <-time.After(20 * time.Millisecond) {
		if time.Now().After(end) {
			m.t.Fatal("waited in vain for ", what)
		}
	}
}

// main returns the process of the service, or 0.
func (m *machine) main() int {
	m.t.Helper()
	pid, err := strconv.Atoi(m.run("systemctl", "show", "-P", "MainPID", "tidegate"))
	if err != nil {
		m.t.Fatal(err)
	}
	return pid
}

// underSystemd installs a package on a machine with systemd, and has it serve,
// reload, outlive crashes and refuse faults.
func underSystemd(t *testing.T, deb string) {
	share := t.TempDir()
	m := boot(t, share)
	dir, conf := filepath.Join(share, "data"), filepath.Join(share, "tidegate.conf")
	for from, to := range map[string]string{deb: filepath.Join(share, "deb"), "tidegate.conf": conf} {
		run(t, nil, "cp", from, to)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(share, 0o755); err != nil {
		t.Fatal(err)
	}
	addr := configure(t, conf, dir)
	m.run("dpkg", "--install", "--force-depends", filepath.Join(share, "deb"))
	m.run("cp", conf, "/etc/tidegate/tidegate.conf")
	m.run("mkdir", "-p", "/etc/systemd/system/tidegate.service.d")
	m.run("sh", "-c", "printf '[Service]\nWatchdogSec=3\n' >/etc/systemd/system/tidegate.service.d/test.conf; systemctl daemon-reload")
	m.run("systemctl", "enable", "--now", "tidegate")
	exercise(t, addr, dir)
	m.run("systemctl", "reload", "tidegate")

	for _, signal := range []string{"STOP", "SEGV", "QUIT", "KILL"} {
		before := m.main()
		m.run("kill", "-"+signal, fmt.Sprint(before))
		m.until("a new server after SIG"+signal, func() bool {
			now := m.main()
			return now != 0 && now != before && m.run("systemctl", "show", "-P", "ActiveState", "tidegate") == "active"
		})
	}
	m.run("sh", "-c", "echo 'EXPORT { no such key = 1; }' >>/etc/tidegate/tidegate.conf")
	if out, err := m.try("systemctl", "reload", "tidegate"); err == nil {
		t.Errorf("a faulty configuration is loaded: %s", out)
	}
	if m.main() == 0 {
		t.Error("a faulty configuration ends the server")
	}
	if out, err := m.try("systemctl", "restart", "tidegate"); err == nil {
		t.Errorf("the server starts with a faulty configuration: %s", out)
	}
	if state := m.run("systemctl", "show", "-P", "ActiveState", "tidegate"); state != "failed" {
		t.Errorf("a server whose configuration is faulty is %s", state)
	}
	if status := m.run("systemctl", "show", "-P", "ExecMainStatus", "tidegate"); status != "2" {
		t.Errorf("a server whose configuration is faulty ends with %s", status)
	}
	m.run("dpkg", "--purge", "tidegate")
	if out := m.run("find", "/etc/systemd/system", "-name", "tidegate*"); out != "/etc/systemd/system/tidegate.service.d" {
		t.Errorf("of the package stays: %s", out)
	}
}
