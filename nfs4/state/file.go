package state

import (
	"hash/maphash"
	"slices"
	"sync"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/state/ranges"
)

// FileKey names a file among all file systems that are served.
type FileKey struct {
	FS  uint32
	Key fsal.Key
}

// Share is a set of share access or share deny bits, as in RFC 8881, 18.16.1.
type Share uint8

// The bits of Share.
const (
	ShareRead  Share = 1
	ShareWrite Share = 2
)

// File holds the share reservations of one file while anybody has any.
type File struct {
	key  FileKey
	refs int // Guarded by fileShard.mu.

	// locking serialises changes of byte-range locks; held over fsal calls.
	locking sync.Mutex

	mu      sync.Mutex
	opens   []*Open               // Guarded by mu. Those with a share.
	delegs  []*Delegation         // Guarded by mu.
	ranges  ranges.Set[lockOwner] // Guarded by mu. Changed under locking too.
	lockers map[lockOwner]*Locks  // Guarded by mu. Changed under locking too.
	waiting waiters               // Guarded by mu.
	access  [2]int                // Guarded by mu. Opens that read, that write.
	deny    [2]int                // Guarded by mu. Opens that deny reading, writing.
}

var shareBits = [2]Share{ShareRead, ShareWrite}

// conflictsLocked reports whether access or deny go against what is granted,
// the opener's own opens among it (RFC 8881, 9.7).
func (f *File) conflictsLocked(access, deny Share) bool {
	for i, bit := range shareBits {
		if access&bit != 0 && f.deny[i] > 0 || deny&bit != 0 && f.access[i] > 0 {
			return true
		}
	}
	return false
}

// countLocked adds n to the counts of the bits of access and deny.
func (f *File) countLocked(access, deny Share, n int) {
	for i, bit := range shareBits {
		if access&bit != 0 {
			f.access[i] += n
		}
		if deny&bit != 0 {
			f.deny[i] += n
		}
	}
}

// obstacle is what stands in the way of an open but may be moved: an open whose
// client's lease ran out, or delegations to recall.
type obstacle struct {
	expired *Open
	delegs  []*Delegation
}

// share adds access and deny to what o holds, or returns ShareDenied or Delay
// with what may be moved out of the way.
func (f *File) share(o *Open, access, deny Share) (x obstacle, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conflictsLocked(access, deny) {
		for _, other := range f.opens {
			if other.blocks(access, deny) && other.client.expired() {
				x.expired = other
				break
			}
		}
		return x, ShareDenied
	}
	if x.delegs = f.inWayLocked(nil, o.client, access&ShareWrite != 0 || deny != 0); len(x.delegs) > 0 {
		return x, Delay
	}
	f.setLocked(o, o.held.access|access, o.held.deny|deny)
	return x, nil
}

// unshare leaves o with access and deny, which it holds already.
func (f *File) unshare(o *Open, access, deny Share) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.setLocked(o, access, deny)
}

func (f *File) setLocked(o *Open, access, deny Share) {
	had := o.held != (shares{})
	f.countLocked(o.held.access, o.held.deny, -1)
	f.countLocked(access, deny, 1)
	o.held = shares{access, deny}
	switch has := o.held != (shares{}); {
	case has && !had:
		f.opens = append(f.opens, o)
	case had && !has:
		f.opens = slices.DeleteFunc(f.opens, func(x *Open) bool { return x == o })
	}
}

// Denied returns Locked if an open denies what I/O without an open wants: the
// anonymous stateid, or a change of size (RFC 8881, 9.7).
func (s *Store) Denied(key FileKey, want Share) error {
	f := s.files.find(&key)
	if f == nil {
		return nil
	}
	defer s.files.put(f)
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, bit := range shareBits {
		if want&bit != 0 && f.deny[i] > 0 {
			return Locked
		}
	}
	return nil
}

// expiredDenier returns an open that denies want, if all that do are of clients
// whose lease ran out.
func (s *Store) expiredDenier(key FileKey, want Share) (expired *Open) {
	f := s.files.find(&key)
	if f == nil {
		return nil
	}
	defer s.files.put(f)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range f.opens {
		switch {
		case o.held.deny&want == 0:
		case !o.client.expired():
			return nil
		default:
			expired = o
		}
	}
	return expired
}

// fileTable finds the File of a key.
type fileTable struct {
	seed   maphash.Seed
	shards [64]fileShard
}

type fileShard struct {
	mu    sync.Mutex
	files map[FileKey]*File // Guarded by mu.
}

func (t *fileTable) init() {
	t.seed = maphash.MakeSeed()
	for i := range t.shards {
		t.shards[i].files = make(map[FileKey]*File)
	}
}

func (t *fileTable) shard(key *FileKey) *fileShard {
	return &t.shards[maphash.Comparable(t.seed, *key)%uint64(len(t.shards))]
}

// find returns the File of key with a reference, or nil.
func (t *fileTable) find(key *FileKey) *File {
	sh := t.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	f := sh.files[*key]
	if f != nil {
		f.refs++
	}
	return f
}

// add returns the File of key with a reference, made if need be.
func (t *fileTable) add(key *FileKey) *File {
	sh := t.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	f := sh.files[*key]
	if f == nil {
		f = &File{key: *key}
		sh.files[*key] = f
	}
	f.refs++
	return f
}

// of returns the Files of a file system, with a reference each.
func (t *fileTable) of(fs uint32) (all []*File) {
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		for _, f := range sh.files {
			if f.key.FS == fs {
				f.refs++
				all = append(all, f)
			}
		}
		sh.mu.Unlock()
	}
	return all
}

func (t *fileTable) put(f *File) {
	sh := t.shard(&f.key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if f.refs--; f.refs == 0 {
		delete(sh.files, f.key)
	}
}

func (t *fileTable) len() (n int) {
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		n += len(sh.files)
		sh.mu.Unlock()
	}
	return n
}
