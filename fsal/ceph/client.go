//go:build ceph

package ceph

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/ceph/ll"
)

const (
	sessionTimeout = 300 // seconds; ganesha's
	probeEvery     = time.Second

	probesUnanswered = 5 // until the monitors are asked
	retryFirst       = 100 * time.Millisecond
	retryLast        = 5 * time.Second
	stuckAfter       = 3 * time.Second // in a client that ends
	leftAfter        = 3 * time.Second // in one that is aborted
)

// client is one libcephfs client after another, each a generation.
type client struct {
	fs    *FS
	index int
	m     atomic.Pointer[ll.Mount] // nil while there is none
	gen   atomic.Uint64            // of m; grows when m has gone
	// mu is held for reading while something is given back, which as a call keeps m
	// where it is.
	mu   sync.RWMutex
	lost chan loss // the generation to replace
	dirs streams
	journal
	dozing atomic.Bool   // no call waits for an MDS
	awake  chan struct{} // buffered by one
	looked atomic.Uint64 // when prod looked after calls, as calls.now
}

// loss is how a generation ended.
type loss struct {
	gen uint64
	err error
}

func newClient(fs *FS, index int) *client {
	c := &client{fs: fs, index: index, lost: make(chan loss, 1), journal: journal{wake: make(chan struct{}, 1)}, awake: make(chan struct{}, 1)}
	c.looked.Store(fs.calls.now())
	return c
}

// lose asks mend to replace a generation; it is said often for the same one.
func (c *client) lose(gen uint64, err error) {
	select {
	case c.lost <- loss{gen, err}:
	default:
	}
}

// settle gives back what belongs to a generation, if it is still there.
func (c *client) settle(gen uint64, give func(*ll.Mount)) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if m := c.m.Load(); m != nil && c.gen.Load() == gen {
		give(m)
	}
}

// identity is the export's; further clients number theirs.
func (fs *FS) identity(index int) ll.Identity {
	id := ll.Identity{UUID: fs.cfg.Identity, Timeout: sessionTimeout, Recall: uint32(fsal.RecallLimit.Seconds())}
	if index > 0 && id.UUID != "" {
		id.UUID = fmt.Sprint(id.UUID, "-", index)
	}
	return id
}

// endOthers ends the sessions of further clients that a predecessor had, its spare one
// among them, which this run may not mount: until then they would keep others waiting.
func (fs *FS) endOthers() {
	if fs.cfg.Identity == "" {
		return
	}
	for i := len(fs.clients); ; i++ {
		found, err := ll.EndSession(unsafe.Pointer(fs.conn.Cluster()), fs.cfg.FS, fs.identity(i))
		if !found || err != nil {
			return
		}
		fs.cfg.Log.Info("ended a client of the run before", zap.String("export", fs.cfg.name()), zap.Int("client", i))
	}
}

// mount makes the client of the present generation, after ending the session of
// whoever had its identity before.
func (c *client) mount() error {
	cfg := &c.fs.cfg
	begin := func() (*ll.Mount, bool, error) {
		return ll.NewMount(unsafe.Pointer(c.fs.conn.Cluster()), cfg.FS, cfg.Path, c.fs.identity(c.index), c.fs.releases.sink())
	}
	m, refused, err := begin()
	if refused {
		err = c.evictPredecessor(m)
		if m.Release(); err != nil {
			return err
		}
		if m, refused, err = begin(); refused {
			m.Release()
			err = syscall.EPERM
		}
	}
	switch err {
	case nil:
	case syscall.ENOENT:
		return fmt.Errorf("%s: no such directory in the file system, or client.%s may not see it", cfg.name(), cfg.User)
	case syscall.EACCES, syscall.EPERM:
		return fmt.Errorf("%s: the MDS refused it; client.%s needs the capability mds 'allow rwps fsname=%s'", cfg.name(), cfg.User, cfg.FS)
	case syscall.ETIMEDOUT:
		return fmt.Errorf("%s: no MDS answered within %v; see: ceph fs status %s", cfg.name(), cfg.Timeout, cfg.FS)
	default:
		return fmt.Errorf("%s: mount: %w", cfg.name(), err)
	}
	c.m.Store(m)
	return nil
}

