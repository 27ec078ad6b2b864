package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// ganesha returns the command line of an nfs-ganesha that serves exports.
func ganesha(t *testing.T, addr string, exports []export) []string {
	t.Helper()
	prog, err := exec.LookPath("ganesha.nfsd")
	if err != nil {
		t.Skip("nfs-ganesha is not installed")
	}
	host, port, _ := net.SplitHostPort(addr)
	dir := t.TempDir()
	var conf strings.Builder
	fmt.Fprintf(&conf, `NFS_CORE_PARAM { Protocols = 4; Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false;
  Bind_addr = %s; NFS_Port = %s; Plugins_Dir = /usr/lib/x86_64-linux-gnu/ganesha; }
NFSv4 { RecoveryRoot = %s; Minor_Versions = 1, 2; Grace_Period = 10; Lease_Lifetime = 10; }
`, host, port, dir)
	for i, e := range exports {
		if e.dir == "mem:" {
			t.Skip("nfs-ganesha's memory keeps no data")
		}
		fmt.Fprintf(&conf, "EXPORT { Export_Id = %d; Path = %s; Pseudo = %s; Access_Type = RW; Squash = none; SecType = sys; FSAL { Name = VFS; } }\n",
			i+1, e.dir, e.pseudo)
	}
	path := filepath.Join(dir, "conf")
	if err := os.WriteFile(path, []byte(conf.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{prog, "-F", "-f", path, "-L", "STDERR", "-p", filepath.Join(dir, "pid")}
}
