package suite

import (
	"time"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// flags returns the status flags that SEQUENCE answers.
func (s *Session) flags() uint32 {
	return Body[wire.SequenceRes](s.t, s.Expect(wire.OK)).StatusFlags
}

// outlasts fails the test unless what goes against a delegation is done when the
// delegation was out for a lease, while its holder renews its lease.
func (d *Delegation) outlasts(b *begun) {
	t := d.Holder.t
	start := time.Now()
	done := t.Until(2*t.Lease+callbackLimit, func() bool {
		d.Holder.Expect(wire.OK)
		return b.Ended() && (b.Wait().Status == wire.OK || b.s.Do(b.ops...).Status == wire.OK)
	})
	switch took := time.Since(start); {
	case !done:
		t.Fatalf("the delegation is out after %v, and stands against others", took)
	case took < t.Lease*3/4:
		t.Fatalf("the delegation is gone after %v, the lease is %v", took, t.Lease)
	}
}

// revoked fails the test unless the holder is told that its delegation is revoked,
// until it acknowledges that.
func (d *Delegation) revoked() {
	t, l := d.Holder.t, d.Holder
	if flags := l.flags(); flags&wire.Seq4StatusRecallableStateRevoked == 0 {
		t.Fatalf("the status flags are %#x", flags)
	}
	l.tests(wire.ErrDelegRevoked, d.ID)
	l.Expect(wire.ErrDelegRevoked, at(d.FH), wire.ReadArgs{Stateid: d.ID, Count: 1})
	l.Expect(wire.OK, wire.FreeStateidArgs{Stateid: d.ID})
	l.tests(wire.ErrBadStateid, d.ID)
	if flags := l.flags(); flags&wire.Seq4StatusRecallableStateRevoked != 0 {
		t.Fatalf("the status flags are %#x after FREE_STATEID", flags)
	}
}

func delegRevoked(t *T) {
	d := t.NewListener(ListenerConfig{}).Delegated(writeDeleg)
	b := t.Session().Begin(at(t.Dir()), t.Session().OpenArgs(d.Name, readShare, denyNone))
	d.Blocked(b)
	d.outlasts(b)
	d.revoked()
}

func delegPathDown(t *T) {
	const down = wire.Seq4StatusCbPathDown | wire.Seq4StatusCbPathDownSession
	l := t.NewListener(ListenerConfig{})
	d := l.Delegated(writeDeleg)
	fore := t.DialWith(client.Config{Cred: t.Target.Cred})
	_, err := l.Bind(t.Ctx, fore.Conn, wire.CDFCFore)
	t.Check("BIND_CONN_TO_SESSION", err)
	l.Conn.Close()
	<-l.Conn.Done()
	b := t.Session().Begin(at(t.Dir()), t.Session().OpenArgs(d.Name, readShare, denyNone))
	if !t.Until(callbackLimit, func() bool { return l.flags()&down != 0 }) {
		t.Fatalf("CB_PATH_DOWN is not set")
	}
	d.outlasts(b)
	d.revoked()
}

// Silence waits for longer than a lease, while the test's own client renews its own.
func (t *T) Silence() {
	for range 5 {
		t.Outwait(t.Lease / 4)
		t.Expect(wire.OK)
	}
}

func delegExpired(t *T) {
	d := t.NewListener(ListenerConfig{}).Delegated(writeDeleg)
	d.Holder.Conn.Close()
	t.Silence()
	granted := t.Until(t.Lease+callbackLimit, func() bool {
		return t.Do(at(t.Dir()), t.Session().OpenArgs(d.Name, readShare, denyNone)).Status == wire.OK
	})
	if !granted {
		t.Fatalf("the delegation of a client that is gone stands against others")
	}
}
