// Package mem is a cluster.Pool in memory, shared by the nodes of a test.
package mem

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/tidegate/tidegate/cluster"
)

// Pool is a namespace of objects. The zero Pool is empty.
type Pool struct {
	mu      sync.Mutex
	objects map[string]*cluster.Object // Guarded by mu.
	watches map[*watch]string          // Guarded by mu.
	version uint64                     // Guarded by mu. The highest yet.
	step    func()                     // Guarded by mu.
}

type watch struct{ changed func() }

// Step has f called after each change of an object, while nothing else goes on in
// the pool; nil ends it.
func (p *Pool) Step(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step = f
}

// Clone returns a pool with the same objects, which nobody watches. It may be
// called by what Step calls.
func (p *Pool) Clone() *Pool {
	c := &Pool{objects: make(map[string]*cluster.Object), version: p.version}
	for oid, o := range p.objects {
		o := clone(o)
		c.objects[oid] = &o
	}
	return c
}

// String lists what the objects hold, less their versions.
func (p *Pool) String() string {
	var b strings.Builder
	for _, oid := range slices.Sorted(maps.Keys(p.objects)) {
		o := p.objects[oid]
		fmt.Fprintf(&b, "%q %q %q %q\n", oid, o.Body, o.Omap, o.Attrs)
	}
	return b.String()
}

func clone(o *cluster.Object) cluster.Object {
	return cluster.Object{Version: o.Version, Body: bytes.Clone(o.Body), Omap: maps.Clone(o.Omap), Attrs: maps.Clone(o.Attrs)}
}

// Read implements cluster.Pool.
func (p *Pool) Read(ctx context.Context, oid string) (cluster.Object, error) {
	if err := ctx.Err(); err != nil {
		return cluster.Object{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.objects[oid]
	if o == nil {
		return cluster.Object{}, fs.ErrNotExist
	}
	read := clone(o)
	read.Body = read.Body[:min(len(read.Body), cluster.MaxBody)]
	return read, nil
}

// Apply implements cluster.Pool.
func (p *Pool) Apply(ctx context.Context, oid string, w cluster.Write) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.objects[oid]
	if o == nil && w.Version != 0 || o != nil && o.Version != w.Version {
		return 0, cluster.ErrChanged
	}
	if o == nil {
		o = &cluster.Object{Omap: make(map[string][]byte), Attrs: make(map[string][]byte)}
		if p.objects == nil {
			p.objects = make(map[string]*cluster.Object)
		}
		p.objects[oid] = o
	}
	p.version++
	change(o, p.version, w)
	p.steppedLocked()
	return o.Version, nil
}

func change(o *cluster.Object, version uint64, w cluster.Write) {
	o.Version = version
	if len(w.Body) > 0 {
		o.Body = bytes.Clone(w.Body)
	}
	for key, value := range w.Set {
		o.Omap[key] = bytes.Clone(value)
	}
	for _, key := range w.Drop {
		delete(o.Omap, key)
	}
	for name, value := range w.Attrs {
		if o.Attrs[name] = bytes.Clone(value); len(value) == 0 {
			delete(o.Attrs, name)
		}
	}
}

// Delete implements cluster.Pool.
func (p *Pool) Delete(ctx context.Context, oid string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.objects[oid] == nil {
		return fs.ErrNotExist
	}
	delete(p.objects, oid)
	p.steppedLocked()
	return nil
}

func (p *Pool) steppedLocked() {
	if p.step != nil {
		p.step()
	}
}

// Notify implements cluster.Pool.
func (p *Pool) Notify(ctx context.Context, oid string) error {
	p.mu.Lock()
	var told []*watch
	for w, of := range p.watches {
		if of == oid {
			told = append(told, w)
		}
	}
	p.mu.Unlock()
	for _, w := range told {
		w.changed()
	}
	return ctx.Err()
}

// Watch implements cluster.Pool.
func (p *Pool) Watch(_ context.Context, oid string, changed func()) (stop func(), err error) {
	w := &watch{changed}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.objects[oid] == nil {
		return nil, fs.ErrNotExist
	}
	if p.watches == nil {
		p.watches = make(map[*watch]string)
	}
	p.watches[w] = oid
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.watches, w)
	}, nil
}
