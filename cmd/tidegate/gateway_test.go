package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// rig is a server in this process, as serve makes it.
type rig struct {
	*testing.T
	*gateway
	dir  string // of the configuration, the state and directories to export
	conf string
	addr string
}

const wholeAccess = "EXPORT_DEFAULTS { Access_Type = RW; Squash = none; }\nNFSv4 { Lease_Lifetime = 30; Grace_Period = 15; }\n"

func memExport(id int, pseudo string) string {
	return fmt.Sprintf("EXPORT { Export_Id = %d; Path = /; Pseudo = %s; FSAL { Name = MEM; } }\n", id, pseudo)
}

func dirExport(id int, dir, pseudo string) string {
	return fmt.Sprintf("EXPORT { Export_Id = %d; Path = %q; Pseudo = %s; FSAL { Name = VFS; } }\n", id, dir, pseudo)
}

func rgwExport(id int, pseudo string) string {
	return fmt.Sprintf("EXPORT { Export_Id = %d; Path = /; Pseudo = %s; FSAL { Name = RGW; } }\n", id, pseudo)
}

// newRig starts a server of a configuration, in a directory that may be used
// before.
func newRig(t *testing.T, dir, text string) *rig {
	t.Helper()
	r := &rig{T: t, dir: dir, conf: filepath.Join(dir, "conf")}
	r.write(text)
	var s settings
	cmd := &cobra.Command{}
	s.register(cmd)
	args := []string{"--config", r.conf, "--state-dir", filepath.Join(dir, "state"), "--log-level", "error"}
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	if err := s.check(); err != nil {
		t.Fatal(err)
	}
	g, err := newGateway(t.Context(), s, cmd.Flags().Changed)
	if err != nil {
		t.Fatal(err)
	}
	r.gateway = g
	r.serve()
	return r
}

// serve runs the server until the test ends.
func (r *rig) serve() {
	r.Helper()
	socket, err := r.openSocket()
	if err != nil {
		r.Fatal(err)
	}
	if err := r.open(r.Context()); err != nil {
		r.Fatal(err)
	}
	ctl, err := r.startGrace(r.Context(), func(error) {})
	if err != nil {
		r.Fatal(err)
	}
	if err := r.start(ctl); err != nil {
		r.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	hangup := hangups()
	wait := attend(ctx, r.gateway, ctl, socket, hangup)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		r.Fatal(err)
	}
	r.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- r.rpc.Serve(ctx, l) }()
	r.Cleanup(func() {
		r.rpc.Shutdown(context.Background())
		stop()
		<-served
		wait()
		signal.Stop(hangup)
		r.nfs.Close()
		ctl.Close(context.Background())
		r.gateway.Close()
	})
}

func (r *rig) write(text string) {
	r.Helper()
	if err := os.WriteFile(r.conf, []byte(wholeAccess+text), 0o600); err != nil {
		r.Fatal(err)
	}
}

// command runs one of the commands that talk to the server.
func (r *rig) command(cmd *cobra.Command, in string, args ...string) (string, error) {
	var out bytes.Buffer
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(append(args, "--state-dir", r.running.stateDir))
	cmd.SetIn(strings.NewReader(in))
	cmd.SetOut(&out)
	cmd.SetContext(r.Context())
	err := cmd.Execute()
	return out.String(), err
}

func (r *rig) must(cmd *cobra.Command, in string, args ...string) string {
	r.Helper()
	out, err := r.command(cmd, in, args...)
	if err != nil {
		r.Fatalf("%q: %v", args, err)
	}
	return out
}

// mount makes a session for owner.
func (r *rig) mount(owner string) *client.Session {
	r.Helper()
	s, err := client.Mount(r.Context(), r.addr, client.Config{Minor: 2, Cred: rpc.Cred{Flavor: rpc.AuthSys}}, wire.ClientOwner{OwnerID: []byte(owner)})
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(s.Close)
	return s
}

// eventually polls until ok.
func (r *rig) eventually(what string, ok func() bool) {
	r.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			r.Fatal("not within 20 s: ", what)
		}
	}
}

// file makes a file in an export and opens it, when the client is told to come
// again too.
func (r *rig) file(s *client.Session, export, name string) (f *client.File) {
	r.Helper()
	r.eventually(export+" is served", func() bool {
		dir, err := s.Lookup(r.Context(), export)
		if err == nil {
			f, err = s.Open(r.Context(), dir, name, client.OpenOptions{Create: true, Mode: 0o644})
		}
		if err != nil && !client.IsStatus(err, wire.ErrDelay) && !client.IsStatus(err, wire.ErrGrace) {
			r.Fatalf("%s/%s: %v", export, name, err)
		}
		return err == nil
	})
	return f
}

