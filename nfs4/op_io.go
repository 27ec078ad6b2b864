package nfs4

import (
	"errors"
	"math"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// stateid puts the current stateid in the place of the one that stands for it,
// with the seqid of 0 that stands for the newest (RFC 8881, 8.2.3). A special one,
// as PUTFH makes current, is not passed so: the operation meets what stands for it,
// and answers BAD_STATEID (RFC 8881, 16.2.3.1.2, figure 6).
func (c *compound) stateid(id wire.Stateid) state.Stateid { return c.cur.stateid(id) }

func (p *place) stateid(id wire.Stateid) state.Stateid {
	if state.Stateid(id) == state.Current && !p.id.Special() {
		return state.Stateid{Other: p.id.Other}
	}
	return state.Stateid(id)
}

// stateidAsSeen is stateid with the current one's own seqid, for CLOSE and
// OPEN_DOWNGRADE.
func (c *compound) stateidAsSeen(id wire.Stateid) state.Stateid {
	if state.Stateid(id) == state.Current {
		return c.cur.id
	}
	return state.Stateid(id)
}

// use returns the open file for I/O under a stateid, to be put afterwards; nil
// with OK for a special stateid, against which no share reservation stands. The
// bypass counts as the anonymous stateid for writes (RFC 8881, 8.2.3).
func (c *compound) use(id wire.Stateid, want state.Share) (*state.Handle, wire.Status) {
	return c.useAt(&c.cur, id, want)
}

func (c *compound) useAt(p *place, wid wire.Stateid, want state.Share) (*state.Handle, wire.Status) {
	c.as(p.grant)
	id := p.stateid(wid)
	key := p.fileKey()
	switch {
	case id == state.ReadBypass && want == state.ShareRead:
		return nil, c.statusOf(c.session.Client.Special(c.req.Context, key, 0))
	case id == state.Anonymous || id == state.ReadBypass:
		if want&state.ShareWrite != 0 {
			c.begin(key)
		}
		return nil, c.statusOf(c.session.Client.Special(c.req.Context, key, want))
	}
	h, err := c.session.Client.Use(id, &key, want)
	if err != nil || h.Who.Equal(&c.req.Cred) {
		return h, c.statusOf(err)
	}
	if status := c.mayUse(p, want); status != wire.OK {
		h.Put()
		return nil, status
	}
	return h, wire.OK
}

// mayUse judges who uses what another principal has opened: anybody may try (RFC 8881,
// 18.16.4). As at Linux's server, what a mode takes from a file's owner is taken from
// what he opens later.
func (c *compound) mayUse(p *place, want state.Share) wire.Status {
	n, status := c.nodeAt(p)
	if status != wire.OK {
		return status
	}
	err := mayOpen(&c.req, n, want)
	if err == syscall.EACCES {
		if a, err := n.Getattr(&c.req); err == nil && a.UID == c.req.Cred.UID {
			return wire.OK
		}
	}
	return c.statusOf(err)
}

// file is an open file for the length of one operation.
type file struct {
	fsal.File
	handle *state.Handle // nil: opened for this operation alone
}

func (f *file) put() {
	if f.handle != nil {
		f.handle.Put()
	} else {
		f.Close()
	}
}

// openFor finds or opens the current file for I/O under a stateid.
func (c *compound) openFor(id wire.Stateid, want state.Share) (file, wire.Status) {
	return c.openAt(&c.cur, id, want)
}

func (c *compound) openAt(p *place, id wire.Stateid, want state.Share) (file, wire.Status) {
	h, status := c.useAt(p, id, want)
	switch {
	case status != wire.OK:
		return file{}, status
	case h != nil:
		return file{h.File, h}, wire.OK
	}
	n, status := c.nodeAt(p)
	if status != wire.OK {
		return file{}, status
	}
	if status := regular(n.Type()); status != wire.OK {
		return file{}, status
	}
	f, err := openNode(&c.req, n, want)
	return file{f, nil}, c.statusOf(err)
}

// openNode opens a regular file on the caller's behalf. Who may execute it may
// read it: to do the one, a client must do the other (RFC 8881, 18.1.3).
func openNode(r *fsal.Req, n fsal.Node, want state.Share) (fsal.File, error) {
	f, err := n.Open(r, openFlags(want))
	if want != state.ShareRead || !errors.Is(err, syscall.EACCES) {
		return f, err
	}
	if may, err := n.Access(r, fsal.MayExecute); err != nil || may == 0 {
		return nil, syscall.EACCES
	}
	return n.Open(&fsal.Req{Context: r.Context}, fsal.OpenRead)
}

// mayOpen judges as openNode does.
func mayOpen(r *fsal.Req, n fsal.Node, want state.Share) error {
	need := accessOf(want)
	have, err := n.Access(r, need|fsal.MayExecute)
	switch {
	case err != nil:
		return err
	case have&need == need, want == state.ShareRead && have&fsal.MayExecute != 0:
		return nil
	}
	return syscall.EACCES
}

// regular says what an operation on regular files answers for another type
// (RFC 8881, 15.1.2).
func regular(t fsal.Type) wire.Status {
	switch t {
	case fsal.Regular:
		return wire.OK
	case fsal.Directory:
		return wire.ErrIsDir
	case fsal.Symlink:
		return wire.ErrSymlink
	}
	return wire.ErrWrongType
}

func openFlags(s state.Share) (f fsal.OpenFlags) {
	if s&state.ShareRead != 0 {
		f |= fsal.OpenRead
	}
	if s&state.ShareWrite != 0 {
		f |= fsal.OpenWrite
	}
	return f
}

func accessOf(s state.Share) (a fsal.Access) {
	if s&state.ShareRead != 0 {
		a |= fsal.MayRead
	}
	if s&state.ShareWrite != 0 {
		a |= fsal.MayWrite
	}
	return a
}

func (c *compound) read(a wire.ReadArgs) wire.Status {
	f, status := c.openFor(a.Stateid, state.ShareRead)
	if status != wire.OK {
		return status
	}
	defer f.put()
	const head = 8 // eof and length
	most := min(uint64(a.Count), ioSize(c.cur.export.limits.MaxRead))
	n := min(int(most), (c.room()-head)&^3)
	eof := c.out.Reserve()
	length := c.out.Reserve()
	data := c.out.Len()
	got, end, err := 0, true, error(nil)
	if a.Offset <= math.MaxInt64 {
		got, end, err = f.ReadAt(&c.req, c.out.Grow(n), a.Offset)
	}
	if err != nil {
		return c.statusOf(err)
	}
	c.bill.use.Read += uint64(got)
	c.out.Truncate(data + got)
	c.out.Pad(got)
	if end {
		c.out.PutUint32(eof, 1)
	}
	c.out.PutUint32(length, uint32(got))
	return wire.OK
}

func (c *compound) write(a wire.WriteArgs) wire.Status {
	if a.Stable > wire.FileSync {
		return wire.ErrInval
	}
	f, status := c.openFor(a.Stateid, state.ShareWrite)
	if status != wire.OK {
		return status
	}
	defer f.put()
	if a.Offset > math.MaxInt64-uint64(len(a.Data)) {
		return wire.ErrFBig
	}
	fs := c.cur.export.FS
	// Taken before the write: should data be lost while it runs, the client
	// holds an old verifier and sends them again.
	verifier := fs.WriteVerifier()
	data := a.Data[:min(uint64(len(a.Data)), ioSize(c.cur.export.limits.MaxWrite))]
	n, got, err := f.WriteAt(&c.req, data, a.Offset, fsal.Sync(a.Stable))
	if err != nil && n == 0 {
		return c.statusOf(err)
	}
	c.bill.use.Written += uint64(n)
	c.out.Uint32(uint32(n))
	c.out.Uint32(uint32(got))
	c.out.Uint64(verifier)
	return wire.OK
}

func (c *compound) commit(a wire.CommitArgs) wire.Status {
	n, status := c.node()
	if status != wire.OK {
		return status
	}
	if status := regular(n.Type()); status != wire.OK {
		return status
	}
	if a.Offset > math.MaxUint64-uint64(a.Count) {
		return wire.ErrInval
	}
	f, err := c.anyFile(n)
	if err != nil {
		return c.statusOf(err)
	}
	defer f.put()
	if err := f.Commit(&c.req, a.Offset, uint64(a.Count)); err != nil {
		return c.statusOf(err)
	}
	// Taken after the commit: should data have been lost before it, or while it
	// ran, the client must not find the verifier that it wrote under.
	c.out.Uint64(c.cur.export.FS.WriteVerifier())
	return wire.OK
}

// anyFile finds or opens the current file for COMMIT, which has no stateid and
// which nobody is refused who could write.
func (c *compound) anyFile(n fsal.Node) (file, error) {
	if h := c.srv.state.HandleOf(c.fileKey()); h != nil {
		return file{h.File, h}, nil
	}
	root := fsal.Req{Context: c.req.Context}
	f, err := n.Open(&root, fsal.OpenWrite)
	return file{f, nil}, err
}
