//go:build ceph

package ceph

import (
	"bytes"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/tidegate/tidegate/fsal"
)

// losses notes what an FS tells of itself.
type losses struct {
	deaf
	lost chan error
}

func (l losses) Lost(err error) { l.lost <- err }

// replacedWithin is how long an eviction may keep an export from going on.
const replacedWithin = 10 * time.Second

// eventually repeats f while it answers EAGAIN.
func eventually(t *testing.T, what string, f func() error) {
	t.Helper()
	for end := time.Now().Add(replacedWithin); ; {
		err := f()
		if err == nil {
			return
		}
		if !errors.Is(err, syscall.EAGAIN) || time.Now().After(end) {
			t.Fatalf("%s: %v", what, err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// TestEviction evicts the client while data are written: whatever Commit
// confirmed under a verifier that did not change since is there afterwards, seen
// by another client.
func TestEviction(t *testing.T) {
	for round := range 3 {
		t.Run(fmt.Sprint(round), evictOnce)
	}
}

func evictOnce(t *testing.T) {
	x := newRig(t, 1)
	fs := x.open()
	defer fs.Retire()
	up := losses{lost: make(chan error, 10)}
	fs.Watch(up)
	root := x.root(fs)
	defer root.Put()
	r := request(0)
	c, err := root.Create(r, "f", fsal.CreateSpec{
		Mode: fsal.CreateGuarded, Open: rw, Attr: fsal.SetAttr{Mask: fsal.SetMode, Mode: 0o644},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Node.Put()
	defer c.File.Close()
	if err := c.File.(fsal.Locker).Lock(r, fsal.WriteLock, 0, 10); err != nil {
		t.Fatal(err)
	}

	evicted := make(chan error, 1)
	confirmed := writeAcross(t, fs, c.File, func() {
		n, err := shared.Evict(x.cfg.Identity)
		if err == nil && n != 1 {
			err = fmt.Errorf("%d clients evicted", n)
		}
		evicted <- err
	})
	if err := <-evicted; err != nil {
		t.Fatal(err)
	}
	select {
	case <-up.lost:
	default:
		t.Error("the loss was not told")
	}
	eventually(t, "a client again", func() error {
		if clients, evictions := fs.Mounted(); clients != 1 || evictions != 1 {
			return fmt.Errorf("%d clients are mounted, after %d evictions: %w", clients, evictions, syscall.EAGAIN)
		}
		return nil
	})
	checkBlocks(t, x.cfg.Path+"/f", confirmed)
	other, err := c.Node.Open(r, rw)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.(fsal.Locker).Lock(r, fsal.WriteLock, 0, 10); err != nil {
		t.Error("a lock that was lost is still held: ", err)
	}
	t.Logf("%d blocks confirmed", confirmed)
}

// block is how much writeAcross writes at once.
const block = 64 << 10

// writeAcross writes and confirms blocks until a loss, which evict brings about, has
// been met and survived; it returns how many.
func writeAcross(t *testing.T, fs *FS, f fsal.File, evict func()) (confirmed int) {
	t.Helper()
	r := request(0)
	text := func(i int) []byte { return bytes.Repeat([]byte{byte(i), byte(i >> 8), 'x', 'y'}, block/4) }
	began, after := fs.WriteVerifier(), 0
	for i := 0; after < 5; i++ {
		if i == 20 {
			go evict()
		}
		for done := false; !done; {
			verifier := fs.WriteVerifier()
			eventually(t, "write", func() error {
				_, _, err := f.WriteAt(r, text(i), uint64(i)*block, fsal.Unstable)
				return err
			})
			err := f.Commit(r, 0, 0)
			if err != nil && !errors.Is(err, syscall.EAGAIN) {
				t.Fatal("commit: ", err)
			}
			done = err == nil && verifier == fs.WriteVerifier()
		}
		if confirmed = i + 1; fs.WriteVerifier() != began {
			after++
		}
		if i == 200_000 {
			t.Fatal("the eviction was not met")
		}
	}
	return confirmed
}

// checkBlocks has another client look for what writeAcross confirmed.
func checkBlocks(t *testing.T, path string, confirmed int) {
	t.Helper()
	out, err := shared.Python(fmt.Sprintf(`
fd = fs.open(%q, "r")
for i in range(%d):
    want = bytes([i & 255, i >> 8 & 255, 120, 121]) * %d
    if fs.read(fd, i * %d, %d) != want: print("block", i)
fs.close(fd)
`, path, confirmed, block/4, block, block))
	if err != nil || out != "" {
		t.Errorf("of %d blocks that were confirmed, these are not there: %s (%v)", confirmed, out, err)
	}
}

// TestEvictionIdle checks that a loss is seen though nobody calls.
func TestEvictionIdle(t *testing.T) {
	x := newRig(t, 2)
	fs := x.open()
	defer fs.Retire()
	up := losses{lost: make(chan error, 10)}
	fs.Watch(up)
	began := time.Now()
	if n, err := shared.Evict(x.cfg.Identity); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	for range 2 {
		select {
		case <-up.lost:
		case <-time.After(replacedWithin):
			t.Fatal("the loss was not seen")
		}
	}
	eventually(t, "root", func() error {
		n, err := fs.Root(request(0))
		if err == nil {
			n.Put()
		}
		return err
	})
	t.Logf("two clients were back %v after their eviction", time.Since(began).Round(time.Millisecond))
}

// TestTakeover checks that nobody waits for the session of a gateway that died.
func TestTakeover(t *testing.T) {
	x := newRig(t, 1)
	fs := x.open()
	root := x.root(fs)
	r := request(0)
	c, err := root.Create(r, "f", fsal.CreateSpec{
		Mode: fsal.CreateGuarded, Open: rw, Attr: fsal.SetAttr{Mask: fsal.SetMode, Mode: 0o644},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.File.WriteAt(r, []byte("held"), 0, fsal.FileSync); err != nil {
		t.Fatal(err)
	}
	fs.Close() // with the file open, as a process that dies leaves it
	began := time.Now()
	next := x.open()
	defer next.Retire()
	out, err := shared.Python(fmt.Sprintf(`
fd = fs.open(%q, "r+")
fs.write(fd, b"HELD", 0)
fs.fsync(fd, 0)
print(fs.read(fd, 0, 10).decode(), end="")
fs.close(fd)
`, x.cfg.Path+"/f"))
	if err != nil || out != "HELD" {
		t.Fatal(out, err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("another client waited %v", took)
	} else {
		t.Logf("another client wrote %v after the start of the successor", took.Round(time.Millisecond))
	}
}
