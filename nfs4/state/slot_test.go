package state

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// ask is request number seq of a slot, as alice sends it.
func ask(slot, seq uint32) Request {
	return Request{Slot: slot, Sequence: seq, HighestSlot: slot, Principal: alice, Digest: uint64(seq) * 7}
}

// begin admits a new request.
func (ss *Session) begin(t rapid.TB, slot, seq uint32) *Slot {
	t.Helper()
	sl, replay, err := ss.Begin(ask(slot, seq), nil)
	if sl == nil || replay != nil || err != nil {
		t.Fatalf("request %d of slot %d: replay %q, %v", seq, slot, replay, err)
	}
	return sl
}

func TestSlot(t *testing.T) {
	e := newEnv(t)
	ss := e.session(incarnation("host", 1))
	ss.begin(t, 0, 1).End([]byte("one"), true)
	ss.begin(t, 0, 2).End([]byte("two"), true)
	ss.begin(t, 1, 1).End([]byte("not kept"), false)
	running := ss.begin(t, 2, 1)
	highest := uint32(len(ss.slots)) - 1

	for _, tt := range []struct {
		name string
		ask  Request
		err  error
	}{
		{"before the last", ask(0, 1), SeqMisordered},
		{"far ahead", ask(0, 4), SeqMisordered},
		{"half around", ask(0, 2+1<<31), SeqMisordered},
		{"zero", ask(0, 0), SeqMisordered},
		{"a fresh slot's zero", ask(3, 0), SeqMisordered},
		{"a fresh slot's second", ask(3, 2), SeqMisordered},
		{"a fresh slot's last", ask(3, math.MaxUint32), SeqMisordered},
		{"no such slot", ask(highest+1, 1), BadSlot},
		{"the last slot of all", ask(math.MaxUint32, 1), BadSlot},
		{"highest slot", Request{Slot: 3, Sequence: 1, HighestSlot: highest + 1, Principal: alice}, BadHighSlot},
		{"not kept", ask(1, 1), RetryUncached},
		{"under way", ask(2, 1), Delay},
		{"after the one under way", ask(2, 2), Delay},
		{"another principal", Request{Slot: 0, Sequence: 2, Principal: mallory, Digest: 14}, SeqFalseRetry},
		{"another flavour", Request{Slot: 0, Sequence: 2, Principal: Principal{0, alice.UID}, Digest: 14}, SeqFalseRetry},
		{"other operations", Request{Slot: 0, Sequence: 2, Principal: alice, Digest: 15}, SeqFalseRetry},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sl, replay, err := ss.Begin(tt.ask, []byte("head"))
			if sl != nil || replay != nil || err != tt.err {
				t.Errorf("slot %v, replay %q, error %v; want %v", sl, replay, err, tt.err)
			}
		})
	}
	// All of these left the slots as they were.
	sl, replay, err := ss.Begin(ask(0, 2), []byte("head "))
	if sl != nil || string(replay) != "head two" || err != nil {
		t.Errorf("retry: slot %v, replay %q, error %v", sl, replay, err)
	}
	running.End([]byte("done"), true)
	if _, replay, err = ss.Begin(ask(2, 1), nil); string(replay) != "done" || err != nil {
		t.Errorf("retry after the end: %q, %v", replay, err)
	}
	ss.begin(t, 0, 3).End(nil, false)
	ss.begin(t, 3, 1).End(nil, false)
	if n := ss.running.Load() + ss.Client.running.Load(); n != 0 {
		t.Errorf("%d requests run after the last", n)
	}
}

// A reply that is empty is a reply: SEQUENCE alone may be kept so.
func TestEmptyReplyIsKept(t *testing.T) {
	ss := newEnv(t).session(incarnation("host", 1))
	ss.begin(t, 0, 1).End(nil, true)
	if sl, replay, err := ss.Begin(ask(0, 1), []byte("head")); sl != nil || string(replay) != "head" || err != nil {
		t.Errorf("slot %v, replay %q, error %v", sl, replay, err)
	}
}

// A kept reply is the slot's own, and stays until the next request.
func TestReplyIsCopied(t *testing.T) {
	ss := newEnv(t).session(incarnation("host", 1))
	reply := []byte("reply")
	ss.begin(t, 0, 1).End(reply, true)
	copy(reply, "XXXXX")
	_, first, _ := ss.Begin(ask(0, 1), nil)
	copy(first, "YYYYY")
	if _, again, err := ss.Begin(ask(0, 1), nil); string(again) != "reply" || err != nil {
		t.Errorf("replay %q, %v", again, err)
	}
}

func TestSlotSequenceWraps(t *testing.T) {
	ss := newEnv(t).session(incarnation("host", 1))
	ss.begin(t, 0, 1).End(nil, true)
	ss.slots[0].seq = math.MaxUint32 - 1
	for _, seq := range []uint32{math.MaxUint32, 0, 1} {
		ss.begin(t, 0, seq).End([]byte{byte(seq)}, true)
		if _, replay, err := ss.Begin(ask(0, seq), nil); !bytes.Equal(replay, []byte{byte(seq)}) || err != nil {
			t.Errorf("retry of %d: %q, %v", seq, replay, err)
		}
	}
}

