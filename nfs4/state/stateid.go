package state

import (
	"context"
	"encoding/binary"
	"sync/atomic"

	"github.com/tidegate/tidegate/fsal"
)

// Stateid is a stateid4. Other is boot epoch (4 bytes), client index (20 bits),
// index among the client's stateids (20 bits) and generation (24 bits).
type Stateid struct {
	Seqid uint32
	Other [12]byte
}

// The special stateids (RFC 8881, 8.2.3).
var (
	Anonymous  = Stateid{}
	ReadBypass = Stateid{Seqid: ^uint32(0), Other: ones}
	Current    = Stateid{Seqid: 1}
	Invalid    = Stateid{Seqid: ^uint32(0)}
)

var ones = [12]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// Special reports whether the stateid has one of the two values of Other that
// are set apart.
func (id Stateid) Special() bool { return id.Other == [12]byte{} || id.Other == ones }

func makeOther(epoch, client, index, gen uint32) (other [12]byte) {
	binary.BigEndian.PutUint32(other[0:], epoch)
	binary.BigEndian.PutUint64(other[4:], uint64(client)<<44|uint64(index)<<24|uint64(gen&0xffffff))
	return other
}

// entry is what a stateid names. It is immutable but for its atomics.
type entry struct {
	other   [12]byte
	seq     atomic.Uint32
	revoked atomic.Uint32 // 0, or the Error that users of the stateid get

	open  *Open       // an open, or what locks came by; nil for a delegation
	locks *Locks      // of a lock stateid
	deleg *Delegation // of a delegation
}

func (e *entry) key() *FileKey {
	if e.deleg != nil {
		return &e.deleg.Key
	}
	return &e.open.file.key
}

func (e *entry) stateid() Stateid { return Stateid{Seqid: e.seq.Load(), Other: e.other} }

// bump gives the stateid its next seqid, which is never 0 (RFC 8881, 8.2.2).
func (e *entry) bump() Stateid {
	n := e.seq.Add(1)
	if n == 0 {
		n = e.seq.Add(1)
	}
	return Stateid{Seqid: n, Other: e.other}
}

func (e *entry) index() uint32 {
	return uint32(binary.BigEndian.Uint64(e.other[4:])>>24) & (maxIndex - 1)
}

// enter puts e into the client's table; false if the client has too many.
func (c *Client) enter(e *entry) bool {
	return c.stateids.add(func(index, gen uint32) *entry {
		e.other = makeOther(c.store.cfg.Epoch, c.ID.index(), index, gen)
		return e
	})
}

// lookup finds what id names, in the order of RFC 8881, 8.2.4. key nil skips
// the check against the current file handle (TEST_STATEID, FREE_STATEID).
func (c *Client) lookup(id Stateid, key *FileKey) (*entry, error) {
	if id.Special() {
		return nil, BadStateid
	}
	if epoch := binary.BigEndian.Uint32(id.Other[:]); epoch < c.store.cfg.Epoch {
		return nil, StaleStateid
	}
	index := uint32(binary.BigEndian.Uint64(id.Other[4:])>>24) & (maxIndex - 1)
	e := c.stateids.load(index)
	if e == nil || e.other != id.Other {
		return nil, BadStateid
	}
	if key != nil && *e.key() != *key {
		return nil, BadStateid
	}
	if why := Error(e.revoked.Load()); why != 0 {
		return e, why
	}
	return e, e.check(id)
}

func (e *entry) check(id Stateid) error {
	if id.Seqid == 0 {
		return nil
	}
	switch d := int32(id.Seqid - e.seq.Load()); {
	case d > 0:
		return BadStateid
	case d < 0:
		return OldStateid
	}
	return nil
}

// TestStateid says whether id is good now (RFC 8881, 18.48).
func (c *Client) TestStateid(id Stateid) error {
	_, err := c.lookup(id, nil)
	return err
}

// FreeStateid lets go of a stateid without locks: one that was revoked (RFC
// 8881, 18.38). Errors: BadStateid, OldStateid, LocksHeld, Delay.
func (c *Client) FreeStateid(ctx context.Context, id Stateid) error {
	e, err := c.lookup(id, nil)
	if e == nil {
		return err
	}
	if err := e.check(id); err != nil {
		return err
	}
	switch {
	case e.revoked.Load() != 0:
		return c.acknowledge(ctx, e)
	case e.locks != nil:
		return e.locks.free()
	}
	return LocksHeld
}

// Handle is an open fsal.File in use; it is closed when the open and all that
// use it have put it.
type Handle struct {
	refs reference
	File fsal.File
	Who  fsal.Cred // who opened it, and so may use it
}

func newHandle(f fsal.File, who *fsal.Cred) *Handle {
	h := &Handle{File: f, Who: who.Clone()}
	h.refs.init()
	return h
}

// Put gives the Handle back.
func (h *Handle) Put() {
	if h.refs.put() {
		h.File.Close()
	}
}

// Use returns the open file for I/O under a stateid, to be put afterwards.
// Errors: those of a stateid, OpenMode.
func (c *Client) Use(id Stateid, key *FileKey, want Share) (*Handle, error) {
	e, err := c.lookup(id, key)
	if err != nil {
		return nil, err
	}
	if d := e.deleg; d != nil {
		if want&ShareWrite != 0 && !d.Write {
			return nil, OpenMode
		}
		return acquire(&d.handle)
	}
	if Share(e.open.access.Load())&want != want {
		return nil, OpenMode
	}
	return acquire(&e.open.handle)
}

// acquire returns what p holds with a reference, or BadStateid if it is gone.
func acquire(p *atomic.Pointer[Handle]) (*Handle, error) {
	for {
		h := p.Load()
		if h == nil {
			return nil, BadStateid
		}
		if h.refs.get() {
			return h, nil
		}
	}
}

// HandleOf returns a handle that somebody has open on a file, to be put
// afterwards, or nil.
func (s *Store) HandleOf(key FileKey) *Handle {
	f := s.files.find(&key)
	if f == nil {
		return nil
	}
	defer s.files.put(f)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range f.opens {
		if h := o.handle.Load(); h != nil && h.refs.get() {
			return h
		}
	}
	return nil
}

// Status is the client's part of SEQUENCE's status flags (RFC 8881, 18.46.3).
func (c *Client) Status() uint32 {
	flags := c.status.Load()
	if c.grace.ReclaimNeeded() {
		flags |= statusReclaimNeeded
	}
	return flags
}
