//go:build ceph

package rados

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"syscall"

	"github.com/ceph/go-ceph/rados"

	"github.com/tidegate/tidegate/cluster"
	"github.com/tidegate/tidegate/internal/cephconn"
)

var _ cluster.Pool = (*Pool)(nil)

// page is how many keys of an omap an OSD is asked for at a time. By default it
// gives no more than this.
const page = 1024

// none is what an attribute holds that is not there: no operation of go-ceph
// drops one, or sets it to nothing.
const none = "\x00"

// Pool is a namespace of a pool of Ceph.
type Pool struct {
	// mu is held over each operation and the question for its version, which
	// belongs to the context: to whatever was done there last.
	mu sync.Mutex
	io *rados.IOContext // Guarded by mu.

	bell  *rados.IOContext // for notifications, which have versions too
	bells sync.WaitGroup   // notifications under way, and watches
}

// Pool opens a pool: ENOENT if there is none.
func (c *Conn) Pool(name, namespace string) (*Pool, error) {
	io, err := c.conn.OpenIOContext(name)
	if err != nil {
		return nil, cephconn.Errno(err)
	}
	bell, err := c.conn.OpenIOContext(name)
	if err != nil {
		io.Destroy()
		return nil, cephconn.Errno(err)
	}
	io.SetNamespace(namespace)
	bell.SetNamespace(namespace)
	return &Pool{io: io, bell: bell}, nil
}

// Close waits for notifications under way. All watches have been stopped.
func (p *Pool) Close() {
	p.bells.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.io.Destroy()
	p.bell.Destroy()
}

// Read implements cluster.Pool. What does not fit into one operation is read by
// several, again if the object changes in between.
func (p *Pool) Read(ctx context.Context, oid string) (cluster.Object, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return cluster.Object{}, err
		}
		o, whole, err := p.readLocked(oid)
		if err != nil {
			return cluster.Object{}, failed(oid, err)
		}
		if whole {
			return o, nil
		}
	}
}

// readLocked reports whether what it read is of one version.
func (p *Pool) readLocked(oid string) (o cluster.Object, whole bool, err error) {
	o.Omap = make(map[string][]byte)
	for after, more := "", true; more; {
		first := after == ""
		after, more, err = p.pageLocked(oid, after, &o)
		if err != nil {
			return o, false, err
		}
		version, err := p.io.GetLastVersion()
		if err != nil {
			return o, false, err
		}
		if first {
			o.Version = version
		} else if o.Version != version {
			return o, false, nil
		}
	}
	o.Attrs, err = p.io.ListXattrs(oid)
	if err != nil {
		return o, false, err
	}
	maps.DeleteFunc(o.Attrs, func(_ string, value []byte) bool { return len(value) == 0 || string(value) == none })
	version, err := p.io.GetLastVersion()
	return o, version == o.Version, err
}

// pageLocked reads the body, and the omap after a key.
func (p *Pool) pageLocked(oid, after string, o *cluster.Object) (last string, more bool, err error) {
	op := rados.CreateReadOp()
	defer op.Release()
	body := make([]byte, cluster.MaxBody)
	read := op.Read(0, body)
	omap := op.GetOmapValues(after, "", page)
	if err := op.Operate(p.io, oid, rados.OperationNoFlag); err != nil {
		return "", false, operation(err)
	}
	o.Body = body[:read.BytesRead]
	for last = after; ; {
		kv, err := omap.Next()
		if err != nil {
			return "", false, err
		}
		if kv == nil {
			return last, omap.More(), nil
		}
		o.Omap[kv.Key] = kv.Value
		last = kv.Key
	}
}

// Apply implements cluster.Pool.
func (p *Pool) Apply(ctx context.Context, oid string, w cluster.Write) (uint64, error) {
	op := rados.CreateWriteOp()
	defer op.Release()
	if w.Version == 0 {
		op.Create(rados.CreateExclusive)
	} else {
		op.AssertVersion(w.Version)
	}
	if len(w.Body) > 0 {
		op.WriteFull(w.Body)
	}
	if len(w.Set) > 0 {
		op.SetOmap(w.Set)
	}
	if len(w.Drop) > 0 {
		op.RmOmapKeys(w.Drop)
	}
	for name, value := range w.Attrs {
		if len(value) == 0 {
			value = []byte(none)
		}
		op.SetXattr(name, value)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := op.Operate(p.io, oid, rados.OperationNoFlag); err != nil {
		switch err := operation(err); cephconn.Errno(err) {
		case syscall.ERANGE, syscall.EOVERFLOW, syscall.EEXIST:
			return 0, cluster.ErrChanged
		case syscall.ENOENT:
			if w.Version != 0 {
				return 0, cluster.ErrChanged
			}
			fallthrough
		default:
			return 0, failed(oid, err)
		}
	}
	version, err := p.io.GetLastVersion()
	if err != nil {
		return 0, failed(oid, err)
	}
	return version, nil
}

// Delete implements cluster.Pool.
func (p *Pool) Delete(ctx context.Context, oid string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := p.io.Delete(oid); err != nil {
		return failed(oid, err)
	}
	return nil
}

// operation is why a compound operation failed, rather than which part of it.
func operation(err error) error {
	if op, ok := err.(rados.OperationError); ok && op.OpError != nil {
		return op.OpError
	}
	return err
}

func failed(oid string, err error) error {
	err = cephconn.Errno(err)
	if errors.Is(err, syscall.ETIMEDOUT) {
		return fmt.Errorf("object %s: Ceph does not answer: see what 'ceph -s' says: %w", oid, err)
	}
	return fmt.Errorf("object %s: %w", oid, err)
}
