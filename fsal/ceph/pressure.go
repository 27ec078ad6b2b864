//go:build ceph

package ceph

import (
	"encoding/binary"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// events is where libcephfs asks for references to be dropped: a pipe, since the
// thread that asks must not wait. What does not fit is asked for again.
type events struct {
	in  *os.File
	out int
}

func (e *events) open() error {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return err
	}
	e.in, e.out = os.NewFile(uintptr(p[0]), "cephfs events"), p[1]
	return nil
}

func (e *events) sink() int { return e.out }

// stop ends relieve.
func (e *events) stop() {
	if e.in != nil {
		e.in.Close()
	}
}

// close follows when no mount is left that might write.
func (e *events) close() {
	if e.in != nil {
		unix.Close(e.out)
	}
}

// relieve passes on what the MDS wants dropped.
func (fs *FS) relieve() {
	const size = 16
	buf := make([]byte, 256*size)
	for {
		// A pipe takes so few bytes whole or not at all.
		n, err := io.ReadAtLeast(fs.events.in, buf, size)
		if err != nil {
			return
		}
		for b := buf[:n]; len(b) >= size; b = b[size:] {
			id := vino{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])}
			fs.up.Release(fs.key(id))
		}
	}
}
