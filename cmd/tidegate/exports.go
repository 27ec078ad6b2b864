package main

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/mem"
	"github.com/tidegate/tidegate/fsal/vfs"
	"github.com/tidegate/tidegate/nfs4"
)

// exportFlag is one --export DIR[=/pseudo], mem:[=/pseudo] or a cephSpec[=/pseudo].
type exportFlag struct {
	dir    string    // "" for memory and CephFS
	ceph   *cephSpec // nil for others
	pseudo string
}

const memPrefix = "mem:"

// parseExport reads one --export. Without a place of its own a directory is
// offered under its own path, memory under /mem.
func parseExport(text string) (x exportFlag, err error) {
	dir, pseudo, placed := strings.Cut(text, "=")
	switch {
	case dir == "":
		return x, fmt.Errorf("--export %q: no directory; write --export DIR or --export DIR=/name", text)
	case dir == memPrefix:
		x.pseudo = "/mem"
	case strings.HasPrefix(dir, memPrefix):
		return x, fmt.Errorf("--export %q: memory has no directory; write --export mem:=/name", text)
	case strings.HasPrefix(dir, cephPrefix):
		if x.ceph, err = parseCeph(strings.TrimPrefix(dir, cephPrefix)); err != nil {
			return x, err
		}
		x.pseudo = x.ceph.place()
	default:
		if x.dir, err = filepath.Abs(dir); err != nil {
			return x, fmt.Errorf("--export %q: %w", text, err)
		}
		x.pseudo = x.dir
	}
	if placed {
		if !path.IsAbs(pseudo) || path.Clean(pseudo) != pseudo {
			return x, fmt.Errorf("--export %q: the place %q is not a clean absolute path such as /data", text, pseudo)
		}
		x.pseudo = pseudo
	}
	return x, nil
}

// openExports opens every file system. On an error those that were opened are
// closed again.
func openExports(s settings, log *zap.Logger) (exports []nfs4.Export, err error) {
	defer func() {
		if err != nil {
			closeExports(exports)
		}
	}()
	for _, text := range s.exports {
		x, err := parseExport(text)
		if err != nil {
			return exports, err
		}
		fs, err := x.open(s, log)
		if err != nil {
			return exports, err
		}
		exports = append(exports, nfs4.Export{
			ID: x.id(), Path: x.pseudo, FS: fs, NoDelegations: slices.Contains(s.undeleg, x.pseudo),
		})
	}
	for _, place := range s.undeleg {
		if !slices.ContainsFunc(exports, func(x nfs4.Export) bool { return x.Path == place }) {
			return exports, fmt.Errorf("--no-delegations %s: no export has that place; name one that --export gives", place)
		}
	}
	return exports, nil
}

func (x exportFlag) open(s settings, log *zap.Logger) (fsal.FS, error) {
	if x.ceph != nil {
		return openCeph(x, s, log)
	}
	if x.dir == "" {
		return mem.New(mem.Config{}), nil
	}
	info, err := os.Stat(x.dir)
	switch {
	case errors.Is(err, syscall.ENOENT):
		return nil, fmt.Errorf("export %s: no such directory; make it, or name another", x.dir)
	case err != nil:
		return nil, fmt.Errorf("export %s: %w; check the path and its permissions", x.dir, errors.Unwrap(err))
	case !info.IsDir():
		return nil, fmt.Errorf("export %s: not a directory; name the directory that holds it", x.dir)
	}
	own := filepath.Join(s.stateDir, "exports", fmt.Sprintf("%08x", x.id()))
	if err := os.MkdirAll(own, 0o700); err != nil {
		return nil, fmt.Errorf("export %s: its state cannot be kept: %w; make that directory writable or give --state-dir another", x.dir, err)
	}
	fs, err := vfs.Open(vfs.Config{Dir: x.dir, StateDir: own, Log: log})
	if err != nil {
		return nil, err // it names the directory
	}
	return fs, nil
}

// id is an export's id, the same at every start for the same place.
func (x exportFlag) id() uint32 { return crc32.ChecksumIEEE([]byte(x.pseudo)) | 1 }

// defaultStateDir is where state is kept that outlives a restart.
func defaultStateDir() string {
	if os.Geteuid() == 0 {
		return "/var/lib/tidegate"
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "tidegate")
	}
	return filepath.Join(os.Getenv("HOME"), ".local", "state", "tidegate")
}

func closeExports(exports []nfs4.Export) {
	for _, x := range exports {
		x.FS.Close()
	}
}
