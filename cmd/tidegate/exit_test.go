package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The program ends with the statuses that its help tells of.
func TestExitStatuses(t *testing.T) {
	dir := t.TempDir()
	serve := []string{"serve", "--listen", "127.0.0.1:0", "--monitor", "", "--state-dir", dir}
	for _, test := range []struct {
		args   []string
		status int
	}{
		{[]string{"version"}, 0},
		{[]string{"status", "--state-dir", dir}, exitFailed},
		{[]string{"check", dir + "/none"}, exitFailed},
		{[]string{"sevre"}, exitUsage},
		{[]string{"version", "--now"}, exitUsage},
		{[]string{"grace", "end"}, exitUsage},
		{append(serve, "--lease", "1s", "--export", "mem:"), exitUsage},
		{append(serve, "--memory-limit", "much", "--export", "mem:"), exitUsage},
		{append(serve, "--config", dir+"/none"), exitUsage},
		{append(serve, "--export", dir+"/none"), exitUsage},
		{append(serve, "--export", "mem:", "--listen", "192.0.2.1:1"), exitUsage},
	} {
		cmd := program(t, "tidegate", test.args...)
		if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != test.status {
			t.Errorf("%q: %v, want status %d: %s", test.args, cmd.ProcessState, test.status, out)
		}
	}
	help, err := program(t, "tidegate", "--help").Output()
	if err != nil || !strings.Contains(string(help), exitTable()) {
		t.Errorf("the help lacks the statuses: %v: %s", err, help)
	}
}

// The unit starts no server anew that a person must mend, and any other.
func TestUnitStatuses(t *testing.T) {
	unit, err := os.ReadFile("../../deploy/systemd/tidegate.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Restart=on-failure", fmt.Sprint("RestartPreventExitStatus=", exitUsage), "Environment=GOTRACEBACK=crash",
	} {
		if !strings.Contains(string(unit), "\n"+want+"\n") {
			t.Errorf("the unit lacks %s", want)
		}
	}
}
