package suite

import (
	"bytes"
	"slices"
	"sync"
	"time"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

// Listener is a client that answers callbacks, and remembers them.
type Listener struct {
	*Session
	cfg ListenerConfig

	mu        sync.Mutex
	recalls   []wire.CbRecallArgs     // Guarded by mu. Those not taken yet, as the next two.
	notices   []wire.CbNotifyLockArgs // Guarded by mu.
	getattrs  []wire.CbGetattrArgs    // Guarded by mu.
	sequences []wire.CbSequenceArgs   // Guarded by mu. All of them.
}

// ListenerConfig is how to answer. The zero value takes all callbacks.
type ListenerConfig struct {
	SessionConfig
	// Recall answers CB_RECALL, by how many there were before.
	Recall func(n int) wire.Status
	// Getattr answers CB_GETATTR; without it that is NOTSUPP.
	Getattr func() (change, size uint64)
}

// callbackLimit is how long a callback may take to come.
const callbackLimit = 10 * time.Second

// NewListener makes a client that answers callbacks.
func (t *T) NewListener(cfg ListenerConfig) *Listener {
	l := &Listener{cfg: cfg}
	cfg.Callbacks = l.callbacks()
	l.Session = t.NewSession(cfg.SessionConfig)
	if l.Info.Flags&wire.CreateSessionFlagConnBackChan == 0 {
		t.Skip("the server binds no back channel")
	}
	return l
}

func (l *Listener) callbacks() map[wire.CbOp]client.Callback {
	return map[wire.CbOp]client.Callback{
		wire.OpCbSequence:   l.sequence,
		wire.OpCbRecall:     l.recall,
		wire.OpCbGetattr:    l.getattr,
		wire.OpCbNotifyLock: l.notifyLock,
	}
}

// sequence takes any slot that the session has.
func (l *Listener) sequence(a wire.CbArgs) (wire.Status, wire.Body) {
	args := a.(wire.CbSequenceArgs)
	args.ReferringCallLists = slices.Clone(args.ReferringCallLists)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sequences = append(l.sequences, args)
	return wire.OK, wire.CbSequenceRes{
		SessionID: args.SessionID, SequenceID: args.SequenceID, SlotID: args.SlotID,
		HighestSlotID: args.HighestSlotID, TargetHighestSlotID: args.HighestSlotID,
	}
}

func (l *Listener) recall(a wire.CbArgs) (wire.Status, wire.Body) {
	args := a.(wire.CbRecallArgs)
	args.FH = bytes.Clone(args.FH)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recalls = append(l.recalls, args)
	if l.cfg.Recall == nil {
		return wire.OK, nil
	}
	return l.cfg.Recall(len(l.recalls) - 1), nil
}

func (l *Listener) getattr(a wire.CbArgs) (wire.Status, wire.Body) {
	args := a.(wire.CbGetattrArgs)
	args.FH = bytes.Clone(args.FH)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.getattrs = append(l.getattrs, args)
	if l.cfg.Getattr == nil {
		return wire.ErrNotSupp, nil
	}
	change, size := l.cfg.Getattr()
	return wire.OK, wire.CbGetattrRes{ObjAttributes: changeAndSize(args.AttrRequest, change, size)}
}

// changeAndSize returns those of two attributes that are asked for.
func changeAndSize(asked wire.Bitmap, change, size uint64) wire.FAttr {
	var e xdr.Encoder
	var mask wire.Bitmap
	if asked.Has(wire.AttrChange) {
		mask.Set(wire.AttrChange)
		e.Uint64(change)
	}
	if asked.Has(wire.AttrSize) {
		mask.Set(wire.AttrSize)
		e.Uint64(size)
	}
	return wire.FAttr{Mask: mask, Values: e.Bytes()}
}

func (l *Listener) notifyLock(a wire.CbArgs) (wire.Status, wire.Body) {
	args := a.(wire.CbNotifyLockArgs)
	args.FH, args.LockOwner.Owner = bytes.Clone(args.FH), bytes.Clone(args.LockOwner.Owner)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notices = append(l.notices, args)
	return wire.OK, nil
}

// Sequences returns the CB_SEQUENCEs there were.
func (l *Listener) Sequences() []wire.CbSequenceArgs {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.sequences)
}

// Recalls returns how many CB_RECALLs there were.
func (l *Listener) Recalls() int { return tally(l, &l.recalls) }

// Getattrs returns how many CB_GETATTRs there were.
func (l *Listener) Getattrs() int { return tally(l, &l.getattrs) }

// Recalled waits for CB_RECALL number n, from 1.
func (l *Listener) Recalled(n int) wire.CbRecallArgs {
	return nth(l, "CB_RECALL", &l.recalls, n)
}

// Notified waits for CB_NOTIFY_LOCK number n, from 1.
func (l *Listener) Notified(n int) wire.CbNotifyLockArgs {
	return nth(l, "CB_NOTIFY_LOCK", &l.notices, n)
}

func tally[A any](l *Listener, all *[]A) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(*all)
}

func nth[A any](l *Listener, what string, all *[]A, n int) A {
	if !l.t.Until(callbackLimit, func() bool { return tally(l, all) >= n }) {
		l.t.Fatalf("there is no %s within %v", what, callbackLimit)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.t.Logf("call: %s%s", what, show((*all)[n-1]))
	return (*all)[n-1]
}
