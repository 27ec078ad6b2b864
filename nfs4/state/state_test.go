package state

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/grace/gracetest"
)

var ctx = context.Background()

const (
	testEpoch = 0x5eed
	testLease = 90 * time.Second
)

// env is a Store with a disk for its files to be opened from.
type env struct {
	rapid.TB
	*Store
	disk disk
}

func newEnv(t rapid.TB, change ...func(*Config)) *env {
	cfg := Config{
		Epoch:    testEpoch,
		Lease:    testLease,
		Courtesy: 24 * time.Hour,
		Limits:   DefaultLimits(),
		Now:      time.Now,
	}
	for _, f := range change {
		f(&cfg)
	}
	if cfg.Grace == nil {
		cfg.Grace = gracetest.Steady(t.(gracetest.TB))
	}
	return &env{TB: t, Store: New(cfg)}
}

func limits(change func(*Limits)) func(*Config) {
	return func(cfg *Config) { change(&cfg.Limits) }
}

// disk counts what is open of it.
type disk struct {
	opened, closed atomic.Int64
	misused        atomic.Int64 // files closed twice or in use, or used when closed
}

func (d *disk) open(access Share) (fsal.File, error) {
	d.opened.Add(1)
	return &openFile{disk: d, access: access}, nil
}

type openFile struct {
	fsal.File
	disk   *disk
	access Share
	users  atomic.Int32
	closed atomic.Bool
}

func (f *openFile) Close() error {
	if f.closed.Swap(true) || f.users.Load() != 0 {
		f.disk.misused.Add(1)
	}
	f.disk.closed.Add(1)
	return nil
}

func (f *openFile) ReadAt(*fsal.Req, []byte, uint64) (int, bool, error) {
	f.users.Add(1)
	defer f.users.Add(-1)
	if f.closed.Load() {
		f.disk.misused.Add(1)
	}
	return 0, true, nil
}

// checkDisk fails unless so many files are open, and none was misused.
func (e *env) checkDisk(open int64) {
	e.Helper()
	if n := e.disk.opened.Load() - e.disk.closed.Load(); n != open {
		e.Errorf("%d files are open, want %d", n, open)
	}
	if n := e.disk.misused.Load(); n != 0 {
		e.Errorf("files were misused %d times", n)
	}
}

// checkEmpty fails unless nothing is left of files and opens.
func (e *env) checkEmpty() {
	e.Helper()
	e.checkDisk(0)
	if n := e.Stats(); n.Opens != 0 || n.Files != 0 {
		e.Errorf("left over: %+v", n)
	}
}

func key(n byte) FileKey {
	k, ok := fsal.MakeKey([]byte{n, 1})
	if !ok {
		panic("key")
	}
	return FileKey{FS: 1, Key: k}
}

var (
	alice   = Principal{Flavor: 1, UID: 1000}
	mallory = Principal{Flavor: 1, UID: 6666}
)

var addr = netip.MustParseAddrPort("192.0.2.1:700")

func incarnation(owner string, verifier byte) ExchangeID {
	return ExchangeID{Owner: []byte(owner), Verifier: [8]byte{verifier}, Principal: alice, Addr: addr}
}

var roomy = ChannelAttrs{MaxRequest: 1 << 20, MaxResponse: 1 << 20, MaxCached: 4096, MaxOperations: 50, MaxRequests: 64}

func createOf(id ClientID, sequence uint32) CreateSession {
	return CreateSession{
		Client: id, Sequence: sequence, Principal: alice, Fore: roomy, Back: roomy,
		Channel: func(*Session) any { return nil },
	}
}

func (e *env) exchange(x ExchangeID) Exchanged {
	e.Helper()
	r, err := e.ExchangeID(ctx, x)
	if err != nil {
		e.Fatalf("EXCHANGE_ID of %q: %v", x.Owner, err)
	}
	return r
}

// session makes another session of the client that x names, which has nothing
// to reclaim.
func (e *env) session(x ExchangeID) *Session {
	e.Helper()
	r := e.exchange(x)
	ss, err := e.CreateSession(ctx, createOf(r.ID, r.Sequence))
	if err != nil {
		e.Fatalf("CREATE_SESSION of %q: %v", x.Owner, err)
	}
	if err := ss.Client.ReclaimComplete(ctx); err != nil && err != CompleteAlready {
		e.Fatalf("RECLAIM_COMPLETE of %q: %v", x.Owner, err)
	}
	return ss
}

// client makes a confirmed client that has nothing to reclaim.
func (e *env) client(owner string) *Client {
	e.Helper()
	return e.session(incarnation(owner, 1)).Client
}

// known reports whether a client id is on record.
func (e *env) known(id ClientID) bool { return e.Store.client(id) != nil }

// request is an OPEN that nothing but a conflict stops.
func (e *env) request(owner string, file byte, access, deny Share) OpenRequest {
	return OpenRequest{
		Owner: []byte(owner), Key: key(file), Access: access, Deny: deny,
		Open:    e.disk.open,
		May:     func() error { return nil },
		Granted: func() error { return nil },
	}
}

