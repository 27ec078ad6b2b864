// Package mem is a cluster.Pool in memory, shared by the nodes of a test.
package mem

import (
	"bytes"
	"context"
	"io/fs"
	"maps"
	"sync"

	"github.com/tidegate/tidegate/cluster"
)

// Pool is a namespace of objects. The zero Pool is empty.
type Pool struct {
	mu      sync.Mutex
	objects map[string]*object // Guarded by mu.
	watches map[*watch]string  // Guarded by mu.
}

type object struct {
	cluster.Object
}

type watch struct{ changed func() }

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
	return cluster.Object{Version: o.Version, Body: bytes.Clone(o.Body), Omap: maps.Clone(o.Omap)}, nil
}

// Apply implements cluster.Pool.
func (p *Pool) Apply(ctx context.Context, oid string, w cluster.Write) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.objects[oid]
	switch {
	case o == nil && w.Version != 0:
		return fs.ErrNotExist
	case o != nil && o.Version != w.Version:
		return cluster.ErrChanged
	case o == nil:
		o = &object{cluster.Object{Omap: make(map[string][]byte)}}
		if p.objects == nil {
			p.objects = make(map[string]*object)
		}
		p.objects[oid] = o
	}
	o.Version++
	if w.Body != nil {
		o.Body = bytes.Clone(w.Body)
	}
	for key, value := range w.Set {
		o.Omap[key] = bytes.Clone(value)
	}
	for _, key := range w.Drop {
		delete(o.Omap, key)
	}
	return nil
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
	return nil
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
