package fs

import (
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/tidegate/tidegate/recovery"
)

// storage is what the backend needs of a file system. Names are relative to
// the recovery directory. Nothing is durable before Sync, for a file's content,
// or SyncDir, for the names in a directory.
type storage interface {
	Create(name string) (file, error) // truncates
	Read(name string) ([]byte, error)
	Rename(from, to string) error
	Remove(name string) error // a file, or an empty directory
	Mkdir(name string) error
	ReadDir(name string) ([]string, error) // sorted
	SyncDir(name string) error
	Path(name string) string // as a person would write it
}

type file interface {
	io.WriteCloser
	Sync() error
}

// replace makes name a file with this content, but for the directory's sync.
func replace(s storage, name, tmp string, content []byte) error {
	f, err := s.Create(tmp)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = s.Rename(tmp, name)
	}
	if err != nil {
		s.Remove(tmp) // what stays behind is ignored
	}
	return err
}

// disk is storage in a directory, held under a lock.
type disk struct {
	dir  string
	root *os.Root
	lock *os.File
}

// openDisk makes dir if need be, but not its parents: one that is missing may
// be a file system that is not mounted.
func openDisk(dir string) (*disk, error) {
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		err = syncPath(filepath.Dir(dir))
	} else if errors.Is(err, iofs.ErrExist) {
		err = nil
	}
	if err != nil {
		return nil, explain(dir, err)
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, &recovery.Error{Name: dir, Err: recovery.ErrForeign, Cure: "name a directory"}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, explain(dir, err)
	}
	d := &disk{dir: dir, root: root}
	if err := d.acquire(); err != nil {
		root.Close()
		return nil, err
	}
	return d, nil
}

// acquire locks the directory against a second server. The lock goes with the
// process, however that ends.
func (d *disk) acquire() error {
	const name = "lock"
	f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return explain(d.Path(name), err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil {
		holder, _ := io.ReadAll(io.LimitReader(f, 32))
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return &recovery.Error{Name: d.dir, Err: recovery.ErrBusy,
				Cure: "it runs as process " + strings.TrimSpace(string(holder)) + "; stop it, or give this one a directory of its own"}
		}
		return explain(d.Path(name), err)
	}
	d.lock = f
	// The pid is for people; a full disk need not have room for it.
	if f.Truncate(0) == nil {
		fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	return nil
}

func (d *disk) Close() error {
	return errors.Join(d.lock.Close(), d.root.Close())
}

func (d *disk) Path(name string) string { return filepath.Join(d.dir, name) }

func (d *disk) Create(name string) (file, error) {
	return d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
}

func (d *disk) Read(name string) ([]byte, error) {
	f, err := d.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = damaged("too long")
	}
	return b, err
}

func (d *disk) Rename(from, to string) error { return d.root.Rename(from, to) }
func (d *disk) Remove(name string) error     { return d.root.Remove(name) }
func (d *disk) Mkdir(name string) error      { return d.root.Mkdir(name, 0o700) }

func (d *disk) ReadDir(name string) ([]string, error) {
	f, err := d.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

func (d *disk) SyncDir(name string) error {
	f, err := d.root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

func syncPath(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

var cures = recovery.Cures{
	{syscall.ENOSPC, "make room on that file system"},
	{syscall.EDQUOT, "raise the quota"},
	{syscall.EROFS, "remount it read-write"},
	{syscall.EIO, "the device fails: look into the kernel log"},
	{iofs.ErrPermission, "let the server's user read and write it"},
	{iofs.ErrNotExist, "create or mount the directory that it belongs in"},
	{syscall.ENOTDIR, "name a directory"},
}

// explain makes err an *recovery.Error about path, but for one that is already.
func explain(path string, err error) error {
	var known *recovery.Error
	var pe *iofs.PathError
	if !errors.As(err, &known) && errors.As(err, &pe) {
		err = pe.Err
	}
	return cures.Explain(path, err)
}