func (e *env) tryOpen(c *Client, owner string, file byte, access, deny Share) (Stateid, error) {
	r, err := c.Open(ctx, e.request(owner, file, access, deny))
	return r.Stateid, err
}

func (e *env) open(c *Client, owner string, file byte, access, deny Share) Stateid {
	e.Helper()
	id, err := e.tryOpen(c, owner, file, access, deny)
	if err != nil {
		e.Fatalf("OPEN of file %d by %s for %d, denying %d: %v", file, owner, access, deny, err)
	}
	return id
}

func (e *env) close(c *Client, id Stateid, file byte) {
	e.Helper()
	k := key(file)
	if got, err := c.Close(id, &k); got != Invalid || err != nil {
		e.Fatalf("CLOSE of %+v: %+v, %v", id, got, err)
	}
}

// use does I/O under a stateid.
func (e *env) use(c *Client, id Stateid, file byte, want Share) error {
	k := key(file)
	h, err := c.Use(id, &k, want)
	if err != nil {
		return err
	}
	defer h.Put()
	if f := h.File.(*openFile); f.access&want != want {
		e.Errorf("a file opened for %d is used for %d", f.access, want)
	}
	_, _, err = h.File.ReadAt(nil, nil, 0)
	return err
}

func (e *env) want(what string, err, want error) {
	e.Helper()
	if !errors.Is(err, want) && err != want {
		e.Errorf("%s: %v, want %v", what, err, want)
	}
}

// must fails the test at once if err is not nil.
func (e *env) must(what string, err error) {
	e.Helper()
	if err != nil {
		e.Fatalf("%s: %v", what, err)
	}
}

func TestErrorText(t *testing.T) {
	seen := map[string]Error{}
	for _, e := range Errors() {
		if other, ok := seen[e.Error()]; ok || e.Error() == "" {
			t.Errorf("error %d says %q, as %d does", e, e.Error(), other)
		}
		seen[e.Error()] = e
	}
}

func TestSessionIDs(t *testing.T) {
	e := newEnv(t)
	ss := e.session(incarnation("a", 1))
	if got, err := e.Session(ss.ID); got != ss || err != nil {
		t.Fatalf("Session: %v, %v", got, err)
	}
	for bit := range 128 {
		id := ss.ID
		id[bit/8] ^= 1 << (bit % 8)
		if _, err := e.Session(id); err != BadSession {
			t.Errorf("bit %d flipped: %v", bit, err)
		}
	}
	if _, err := newEnv(t, func(cfg *Config) { cfg.Epoch++ }).Session(ss.ID); err != BadSession {
		t.Errorf("session of an earlier run: %v", err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		var id SessionID
		binary.BigEndian.PutUint32(id[:], testEpoch)
		for i := 4; i < len(id); i++ {
			id[i] = byte(r.Uint32() >> (r.Uint32() % 32))
		}
		if _, err := e.Session(id); err != BadSession {
			t.Errorf("forged %x: %v", id, err)
		}
	}
}

func TestClientIDs(t *testing.T) {
	e := newEnv(t)
	id := e.exchange(incarnation("a", 1)).ID
	for bit := range 64 {
		forged := id ^ 1<<bit
		if err := e.DestroyClientID(ctx, forged); err != StaleClientID {
			t.Errorf("bit %d flipped: DESTROY_CLIENTID: %v", bit, err)
		}
		if _, err := e.CreateSession(ctx, createOf(forged, 1)); err != StaleClientID {
			t.Errorf("bit %d flipped: CREATE_SESSION: %v", bit, err)
		}
	}
	e.must("DESTROY_CLIENTID", e.DestroyClientID(ctx, id))
}

// An index of a client that is gone names nobody until it is used again, and
// then with another id.
func TestClientIDsAreNotReused(t *testing.T) {
	e := newEnv(t)
	seen := map[ClientID]bool{}
	for i := range 3 * minFree {
		id := e.exchange(incarnation("a", byte(i))).ID
		if seen[id] {
			t.Fatalf("client id %x comes twice", id)
		}
		seen[id] = true
		e.must("DESTROY_CLIENTID", e.DestroyClientID(ctx, id))
		e.want("DESTROY_CLIENTID again", e.DestroyClientID(ctx, id), StaleClientID)
	}
}

func TestStateids(t *testing.T) {
	e := newEnv(t)
	a, b := e.client("a"), e.client("b")
	e.open(a, "o", 1, ShareRead, 0)
	id := e.open(a, "o", 1, ShareRead, 0)
	e.open(b, "o", 1, ShareRead, 0)
	k, other := key(1), key(2)

	for _, tt := range []struct {
		name string
		c    *Client
		id   Stateid
		key  *FileKey
		want error
	}{
		{"good", a, id, &k, nil},
		{"seqid 0", a, Stateid{0, id.Other}, &k, nil},
		{"newer", a, Stateid{id.Seqid + 1, id.Other}, &k, BadStateid},
		{"much newer", a, Stateid{id.Seqid + 1<<30, id.Other}, &k, BadStateid},
		{"older", a, Stateid{id.Seqid - 1, id.Other}, &k, OldStateid},
		{"another file", a, id, &other, BadStateid},
		{"another client's", b, id, &k, BadStateid},
		{"anonymous", a, Anonymous, &k, BadStateid},
		{"read bypass", a, ReadBypass, &k, BadStateid},
		{"current", a, Current, &k, BadStateid},
		{"invalid", a, Invalid, &k, BadStateid},
		{"an earlier run's", a, Stateid{1, makeOther(testEpoch-1, a.ID.index(), 0, 1)}, &k, StaleStateid},
		{"a later run's", a, Stateid{1, makeOther(testEpoch+1, a.ID.index(), 0, 1)}, &k, BadStateid},
		{"an index beyond", a, Stateid{1, makeOther(testEpoch, a.ID.index(), maxIndex-1, 1)}, &k, BadStateid},
		{"another generation", a, Stateid{1, makeOther(testEpoch, a.ID.index(), 0, 2)}, &k, BadStateid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, err := tt.c.Use(tt.id, tt.key, ShareRead)
			if err != tt.want {
				t.Errorf("Use: %v, want %v", err, tt.want)
			}
			if err == nil {
				h.Put()
			}
			if tt.key == &k {
				if err := tt.c.TestStateid(tt.id); err != tt.want {
					t.Errorf("TestStateid: %v, want %v", err, tt.want)
				}
			}
			if tt.want == nil {
				return
			}
			if _, err := tt.c.Close(tt.id, tt.key); err != tt.want {
				t.Errorf("Close: %v, want %v", err, tt.want)
			}
			if _, err := tt.c.Downgrade(tt.id, tt.key, ShareRead, 0); err != tt.want {
				t.Errorf("Downgrade: %v, want %v", err, tt.want)
			}
		})
	}
	for bit := range 96 {
		forged := id
		forged.Other[bit/8] ^= 1 << (bit % 8)
		if err := a.TestStateid(forged); err != BadStateid && err != StaleStateid {
			t.Errorf("bit %d flipped: %v", bit, err)
		}
		if err := a.FreeStateid(ctx, forged); err != BadStateid && err != StaleStateid {
			t.Errorf("bit %d flipped: FREE_STATEID: %v", bit, err)
		}
	}
	e.want("FREE_STATEID of an open", a.FreeStateid(ctx, id), LocksHeld)
	e.checkDisk(2)
}

