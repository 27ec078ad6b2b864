package rados

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidegate/tidegate/cluster"
	"github.com/tidegate/tidegate/recovery"
	"github.com/tidegate/tidegate/recovery/ganesha"
)

// runName is the object that counts runs.
const runName = "tidegate-run"

// Config says which records are kept.
type Config struct {
	Pool  cluster.Pool
	OID   string // of the grace database
	Node  string // a member of it, whose grace.Coordinator joins before each Begin
	Lease time.Duration
	Alone bool // it is the only member
}

// Backend keeps the client records of one node.
type Backend struct {
	cfg Config
	db  *cluster.Database

	others others

	turn  chan struct{} // holds an element while somebody writes; taken before mu
	epoch atomic.Uint64 // of now; 0: none

	mu   sync.Mutex
	open *round // of changes that nobody writes yet. Guarded by mu.

	now   *set            // Guarded by turn, as is all below. nil: not between Begin and Close.
	old   *set            // of the epoch being recovered, until Settle; nil: none
	run   uint64          // the number of this one
	back  map[string]bool // owners that were put in this run
	grace bool            // from Begin or Renew to Commit
}

// round is changes that are written together.
type round struct {
	changes changes // Guarded by Backend.mu while it is open, else by turn.
	done    bool    // Guarded by turn, as is err.
	err     error
}

func newRound() *round { return &round{changes: make(changes)} }

var (
	_ recovery.Backend = (*Backend)(nil)
	_ cluster.Records  = (*Backend)(nil)
)

// New returns a backend. Storage is not touched before Begin.
func New(cfg Config) *Backend {
	return &Backend{cfg: cfg, db: cluster.NewDatabase(cfg.Pool, cfg.OID), turn: make(chan struct{}, 1), open: newRound()}
}

// take waits for the turn to write.
func (b *Backend) take(ctx context.Context) error {
	select {
	case b.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *Backend) give() { <-b.turn }

// Begin implements recovery.Backend. The node's Coordinator has joined a grace
// period.
func (b *Backend) Begin(ctx context.Context) (recovery.Start, error) {
	if err := b.take(ctx); err != nil {
		return recovery.Start{}, err
	}
	defer b.give()
	b.restart(nil, nil)
	db, err := b.db.Read(ctx)
	if err == nil && db.Rec == 0 {
		err = errNoGrace
	}
	if err != nil {
		return recovery.Start{}, explain(b.cfg.OID, err)
	}
	now, old := b.set(db.Cur), b.set(db.Rec)
	for _, s := range []*set{now, old} {
		if err := s.read(ctx, b.cfg.Pool); err != nil {
			return recovery.Start{}, explain(s.oid, err)
		}
	}
	lease := max(now.lease, old.lease)
	if err := b.number(ctx); err != nil {
		return recovery.Start{}, err
	}
	if err := b.apply(ctx, now, nil, b.marks()); err != nil {
		return recovery.Start{}, err
	}
	// What a crash between the end of an earlier grace period and Settle left, and
	// questions about the run before.
	for _, oid := range []string{setName(db.Rec-1, b.cfg.Node), astrayName(b.cfg.Node)} {
		if err := b.cfg.Pool.Delete(ctx, oid); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return recovery.Start{}, explain(oid, err)
		}
	}
	b.restart(now, old)
	return recovery.Start{
		Epochs: recovery.Epochs{Current: db.Cur, Recovering: db.Rec},
		Run:    b.run, Lease: lease, Clients: onRecord(now, old), Partial: !b.cfg.Alone,
		Notes: append(now.note(), old.note()...),
	}, nil
}

func (b *Backend) set(epoch uint64) *set { return &set{oid: setName(epoch, b.cfg.Node), epoch: epoch} }

