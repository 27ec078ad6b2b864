package state

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidegate/tidegate/fsal"
)

// wishing is an OPEN that would like a delegation.
func (e *env) wishing(owner string, file byte, access Share, wish Wish) OpenRequest {
	x := e.request(owner, file, access, 0)
	x.Wish = wish
	x.Change = func() (uint64, bool) { return 77, true }
	return x
}

// delegate is an OPEN of file 1, which is granted a delegation.
func (e *env) delegate(c *Client, access Share, wish Wish) Opened {
	e.Helper()
	r, err := c.Open(ctx, e.wishing("o", 1, access, wish))
	if err != nil || r.Delegation == nil {
		e.Fatalf("OPEN by %s: %v, delegation %v", c.Owner, err, r.Delegation)
	}
	return r
}

func (e *env) giveBack(c *Client, d *Delegation) {
	e.Helper()
	k := d.Key
	e.must("DELEGRETURN", c.ReturnDelegation(d.Stateid(), &k))
}

// withPhone is an env whose clients answer recalls with answer.
func withPhone(t *testing.T, answer func(*Delegation), change ...func(*Config)) (*env, *phone) {
	p := &phone{answer: answer}
	return newEnv(t, append(change, func(cfg *Config) { cfg.Callbacks = p })...), p
}

// obey returns a delegation at once.
func obey(d *Delegation) {
	k := d.Key
	d.Client.ReturnDelegation(d.Stateid(), &k)
}

// gone reports whether a delegation has come back, or was revoked.
func (d *Delegation) gone() bool {
	select {
	case <-d.Done():
		return true
	default:
		return false
	}
}

// A delegation is granted where nobody else's use goes against it, and only to
// who would like one.
func TestDelegationGranted(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(e *env, me, other *Client)
		access Share
		wish   Wish
		want   bool
	}{
		{"no wish", nil, ShareRead, WishNone, false},
		{"read, alone", nil, ShareRead, WishRead, true},
		{"write, alone", nil, both, WishWrite, true},
		{"read, others read", func(e *env, _, other *Client) { e.open(other, "o", 1, ShareRead, 0) }, ShareRead, WishRead, true},
		{"write, others read", func(e *env, _, other *Client) { e.open(other, "o", 1, ShareRead, 0) }, both, WishWrite, false},
		{"read, others write", func(e *env, _, other *Client) { e.open(other, "o", 1, ShareWrite, 0) }, ShareRead, WishRead, false},
		{"write, others write", func(e *env, _, other *Client) { e.open(other, "o", 1, ShareWrite, 0) }, both, WishWrite, false},
		{"write, others read another file", func(e *env, _, other *Client) { e.open(other, "o", 2, ShareRead, 0) }, both, WishWrite, true},
		{"write, others did read", func(e *env, _, other *Client) { e.close(other, e.open(other, "o", 1, both, 0), 1) }, both, WishWrite, true},
		{"read, I write", func(e *env, me, _ *Client) { e.open(me, "p", 1, ShareWrite, 0) }, ShareRead, WishRead, true},
		{"write, I read", func(e *env, me, _ *Client) { e.open(me, "p", 1, ShareRead, 0) }, both, WishWrite, true},
		{"read, others have one", func(e *env, _, other *Client) { e.delegate(other, ShareRead, WishRead) }, ShareRead, WishRead, true},
		{"write, others have one", func(e *env, _, other *Client) {
			e.close(other, e.delegate(other, ShareRead, WishRead).Stateid, 1)
		}, ShareRead, WishWrite, false},
		{"read, I have one", func(e *env, me, _ *Client) { e.delegate(me, ShareRead, WishRead) }, ShareRead, WishRead, false},
		{"write, I have one to read", func(e *env, me, _ *Client) { e.delegate(me, ShareRead, WishRead) }, both, WishWrite, false},
		{"read, I have one to write", func(e *env, me, _ *Client) { e.delegate(me, both, WishWrite) }, ShareRead, WishRead, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, p := withPhone(t, nil)
			me, other := e.client("me"), e.client("other")
			if tt.before != nil {
				tt.before(e, me, other)
			}
			held := e.Delegations()
			x := e.wishing("o", 1, tt.access, tt.wish)
			x.Origin = Origin{Slot: 3, Sequence: 9}
			r, err := me.Open(ctx, x)
			e.must("OPEN", err)
			p.recalls(t)
			d := r.Delegation
			if (d != nil) != tt.want {
				t.Fatalf("delegation %v, want one: %v", d, tt.want)
			}
			if d == nil {
				if n := e.Delegations(); n != held {
					t.Errorf("%d delegations, were %d", n, held)
				}
				return
			}
			if d.Write != (tt.wish == WishWrite) || d.Client != me || d.Key != key(1) || d.Origin != x.Origin ||
				d.Stateid().Seqid != 1 || d.Stateid().Other == r.Stateid.Other || d.Write && d.Change != 77 {
				t.Errorf("%+v", d)
			}
			e.must("TEST_STATEID", me.TestStateid(d.Stateid()))
			e.must("reading under it", e.use(me, d.Stateid(), 1, ShareRead))
			want := error(OpenMode)
			if d.Write {
				want = nil
			}
			e.want("writing under it", e.use(me, d.Stateid(), 1, ShareWrite), want)
		})
	}
}