// A failed SEQUENCE renews no lease; a new request and a replay do.
func TestWhatRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ss := newEnv(t).session(incarnation("host", 1))
		ss.begin(t, 0, 1).End(nil, true)
		busy := ask(1, 1)
		for _, tt := range []struct {
			name   string
			ask    Request
			renews bool
		}{
			{"misordered", ask(0, 9), false},
			{"bad slot", ask(99, 1), false},
			{"bad highest slot", Request{HighestSlot: 99, Sequence: 2}, false},
			{"false retry", Request{Sequence: 1, Principal: mallory}, false},
			{"retry", ask(0, 1), true},
			{"new", busy, true},
		} {
			time.Sleep(time.Second)
			sl, _, _ := ss.Begin(tt.ask, nil)
			if renewed := ss.Client.idle() == 0; renewed != tt.renews {
				t.Errorf("%s: renews %v, want %v", tt.name, renewed, tt.renews)
			}
			if sl == nil {
				continue
			}
			time.Sleep(time.Second)
			if _, _, err := ss.Begin(busy, nil); err != Delay || ss.Client.idle() == 0 {
				t.Errorf("retry of one under way: %v, renewed %v ago", err, ss.Client.idle())
			}
			sl.End(nil, false)
			if ss.Client.idle() != 0 {
				t.Error("the end of a request renews no lease")
			}
		}
	})
}

// Who waits for a slot is told when its request has ended, or that it has not in time.
func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ss := newEnv(t).session(incarnation("host", 1))
		const limit = time.Second
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		for i, tt := range []struct {
			name  string
			ctx   context.Context
			runs  time.Duration
			ended bool
			after time.Duration
		}{
			{"nothing runs", t.Context(), 0, true, 0},
			{"ends in time", t.Context(), limit / 2, true, limit / 2},
			{"takes longer", t.Context(), 2 * limit, false, limit},
			{"nobody asks any more", gone, limit / 2, false, 0},
		} {
			sl := ss.begin(t, 0, uint32(i)+1)
			end := func() { sl.End(nil, false) }
			if tt.runs > 0 {
				time.AfterFunc(tt.runs, end)
			} else {
				end()
			}
			began := time.Now()
			var all sync.WaitGroup
			for range 2 {
				all.Go(func() {
					if ended := ss.Await(tt.ctx, 0, limit); ended != tt.ended || time.Since(began) != tt.after {
						t.Errorf("%s: %v after %v", tt.name, ended, time.Since(began))
					}
				})
			}
			all.Wait()
			time.Sleep(2 * limit)
		}
	})
}

// Several connections carry the same requests at once: each is executed exactly
// once, and a retry gets that one's reply, or an error that says why not.
func TestRetransmitRace(t *testing.T) {
	const connections, requests = 4, 2000
	ss := newEnv(t).session(incarnation("host", 1))
	var executed [requests + 1]atomic.Int32
	send := func(seq uint32) {
		for {
			sl, replay, err := ss.Begin(ask(0, seq), nil)
			switch {
			case sl != nil:
				executed[seq].Add(1)
				sl.End(fmt.Append(nil, "reply ", seq), true)
				return
			case err == nil:
				if string(replay) != fmt.Sprint("reply ", seq) {
					t.Errorf("a retry of %d got %q", seq, replay)
				}
				return
			case err == SeqMisordered: // others are ahead
				return
			case err != Delay:
				t.Errorf("request %d: %v", seq, err)
				return
			}
		}
	}
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() {
			for seq := uint32(1); seq <= requests; seq++ {
				send(seq)
			}
		})
	}
	wg.Wait()
	for seq := 1; seq <= requests; seq++ {
		if n := executed[seq].Load(); n != 1 {
			t.Fatalf("request %d was executed %d times", seq, n)
		}
	}
	if n := ss.running.Load() + ss.Client.running.Load(); n != 0 {
		t.Errorf("%d requests run after the last", n)
	}
}

// A session is destroyed while requests come in: a request is admitted, and then
// ends, or is refused for good.
func TestDestroyRace(t *testing.T) {
	e := newEnv(t)
	for range 50 {
		ss := e.session(incarnation("host", 1))
		var wg sync.WaitGroup
		for slot := range uint32(3) {
			wg.Go(func() {
				for seq := uint32(1); ; seq++ {
					sl, _, err := ss.Begin(ask(slot, seq), nil)
					if err != nil {
						if err != BadSession {
							t.Errorf("SEQUENCE: %v", err)
						}
						return
					}
					sl.End(nil, true)
				}
			})
		}
		for e.DestroySession(ss.ID, 0) == Delay {
		}
		wg.Wait()
		if n := ss.running.Load() + ss.Client.running.Load(); n != 0 {
			t.Fatalf("%d requests run after the last", n)
		}
	}
}

func BenchmarkSequence(b *testing.B) {
	e := newEnv(b)
	ss := e.session(incarnation("host", 1))
	id := e.open(ss.Client, "o", 1, ShareRead, 0)
	var slot atomic.Uint32
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		mine, k := slot.Add(1), key(1)
		for seq := uint32(1); pb.Next(); seq++ {
			found, err := e.Session(ss.ID)
			if err != nil {
				b.Fatal(err)
			}
			sl, _, err := found.Begin(ask(mine, seq), nil)
			if err != nil {
				b.Fatal(err)
			}
			h, err := found.Client.Use(id, &k, ShareRead)
			if err != nil {
				b.Fatal(err)
			}
			h.Put()
			sl.End(nil, false)
		}
	})
}
