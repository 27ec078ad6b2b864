package state

import (
	"math"
	"testing"
	"testing/synctest"
	"time"
)

func TestCreateSessionReplay(t *testing.T) {
	e := newEnv(t)
	r := e.exchange(incarnation("host", 1))

	// Nothing was answered yet that could be answered again.
	for _, seq := range []uint32{r.Sequence - 1, r.Sequence + 1, r.Sequence - 2, math.MaxUint32} {
		_, err := e.CreateSession(ctx, createOf(r.ID, seq))
		e.want("the first CREATE_SESSION out of order", err, SeqMisordered)
	}
	if e.exchange(incarnation("host", 2)).Confirmed {
		t.Fatal("a misordered CREATE_SESSION confirms")
	}
	r = e.exchange(incarnation("host", 1))

	// An error is kept, and confirms nothing.
	small := createOf(r.ID, r.Sequence)
	small.Fore.MaxRequest = 10
	_, err := e.CreateSession(ctx, small)
	e.want("a small channel", err, TooSmall)
	_, err = e.CreateSession(ctx, createOf(r.ID, r.Sequence))
	e.want("its replay with another channel", err, TooSmall)
	if n := e.Stats(); n.Sessions != 0 {
		t.Errorf("%+v after an error", n)
	}
	if c := e.Store.client(r.ID); c.confirmed {
		t.Error("an error confirms the client")
	}

	// So is a success.
	first, err := e.CreateSession(ctx, createOf(r.ID, r.Sequence+1))
	e.must("CREATE_SESSION", err)
	if again, err := e.CreateSession(ctx, createOf(r.ID, r.Sequence+1)); again != first || err != nil {
		t.Errorf("replay: %v, %v", again, err)
	}
	for _, seq := range []uint32{r.Sequence, r.Sequence + 3, 0} {
		_, err = e.CreateSession(ctx, createOf(r.ID, seq))
		e.want("CREATE_SESSION out of order", err, SeqMisordered)
	}
	if n := e.Stats(); n.Sessions != 1 {
		t.Errorf("%+v after a replay and misordered ones", n)
	}

	// Also when the session is gone.
	e.must("DESTROY_SESSION", e.DestroySession(first.ID, 0))
	if again, err := e.CreateSession(ctx, createOf(r.ID, r.Sequence+1)); again != first || err != nil {
		t.Errorf("replay after the end: %v, %v", again, err)
	}
	second, err := e.CreateSession(ctx, createOf(r.ID, r.Sequence+2))
	e.must("the next CREATE_SESSION", err)
	if second == first || second.ID == first.ID {
		t.Error("the next CREATE_SESSION returns the first session")
	}
}

// The slot's sequence passes over 2^32 as any other number.
func TestCreateSessionSequenceWraps(t *testing.T) {
	e := newEnv(t)
	c := e.client("host")
	c.create.next = math.MaxUint32
	for _, seq := range []uint32{math.MaxUint32, 0, 1} {
		ss, err := e.CreateSession(ctx, createOf(c.ID, seq))
		e.must("CREATE_SESSION", err)
		if again, _ := e.CreateSession(ctx, createOf(c.ID, seq)); again != ss {
			t.Errorf("sequence %d is not replayed", seq)
		}
	}
}

func TestCreateSessionPrincipal(t *testing.T) {
	e := newEnv(t)
	r := e.exchange(incarnation("host", 1))
	x := createOf(r.ID, r.Sequence)
	x.Principal = mallory
	_, err := e.CreateSession(ctx, x)
	e.want("confirmed by another principal", err, ClIDInUse)
	_, err = e.CreateSession(ctx, createOf(r.ID, r.Sequence))
	e.must("confirmed by the one who made it", err)
}

func TestForeChannel(t *testing.T) {
	l := DefaultLimits()
	with := func(change func(*ChannelAttrs)) ChannelAttrs {
		a := ChannelAttrs{MaxRequest: 4096, MaxResponse: 8192, MaxCached: 1024, MaxOperations: 8, MaxRequests: 4}
		change(&a)
		return a
	}
	for _, tt := range []struct {
		name      string
		ask, want ChannelAttrs
		err       error
	}{
		{name: "modest", ask: with(func(a *ChannelAttrs) {}), want: with(func(a *ChannelAttrs) {})},
		{name: "greedy", ask: ChannelAttrs{math.MaxUint32, math.MaxUint32, math.MaxUint32, math.MaxUint32, math.MaxUint32},
			want: ChannelAttrs{l.MaxRequest, l.MaxResponse, l.MaxCached, l.MaxOperations, uint32(l.SlotsPerSession)}},
		{name: "nothing cached", ask: with(func(a *ChannelAttrs) { a.MaxCached = 0 }), want: with(func(a *ChannelAttrs) { a.MaxCached = 0 })},
		{name: "tiny request", ask: with(func(a *ChannelAttrs) { a.MaxRequest = 20 }), err: TooSmall},
		{name: "tiny reply", ask: with(func(a *ChannelAttrs) { a.MaxResponse = 20 }), err: TooSmall},
		{name: "no operation", ask: with(func(a *ChannelAttrs) { a.MaxOperations = 0 }), err: TooSmall},
		{name: "no slot", ask: with(func(a *ChannelAttrs) { a.MaxRequests = 0 }), err: Inval},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newEnv(t)
			r := e.exchange(incarnation("host", 1))
			x := createOf(r.ID, r.Sequence)
			x.Fore = tt.ask
			x.Back = ChannelAttrs{4096, 4096, 0, 2, 1}
			ss, err := e.CreateSession(ctx, x)
			if err != tt.err {
				t.Fatalf("%v, want %v", err, tt.err)
			}
			if err != nil {
				return
			}
			if ss.Fore != tt.want || len(ss.slots) != int(tt.want.MaxRequests) {
				t.Errorf("fore channel %+v with %d slots, want %+v", ss.Fore, len(ss.slots), tt.want)
			}
			if ss.Back.MaxOperations != x.Back.MaxOperations || ss.Back.MaxRequests != x.Back.MaxRequests {
				t.Errorf("back channel %+v, offered was %+v", ss.Back, x.Back)
			}
		})
	}
}

