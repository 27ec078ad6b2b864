//go:build ceph

package ceph

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/tidegate/tidegate/fsal/ceph/ll"
)

// call is the right to one use of a client, which holds a thread. An FS has so many
// for all its clients, each in a cache line of its own; after end it is another's.
type call struct {
	// word says whose call it is, and since when: 0 for nobody's, or a client's mark with
	// the ticks, which are 0 for a silent call that prod has not seen yet. A client is not
	// unmounted while its mark stands anywhere.
	word atomic.Uint64
	c    *client
	m    *ll.Mount
	gen  uint64
	// changes is what the call changes, if its number is not 0.
	changes vino
	fresh   int // what it found that costs a capability
	_       [8]byte
}

// What a call's word has.
const (
	ticks  = 1<<48 - 1
	silent = 1 << 48 // for a call that asks no MDS
	late   = 1 << 49 // for one that is late
	owner  = 50      // bits below the client's mark

	tick = time.Microsecond
)

// mark is c in a call's word.
func (c *client) mark() uint64 { return uint64(c.index+1) << owner }

// word is what a call of c that begins now is marked with. It began when prod looked
// last, or later: to read the clock is a good part of a call that libcephfs can answer
// by itself.
func (c *client) word(asks bool) uint64 {
	if asks {
		return c.mark() | c.looked.Load()
	}
	return c.mark() | silent
}

// begin waits until a call may run; end must follow. EAGAIN while there is no mount.
func (c *client) begin(ctx context.Context) (*call, error) { return c.take(ctx, true) }

// enter is begin for a call that asks no MDS.
func (c *client) enter(ctx context.Context) (*call, error) { return c.take(ctx, false) }

func (c *client) take(ctx context.Context, asks bool) (*call, error) {
	k := c.fs.calls.first()
	if !k.word.CompareAndSwap(0, c.word(asks)) {
		var err error
		if k, err = c.fs.calls.wait(ctx, c, asks); err != nil {
			return nil, err
		}
	}
	// Whoever unmounts takes m away first and looks for marks then.
	m := c.m.Load()
	if m == nil {
		c.fs.calls.give(k)
		return nil, syscall.EAGAIN
	}
	k.c, k.m, k.gen = c, m, c.gen.Load()
	if asks {
		c.rouse()
	}
	return k, nil
}

// changing says that the MDS will be asked to change names in id, or its attributes.
func (k *call) changing(id vino) {
	k.changes = id
	k.c.journal.count(id, 1)
}

// meets says that the call found an inode.
func (k *call) meets(id vino) {
	if k.c.fs.pace.takes(id) {
		k.fresh++
	}
}

// end gives the right back, and then waits for the pace of what the call found.
func (k *call) end() {
	if k.changes.ino != 0 {
		k.c.journal.count(k.changes, -1)
		k.changes = vino{}
	}
	fs, fresh := k.c.fs, k.fresh
	k.fresh = 0
	fs.calls.give(k)
	if fresh > 0 {
		fs.pace.wait(fs.ctx, fresh)
	}
}

// judge returns what a call answers: EAGAIN where its client is lost, which is
// then replaced.
func (k *call) judge(err error) error {
	if err == nil {
		return nil
	}
	return k.blame(err)
}

// blame is judge for what failed.
func (k *call) blame(err error) error {
	no, _ := err.(syscall.Errno)
	switch no {
	case syscall.ESHUTDOWN, syscall.ENOTCONN: // Ceph's EBLOCKLISTED is ESHUTDOWN
		k.c.lose(k.gen, no)
		return syscall.EAGAIN
	case syscall.ETIMEDOUT:
		return syscall.EAGAIN
	case syscall.EIO: // what a write of an evicted client says at first
		if no, _ := k.probe().(syscall.Errno); no == syscall.ESHUTDOWN || no == syscall.ENOTCONN {
			return k.blame(no)
		}
	}
	return err
}

// probe asks the MDS whether it still knows the client.
func (k *call) probe() error {
	in, _, err := k.m.Root()
	if err != nil {
		return err
	}
	defer k.m.Put(in)
	return k.m.Probe(in)
}

// resolve finds an inode: ESTALE if it is gone.
func (k *call) resolve(id vino) (ll.Inode, ll.Stat, error) {
	in, st, err := k.m.Resolve(id.ino, id.snap)
	if err == syscall.ENOENT {
		err = syscall.ESTALE
	}
	return in, st, k.judge(err)
}

// calls are all that may run at the same time: room.most, and besides those the late.
type calls struct {
	all     []call
	window  atomic.Uint32 // how many of all may begin; any that run beyond began when it was larger
	waiting atomic.Int32  // callers who found all taken
	freed   chan struct{} // asks one who waits to look again; holds one for each call
	epoch   time.Time
	room
}

func (s *calls) init(most int, shared *atomic.Int64) {
	s.all, s.freed = make([]call, most+lateMost), make(chan struct{}, most+lateMost)
	s.epoch = time.Now().Add(-tick)
	s.room.most, s.room.shared = most, shared
	s.window.Store(uint32(most))
}

// first is a call to begin with, most often the same for a goroutine and another for
// others: it goes by where the stack lies.
func (s *calls) first() *call {
	var here byte
	spread := uint32(uintptr(unsafe.Pointer(&here))>>11) * 0x9e3779b1
	return &s.all[uint64(spread)*uint64(s.window.Load())>>32]
}

// try returns a call that nobody has, or nil.
func (s *calls) try(word uint64) *call {
	n := s.window.Load()
	i := rand.Uint32N(n)
	for range n {
		if k := &s.all[i]; k.word.Load() == 0 && k.word.CompareAndSwap(0, word) {
			return k
		}
		if i++; i == n {
			i = 0
		}
	}
	return nil
}

// wait returns a call for c as soon as there is one: EAGAIN when ctx ends.
func (s *calls) wait(ctx context.Context, c *client, asks bool) (*call, error) {
	if k := s.try(c.word(asks)); k != nil {
		return k, nil
	}
	s.waiting.Add(1)
	defer s.waiting.Add(-1)
	c.rouse()
	for {
		if k := s.try(c.word(asks)); k != nil {
			return k, nil
		}
		select {
		case <-s.freed:
		case <-ctx.Done():
			return nil, syscall.EAGAIN
		}
	}
}

func (s *calls) give(k *call) {
	k.word.Store(0)
	s.offer()
}

// offer has one who waits look again.
func (s *calls) offer() {
	if s.waiting.Load() > 0 {
		select {
		case s.freed <- struct{}{}:
		default:
		}
	}
}

// busy says that a call of c runs.
func (s *calls) busy(c *client) bool {
	for i := range s.all {
		if s.all[i].word.Load()>>owner == c.mark()>>owner {
			return true
		}
	}
	return false
}

// disown leaves the calls of c to nobody, late until they end, and returns how many.
func (s *calls) disown(c *client) (n int) {
	for i := range s.all {
		w := &s.all[i].word
		for word := w.Load(); word>>owner == c.mark()>>owner; word = w.Load() {
			if w.CompareAndSwap(word, late) {
				n++
			}
		}
	}
	return n
}

// now is the time after epoch in ticks, never 0.
func (s *calls) now() uint64 { return uint64(time.Since(s.epoch) / tick) }
