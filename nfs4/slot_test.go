package nfs4

import (
	"testing"

	"github.com/tidegate/tidegate/nfs4/wire"
)

// A request that comes while the one before it in its slot runs is not told DELAY, for
// which a Linux client that gave up that one, since its process was killed, would
// wait 15 s: it runs when that has ended, and a retry of that one gets its reply.
func TestSlotInUse(t *testing.T) {
	fs := newWatched()
	t.Cleanup(func() { fs.Close() })
	c := connect(t, newServer(t, Export{ID: firstID, Path: firstPath, FS: fs}), 2)
	fh := c.ok(at(firstPath, wire.GetFHArgs{})...).(wire.GetFHRes).Object
	in := func(slot, seq uint32, ops ...wire.Args) <-chan wire.Status {
		ended := make(chan wire.Status, 1)
		go func() {
			status, _ := c.send(append([]wire.Args{wire.SequenceArgs{SessionID: c.id, SlotID: slot, SequenceID: seq, HighestSlotID: 1, CacheThis: true}}, ops...))
			ended <- status
		}()
		return ended
	}
	gate := make(chan struct{})
	fs.stuck.Store(&gate)
	stuck := []wire.Args{wire.PutFHArgs{Object: fh}, wire.GetattrArgs{}}
	first := in(0, c.seq+1, stuck...)
	<-fs.entered
	retry, next := in(0, c.seq+1, stuck...), in(0, c.seq+2, wire.PutRootFHArgs{})
	for seq := range uint32(3) { // by then the server has those two
		if status := <-in(1, seq+1, wire.PutRootFHArgs{}); status != wire.OK {
			t.Errorf("in another slot: %v", status)
		}
	}
	fs.stuck.Store(nil)
	close(gate)
	if status := <-first; status != wire.OK {
		t.Errorf("the first: %v", status)
	}
	if status := <-next; status != wire.OK {
		t.Errorf("the next: %v", status)
	}
	// The next one may have begun before the retry looked again.
	if status := <-retry; status != wire.OK && status != wire.ErrSeqMisordered {
		t.Errorf("a retry of the first: %v", status)
	}
}
