//go:build linux

package vfs

import (
	"sync"
	"testing"
	"time"
)

// intruder has another call made when an object is about to change, and remembers
// what did change.
type intruder struct {
	mu      sync.Mutex
	at      uint64 // the object, until it came up
	call    func()
	done    chan struct{} // closed when the call is over
	changed map[uint64]bool
}

func (w *intruder) Changing(ino uint64) {
	w.mu.Lock()
	due := ino == w.at
	if due {
		w.at = ^uint64(0)
	}
	w.mu.Unlock()
	if !due {
		return
	}
	go func() { w.call(); close(w.done) }()
	select {
	case <-w.done:
	case <-time.After(100 * time.Millisecond): // it has to wait
	}
}

func (w *intruder) Changed(ino uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changed[ino] = true
}

// TestUnlinkBesideRename renames over a name that is just being removed: what is
// removed is what was told to be.
func TestUnlinkBesideRename(t *testing.T) {
	fs, _ := export(t, quirks{})
	r := callers(t, fs)["own"]
	a, b := newFile(t, fs, r, "a", 0).Attr.Ino, newFile(t, fs, r, "b", 0).Attr.Ino
	w := &intruder{at: a, done: make(chan struct{}), changed: map[uint64]bool{}}
	w.call = func() {
		if _, _, err := fs.top.Rename(r, "b", fs.top, "a"); err != nil {
			t.Error(err)
		}
	}
	fs.Tell(w)
	_, err := fs.top.Unlink(r, "a")
	expectNil(t, err)
	<-w.done
	n, err := fs.top.Lookup(r, "a")
	expectNil(t, err)
	defer n.Put()
	at, err := n.Getattr(r)
	expectNil(t, err)
	if at.Ino != b || !w.changed[a] || !w.changed[b] {
		t.Errorf("a is %d, and changed are %v; a was %d, b %d", at.Ino, w.changed, a, b)
	}
}