// restart begins a grace period on these sets. What was to be written to others
// is not: its callers have given up.
func (b *Backend) restart(now, old *set) {
	b.now, b.old, b.grace, b.back = now, old, now != nil, make(map[string]bool)
	if now != nil {
		b.epoch.Store(now.epoch)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open = newRound()
}

// marks are the attributes of a set that this run begins.
func (b *Backend) marks() map[string]string {
	return map[string]string{runAttr: strconv.FormatUint(b.run, 10), leaseAttr: b.cfg.Lease.String()}
}

// onRecord are the records of a grace period, by owner. Where both sets have
// one, that of the current epoch counts; once that is settled, no other does.
func onRecord(now, old *set) (clients []recovery.Client) {
	all := make(map[string]entry)
	if !now.settled {
		maps.Copy(all, old.records)
	}
	maps.Copy(all, now.records)
	for _, e := range all {
		clients = append(clients, e.client)
	}
	slices.SortFunc(clients, func(c, d recovery.Client) int { return strings.Compare(c.Owner, d.Owner) })
	return clients
}

// Claim takes the node's place from a server that still runs, before this one does
// anything in the node's name.
func (b *Backend) Claim(ctx context.Context) error {
	if err := b.take(ctx); err != nil {
		return err
	}
	defer b.give()
	db, err := b.db.Read(ctx)
	if err != nil {
		return explain(b.cfg.OID, err)
	}
	now := b.set(db.Cur)
	if err := now.read(ctx, b.cfg.Pool); err != nil {
		return explain(now.oid, err)
	}
	if err := b.number(ctx); err != nil || now.version == 0 {
		return err
	}
	return b.apply(ctx, now, nil, map[string]string{runAttr: strconv.FormatUint(b.run, 10)})
}

// Hold implements cluster.Records.
func (b *Backend) Hold(ctx context.Context) error {
	if err := b.take(ctx); err != nil {
		return err
	}
	defer b.give()
	return b.hold(ctx)
}

func (b *Backend) hold(ctx context.Context) error {
	if b.now == nil {
		return nil
	}
	s := b.set(b.now.epoch)
	if err := s.read(ctx, b.cfg.Pool); err != nil {
		return explain(s.oid, err)
	}
	if s.version != 0 && s.run != b.run {
		return busy(s.oid, b.cfg.Node)
	}
	return nil
}

// number gives this run its number.
func (b *Backend) number(ctx context.Context) (err error) {
	if b.run == 0 {
		b.run, err = b.nextRun(ctx)
	}
	return explain(runName, err)
}

// nextRun takes a number that no server has had.
func (b *Backend) nextRun(ctx context.Context) (uint64, error) {
	for {
		o, err := b.cfg.Pool.Read(ctx, runName)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
		var last uint64
		if o.Version != 0 {
			if len(o.Body) != 8 {
				return 0, &recovery.Error{Name: "object " + runName, Err: recovery.ErrDamaged,
					Cure: "write into it a number that is higher than any before, in 8 bytes, the lowest first"}
			}
			last = binary.LittleEndian.Uint64(o.Body)
		}
		_, err = b.cfg.Pool.Apply(ctx, runName, cluster.Write{
			Version: o.Version, Body: binary.LittleEndian.AppendUint64(nil, last+1),
		})
		if !errors.Is(err, cluster.ErrChanged) {
			return last + 1, err
		}
	}
}

// Renew implements recovery.Backend. If the grace period of the others is over
// already, the records move to the epoch that came with it all the same.
func (b *Backend) Renew(ctx context.Context, clients []recovery.Client) (recovery.Start, error) {
	if err := b.take(ctx); err != nil {
		return recovery.Start{}, err
	}
	defer b.give()
	if b.now == nil {
		return recovery.Start{}, errClosed
	}
	db, err := b.db.Read(ctx)
	if err != nil {
		return recovery.Start{}, explain(b.cfg.OID, err)
	}
	next, old := b.set(db.Cur), b.now
	if err := next.read(ctx, b.cfg.Pool); err != nil {
		return recovery.Start{}, explain(next.oid, err)
	}
	if err := b.hold(ctx); err != nil {
		return recovery.Start{}, err
	}
	if next.run > b.run {
		return recovery.Start{}, busy(next.oid, b.cfg.Node)
	}
	all := make(changes)
	for owner := range next.records {
		all[owner] = nil
	}
	back := make(map[string]bool)
	for _, c := range clients {
		kept := ganesha.Kept(c)
		all[c.Owner], back[c.Owner] = &kept, true
	}
	marks := b.marks()
	marks[settledAttr] = ""
	if err := b.apply(ctx, next, all, marks); err != nil {
		return recovery.Start{}, err
	}
	if next.epoch == old.epoch {
		old = b.old
	}
	b.restart(next, old)
	b.back = back
	return recovery.Start{
		Epochs: recovery.Epochs{Current: db.Cur, Recovering: db.Rec},
		Run:    b.run, Lease: b.cfg.Lease, Partial: !b.cfg.Alone,
	}, nil
}

// Put implements recovery.Backend. Of a client it keeps what ganesha.Kept says.
func (b *Backend) Put(ctx context.Context, c recovery.Client) error {
	if err := c.Validate(); err != nil {
		return err
	}
	c = ganesha.Kept(c)
	return b.change(ctx, c.Owner, &c)
}

// Remove implements recovery.Backend.
func (b *Backend) Remove(ctx context.Context, owner string) error {
	c := recovery.Client{Owner: owner}
	if err := c.Validate(); err != nil {
		return err
	}
	return b.change(ctx, owner, nil)
}

// change makes a change, with those that others want at the same time.
func (b *Backend) change(ctx context.Context, owner string, c *recovery.Client) error {
	b.mu.Lock()
	r := b.open
	r.changes[owner] = c
	b.mu.Unlock()
	if err := b.take(ctx); err != nil {
		return err
	}
	defer b.give()
	if !r.done {
		b.mu.Lock()
		if b.open == r {
			b.open = newRound()
		}
		b.mu.Unlock()
		r.err, r.done = b.write(context.WithoutCancel(ctx), r.changes), true
	}
	return r.err
}

// write makes changes durable, in the order that the package's page tells.
func (b *Backend) write(ctx context.Context, cs changes) error {
	if b.now == nil {
		return errClosed
	}
	removed, barred := make(changes), make(changes)
	for owner, c := range cs {
		switch {
		case c == nil:
			removed[owner] = nil
		case !c.MayReclaim():
			barred[owner] = nil
		}
	}
	if err := b.forget(ctx, removed); err != nil {
		return err
	}
	if err := b.apply(ctx, b.now, cs, nil); err != nil {
		return err
	}
	for owner, c := range cs {
		if c != nil {
			b.back[owner] = true
		} else {
			delete(b.back, owner)
		}
	}
	return b.forget(ctx, barred)
}

// forget takes owners off the record of the epoch being recovered.
func (b *Backend) forget(ctx context.Context, owners changes) error {
	if b.old == nil || b.old.version == 0 {
		return nil
	}
	return b.apply(ctx, b.old, owners, nil)
}

// apply changes a set. One of this run must not have been written by another.
func (b *Backend) apply(ctx context.Context, s *set, cs changes, attrs map[string]string) error {
	for again := s.stale; ; {
		if again {
			if err := s.read(ctx, b.cfg.Pool); err != nil {
				return explain(s.oid, err)
			}
			if s == b.now && s.run != b.run {
				return busy(s.oid, b.cfg.Node)
			}
		}
		var err error
		if again, err = s.apply(ctx, b.cfg.Pool, cs, attrs); !again {
			return explain(s.oid, err)
		}
	}
}

// Commit implements recovery.Backend.
func (b *Backend) Commit(ctx context.Context) error {
	if err := b.take(ctx); err != nil {
		return err
	}
	defer b.give()
	if b.now == nil {
		return errClosed
	}
	if !b.grace {
		return nil
	}
	gone := make(changes)
	for owner := range b.now.records {
		if !b.back[owner] {
			gone[owner] = nil
		}
	}
	if err := b.apply(ctx, b.now, gone, map[string]string{settledAttr: "1"}); err != nil {
		return err
	}
	b.grace = false
	return nil
}

// Settle drops what Commit left: no server is in a grace period any more.
func (b *Backend) Settle(ctx context.Context) error {
	if err := b.take(ctx); err != nil {
		return err
	}
	defer b.give()
	if b.old == nil || b.grace {
		return nil
	}
	if err := b.cfg.Pool.Delete(ctx, b.old.oid); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return explain(b.old.oid, err)
	}
	b.old = nil
	return nil
}

// Epoch implements cluster.Records.
func (b *Backend) Epoch() uint64 { return b.epoch.Load() }

// Close implements recovery.Backend.
func (b *Backend) Close() error {
	b.turn <- struct{}{}
	defer b.give()
	b.restart(nil, nil)
	return nil
}
