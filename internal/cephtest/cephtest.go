// Package cephtest gives tests a throw-away Ceph on loopback: scripts/ceph-dev.
package cephtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// ErrMissing is why there is no cluster where Ceph is not installed.
var ErrMissing = errors.New("Debian's ceph-mon, ceph-osd, ceph-mds, ceph-mgr, ceph-fuse, ceph-common and python3-cephfs are not all installed")

// FS is the name of a cluster's file system.
const FS = "cephfs"

// Cluster is a running Ceph.
type Cluster struct{ dir string }

// Start makes a cluster that ends with this process at the latest; args are
// options of "ceph-dev up".
func Start(args ...string) (*Cluster, error) {
	for _, p := range []string{"ceph-mon", "ceph-osd", "ceph-mds", "ceph-mgr", "ceph"} {
		if _, err := exec.LookPath(p); err != nil {
			return nil, ErrMissing
		}
	}
	if python("import rados, cephfs").Run() != nil {
		return nil, ErrMissing
	}
	// Sockets below it have little room for a name.
	dir, err := os.MkdirTemp("/tmp", "ceph")
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir}
	if err := c.dev("up", append(args, "--until", strconv.Itoa(os.Getpid()))...); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return c, nil
}

// Stop kills all daemons and removes what they kept.
func (c *Cluster) Stop() error { return c.dev("down") }

// Conf is the path of the cluster's ceph.conf.
func (c *Cluster) Conf() string { return filepath.Join(c.dir, "ceph.conf") }

// Kill sends SIGKILL to a daemon, such as mds.a; StartDaemon starts it again.
func (c *Cluster) Kill(daemon string) error        { return c.dev("kill", daemon) }
func (c *Cluster) StartDaemon(daemon string) error { return c.dev("start", daemon) }

func (c *Cluster) dev(verb string, args ...string) error {
	_, self, _, _ := runtime.Caller(0)
	script := filepath.Join(filepath.Dir(self), "../../scripts/ceph-dev")
	_, err := output(exec.Command(script, append([]string{verb, c.dir}, args...)...))
	return err
}

// Ceph runs the ceph command as client.admin.
func (c *Cluster) Ceph(args ...string) (string, error) {
	return output(exec.Command("ceph", append([]string{"--conf", c.Conf(), "--connect-timeout", "30"}, args...)...))
}

// Session is a CephFS client as an MDS sees it.
type Session struct {
	ID       int64 `json:"id"`
	Caps     int64 `json:"num_caps"`
	Recalled struct {
		Value float64 `json:"value"` // how many caps were asked for, as the MDS forgets it
	} `json:"recall_caps"`
	Metadata struct {
		UUID string `json:"uuid"`
		Host string `json:"hostname"`
	} `json:"client_metadata"`
}

// Sessions lists the clients of an MDS, such as "cephfs:0".
func (c *Cluster) Sessions(mds string) (list []Session, err error) {
	out, err := c.Ceph("tell", "mds."+mds, "session", "ls", "--format", "json")
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal([]byte(out), &list)
	return list, err
}

// Evict evicts the clients whose uuid begins so, and reports how many.
func (c *Cluster) Evict(uuid string) (n int, err error) {
	list, err := c.Sessions(FS + ":0")
	for _, s := range list {
		if strings.HasPrefix(s.Metadata.UUID, uuid) && err == nil {
			_, err = c.Ceph("tell", "mds."+FS+":0", "client", "evict", fmt.Sprint("id=", s.ID))
			n++
		}
	}
	return n, err
}

// Python runs a program that has a mounted client of its own as fs, an
// independent witness of what is on CephFS, and returns what it prints.
func (c *Cluster) Python(program string) (string, error) {
	return output(c.PythonCmd(program))
}

// PythonCmd is Python for a program that runs beside the test.
func (c *Cluster) PythonCmd(program string) *exec.Cmd {
	return python(fmt.Sprintf(`
import cephfs, os, sys
fs = cephfs.LibCephFS(conffile=%q, auth_id="admin")
fs.mount()
%s
fs.shutdown()
`, c.Conf(), program))
}

// Active names the daemons of the active MDS ranks, such as mds.a.
func (c *Cluster) Active() (names []string, err error) {
	out, err := c.Ceph("fs", "get", FS, "--format", "json")
	if err != nil {
		return nil, err
	}
	var fs struct {
		MDSMap struct {
			Info map[string]struct{ Name, State string }
		}
	}
	if err := json.Unmarshal([]byte(out), &fs); err != nil {
		return nil, err
	}
	for _, d := range fs.MDSMap.Info {
		if d.State == "up:active" {
			names = append(names, "mds."+d.Name)
		}
	}
	return names, nil
}

// Mount mounts the file system on this host, by a client of its own, until the
// function that it returns is called.
func (c *Cluster) Mount(dir string) (unmount func() error, err error) {
	if _, err := exec.LookPath("ceph-fuse"); err != nil {
		return nil, ErrMissing
	}
	if _, err := output(exec.Command("ceph-fuse", "--conf", c.Conf(), "-n", "client.admin", dir)); err != nil {
		return nil, err
	}
	return func() error {
		_, err := output(exec.Command("umount", dir))
		return err
	}, nil
}

// python is Debian's interpreter, to which its bindings belong.
func python(program string) *exec.Cmd { return exec.Command("/usr/bin/python3", "-c", program) }

// output returns what cmd prints, or an error with what it complains of.
func output(cmd *exec.Cmd) (string, error) {
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, strings.TrimSpace(complaint.String()))
	}
	return string(out), err
}
