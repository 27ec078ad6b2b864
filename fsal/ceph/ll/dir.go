//go:build ceph

package ll

// #include "shim.h"
import "C"

import "github.com/tidegate/tidegate/fsal"

// Dir is an open directory, for one call at a time.
type Dir struct {
	p  *C.struct_ceph_dir_result
	of Inode
}

// Entries is room for what one call reads from a directory.
type Entries struct {
	room [64]C.struct_tg_entry
	n    int
}

// Len is how many entries there are.
func (e *Entries) Len() int { return e.n }

// Clear forgets them.
func (e *Entries) Clear() { e.n = 0 }

// Name is an entry's name.
func (e *Entries) Name(i int) string {
	x := &e.room[i]
	return C.GoStringN(&x.name[0], C.int(x.name_len))
}

// Cookie is where the listing goes on after an entry.
func (e *Entries) Cookie(i int) uint64 { return uint64(e.room[i].cookie) }

// Ino is an entry's inode.
func (e *Entries) Ino(i int) uint64 { return uint64(e.room[i].stat.stx_ino) }

// Stat is what was wanted of an entry.
func (e *Entries) Stat(i int) (st Stat) {
	st.from(&e.room[i].stat)
	return st
}

// Opendir opens a directory for reading.
func (m *Mount) Opendir(who *fsal.Cred, in Inode) (d Dir, err error) {
	u, g, gs, ng := whose(who)
	d.of = in
	err = check(C.tg_opendir(m.p, in.p, u, g, gs, ng, &d.p))
	return d, err
}

// Closedir closes a directory.
func (m *Mount) Closedir(d Dir) { C.ceph_ll_releasedir(m.p, d.p) }

// Seekdir goes on after the entry that had the cookie.
func (m *Mount) Seekdir(d Dir, cookie uint64) { C.ceph_seekdir(m.p, d.p, C.int64_t(cookie)) }

// Readdir reads the next entries, with their attributes if they are wanted. eof
// says that the directory ends after them.
func (m *Mount) Readdir(d Dir, attrs bool, e *Entries) (eof bool, err error) {
	var want C.uint
	if attrs {
		want = C.TG_WANT
	}
	var end C.int
	defer m.dirs.Unlock(m.dirs.Lock(d.of.place(), ""))
	r := C.tg_readdir(m.p, d.p, want, &e.room[0], C.int(len(e.room)), &end)
	if r < 0 {
		e.n = 0
		return false, check(r)
	}
	e.n = int(r)
	return end != 0, nil
}
