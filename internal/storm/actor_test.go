package storm

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// actor does one thing after another on behalf of a peer, as one open-owner.
type actor struct {
	*peer
	rng     *rand.Rand
	owner   string
	opens   []*open
	serial  int // of names and lock-owners
	private private
}

func newActor(p *peer, owner string, rng *rand.Rand) *actor {
	return &actor{peer: p, owner: owner, rng: rng}
}

// deeds are what an actor does, and how often.
var deeds = []struct {
	often int
	do    func(*actor) error
}{
	{22, (*actor).openSome},
	{6, (*actor).openDelegated},
	{10, (*actor).closeSome},
	{8, (*actor).downgrade},
	{16, (*actor).lock},
	{10, (*actor).unlock},
	{3, (*actor).testLock},
	{6, (*actor).transfer},
	{5, (*actor).setattr},
	{6, (*actor).getattr},
	{9, (*actor).createFleeting},
	{5, (*actor).remove},
	{3, (*actor).returnSome},
	{12, (*actor).inPrivate},
}

// run acts until the storm is over, and then gives all back.
func (a *actor) run() error {
	if err := a.makePrivate(); err != nil {
		return err
	}
	for {
		select {
		case <-a.over:
			return a.tidy()
		default:
		}
		if err := a.act(); err != nil {
			return err
		}
	}
}

func (a *actor) act() error {
	a.pause(upTo(a.rng, 4*time.Millisecond))
	if err := a.acknowledge(a.rng); err != nil {
		return err
	}
	sum := 0
	for _, d := range deeds {
		sum += d.often
	}
	n := a.rng.IntN(sum)
	for _, d := range deeds {
		if n -= d.often; n < 0 {
			return d.do(a)
		}
	}
	return nil
}

func (a *actor) tidy() error {
	for len(a.opens) > 0 {
		if err := a.close(a.opens[0]); err != nil {
			return err
		}
	}
	return a.checkPrivate()
}

// unexpected fails the test for a status that the model has no reason for.
func (a *actor) unexpected(f *file, x *answer) error {
	a.failf("%s: %s: %v (asked at %v, answered at %v)", a.owner, f.name, x.Err(), x.sent, x.came)
	return errStopped
}

// touch notes that a request on f begins.
func (a *actor) touch(f *file, what string) *touch {
	return f.touch(&touch{by: a.tenure, owner: a.owner, what: what, sent: a.now()})
}

// setattr changes a file's size by the anonymous stateid.
func (a *actor) setattr() error {
	f := a.pick(a.rng)
	fh := f.handle()
	if fh == nil {
		return nil
	}
	t := a.touch(f, "SETATTR")
	x, err := a.exchange(a.rng, wire.PutFHArgs{Object: fh},
		wire.SetattrArgs{ObjAttributes: client.SizeAttr(a.rng.Uint64N(1 << 16)).Encode()})
	if err != nil {
		return err
	}
	t.answered = x.came
	switch {
	case x.Status == wire.OK:
		t.changed = true
	case x.Status == wire.ErrDelay:
		a.count("changes put off for a recall")
	case x.Status == wire.ErrLocked:
		a.count("changes denied by a share reservation")
	case x.Status == wire.ErrStale && f.fleeting:
	default:
		return a.unexpected(f, x)
	}
	return nil
}

func (a *actor) getattr() error {
	f := a.pick(a.rng)
	fh := f.handle()
	if fh == nil {
		return nil
	}
	t := a.touch(f, "GETATTR")
	x, err := a.exchange(a.rng, wire.PutFHArgs{Object: fh}, wire.GetattrArgs{AttrRequest: wire.BitmapOf(wire.AttrSize)})
	if err != nil {
		return err
	}
	t.answered = x.came
	switch {
	case x.Status == wire.OK:
	case x.Status == wire.ErrDelay, x.Status == wire.ErrStale && f.fleeting:
		return nil
	default:
		return a.unexpected(f, x)
	}
	res, err := client.Body[wire.GetattrRes](x.Reply)
	if err != nil {
		return err
	}
	attrs, err := client.DecodeAttrs(res.ObjAttributes)
	if err != nil {
		return err
	}
	if attrs.Size >= told {
		a.count("attributes seen as a holder told them")
		if attrs.Size != toldSize(fh) {
			a.failf("%s: the size is %x, which the holder of another file told", f.name, attrs.Size)
		}
	}
	return nil
}

// createFleeting makes a file under a name that nobody used.
func (a *actor) createFleeting() error {
	a.serial++
	f := &file{name: fmt.Sprintf("%s-%d", a.owner, a.serial), fleeting: true}
	how := openHow{share: share{access: write}, create: true}
	if a.rng.IntN(2) == 0 {
		how.wants = wire.OpenShareAccessWantNoDeleg // which leaves it to others
	}
	o, err := a.open(f, how)
	if err != nil || o == nil {
		return err
	}
	a.publish(f)
	if len(a.opens) > maxOpens {
		return a.close(a.opens[0])
	}
	return nil
}

// remove removes a fleeting file, which nobody else does.
func (a *actor) remove() error {
	f := a.withdraw(a.rng)
	if f == nil {
		return nil
	}
	const tries = 40
	for range tries {
		t := a.touch(f, "REMOVE")
		x, err := a.exchange(a.rng, wire.PutFHArgs{Object: a.root}, wire.RemoveArgs{Target: []byte(f.name)})
		if err != nil {
			return err
		}
		t.answered = x.came
		switch x.Status {
		case wire.OK:
			t.changed = true
			a.count("files removed")
			return nil
		case wire.ErrDelay:
			a.count("changes put off for a recall")
			a.pause(20 * time.Millisecond)
		default:
			return a.unexpected(f, x)
		}
	}
	return nil
}

// returnSome returns a delegation unasked.
func (a *actor) returnSome() error {
	for _, d := range a.allDelegs() {
		if !d.stubborn {
			return a.giveBack(a.rng, d)
		}
	}
	return nil
}
