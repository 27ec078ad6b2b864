package mem

import (
	"syscall"

	"github.com/tidegate/tidegate/fsal"
)

// Allocate implements fsal.Allocator.
func (f *file) Allocate(r *fsal.Req, off, n uint64) error {
	if err := f.mayChange(off, n); err != nil {
		return err
	}
	i := f.inode
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.data.promise(&i.fs.bytes, off, off+n) {
		return syscall.ENOSPC
	}
	i.writtenLocked(r, off+n)
	return nil
}

// Deallocate implements fsal.Allocator.
func (f *file) Deallocate(r *fsal.Req, off, n uint64) error {
	if err := f.mayChange(off, n); err != nil {
		return err
	}
	i := f.inode
	i.mu.Lock()
	defer i.mu.Unlock()
	i.data.punch(&i.fs.bytes, off, off+n)
	i.writtenLocked(r, 0)
	return nil
}

func (f *file) mayChange(off, n uint64) error {
	switch {
	case f.flags&fsal.OpenWrite == 0:
		return syscall.EBADF
	case n == 0:
		return syscall.EINVAL
	case off > maxSize || n > maxSize-off:
		return syscall.EFBIG
	}
	return nil
}

// maxCopy bounds how long one CopyFrom keeps its files locked.
const maxCopy = 64 << 20

// CopyFrom implements fsal.Copier.
func (f *file) CopyFrom(r *fsal.Req, src fsal.File, srcOff, dstOff, n uint64) (uint64, error) {
	from, err := f.source(src, dstOff)
	if err != nil {
		return 0, err
	}
	lockPair(from.inode, f.inode)
	defer unlockPair(from.inode, f.inode)
	if srcOff >= from.attr.Size {
		return 0, nil
	}
	n = min(n, from.attr.Size-srcOff, maxSize-dstOff, maxCopy)
	if from.inode == f.inode && overlap(srcOff, dstOff, n) {
		return 0, syscall.EINVAL
	}
	if n == 0 {
		return 0, nil
	}
	done := f.data.copyFrom(&f.fs.bytes, &from.data, srcOff, dstOff, n)
	if done == 0 {
		return 0, syscall.ENOSPC
	}
	f.writtenLocked(r, dstOff+done)
	return done, nil
}

// CloneFrom implements fsal.Cloner. The file system needs room for a copy of
// the whole range meanwhile.
func (f *file) CloneFrom(r *fsal.Req, src fsal.File, srcOff, dstOff, n uint64) error {
	from, err := f.source(src, dstOff)
	if err != nil {
		return err
	}
	lockPair(from.inode, f.inode)
	defer unlockPair(from.inode, f.inode)
	if srcOff > from.attr.Size || n > from.attr.Size-srcOff {
		return syscall.EINVAL
	}
	if n == 0 {
		n = from.attr.Size - srcOff
	}
	if n > maxSize-dstOff {
		return syscall.EFBIG
	}
	if from.inode == f.inode && overlap(srcOff, dstOff, n) {
		return syscall.EINVAL
	}
	if n == 0 {
		return nil
	}
	need := from.data.used + 2*chunkSize
	if !f.fs.bytes.take(need) {
		return syscall.ENOSPC
	}
	var paid space
	paid.open(need)
	f.data.copyFrom(&paid, &from.data, srcOff, dstOff, n)
	f.fs.bytes.give(paid.left())
	f.writtenLocked(r, dstOff+n)
	return nil
}

// source returns the file that data may be taken from to f's offset off.
func (f *file) source(src fsal.File, off uint64) (*file, error) {
	from, ok := src.(*file)
	switch {
	case !ok || from.fs != f.fs:
		return nil, syscall.EXDEV
	case f.flags&fsal.OpenWrite == 0 || from.flags&fsal.OpenRead == 0:
		return nil, syscall.EBADF
	case off > maxSize:
		return nil, syscall.EFBIG
	}
	return from, nil
}

func overlap(a, b, n uint64) bool { return a < b+n && b < a+n }

// lockPair locks two inodes that are not directories, or one that is given twice.
func lockPair(a, b *inode) {
	if a.attr.Ino > b.attr.Ino {
		a, b = b, a
	}
	a.mu.Lock()
	if a != b {
		b.mu.Lock()
	}
}

func unlockPair(a, b *inode) {
	a.mu.Unlock()
	if a != b {
		b.mu.Unlock()
	}
}

// promise pays for all of the range from off to to, or for nothing.
func (s *store) promise(free *space, off, to uint64) bool {
	if to-off > s.used+free.left() {
		return false
	}
	var need uint64
	pieces(off, to, func(i uint64, high int) {
		had := 0
		if c := s.chunk(i); c != nil {
			had = c.room
		}
		need += uint64(max(0, grains(high)-had))
	})
	if !free.take(need) {
		return false
	}
	var paid space
	paid.open(need)
	pieces(off, to, func(i uint64, high int) { s.pay(&paid, i, high) })
	return true
}

// pieces calls visit for each chunk that the range touches, with where the
// range ends in it.
func pieces(off, to uint64, visit func(i uint64, high int)) {
	for i := off / chunkSize; i <= (to-1)/chunkSize; i++ {
		visit(i, int(min(chunkSize, to-i*chunkSize)))
	}
}

// copyFrom copies n bytes between ranges that do not overlap, holes as holes
// and whole chunks by sharing, and returns how many found room.
func (s *store) copyFrom(free *space, src *store, srcOff, dstOff, n uint64) uint64 {
	for left := n; left > 0; {
		in := srcOff % chunkSize
		piece := min(left, chunkSize-in)
		c := src.chunk(srcOff / chunkSize)
		switch {
		case c == nil || in >= uint64(len(c.data)):
			piece = s.skip(free, src, srcOff, dstOff, left)
		case in == 0 && dstOff%chunkSize == 0 && piece == chunkSize:
			to := s.pay(free, dstOff/chunkSize, len(c.data))
			if to == nil {
				return n - left
			}
			c.shared = true
			to.data, to.shared = c.data, true
		default:
			piece = min(piece, uint64(len(c.data))-in)
			done := uint64(s.write(free, c.data[in:in+piece], dstOff))
			if done < piece {
				return n - left + done
			}
		}
		left, srcOff, dstOff = left-piece, srcOff+piece, dstOff+piece
	}
	return n
}

// skip copies the hole at srcOff, n bytes of it at most, and returns how many.
func (s *store) skip(free *space, src *store, srcOff, dstOff, n uint64) uint64 {
	if next, ok := src.seek(srcOff, false); ok {
		n = min(n, next-srcOff)
	}
	s.punch(free, dstOff, dstOff+n)
	return n
}
