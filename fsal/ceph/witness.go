//go:build ceph

package ceph

import (
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/tidegate/tidegate/fsal/ceph/ll"
)

// witness is an inode open once more, from a write that is not yet durable to the next
// Commit. Where a pool is full, libcephfs drops what it was to write there, and a sync
// after that succeeds: it tells of it once for each Fh that there was, when that is
// closed. Commit must hear of it, whichever File it comes by, and closes none of these.
//
// A File that is guarded has to be alone: it commits before, and calls none.
type witness struct {
	at atomic.Uint64 // the generation after that of fh; 0: there is none
	mu sync.Mutex    // taken after a file's
	fh ll.Fh         // Guarded by mu.
}

// there says whether it is open in a generation.
func (w *witness) there(gen uint64) bool { return w != nil && w.at.Load() == gen+1 }

// call opens the inode, unless it is open.
func (w *witness) call(k *call, in ll.Inode) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.there(k.gen) {
		return nil
	}
	fh, err := k.m.Open(&superuser, in, syscall.O_WRONLY)
	if err == nil {
		w.fh = fh
		w.at.Store(k.gen + 1)
	}
	return err
}

// take returns what is open in a generation; whoever takes it closes it.
func (w *witness) take(gen uint64) (fh ll.Fh, ok bool) {
	if !w.there(gen) {
		return fh, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	ok = w.at.CompareAndSwap(gen+1, 0)
	return w.fh, ok
}

// attest sees to a witness of what f writes.
func (f *file) attest(k *call, in ll.Inode) error {
	if f.witness == nil || f.witness.there(k.gen) {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.guard.held != nil {
		return nil
	}
	return f.witness.call(k, in)
}

// commit makes durable what was written, and hears what became of it.
func (f *file) commit(k *call, in ll.Inode, fh ll.Fh) error {
	seen, ok := f.witness.take(k.gen)
	err := k.m.Sync(in, fh)
	if ok {
		if lost := k.m.Close(seen); err == nil {
			err = lost
		}
	}
	if err != nil {
		f.n.fs.verifier.Add(1)
	}
	return err
}

// dismiss ends the witness of what nobody committed.
func (o *opened) dismiss() {
	gen := o.c.gen.Load()
	o.c.settle(gen, func(m *ll.Mount) {
		if seen, ok := o.witness.take(gen); ok && m.Close(seen) != nil {
			o.c.fs.verifier.Add(1)
		}
	})
}
