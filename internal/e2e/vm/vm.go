// Package vm boots a Linux kernel as a process of the host, User-Mode Linux,
// to have a real NFS client that needs neither KVM nor a machine of its own.
//
// A guest has one CPU, a root in memory over the host's read-only /usr and
// /etc, so that every program of the host runs in it, and a network link on
// which the servers that listen on the host's 127.0.0.1 are found at
// Guest.Host. It ends with the process that started it.
package vm

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/tidegate/tidegate/internal/e2e/agent"
)

//go:embed shim/xstate.c
var xstate string

const bootLimit = 30 * time.Second

// Config says what to boot.
type Config struct {
	Init   string // static program that is the guest's init and serves an agent
	Memory int    // MiB
}

// Guest is a running guest.
type Guest struct {
	agent  *agent.Client
	link   link
	cmd    *exec.Cmd
	dir    string        // holds all the guest's files on the host
	exited chan struct{} // closed when the kernel has ended
	close  sync.Once
}

// Available returns why no guest can run on this machine, or nil.
func Available() error {
	for _, prog := range []string{"linux.uml", "ip", "nft", "mount.nfs4"} {
		if _, err := exec.LookPath(prog); err != nil {
			return fmt.Errorf("%s is not installed", prog)
		}
	}
	l, err := makeLink()
	if err != nil {
		return errors.New("no network link can be made (CAP_NET_ADMIN and /dev/net/tun are needed)")
	}
	return l.remove()
}

// Start boots a guest and waits until it takes commands.
func Start(ctx context.Context, c Config) (g *Guest, err error) {
	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	g = &Guest{exited: make(chan struct{})}
	defer func() {
		if err != nil {
			err = fmt.Errorf("guest: %w\n%s", err, g.Console())
			g.Close()
		}
	}()
	if g.dir, err = os.MkdirTemp(memoryDir(c.Memory), "nfsvm."); err != nil {
		return nil, err
	}
	if g.link, err = makeLink(); err != nil {
		return nil, err
	}
	if err = writeInitramfs(filepath.Join(g.dir, "initrd"), c.Init); err != nil {
		return nil, err
	}
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	if err = g.boot(c, l.Addr().(*net.TCPAddr).Port); err != nil {
		return nil, err
	}
	go func() { // unblocks Accept
		select {
		case <-g.exited:
		case <-ctx.Done():
		}
		l.Close()
	}()
	conn, err := l.Accept()
	if err != nil {
		return nil, errors.New("the kernel did not come up")
	}
	g.agent = agent.NewClient(conn)
	return g, nil
}

// boot starts the kernel; its agent will dial port.
func (g *Guest) boot(c Config, port int) error {
	console, err := os.Create(filepath.Join(g.dir, "console"))
	if err != nil {
		return err
	}
	defer console.Close()
	g.cmd = exec.Command("linux.uml",
		fmt.Sprintf("mem=%dM", c.Memory), "umid=vm", "uml_dir="+g.dir+"/",
		"initrd="+filepath.Join(g.dir, "initrd"), "rdinit=/init",
		"panic=-1", "random.trust_cpu=1", "con=null", "ssl=null", "con0=null,fd:3",
		"vec0:transport=tap,ifname="+g.link.name+",depth=64,gro=1",
		// What the kernel does not know becomes init's environment.
		"VM_NAME="+g.link.name,
		"VM_ADDR="+g.link.guest+"/24",
		"VM_HOST="+g.link.host,
		"VM_AGENT="+net.JoinHostPort(g.link.host, strconv.Itoa(port)))
	g.cmd.ExtraFiles = []*os.File{console}
	g.cmd.Stdout, g.cmd.Stderr = console, console
	g.cmd.Env = append(os.Environ(), "TMPDIR="+g.dir)
	if shim, err := buildShim(g.dir); err == nil {
		g.cmd.Env = append(g.cmd.Env, "LD_PRELOAD="+shim)
	}
	// A group of its own: the guest's processes are processes of the host.
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := g.cmd.Start(); err != nil {
		return err
	}
	go func() {
		_ = g.cmd.Wait() // how it ended is on the console
		close(g.exited)
	}()
	return nil
}

// Host is the address at which the guest sees the host's 127.0.0.1.
func (g *Guest) Host() string { return g.link.host }

// Addr is the guest's own address.
func (g *Guest) Addr() string { return g.link.guest }

// Run runs a command and waits for its end.
func (g *Guest) Run(ctx context.Context, c agent.Command) (agent.Result, error) {
	r, err := g.agent.Run(ctx, c)
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(c.Args, " "), err, g.Console())
	}
	return r, err
}

// Freeze stops the guest in its tracks until Thaw.
func (g *Guest) Freeze() error { return g.cmd.Process.Signal(syscall.SIGSTOP) }

// Thaw lets a frozen guest go on.
func (g *Guest) Thaw() error { return g.cmd.Process.Signal(syscall.SIGCONT) }

// Console returns the last lines that the kernel printed.
func (g *Guest) Console() string {
	b, _ := os.ReadFile(filepath.Join(g.dir, "console"))
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-25):], []byte("\n")))
}

// Close ends the guest as a power cut does.
func (g *Guest) Close() (err error) {
	g.close.Do(func() {
		if g.agent != nil {
			g.agent.Close()
		}
		if g.cmd != nil && g.cmd.Process != nil {
			_ = syscall.Kill(-g.cmd.Process.Pid, syscall.SIGKILL)
			<-g.exited
		}
		if g.link.name != "" {
			err = g.link.remove()
		}
		if g.dir != "" {
			err = errors.Join(err, os.RemoveAll(g.dir))
		}
	})
	return err
}

// buildShim compiles the preloaded library into dir.
func buildShim(dir string) (string, error) {
	shim := filepath.Join(dir, "xstate.so")
	return shim, run(xstate, "gcc", "-O2", "-shared", "-fPIC", "-x", "c", "-o", shim, "-")
}

// memoryDir returns a directory with room for a guest's memory, in memory if possible.
func memoryDir(mib int) string {
	var fs syscall.Statfs_t
	const shm = "/dev/shm"
	if err := syscall.Statfs(shm, &fs); err == nil && int64(fs.Bavail)*fs.Bsize > int64(mib)<<20 {
		return shm
	}
	return os.TempDir()
}
