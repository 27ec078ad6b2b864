//go:build ceph

package ceph

import "testing"

// TestJournal checks the order in which changes are written: the oldest first, and
// those again that were under way.
func TestJournal(t *testing.T) {
	j := journal{wake: make(chan struct{}, 1)}
	a, b := vino{ino: 1}, vino{ino: 2}
	j.count(a, 1)
	j.count(b, 1)
	j.count(a, 1)
	j.count(a, -1)
	j.count(a, -1)
	next := func(want vino) {
		t.Helper()
		if id, ok := j.take(); !ok || id != want {
			t.Errorf("%v, %v instead of %v", id, ok, want)
		}
	}
	next(a)
	next(b)
	j.count(a, 1)
	next(b)
	j.count(b, -1)
	next(a)
	next(b)
	next(a)
	j.count(a, -1)
	next(a)
	if id, ok := j.take(); ok || j.left() != 0 {
		t.Errorf("%v is left", id)
	}
	for i := range uint64(journalMost + 10) {
		j.count(vino{ino: i + 1}, 1)
	}
	if n := j.left(); n != journalMost {
		t.Errorf("%d are kept, want %d", n, journalMost)
	}
	a = vino{ino: 1 << 40} // beside so many calls that do not end
	j.count(a, 1)
	j.count(a, -1)
	found := false
	for range j.left() {
		id, _ := j.take()
		found = found || id == a
	}
	if n := j.left(); !found || n != journalMost-1 {
		t.Errorf("what changed last was kept out, and %d are kept", n)
	}
}
