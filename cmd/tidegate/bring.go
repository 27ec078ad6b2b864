package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/fsal"
)

// ownedFS is a file system that a server closes when the export is gone.
type ownedFS struct {
	fsal.FS
	end func() // ends the export's use of it for good; does not wait
}

// Close has the file system closed in the background: one that hangs holds up what
// takes its id, and no stop of the server.
func (o *ownedFS) Close() error {
	o.end()
	return nil
}

// own makes fs that of x, which has an end with it. Called with changing.
func (t *exportTable) own(x *liveExport, fs fsal.FS) *ownedFS {
	pseudo := x.spec.pseudo
	return &ownedFS{fs, func() {
		t.tries.Go(func() {
			defer close(x.ended)
			t.shut(pseudo, func() error { return retire(fs) })
		})
	}}
}

// retire closes a file system for good: nobody will take over what it holds.
func retire(fs fsal.FS) error {
	if fs, ok := fs.(interface{ Retire() error }); ok {
		return fs.Retire()
	}
	return fs.Close()
}

// opensAtOnce bounds how many file systems are opened at the same time. One that takes
// longer than openTime does not count any more: it may hang, and so may many.
const (
	opensAtOnce = 16
	openTime    = 30 * time.Second
)

const (
	retryFirst = time.Second
	retryLast  = 30 * time.Second
)

// begin has x's file system opened. Called with changing.
func (t *exportTable) begin(x *liveExport) {
	ctx, gone := context.WithCancel(t.ctx)
	x.gone = gone
	t.tries.Go(func() {
		defer gone()
		t.bring(ctx, x)
	})
}

// bring opens x's file system, again and again until it is there or ctx ends.
func (t *exportTable) bring(ctx context.Context, x *liveExport) {
	defer x.told()
	if x.after != nil {
		select {
		case <-x.after:
		case <-t.ctx.Done():
		}
	}
	for wait := retryFirst; ctx.Err() == nil; wait = min(2*wait, retryLast) {
		if t.try(ctx, x) {
			return
		}
		x.told()
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	close(x.ended)
}

// try opens x's file system and puts it in force, unless ctx ends.
func (t *exportTable) try(ctx context.Context, x *liveExport) bool {
	t.mu.Lock()
	spec := x.spec
	t.mu.Unlock()
	fs, err := t.openWhole(ctx, spec)
	if t.settle(ctx, x, fs, err) {
		return true
	}
	if err == nil {
		t.discard(ctx, spec.pseudo, fs)
	}
	return false
}

// settle puts fs in force as x's, or with err notes why there is none. Unless it
// reports that fs is in force the caller closes it.
func (t *exportTable) settle(ctx context.Context, x *liveExport, fs fsal.FS, err error) bool {
	t.changing.Lock()
	defer t.changing.Unlock()
	if ctx.Err() != nil {
		return false
	}
	var owned *ownedFS
	if err == nil {
		owned = t.own(x, fs)
		if t.publish != nil {
			err = t.publish(t.offers(x, owned))
		}
	}
	if err != nil {
		owned = nil
	}
	known := x.err != nil && err != nil && x.err.Error() == err.Error()
	t.note(x, owned, err)
	if t.publish != nil && !known {
		t.report(x)
	}
	if owned != nil {
		t.share()
	}
	return owned != nil
}

// discard closes a file system that is not in force, and of which an export had use
// until ctx ended.
func (t *exportTable) discard(ctx context.Context, pseudo string, fs fsal.FS) {
	end := fs.Close
	if ctx.Err() != nil && t.ctx.Err() == nil { // that export is gone, the server is not
		end = func() error { return retire(fs) }
	}
	t.shut(pseudo, end)
}

func (t *exportTable) shut(pseudo string, end func() error) {
	if err := end(); err != nil {
		t.log.Warn("the file system of an export did not close well", zap.String("pseudo", pseudo), zap.Error(err))
	}
}

// openWhole opens a file system and sees to it that its root can be read.
func (t *exportTable) openWhole(ctx context.Context, spec exportSpec) (fsal.FS, error) {
	select {
	case t.opening <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	leave := sync.OnceFunc(func() { <-t.opening })
	defer leave()
	defer time.AfterFunc(openTime, leave).Stop()
	fs, err := t.open(ctx, spec)
	if err != nil {
		return nil, err
	}
	root, err := fs.Root(&fsal.Req{Context: ctx})
	if err != nil {
		t.discard(ctx, spec.pseudo, fs)
		return nil, fmt.Errorf("export %s: its root cannot be read: %w", spec.pseudo, err)
	}
	root.Put()
	return fs, nil
}
