package state

import "testing"

// silent takes callbacks and counts the recalls.
type silent struct {
	Callbacks
	recalls int
}

func (s *silent) Recall(*Delegation) { s.recalls++ }

// A delegation that goes against what comes in while its OPEN is still under way
// is not granted, and its client, which knows nothing of it, is not asked.
func TestRecallBeforeGrant(t *testing.T) {
	calls := new(silent)
	e := newEnv(t, func(cfg *Config) { cfg.Callbacks = calls })
	a, b := e.client("a"), e.client("b")
	x := e.request("o", 1, ShareWrite, 0)
	x.Wish = WishWrite
	x.Change = func() (uint64, bool) {
		if d := e.WriteDelegation(key(1), b); d != nil {
			t.Errorf("asked for the attributes of %+v", d)
		}
		_, err := e.tryOpen(b, "o", 1, ShareRead, 0)
		e.want("OPEN by another", err, Delay)
		return 1, true
	}
	opened, err := a.Open(t.Context(), x)
	e.must("OPEN", err)
	if opened.Delegation != nil || calls.recalls != 0 || e.Delegations() != 0 {
		t.Errorf("delegation %+v, %d recalls, %d delegations held", opened.Delegation, calls.recalls, e.Delegations())
	}
	e.close(b, e.open(b, "o", 1, ShareRead, 0), 1)
	e.close(a, opened.Stateid, 1)
	e.checkEmpty()
	if a.holds() {
		t.Error("the client still holds something")
	}
}