// Under a write delegation the client reads and writes, whatever it has opened;
// and the file stays open for it when that is closed.
func TestDelegationOpensFile(t *testing.T) {
	for _, access := range []Share{ShareRead, ShareWrite, both} {
		for wish := WishRead; wish <= WishWrite; wish++ {
			e := newEnv(t)
			c := e.client("a")
			r := e.delegate(c, access, wish)
			e.close(c, r.Stateid, 1)
			d := r.Delegation
			want := ShareRead
			if wish == WishWrite {
				want = both
			}
			e.must(fmt.Sprintf("open for %d, wish %d", access, wish), e.use(c, d.Stateid(), 1, want))
			e.checkDisk(1)
			e.giveBack(c, d)
			e.want("I/O afterwards", e.use(c, d.Stateid(), 1, ShareRead), BadStateid)
			e.checkEmpty()
		}
	}
}

// What cannot be granted is left, and the OPEN stands.
func TestDelegationFails(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*OpenRequest)
	}{
		{"no change attribute", func(x *OpenRequest) { x.Change = func() (uint64, bool) { return 0, false } }},
		{"the file does not open", func(x *OpenRequest) {
			open := x.Open
			x.Open = func(access Share) (fsal.File, error) {
				if access == both {
					return nil, errDisk
				}
				return open(access)
			}
		}},
	} {
		e := newEnv(t)
		c := e.client("a")
		x := e.wishing("o", 1, ShareWrite, WishWrite)
		tt.change(&x)
		r, err := c.Open(ctx, x)
		e.must(tt.name, err)
		if r.Delegation != nil || e.Delegations() != 0 {
			t.Errorf("%s: %+v, %d held", tt.name, r.Delegation, e.Delegations())
		}
		e.open(e.client("b"), "o", 1, both, 0)
		e.close(c, r.Stateid, 1)
		e.checkDisk(1)
	}
}

func TestDelegationStateids(t *testing.T) {
	e := newEnv(t)
	a, b := e.client("a"), e.client("b")
	r := e.delegate(a, both, WishWrite)
	id := r.Delegation.Stateid()
	k, other := key(1), key(2)
	for _, tt := range []struct {
		name string
		c    *Client
		id   Stateid
		key  *FileKey
		want error
	}{
		{"newer", a, Stateid{2, id.Other}, &k, BadStateid},
		{"an open's", a, r.Stateid, &k, BadStateid},
		{"another client's", b, id, &k, BadStateid},
		{"another file", a, id, &other, BadStateid},
		{"anonymous", a, Anonymous, &k, BadStateid},
	} {
		e.want("DELEGRETURN: "+tt.name, tt.c.ReturnDelegation(tt.id, tt.key), tt.want)
		_, err := tt.c.Delegated(tt.id, tt.key)
		e.want("a claim: "+tt.name, err, tt.want)
	}
	d, err := a.Delegated(id, &k)
	if d != r.Delegation || err != nil {
		t.Errorf("a claim: %v, %v", d, err)
	}
	_, err = a.Close(id, &k)
	e.want("CLOSE", err, BadStateid)
	e.refused("LOCK", a, e.locking(id, "l", true, 0, 9), BadStateid)
	e.want("FREE_STATEID", a.FreeStateid(ctx, id), LocksHeld)
	e.want("DESTROY_CLIENTID", e.DestroyClientID(ctx, a.ID), ClientIDBusy)
	if d := e.WriteDelegation(k, b); d != r.Delegation {
		t.Errorf("the write delegation is %v", d)
	}
	if e.WriteDelegation(k, a) != nil || e.WriteDelegation(other, b) != nil {
		t.Error("a write delegation of nobody")
	}
	e.must("DELEGRETURN with seqid 0", a.ReturnDelegation(Stateid{0, id.Other}, &k))
	e.want("DELEGRETURN again", a.ReturnDelegation(id, &k), BadStateid)
	e.close(a, r.Stateid, 1)
	e.checkEmpty()
}