// sees reports whether a client finds an export, and what it is told else.
func (r *rig) sees(s *client.Session, export string) error {
	_, err := s.Lookup(r.Context(), export)
	return err
}

// A reload adds, changes and removes exports; an open in one that stays goes on.
func TestReload(t *testing.T) {
	r := newRig(t, t.TempDir(), memExport(1, "/a")+memExport(2, "/b"))
	s := r.mount("client")
	a, b := r.file(s, "/a", "f"), r.file(s, "/b", "f")
	r.write(memExport(1, "/a") + memExport(3, "/c"))
	if out := r.must(reloadCommand(), ""); out != "2 exports\n" {
		t.Errorf("reload says %q", out)
	}
	if _, err := s.Write(t.Context(), a.FH, a.Stateid, 0, wire.FileSync, []byte("x")); err != nil {
		t.Errorf("an open in an export that stays: %v", err)
	}
	if _, err := s.Write(t.Context(), b.FH, b.Stateid, 0, wire.FileSync, []byte("x")); !client.IsStatus(err, wire.ErrStale) {
		t.Errorf("an open in an export that is gone: %v", err)
	}
	if err := r.sees(s, "/b"); !client.IsStatus(err, wire.ErrNoEnt) {
		t.Errorf("an export that is gone: %v", err)
	}
	r.file(s, "/c", "f")

	r.write(memExport(1, "/elsewhere"))
	r.must(reloadCommand(), "")
	if _, err := s.Write(t.Context(), a.FH, a.Stateid, 0, wire.FileSync, []byte("x")); err != nil {
		t.Errorf("an open in an export with another place: %v", err)
	}
	r.file(s, "/elsewhere", "f")
}

// Where an export's directory changes, clients see the other one, and what they had
// open is gone.
func TestReloadSource(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"one", "two"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r := newRig(t, dir, dirExport(1, filepath.Join(dir, "one"), "/a"))
	s := r.mount("client")
	f := r.file(s, "/a", "f")
	r.write(dirExport(1, filepath.Join(dir, "two"), "/a"))
	r.must(reloadCommand(), "")
	r.file(s, "/a", "g")
	if _, err := os.Stat(filepath.Join(dir, "two", "g")); err != nil {
		t.Error(err)
	}
	if _, err := s.Write(t.Context(), f.FH, f.Stateid, 0, wire.FileSync, []byte("x")); err == nil {
		t.Error("an open in the directory before is good")
	}
}

// A configuration with faults is told with all of them, and changes nothing.
func TestReloadFaults(t *testing.T) {
	r := newRig(t, t.TempDir(), memExport(1, "/a"))
	s := r.mount("client")
	for _, test := range []struct{ name, text, want string }{
		{"syntax", memExport(2, "/b") + "NFSv4 {", "conf:4:8: error: the text ends here"},
		{"key", memExport(2, "/b") + "NFSv4 { Leese_Lifetime = 3; }", "conf:4:9: error: unknown key Leese_Lifetime in NFSv4; did you mean Lease_Lifetime?"},
		{"same id", memExport(2, "/b") + memExport(2, "/c"), "conf:4:10: error: Export_Id: 2 is that of the export at "},
		{"inside another", memExport(2, "/b") + memExport(3, "/b/c"), "the place /b/c lies inside that of"},
		{"beyond", memExport(2, "/b") + "NFSv4 { Graceless = true; }", "conf:4:9: warning: Graceless = true cannot be honoured"},
		{"beyond, of all exports", rgwExport(2, "/b"), "conf:3:55: warning: Name = RGW cannot be honoured"},
		{"missing object", memExport(2, "/b") + "%url rados://p/n/o", "conf:4:1: error: rados://p/n/o cannot be read"},
		{"proxy", memExport(2, "/b") + "NFS_CORE_PARAM { HAProxy_Hosts = \"no host\"; }", "HAProxy_Hosts: no host has no address"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r.write(test.text)
			if _, err := r.command(reloadCommand(), ""); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if err := r.sees(s, "/b"); !client.IsStatus(err, wire.ErrNoEnt) {
				t.Errorf("an export of the faulty configuration: %v", err)
			}
			if err := r.sees(s, "/a"); err != nil {
				t.Errorf("the export in force: %v", err)
			}
		})
	}
}

