package state

import "testing"

// All that clients hold on a file system that is not served any more is taken from
// them, on record first, and nothing else.
func TestWithdraw(t *testing.T) {
	onMachine(t, func(m *machine) {
		e := m.boot()
		a, b := e.client("a"), e.client("b")
		open := e.open(a, "o", 1, both, 0)
		lock := e.lock(a, e.locking(open, "l", true, 0, 9))
		denier := e.open(b, "o", 2, ShareRead, ShareWrite)
		m.fails("b")
		e.want("Withdraw without storage", e.Withdraw(ctx, key(1).FS), Delay)
		e.want("the open that is not on record", b.TestStateid(denier), nil)
		m.disk.Fail(nil)
		e.must("Withdraw of another", e.Withdraw(ctx, key(1).FS+1))
		e.want("the open", b.TestStateid(denier), nil)
		for range 2 { // the second time nothing is left
			e.must("Withdraw", e.Withdraw(ctx, key(1).FS))
			for _, id := range []Stateid{open, lock} {
				e.want("a's", a.TestStateid(id), AdminRevoked)
			}
			e.want("b's", b.TestStateid(denier), AdminRevoked)
			e.want("I/O", e.use(a, open, 1, both), AdminRevoked)
			if a.Status() != statusAdminRevoked || b.Status() != statusAdminRevoked {
				t.Errorf("status %#x and %#x", a.Status(), b.Status())
			}
		}
		for _, id := range []Stateid{lock, open} {
			e.must("FREE_STATEID", a.FreeStateid(ctx, id))
		}
		if a.Status() != 0 {
			t.Errorf("status %#x", a.Status())
		}
		e.open(a, "o", 2, both, both)

		e = m.boot()
		b = e.comeback("b")
		_, err := e.reclaims(b, 2, ShareRead, ShareWrite, WishNone)
		e.want("a reclaim of what was taken", err, ReclaimBad)
	})
}