// uses are the ways to use a file, and whether each goes against another's delegation
// to read it, or to write it.
var uses = []struct {
	name        string
	by          func(*env, *Client) error
	read, write bool
}{
	{"OPEN to read", opensIt(ShareRead, 0), false, true},
	{"OPEN to write", opensIt(ShareWrite, 0), true, true},
	{"OPEN that denies", opensIt(ShareRead, ShareWrite), true, true},
	{"OPEN that truncates", func(e *env, c *Client) error {
		x := e.request("o", 1, ShareRead, 0)
		x.Truncates = true
		_, err := c.Open(ctx, x)
		return err
	}, true, true},
	{"READ without an open", func(_ *env, c *Client) error { return c.Special(ctx, key(1), ShareRead) }, false, true},
	{"READ past denials", func(_ *env, c *Client) error { return c.Special(ctx, key(1), 0) }, false, true},
	{"WRITE without an open", func(_ *env, c *Client) error { return c.Special(ctx, key(1), ShareWrite) }, true, true},
	{"SETATTR", func(e *env, c *Client) error { return e.Recall(ctx, key(1), c, true) }, true, true},
	{"GETATTR", func(e *env, c *Client) error { return e.Recall(ctx, key(1), c, false) }, false, true},
}

func opensIt(access, deny Share) func(*env, *Client) error {
	return func(e *env, c *Client) error {
		_, err := e.tryOpen(c, "o", 1, access, deny)
		return err
	}
}

// Who goes against a delegation is told to wait while it is asked for, once.
func TestRecall(t *testing.T) {
	for _, tt := range uses {
		for wish := WishRead; wish <= WishWrite; wish++ {
			t.Run(fmt.Sprint(tt.name, wish), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					e, p := withPhone(t, nil)
					a, b := e.client("a"), e.client("b")
					r := e.delegate(a, ShareRead, wish)
					d := r.Delegation
					e.must("the holder's own", tt.by(e, a))
					e.close(a, Stateid{0, r.Stateid.Other}, 1)
					p.recalls(t)
					if !(wish == WishRead && tt.read || wish == WishWrite && tt.write) {
						e.must("another's", tt.by(e, b))
						p.recalls(t)
						return
					}
					began := time.Now()
					e.want("another's", tt.by(e, b), Delay)
					if took := time.Since(began); took != recallGrace {
						t.Errorf("waited for %v", took)
					}
					p.recalls(t, d)
					e.want("another's, again", tt.by(e, b), Delay)
					p.recalls(t)
					e.must("the holder meanwhile", e.use(a, d.Stateid(), 1, ShareRead))
					e.giveBack(a, d)
					if !d.gone() {
						t.Error("not done")
					}
					e.must("another's, at last", tt.by(e, b))
				})
			})
		}
	}
}

// A delegation that comes back soon costs no second request.
func TestRecallIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, p := withPhone(t, func(d *Delegation) {
			time.Sleep(recallGrace - 1)
			obey(d)
		})
		a, b, c := e.client("a"), e.client("b"), e.client("c")
		one, two := e.delegate(a, ShareRead, WishRead), e.delegate(b, ShareRead, WishRead)
		e.open(c, "o", 1, both, 0)
		p.recalls(t, one.Delegation, two.Delegation)
		if n := e.Delegations(); n != 0 {
			t.Errorf("%d delegations are left", n)
		}
	})
}

// A client that writes keeps its own delegation, and others lose theirs.
func TestRecallSparesTheAsker(t *testing.T) {
	e, p := withPhone(t, obey)
	a, b := e.client("a"), e.client("b")
	mine, theirs := e.delegate(a, ShareRead, WishRead), e.delegate(b, ShareRead, WishRead)
	e.open(a, "p", 1, both, 0)
	p.recalls(t, theirs.Delegation)
	e.must("the asker's", a.TestStateid(mine.Delegation.Stateid()))
	e.must("OPEN by its holder", func() error { _, err := e.tryOpen(a, "q", 1, both, 0); return err }())
}

// A file over which clients fell out is left alone for a while; one that came
// back by itself is not.
func TestContention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _ := withPhone(t, obey)
		ss := e.session(incarnation("a", 1))
		a, b := ss.Client, e.client("b")
		time.Sleep(time.Second)
		for range 2 {
			r := e.delegate(a, both, WishWrite)
			e.giveBack(a, r.Delegation)
			e.close(a, Stateid{0, r.Stateid.Other}, 1)
		}
		r := e.delegate(a, both, WishWrite)
		e.close(a, r.Stateid, 1)
		began := time.Now()
		e.close(b, e.open(b, "o", 1, ShareRead, 0), 1)
		granted := func(file byte) bool {
			r, err := a.Open(ctx, e.wishing("o", file, both, WishWrite))
			e.must("OPEN", err)
			if r.Delegation != nil {
				e.giveBack(a, r.Delegation)
			}
			e.close(a, r.Stateid, file)
			return r.Delegation != nil
		}
		for time.Since(began) < rest {
			if granted(1) {
				t.Fatalf("granted %v after the recall", time.Since(began))
			}
			time.Sleep(time.Second)
		}
		if !granted(1) || !granted(2) {
			t.Error("not granted after the rest")
		}
	})
}
