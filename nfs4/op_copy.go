package nfs4

import (
	"encoding/binary"
	"errors"
	"math"
	"syscall"
	"time"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// What one COPY does at most, so that it holds no worker for long: the client
// sends another for the rest (RFC 7862, 15.2.3).
const (
	copyBytes  = 64 << 20
	copyTime   = 500 * time.Millisecond
	copyPiece  = 8 << 20 // between looks at the clock
	copyBuffer = 1 << 20 // where data pass through the server
)

// roomCopy is the room of a result without a callback id.
const roomCopy = 4 + 8 + 4 + roomVerifier + 8

// copy is synchronous and in order always, so any requirements are met.
func (c *compound) copy(a wire.CopyArgs) wire.Status {
	if len(a.SourceServer) > 0 {
		return wire.ErrOffloadDenied // the client copies by itself: RFC 7862, 11.1.2.1
	}
	src, dst, status := c.openBoth(a.SrcStateid, a.DstStateid)
	if status != wire.OK {
		return status
	}
	defer src.put()
	defer dst.put()
	n, status := c.copyable(&a)
	if status != wire.OK {
		return status
	}
	c.as(c.cur.grant)
	// Taken before the first byte, as in write.
	verifier := c.cur.export.FS.WriteVerifier()
	done, err := c.transfer(dst.File, src.File, &a, n)
	if err != nil && done == 0 {
		return c.statusOf(err)
	}
	res := wire.CopyRes{Requirements: wire.CopyRequirements{Consecutive: true, Synchronous: true}}
	res.Response.Count, res.Response.Committed = done, wire.Unstable
	binary.BigEndian.PutUint64(res.Response.WriteVerf[:], verifier)
	res.Encode(c.out)
	return wire.OK
}

// openBoth opens the saved file for reading and the current one for writing.
func (c *compound) openBoth(srcID, dstID wire.Stateid) (src, dst file, status wire.Status) {
	src, status = c.openRegular(&c.saved, srcID, state.ShareRead)
	if status != wire.OK {
		return src, dst, status
	}
	dst, status = c.openRegular(&c.cur, dstID, state.ShareWrite)
	if status != wire.OK {
		src.put()
	}
	return src, dst, status
}

// copyable returns how many bytes COPY is about, with count 0 all there are (RFC
// 7862, 15.2.3).
func (c *compound) copyable(a *wire.CopyArgs) (n uint64, status wire.Status) {
	if c.saved.fileKey() == c.cur.fileKey() {
		return 0, wire.ErrInval
	}
	size, status := c.sizeAt(&c.saved)
	if status != wire.OK {
		return 0, status
	}
	if a.SrcOffset > size || a.Count > size-a.SrcOffset {
		return 0, wire.ErrInval
	}
	if n = a.Count; n == 0 {
		n = size - a.SrcOffset
	}
	if a.DstOffset > math.MaxInt64 || n > math.MaxInt64-a.DstOffset {
		return 0, wire.ErrFBig
	}
	return n, wire.OK
}

// transfer copies n bytes, or as many as one COPY does; with an error, those
// before it.
func (c *compound) transfer(dst, src fsal.File, a *wire.CopyArgs, n uint64) (done uint64, err error) {
	copier, ok := dst.(fsal.Copier)
	direct := ok && c.saved.export == c.cur.export
	n = min(n, copyBytes)
	for start := time.Now(); done < n && time.Since(start) < copyTime; {
		var piece uint64
		srcOff, dstOff, most := a.SrcOffset+done, a.DstOffset+done, min(n-done, copyPiece)
		if direct {
			piece, err = copier.CopyFrom(&c.req, src, srcOff, dstOff, most)
			direct = !errors.Is(err, syscall.EXDEV) && !errors.Is(err, syscall.EOPNOTSUPP)
		}
		if !direct {
			piece, err = c.pass(dst, src, srcOff, dstOff, most)
		}
		done += piece
		if err != nil || piece == 0 {
			break
		}
	}
	return done, err
}

// pass copies up to n bytes through the server. The buffer is the room behind
// the reply.
func (c *compound) pass(dst, src fsal.File, srcOff, dstOff, n uint64) (done uint64, err error) {
	defer c.out.Truncate(c.out.Len())
	buf := c.out.Grow(int(min(n, copyBuffer)))
	got, _, err := src.ReadAt(&c.req, buf, srcOff)
	for err == nil && done < uint64(got) {
		var wrote int
		wrote, _, err = dst.WriteAt(&c.req, buf[done:got], dstOff+done, fsal.Unstable)
		done += uint64(wrote)
		if wrote == 0 {
			break
		}
	}
	return done, err
}

// clone shares the range at once and whole or not at all. The result has no
// verifier, so the change is durable.
func (c *compound) clone(a wire.CloneArgs) wire.Status {
	src, dst, status := c.openBoth(a.SrcStateid, a.DstStateid)
	if status != wire.OK {
		return status
	}
	defer src.put()
	defer dst.put()
	cloner, ok := dst.File.(fsal.Cloner)
	switch {
	case !ok:
		return wire.ErrNotSupp
	case c.saved.export != c.cur.export:
		return wire.ErrXDev
	}
	if err := cloner.CloneFrom(&c.req, src.File, a.SrcOffset, a.DstOffset, a.Count); err != nil {
		return c.statusOf(err)
	}
	return c.statusOf(dst.Commit(&c.req, a.DstOffset, a.Count))
}
