package suite

import (
	"math"

	"github.com/tidegate/tidegate/nfs4/wire"
)

var adviseTests = []Test{
	{"ADVISE1", Minor2, "RFC 7862, 15.5.3", "each hint is OK, and answered with hints that exist", adviseEach},
	{"ADVISE2", Minor2, "RFC 7862, 15.5.3", "hints that contradict each other, or nobody knows, are OK", adviseMany},
	{"ADVISE3", Minor2, "RFC 7862, 11.2", "what is no regular file is refused", adviseWrongType},
	{"ADVISE4", Minor2, "RFC 7862, 15.5.3", "a stateid that was never given is BAD_STATEID", adviseStateid},
	{"ADVISE5", Minor2, "RFC 7862, 15.5.3", "any range is OK, one beyond the end among them", adviseRanges},
}

// Advise returns what hints the server takes, and skips the test where IO_ADVISE
// is not supported.
func (s *Session) Advise(f *File, offset, count uint64, hints wire.Bitmap) wire.Bitmap {
	return Body[wire.IOAdviseRes](s.t, s.Optional(on(f.FH,
		wire.IOAdviseArgs{Stateid: f.Stateid, Offset: offset, Count: count, Hints: hints})...)).Hints
}

// hints are those that exist.
func hints() (b wire.Bitmap) {
	for h := wire.IOAdviseNormal; h <= wire.IOAdviseInitProximity; h++ {
		b.Set(h)
	}
	return b
}

func adviseEach(t *T) {
	f := t.Session().Create(t.Dir(), "file")
	for h := range hints().All() {
		if got := t.Session().Advise(f, 0, 0, wire.BitmapOf(h)); !got.AndNot(hints()).IsZero() {
			t.Errorf("hint %d is answered with %x", uint32(h), got)
		}
	}
}

func adviseMany(t *T) {
	f := t.Session().Create(t.Dir(), "file")
	for _, h := range []wire.Bitmap{
		{}, hints(), wire.BitmapOf(wire.IOAdviseSequential, wire.IOAdviseRandom), wire.BitmapOf(11), wire.BitmapOf(wire.IOAdviseRead, 40, 70),
	} {
		if got := t.Session().Advise(f, 0, 4096, h); !got.AndNot(hints()).IsZero() {
			t.Errorf("hints %x are answered with %x", h, got)
		}
	}
}

func adviseWrongType(t *T) {
	f := t.Session().Create(t.Dir(), "probe")
	t.Session().Advise(f, 0, 0, wire.BitmapOf(wire.IOAdviseNormal))
	want := []wire.Status{wire.ErrIsDir, wire.ErrSymlink, wire.ErrWrongType, wire.ErrInval}
	for _, o := range t.Objects() {
		if o.typ != wire.TypeReg {
			t.ExpectAny(want, on(o.fh, wire.IOAdviseArgs{Hints: wire.BitmapOf(wire.IOAdviseNormal)})...)
		}
	}
}

func adviseStateid(t *T) {
	f := t.Session().Create(t.Dir(), "file")
	t.Session().Advise(f, 0, 0, wire.BitmapOf(wire.IOAdviseNormal))
	bad := f.Stateid
	bad.Other[11] ^= 0x40
	t.Expect(wire.ErrBadStateid, on(f.FH, wire.IOAdviseArgs{Stateid: bad, Hints: wire.BitmapOf(wire.IOAdviseNormal)})...)
}

func adviseRanges(t *T) {
	f := t.Session().Create(t.Dir(), "file")
	for _, r := range [][2]uint64{{0, 0}, {0, 1}, {1 << 40, 1 << 20}, {0, math.MaxInt64}, {1 << 62, 0}} {
		t.Session().Advise(f, r[0], r[1], wire.BitmapOf(wire.IOAdviseWillneed))
	}
}
