package e2e

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

const (
	startLimit = 10 * time.Second
	stopLimit  = 15 * time.Second
	// lease is what a frozen client may hold up another, and about the shortest
	// that a Linux client keeps: it renews at two thirds of it, and not more often
	// than every 5 s.
	lease = 8 * time.Second
)

// export is a directory of the host, or "mem:", and its name for clients.
type export struct{ dir, pseudo string }

// server is a server process on a loopback port that it keeps when it restarts.
type server struct {
	t     *testing.T
	addr  string
	state string   // directory
	args  []string // program and arguments
	log   string   // path of what it prints
	group uint32   // that it runs as; 0: that of the test
	cmd   *exec.Cmd
	done  chan error // receives how cmd ended
}

// startServer starts a server of exports that lasts as long as the test.
func startServer(t *testing.T, exports ...export) *server {
	t.Helper()
	s := newServer(t, exports...)
	s.start()
	return s
}

// newServer returns a server that is not started.
func newServer(t *testing.T, exports ...export) *server {
	t.Helper()
	s := &server{t: t, addr: freeAddr(t), state: t.TempDir(), log: filepath.Join(t.TempDir(), "log")}
	if *peer {
		s.args = ganesha(t, s.addr, exports)
	} else {
		s.args = tidegate(t, s, exports)
	}
	t.Cleanup(func() {
		if s.cmd != nil {
			s.kill()
		}
		if t.Failed() {
			t.Logf("the server's last lines:\n%s", s.tail())
		}
	})
	return s
}

// with adds arguments, which nfs-ganesha does not know. Of one that is given twice
// the later counts.
func (s *server) with(args ...string) *server {
	if !*peer {
		s.args = append(s.args, args...)
	}
	return s
}

func tidegate(t *testing.T, s *server, exports []export) []string {
	t.Helper()
	prog, err := built.server()
	if err != nil {
		t.Fatal("the server does not build: ", err)
	}
	args := []string{prog, "serve", "--listen", s.addr, "--state-dir", s.state, "--lease", lease.String(), "--log-level", "info", "--monitor", ""}
	if *uncached {
		args = append(args, "--cache-objects", "0")
	}
	for _, e := range exports {
		args = append(args, "--export", e.dir+"="+e.pseudo)
	}
	return args
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (s *server) port() string {
	_, port, _ := net.SplitHostPort(s.addr)
	return port
}

// start starts the process and waits until it accepts connections.
func (s *server) start() {
	s.t.Helper()
	s.launch()
	s.await()
}

// launch starts the process and waits for nothing.
func (s *server) launch() {
	s.t.Helper()
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(s.args[0], s.args[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // it ends with the test, however that ends
	if s.group != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(os.Getuid()), Gid: s.group}
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	s.cmd, s.done = cmd, done
}

// await waits until the process accepts connections.
func (s *server) await() {
	s.t.Helper()
	eventually(s.t, "server starts", startLimit, func() bool {
		if len(s.done) != 0 {
			s.cmd = nil
			s.t.Fatalf("the server ended: %v", <-s.done)
		}
		conn, err := net.Dial("tcp4", s.addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// kill ends the process as a crash does.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	<-s.done
	s.cmd = nil
}

// terminate asks the process to stop and returns its exit status.
func (s *server) terminate() int {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	select {
	case err := <-s.done:
		s.cmd = nil
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return exit.ExitCode()
		}
		return 0
	case <-time.After(stopLimit):
		s.t.Fatalf("the server did not stop within %v of SIGTERM", stopLimit)
		return -1
	}
}

func (s *server) tail() []byte {
	b, _ := os.ReadFile(s.log)
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-30):], []byte("\n"))
}
