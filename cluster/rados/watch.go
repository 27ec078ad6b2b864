//go:build ceph

package rados

import (
	"context"
	"time"
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
	b, err := hang(p.bell, oid)
	if err != nil {
		return nil, failed(oid, err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	p.bells.Go(func() {
		defer close(done)
		p.attend(ctx, oid, b, changed)
	})
	return func() { cancel(); <-done }, nil
}

// attend calls changed for each notification until ctx ends. When the watch
// breaks, and until there is a new one, anything may have been missed.
func (p *Pool) attend(ctx context.Context, oid string, b *bell, changed func()) {
	for b != nil {
		broken := b.listen(ctx, changed)
		b.remove()
		b = nil
		for broken && b == nil {
			changed()
			if b, _ = hang(p.bell, oid); b != nil {
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
