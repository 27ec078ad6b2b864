package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// exitUsage is the exit status of a command line, or a set-up, that is to be mended.
const exitUsage = 2

// command runs the server's program and returns what it printed and its exit status.
func command(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	prog, err := built.server()
	if err != nil {
		t.Fatal("the server does not build: ", err)
	}
	if args[0] == "serve" && !slices.Contains(args, "--state-dir") {
		args = append(args, "--state-dir", t.TempDir())
	}
	cmd := exec.CommandContext(t.Context(), prog, args...)
	var out, diag bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diag
	var exit *exec.ExitError
	if err := cmd.Run(); errors.As(err, &exit) {
		status = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return out.String(), diag.String(), status
}

// What the user got wrong is said in one line.
func TestUsageErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	addr := freeAddr(t)
	for name, test := range map[string]struct {
		args []string
		says string // what the line must mention
	}{
		"command":       {[]string{"sevre"}, `unknown command "sevre" for "tidegate"; Did you mean this? serve`},
		"flag":          {[]string{"serve", "--exprot", dir}, "--exprot"},
		"argument":      {[]string{"serve", "--listen", addr, "--export", dir + "=/a", "extra"}, "extra"},
		"no export":     {[]string{"serve", "--listen", addr}, "export"},
		"no directory":  {[]string{"serve", "--listen", addr, "--export", dir + "/none=/a"}, dir + "/none"},
		"a file":        {[]string{"serve", "--listen", addr, "--export", file + "=/a"}, file},
		"empty export":  {[]string{"serve", "--listen", addr, "--export", ""}, "export"},
		"relative name": {[]string{"serve", "--listen", addr, "--export", dir + "=a/b"}, "a/b"},
		"a name twice":  {[]string{"serve", "--listen", addr, "--export", dir + "=/a", "--export", "mem:=/a"}, "/a"},
		"a name within": {[]string{"serve", "--listen", addr, "--export", dir + "=/a", "--export", "mem:=/a/b"}, "/a/b"},
		"address":       {[]string{"serve", "--listen", "nowhere", "--export", dir + "=/a"}, "nowhere"},
		"port":          {[]string{"serve", "--listen", "127.0.0.1:70000", "--export", dir + "=/a"}, "70000"},
		"no state":      {[]string{"serve", "--listen", addr, "--export", dir + "=/a", "--state-dir", file}, file},
		"no socket":     {[]string{"serve", "--listen", addr, "--export", dir + "=/a", "--state-dir", "/proc"}, "/proc"},
		"no records":    {[]string{"serve", "--listen", addr, "--export", "mem:=/a", "--recovery-dir", file}, file},
		"cache":         {[]string{"serve", "--listen", addr, "--export", "mem:=/a", "--cache-objects", "-1"}, "--cache-objects -1"},
		"Ceph clients":  {[]string{"serve", "--listen", addr, "--export", "mem:=/a", "--ceph-clients", "0"}, "--ceph-clients 0"},
		"dead after":    {[]string{"serve", "--listen", addr, "--export", "mem:=/a", "--dead-after", "-1s"}, "--dead-after -1s"},
		"log level":     {[]string{"serve", "--listen", addr, "--log-level", "loud", "--export", dir + "=/a"}, "loud"},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, status := command(t, test.args...)
			if status != exitUsage || stdout != "" {
				t.Errorf("exit status %d, standard output %q; want %d and none", status, stdout, exitUsage)
			}
			line, rest, _ := strings.Cut(stderr, "\n")
			if rest != "" || !strings.Contains(line, test.says) {
				t.Errorf("standard error is %q, want one line that mentions %q", stderr, test.says)
			}
		})
	}
}

// A configuration with faults is refused with all of them, a line each.
func TestRefusedConfiguration(t *testing.T) {
	file := filepath.Join(t.TempDir(), "conf")
	text := "NFSv4 { Lease_Lifetim = 3; Graceless = true; }\nEXPORT { Export_Id = 1; Path = /; Pseudo = /a; FSAL { Name = RGW; } }\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"faults": {[]string{"serve", "--config", file, "--listen", freeAddr(t)},
			file + ":1:9: error: unknown key Lease_Lifetim in NFSv4; did you mean Lease_Lifetime?\n" +
				file + ":1:28: warning: Graceless = true cannot be honoured; false can, so this configuration cannot be served\n" +
				file + ":2:55: warning: Name = RGW cannot be honoured; VFS or XFS or MEM or CEPH can, so this export cannot be served\n"},
		"no file": {[]string{"serve", "--config", file + "x", "--listen", freeAddr(t)}, file + "x:1:1: error: " + file + "x does not exist\n"},
	} {
		stdout, stderr, status := command(t, test.args...)
		if status != exitUsage || stdout != "" || stderr != test.want {
			t.Errorf("%s: exit status %d, standard output %q, standard error %q; want %d and %q", name, status, stdout, stderr, exitUsage, test.want)
		}
	}
}

// What a server cannot have because another one has it is said alone, whatever else
// there would be to say.
func TestTaken(t *testing.T) {
	needTidegate(t)
	s := startServer(t, export{"mem:", "/mem"})
	conf := filepath.Join(t.TempDir(), "conf")
	text := "NFSv4 { PNFS_MDS = true; }\nEXPORT { Export_Id = 1; Path = /; Pseudo = /a; FSAL { Name = MEM; } }\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args []string
		says string
	}{
		"address":                {[]string{"--listen", s.addr, "--export", "mem:=/mem"}, s.addr},
		"address, configuration": {[]string{"--listen", s.addr, "--config", conf}, s.addr},
		"state":                  {[]string{"--listen", freeAddr(t), "--config", conf, "--state-dir", s.state}, s.state},
		"state, recovery of its own": {[]string{"--listen", freeAddr(t), "--config", conf, "--state-dir", s.state,
			"--recovery-dir", t.TempDir()}, s.state},
	} {
		t.Run(name, func(t *testing.T) {
			_, stderr, status := command(t, append([]string{"serve", "--monitor", ""}, test.args...)...)
			if line, rest, _ := strings.Cut(stderr, "\n"); status != exitUsage || rest != "" || !strings.Contains(line, test.says) {
				t.Errorf("exit status %d, standard error %q; want %d and one line that names %s", status, stderr, exitUsage, test.says)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	stdout, stderr, status := command(t, "version")
	if status != 0 || stderr != "" || !strings.HasPrefix(stdout, "tidegate ") || strings.Count(stdout, "\n") != 1 {
		t.Errorf("exit status %d, standard output %q, standard error %q; want one line", status, stdout, stderr)
	}
}
