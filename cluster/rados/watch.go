//go:build ceph

package rados

import (
	"context"
	"time"

	"github.com/ceph/go-ceph/rados"
)

const (
	// notifyWait is how long Ceph waits for those who are told; a dead one does
	// not answer.
	notifyWait = 2 * time.Second
	// watchPoll is how often a watch that Ceph does not keep is begun anew.
	watchPoll = time.Second
)

// Notify implements cluster.Pool. An error would say that some were not told:
// they look for themselves now and then.
func (p *Pool) Notify(ctx context.Context, oid string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p.bells.Go(func() { p.bell.NotifyWithTimeout(oid, nil, notifyWait) })
	return nil
}

// Watch implements cluster.Pool.
func (p *Pool) Watch(ctx context.Context, oid string, changed func()) (stop func(), err error) {
	w, err := p.bell.Watch(oid)
	if err != nil {
		return nil, failed(oid, err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	p.bells.Go(func() {
		defer close(done)
		p.attend(ctx, oid, w, changed)
	})
	return func() { cancel(); <-done }, nil
}

// attend calls changed for each notification until ctx ends. When the watch
// breaks, and until there is a new one, anything may have been missed.
func (p *Pool) attend(ctx context.Context, oid string, w *rados.Watcher, changed func()) {
	for w != nil {
		broken := follow(ctx, w, changed)
		drop(w)
		w = nil
		for broken && w == nil {
			changed()
			if w, _ = p.bell.Watch(oid); w != nil {
				changed() // since the last of these calls
				break
			}
			select {
			case <-time.After(watchPoll):
			case <-ctx.Done():
				return
			}
		}
	}
}

// follow returns whether the watch broke; else ctx ended.
func follow(ctx context.Context, w *rados.Watcher, changed func()) (broken bool) {
	for {
		select {
		case n := <-w.Events():
			n.Ack(nil)
			changed()
		case <-w.Errors():
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// drop ends a watch, and takes what it has to say until then.
func drop(w *rados.Watcher) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		events, errs := w.Events(), w.Errors()
		for events != nil || errs != nil {
			select {
			case n, ok := <-events:
				if !ok {
					events = nil
					continue
				}
				n.Ack(nil)
			case _, ok := <-errs:
				if !ok {
					errs = nil
				}
			}
		}
	}()
	if w.Delete() == nil {
		<-done
	}
}
