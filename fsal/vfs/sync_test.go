//go:build linux

package vfs

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
)

// TestSyncsAreShared checks who shares a sync, and its error.
func TestSyncsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s syncs
		begun, result := make(chan bool), make(chan error)
		run := func(whole bool) error {
			begun <- whole
			return <-result
		}
		answers := make(chan error, 10)
		ask := func(callers int, whole bool) {
			for range callers {
				go func() { answers <- s.do(s.mark(), whole, run) }()
			}
			synctest.Wait()
		}
		answered := func(callers int, want error) {
			t.Helper()
			synctest.Wait()
			if len(answers) != callers {
				t.Fatalf("%d callers were answered, want %d", len(answers), callers)
			}
			for range callers {
				if err := <-answers; err != want {
					t.Errorf("a caller was told %v, want %v", err, want)
				}
			}
		}
		next := func(whole bool) {
			t.Helper()
			select {
			case w := <-begun:
				if w != whole {
					t.Errorf("the sync is whole: %v", w)
				}
			default:
				t.Fatal("no sync begins")
			}
		}

		ask(1, false)
		next(false)
		ask(3, false) // too late for the one under way
		ask(1, true)
		answered(0, nil)
		result <- nil
		answered(1, nil)
		next(true)
		ask(2, false)
		result <- unix.EIO
		answered(4, unix.EIO)
		next(false)
		ask(1, false)
		result <- nil
		answered(2, unix.EIO) // what failed may have been theirs
		next(false)
		result <- nil
		answered(1, nil)
	})
}

// medium is a disk that forgets, and says so once.
type medium struct {
	mu    sync.Mutex
	dirty []int
	kept  map[int]bool
}

func (m *medium) write(i int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dirty = append(m.dirty, i)
}

func (m *medium) has(i int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept[i]
}

func (m *medium) sync(bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dirty := m.dirty
	m.dirty = nil
	m.mu.Unlock()
	runtime.Gosched()
	m.mu.Lock()
	if rand.IntN(4) == 0 {
		return unix.EIO
	}
	for _, i := range dirty {
		m.kept[i] = true
	}
	return nil
}

// TestSyncsKeep checks that nobody is told that what was forgotten is durable.
func TestSyncsKeep(t *testing.T) {
	const callers, writes = 16, 200
	m := medium{kept: map[int]bool{}}
	var s syncs
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			for i := c * writes; i < (c+1)*writes; i++ {
				mark := s.mark()
				m.write(i)
				if err := s.do(mark, i%2 == 0, m.sync); err == nil && !m.has(i) {
					t.Errorf("write %d is not kept", i)
				}
			}
		})
	}
	all.Wait()
	if n := len(m.kept); n == 0 || n == callers*writes {
		t.Errorf("%d of %d writes are kept", n, callers*writes)
	}
}

// TestFailingDisk commits what the disk does not take, by many callers at a time.
func TestFailingDisk(t *testing.T) {
	const committers = 16
	fs, _ := export(t, quirks{})
	r := callers(t, fs)["own"]
	f := &file{fs: fs, fd: smallDisk(t, 1<<20, 16<<20), flags: rw}
	defer f.Close()
	block := make([]byte, 4<<20) // more than there is room for
	for i := range block {
		block[i] = byte(i) | 1
	}
	if n, _, err := f.WriteAt(r, block, 0, fsal.Unstable); n != len(block) || err != nil {
		t.Fatal(n, err)
	}
	before := fs.WriteVerifier()
	var told [committers]error
	var verifiers [committers]uint64
	var all sync.WaitGroup
	for i := range committers {
		all.Go(func() {
			told[i] = f.Commit(r, 0, 0)
			verifiers[i] = fs.WriteVerifier()
		})
	}
	all.Wait()
	for i, err := range told {
		if err == nil && verifiers[i] == before {
			t.Errorf("caller %d was told that it is durable", i)
		}
	}
	if fs.WriteVerifier() == before {
		t.Error("no caller was told an error:", told)
	}
	if n, _, err := f.WriteAt(r, block, 8<<20, fsal.FileSync); n != 0 || err == nil {
		t.Errorf("a stable write to a full disk: %d, %v", n, err)
	}
	expectNil(t, f.Commit(r, 0, 0)) // the kernel tells once
}

// smallDisk opens a block device of so many bytes that has room for fewer.
func smallDisk(t *testing.T, room, size int64) int {
	dir, err := mountNowhere("tmpfs", map[string]uint64{"size": uint64(room)})
	if err != nil {
		t.Skip("no file systems may be mounted here:", err)
	}
	defer unix.Close(dir)
	back, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d/disk", dir), os.O_RDWR|os.O_CREATE, 0o600)
	expectNil(t, err)
	defer back.Close()
	expectNil(t, back.Truncate(size))
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no loop devices here:", err)
	}
	defer control.Close()
	config := unix.LoopConfig{Fd: uint32(back.Fd()), Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR}}
	for range 100 {
		i, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			t.Skip("no loop device is free:", err)
		}
		fd, err := unix.Open(fmt.Sprint("/dev/loop", i), unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Skip("loop devices cannot be opened:", err)
		}
		if err = unix.IoctlLoopConfigure(fd, &config); err == nil {
			return fd
		}
		unix.Close(fd)
		if err != unix.EBUSY { // somebody was quicker
			t.Skip("loop devices cannot be set up:", err)
		}
	}
	t.Skip("no loop device stays free")
	return -1
}
