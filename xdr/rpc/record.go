package rpc

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"

	"github.com/tidegate/tidegate/xdr"
)

const (
	lastFragment = 1 << 31
	markSize     = 4

	// maxFragments bounds the marks that are read for one record.
	maxFragments = 1024

	// readAhead takes a 4 KiB WRITE with all its headers in one read.
	readAhead = 4<<10 + 512
)

var (
	errRecordSize = errors.New("record above the limit")
	errFragments  = errors.New("record of too many fragments")
)

// records reads records from a byte stream (RFC 5531, 11).
type records struct {
	src   *bufio.Reader
	pool  *xdr.Pool
	limit int
}

// read returns the next record in a buffer of the pool. The buffer is a small
// multiple of what was received, whatever the fragments announce.
func (r *records) read() (rec []byte, err error) {
	rec = r.pool.Take(1)
	defer func() {
		if err != nil {
			r.pool.Give(rec)
			rec = nil
		}
	}()
	for range maxFragments {
		head, err := r.src.Peek(markSize)
		if err != nil {
			return rec, err
		}
		mark := binary.BigEndian.Uint32(head)
		r.src.Discard(markSize)
		n := mark &^ lastFragment
		if uint64(n) > uint64(r.limit-len(rec)) {
			return rec, errRecordSize
		}
		if rec, err = r.fill(rec, int(n)); err != nil || mark&lastFragment != 0 {
			return rec, err
		}
	}
	return rec, errFragments
}

// fill appends the next n bytes of the stream to rec.
func (r *records) fill(rec []byte, n int) ([]byte, error) {
	for n > 0 {
		if len(rec) == cap(rec) {
			rec = r.pool.Grow(rec, 1)
		}
		step := min(n, cap(rec)-len(rec))
		got, err := io.ReadFull(r.src, rec[len(rec):len(rec)+step])
		rec = rec[:len(rec)+got]
		if err != nil {
			return rec, err
		}
		n -= got
	}
	return rec, nil
}

// ready reports whether the next record, in one fragment, was read ahead, so
// that read will not wait.
func (r *records) ready() bool {
	n := r.src.Buffered()
	if n < markSize {
		return false
	}
	head, err := r.src.Peek(markSize)
	if err != nil {
		return false
	}
	mark := binary.BigEndian.Uint32(head)
	return mark&lastFragment != 0 && mark&^lastFragment <= uint32(n-markSize)
}