// `other` is never used twice under a client id (RFC 8881, 8.2.2).
func TestStateidsAreNotReused(t *testing.T) {
	e := newEnv(t)
	c := e.client("a")
	seen := map[[12]byte]bool{}
	for i := range 5 * minFree {
		id := e.open(c, fmt.Sprint("o", i%3), 1, ShareRead, 0)
		if seen[id.Other] {
			t.Fatalf("stateid %x comes twice", id.Other)
		}
		seen[id.Other] = true
		e.close(c, id, 1)
		e.want("closed stateid", c.TestStateid(id), BadStateid)
	}
	e.checkEmpty()
}

// The seqid of a stateid passes over 0, which means "the latest".
func TestSeqidWraps(t *testing.T) {
	e := newEnv(t)
	c := e.client("a")
	id := e.open(c, "o", 1, ShareRead, 0)
	entry, err := c.lookup(id, nil)
	e.must("lookup", err)
	entry.seq.Store(^uint32(0))
	last := Stateid{^uint32(0), id.Other}
	e.want("the last seqid", c.TestStateid(last), nil)
	next := e.open(c, "o", 1, ShareRead, 0)
	if next != (Stateid{1, id.Other}) {
		t.Errorf("after seqid 2^32-1 comes %+v", next)
	}
	e.want("the last seqid", c.TestStateid(last), OldStateid)
	e.close(c, next, 1)
}

// What every request does takes no memory.
func TestAllocations(t *testing.T) {
	e := newEnv(t)
	ss := e.session(incarnation("a", 1))
	id := e.open(ss.Client, "o", 1, ShareRead, 0)
	k, reply := key(1), make([]byte, 512)
	seq := uint32(0)
	if n := testing.AllocsPerRun(100, func() {
		found, err := e.Session(ss.ID)
		e.must("Session", err)
		seq++
		sl, _, err := found.Begin(Request{Slot: 3, Sequence: seq, HighestSlot: 3, Principal: alice}, nil)
		e.must("Begin", err)
		h, err := found.Client.Use(id, &k, ShareRead)
		e.must("Use", err)
		h.Put()
		sl.End(reply, seq%2 == 0)
	}); n != 0 {
		t.Errorf("a request allocates %v times", n)
	}
}