// An export that cannot be served as it is asked for is left out, at the start and
// later, and said to be; it keeps nothing back from the others, nor from who added it.
func TestRefusedExport(t *testing.T) {
	r := newRig(t, t.TempDir(), memExport(1, "/a")+rgwExport(2, "/b"))
	s := r.mount("client")
	a := r.file(s, "/a", "f")
	const why = "warning: Name = RGW cannot be honoured; VFS or XFS or MEM or CEPH can, so this export cannot be served\n"
	if out := r.must(statusCommand(), ""); !strings.Contains(out, "exports: 2, 1 of them not served\n  /b: "+r.conf+":4:55: "+why) {
		t.Errorf("status says %q", out)
	}
	r.write(memExport(1, "/a") + rgwExport(2, "/b") + memExport(3, "/c"))
	if out := r.must(reloadCommand(), ""); out != "2 exports\nnot served: /b: "+r.conf+":4:55: "+why {
		t.Errorf("reload says %q", out)
	}
	c := r.file(s, "/c", "f")
	r.write(memExport(1, "/a") + strings.Replace(memExport(3, "/c"), "Path", "SecType = krb5p; Path", 1))
	r.must(reloadCommand(), "")
	if _, err := s.Write(t.Context(), c.FH, c.Stateid, 0, wire.FileSync, []byte("x")); !client.IsStatus(err, wire.ErrStale) {
		t.Errorf("an open in an export that is to be safer than it can be: %v", err)
	}
	if _, err := s.Write(t.Context(), a.FH, a.Stateid, 0, wire.FileSync, []byte("x")); err != nil {
		t.Errorf("an open in an export that stays: %v", err)
	}
	if _, err := r.command(exportCommand(), rgwExport(7, "/new"), "add", "-"); err == nil || !strings.Contains(err.Error(), "7.conf:1:57: warning: Name = RGW") {
		t.Errorf("add says %v", err)
	}
	if files, err := (&r.running).addedFiles(); err != nil || len(files) != 0 {
		t.Errorf("kept are %q, %v", files, err)
	}
}

// An export whose directory is missing is told to come again, others are served,
// and it is there when the directory is.
func TestAbsent(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing")
	r := newRig(t, dir, memExport(1, "/a")+dirExport(2, missing, "/late"))
	s := r.mount("client")
	r.file(s, "/a", "f")
	if err := r.sees(s, "/late"); !client.IsStatus(err, wire.ErrDelay) {
		t.Errorf("an export that is not there: %v", err)
	}
	root, err := s.Do(t.Context(), wire.PutRootFHArgs{}, wire.ReaddirArgs{MaxCount: 4096, AttrRequest: wire.BitmapOf(wire.AttrRdattrError)})
	if err == nil {
		err = root.Err()
	}
	if err != nil {
		t.Errorf("READDIR beside it: %v", err)
	}
	if out := r.must(statusCommand(), ""); !strings.Contains(out, "exports: 2, 1 of them not served\n  /late: export "+missing+": no such directory") {
		t.Errorf("status says %q", out)
	}
	if err := os.Mkdir(missing, 0o755); err != nil {
		t.Fatal(err)
	}
	r.eventually("the export is served", func() bool { return r.sees(s, "/late") == nil })
	r.file(s, "/late", "f")
}

