package nfs4

import (
	"errors"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// listing is a READDIR under way.
type listing struct {
	c      *compound
	pseudo *pseudoNode // what is listed, if that is a pseudo directory
	here   subject     // the entry, if it is not a junction
	want   wire.Bitmap
	lists  bool // the access control lists of entries are asked for

	end   int         // where the entries in the reply must end
	small wire.Status // when not even one does
	names int         // bytes that names and cookies may still take
	count int

	status wire.Status
}

// entriesEnd is what follows the last entry; entryNames is what an entry's
// cookie and the length of its name take.
const (
	entriesEnd = 8
	entryNames = 12
)

func (c *compound) readdir(a wire.ReaddirArgs) wire.Status {
	dir, status := c.directoryAt(&c.cur)
	switch {
	case status != wire.OK:
		return status
	case a.Cookie > 0 && a.Cookie < firstCookie:
		return wire.ErrBadCookie
	case a.Cookie > 0 && a.CookieVerf != wire.Verifier{}:
		return wire.ErrNotSame
	case !a.AttrRequest.And(setOnly).IsZero():
		return wire.ErrInval
	}
	l, status := c.newListing(dir, &a)
	if status != wire.OK {
		return status
	}
	c.out.Uint64(0) // cookies stay good, so the verifier never changes
	eof, err := dir.Readdir(&c.req, a.Cookie, l.entryWant(), l.add)
	switch {
	case errors.Is(err, syscall.EINVAL):
		return wire.ErrBadCookie
	case err != nil:
		return c.statusOf(err)
	case l.status != wire.OK:
		return l.status
	}
	wire.EndEntries(c.out, eof)
	return wire.OK
}

// newListing finds out how much may be listed: maxcount counts all of the
// result (RFC 8881, 18.23.3), and the session has a say.
func (c *compound) newListing(dir fsal.Node, a *wire.ReaddirArgs) (*listing, wire.Status) {
	l := &listing{c: c, want: a.AttrRequest.And(readable), small: wire.ErrTooSmall}
	room := int(a.MaxCount)
	if c.room() < room {
		room, l.small = c.room(), c.tooBig
	}
	if room < wire.ReaddirOverhead {
		return nil, l.small
	}
	l.end = c.out.Len() + room - entriesEnd
	if l.names = int(a.DirCount); l.names == 0 {
		l.names = room
	}
	l.pseudo, _ = dir.(*pseudoNode)
	l.here = subject{export: c.cur.export, minor: c.minor, lease: c.srv.state.Lease(), owners: c.srv.cfg.Owners}
	l.lists = l.want.Has(wire.AttrACL) && c.cur.export.hasACLs()
	return l, c.statusOf(l.here.weigh(&c.req, l.want))
}

// entryWant leaves out what no attribute that is asked for needs.
func (l *listing) entryWant() (want fsal.EntryWant) {
	if !l.want.AndNot(unattended).IsZero() {
		want |= fsal.WantAttr
	}
	if l.want.Has(wire.AttrFilehandle) || l.lists {
		want |= fsal.WantKey
	}
	return want
}

// add appends an entry if it fits. One that was removed meanwhile is left out.
func (l *listing) add(e *fsal.DirEntry) bool {
	err := l.list(e)
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ESTALE) {
		return true
	}
	names := entryNames + (len(e.Name)+3)&^3
	if l.count > 0 && names > l.names {
		return false
	}
	s := l.subject(e, err)
	// READDIR itself never answers WRONGSEC (RFC 8881, 18.29.4).
	if s.failed != wire.OK && s.failed != wire.ErrWrongSec && !l.want.Has(wire.AttrRdattrError) {
		l.status = s.failed
		return false
	}
	out := l.c.out
	start := out.Len()
	wire.AppendEntry(out, e.Cookie, e.Name)
	s.encode(out, l.want)
	if out.Len() > l.end {
		out.Truncate(start)
		if l.count == 0 {
			l.status = l.small
		}
		return false
	}
	l.names -= names
	l.count++
	return true
}

// subject returns what an entry's attributes are, or why they could not be had: where
// an export begins, those of its root (RFC 8881, 7.3 and 5.8.2.23).
func (l *listing) subject(e *fsal.DirEntry, err error) *subject {
	if l.pseudo != nil {
		if x := l.pseudo.dir.entry(e.Name); x != nil && x.export != nil {
			return l.c.rootOf(x.export, l.want)
		}
	}
	l.here.key, l.here.attr, l.here.failed = e.Key, e.Attr, l.c.statusOf(err)
	return &l.here
}

// junctionOwn are the attributes of an export's root that its file system is not
// asked for.
var junctionOwn = wire.BitmapOf(wire.AttrRdattrError, wire.AttrMountedOnFileID)

// rootOf makes the root of e the subject of attributes.
func (c *compound) rootOf(e *export, want wire.Bitmap) *subject {
	c.subject = subject{export: e, minor: c.minor, key: e.root}
	if want.AndNot(junctionOwn).IsZero() {
		return &c.subject
	}
	if status := c.describeRoot(e, want); status != wire.OK {
		c.subject = subject{export: e, minor: c.minor, failed: status}
	}
	return &c.subject
}

func (c *compound) describeRoot(e *export, want wire.Bitmap) wire.Status {
	g, status := c.grantOf(e)
	switch {
	case status != wire.OK:
		return status
	case !g.takes(c.call.Cred.Flavor):
		return wire.ErrWrongSec // RFC 8881, 18.29.4
	}
	c.as(g)
	defer c.as(c.cur.grant)
	root, err := e.FS.Root(&c.req)
	if err != nil {
		return c.statusOf(err)
	}
	defer root.Put()
	return c.statusOf(c.describe(e, root, want))
}
