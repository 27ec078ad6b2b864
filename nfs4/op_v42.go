package nfs4

import (
	"errors"
	"math"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// openRegular is openAt for operations that answer WRONG_TYPE for anything but a
// regular file, whatever the stateid (RFC 7862, 15.1.3).
func (c *compound) openRegular(p *place, id wire.Stateid, want state.Share) (file, wire.Status) {
	n, status := c.nodeAt(p)
	switch {
	case status != wire.OK:
		return file{}, status
	case n.Type() != fsal.Regular:
		return file{}, wire.ErrWrongType
	}
	return c.openAt(p, id, want)
}

func (c *compound) allocate(a wire.AllocateArgs) wire.Status {
	return c.rearrange(a.Stateid, a.Offset, a.Length, fsal.Allocator.Allocate)
}

func (c *compound) deallocate(a wire.DeallocateArgs) wire.Status {
	return c.rearrange(a.Stateid, a.Offset, a.Length, fsal.Allocator.Deallocate)
}

// rearrange changes what storage a range of the current file has. The result has
// no verifier that a client could check later, so the change is durable.
func (c *compound) rearrange(id wire.Stateid, off, n uint64,
	change func(fsal.Allocator, *fsal.Req, uint64, uint64) error) wire.Status {
	f, status := c.openRegular(&c.cur, id, state.ShareWrite)
	if status != wire.OK {
		return status
	}
	defer f.put()
	allocator, ok := f.File.(fsal.Allocator)
	switch {
	case !ok:
		return wire.ErrNotSupp
	case n == 0:
		return wire.ErrInval
	case off > math.MaxInt64 || n > math.MaxInt64-off:
		return wire.ErrFBig
	}
	if err := change(allocator, &c.req, off, n); err != nil {
		return c.statusOf(err)
	}
	return c.statusOf(f.Commit(&c.req, off, n))
}

// seek answers OK and eof where no data follow, and the end of the file for the
// hole that every file has there (RFC 7862, 15.11.3).
func (c *compound) seek(a wire.SeekArgs) wire.Status {
	if a.What > wire.ContentHole {
		return wire.ErrUnionNotSupp
	}
	f, status := c.openFor(a.Stateid, state.ShareRead)
	if status != wire.OK {
		return status
	}
	defer f.put()
	size, status := c.sizeAt(&c.cur)
	switch {
	case status != wire.OK:
		return status
	case a.Offset >= size:
		return wire.ErrNXIO
	}
	at, err := c.find(f.File, a.What, a.Offset)
	switch {
	case err == nil:
		at = min(at, size)
	case a.What == wire.ContentData && errors.Is(err, syscall.ENXIO):
		at = size
	default:
		return c.statusOf(err)
	}
	wire.SeekRes{EOF: at == size, Offset: at}.Encode(c.out)
	return wire.OK
}

// find is fsal.Seeker.Seek; a file that does not know its holes has none but the
// one at its end.
func (c *compound) find(f fsal.File, what wire.DataContent, off uint64) (uint64, error) {
	if s, ok := f.(fsal.Seeker); ok {
		return s.Seek(&c.req, off, what == wire.ContentHole)
	}
	if what == wire.ContentHole {
		return math.MaxInt64, nil
	}
	return off, nil
}

func (c *compound) sizeAt(p *place) (uint64, wire.Status) {
	n, status := c.nodeAt(p)
	if status != wire.OK {
		return 0, status
	}
	attr, err := n.Getattr(&c.req)
	return attr.Size, c.statusOf(err)
}

// ioAdvise takes none of the advice, and says so (RFC 7862, 15.5.3).
func (c *compound) ioAdvise(a wire.IOAdviseArgs) wire.Status {
	n, status := c.node()
	if status != wire.OK {
		return status
	}
	if status := regular(n.Type()); status != wire.OK {
		return status
	}
	h, status := c.use(a.Stateid, 0)
	if status != wire.OK {
		return status
	}
	if h != nil {
		h.Put()
	}
	wire.IOAdviseRes{}.Encode(c.out)
	return wire.OK
}
