package recoverytest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tidegate/tidegate/recovery"
)

// A Disk is storage in memory that outlives the backends on it, as a disk does
// a server.
type Disk struct {
	mu      sync.Mutex
	epochs  recovery.Epochs      // Guarded by mu, as is all below.
	current map[string]memRecord // by owner
	recover map[string]memRecord // nil outside a grace period
	run     uint64
	lease   time.Duration
	fail    func(call, owner string) error
	calls   map[string]int
}

type memRecord struct {
	recovery.Client
	run     uint64
	removed bool
}

// NewDisk returns an empty disk.
func NewDisk() *Disk {
	return &Disk{
		epochs: recovery.Epochs{Current: 1}, current: make(map[string]memRecord), calls: make(map[string]int),
	}
}

// Backend returns a backend for one run of a server with this lease.
func (d *Disk) Backend(lease time.Duration) recovery.Backend { return &memBackend{d, lease} }

// Fail makes calls fail for which fail returns an error, and change nothing.
// Calls are named as recovery.Backend's methods; nil ends it.
func (d *Disk) Fail(fail func(call, owner string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = fail
}

// Calls returns how often a method was called with success.
func (d *Disk) Calls(call string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls[call]
}

type memBackend struct {
	*Disk
	term time.Duration
}

// begin starts a call, and returns with mu held.
func (b *memBackend) begin(ctx context.Context, call, owner string) error {
	b.mu.Lock()
	err := ctx.Err()
	if err == nil && b.fail != nil {
		err = b.fail(call, owner)
	}
	if err != nil {
		return &recovery.Error{Name: "memory", Err: err}
	}
	b.calls[call]++
	return nil
}

func (b *memBackend) Begin(ctx context.Context) (recovery.Start, error) {
	defer b.mu.Unlock()
	if err := b.begin(ctx, "Begin", ""); err != nil {
		return recovery.Start{}, err
	}
	b.run++
	before := b.lease
	b.lease = max(b.lease, b.term)
	if b.epochs.Recovering == 0 {
		b.advance()
	}
	all := maps.Clone(b.recover)
	maps.Copy(all, b.current)
	start := recovery.Start{Epochs: b.epochs, Run: b.run, Lease: before}
	for _, r := range all {
		if !r.removed {
			start.Clients = append(start.Clients, r.Client)
		}
	}
	slices.SortFunc(start.Clients, func(c, d recovery.Client) int { return strings.Compare(c.Owner, d.Owner) })
	return start, nil
}

func (b *memBackend) advance() {
	b.epochs = recovery.Epochs{Current: b.epochs.Current + 1, Recovering: b.epochs.Current}
	b.recover, b.current = b.current, make(map[string]memRecord)
}

func (b *memBackend) Renew(ctx context.Context, clients []recovery.Client) (recovery.Start, error) {
	defer b.mu.Unlock()
	if err := b.begin(ctx, "Renew", ""); err != nil {
		return recovery.Start{}, err
	}
	if b.epochs.Recovering == 0 {
		b.advance()
	}
	for _, c := range clients {
		b.current[c.Owner] = memRecord{Client: c, run: b.run}
	}
	return recovery.Start{Epochs: b.epochs, Run: b.run, Lease: b.lease}, nil
}

func (b *memBackend) Put(ctx context.Context, c recovery.Client) error {
	if err := c.Validate(); err != nil {
		return err
	}
	defer b.mu.Unlock()
	if err := b.begin(ctx, "Put", c.Owner); err != nil {
		return err
	}
	b.current[c.Owner] = memRecord{Client: c, run: b.run}
	return nil
}

func (b *memBackend) Remove(ctx context.Context, owner string) error {
	if err := (recovery.Client{Owner: owner}).Validate(); err != nil {
		return err
	}
	defer b.mu.Unlock()
	if err := b.begin(ctx, "Remove", owner); err != nil {
		return err
	}
	b.current[owner] = memRecord{run: b.run, removed: true}
	return nil
}

func (b *memBackend) Commit(ctx context.Context) error {
	defer b.mu.Unlock()
	if err := b.begin(ctx, "Commit", ""); err != nil {
		return err
	}
	if b.epochs.Recovering != 0 {
		maps.DeleteFunc(b.current, func(_ string, r memRecord) bool { return r.run != b.run || r.removed })
		b.epochs.Recovering, b.recover, b.lease = 0, nil, b.term
	}
	return nil
}

func (b *memBackend) Close() error { return nil }
