package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good", "NFSv4 { Lease_Lifetime = 30; }\nMDCACHE { Reaper_Work = 0; }\n")
	bad := write("bad", "NFSv4 { Lease_Lifetim = 30; }\nVFS { x = 1; }\n")
	beyond := write("beyond", "NFSv4 { Graceless = true; }\n")
	refused := write("refused", memExport(1, "/a")+rgwExport(2, "/b"))
	within := write("within", dirExport(1, dir, "/a")+dirExport(2, dir, "/a/b"))
	for _, test := range []struct {
		name        string
		args        []string
		code        int
		out, errOut string
	}{
		{"good", []string{good}, 0, "    Lease_Lifetime = 30; # " + good + ":1:9\n", good + ":2:11: warning: Reaper_Work has no effect here\n"},
		{"bad", []string{bad}, exitFailed, "", "did you mean Lease_Lifetime?\n" + bad + ":2:7: error: unknown key x in VFS\n"},
		{"beyond", []string{beyond}, exitFailed, "Graceless = true;", beyond + ":1:9: warning: Graceless = true cannot be honoured; false can, so this configuration cannot be served\n"},
		{"refused", []string{refused}, exitFailed, "Pseudo = /a;", refused + ":2:55: warning: Name = RGW cannot be honoured"},
		{"within", []string{within}, exitFailed, "Pseudo = /a/b;", within + ":2:1: the place /a/b lies inside that of " + within + ":1:1; give it another\n"},
		{"none", []string{filepath.Join(dir, "none")}, exitFailed, "", "none does not exist\n"},
		{"explain", []string{"--explain", "grace_period"}, 0, "values: 15 to 600 seconds", ""},
		{"explain nothing", []string{"--explain", "grace_peroid"}, exitUsage, "", ""},
		{"both", []string{"--explain", "grace_period", good}, exitUsage, "", ""},
		{"two files", []string{good, bad}, exitUsage, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			cmd := checkCommand()
			cmd.SilenceErrors, cmd.SilenceUsage = true, true
			cmd.SetArgs(test.args)
			cmd.SetOut(&out)
			cmd.SetErr(&errOut)
			cmd.SetContext(t.Context())
			if code := exitStatus(cmd.Execute()); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if !strings.Contains(out.String(), test.out) || test.out == "" && out.Len() > 0 {
				t.Errorf("standard output %q, want %q", out.String(), test.out)
			}
			if !strings.Contains(errOut.String(), test.errOut) {
				t.Errorf("standard error %q, want %q", errOut.String(), test.errOut)
			}
		})
	}
}
