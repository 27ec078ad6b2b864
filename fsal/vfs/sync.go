//go:build linux

package vfs

import (
	"sync"

	"golang.org/x/sys/unix"
)

// syncs are the syncs of one open file. The kernel tells an open file of a write
// that failed once, in the sync that comes first, and does not say whose write it
// was. So one sync is under way at a time, those who ask meanwhile share the next,
// and the error of one goes to all whose writes it may have met.
type syncs struct {
	mu     sync.Mutex
	done   sync.Cond // one more ended; with mu
	begun  uint64    // how many; guarded by mu
	ended  uint64    // how many of these; guarded by mu
	failed uint64    // the last of these that failed, from 1; guarded by mu
	err    error     // its error; guarded by mu
	whole  bool      // the next shall keep more than data; guarded by mu
}

// mark returns how many syncs are over.
func (s *syncs) mark() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// do returns when a sync that began after the call is over, with an error if any
// failed that was not over at the mark. A mark from before a write is needed to
// hear of all that this write may have failed in.
func (s *syncs) do(mark uint64, whole bool, flush func(whole bool) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done.L = &s.mu
	s.whole = s.whole || whole
	own := s.begun + 1
	for s.ended < own {
		if s.ended < s.begun {
			s.done.Wait()
		} else {
			s.run(flush)
		}
	}
	if s.failed > mark {
		return s.err
	}
	return nil
}

// run is called with mu, and gives it up for the time of the sync.
func (s *syncs) run(flush func(whole bool) error) {
	whole := s.whole
	s.whole = false
	s.begun++
	s.mu.Unlock()
	err := flush(whole)
	s.mu.Lock()
	s.ended++
	if err != nil {
		s.failed, s.err = s.ended, err
	}
	s.done.Broadcast()
}

// sync keeps the data, and what is needed to read them, or the whole file.
func (f *file) sync(whole bool) error {
	call := uintptr(unix.SYS_FDATASYNC)
	if whole {
		call = unix.SYS_FSYNC
	}
	err := mapped(retry(func() error { return waitFor(call, f.fd) }))
	if err != nil {
		f.fs.lost()
	}
	return err
}

// lost changes the write verifier. The kernel reports a failed write once, and
// then holds the data for written; clients have to send them again.
func (fs *FS) lost() { fs.verifier.Add(1) }
