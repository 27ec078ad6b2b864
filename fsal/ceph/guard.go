//go:build ceph

package ceph

import (
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/ceph/ll"
)

// A guard keeps a file's capabilities here: libcephfs's delegation. That one minds
// users of this FS as well: it is refused while they have the file open, and has
// them wait when they open the file or change its names. So guards are lifted
// before such a call and put back after it; where that is refused, or somebody
// outside was quicker, the delegation is recalled.
//
// From a recall on libcephfs starts nothing on the file, not even a write, until it
// is given back. Who has a delegation for reading may ask for attributes before he
// returns it; so a guard yields to any call that is then kept waiting. Who has one
// for writing has to write first, before others see the file, and cannot: there are
// none.
type guard struct {
	held  *ll.Guard // nil: none. Guarded by file.mu.
	gen   uint64    // of held. Guarded by file.mu.
	write bool      // Guarded by file.mu.
}

// guards are the files that are guarded. None of the locks of a client, a file or a
// node is held when they are lifted or put back.
type guards struct {
	n     atomic.Int64     // of files
	mu    sync.Mutex       // taken after a file's
	files map[vino][]*file // Guarded by mu.
	asked map[vino]bool    // files that somebody outside wants. Guarded by mu.
	left  []*ll.Guard      // what mounts that were going may have told of. Guarded by mu.
}

func (g *guards) add(f *file) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !slices.Contains(g.files[f.n.id], f) {
		g.files[f.n.id] = append(g.files[f.n.id], f)
		g.n.Add(1)
	}
}

func (g *guards) drop(f *file) {
	g.mu.Lock()
	defer g.mu.Unlock()
	id := f.n.id
	i := slices.Index(g.files[id], f)
	if i < 0 {
		return
	}
	g.n.Add(-1)
	if g.files[id] = slices.Delete(g.files[id], i, i+1); len(g.files[id]) == 0 {
		delete(g.files, id)
		delete(g.asked, id)
	}
}

// leave keeps what a mount may still tell of.
func (g *guards) leave(held *ll.Guard) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left = append(g.left, held)
}

// free follows when there is no mount any more.
func (g *guards) free() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, held := range g.left {
		held.Free()
	}
	g.left = nil
}

// ask notes that somebody outside wants a file.
func (g *guards) ask(id vino) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.files[id]) > 0 {
		g.asked[id] = true
	}
}

// yield lets others have what they asked a client for.
func (g *guards) yield(c *client) {
	var files []*file
	g.mu.Lock()
	for id := range g.asked {
		if guarded := g.files[id]; guarded[0].n.c == c {
			files = append(files, guarded...)
			delete(g.asked, id)
		}
	}
	g.mu.Unlock()
	for _, f := range files {
		f.Undelegate()
	}
}

// lift takes the guards from what a call will use, and returns what putBack takes.
func (g *guards) lift(ids ...vino) (lifted []*file) {
	if g.n.Load() == 0 {
		return nil
	}
	g.mu.Lock()
	for _, id := range ids {
		lifted = append(lifted, g.files[id]...)
	}
	g.mu.Unlock()
	for _, f := range lifted {
		f.guarded(func(m *ll.Mount) { m.Undelegate(f.fh) })
	}
	return lifted
}

func (g *guards) putBack(lifted []*file) {
	for _, f := range lifted {
		f.guarded(func(m *ll.Mount) {
			if m.Delegate(f.fh, f.guard.held, f.guard.write) != nil {
				f.n.fs.recalls.ask(f.n.id)
			}
		})
	}
}

var _ fsal.Delegator = (*file)(nil)

// Delegate guards the file against writers.
func (f *file) Delegate(r *fsal.Req, write bool) error {
	if write {
		return syscall.EAGAIN
	}
	if f.n.id.snap != ll.Head {
		return nil // nobody writes a snapshot
	}
	k, in, fh, err := f.begin(r)
	if err != nil {
		return err
	}
	defer k.end()
	if f.witness.there(k.gen) {
		f.commit(k, in, fh)
	}
	// While it is open for writing nothing less is granted.
	write = f.flags&fsal.OpenWrite != 0
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.guard.held
	held := ll.NewGuard(f.n.fs.recalls.sink(), f.n.id.ino, f.n.id.snap)
	if old != nil && f.guard.gen == k.gen {
		k.m.Undelegate(fh)
	}
	err = k.m.Delegate(fh, held, write)
	if err == nil {
		f.guard = guard{held, k.gen, write}
		f.n.fs.guards.add(f)
	} else {
		held.Free()
		f.guard = guard{}
		f.n.fs.guards.drop(f)
	}
	old.Free()
	if err = k.judge(err); err != nil {
		return syscall.EAGAIN
	}
	return nil
}

// Undelegate ends it. What libcephfs tells of is freed when it cannot tell any more:
// after a mount's last call there is time until it is gone.
func (f *file) Undelegate() {
	c := f.n.c
	c.mu.RLock()
	defer c.mu.RUnlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	g, m := f.guard, c.m.Load()
	if g.held == nil {
		return
	}
	f.guard = guard{}
	f.n.fs.guards.drop(f)
	if g.gen == c.gen.Load() {
		if m == nil {
			f.n.fs.guards.leave(g.held)
			return
		}
		m.Undelegate(f.fh)
	}
	g.held.Free()
}

// guarded calls do with f's lock held if f has a guard in the present generation.
func (f *file) guarded(do func(*ll.Mount)) {
	c := f.n.c
	c.settle(c.gen.Load(), func(m *ll.Mount) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.guard.held != nil && f.guard.gen == c.gen.Load() {
			do(m)
		}
	})
}
