// Package fsal says what the server asks of a file system.
//
// The package knows nothing of NFS. An FS is one exported tree; a Node is a
// counted reference to one object in it; a File is an open regular file. All
// of them are safe for concurrent use. Errors are syscall.Errno values, bare or
// wrapped, so that errors.As finds them:
//
//	ENOENT, EEXIST, ENOTDIR, EISDIR, ENOTEMPTY, ELOOP, EXDEV, EACCES, EPERM,
//	EROFS, ENOSPC, EDQUOT, EFBIG, EIO, EMLINK, ENAMETOOLONG, EINVAL, EAGAIN
//
// as POSIX gives them, and
//
//	ESTALE      the object is gone; the Key will never resolve again
//	EBADHANDLE  no such Key can exist
//	EBADF       the File was not opened for that
//	ENOTSUP     this file system does not do that at all
//
// Permission is judged by the file system itself, against Req.Cred, on every
// call that takes a Req and touches a name or an attribute, and when a File is
// opened; I/O on an open File is not judged again.
//
// A removed directory that a Node still refers to has no names, takes none, and
// is not listed: ENOENT.
//
// Names are single components: neither empty, nor "." or "..", and without "/"
// or NUL; the caller has checked that. They may be any other bytes.
package fsal

import (
	"context"
	"slices"
	"syscall"
)

// EBADHANDLE is returned by Resolve for a Key that this file system never made.
const EBADHANDLE = syscall.Errno(521)

// MaxKey is the longest Key in bytes; it leaves room for the server's own part
// of a 128-byte NFS file handle.
const MaxKey = 88

// Key is the lasting identity of an object: unique among all objects that the
// FS ever held, the same after a restart, and never used again for another
// object. It is comparable. The zero Key names nothing.
type Key struct {
	n uint8
	b [MaxKey]byte
}

// MakeKey returns the Key whose bytes are b; ok is false unless 0 < len(b) <= MaxKey.
func MakeKey(b []byte) (k Key, ok bool) {
	if len(b) == 0 || len(b) > MaxKey {
		return Key{}, false
	}
	k.n = uint8(len(b))
	copy(k.b[:], b)
	return k, true
}

// AppendTo appends the Key's bytes to dst.
func (k *Key) AppendTo(dst []byte) []byte { return append(dst, k.b[:k.n]...) }

// Len returns the number of bytes in the Key.
func (k *Key) Len() int { return int(k.n) }

// IsZero reports whether k names nothing.
func (k *Key) IsZero() bool { return k.n == 0 }

// Cred says on whose behalf a call is made. Groups does not repeat GID.
type Cred struct {
	UID, GID uint32
	Groups   []uint32
}

// Equal says that c and d may do the same.
func (c *Cred) Equal(d *Cred) bool {
	return c.UID == d.UID && c.GID == d.GID && slices.Equal(c.Groups, d.Groups)
}

// Clone returns a copy that may be kept.
func (c *Cred) Clone() Cred { return Cred{c.UID, c.GID, slices.Clone(c.Groups)} }

// Req carries a call's context and credential. An FS must not keep it, or
// anything that it points to, beyond the call.
type Req struct {
	context.Context
	Cred Cred
}

// FS is one exported tree.
type FS interface {
	// Root returns the tree's root directory.
	Root(*Req) (Node, error)
	// Resolve returns the object that k names: ESTALE if it is gone,
	// EBADHANDLE if k was never a Key of this tree.
	Resolve(*Req, Key) (Node, error)
	// Statfs returns capacity as the caller may use it.
	Statfs(*Req) (Statfs, error)
	// WriteVerifier is a value that changes whenever data that WriteAt took as
	// Unstable may have been lost: at every start at least. It is cheap.
	WriteVerifier() uint64
	// Limits returns what does not change while the FS is open.
	Limits() Limits
	// Watch registers where the FS reports what happens behind the caller's
	// back. It is called at most once, before any File is opened.
	Watch(Upcalls)
	// Close releases the FS after the last Node and File were put.
	Close() error
}

// Upcalls receives what an FS learns of by itself. The FS calls it from
// goroutines of its own and without locks held; the methods do not block, but for
// Lost.
type Upcalls interface {
	// Invalidate says that attributes, names or data of k changed elsewhere.
	Invalidate(k Key)
	// Recall says that somebody outside wants what a Delegator of k keeps.
	Recall(k Key)
	// Release asks to drop references to k that are kept for speed only.
	Release(k Key)
	// Lost says that every lock and delegation, and what was written Unstable,
	// may be gone. The WriteVerifier has changed since any of that was taken.
	// Nodes and Files stay: the FS finds and opens them again by itself, or says
	// ESTALE. Lost returns when nobody relies on what is gone any more. Until then
	// the FS grants no lock or delegation in the place of one that is gone, and all
	// its calls may answer EAGAIN.
	Lost(reason error)
}

