package fsal

import (
	"time"

	"github.com/tidegate/tidegate/fsal/posixacl"
)

// What a Node or a File may do beyond its interface, found by type assertion.

// Seeker is a File that knows its holes.
type Seeker interface {
	// Seek returns the first offset at or after off that lies in data, or with
	// hole in a hole; the end of the file counts as a hole. ENXIO if there is
	// none or off is at or beyond the end.
	Seek(r *Req, off uint64, hole bool) (uint64, error)
}

// Allocator is a File whose storage can be promised and given back.
type Allocator interface {
	// Allocate promises that writes to the range will not fail for want of
	// space; the file grows to its end if it is shorter.
	Allocate(r *Req, off, n uint64) error
	// Deallocate makes the range read as zeros and keeps the size.
	Deallocate(r *Req, off, n uint64) error
}

// Copier is a File that takes data from another File of the same FS without
// passing them through the server.
type Copier interface {
	// CopyFrom copies up to n bytes and returns how many, 0 at the end of src;
	// the copy is Unstable. EOPNOTSUPP or EXDEV where this pair of files can't,
	// EINVAL where ranges of one file overlap.
	CopyFrom(r *Req, src File, srcOff, dstOff, n uint64) (uint64, error)
}

// Cloner is a File that can share storage with another File of the same FS, so
// that a range appears at once and whole.
type Cloner interface {
	// CloneFrom shares n bytes (0: to the end of src), all of which must be
	// there: EINVAL, as where ranges of one file overlap.
	CloneFrom(r *Req, src File, srcOff, dstOff, n uint64) error
}

// XattrMode says what SetXattr does about a name that exists or does not.
type XattrMode uint8

// The modes of SetXattr.
const (
	XattrEither  XattrMode = iota
	XattrCreate            // EEXIST if it exists
	XattrReplace           // ENODATA if it does not
)

// Xattrs is a Node with extended attributes of the user namespace; names come
// without the prefix "user.". Missing ones are ENODATA, a name that is too long
// is ENAMETOOLONG, and a value E2BIG. Reading and writing them need the
// permission to read and write the object.
type Xattrs interface {
	// Xattr returns a value.
	Xattr(r *Req, name string) ([]byte, error)
	// SetXattr sets a value and returns Change before and after.
	SetXattr(r *Req, name string, value []byte, mode XattrMode) (DirChange, error)
	// RemoveXattr removes a value and returns Change before and after.
	RemoveXattr(r *Req, name string) (DirChange, error)
	// ListXattrs returns the names in an order that stays.
	ListXattrs(r *Req) ([]string, error)
}

// ACLs is a Node with POSIX access control lists: EOPNOTSUPP where the object has none,
// as symbolic links. What they say is what Access answers and every operation obeys.
type ACLs interface {
	// ACL returns what the object has. Access is never empty: it is the mode's where
	// there is no more.
	ACL(r *Req) (posixacl.ACL, error)
	// SetACL replaces it, on behalf of the object's owner or the superuser (EPERM), and
	// returns the attributes afterwards, of which Mode follows Access (RFC 8881, 6.4.1).
	// An empty Access leaves what there is. EINVAL where a list is not valid, or has a
	// Default though the object is no directory.
	SetACL(r *Req, acl posixacl.ACL) (Attr, error)
}

// LockType is the type of a byte-range lock.
type LockType uint8

// The types of locks.
const (
	Unlock LockType = iota
	ReadLock
	WriteLock
)

// Locker is a File that holds byte-range locks which other users of the same
// file system see. The File is the owner: locks of two Files conflict, a File's
// own do not, and Close drops them all. n = 0 means to the end of all offsets.
type Locker interface {
	// Lock sets or drops a lock without waiting: EAGAIN on a conflict, and only
	// then (EBUSY where it cannot be told now), EINVAL where off+n is beyond all
	// offsets, EBADF where the File is not open for reading (ReadLock) or writing
	// (WriteLock).
	Lock(r *Req, t LockType, off, n uint64) error
	// Test returns somebody else's lock in the way of such a one, whatever the File
	// is open for, and one of type Unlock if there is none. EAGAIN or EBUSY where it
	// cannot be told now, EINVAL as Lock.
	Test(r *Req, t LockType, off, n uint64) (Lock, error)
}

// Lock is a lock of N bytes from Off on, to the end of all offsets if N is 0.
type Lock struct {
	Type   LockType
	Off, N uint64
}

// Delegator is a File that can be kept from users of the same file system who are
// outside of this FS. Users of this FS are the caller's to keep apart: they are
// neither refused nor waited for.
type Delegator interface {
	// Delegate holds back, from now until Undelegate, whoever outside wants to
	// write the file or, with write, to use it at all; Upcalls.Recall is called
	// with the file's Key when somebody does, or when it can be held back no more.
	// The FS is lost, as Upcalls.Lost tells, if Undelegate does not follow within
	// RecallLimit. EAGAIN where somebody uses the file so by now, and where it is
	// never done; a later call replaces an earlier one.
	Delegate(r *Req, write bool) error
	// Undelegate lets the others go on. Close does so as well.
	Undelegate()
}

// Teller is an FS whose objects others may change without its knowledge: it makes no
// upcall Invalidate. It tells of what is changed through it, so that attributes may
// be kept for as long as somebody chooses to overlook the others. Getattr does not
// go by who asks, and Readdir by nothing but MayRead and, for more than names,
// MayExecute.
type Teller interface {
	// Tell registers who is told, before any object is used.
	Tell(Witness)
}

// Witness is told of changes to what Getattr tells of objects, but for an Atime that
// reading moves. It is called on the way of each operation and does not wait.
type Witness interface {
	// Changing says that the object with this Attr.Ino is about to change. The same
	// number comes with Changed when the call that changes it is about to return.
	Changing(ino uint64)
	Changed(ino uint64)
}

// RecallLimit is how long a Delegator may keep others waiting. It is longer than a
// caller needs to revoke what is not given back within a lease.
const RecallLimit = 240 * time.Second