// A change that nobody waits for any more, since he has gone or the server stops, is
// not made.
func TestReloadTooLate(t *testing.T) {
	r := newRig(t, t.TempDir(), memExport(1, "/a"))
	r.write(memExport(1, "/a") + memExport(2, "/b"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.reload(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, ok := r.exports.find("/b"); ok {
		t.Error("it was made")
	}
}

// Exports that are added last, and they alone can be changed by command.
func TestAddedExports(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, dir, memExport(1, "/a"))
	s := r.mount("client")
	for _, test := range []struct {
		args []string
		text string
		want string // "": it succeeds
	}{
		{[]string{"add", "-"}, memExport(1, "/x"), "there is an export 1 already, of " + r.conf},
		{[]string{"add", "-"}, memExport(7, "/a"), "Pseudo: /a is that of the export at " + r.conf},
		{[]string{"add", "-"}, memExport(7, "/x") + memExport(8, "/y"), "one EXPORT block and nothing else"},
		{[]string{"add", "-"}, "NFSv4 { Lease_Lifetime = 60; }", "one EXPORT block and nothing else"},
		{[]string{"add", "-"}, "EXPORT { Export_Id = 7; }", "the export has no Path"},
		{[]string{"update", "-"}, memExport(7, "/x"), `there is no export "7"`},
		{[]string{"update", "-"}, memExport(1, "/x"), "export 1 is of " + r.conf},
		{[]string{"remove", "/a"}, "", "export /a is of " + r.conf},
		{[]string{"remove", "9"}, "", `there is no export "9"`},
		{[]string{"add", "-"}, memExport(7, "/new"), ""},
		{[]string{"add", "-"}, memExport(8, "/other"), ""},
		{[]string{"update", "-"}, memExport(7, "/newer"), ""},
		{[]string{"update", "-"}, strings.Replace(memExport(7, "/newest"), "Path", "Protocols = 3; Path", 1), "export 7 would be served to nobody"},
		{[]string{"remove", "/other"}, "", ""},
	} {
		_, err := r.command(exportCommand(), test.text, test.args...)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%q of %q: got %v, want %q", test.args, test.text, err, test.want)
		}
	}
	r.file(s, "/newer", "f")
	if err := r.sees(s, "/other"); !client.IsStatus(err, wire.ErrNoEnt) {
		t.Errorf("an export that was removed: %v", err)
	}
	if out := r.must(exportCommand(), "", "show", "7"); !strings.Contains(out, "Pseudo = /newer;") || !strings.Contains(out, "Access_Type = RW; # inherited") {
		t.Errorf("show says %q", out)
	}
	files, err := (&r.running).addedFiles()
	if err != nil || len(files) != 1 || filepath.Base(files[0]) != "7.conf" {
		t.Fatalf("kept are %q, %v", files, err)
	}
	if err := os.Remove(files[0]); err != nil { // as a person may
		t.Fatal(err)
	}
	r.must(exportCommand(), "", "remove", "7")
	if _, ok := r.exports.find("7"); ok {
		t.Error("the export that was removed is there")
	}
}

// What was added is there after a restart.
func TestAddedExportsLast(t *testing.T) {
	dir := t.TempDir()
	t.Run("before", func(t *testing.T) {
		newRig(t, dir, memExport(1, "/a")).must(exportCommand(), memExport(7, "/new"), "add", "-")
	})
	t.Run("after", func(t *testing.T) {
		r := newRig(t, dir, memExport(1, "/a"))
		if _, ok := r.exports.find("/new"); !ok {
			t.Error("the export that was added is gone")
		}
	})
}

// Clients of an export notice nothing while others come, change and go.
func TestExportsUnderLoad(t *testing.T) {
	dir := t.TempDir()
	moving := filepath.Join(dir, "moving")
	if err := os.Mkdir(moving, 0o755); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, dir, memExport(1, "/a"))
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	var total int64
	var mu sync.Mutex
	for i := range 2 {
		s := r.mount(fmt.Sprint("client", i))
		f := r.file(s, "/a", fmt.Sprint("f", i))
		load.Go(func() {
			done := int64(0)
			for ; ctx.Err() == nil; done++ {
				if _, err := s.Write(t.Context(), f.FH, f.Stateid, uint64(done%64)*512, wire.Unstable, make([]byte, 512)); err != nil {
					t.Errorf("WRITE %d: %v", done, err)
					return
				}
				if done%16 == 0 {
					r.file(s, "/a", fmt.Sprint("g", i))
				}
			}
			mu.Lock()
			total += done
			mu.Unlock()
		})
	}
	s := r.mount("changes")
	for i := range 100 {
		r.write(memExport(1, "/a") + dirExport(2+i%3, moving, fmt.Sprintf("/b%d", i%5)) + memExport(9, "/c"))
		r.must(reloadCommand(), "")
		f := r.file(s, fmt.Sprintf("/b%d", i%5), "f")
		if i%2 == 0 {
			if err := s.CloseFile(t.Context(), f); err != nil {
				t.Error(err)
			}
		}
	}
	stop()
	load.Wait()
	t.Logf("%d writes", total)
}

// An export of the root of everything stands alone, under the number 0 too.
func TestRootExport(t *testing.T) {
	r := newRig(t, t.TempDir(), memExport(0, "/"))
	s := r.mount("client")
	r.file(s, "/", "f")
	if out := r.must(exportCommand(), "", "show", "0"); !strings.Contains(out, "export 0 at /: memory") {
		t.Errorf("show says %q", out)
	}
	r.write(memExport(0, "/") + memExport(1, "/a"))
	if _, err := r.command(reloadCommand(), ""); err == nil {
		t.Error("an export below the root of everything")
	} else {
		t.Log(err)
	}
	r.file(s, "/", "g")
}
