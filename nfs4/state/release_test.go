package state

import (
	"testing"
	"testing/synctest"
	"time"
)

// A client that may be elsewhere by now is forgotten after its lease, courtesy or
// not, and none sooner.
func TestRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ss := e.session(incarnation("gone", 1))
		e.open(ss.Client, "o", 1, ShareWrite, ShareWrite)
		time.Sleep(testLease)
		if e.Release(ctx, ss.ID) || !e.known(ss.Client.ID) {
			t.Error("released on the last of the lease")
		}
		time.Sleep(time.Second)
		slot := ss.begin(t, 0, 1)
		if e.Release(ctx, ss.ID) {
			t.Error("released while a request is under way")
		}
		slot.End(nil, true)
		time.Sleep(testLease + time.Second)
		for range 2 { // the second time it is nobody's
			if !e.Release(ctx, ss.ID) || e.known(ss.Client.ID) {
				t.Error("not released after the lease")
			}
		}
		rival := e.session(incarnation("rival", 1))
		e.open(rival.Client, "o", 1, ShareWrite, ShareWrite)
		var foreign SessionID
		if !e.Release(ctx, foreign) {
			t.Error("a session of another run is not over")
		}
	})
}
