package suite

import (
	"bytes"
	"time"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// begun is a COMPOUND on its way.
type begun struct {
	s    *Session
	ops  []wire.Args
	done chan struct{} // closed when there is a reply or an error

	reply *client.Reply
	err   error
}

// Begin sends a COMPOUND, and does not wait for the reply.
func (s *Session) Begin(ops ...wire.Args) *begun {
	b := &begun{s: s, ops: ops, done: make(chan struct{})}
	go func() {
		defer close(b.done)
		b.reply, b.err = s.Session.Do(s.t.Ctx, ops...)
		s.t.sent(ops, b.reply, b.err)
	}()
	return b
}

// Ended reports whether the reply is there.
func (b *begun) Ended() bool {
	select {
	case <-b.done:
		return true
	default:
		return false
	}
}

// Wait returns the reply.
func (b *begun) Wait() *client.Reply {
	<-b.done
	b.s.t.Check("COMPOUND", b.err)
	return b.reply
}

// Finish sees to it that the COMPOUND is done: it is sent again after DELAY.
func (b *begun) Finish() *client.Reply {
	if reply := b.Wait(); reply.Status != wire.ErrDelay {
		b.s.t.judge([]wire.Status{wire.OK}, len(b.ops)+1, reply)
		return reply
	}
	return b.s.Expect(wire.OK, b.ops...)
}

// Blocked waits for CB_RECALL of a delegation, and fails the test unless another
// client's COMPOUND is held up by it, or told DELAY.
func (d *Delegation) Blocked(b *begun) wire.CbRecallArgs {
	t := d.Holder.t
	t.Until(callbackLimit, func() bool {
		return d.Holder.Recalls() > 0 || b.Ended() && b.err == nil && b.reply.Status != wire.ErrDelay
	})
	if d.Holder.Recalls() == 0 && b.Ended() {
		if reply := b.Wait(); reply.Status == wire.ErrNotSupp {
			t.Skip("%v is not supported", reply.Results[len(reply.Results)-1].Op)
		} else if reply.Status != wire.ErrDelay {
			t.Fatalf("COMPOUND is %v without a recall", reply.Status)
		}
	}
	recall := d.Holder.Recalled(1)
	if !bytes.Equal(recall.FH, d.FH) || recall.Stateid.Other != d.ID.Other {
		t.Fatalf("CB_RECALL is of %s, expected handle %x and stateid %x", show(recall), d.FH, d.ID.Other)
	}
	d.refused(b)
	return recall
}

// refused fails the test if what goes against a delegation was done.
func (d *Delegation) refused(b *begun) {
	t := d.Holder.t
	if !b.Ended() {
		return
	}
	if reply := b.Wait(); reply.Status != wire.ErrDelay {
		t.Fatalf("COMPOUND is %v while the delegation is out", reply.Status)
	}
	if reply := b.s.Do(b.ops...); reply.Status != wire.ErrDelay {
		t.Fatalf("COMPOUND is %v the second time, while the delegation is out", reply.Status)
	}
}

// A conflict returns what goes against a delegation.
type conflict func(t *T, other *Session, d *Delegation) []wire.Args

// recalled tests that another client's request recalls a delegation, waits until it
// is returned, and is done then.
func recalled(kind wire.DelegationType, ops conflict) func(*T) {
	return func(t *T) {
		d := t.NewListener(ListenerConfig{}).Delegated(kind)
		b := t.Session().Begin(ops(t, t.Session(), d)...)
		d.Blocked(b)
		d.Return()
		b.Finish()
	}
}

func delegOpen(access, deny uint32) conflict {
	return func(t *T, other *Session, d *Delegation) []wire.Args {
		d.Holder.Close(d.File)
		return []wire.Args{at(t.Dir()), other.OpenArgs(d.Name, access, deny)}
	}
}

func delegOpenFH(_ *T, other *Session, d *Delegation) []wire.Args {
	return []wire.Args{at(d.FH), other.OpenFHArgs(readShare, denyNone)}
}

func delegTruncate(t *T, other *Session, d *Delegation) []wire.Args {
	args := other.madeBy(d.Name, wire.CreateHow{CreateAttrs: client.SizeAttr(0).Encode()})
	args.ShareAccess = readShare | wire.OpenShareAccessWantNoDeleg
	return []wire.Args{at(t.Dir()), args}
}

func delegMode(_ *T, _ *Session, d *Delegation) []wire.Args {
	return []wire.Args{at(d.FH), wire.SetattrArgs{ObjAttributes: client.ModeAttr(0o640).Encode()}}
}

func delegSize(_ *T, _ *Session, d *Delegation) []wire.Args {
	return []wire.Args{at(d.FH), sizeArgs(anonymous, 2)}
}

func delegRemove(t *T, _ *Session, d *Delegation) []wire.Args {
	return []wire.Args{at(t.Dir()), wire.RemoveArgs{Target: []byte(d.Name)}}
}

func delegRename(t *T, _ *Session, d *Delegation) []wire.Args {
	return between(t.Dir(), t.Dir(), renameArgs(d.Name, "moved"))
}

func delegRenameOver(t *T, other *Session, d *Delegation) []wire.Args {
	other.Close(other.Create(t.Dir(), "another"))
	return between(t.Dir(), t.Dir(), renameArgs("another", d.Name))
}

func delegLink(t *T, _ *Session, d *Delegation) []wire.Args {
	return between(d.FH, t.Dir(), wire.LinkArgs{NewName: []byte("link")})
}

func delegAnonymousWrite(_ *T, _ *Session, d *Delegation) []wire.Args {
	return []wire.Args{at(d.FH), wire.WriteArgs{Data: []byte("x")}}
}

func delegAnonymousRead(_ *T, _ *Session, d *Delegation) []wire.Args {
	return []wire.Args{at(d.FH), wire.ReadArgs{Count: 1}}
}

func delegBypassWrite(_ *T, _ *Session, d *Delegation) []wire.Args {
	return []wire.Args{at(d.FH), wire.WriteArgs{Stateid: bypass, Data: []byte("x")}}
}

func delegAllocate(t *T, _ *Session, d *Delegation) []wire.Args {
	t.supportsAlloc(false)
	return []wire.Args{at(d.FH), wire.AllocateArgs{Length: 8}}
}

func delegDeallocate(t *T, _ *Session, d *Delegation) []wire.Args {
	t.supportsAlloc(true)
	return []wire.Args{at(d.FH), wire.DeallocateArgs{Length: 2}}
}

func delegCopy(t *T, other *Session, d *Delegation) []wire.Args {
	source := other.Create(t.Dir(), "source")
	other.Write(source, 0, []byte("copied"))
	return between(source.FH, d.FH, wire.CopyArgs{SrcStateid: source.Stateid, Count: 6, Consecutive: true, Synchronous: true})
}

func delegXattr(t *T, _ *Session, d *Delegation) []wire.Args {
	return []wire.Args{at(d.FH), wire.SetxattrArgs{Key: []byte("user.a"), Value: []byte("value")}}
}

// quiet fails the test if a delegation was recalled.
func (d *Delegation) quiet() {
	d.Holder.Read(d.file(), 0, 1)
	if n := d.Holder.Recalls(); n != 0 {
		d.Holder.t.Fatalf("%d recalls", n)
	}
}

func delegReadersStay(t *T) {
	d := t.NewListener(ListenerConfig{}).Delegated(readDeleg)
	s := t.Session()
	f := s.Open(t.Dir(), s.OpenArgs(d.Name, readShare, denyNone))
	s.Read(f, 0, 1)
	s.Read(&File{FH: d.FH}, 0, 1)
	s.Attrs(d.FH, wire.AttrSize, wire.AttrChange)
	s.Expect(wire.OK, at(t.Dir()), wire.LookupArgs{ObjName: []byte(d.Name)}, wire.AccessArgs{Access: wire.AccessRead})
	s.Expect(wire.OK, at(t.Dir()), wire.ReaddirArgs{DirCount: 4096, MaxCount: 4096, AttrRequest: wire.BitmapOf(wire.AttrSize)})
	s.Close(f)
	d.quiet()
}

func delegOwnRequests(t *T) {
	d := t.NewListener(ListenerConfig{}).Delegated(writeDeleg)
	l := d.Holder
	f := l.Open(t.Dir(), owned(l.OpenArgs(d.Name, bothShares, denyNone), "another"))
	l.Write(f, 0, []byte("x"))
	l.Write(&File{FH: d.FH}, 0, []byte("x"))
	l.Expect(wire.OK, at(d.FH), sizeArgs(anonymous, 3))
	l.setMode(d.FH, 0o640)
	l.Unlock(f, l.Lock(f, "locker", wire.WriteLT, span{0, 1}), span{0, 1})
	l.Attrs(d.FH, wire.AttrSize, wire.AttrChange)
	l.Expect(wire.OK, between(t.Dir(), t.Dir(), renameArgs(d.Name, "moved"))...)
	d.quiet()
}

func delegRecallArgs(t *T) {
	d := t.NewListener(ListenerConfig{}).Delegated(writeDeleg)
	b := t.Session().Begin(at(t.Dir()), t.Session().OpenArgs(d.Name, readShare, denyNone))
	recall := d.Blocked(b)
	if recall.Stateid.Seqid != 0 || recall.Truncate {
		t.Fatalf("CB_RECALL is %s", show(recall))
	}
	d.Return()
	b.Finish()
}

func delegSequence(t *T) {
	l := t.NewListener(ListenerConfig{})
	for range 5 {
		d := l.Delegated(writeDeleg)
		b := t.Session().Begin(at(d.FH), wire.ReadArgs{Count: 1})
		t.Until(callbackLimit, b.Ended)
		d.Return()
		b.Finish()
	}
	next := make(map[uint32]uint32)
	for i, seq := range l.Sequences() {
		switch slots := l.Info.BackChanAttrs.MaxRequests; {
		case seq.SessionID != l.ID:
			t.Fatalf("CB_SEQUENCE %d is of session %x, expected %x", i, seq.SessionID, l.ID)
		case seq.SlotID >= slots || seq.HighestSlotID < seq.SlotID || seq.HighestSlotID >= slots:
			t.Fatalf("CB_SEQUENCE %d is of slot %d, at most %d, and there are %d", i, seq.SlotID, seq.HighestSlotID, slots)
		case seq.SequenceID != next[seq.SlotID]+1:
			t.Fatalf("CB_SEQUENCE %d has sequence %d on slot %d, expected %d", i, seq.SequenceID, seq.SlotID, next[seq.SlotID]+1)
		}
		next[seq.SlotID]++
	}
}

func delegRecallAgain(t *T) {
	answers := []wire.Status{wire.ErrDelay, wire.ErrDelay, wire.OK}
	d := t.NewListener(ListenerConfig{Recall: func(n int) wire.Status { return answers[min(n, len(answers)-1)] }}).Delegated(writeDeleg)
	b := t.Session().Begin(at(t.Dir()), t.Session().OpenArgs(d.Name, readShare, denyNone))
	d.Blocked(b)
	d.Holder.Recalled(2)
	d.Return()
	b.Finish()
}

func delegRecallAll(t *T) {
	one, two := t.NewListener(ListenerConfig{}), t.NewListener(ListenerConfig{})
	two.Delegated(readDeleg).Return()
	d := one.Delegated(readDeleg)
	g := two.Open(t.Dir(), two.wanting(d.Name, readDeleg))
	if g.Res.Delegation.Type != readDeleg {
		t.Skip("the server grants one delegation of a file")
	}
	e := &Delegation{File: g, Holder: two, Name: d.Name, ID: g.Res.Delegation.Stateid}
	b := t.Session().Begin(at(d.FH), wire.WriteArgs{Data: []byte("x")})
	d.Blocked(b)
	e.Blocked(b)
	d.Return()
	e.refused(t.Session().Begin(b.ops...))
	e.Return()
	b.Finish()
}

func delegClaimRecalled(t *T) {
	d := t.NewListener(ListenerConfig{}).Delegated(writeDeleg)
	d.Holder.Close(d.File)
	b := t.Session().Begin(at(t.Dir()), t.Session().OpenArgs(d.Name, readShare, denyNone))
	d.Blocked(b)
	byFH, byName := d.claims(bothShares, d.ID)
	f := d.Holder.Open(d.FH, owned(byFH, "one"))
	g := d.Holder.Open(t.Dir(), owned(byName, "two"))
	d.Holder.Lock(f, "locker", wire.WriteLT, span{0, 2})
	d.Holder.Write(d.file(), 0, []byte("DATA"))
	d.Return()
	b.Finish()
	d.Holder.Write(f, 0, []byte("more"))
	d.Holder.Write(g, 0, []byte("more"))
	t.lockMap(d.FH, "WW..")
}

func delegReboot(t *T) {
	owner := t.NewOwner()
	d := t.NewListener(ListenerConfig{SessionConfig: SessionConfig{Owner: owner}}).Delegated(writeDeleg)
	b := t.Session().Begin(at(t.Dir()), t.Session().OpenArgs(d.Name, readShare, denyNone))
	d.Blocked(b)
	t.NewSession(SessionConfig{Owner: owner})
	b.Finish()
}

func delegRebound(t *T) {
	l := t.NewListener(ListenerConfig{})
	d := l.Delegated(writeDeleg)
	fore := t.DialWith(client.Config{Cred: t.Target.Cred})
	_, err := l.Bind(t.Ctx, fore.Conn, wire.CDFCFore)
	t.Check("BIND_CONN_TO_SESSION", err)
	l.Conn.Close()
	<-l.Conn.Done()
	b := t.Session().Begin(at(t.Dir()), t.Session().OpenArgs(d.Name, readShare, denyNone))
	t.Until(time.Second, b.Ended)
	d.refused(b)
	back := t.DialWith(client.Config{Cred: t.Target.Cred, Callbacks: l.callbacks()})
	_, err = l.Bind(t.Ctx, back.Conn, wire.CDFCBackOrBoth)
	t.Check("BIND_CONN_TO_SESSION", err)
	d.Blocked(b)
	d.Return()
	b.Finish()
}

func delegNotWhileRecalled(t *T) {
	d := t.NewListener(ListenerConfig{}).Delegated(readDeleg)
	b := t.Session().Begin(at(d.FH), wire.WriteArgs{Data: []byte("x")})
	d.Blocked(b)
	other := t.NewListener(ListenerConfig{})
	other.Delegated(readDeleg)
	f := other.Open(t.Dir(), other.wanting(d.Name, readDeleg))
	t.none(f.Res.Delegation)
	d.Return()
	b.Finish()
}

func delegManyRecalls(t *T) {
	const n = 20
	l := t.NewListener(ListenerConfig{})
	var all []*Delegation
	var waiting []*begun
	for range n {
		all = append(all, l.Delegated(writeDeleg))
	}
	for _, d := range all {
		waiting = append(waiting, t.Session().Begin(at(d.FH), wire.ReadArgs{Count: 1}))
	}
	l.Recalled(n)
	for i, d := range all {
		d.Return()
		waiting[i].Finish()
	}
	seen := make(map[[12]byte]bool)
	for i := range l.Recalls() {
		id := l.Recalled(i + 1).Stateid.Other
		if seen[id] {
			t.Fatalf("the delegation %x is recalled twice, though the client took the recall", id)
		}
		seen[id] = true
	}
}