// Limits are properties of a whole tree.
type Limits struct {
	MaxName, MaxLink     uint32 // bytes in a name, links to a file
	MaxFileSize          uint64
	CaseInsensitive      bool
	ChownRestricted      bool   // only the superuser gives files away
	Symlinks, HardLinks  bool   // whether there are any
	MaxRead, MaxWrite    uint32 // preferred largest I/O in bytes; 0: no preference
	NoStableKeys         bool   // Keys are lost when the FS is closed
	ExclusiveKeepsTimes  bool   // exclusive create leaves Atime and Mtime settable at once
	TimeGranularityNanos uint32
	ChangeTickNanos      uint32 // changes from outside within it may show one Change; 0: none do
	CloneBlock           uint32 // bytes that Cloner's ranges come in multiples of; 0: it is never there
}

// Statfs is the capacity of a tree, in bytes and in files.
type Statfs struct {
	Bytes, BytesFree, BytesAvail uint64
	Files, FilesFree, FilesAvail uint64
}

// Type is the type of an object.
type Type uint8

// The types of objects.
const (
	Regular Type = iota + 1
	Directory
	Symlink
	BlockDevice
	CharDevice
	Fifo
	Socket
)

// Time is a point in time since the Unix epoch; 0 <= Nsec < 1e9.
type Time struct {
	Sec  int64
	Nsec uint32
}

// Attr is what Getattr tells of an object.
type Attr struct {
	Type         Type
	Mode         uint32 // permission bits with setuid, setgid and sticky: at most 07777
	Nlink        uint32
	UID, GID     uint32
	Major, Minor uint32 // of a device
	Size         uint64 // bytes
	Used         uint64 // bytes of storage
	Ino          uint64
	Change       uint64 // differs, and grows, after every change to data, names or attributes
	Atime        Time
	Mtime        Time
	Ctime        Time
	Btime        Time // zero where unknown
}

// SetMask says which fields of a SetAttr are meant.
type SetMask uint16

// The fields of a SetAttr.
const (
	SetMode SetMask = 1 << iota
	SetUID
	SetGID
	SetSize
	SetAtime    // to SetAttr.Atime
	SetMtime    // to SetAttr.Mtime
	SetAtimeNow // to the server's time; with SetMtimeNow write permission is enough
	SetMtimeNow
	SetBtime
)

// SetAttr is a change to attributes.
type SetAttr struct {
	Mask     SetMask
	Mode     uint32
	UID, GID uint32
	Size     uint64
	Atime    Time
	Mtime    Time
	Btime    Time
}

// DirChange is a directory's Change before and after an operation on one of
// its names. Atomic says that nothing else came in between.
type DirChange struct {
	Before, After uint64
	Atomic        bool
}

// Access is a set of permissions asked about.
type Access uint8

// What Node.Access can be asked.
const (
	MayRead    Access = 1 << iota // data, or the names of a directory
	MayWrite                      // data, or the names of a directory
	MayExecute                    // run a file, look up in a directory
)

// MakeSpec describes an object to make that is not a regular file.
type MakeSpec struct {
	Type         Type
	Target       string  // of a symlink
	Major, Minor uint32  // of a device, up to MaxMajor and MaxMinor
	Attr         SetAttr // as far as it can be set; a missing mode is 0777 for symlinks, else 0
}

// The highest numbers of a device that Linux has room for.
const (
	MaxMajor = 1<<12 - 1
	MaxMinor = 1<<20 - 1
)

// Device says whether spec is a device: EINVAL if there is none with its numbers.
func (spec *MakeSpec) Device() (bool, error) {
	if spec.Type != BlockDevice && spec.Type != CharDevice {
		return false, nil
	}
	if spec.Major > MaxMajor || spec.Minor > MaxMinor {
		return true, syscall.EINVAL
	}
	return true, nil
}

// CreateMode says what Create does about a name that exists.
type CreateMode uint8

// The modes of Create.
const (
	// CreateUnchecked opens what exists; Size 0 in Attr truncates it, which
	// needs write permission; the other attributes, and another Size, apply to
	// a new file only.
	CreateUnchecked CreateMode = iota
	// CreateGuarded answers EEXIST.
	CreateGuarded
	// CreateExclusive answers EEXIST unless the file that exists was made with
	// the same Verifier, which is kept with the file over a crash at any point.
	CreateExclusive
)

// CreateSpec describes a regular file to make.
type CreateSpec struct {
	Mode     CreateMode
	Verifier [8]byte // with CreateExclusive
	Attr     SetAttr // of a new file; a missing mode is 0; EPERM if its maker could not set it
	Open     OpenFlags
}

// OpenFlags says what a File is opened for.
type OpenFlags uint8