func TestSessionLimit(t *testing.T) {
	e := newEnv(t, limits(func(l *Limits) { l.SessionsPerClient = 2 }))
	x := incarnation("host", 1)
	first := e.session(x)
	e.session(x)
	r := e.exchange(x)
	_, err := e.CreateSession(ctx, createOf(r.ID, r.Sequence))
	e.want("a third session", err, NoSpace)
	e.must("DESTROY_SESSION", e.DestroySession(first.ID, 0))
	e.session(x)
	if _, err := e.Session(first.ID); err != BadSession {
		t.Errorf("the destroyed session: %v", err)
	}
}

// A session can be found no sooner than its channel is there.
func TestChannelComesFirst(t *testing.T) {
	e := newEnv(t)
	r := e.exchange(incarnation("host", 1))
	x := createOf(r.ID, r.Sequence)
	x.Channel = func(ss *Session) any {
		if _, err := e.Session(ss.ID); err != BadSession {
			t.Errorf("found before its channel was made: %v", err)
		}
		return "channel"
	}
	ss, err := e.CreateSession(ctx, x)
	e.must("CREATE_SESSION", err)
	if ss.Channel != "channel" {
		t.Errorf("the channel is %v", ss.Channel)
	}
}

func TestDestroySession(t *testing.T) {
	e := newEnv(t)
	x := incarnation("host", 1)
	ss, other := e.session(x), e.session(x)
	mine := ss.begin(t, 0, 1)
	another := ss.begin(t, 1, 1)
	foreign := other.begin(t, 0, 1)

	e.want("while two run in it", e.DestroySession(ss.ID, 1), Delay)
	e.want("from another session", e.DestroySession(ss.ID, 0), Delay)
	if got, err := e.Session(ss.ID); got != ss || err != nil || ss.Ended() {
		t.Fatalf("a refused DESTROY_SESSION left %v, %v", got, err)
	}
	another.End(nil, false)
	e.want("from another session, one runs", e.DestroySession(ss.ID, 0), Delay)
	e.must("from itself", e.DestroySession(ss.ID, 1))
	if !ss.Ended() || other.Ended() {
		t.Errorf("ended: %v, the other: %v", ss.Ended(), other.Ended())
	}
	_, err := e.Session(ss.ID)
	e.want("look-up", err, BadSession)
	_, _, err = ss.Begin(Request{Slot: 2, Sequence: 1, Principal: alice}, nil)
	e.want("SEQUENCE", err, BadSession)
	e.want("again", e.DestroySession(ss.ID, 0), BadSession)
	mine.End(nil, true)
	foreign.End(nil, true)
	if n := ss.Client.running.Load(); n != 0 {
		t.Errorf("%d requests run after the last", n)
	}
}

// A client without a session keeps its state, and its lease runs.
func TestStateOutlivesSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		x := incarnation("host", 1)
		ss := e.session(x)
		id := e.open(ss.Client, "o", 1, ShareRead, ShareWrite)
		e.must("DESTROY_SESSION", e.DestroySession(ss.ID, 0))
		next := e.session(x)
		if next.Client != ss.Client {
			t.Fatal("another client")
		}
		e.must("the old stateid", e.use(next.Client, id, 1, ShareRead))
		time.Sleep(testLease + 1)
		if !next.Client.expired() {
			t.Error("the lease holds without a SEQUENCE")
		}
	})
}

// A client that was told to come again with DESTROY_SESSION may not: when it has as
// many sessions as it may, such a one makes room for the next, once it is idle.
func TestUnwantedSessionsMakeRoom(t *testing.T) {
	e := newEnv(t)
	x := incarnation("host", 1)
	var first *Session
	for range e.cfg.Limits.SessionsPerClient {
		ss := e.session(x)
		sl := ss.begin(t, 0, 1)
		e.want("DESTROY_SESSION", e.DestroySession(ss.ID, 0), Delay)
		if first == nil {
			first = ss
			defer sl.End(nil, false)
		} else {
			sl.End(nil, false)
		}
	}
	kept := e.session(x)
	if _, err := e.Session(first.ID); err != nil || first.Ended() {
		t.Errorf("one in use: %v", err)
	}
	for range e.cfg.Limits.SessionsPerClient - 2 {
		e.session(x)
	}
	r := e.exchange(x)
	_, err := e.CreateSession(ctx, createOf(r.ID, r.Sequence))
	e.want("CREATE_SESSION when all are wanted", err, NoSpace)
	_, err = e.Session(kept.ID)
	e.must("a session that is wanted", err)
}
