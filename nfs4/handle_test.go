package nfs4

import (
	"bytes"
	"testing"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

// handleOf is the file handle of an object of e.
func handleOf(e *export, key fsal.Key) wire.FH {
	out := xdr.NewEncoder(nil)
	appendFH(&out, e, &key)
	d := xdr.NewDecoder(out.Bytes())
	return d.Opaque(wire.FHSize)
}

// What is made is read again; whatever else comes is refused, and so is what is
// made with another key.
func FuzzHandle(f *testing.F) {
	ours, _ := newSeal(bytes.Repeat([]byte{1}, HandleKeySize))
	theirs, _ := newSeal(bytes.Repeat([]byte{2}, HandleKeySize))
	e := &export{Export: Export{ID: 7}, seal: ours}
	t := &tree{seal: ours, exports: map[uint32]*export{7: e}}
	f.Add([]byte("key"), []byte{handleFormat, 0, 0, 0, 7, 'k', 'e', 'y', 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(test *testing.T, raw, sent []byte) {
		made := map[string]bool{}
		if key, ok := fsal.MakeKey(raw); ok {
			fh := handleOf(e, key)
			made[string(fh)] = true
			if x, got, status := t.parseHandle(fh); x != e || got != key || status != wire.OK || len(fh) > wire.FHSize {
				test.Errorf("%x: %v", fh, status)
			}
			if _, _, status := t.parseHandle(handleOf(&export{Export: Export{ID: 8}, seal: ours}, key)); status != wire.ErrStale {
				test.Errorf("of an export that is not there: %v", status)
			}
			if _, _, status := t.parseHandle(handleOf(&export{Export: Export{ID: 7}, seal: theirs}, key)); status != wire.ErrBadHandle {
				test.Errorf("with another key: %v", status)
			}
		}
		if _, _, status := t.parseHandle(sent); status != wire.ErrBadHandle && !made[string(sent)] {
			test.Errorf("%x is taken: %v", sent, status)
		}
	})
}

func TestHandleAllocs(t *testing.T) {
	s, err := newSeal(nil)
	if err != nil {
		t.Fatal(err)
	}
	e := &export{Export: Export{ID: 7}, seal: s}
	tr := &tree{seal: s, exports: map[uint32]*export{7: e}}
	key, _ := fsal.MakeKey(make([]byte, fsal.MaxKey))
	fh := handleOf(e, key)
	out := xdr.NewEncoder(make([]byte, 0, 256))
	if n := testing.AllocsPerRun(100, func() { tr.parseHandle(fh); out.Truncate(0); appendFH(&out, e, &key) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkHandle(b *testing.B) {
	s, _ := newSeal(nil)
	e := &export{Export: Export{ID: 7}, seal: s}
	tr := &tree{seal: s, exports: map[uint32]*export{7: e}}
	key, _ := fsal.MakeKey(make([]byte, fsal.MaxKey))
	fh := handleOf(e, key)
	out := xdr.NewEncoder(make([]byte, 0, 256))
	b.Run("parse", func(b *testing.B) {
		for b.Loop() {
			tr.parseHandle(fh)
		}
	})
	b.Run("append", func(b *testing.B) {
		for b.Loop() {
			out.Truncate(0)
			appendFH(&out, e, &key)
		}
	})
}
