package suite

import (
	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// modifying is a client with a write delegation that says, when it is asked, that
// change and size are so much more than they were.
func (t *T) modifying(moreChange, moreSize uint64) (d *Delegation, before client.Attrs) {
	l := t.NewListener(ListenerConfig{Getattr: func() (change, size uint64) {
		return before.Change + moreChange, before.Size + moreSize
	}})
	d = l.Delegated(writeDeleg)
	attrs := l.Attrs(d.FH, wire.AttrChange, wire.AttrSize)
	l.mu.Lock()
	defer l.mu.Unlock()
	before = attrs
	return d, attrs
}

// toldOthers returns what another client is told of a file's change and size. It
// skips the test if the server recalls the delegation instead of asking.
func (d *Delegation) toldOthers() client.Attrs {
	t := d.Holder.t
	b := t.Session().Begin(at(d.FH), wire.GetattrArgs{AttrRequest: wire.BitmapOf(wire.AttrChange, wire.AttrSize)})
	t.Until(callbackLimit, func() bool { return d.Holder.Recalls() > 0 || b.Ended() })
	if d.Holder.Recalls() > 0 {
		d.Return()
		b.Finish()
		t.Skip("the server recalls the delegation instead of asking its holder")
	}
	reply := b.Wait()
	t.judge([]wire.Status{wire.OK}, 3, reply)
	attrs, err := client.DecodeAttrs(Body[wire.GetattrRes](t, reply).ObjAttributes)
	t.Check("GETATTR", err)
	if d.Holder.Getattrs() == 0 {
		t.Fatalf("change %d and size %d are told without CB_GETATTR or CB_RECALL", attrs.Change, attrs.Size)
	}
	return attrs
}

func delegGetattrModified(t *T) {
	d, before := t.modifying(1, 1000)
	if told := d.toldOthers(); told.Size != before.Size+1000 || told.Change <= before.Change {
		t.Fatalf("change %d and size %d are told, after %d and %d", told.Change, told.Size, before.Change, before.Size)
	}
}

func delegGetattrGrows(t *T) {
	d, last := t.modifying(1, 1000)
	for range 5 {
		told := d.toldOthers()
		if told.Change <= last.Change {
			t.Fatalf("change %d is told, after %d", told.Change, last.Change)
		}
		last = told
	}
}

func delegGetattrUnmodified(t *T) {
	d, before := t.modifying(0, 0)
	for range 2 {
		if told := d.toldOthers(); told.Size != before.Size || told.Change != before.Change {
			t.Fatalf("change %d and size %d are told, and are %d and %d", told.Change, told.Size, before.Change, before.Size)
		}
	}
}

func delegGetattrSize(t *T) {
	d, before := t.modifying(0, 1000)
	if told := d.toldOthers(); told.Size != before.Size+1000 || told.Change <= before.Change {
		t.Fatalf("change %d and size %d are told, after %d and %d", told.Change, told.Size, before.Change, before.Size)
	}
}

func delegGetattrOwn(t *T) {
	d, before := t.modifying(1, 1000)
	if a := d.Holder.Attrs(d.FH, wire.AttrChange, wire.AttrSize); a.Size != before.Size || a.Change != before.Change {
		t.Fatalf("change %d and size %d, expected %d and %d", a.Change, a.Size, before.Change, before.Size)
	}
	if n := d.Holder.Getattrs(); n != 0 {
		t.Fatalf("%d CB_GETATTRs", n)
	}
	d.quiet()
}

func delegGetattrRefused(t *T) {
	d := t.NewListener(ListenerConfig{}).Delegated(writeDeleg)
	b := t.Session().Begin(at(d.FH), wire.GetattrArgs{AttrRequest: wire.BitmapOf(wire.AttrChange, wire.AttrSize)})
	d.Blocked(b)
	d.Holder.Write(d.file(), 0, []byte("longer"))
	d.Return()
	a, err := client.DecodeAttrs(Body[wire.GetattrRes](t, b.Finish()).ObjAttributes)
	t.Check("GETATTR", err)
	if a.Size != 6 {
		t.Fatalf("size %d", a.Size)
	}
}
