package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/mem"
	"github.com/tidegate/tidegate/fsal/vfs"
	"github.com/tidegate/tidegate/internal/config"
)

// openSource opens the file system of an export. Errors are one line that says
// what to do.
func openSource(x exportSpec, s *settings, log *zap.Logger) (fsal.FS, error) {
	switch x.source.kind {
	case config.CEPH:
		return openCeph(x, s, log)
	case config.MEM:
		return mem.New(mem.Config{}), nil
	}
	dir := x.source.dir
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, syscall.ENOENT):
		return nil, fmt.Errorf("export %s: no such directory; make it, or name another", dir)
	case err != nil:
		return nil, fmt.Errorf("export %s: %w; check the path and its permissions", dir, errors.Unwrap(err))
	case !info.IsDir():
		return nil, fmt.Errorf("export %s: not a directory; name the directory that holds it", dir)
	}
	own := filepath.Join(s.stateDir, "exports", fmt.Sprintf("%08x", x.id))
	if err := os.MkdirAll(own, 0o700); err != nil {
		return nil, fmt.Errorf("export %s: its state cannot be kept: %w; make that directory writable or give --state-dir another", dir, err)
	}
	return asFS(vfs.Open(vfs.Config{Dir: dir, StateDir: own, Log: log})) // its errors name the directory
}

// asFS keeps a nil pointer from becoming an FS.
func asFS[T fsal.FS](fs T, err error) (fsal.FS, error) {
	if err != nil {
		return nil, err
	}
	return fs, nil
}

// defaultStateDir is where state is kept that outlives a restart.
func defaultStateDir() string {
	if dir := os.Getenv("STATE_DIRECTORY"); filepath.IsAbs(dir) { // StateDirectory= of systemd
		return dir
	}
	if os.Geteuid() == 0 {
		return "/var/lib/tidegate"
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "tidegate")
	}
	return filepath.Join(os.Getenv("HOME"), ".local", "state", "tidegate")
}

// proxiesOf finds the addresses of HAProxy_Hosts: networks, addresses or names.
func proxiesOf(ctx context.Context, hosts []string) (all []netip.Prefix, err error) {
	for _, host := range hosts {
		if p, err := netip.ParsePrefix(host); err == nil {
			all = append(all, p.Masked())
			continue
		}
		addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host) // an address is itself
		if err != nil {
			return nil, fmt.Errorf("HAProxy_Hosts: %s has no address: %w; name the proxy by its address", host, err)
		}
		for _, a := range addrs {
			a = a.Unmap()
			all = append(all, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return all, nil
}
