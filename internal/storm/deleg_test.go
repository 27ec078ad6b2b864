package storm

import (
	"bytes"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

// deleg is a delegation that a peer holds.
type deleg struct {
	file  *file
	fh    wire.FH
	id    wire.Stateid
	write bool
	held  *holding
	// stubborn ones are not returned when they are recalled.
	stubborn bool
	leaving  bool // Guarded by peer.mu. Somebody returns or frees it.
}

// granted notes the delegation of an OPEN's answer, if there is one.
func (p *peer) granted(rng *rand.Rand, f *file, fh wire.FH, x *answer, got wire.OpenDelegation) {
	access := uint32(read)
	switch got.Type {
	case wire.OpenDelegateRead:
		p.count("read delegations")
	case wire.OpenDelegateWrite:
		p.count("write delegations")
		access |= write
	default:
		return
	}
	d := &deleg{file: f, fh: fh, id: got.Stateid, write: access&write != 0, stubborn: rng.IntN(8) == 0}
	d.held = f.hold(&holding{kind: aDelegation, by: p.tenure, owner: p.name, access: access, asked: x.sent})
	d.held.from = x.came
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delegs[d.id.Other] = d
}

// claim takes d for the caller to return or to free; false if another does.
func (p *peer) claim(d *deleg) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d.leaving {
		return false
	}
	d.leaving = true
	return true
}

func (p *peer) allDelegs() []*deleg {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Values(p.delegs))
}

// giveBack returns a delegation.
func (p *peer) giveBack(rng *rand.Rand, d *deleg) error {
	if !p.claim(d) {
		return nil
	}
	d.held.until = p.now()
	x, err := p.exchange(rng, wire.PutFHArgs{Object: d.fh}, wire.DelegReturnArgs{DelegStateid: d.id})
	if err != nil {
		return err
	}
	switch x.Status {
	case wire.OK:
		p.count("delegations returned")
	case wire.ErrDelegRevoked:
		return p.free(rng, d, x.came)
	default:
		p.failf("%s: DELEGRETURN of %v: %v", p.name, d.held, x.Err())
	}
	p.release(d, x.came)
	return nil
}

// free lets go of a delegation that was revoked, which must have had a cause.
func (p *peer) free(rng *rand.Rand, d *deleg, now time.Duration) error {
	p.count("delegations revoked")
	if !p.tenure.lapsed(d.held.asked, now) && now-d.held.asked < p.lease {
		p.failf("%s: revoked at %v without a cause: %v", p.name, now, d.held)
	}
	d.held.until = min(d.held.until, now)
	x, err := p.exchange(rng, wire.FreeStateidArgs{Stateid: d.id})
	if err != nil {
		return err
	}
	if x.Status != wire.OK {
		p.failf("%s: FREE_STATEID of a revoked delegation: %v", p.name, x.Err())
	}
	p.release(d, now)
	return nil
}

func (p *peer) release(d *deleg, now time.Duration) {
	d.held.gone = now
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.delegs, d.id.Other)
}

// acknowledge frees the delegations that were revoked, once SEQUENCE says that
// there are such.
func (p *peer) acknowledge(rng *rand.Rand) error {
	p.mu.Lock()
	flags := p.flags
	p.mu.Unlock()
	all := p.allDelegs()
	if flags&wire.Seq4StatusRecallableStateRevoked == 0 || len(all) == 0 {
		return nil
	}
	var test wire.TestStateidArgs
	for _, d := range all {
		test.Stateids = append(test.Stateids, d.id)
	}
	x, err := p.exchange(rng, test)
	if err != nil {
		return err
	}
	res, err := client.Body[wire.TestStateidRes](x.Reply)
	if err != nil {
		return err
	}
	for i, d := range all {
		if res.StatusCodes[i] == wire.ErrDelegRevoked && p.claim(d) {
			if err := p.free(rng, d, x.came); err != nil {
				return err
			}
		}
	}
	return nil
}

// callbacks answers what the server asks on any connection of the peer.
func (p *peer) callbacks() map[wire.CbOp]client.Callback {
	return map[wire.CbOp]client.Callback{
		wire.OpCbRecall:     p.recall,
		wire.OpCbGetattr:    p.tellAttrs,
		wire.OpCbNotifyLock: p.notified,
	}
}

func (p *peer) recall(args wire.CbArgs) (wire.Status, wire.Body) {
	a := args.(wire.CbRecallArgs)
	p.count("recalls")
	p.mu.Lock()
	d := p.delegs[a.Stateid.Other]
	p.mu.Unlock()
	rng := rand.New(rand.NewPCG(p.seed, p.serial.Add(1)))
	switch {
	case d == nil:
		p.count("recalls before the grant, or after the return")
		return wire.ErrBadStateid, nil
	case !bytes.Equal(a.FH, d.fh):
		p.failf("%s: CB_RECALL of file %x, which is %x", p.name, a.FH, d.fh)
	case rng.IntN(8) == 0:
		return wire.ErrDelay, nil
	case !d.stubborn:
		p.spawn(func() { p.ended(p.giveBack(rng, d)) })
	}
	return wire.OK, nil
}

// Sizes from here on are told by holders of delegations; no file is so large.
const told = 1 << 40

// toldSize is what a holder says of the size of a file.
func toldSize(fh wire.FH) uint64 {
	h := fnv.New32a()
	h.Write(fh)
	return told + uint64(h.Sum32())
}

func (p *peer) tellAttrs(args wire.CbArgs) (wire.Status, wire.Body) {
	a := args.(wire.CbGetattrArgs)
	for _, d := range p.allDelegs() {
		if d.write && bytes.Equal(d.fh, a.FH) {
			p.count("attributes told by a holder")
			var e xdr.Encoder
			e.Uint64(^uint64(0)) // change: there is something that was not written yet
			e.Uint64(toldSize(d.fh))
			return wire.OK, wire.CbGetattrRes{ObjAttributes: wire.FAttr{Mask: a.AttrRequest, Values: e.Bytes()}}
		}
	}
	return wire.ErrBadHandle, nil
}

func (p *peer) notified(args wire.CbArgs) (wire.Status, wire.Body) {
	a := args.(wire.CbNotifyLockArgs)
	p.count("locks said to be free")
	p.mu.Lock()
	defer p.mu.Unlock()
	if waiting := p.waits[string(a.LockOwner.Owner)]; waiting != nil {
		select {
		case waiting <- struct{}{}:
		default:
		}
	}
	return wire.OK, nil
}
