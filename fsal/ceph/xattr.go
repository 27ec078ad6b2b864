//go:build ceph

package ceph

import (
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/ceph/ll"
)

const (
	userSpace = "user."
	maxValue  = 64 << 10
	// dirPin chooses the MDS rank of a tree; it is the superuser's.
	dirPin = "ceph.dir.pin"
)

// attrName is how CephFS calls an attribute.
func attrName(r *fsal.Req, name string) (string, error) {
	switch {
	case name == dirPin && r.Cred.UID == 0:
		return dirPin, nil
	case len(userSpace)+len(name) > ll.NameMax:
		return "", syscall.ENAMETOOLONG
	}
	return userSpace + name, nil
}

// Xattr returns a value.
func (n *node) Xattr(r *fsal.Req, name string) ([]byte, error) {
	name, err := attrName(r, name)
	if err != nil {
		return nil, err
	}
	k, in, err := n.begin(r)
	if err != nil {
		return nil, err
	}
	defer k.end()
	for buf := make([]byte, 256); ; buf = make([]byte, 4*len(buf)) {
		m, err := k.m.Getxattr(&r.Cred, in, name, buf)
		if err == nil {
			return buf[:m], nil
		}
		if err != syscall.ERANGE || len(buf) > maxValue {
			return nil, k.judge(err)
		}
	}
}

var xattrFlags = [...]int{
	fsal.XattrEither: 0, fsal.XattrCreate: unix.XATTR_CREATE, fsal.XattrReplace: unix.XATTR_REPLACE,
}

// SetXattr sets a value.
func (n *node) SetXattr(r *fsal.Req, name string, value []byte, mode fsal.XattrMode) (ch fsal.DirChange, err error) {
	if name, err = attrName(r, name); err != nil {
		return ch, err
	}
	switch {
	case len(value) > maxValue:
		return ch, syscall.E2BIG
	case n.id.snap != ll.Head:
		return ch, syscall.EROFS
	}
	k, in, err := n.begin(r)
	if err != nil {
		return ch, err
	}
	defer k.end()
	k.changing(n.id)
	ch, err = k.m.Setxattr(&r.Cred, in, name, value, xattrFlags[mode])
	return ch, k.judge(err)
}

// RemoveXattr removes a value.
func (n *node) RemoveXattr(r *fsal.Req, name string) (ch fsal.DirChange, err error) {
	if name, err = attrName(r, name); err != nil {
		return ch, err
	}
	if n.id.snap != ll.Head {
		return ch, syscall.EROFS
	}
	k, in, err := n.begin(r)
	if err != nil {
		return ch, err
	}
	defer k.end()
	k.changing(n.id)
	ch, err = k.m.Removexattr(&r.Cred, in, name)
	return ch, k.judge(err)
}

// ListXattrs returns the names in the order of their bytes.
func (n *node) ListXattrs(r *fsal.Req) ([]string, error) {
	k, in, err := n.begin(r)
	if err != nil {
		return nil, err
	}
	defer k.end()
	for {
		size, err := k.m.Listxattr(&r.Cred, in, nil)
		if err != nil {
			return nil, k.judge(err)
		}
		buf := make([]byte, max(size, 1)) // with no room the size is told again
		size, err = k.m.Listxattr(&r.Cred, in, buf)
		if err == syscall.ERANGE { // there are more by now
			continue
		}
		if err != nil {
			return nil, k.judge(err)
		}
		names := []string{}
		for _, name := range strings.Split(string(buf[:size]), "\x00") {
			if name, ok := strings.CutPrefix(name, userSpace); ok {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return names, nil
	}
}