// The flags of Open.
const (
	OpenRead OpenFlags = 1 << iota
	OpenWrite
)

// EntryWant says what Readdir fills in beside Name and Cookie.
type EntryWant uint8

// What Readdir can fill in.
const (
	WantAttr EntryWant = 1 << iota
	WantKey
)

// DirEntry is one name in a directory. Err is why Attr or Key could not be had.
// The entry and what it points to are valid during the callback only.
type DirEntry struct {
	Name   string
	Cookie uint64 // > 2; resumes after this entry, now and after a restart
	Key    Key
	Attr   Attr
	Err    error
}

// Node is a counted reference to an object. Put gives it back; the Node must
// not be used afterwards. What a method returns as Node is the caller's to put.
type Node interface {
	Key() Key
	Type() Type
	Put()

	Getattr(*Req) (Attr, error)
	// Setattr changes all of set or, with an error, as little as it can; it
	// returns what was changed and the attributes afterwards. SetSize works on
	// regular files (EISDIR, EINVAL) up to MaxFileSize (EFBIG), and needs write
	// permission unless f, a File of this object open for writing, is given (nil
	// otherwise). What one part brings about gives way to another that is asked
	// for: a mode stands though a change of owner drops setuid, and a time though
	// a change of size sets it.
	Setattr(r *Req, f File, set SetAttr) (SetMask, Attr, error)
	// Access returns the part of want that the caller has.
	Access(r *Req, want Access) (Access, error)
	Readlink(*Req) (string, error)
	// Open opens a regular file: EISDIR, ELOOP (a symlink) or EINVAL for others.
	Open(*Req, OpenFlags) (File, error)

	// Directories; ENOTDIR for others.

	Lookup(r *Req, name string) (Node, error)
	// Parent returns the directory above; the root's parent is ENOENT.
	Parent(*Req) (Node, error)
	// Create makes and opens a regular file in one step, so that its mode does
	// not stand in the way of the one who makes it; nor does it when its owner
	// comes again with the Verifier of CreateExclusive. What is there already is
	// opened as Open does. A umask of the process does not count.
	Create(r *Req, name string, spec CreateSpec) (Created, error)
	// Make makes any other object; EINVAL for a regular file, or a device that
	// cannot be.
	Make(r *Req, name string, spec MakeSpec) (Node, SetMask, DirChange, error)
	Link(r *Req, object Node, name string) (DirChange, error)
	// Unlink removes a name; an empty directory's as well.
	Unlink(r *Req, name string) (DirChange, error)
	// Rename moves name to newName in newDir, replacing what is there where
	// POSIX does, and returns the change of this directory and of newDir. Where
	// both names are the same object's, it does nothing. A directory in use is
	// ENOTEMPTY, never EEXIST.
	Rename(r *Req, name string, newDir Node, newName string) (from, to DirChange, err error)
	// Readdir calls emit for each entry after cookie (0: from the start),
	// without "." and "..", until emit returns false or the directory ends; eof
	// says that it ended and emit took all, so it is false with an emit that
	// returned false. An entry that stays in the directory throughout is seen
	// exactly once, whatever happens to others. No lock is held during emit. A
	// cookie that cannot be one is EINVAL.
	Readdir(r *Req, cookie uint64, want EntryWant, emit func(*DirEntry) bool) (eof bool, err error)
}

// Created is what Create returns.
type Created struct {
	Node      Node
	File      File
	Attr      Attr
	Made      bool    // false: it existed
	Set       SetMask // what of CreateSpec.Attr was set
	Truncated bool
	Dir       DirChange
}

// Sync says how far data must have gone when WriteAt returns.
type Sync uint8

// The levels of Sync, as NFS orders them.
const (
	Unstable Sync = iota // may be lost until Commit
	DataSync             // data and what is needed to read them are durable
	FileSync             // all of the file is durable
)

// File is an open regular file. It stays usable after its last name is gone.
type File interface {
	// ReadAt fills p from offset off. n < len(p) means the end of the file was
	// met, and so does eof, also when n = len(p) ends exactly there. Offsets
	// beyond the end give 0, true, nil.
	ReadAt(r *Req, p []byte, off uint64) (n int, eof bool, err error)
	// WriteAt writes p at off and returns how much was written and how durable
	// it is: at least as much as asked. n < len(p) without an error is a short
	// write that the caller may go on with. Nothing is written at or beyond
	// MaxFileSize: EFBIG.
	WriteAt(r *Req, p []byte, off uint64, want Sync) (n int, got Sync, err error)
	// Commit makes what was written durable; n = 0 means to the end. After an
	// error the FS's WriteVerifier has changed.
	Commit(r *Req, off, n uint64) error
	// Close releases the File; it must not be used afterwards.
	Close() error
}
