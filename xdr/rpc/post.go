package rpc

import (
	"cmp"
	"net"
	"syscall"

	"github.com/tidegate/tidegate/xdr"
)

// offer writes to a connection what its peer takes at once. Guarded by Conn.wmu.
type offer struct {
	raw   syscall.RawConn // nil: one that cannot be asked
	write func(fd uintptr) bool
	rec   []byte
	n     int
	err   error
}

func (o *offer) init(nc net.Conn) {
	if sc, ok := nc.(syscall.Conn); ok {
		o.raw, _ = sc.SyscallConn()
	}
	o.write = o.once
}

// once makes one attempt. It returns true: the peer is not waited for.
func (o *offer) once(fd uintptr) bool {
	for {
		o.n, o.err = syscall.Write(int(fd), o.rec)
		switch o.err {
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			o.err = nil
		}
		o.n = max(o.n, 0)
		return true
	}
}

// take returns what the peer did not take of rec.
func (o *offer) take(rec []byte) (rest []byte, err error) {
	if o.raw == nil {
		return rec, nil
	}
	o.rec, o.n, o.err = rec, 0, nil
	err = o.raw.Write(o.write)
	o.rec = nil
	return rec[o.n:], cmp.Or(err, o.err)
}

// post sends the record in out, which it releases, as send does, but waits neither
// for the peer nor for who writes: what is left to send then, another goroutine sends.
func (c *Conn) post(out *xdr.Encoder) error {
	defer func() { *out = xdr.Encoder{} }()
	if !c.wmu.TryLock() {
		go func(out xdr.Encoder) {
			defer out.Release()
			c.send(out.Bytes())
		}(*out)
		return nil
	}
	c.postponeLocked()
	rest, err := c.offer.take(out.Bytes())
	if err == nil && len(rest) > 0 {
		go func(out xdr.Encoder) {
			defer out.Release()
			defer c.wmu.Unlock()
			c.writeLocked(rest)
		}(*out)
		return nil
	}
	c.wmu.Unlock()
	out.Release()
	if err != nil {
		c.nc.Close()
	}
	return err
}
