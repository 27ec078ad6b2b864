//go:build linux

package vfs

import (
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
)

// A listing reads names in lots, and some lots ahead of what was emitted: in a large
// directory other processors look at those meanwhile. What was looked at and is not
// taken is wasted, so it is not many.
const (
	lotNames = 16
	lotsRead = 8
	// lookers bounds the goroutines that help with one listing.
	lookers = 3
)

// listing is a Readdir under way.
type listing struct {
	dir    *node
	want   fsal.EntryWant
	search error       // why nobody may know more than names
	first  bool        // it begins where the directory begins
	cold   atomic.Bool // the Key of the last name was not known

	lots [lotsRead]lot
	todo chan *lot // with help: lots that nobody looks at yet
	help sync.WaitGroup
}

// lot is some names and what is known of them.
type lot struct {
	n      int
	names  [lotNames]dirent
	out    [lotNames]fsal.DirEntry
	looked chan struct{} // with help: has a token when out is filled
}

// listings keeps listings between calls.
type listings struct{ pool sync.Pool }

func (p *listings) take() *listing {
	if l, ok := p.pool.Get().(*listing); ok {
		return l
	}
	l := new(listing)
	for i := range l.lots {
		l.lots[i].looked = make(chan struct{}, 1)
	}
	return l
}

// give takes back a listing that has run.
func (p *listings) give(l *listing) {
	l.dir = nil
	p.pool.Put(l)
}

// run emits what s has.
func (l *listing) run(s *stream, emit func(*fsal.DirEntry) bool) (eof bool, err error) {
	defer l.dismiss()
	read := 0 // lots
	more := true
	for emitted := 0; ; emitted++ {
		for more && read-emitted < lotsRead {
			b := &l.lots[read%lotsRead]
			if more, err = b.read(s); err != nil {
				return false, err
			}
			if b.n == 0 {
				break
			}
			if l.todo != nil {
				l.todo <- b
			}
			read++
		}
		if emitted == read {
			return true, nil
		}
		if more && emitted == lotsRead && l.want != 0 && l.search == nil {
			l.callHelp() // the directory is not one of the many that are small
		}
		b := &l.lots[emitted%lotsRead]
		l.await(b)
		if !b.emit(emit) {
			return false, nil
		}
	}
}

// read fills b with names; more is false at the end of the directory.
func (b *lot) read(s *stream) (more bool, err error) {
	for b.n = 0; b.n < lotNames; {
		e := &b.names[b.n]
		if more, err = s.next(e); err != nil || !more {
			return false, err
		}
		if !isTemporary(e.name()) {
			b.n++
		}
	}
	return true, nil
}

// emit reports whether all of b was taken. What was removed meanwhile is left out.
func (b *lot) emit(emit func(*fsal.DirEntry) bool) bool {
	for i := range b.out[:b.n] {
		if e := &b.out[i]; e.Err != unix.ENOENT && !emit(e) {
			return false
		}
	}
	return true
}

// callHelp has others look at the lots, all of which are read and wait.
func (l *listing) callHelp() {
	n := min(lookers, runtime.NumCPU()-1)
	if n < 1 {
		return
	}
	l.todo = make(chan *lot, lotsRead)
	for i := range l.lots {
		l.todo <- &l.lots[i]
	}
	for range n {
		l.help.Go(func() {
			for b := range l.todo {
				l.look(b)
				b.looked <- struct{}{}
			}
		})
	}
}

// await returns when b was looked at.
func (l *listing) await(b *lot) {
	if l.todo == nil {
		l.look(b)
		return
	}
	for {
		select {
		case <-b.looked:
			return
		default:
		}
		select {
		case <-b.looked:
			return
		case other := <-l.todo:
			l.look(other)
			other.looked <- struct{}{}
		}
	}
}

// dismiss ends the help. What nobody looks at yet is left so.
func (l *listing) dismiss() {
	if l.todo == nil {
		return
	}
	close(l.todo)
	for range l.todo {
	}
	l.help.Wait()
	l.todo = nil
	for i := range l.lots {
		select {
		case <-l.lots[i].looked:
		default:
		}
	}
}

// look fills b.out.
func (l *listing) look(b *lot) {
	at := now()
	for i := range b.out[:b.n] {
		in, out := &b.names[i], &b.out[i]
		*out = fsal.DirEntry{Name: in.name(), Cookie: cookieOf(in.off), Err: l.search}
		if l.want != 0 && l.search == nil {
			out.Err = l.fill(out, in, at)
		}
	}
}

// fill adds what is wanted of one and the same object, whatever happens to its name
// meanwhile. The time is not before at.
func (l *listing) fill(out *fsal.DirEntry, in *dirent, at moment) error {
	const both = fsal.WantKey | fsal.WantAttr
	if l.want == both && l.fillByName(out, in, at) {
		return nil
	}
	n := l.dir
	fd, err := openBeneath(n.fd, &in.raw[0])
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if l.want&fsal.WantKey != 0 {
		if out.Key, err = n.fs.key(fd); err != nil {
			return err
		}
		n.fs.places.note(out.Key, n.key, out.Name, in.ino)
	}
	if l.want&fsal.WantAttr != 0 {
		var st unix.Statx_t
		v, err := n.fs.changes.look(fd, &st)
		if err != nil {
			return err
		}
		out.Attr = attrOf(&st, v)
		if l.want == both {
			l.note(&st, out.Key, at)
		}
	}
	return nil
}

// fillByName is fill without opening the object: one look at its name tells all if
// its Key is known, else two.
func (l *listing) fillByName(out *fsal.DirEntry, in *dirent, at moment) bool {
	fs := l.dir.fs
	var h rawHandle
	asked := l.cold.Load() && fs.handles
	if asked {
		if mount, err := sysHandle(l.dir.fd, &in.raw[0], handleMax, &h); err != nil || uint64(mount) != fs.mount {
			return false
		}
	}
	var st unix.Statx_t
	if sysStatx(l.dir.fd, &in.raw[0], attrMask|unix.STATX_MNT_ID, &st) != nil || st.Mnt_id != fs.mount {
		return false
	}
	change, ok := fs.changes.told(&st, at)
	if !ok {
		return false
	}
	key, known := fs.keys.find(&st)
	if known == l.cold.Load() {
		l.cold.Store(!known)
	}
	if !known {
		// An inode of that number lived when the handle was asked for, and the one
		// that was looked at was born before.
		if ino, told := h.inode(); !asked || !told || ino != st.Ino || !bornBefore(&st, at) {
			return false
		}
		key = fs.keyOf(&h)
		l.note(&st, key, at)
	}
	out.Key, out.Attr = key, attrOf(&st, change)
	fs.places.note(key, l.dir.key, out.Name, in.ino)
	return true
}

// note remembers a Key for the next listing, unless the directory is too large to
// be remembered whole.
func (l *listing) note(st *unix.Statx_t, key fsal.Key, at moment) {
	if l.first {
		l.dir.fs.keys.note(st, key, at)
	}
}