// unmount ends the present generation, in order or at once. No call may enter a
// mount that is being aborted, since what it refers to goes. A mount that calls do not
// come back from is left behind, with whoever is in it.
func (c *client) unmount(orderly bool) {
	m := c.m.Swap(nil) // from here on nobody enters
	if m == nil {
		return
	}
	switch {
	case !c.quiet(stuckAfter):
		c.leave(m)
		return
	case orderly:
		m.Unmount()
	default:
		m.Abort()
	}
	c.next()
	c.mu.Unlock()
}

// next begins a generation without a client.
func (c *client) next() {
	c.gen.Add(1)
	c.dirs.forget()
}

// quiet waits until no call runs and nothing is given back, and holds mu from then on. It
// does not where that takes longer than limit.
func (c *client) quiet(limit time.Duration) bool {
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(limit); ; <-again.C {
		if !c.fs.calls.busy(c) && c.mu.TryLock() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// leave aborts a mount in which calls are stuck. libcephfs waits for all of them first.
func (c *client) leave(m *ll.Mount) {
	aborted := make(chan struct{})
	go func() {
		m.Abort()
		close(aborted)
	}()
	if c.quiet(leftAfter) {
		c.next()
		c.mu.Unlock()
		<-aborted
		return
	}
	n := c.fs.calls.disown(c)
	c.fs.left.Add(1)
	c.next() // m is never freed: what is being given back may go on
	c.fs.cfg.Log.Error("calls into libcephfs do not come back; a client is left behind with them",
		zap.String("export", c.fs.cfg.name()), zap.Int("client", c.index), zap.Int("calls", n))
}

// watch asks the MDS often, so that a loss is seen without anybody's call. While no
// MDS answers, and when one does again, it asks the monitors.
func (c *client) watch(ctx context.Context) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	r := &fsal.Req{Context: ctx}
	answered := make(chan struct{}, 1)
	answered <- struct{}{}
	for silent := 1; ; silent++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		select {
		case <-answered:
			if silent > 1 {
				c.checkBlocked()
			}
			silent = 0
			c.fs.tasks.Go(func() {
				c.probe(r)
				answered <- struct{}{}
			})
		default:
			if silent%probesUnanswered == 0 {
				c.checkBlocked()
			}
		}
	}
}

// checkBlocked sees that the monitors keep the client from the OSDs, which an MDS that
// has just taken over does not know.
func (c *client) checkBlocked() {
	gen, address := c.gen.Load(), ""
	c.settle(gen, func(m *ll.Mount) { address = m.Address() })
	out, _, err := c.fs.conn.MonCommand([]byte(`{"prefix":"osd blocklist ls","format":"json"}`))
	if err != nil || address == "" {
		return
	}
	var blocked []struct{ Addr string }
	if json.NewDecoder(bytes.NewReader(out)).Decode(&blocked) != nil {
		return
	}
	for _, b := range blocked {
		if b.Addr == address {
			c.lose(gen, syscall.ESHUTDOWN)
		}
	}
}

func (c *client) probe(r *fsal.Req) {
	k, err := c.begin(r)
	if err != nil {
		return
	}
	defer k.end()
	k.judge(k.probe())
}

// mend replaces what was lost.
func (c *client) mend(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case l := <-c.lost:
			if l.gen == c.gen.Load() {
				c.replace(ctx, l.err)
			}
		}
	}
}

// replace goes on until there is a client again. Nothing is acknowledged by the
// new one before the verifier has changed and the loss is known.
func (c *client) replace(ctx context.Context, reason error) {
	if ctx.Err() != nil {
		return
	}
	log := c.fs.cfg.Log.With(zap.String("export", c.fs.cfg.name()), zap.Int("client", c.index))
	log.Error("CephFS evicted us: locks and unwritten data are lost; mounting again", zap.Error(reason))
	c.fs.evicted.Add(1)
	c.fs.lost.Add(1)
	defer c.fs.lost.Add(-1)
	began := time.Now()
	c.unmount(false)
	c.fs.verifier.Add(1) // after the last write under the one before
	c.fs.upcalls().Lost(reason)
	for wait := retryFirst; ; wait = min(2*wait, retryLast) {
		err := c.mount()
		if err == nil {
			log.Info("mounted again", zap.Duration("after", time.Since(began)))
			return
		}
		log.Warn("not mounted yet", zap.Error(err), zap.Duration("next try in", wait))
		if !sleep(ctx, wait) {
			return
		}
	}
}
