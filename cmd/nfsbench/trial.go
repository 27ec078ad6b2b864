//go:build linux

package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/tidegate/tidegate/cmd/nfsbench/load"
	"github.com/tidegate/tidegate/cmd/nfsbench/meter"
)

// trial is an operation on one server, ready to be measured again and again.
type trial struct {
	op     string
	to     server
	bench  *load.Bench
	beside []*load.Bench
	idle   uint64 // memory before any load
}

// begin prepares an operation and what runs beside it.
func (s *settings) begin(ctx context.Context, to server, op string) (*trial, error) {
	t := &trial{op: op, to: to}
	err := t.mount(ctx, s)
	if err == nil {
		t.idle, err = to.Memory()
	}
	if err != nil {
		return nil, errors.Join(err, t.close(ctx))
	}
	return t, nil
}

func (t *trial) mount(ctx context.Context, s *settings) (err error) {
	if t.bench, err = load.New(ctx, t.to.target, s.job(t.op)); err != nil {
		return err
	}
	for _, op := range s.beside {
		b, err := load.New(ctx, t.to.target, load.Job{Op: op, Clients: 1, Conns: 1, Depth: s.besideDepth, Files: s.size})
		if err != nil {
			return err
		}
		t.beside = append(t.beside, b)
	}
	return nil
}

// measure measures once.
func (t *trial) measure(ctx context.Context, d time.Duration) (figure, error) {
	stop := t.startBeside(ctx)
	var sum, begin meter.Usage
	var failed error
	r, err := t.bench.Run(ctx, d, func(running bool) {
		now, err := t.to.Usage()
		failed = errors.Join(failed, err)
		if running {
			begin = now
		} else {
			sum = sum.Add(now.Since(begin))
		}
	})
	if err = errors.Join(err, failed, stop()); err != nil {
		return figure{}, err
	}
	f := newFigure(t.op, r, sum)
	f.IdleMemory = t.idle
	f.Memory, err = t.to.Memory()
	return f, err
}

// startBeside starts what runs beside the operation, until stop.
func (t *trial) startBeside(ctx context.Context) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	errs := make([]error, len(t.beside))
	for i, b := range t.beside {
		wg.Go(func() {
			if _, err := b.Run(ctx, time.Hour, nil); !errors.Is(err, context.Canceled) {
				errs[i] = err
			}
		})
	}
	return func() error {
		cancel()
		wg.Wait()
		return errors.Join(errs...)
	}
}

func (t *trial) close(ctx context.Context) error {
	var errs []error
	for _, b := range append(t.beside, t.bench) {
		if b != nil {
			errs = append(errs, b.Close(context.WithoutCancel(ctx)))
		}
	}
	return errors.Join(errs...)
}
