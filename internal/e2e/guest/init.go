package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/internal/e2e/agent"
)

const (
	hostRoot   = "/host"
	modulesDir = hostRoot + "/usr/lib/uml/modules"
	searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// runInit is the guest's first process: it sets the guest up, serves the host
// until the connection ends, and turns the guest off.
func runInit() {
	if err := errors.Join(mountAll(), loadModules("sunrpc", "nfs", "nfsv4"), network()); err != nil {
		fmt.Println("init:", err)
	} else if err := serve(); err != nil {
		fmt.Println("init:", err)
	}
	// No sync: it could wait for a server that is gone.
	_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
}

func serve() error {
	conn, err := net.Dial("tcp4", os.Getenv("VM_AGENT"))
	if err != nil {
		return err
	}
	os.Clearenv()
	return errors.Join(os.Setenv("PATH", searchPath), os.Setenv("HOME", "/root"), agent.Serve(conn))
}

// mountAll makes a root in memory that shows the host's programs.
func mountAll() error {
	mount := func(kind, source, dir string, flags uintptr, data string) error {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := syscall.Mount(source, dir, kind, flags, data); err != nil {
			return fmt.Errorf("mount %s: %w", dir, err)
		}
		return nil
	}
	err := errors.Join(
		mount("proc", "proc", "/proc", 0, ""),
		mount("sysfs", "sys", "/sys", 0, ""),
		mount("devtmpfs", "dev", "/dev", 0, ""),
		mount("devpts", "devpts", "/dev/pts", 0, ""),
		mount("tmpfs", "tmpfs", "/dev/shm", 0, ""),
		mount("tmpfs", "tmpfs", "/run", 0, ""),
		mount("tmpfs", "tmpfs", "/tmp", 0, "mode=1777"),
		mount("hostfs", "none", hostRoot, syscall.MS_RDONLY, "/"),
		mount("", hostRoot+"/usr", "/usr", syscall.MS_BIND, ""),
		mount("", hostRoot+"/etc", "/etc", syscall.MS_BIND, ""),
		os.MkdirAll("/var/lib/nfs/rpc_pipefs", 0o755),
		os.MkdirAll("/mnt", 0o755),
		os.MkdirAll("/root", 0o700),
		os.Symlink("/proc/self/fd", "/dev/fd"),
	)
	for _, dir := range []string{"bin", "sbin", "lib", "lib32", "lib64"} {
		if target, e := os.Readlink(filepath.Join(hostRoot, dir)); e == nil {
			err = errors.Join(err, os.Symlink(target, "/"+dir))
		}
	}
	return err
}

// loadModules loads kernel modules and what they depend on.
func loadModules(names ...string) error {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return err
	}
	dir := filepath.Join(modulesDir, strings.TrimSpace(string(release)))
	f, err := os.Open(filepath.Join(dir, "modules.dep"))
	if err != nil {
		return err
	}
	defer f.Close()
	chains := map[string][]string{} // a module's file and its dependencies, deepest last
	for lines := bufio.NewScanner(f); lines.Scan(); {
		chain := strings.Fields(strings.Replace(lines.Text(), ":", "", 1))
		chains[strings.TrimSuffix(filepath.Base(chain[0]), ".ko")] = chain
	}
	for _, name := range names {
		chain := chains[name]
		for i := len(chain) - 1; i >= 0; i-- {
			if err := loadModule(filepath.Join(dir, chain[i])); err != nil {
				return fmt.Errorf("%s: %w", chain[i], err)
			}
		}
	}
	return nil
}

func loadModule(path string) error {
	image, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := unix.InitModule(image, ""); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	return nil
}

func network() error {
	// Clients of one name are one client to a server (RFC 8881, 2.4).
	if err := syscall.Sethostname([]byte(os.Getenv("VM_NAME"))); err != nil {
		return err
	}
	// A tap raises SIGIO before it becomes readable, so an edge-triggered poll
	// can miss a packet, and the flow stalls until TCP sends it again. NAPI
	// looks again every 100 us for 2 ms after the last packet.
	err := errors.Join(
		os.WriteFile("/sys/class/net/vec0/gro_flush_timeout", []byte("100000"), 0),
		os.WriteFile("/sys/class/net/vec0/napi_defer_hard_irqs", []byte("20"), 0),
	)
	for _, args := range []string{
		"link set lo up",
		"addr add " + os.Getenv("VM_ADDR") + " dev vec0",
		"link set vec0 up",
		"route add default via " + os.Getenv("VM_HOST"),
	} {
		if out, e := exec.Command("/sbin/ip", strings.Fields(args)...).CombinedOutput(); e != nil {
			err = errors.Join(err, fmt.Errorf("ip %s: %w: %s", args, e, out))
		}
	}
	return err
}
