//go:build linux

package vfs

import (
	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
)

// deepest bounds a walk up the index of places, which may hold circles where
// directories were moved behind the server's back.
const deepest = 1024

// find opens the object of k if it lies in the export.
func (fs *FS) find(k *fsal.Key) (int, error) { return fs.findAt(k, deepest) }

func (fs *FS) findAt(k *fsal.Key, depth int) (int, error) {
	if depth == 0 {
		return -1, unix.ESTALE
	}
	if !fs.opens {
		return fs.findSeen(k, depth)
	}
	fd, err := fs.open(k)
	if err != nil || fs.whole {
		return fd, err
	}
	in, err := fs.contains(fd)
	if in && err == nil {
		return fd, nil
	}
	unix.Close(fd)
	if err != nil {
		return -1, err
	}
	return fs.findSeen(k, depth)
}

// findSeen opens the object of k where it was seen last, or else before. The directories
// above it are looked for where they were seen last: with a choice at each of them a
// circle would be walked for ever.
func (fs *FS) findSeen(k *fsal.Key, depth int) (int, error) {
	seen, ok := fs.places.find(*k)
	if !ok {
		return -1, unix.ESTALE
	}
	fd, err := fs.findIn(k, &seen, depth)
	if err != unix.ESTALE || depth < deepest {
		return fd, err
	}
	if seen, ok = fs.places.findBefore(*k); ok {
		if fd, err = fs.findIn(k, &seen, depth); err == nil {
			fs.places.note(*k, seen.parent, seen.name, seen.ino)
		}
	}
	return fd, err
}

// findIn opens the object of k where it was seen, or under another name in the same
// directory.
func (fs *FS) findIn(k *fsal.Key, seen *place, depth int) (int, error) {
	dir := fs.root
	if seen.parent != fs.top.key {
		var err error
		if dir, err = fs.findAt(&seen.parent, depth-1); err != nil {
			return -1, err
		}
		defer unix.Close(dir)
	}
	fd, err := fs.openIf(dir, seen.name, k)
	if err != unix.ESTALE {
		return fd, err
	}
	fd, err = -1, unix.ESTALE
	scan := fs.eachName(dir, func(e *dirent) bool {
		if e.ino != seen.ino {
			return true
		}
		if fd, err = fs.openIf(dir, e.name(), k); err == nil {
			fs.places.note(*k, seen.parent, e.name(), seen.ino)
		}
		return err == unix.ESTALE
	})
	if err == unix.ESTALE && scan != nil && scan != unix.ENOENT {
		err = scan
	}
	return fd, err
}

// openIf opens name in dir if it is the object of k; ESTALE if not.
func (fs *FS) openIf(dir int, name string, k *fsal.Key) (int, error) {
	p, err := cname(name)
	if err != nil {
		return -1, unix.ESTALE
	}
	fd, err := openBeneath(dir, p)
	if err != nil {
		if err == unix.ENOENT {
			err = unix.ESTALE
		}
		return -1, err
	}
	if is, err := fs.key(fd); err != nil || is != *k {
		unix.Close(fd)
		return -1, unix.ESTALE
	}
	return fd, nil
}
