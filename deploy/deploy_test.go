// Package deploy tests what is shipped beside the program.
package deploy

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// limit is for what ought to happen at once.
const limit = 30 * time.Second

// tools skips the test where one is missing.
func tools(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip(err)
		}
	}
}

func run(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %q: %v\n%s%s", name, args, err, &out, &errOut)
	}
	return strings.TrimSpace(out.String())
}

// build builds the program.
func build(t *testing.T, env ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "tidegate")
	run(t, env, "go", "build", "-ldflags=-s -w", "-o", program, "../cmd/tidegate")
	return program
}

// configure makes a configuration serve a directory on loopback, where no other
// server is, and returns where.
func configure(t *testing.T, conf, dir string) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	at := l.Addr().(*net.TCPAddr).AddrPort()
	text, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	text = fmt.Appendf(text, "NFS_CORE_PARAM { Bind_addr = %s; NFS_Port = %d; }\n"+
		"EXPORT { Export_Id = 1; Path = %q; Pseudo = /data; Access_Type = RW; Squash = none; FSAL { Name = VFS; } }\n",
		at.Addr(), at.Port(), dir)
	if err := os.WriteFile(conf, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return netip.AddrPortFrom(at.Addr(), at.Port()).String()
}

// serve runs a server until the test ends, and waits until it serves.
func serve(t *testing.T, addr string, cmd *exec.Cmd) {
	t.Helper()
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("the server ended: %v\n%s", err, &log)
			}
		case <-time.After(limit):
			cmd.Process.Kill()
			t.Error("the server did not stop")
		}
	})
	for end := time.Now().Add(limit); ; <-time.After(10 * time.Millisecond) {
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			return
		}
		if len(done) > 0 || time.Now().After(end) {
			cmd.Process.Kill()
			err := <-done
			done <- nil
			t.Fatalf("the server does not serve: %v\n%s", err, &log)
		}
	}
}

// session is that of a user.
func session(t *testing.T, addr string, uid uint32) *client.Session {
	t.Helper()
	cfg := client.Config{Cred: rpc.Cred{Flavor: rpc.AuthSys, UID: uid, GID: uid}}
	s, err := client.Mount(t.Context(), addr, cfg, wire.ClientOwner{OwnerID: fmt.Append(nil, t.Name(), uid)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// exercise has two users make and use files in an export.
func exercise(t *testing.T, addr, dir string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	root, user := session(t, addr, 0), session(t, addr, 4321)
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	top, err := root.Lookup(ctx, "/data")
	must("LOOKUP", err)
	_, err = user.Mkdir(ctx, top, "refused", 0o755)
	if !client.IsStatus(err, wire.ErrAccess) {
		t.Errorf("MKDIR in another's directory: %v", err)
	}
	own, err := root.Mkdir(ctx, top, "own", 0o700)
	must("MKDIR", err)
	owner := client.Attrs{Mask: wire.BitmapOf(wire.AttrOwner, wire.AttrOwnerGroup), Owner: "4321", OwnerGroup: "4321"}
	_, err = root.Setattr(ctx, own, wire.Stateid{}, owner)
	must("SETATTR", err)
	f, err := user.Open(ctx, own, "file", client.OpenOptions{Create: true, Mode: 0o600})
	for client.IsStatus(err, wire.ErrGrace) { // it has only just started
		<-time.After(10 * time.Millisecond)
		f, err = user.Open(ctx, own, "file", client.OpenOptions{Create: true, Mode: 0o600})
	}
	must("OPEN", err)
	_, err = user.Write(ctx, f.FH, f.Stateid, 0, wire.FileSync, []byte("hello"))
	must("WRITE", err)
	must("CLOSE", user.CloseFile(ctx, f))
	_, err = root.Create(ctx, own, wire.CreateArgs{ObjType: wire.TypeChr, DevData: wire.SpecData{Major: 1, Minor: 3}, ObjName: []byte("null")})
	must("CREATE of a device", err)
	_, err = root.Setattr(ctx, f.FH, wire.Stateid{}, client.Attrs{Mask: wire.BitmapOf(wire.AttrMode), Mode: 0o6755})
	must("SETATTR of another's file", err)
	info, err := os.Stat(filepath.Join(dir, "own", "file"))
	must("stat", err)
	const mode = os.ModeSetuid | os.ModeSetgid | 0o755
	if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 4321 || info.Size() != 5 || info.Mode() != mode {
		t.Errorf("the file is %d's, has %d bytes and mode %v", uid, info.Size(), info.Mode())
	}
}

func rootOnly(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can act as others")
	}
}
