//go:build linux

package vfs

import (
	"bytes"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
)

const (
	userSpace = "user."
	maxXattr  = 64 << 10 // a value, and a list of names, in Linux
)

// The calls for attributes take neither an O_PATH descriptor nor a directory to
// start from, but they follow the path below to the object itself, were it a
// symlink.
func (n *node) procPath() string {
	name := nameOf(n.fd)
	return "/proc/self/fd/" + name.String()
}

func xattrName(name string) (string, error) {
	switch {
	case name == "" || strings.IndexByte(name, 0) >= 0:
		return "", unix.EINVAL
	case len(userSpace)+len(name) > 255:
		return "", unix.ENAMETOOLONG
	case name == markName: // not the client's
		return "", unix.EACCES
	}
	return userSpace + name, nil
}

func (n *node) Xattr(r *fsal.Req, name string) ([]byte, error) {
	full, err := xattrName(name)
	if err != nil {
		return nil, err
	}
	return n.readXattr(r, func(b []byte) (int, error) { return unix.Getxattr(n.procPath(), full, b) })
}

// readXattr calls read, as the caller, with a buffer that is large enough.
func (n *node) readXattr(r *fsal.Req, read func([]byte) (int, error)) ([]byte, error) {
	var b []byte
	err := n.as(r, func() error {
		for size := 256; ; size = maxXattr {
			b = make([]byte, size)
			m, err := read(b)
			if err == unix.ERANGE && size < maxXattr {
				continue
			}
			b = b[:max(m, 0)]
			return err
		}
	})
	return b, err
}

func (n *node) SetXattr(r *fsal.Req, name string, value []byte, mode fsal.XattrMode) (fsal.DirChange, error) {
	flags := [...]int{fsal.XattrEither: 0, fsal.XattrCreate: unix.XATTR_CREATE, fsal.XattrReplace: unix.XATTR_REPLACE}
	full, err := xattrName(name)
	if err == nil && int(mode) >= len(flags) {
		err = unix.EINVAL
	}
	if err != nil {
		return fsal.DirChange{}, err
	}
	return n.changeXattr(r, func() error { return unix.Setxattr(n.procPath(), full, value, flags[mode]) })
}

func (n *node) RemoveXattr(r *fsal.Req, name string) (fsal.DirChange, error) {
	full, err := xattrName(name)
	if err != nil {
		return fsal.DirChange{}, err
	}
	return n.changeXattr(r, func() error { return unix.Removexattr(n.procPath(), full) })
}

func (n *node) changeXattr(r *fsal.Req, do func() error) (fsal.DirChange, error) {
	n.fs.changing(n.ino)
	defer n.fs.changed(n.ino)
	before, err := n.change()
	if err == nil {
		err = n.as(r, do)
	}
	if err != nil {
		return fsal.DirChange{}, err
	}
	return n.since(before), nil
}

func (n *node) ListXattrs(r *fsal.Req) ([]string, error) {
	b, err := n.readXattr(r, func(b []byte) (int, error) { return unix.Listxattr(n.procPath(), b) })
	if err != nil {
		return nil, err
	}
	var names []string
	for _, name := range bytes.Split(b, []byte{0}) {
		if rest, ok := strings.CutPrefix(string(name), userSpace); ok && rest != markName {
			names = append(names, rest)
		}
	}
	slices.Sort(names)
	return names, nil
}
