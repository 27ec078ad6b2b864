package main

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/internal/config"
)

// urlWatch watches the object that RADOS_URLS names, and tells of notifications.
type urlWatch struct {
	objects *objects
	changed func() // does not block
	log     *zap.Logger
	ctx     context.Context
	cancel  context.CancelFunc
	tasks   sync.WaitGroup

	mu   sync.Mutex
	at   config.RadosURLs   // Guarded by mu.
	stop context.CancelFunc // Guarded by mu. Ends the watch of at.
}

func newURLWatch(objects *objects, changed func(), log *zap.Logger) *urlWatch {
	w := &urlWatch{objects: objects, changed: changed, log: log, stop: func() {}}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

// Close ends the watch.
func (w *urlWatch) Close() {
	w.cancel()
	w.tasks.Wait()
}

// point moves the watch to what at names; without a watch_url there is none.
func (w *urlWatch) point(at config.RadosURLs) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if at == w.at {
		return
	}
	w.stop()
	w.at, w.stop = at, func() {}
	if at.WatchURL == "" {
		return
	}
	o, err := config.ParseURL(at.WatchURL)
	if err != nil {
		w.log.Error("watch_url is not watched: reloads are up to SIGHUP", zap.Error(err))
		return
	}
	ctx, stop := context.WithCancel(w.ctx)
	w.stop = stop
	w.tasks.Go(func() { w.keep(ctx, o, at) })
}

// keep watches o again whenever the watch breaks. What was missed meanwhile is
// made up for by telling of a change each time that it begins.
func (w *urlWatch) keep(ctx context.Context, o config.Object, with config.RadosURLs) {
	said := ""
	for wait := retryFirst; ctx.Err() == nil; wait = min(2*wait, retryLast) {
		err := w.objects.watch(ctx, o, with, func() {
			wait, said = retryFirst, ""
			w.changed()
		})
		if ctx.Err() != nil {
			return
		}
		if why := err.Error(); why != said {
			w.log.Warn("watch_url is not watched; it is tried again", zap.Stringer("object", o), zap.Error(err))
			said = why
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}
