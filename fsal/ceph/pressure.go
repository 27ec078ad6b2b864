//go:build ceph

package ceph

import (
	"encoding/binary"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// demands is where libcephfs asks for something about an inode: a pipe, since the
// thread that asks must not wait for us, nor run Go.
type demands struct {
	in  *os.File
	out int
}

const demandSize = 16 // bytes

// demandsMost is more than an MDS asks for at once (mds_recall_max_caps), while hand
// waits for the lock of libcephfs.
const demandsMost = 1 << 16

// open makes the pipe. What does not fit is dropped, unless all must arrive; then
// whoever asks waits for hand, which waits for nobody.
func (d *demands) open(all bool) error {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return err
	}
	d.in, d.out = os.NewFile(uintptr(p[0]), "cephfs demands"), p[1]
	if all {
		return unix.SetNonblock(d.out, false)
	}
	// Where the kernel refuses so much, requests come again a second later.
	unix.FcntlInt(uintptr(d.out), unix.F_SETPIPE_SZ, demandsMost*demandSize)
	return nil
}

func (d *demands) sink() int { return d.out }

// ask puts in a demand of our own.
func (d *demands) ask(id vino) {
	var b [demandSize]byte
	binary.LittleEndian.PutUint64(b[:], id.ino)
	binary.LittleEndian.PutUint64(b[8:], id.snap)
	unix.Write(d.out, b[:])
}

// stop ends hand.
func (d *demands) stop() {
	if d.in != nil {
		d.in.Close()
	}
}

// close follows when no mount is left that might write.
func (d *demands) close() {
	if d.in != nil {
		unix.Close(d.out)
	}
}

// hand passes on what is asked for until stop.
func (d *demands) hand(each func(vino)) {
	buf := make([]byte, 256*demandSize)
	for {
		// A pipe takes so few bytes whole or not at all.
		n, err := io.ReadAtLeast(d.in, buf, demandSize)
		if err != nil {
			return
		}
		for b := buf[:n]; len(b) >= demandSize; b = b[demandSize:] {
			each(vino{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])})
		}
	}
}
