package load

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// renewEvery is well within any lease.
const renewEvery = 10 * time.Second

// Bench is a load that is ready to run. Its methods are for one goroutine.
type Bench struct {
	busy    sync.Mutex    // held by whoever uses the workers
	closed  chan struct{} // closed by Close
	renewed chan struct{} // closed when nobody renews leases any more
	job     Job
	op      *op
	top     string // the directory made for it, in the export
	clients []*clientLoad
	workers []*worker
}

// New mounts the clients and makes what the operation needs below a directory of
// its own in the export.
func New(ctx context.Context, t Target, job Job) (*Bench, error) {
	o := find(job.Op)
	if o == nil {
		return nil, fmt.Errorf("no operation %q", job.Op)
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	b := &Bench{job: job, op: o, top: fmt.Sprintf("nfsbench.%s.%d.%d", host, os.Getpid(), time.Now().UnixNano()),
		closed: make(chan struct{}), renewed: make(chan struct{})}
	err = b.start(ctx, t)
	go b.renew(ctx)
	if err != nil {
		return nil, errors.Join(err, b.Close(ctx))
	}
	return b, nil
}

func (b *Bench) start(ctx context.Context, t Target) error {
	for i := range b.job.Clients {
		c, err := newClient(ctx, t, b.job, fmt.Sprintf("%s.%d", b.top, i))
		if err != nil {
			return fmt.Errorf("client %d: %w", i, err)
		}
		b.clients = append(b.clients, c)
		b.workers = append(b.workers, c.workers...)
	}
	if b.op.bind == nil {
		return b.each(func(w *worker) error { w.operation = pinging(w); return nil })
	}
	first := b.workers[0]
	root, err := first.walk(ctx, t.Export)
	if err != nil {
		return fmt.Errorf("export %s: %w", t.Export, err)
	}
	for _, w := range b.workers {
		w.root = root
	}
	top, err := first.mkdir(ctx, root, b.top)
	if err != nil {
		return fmt.Errorf("export %s: %w", t.Export, err)
	}
	return b.each(func(w *worker) (err error) {
		w.name = fmt.Sprintf("w%d", w.id)
		w.top = top
		if w.dir, err = w.mkdir(ctx, top, w.name); err != nil {
			return err
		}
		w.operation, err = b.op.bind(ctx, w)
		return err
	})
}

// renew keeps the leases while others have their turn.
func (b *Bench) renew(ctx context.Context) {
	defer close(b.renewed)
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-b.closed:
			return
		case <-tick.C:
		}
		if !b.busy.TryLock() {
			continue
		}
		for _, c := range b.clients {
			if c.session != nil {
				c.workers[0].do(ctx) // what it answers, the next run says
			}
		}
		b.busy.Unlock()
	}
}

// each calls f for all workers at once, and returns an error of one of them.
func (b *Bench) each(f func(*worker) error) error {
	var wg sync.WaitGroup
	errs := make([]error, len(b.workers))
	limit := make(chan struct{}, 256)
	for i, w := range b.workers {
		w.id = i
		limit <- struct{}{}
		wg.Go(func() {
			defer func() { <-limit }()
			errs[i] = f(w)
		})
	}
	wg.Wait()
	return one(errs)
}

// one returns the first error that there is: what befalls one worker mostly befalls all.
func one(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Run measures for d, or until ctx ends. It calls mark, if not nil, when the clock
// begins to run and when it stops.
func (b *Bench) Run(ctx context.Context, d time.Duration, mark func(running bool)) (Result, error) {
	b.busy.Lock()
	defer b.busy.Unlock()
	if mark == nil {
		mark = func(bool) {}
	}
	sum := Result{Latency: newHistogram()}
	for sum.Elapsed < d && ctx.Err() == nil {
		if b.workers[0].prepare != nil {
			if err := b.each(func(w *worker) error { return w.prepare() }); err != nil {
				return sum, fmt.Errorf("%s: prepare: %w", b.op.name, err)
			}
		}
		if err := b.round(ctx, d-sum.Elapsed, mark, &sum); err != nil {
			return sum, fmt.Errorf("%s: %w", b.op.name, err)
		}
	}
	sum.Bytes = sum.Ops * uint64(b.op.bytes)
	return sum, ctx.Err()
}

// round lets all workers run for left, or until they have used up what they have.
func (b *Bench) round(ctx context.Context, left time.Duration, mark func(bool), sum *Result) error {
	var wg sync.WaitGroup
	errs := make([]error, len(b.workers))
	steps := 0
	if b.workers[0].prepare != nil {
		steps = b.job.Files
	}
	mark(true)
	begin := time.Now()
	for i, w := range b.workers {
		wg.Go(func() { errs[i] = w.run(ctx, b.pace(begin, i), begin.Add(left), steps) })
	}
	wg.Wait()
	sum.Elapsed += time.Since(begin)
	mark(false)
	for _, w := range b.workers {
		sum.Ops += w.ops
		sum.Latency.Merge(w.latency)
		w.ops = 0
		w.latency.Reset()
	}
	return one(errs)
}

// SetRate changes Job.Rate for the runs to come.
func (b *Bench) SetRate(perSecond float64) { b.job.Rate = perSecond }

// pace is when the operations of one worker are due.
func (b *Bench) pace(begin time.Time, worker int) pace {
	if b.job.Rate == 0 {
		return pace{}
	}
	each := time.Duration(float64(time.Second) * float64(len(b.workers)) / b.job.Rate)
	return pace{next: begin.Add(each * time.Duration(worker) / time.Duration(len(b.workers))), each: each}
}

// Close removes what was made, and ends the sessions.
func (b *Bench) Close(ctx context.Context) error {
	close(b.closed)
	<-b.renewed
	var err error
	if len(b.workers) > 0 && b.workers[0].top != nil {
		err = b.each(func(w *worker) error { return w.clean(ctx) })
		first := b.workers[0]
		err = errors.Join(err, first.remove(ctx, first.root, b.top))
	}
	for _, c := range b.clients {
		c.close(ctx)
	}
	return err
}
