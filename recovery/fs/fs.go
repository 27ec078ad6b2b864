package fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidegate/tidegate/recovery"
)

// writers bounds the record files that are written and synced at a time: enough
// that a journalling file system commits many of them together.
const writers = 16

// Config says where records are kept.
type Config struct {
	Dir   string
	Lease time.Duration // of this run; kept, so that the next run's grace period is no shorter

	// Import is a recovery root of nfs-ganesha, with v4recov or v4old in it.
	// Its clients are on record at the first start. "": there is none.
	Import string
}

// Backend keeps client records in a directory. See the package's own page.
type Backend struct {
	cfg    Config
	store  storage   // nil until Begin opened it; set by Begin and Close only
	closer io.Closer // of store

	slots  chan struct{} // one for each writer
	serial atomic.Uint64 // of names of temporary files
	names  *barrier      // syncs of the current epoch's directory

	now atomic.Pointer[pair] // nil: not between a Begin and a Close
}

var _ recovery.Backend = (*Backend)(nil)

// New returns a backend. Storage is not touched before Begin.
func New(cfg Config) *Backend {
	return &Backend{cfg: cfg, slots: make(chan struct{}, writers), names: newBarrier()}
}

// Begin implements recovery.Backend.
func (b *Backend) Begin(context.Context) (recovery.Start, error) {
	if b.store == nil {
		d, err := openDisk(b.cfg.Dir)
		if err != nil {
			return recovery.Start{}, err
		}
		b.store, b.closer = d, d
	}
	p, notes, err := b.load()
	if err != nil {
		return recovery.Start{}, err
	}
	next := p
	next.run++
	next.lease = max(p.lease, b.cfg.Lease)
	if p.Recovering == 0 {
		next.Epochs = recovery.Epochs{Current: p.Current + 1, Recovering: p.Current}
		if err := b.makeEpoch(next.Current, p); err != nil {
			return recovery.Start{}, err
		}
	}
	clients, more, err := b.onRecord(next)
	if err == nil {
		err = b.commit(next)
	}
	if err != nil {
		return recovery.Start{}, err
	}
	b.now.Store(&next)
	return recovery.Start{
		Epochs: next.Epochs, Run: next.run, Lease: p.lease,
		Clients: clients, Notes: append(notes, more...),
	}, nil
}

// Renew implements recovery.Backend. A Renew that failed must be repeated with
// the same clients before any other call: whether the move is durable is not
// known, and so neither is where a record belongs.
func (b *Backend) Renew(ctx context.Context, clients []recovery.Client) (recovery.Start, error) {
	p, err := b.readPair()
	if err != nil {
		return recovery.Start{}, b.explainPair(err)
	}
	b.now.Store(nil)
	next := p
	if p.Recovering == 0 {
		next.Epochs = recovery.Epochs{Current: p.Current + 1, Recovering: p.Current}
		next.lease = max(p.lease, b.cfg.Lease)
		if err := b.makeEpoch(next.Current, p); err != nil {
			return recovery.Start{}, err
		}
	}
	if err := b.writeAll(ctx, next, clients); err != nil {
		return recovery.Start{}, err
	}
	if err := b.commit(next); err != nil {
		return recovery.Start{}, err
	}
	b.now.Store(&next)
	return recovery.Start{Epochs: next.Epochs, Run: next.run, Lease: next.lease}, nil
}

// Put implements recovery.Backend.
func (b *Backend) Put(ctx context.Context, c recovery.Client) error {
	if err := c.Validate(); err != nil {
		return err
	}
	p, err := b.running()
	if err != nil {
		return err
	}
	return b.put(ctx, *p, record{Client: c, run: p.run})
}

// Remove implements recovery.Backend.
func (b *Backend) Remove(ctx context.Context, owner string) error {
	p, err := b.running()
	if err != nil {
		return err
	}
	r := record{Client: recovery.Client{Owner: owner}, run: p.run, removed: true}
	if err := r.Validate(); err != nil {
		return err
	}
	if p.Recovering != 0 {
		return b.put(ctx, *p, r)
	}
	name := epochDir(p.Current) + "/" + fileName(owner)
	err = b.store.Remove(name)
	if err == nil || errors.Is(err, iofs.ErrNotExist) {
		err = b.syncNames(ctx, p.Current) // an earlier Remove may have failed there
	}
	return b.explainRecord(owner, name, err)
}

// Commit implements recovery.Backend.
func (b *Backend) Commit(context.Context) error {
	p, err := b.running()
	if err != nil || p.Recovering == 0 {
		return err
	}
	next := *p
	next.Recovering, next.floor, next.lease = 0, p.run, b.cfg.Lease
	if err := b.commit(next); err != nil {
		return err
	}
	b.now.Store(&next)
	_ = b.removeEpoch(p.Recovering) // what is left of it goes at the next Begin
	return nil
}

// Close implements recovery.Backend.
func (b *Backend) Close() error {
	b.now.Store(nil)
	if b.closer == nil {
		return nil
	}
	err := b.closer.Close()
	b.closer = nil
	return err
}

func (b *Backend) running() (*pair, error) {
	p := b.now.Load()
	if p == nil {
		return nil, &recovery.Error{Name: b.cfg.Dir, Err: recovery.ErrClosed}
	}
	return p, nil
}

func (b *Backend) put(ctx context.Context, p pair, r record) error {
	name := epochDir(p.Current) + "/" + fileName(r.Owner)
	err := b.write(ctx, name, r)
	if err == nil {
		err = b.syncNames(ctx, p.Current)
	}
	return b.explainRecord(r.Owner, name, err)
}

func (b *Backend) write(ctx context.Context, name string, r record) error {
	select {
	case b.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-b.slots }()
	tmp := name + "." + strconv.FormatUint(b.serial.Add(1), 10) + ".tmp"
	return replace(b.store, name, tmp, r.encode())
}

func (b *Backend) syncNames(ctx context.Context, epoch uint64) error {
	return b.names.pass(ctx, func() error { return b.store.SyncDir(epochDir(epoch)) })
}

// writeAll makes records of clients durable in the current epoch of p.
func (b *Backend) writeAll(ctx context.Context, p pair, clients []recovery.Client) error {
	errs := make([]error, len(clients))
	var wg sync.WaitGroup
	for i, c := range clients {
		if errs[i] = c.Validate(); errs[i] == nil {
			wg.Go(func() { errs[i] = b.put(ctx, p, record{Client: c, run: p.run}) })
		}
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *Backend) explainRecord(owner, name string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return explain(fmt.Sprintf("record of client %s (%s)", recovery.Quote(owner), b.store.Path(name)), err)
}
